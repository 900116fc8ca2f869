"""The texts of ``umlauf explain`` as (English, German); German by the terms of the RiLSA."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    # head
    "title": (
        "Light {junction}, node {node}, {time}{clock}, tick {tick}",
        "Lichtsignalanlage {junction}, Teilknoten {node}, {time}{clock}, Takt {tick}",
    ),
    "asked": ("asked for {time}; the newest decision up to then", "gefragt war {time}; die letzte Entscheidung bis dahin"),
    "mode": ("Mode {mode} (control {control})", "Betriebsart {mode} (Steuerung {control})"),
    "since": ("in this mode since {time}: {event} ({reason})", "in dieser Betriebsart seit {time}: {event} ({reason})"),
    "proof_kept": (
        "What was known is in the journal. {planner} was asked again from {time} on: {count} of {count} plans as recorded, so this is how it decided.",
        "Was bekannt war, steht im Journal. {planner} wurde ab {time} noch einmal gefragt: {count} von {count} Plänen wie aufgezeichnet; so wurde entschieden.",
    ),
    "proof_kept_none": (
        "What was known is in the journal. {planner} gave no plan up to here with which one asked again could be compared.",
        "Was bekannt war, steht im Journal. {planner} gab bis hierher keinen Plan, mit dem sich ein erneut erfragter vergleichen ließe.",
    ),
    "proof_local": (
        "What was known is in the journal. {planner} decided in the guard, not in the optimizer, and is not asked again.",
        "Was bekannt war, steht im Journal. {planner} entschied im Wächter, nicht im Optimierer, und wird nicht noch einmal gefragt.",
    ),
    "proof_same": (
        "Rebuilt from {events} recorded input events. Digests of all that was solved up to here: {count} of {count} as recorded, so this is what was known.",
        "Aus {events} aufgezeichneten Eingangsereignissen nachgebildet. Von allem, was bis hierher gerechnet wurde, stimmen {count} von {count} Prüfsummen; "
        "genau dies war bekannt.",
    ),
    "proof_digest": (
        "Digest of this decision: {digest}, both the same.",
        "Prüfsumme dieser Entscheidung: {digest}, beide gleich.",
    ),
    "proof_no_digest": ("Nothing was solved at this very tick.", "In genau diesem Takt wurde nichts gerechnet."),
    "proof_none": (
        "Rebuilt from {events} recorded input events; this control solves nothing, so there is no digest to compare.",
        "Aus {events} aufgezeichneten Eingangsereignissen nachgebildet; diese Steuerung rechnet nichts, also gibt es keine Prüfsumme zu vergleichen.",
    ),
    "proof_differs": (
        "NOT PROVEN: the digests differ from {time} on ({recorded} recorded, {again} rebuilt here). What follows is not what was known.",
        "NICHT BELEGT: Die Prüfsummen weichen ab {time} ab ({recorded} aufgezeichnet, {again} hier). Das Folgende ist nicht das damals Bekannte.",
    ),
    "proof_kept_differs": (
        "NOT PROVEN: {planner}, asked again, decides otherwise from {time} on (digests here: {recorded} recorded, {again} now).",
        "NICHT BELEGT: {planner} entscheidet, noch einmal gefragt, ab {time} anders (Prüfsummen hier: {recorded} aufgezeichnet, {again} jetzt).",
    ),
    "proof_unrecorded": (
        "What was known cannot be rebuilt: {control} used something that no event records. The plan is told as recorded.",
        "Was bekannt war, lässt sich nicht nachbilden: {control} nutzte etwas, das nicht aufgezeichnet ist. Der Plan steht hier wie aufgezeichnet.",
    ),
    # decision
    "decision": ("Decision", "Entscheidung"),
    "no_plan": ("No plan had been made yet.", "Es gab noch keinen Plan."),
    "no_plan_here": (
        "This file holds no plan up to here; the one in force, if there was any, is in the file before.",
        "Diese Datei enthält bis hierher keinen Plan; der geltende, falls es einen gab, steht in der Datei davor.",
    ),
    "old_plan": ("The plan in force was made at {time} by {planner}.", "Der geltende Plan entstand bei {time} durch {planner}."),
    "no_optimizer": (
        "No plan of the optimizer at this moment: {planner} decided in its place.",
        "In diesem Augenblick kein Plan des Optimierers: An seiner Stelle entschied {planner}.",
    ),
    "unanswered": (
        "The optimizer was asked, but its answer did not come in time or was not used; the plan in force went on.",
        "Der Optimierer wurde gefragt, doch seine Antwort kam nicht rechtzeitig oder wurde nicht genutzt; der geltende Plan galt weiter.",
    ),
    "off": ("signals off, or left to the controller", "Signale aus oder dem Steuergerät überlassen"),
    "in_journal": ("in the journal: {reason}", "im Journal: {reason}"),
    "forced": (
        "By rule, not by cost: a stop line has waited for the longest time allowed.",
        "Nach Regel, nicht nach Kosten: An einer Haltlinie wurde so lange gewartet wie höchstens erlaubt.",
    ),
    "ended": (
        "By rule, not by cost: {groups} had the longest green allowed, and somebody waits.",
        "Nach Regel, nicht nach Kosten: {groups} hatte die längste zulässige Freigabezeit, und es wird gewartet.",
    ),
    "clearing": ("The junction is being cleared by all red; no stage is weighed.", "Der Knotenpunkt wird mit Alles-Rot geräumt; keine Phase wird abgewogen."),
    "recall": (
        "By rule, not by cost: no loop sees who waits there.",
        "Nach Regel, nicht nach Kosten: Wer dort wartet, sieht keine Schleife.",
    ),
    "cycle": (
        "Cycle {cycle} s, expected mean delay {delay} s, green times: {greens}",
        "Umlaufzeit {cycle} s, erwartete mittlere Wartezeit {delay} s, Freigabezeiten: {greens}",
    ),
    "not_weighed": (
        "{planner} does not weigh alternatives second by second; what it recorded is above.",
        "{planner} wägt nicht jede Sekunde Alternativen ab; was aufgezeichnet ist, steht oben.",
    ),
    # signals
    "signals": ("Signals", "Signale"),
    "stands": ("stage {stage} stands", "Phase {stage} steht"),
    "runs": (
        "the transition from {old} to {stage} runs, {time} more",
        "der Phasenübergang von {old} zu {stage} läuft noch {time}",
    ),
    "starting": ("all red until the first stage {stage} may begin, {time} more", "Alles-Rot, bis die erste Phase {stage} beginnen darf, noch {time}"),
    "may_leave": ("it may be left now", "sie darf jetzt enden"),
    "held": ("it may be left in {time} at the earliest", "sie darf frühestens in {time} enden"),
    "min_green": ("minimum green of {group} runs {time} more", "Mindestfreigabezeit von {group} läuft noch {time}"),
    "green": ("{group} green for {time}", "{group} frei seit {time}"),
    "red": ("{group} red for {time}", "{group} gesperrt seit {time}"),
    "between": ("{group} {aspect}", "{group} {aspect}"),
    "aspect_1": ("red", "Rot"),
    "aspect_3": ("green", "Grün"),
    "aspect_2": ("red-amber", "Rot-Gelb"),
    "aspect_4": ("amber", "Gelb"),
    "aspect_5": ("flashing", "Blinken"),
    "aspect_0": ("dark", "dunkel"),
    "free": ("beside the programme's stages it may show {stages}", "außer den Phasen des Programms kommen in Frage: {stages}"),
    "forbidden": ("no transition from here to {stages} now", "jetzt kein Phasenübergang von hier zu {stages}"),
    "full_exits": ("exits that are full: {exits}", "zugestaute Ausfahrten: {exits}"),
    "requests": ("asked for by button: {groups}", "mit der Taste angefordert: {groups}"),
    "request": ("{group} for {time}", "{group} seit {time}"),
    "shut_exits": ("exits some metres before a red: {exits}", "Ausfahrten wenige Meter vor einem Rot: {exits}"),
    "untrusted": ("detectors without trust: {detectors}", "Detektoren ohne Vertrauen: {detectors}"),
    "waiting_for_room": (
        "the neighbours tell of {count} vehicles that wait for room on the way to {lanes}",
        "die Nachbarn melden {count} Fahrzeuge, die auf Platz auf dem Weg nach {lanes} warten",
    ),
    "told": (
        "the neighbours tell of {count} more vehicles that come to {lanes}, beyond the loops",
        "die Nachbarn melden {count} weitere Fahrzeuge jenseits der Schleifen, unterwegs nach {lanes}",
    ),
    # lanes
    "lanes": ("Lanes, as believed", "Fahrstreifen, wie angenommen"),
    "lane_head": (
        "lane|queue veh|longest wait|arriving in s (probability where below 0.9)|served by",
        "Fahrstreifen|Stau Fz|längste Wartezeit|Ankunft in s (Wahrscheinlichkeit, wo unter 0,9)|frei in Phase",
    ),
    "learned": ("Learned on each lane", "Gelernt je Fahrstreifen"),
    "learned_head": (
        "lane|headway s|start-up loss s|flow veh/h|seen ahead s|turning shares|state",
        "Fahrstreifen|Zeitbedarfswert s|Anfahrverlust s|Verkehrsstärke Fz/h|Vorausschau s|Abbiegeanteile|Zustand",
    ),
    "left": ("left", "links"),
    "straight": ("straight", "geradeaus"),
    "right": ("right", "rechts"),
    "turn": ("turn back", "wendend"),
    "locked": ("does not discharge, {time} more", "fließt nicht ab, noch {time}"),
    "stuck": ("covered without departure for {time} of green", "belegt ohne Abfluss seit {time} Freigabezeit"),
    "inside": ("{count} veh wait inside the junction", "{count} Fz warten im Knotenpunkt"),
    "gap": ("the first vehicle waits for a gap", "das erste Fahrzeug wartet auf eine Lücke"),
    "more": ("and {count} more", "und {count} weitere"),
    # plan and alternatives
    "plan": ("Plan", "Plan"),
    "step_now": ("now: {stage}", "jetzt: {stage}"),
    "step_clears": ("; on the way there nothing turns green for {time}", "; auf dem Weg dorthin wird {time} lang nichts frei"),
    "step_later": ("in {time}: {stage}", "in {time}: {stage}"),
    "alternatives": (
        "Alternatives at once, each with its best sequel within {time} (cost in vehicle-seconds: weighted waiting, stops, switches, what still stands)",
        "Alternativen sofort, jede mit bester Fortsetzung in {time} (Kosten in Fahrzeugsekunden: gewichtete Wartezeit, Halte, Wechsel, Rest)",
    ),
    "measured": (
        "Alternatives at once, weighed afterwards by the measure of adaptive, each with its best sequel within {time} (cost in vehicle-seconds)",
        "Alternativen sofort, nachträglich mit dem Maß von adaptive gewogen, jede mit bester Fortsetzung in {time} (Kosten in Fahrzeugsekunden)",
    ),
    "chosen": ("chosen", "gewählt"),
    "keep": ("keep {stage}", "{stage} halten"),
    "go": ("go to {stage}", "zu {stage} wechseln"),
    "worse": ("worse for {lanes}", "schlechter für {lanes}"),
    "better": ("better for {lanes}", "besser für {lanes}"),
    "only_one": ("Nothing else could be chosen at this moment.", "In diesem Augenblick war nichts anderes wählbar."),
    "missed": (
        "{stage} costs less when searched on its own: the search, which keeps a limited number of nodes, has missed it.",
        "{stage} kostet weniger, wenn eigens danach gesucht wird: Die Suche, die nur begrenzt viele Knoten behält, hat das übersehen.",
    ),
    "sequel": (
        "The plan itself costs {cost}: it begins with the same choice, but the search has missed the better sequel. The next second decides anew.",
        "Der Plan selbst kostet {cost}: Er beginnt mit derselben Wahl; die bessere Fortsetzung hat die Suche übersehen. Die nächste Sekunde entscheidet neu.",
    ),
    "not_followed": (
        "Weighed, but not followed: no plan came of it then, and the one made at {time} went on.",
        "Abgewogen, aber nicht befolgt: Damals kam kein Plan zustande, und der von {time} galt weiter.",
    ),
    "later": ("those still to come wait {more}", "die noch kommen, warten {more}"),
    "order": ("queues of different stages wait for each other {more}", "Warteschlangen verschiedener Phasen warten aufeinander {more}"),
    "switches": ("switches {more}", "Wechsel {more}"),
    # picture
    "x_axis": ("seconds from the decision; left of 0: waiting since", "Sekunden ab der Entscheidung; links von 0: wartet seit"),
    "top": ("{junction} at {time}: vehicles believed and green planned", "{junction} bei {time}: angenommene Fahrzeuge und geplante Freigabezeiten"),
    "bottom": ("Cost of each choice above the one taken, vehicle-seconds", "Kosten jeder Wahl über der getroffenen, Fahrzeugsekunden"),
    "legend_queue": ("Q waits", "Q wartet"),
    "legend_arriving": ("a arrives", "a trifft ein"),
    "legend_unsure": ("? less sure than 0.9", "? unsicherer als 0,9"),
    "legend_leaves": ("| leaves under the plan", "| fährt nach Plan ab"),
    "legend_green": ("green planned", "geplante Freigabezeit"),
    "legend_part": ("green for a part, or yielding", "nur zum Teil frei, oder wartepflichtig"),
    "alt_text": ("Two panels. {lanes} {alternatives}", "Zwei Felder. {lanes} {alternatives}"),
    "alt_lane": ("{lane}: queue {queue}, arriving {arriving}.", "{lane}: Stau {queue}, ankommend {arriving}."),
    "alt_choice": ("{name}: {more} more.", "{name}: {more} mehr."),
}
