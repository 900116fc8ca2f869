"""A status as an operator sees it in a terminal. What matters is never told by colour alone: words and letters say it too."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from controller.cabinet.said_words import retold
from controller.cabinet.status import DetectorStatus, NodeStatus, Status
from controller.cabinet.status_words import name, say
from controller.journal_schema import LETTERS
from controller.words import Lang, decimal
from hardware.signals import Aspect

STYLES: Final = {
    "dark": "#ffffff on #3a3a3a",
    "red": "bold #ffffff on #c00000",
    "red_amber": "bold #000000 on #ff9800",
    "green": "bold #000000 on #2fd158",
    "amber": "bold #000000 on #ffd60a",
    "flashing_amber": "bold #000000 on #ffd60a",
}
GOOD: Final = "green"
BAD: Final = "bold red"
OLD_S: Final = 10.0  # an answer older than this is shown as bad
BAR_VEH: Final = 20  # the longest queue bar
MOST_EVENTS: Final = 8


def view(status: Status, lang: Lang, notice: str = "", most: int | None = None) -> RenderableType:
    """Return the whole view, most important first; ``notice`` stands above what is not news, ``most`` rows of detectors and of lanes are shown."""
    parts: list[RenderableType] = [_head(status, lang)]
    if notice:
        parts.append(Text(notice, style=BAD))
    parts += [_node(node, lang) for node in status.nodes]
    parts += [_signals(status, lang), _watched(status, lang)]
    if status.events:
        parts.append(_events(status, lang))
    return Group(*parts, _detectors(status, lang, most), _lanes(status, lang, most))


def _head(status: Status, lang: Lang) -> Text:
    up = timedelta(seconds=round(status.uptime_s))
    text = Text.assemble((f"{status.site}", "bold"), f" · {status.junction} · umlauf {status.version} · {_time(status.at)} UTC · ", say("up", lang, time=up))
    if status.shadow:
        text.append(f"  {say('shadow', lang)}", style="bold reverse")
    return text


def _node(node: NodeStatus, lang: Lang) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(ratio=1)
    style = GOOD if node.mode == node.wanted and not node.faults else "bold yellow" if node.mode not in ("flash", "release") else BAD
    mode = Text.assemble((name(node.mode, lang).upper(), style), f"  {say('since', lang, time=_time(node.mode_since))}")
    if node.mode != node.wanted:
        mode.append(f"  ({say('wanted', lang, mode=name(node.wanted, lang))})")
    table.add_row(say("mode", lang), mode)
    if node.mode_why:
        table.add_row(say("why", lang), Text(retold(node.mode_why, lang)))
    if node.override is not None:
        wish = node.override
        words = say("override_text", lang, mode=name(wish.mode, lang), until=_time(wish.until, day=True), who=wish.who, reason=wish.reason)
        table.add_row(say("override", lang), Text(words, style="bold yellow"))
    faults = ", ".join(name(fault, lang) for fault in node.faults)
    table.add_row(say("faults", lang), Text(faults or say("no_faults", lang), style=BAD if faults else ""))
    table.add_row(say("stage", lang), Text(node.stage))
    table.add_row(say("plan", lang, planner=name(node.planner, lang)), Text(retold(node.plan_reason, lang)))
    if node.next_steps:
        steps = [say("next_step", lang, stage=stage, time=decimal(after_s, lang, 0)) for stage, after_s in node.next_steps]
        table.add_row(say("next", lang), Text(", ".join(steps)))
    if node.asked:
        asked = [say("asked_for", lang, group=group, time=decimal(for_s, lang, 0)) for group, for_s in node.asked]
        table.add_row(say("asked", lang), Text(", ".join(asked)))
    return Panel(table, title=say("node", lang, id=node.id), title_align="left")


def _signals(status: Status, lang: Lang) -> Panel:
    cells = [Text.assemble((f" {_letter(aspect)} ", STYLES.get(aspect, "")), f" {group} {name(aspect, lang)}") for group, aspect in status.aspects.items()]
    return Panel(Columns(cells, padding=(0, 3)), title=say("signals", lang), title_align="left")


def _letter(aspect: str) -> str:
    """Return the journal's letter of the aspect."""
    known = Aspect.__members__.get(aspect.upper())
    return "?" if known is None else LETTERS[known]


