"""The parts of a decision's reason as (English, German); `controller.reasons` puts them together."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "keeps": ("keeps {stage}", "hält {stage}"),
    "goes": ("goes to {stage}", "wechselt zu {stage}"),
    "served": ("{count} there or due within {time}", "{count} dort oder in {time} erwartet"),
    "nobody": ("nobody there or due within {time}", "niemand dort oder in {time} erwartet"),
    "waiting": ("waiting: {them}", "es warten: {them}"),
    "waits": ("{count} on {where} for {stage}, up to {time}", "{count} in {where} auf {stage}, bis zu {time}"),
    "arrives": ("{count} on {where} for {stage}", "{count} in {where} auf {stage}"),
    "others": ("{count} elsewhere", "{count} anderswo"),
    "none_wait": ("nobody waits elsewhere", "anderswo wartet niemand"),
    "clears": (
        "nothing turns green for {time}, for vehicles from {where} wait inside the junction",
        "nichts wird in {time} frei, denn Fahrzeuge aus {where} warten im Knotenpunkt",
    ),
    "full": ("no room in {where}", "kein Platz in {where}"),
    "gated": ("holds back traffic to {where}, which hardly moves", "drosselt den Zufluss zu {where}, wo es kaum weitergeht"),
    "shut": ("it is red at the near end of {where}", "am nahen Ende von {where} ist Rot"),
    "switch": ("a switch costs {time}", "ein Wechsel kostet {time}"),
    "held": ("no switch before {time} (minimum green or transition)", "kein Wechsel vor {time} (Mindestfreigabezeit oder Phasenübergang)"),
    "price": (
        "the queues outlast what is planned: each second of lost green keeps {count} waiting that are still to come",
        "der Stau überdauert die Planung: jede verlorene Sekunde Freigabe lässt {count} warten, die noch kommen",
    ),
    "rival": ("{stage} at once would cost {cost} more", "{stage} sofort würde {cost} mehr kosten"),
    "rival_same": ("{stage} at once would cost about the same", "{stage} sofort würde etwa gleich viel kosten"),
    "stay": ("keeping {stage} would cost {cost} more", "{stage} zu halten würde {cost} mehr kosten"),
    "stay_same": ("keeping {stage} would cost about the same", "{stage} zu halten würde etwa gleich viel kosten"),
    "then": ("then {stage} in {time}", "danach {stage} in {time}"),
}
