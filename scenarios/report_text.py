"""The words of a report, in English and German (RiLSA's terms)."""

from __future__ import annotations

from typing import Final, Literal

Language = Literal["en", "de"]

# key of the record, with a dot into a nested one; format; heading
COLUMNS: Final[tuple[tuple[str, str, dict[Language, str]], ...]] = (
    ("control", "", {"en": "Control", "de": "Steuerung"}),
    ("seed", "d", {"en": "Seed", "de": "Startwert"}),
    ("mean_delay_s", ".1f", {"en": "Mean delay, s per vehicle", "de": "Mittlerer Zeitverlust, s je Fahrzeug"}),
    ("resco_delay_s", ".1f", {"en": "Delay by RESCO's formula, s", "de": "Zeitverlust nach RESCO, s"}),
    ("finished_time_loss_s", ".1f", {"en": "Time loss of finished trips, s", "de": "Zeitverlust beendeter Fahrten, s"}),
    ("vehicles", "d", {"en": "Vehicles due", "de": "Fällige Fahrzeuge"}),
    ("finished", "d", {"en": "Finished", "de": "Angekommen"}),
    ("unfinished", "d", {"en": "Under way", "de": "Unterwegs"}),
    ("never_inserted", "d", {"en": "Never inserted", "de": "Nie eingesetzt"}),
    ("teleports", "d", {"en": "Teleports", "de": "Teleports"}),
    ("collisions", "d", {"en": "Collisions", "de": "Unfälle"}),
    ("emergency_brakings", "d", {"en": "Emergency brakings", "de": "Notbremsungen"}),
    ("stops_per_vehicle", ".2f", {"en": "Stops per vehicle", "de": "Halte je Fahrzeug"}),
    ("max_wait_s", ".0f", {"en": "Longest wait, s", "de": "Längste Wartezeit, s"}),
    ("longest_red_s", ".0f", {"en": "Longest red before a waiting vehicle, s", "de": "Längstes Rot vor einem wartenden Fahrzeug, s"}),
    ("co2_g_per_vehicle", ".0f", {"en": "CO2, g per vehicle", "de": "CO2, g je Fahrzeug"}),
    ("saturation_flow_veh_h", ".0f", {"en": "Saturation flow measured, veh/h and lane", "de": "Gemessene Sättigungsverkehrsstärke, Fz/h je Fahrstreifen"}),
    ("interlock_refusals", "d", {"en": "Interlock refusals", "de": "Ablehnungen der Signalsicherung"}),
    ("solve_ms.p99", ".2f", {"en": "Solve time, 99th percentile, ms", "de": "Rechenzeit, 99. Perzentil, ms"}),
    ("wall_s", ".1f", {"en": "Wall time, s", "de": "Laufzeit, s"}),
    ("status", "", {"en": "Status", "de": "Zustand"}),
)