def _detectors(status: Status, lang: Lang, most: int | None) -> Panel:
    table = _table(say("detector", lang), say("purpose", lang), "", say("count", lang), say("health", lang), numbers=(3,))
    ordered = sorted(status.detectors, key=lambda d: d.trusted)  # the broken first
    for one in ordered[:most]:
        table.add_row(one.id, name(one.purpose, lang), say("occupied" if one.occupied else "free", lang), str(one.count), _health(one, lang))
    if most is not None and len(ordered) > most:
        table.add_row("…", say("more", lang, count=len(ordered) - most))
    return Panel(table, title=say("detectors", lang), title_align="left")


def _health(one: DetectorStatus, lang: Lang) -> Text:
    if one.trusted:
        return Text(say("trusted", lang), style=GOOD)
    return Text(say("distrusted", lang, why=retold(one.why, lang)), style=BAD)


def _lanes(status: Status, lang: Lang, most: int | None) -> Panel:
    table = _table(say("lane", lang), say("queue", lang), "", say("flow", lang), say("saturation", lang), numbers=(1, 3, 4))
    ordered = status.lanes if most is None else sorted(status.lanes, key=lambda x: -x.queue_veh)[:most]
    for lane in ordered:
        bar = "█" * min(round(lane.queue_veh), BAR_VEH) + ("+" if lane.queue_veh > BAR_VEH else "")
        table.add_row(lane.id, decimal(lane.queue_veh, lang), bar, decimal(lane.flow_veh_h, lang, 0), decimal(lane.saturation_veh_h, lang, 0))
    if len(ordered) < len(status.lanes):
        table.add_row("…", "", say("more", lang, count=len(status.lanes) - len(ordered)))
    return Panel(table, title=say("lanes", lang), title_align="left")


def _watched(status: Status, lang: Lang) -> Panel:
    ages = [(say("age", lang, part=name(part, lang), age=decimal(age_s, lang)), BAD if age_s > OLD_S else "") for part, age_s in status.ages_s.items()]
    states = [
        (say("optimizer", lang, state=name(status.optimizer, lang)), BAD if status.optimizer == "lost" else ""),
        (say("driven", lang, state=name(status.signals, lang)), BAD if status.signals in ("fault", "lost") else ""),
    ]
    work = [
        (say("ticks", lang, ticks=status.ticks, late=status.late_ticks, max=decimal(status.max_lateness_ms, lang)), ""),
        (say("work", lang, decisions=status.decisions, events=status.detector_events), ""),
        (say("refusals", lang, count=status.refusals), BAD if status.refusals else ""),
    ]
    return Panel(Group(_joined(states + ages), _joined(work)), title=say("watched", lang), title_align="left")


def _joined(parts: list[tuple[str, str]]) -> Text:
    return Text(" · ").join(Text(text, style=style) for text, style in parts)


def _events(status: Status, lang: Lang) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for at, kind, text in status.events[-MOST_EVENTS:]:
        table.add_row(_time(at), name(kind, lang), Text(retold(text, lang)))
    return Panel(table, title=say("events", lang), title_align="left")


def _table(*heads: str, numbers: tuple[int, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold dim")
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i in numbers else "left", overflow="fold")
    return table


def _time(text: str, *, day: bool = False) -> str:
    """Return an ISO time as HH:MM:SS, with the day where that is asked for; what is no such time as it is."""
    date, separator, rest = text.partition("T")
    if not separator:
        return text
    return f"{date} {rest[:5]} UTC" if day else rest[:8]