TEXTS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "title": "Umlauf: report on {scenario}",
        "facts": "Scenario {scenario}, {simulation_s:g} s simulated, signal rules {rules}, detection {detection}, insertion {insertion}, SUMO {sumo_version}.",
        "peers": "greedy and max-pressure see every vehicle within 50 m and 200 m without error, whatever the detection level; fixed, webster and the sumo- "
        "controls are driven by SUMO.",
        "delay_meaning": "Mean delay: time loss plus wait for insertion of every vehicle that was due to depart, divided by their number. Vehicles still under "
        "way count with their loss so far, vehicles never inserted with their wait until the end.",
        "one_seed": "One seed proves little: a trajectory can change chaotically. Compare controls over several seeds.",
        "runs": "The runs",
        "means": "Mean over seeds",
        "means_columns": "Control|Seeds|Mean delay, s per vehicle|95 % confidence interval, s",
        "delay": "Delay over time",
        "delay_title": "Mean delay by time of departure",
        "delay_y": "mean delay, s per vehicle",
        "delay_alt": "Line chart of the mean delay of vehicles by the time they were due to depart, one line per control. {detail}",
        "delay_detail": "{control}: from {low:.0f} to {high:.0f} s, highest after {at:.0f} min.",
        "queues": "Queue per approach",
        "queues_title": "Standing vehicles before light {light}, mean over each minute",
        "queues_y": "standing vehicles",
        "queues_alt": "Line charts of the vehicles standing before light {light}, one panel per approach, one line per control. {detail}",
        "queues_detail": "{control}: {parts}.",
        "queues_part": "{approach} mean {mean:.1f}, most {high:.1f}",
        "busiest": "Of the {count} lights, the one before which most vehicles stood.",
        "more_approaches": "The {count} approaches with the longest queues; the data hold all.",
        "from": "from the {side}",
        "signals": "Signal timing",
        "signals_title": "Light {light} under {control}, seed {seed}",
        "signals_x": "seconds after {at} s of simulation time",
        "signals_alt": "Signal timing diagram of light {light} under {control}: a row per group of signals, over {seconds:.0f} s. {detail}",
        "signals_detail": "{label}: green {share:.0f} % of the time in {greens} greens",
        "signals_meaning": "Tall bars are green (G protected, g permitted: gives way), middle ones amber (A), thin ones red. Signals that always show the same "
        "share a row.",
        "x_minutes": "minutes since the begin",
        "data": "Data of this picture",
        "stretched": "logarithmic beyond 10",
        "missing": "Not recorded in these runs.",
        "files": "Files",
        "files_text": "Each run's folder holds SUMO's tripinfo.xml and tls_states.xml, queues.csv, summary.json and, where Umlauf drove, journal.sqlite.",
        "table": "Show as a table",
        "minutes": "Minute",
        "approach": "Approach",
        "control": "Control",
        "folder": "Folder",
    },
    "de": {
        "title": "Umlauf: Bericht über {scenario}",
        "facts": "Szenario {scenario}, {simulation_s:g} s simuliert, Signalregeln {rules}, Erfassung {detection}, Einsetzen {insertion}, SUMO {sumo_version}.",
        "peers": "greedy und max-pressure sehen jedes Fahrzeug bis 50 m und 200 m fehlerfrei, gleich welche Erfassung; fixed, webster und die "
        "sumo-Steuerungen schaltet SUMO selbst.",
        "delay_meaning": "Mittlerer Zeitverlust: Zeitverlust und Wartezeit auf das Einsetzen aller Fahrzeuge, die abfahren sollten, geteilt durch ihre Zahl. "
        "Fahrzeuge, die noch unterwegs sind, zählen mit ihrem bisherigen Verlust, nie eingesetzte mit ihrer Wartezeit bis zum Ende.",
        "one_seed": "Ein Startwert beweist wenig: kleine Änderungen können alles verschieben. Vergleiche Steuerungen über mehrere Startwerte.",
        "runs": "Die Läufe",
        "means": "Mittel über die Startwerte",
        "means_columns": "Steuerung|Startwerte|Mittlerer Zeitverlust, s je Fahrzeug|95-%-Vertrauensbereich, s",
        "delay": "Zeitverlust über die Zeit",
        "delay_title": "Mittlerer Zeitverlust nach Abfahrtszeit",
        "delay_y": "mittlerer Zeitverlust, s je Fahrzeug",
        "delay_alt": "Linien des mittleren Zeitverlusts nach der fälligen Abfahrtszeit, eine je Steuerung. {detail}",
        "delay_detail": "{control}: von {low:.0f} bis {high:.0f} s, am höchsten nach {at:.0f} min.",
        "queues": "Rückstau je Zufahrt",
        "queues_title": "Stehende Fahrzeuge vor Lichtsignalanlage {light}, Mittel je Minute",
        "queues_y": "stehende Fahrzeuge",
        "queues_alt": "Linien der stehenden Fahrzeuge vor Lichtsignalanlage {light}, ein Feld je Zufahrt, eine Linie je Steuerung. {detail}",
        "queues_detail": "{control}: {parts}.",
        "queues_part": "{approach} im Mittel {mean:.1f}, höchstens {high:.1f}",
        "busiest": "Von {count} Lichtsignalanlagen diejenige, vor der die meisten Fahrzeuge standen.",
        "more_approaches": "Die {count} Zufahrten mit dem längsten Rückstau; die Daten enthalten alle.",
        "from": "von {side}",
        "signals": "Signalzeitenplan",
        "signals_title": "Lichtsignalanlage {light} mit {control}, Startwert {seed}",
        "signals_x": "Sekunden nach {at} s Simulationszeit",
        "signals_alt": "Signalzeiten der Lichtsignalanlage {light} mit {control}: eine Zeile je Signalgruppe, über {seconds:.0f} s. {detail}",
        "signals_detail": "{label}: Grün {share:.0f} % der Zeit in {greens} Freigaben",
        "signals_meaning": "Hohe Balken sind Grün (G gesichert, g bedingt verträglich: wartepflichtig), mittlere Gelb (A), schmale Rot. Signale, die immer "
        "dasselbe zeigen, teilen eine Zeile.",
        "x_minutes": "Minuten seit Beginn",
        "data": "Daten dieses Bildes",
        "stretched": "über 10 logarithmisch",
        "missing": "In diesen Läufen nicht aufgezeichnet.",
        "files": "Dateien",
        "files_text": "Der Ordner jedes Laufs enthält tripinfo.xml und tls_states.xml von SUMO, queues.csv, summary.json und, wo Umlauf schaltete, "
        "journal.sqlite.",
        "table": "Als Tabelle zeigen",
        "minutes": "Minute",
        "approach": "Zufahrt",
        "control": "Steuerung",
        "folder": "Ordner",
    },
}

# Sides, directions as SUMO writes them, crossings.
WAYS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "north": "north", "north-east": "north-east", "east": "east", "south-east": "south-east",
        "south": "south", "south-west": "south-west", "west": "west", "north-west": "north-west",
        "s": "straight", "l": "left", "r": "right", "t": "turning back", "crossing": "crossing",
    },
    "de": {
        "north": "Norden", "north-east": "Nordosten", "east": "Osten", "south-east": "Südosten",
        "south": "Süden", "south-west": "Südwesten", "west": "Westen", "north-west": "Nordwesten",
        "s": "geradeaus", "l": "links", "r": "rechts", "t": "wendend", "crossing": "Furt",
    },
}  # fmt: skip

ASPECT_WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "G": "green (G)", "g": "green, gives way (g)", "y": "amber (A)", "Y": "amber, priority (A)",
        "u": "red-amber (u)", "r": "red", "s": "red, turn after stop", "o": "flashing amber (f)", "O": "dark",
    },
    "de": {
        "G": "Grün (G)", "g": "Grün, wartepflichtig (g)", "y": "Gelb (A)", "Y": "Gelb, Vorrang (A)",
        "u": "Rot-Gelb (u)", "r": "Rot", "s": "Rot, Grünpfeil", "o": "Gelb blinkend (f)", "O": "dunkel",
    },
}  # fmt: skip
