"""``umlauf replay`` where a controller owns the aspects: what it was asked for follows from what it was seen to show and from the plans.

The followers and the heads of the cabinet (`controller.cabinet.controller_heads`) run again on a port that shows what was recorded as seen, are given
the recorded plans at their ticks, and must ask for the recorded commands. A request that failed fails again. What is not proven: that the controller
showed what it was seen to show, and what the last gate and the driver made of the commands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, cast

from controller.cabinet.controller_heads import ControllerHeads, GuardedPort
from controller.cabinet.follower import Follower
from controller.errors import PlanError
from controller.free_stages import with_more_stages
from controller.journal_reader import JournalReader, NoteRow, PlanRow
from controller.journal_schema import COMMAND, DRIVEN, SEEN, JournalError
from controller.replay import Aspects, Difference, Outcome, Record, shown, up_to_damage
from hardware.ports import Actuation, ControllerCommand, ControllerDriver, Observation, PortError

AROUND: Final = 6  # commands before a difference that are shown


class Asked(NamedTuple):
    """One request."""

    now_ms: int
    kind: str
    groups: tuple[str, ...] = ()
    durations_ms: tuple[int, ...] = ()

    def text(self) -> str:
        """Return it in words."""
        what = ", ".join(self.groups) or "-"
        return f"{self.now_ms / 1000:.1f} s {self.kind} {what}{f' {list(self.durations_ms)} ms' if self.durations_ms else ''}"


class DifferenceError(Exception):
    """Another command than the recorded one is asked for; None: no command."""

    def __init__(self, recorded: Asked | None, again: Asked | None) -> None:
        super().__init__()
        self.recorded, self.again = recorded, again


class RecordedController:
    """Stands for the controller, its driver and the last gate: shows what was seen, and takes only what was asked then."""

    refusals = 0
    status_age_ms = 0

    def __init__(self, driven: Mapping[str, Any], asked: Sequence[tuple[Asked, str]]) -> None:
        self.actuation, self.drivable = Actuation(driven["actuation"]), frozenset(driven["drivable"])
        self._asked, self.count = asked, 0
        self.seen, self.lost = Observation(0, None, "local"), ""

    def observe(self, now_ms: int) -> Observation:
        """Return what was seen in this tick. Raises `PortError` where nothing was."""
        del now_ms
        if self.lost:
            raise PortError(self.lost)
        return self.seen

    def request(self, command: ControllerCommand, now_ms: int) -> None:
        """Compare. Raises `DifferenceError`, and `PortError` where that request failed."""
        again = Asked(now_ms, str(command.kind), command.groups, command.durations_ms)
        recorded, failed = self._asked[self.count] if self.count < len(self._asked) else (None, "")
        if recorded != again:
            raise DifferenceError(recorded if recorded is not None and recorded.now_ms <= now_ms else None, again)
        self.count += 1
        if failed:
            raise PortError(failed)

    def demand_all(self, now_ms: int) -> None:
        """Raise `DifferenceError` where a recorded request of up to now was not asked again."""
        if self.count < len(self._asked) and self._asked[self.count][0].now_ms <= now_ms:
            raise DifferenceError(self._asked[self.count][0], None)


def replay_commands(reader: JournalReader, record: Record) -> Outcome:
    """Ask the recorded controller again, and compare the commands; the first difference is told."""
    name = record.row.junction.id
    notes = [note for note in up_to_damage(reader.notes())[0] if note.detail.get("junction") == name]
    shared = next((memory["shared"] for memory in record.memory.values() if "shared" in memory), None)
    driven = shared or next((note.detail for note in notes if note.kind == DRIVEN), None)
    if driven is None or (record.memory and shared is None):
        return Outcome(
            name, 0, "nothing to prove: a controller owned the aspects, the frames are what it was seen to show, and how it was driven is not recorded"
        )
    asked = [(asked_of(note), str(note.detail.get("failed", ""))) for note in notes if note.kind == COMMAND]
    try:
        port = RecordedController(driven, asked)
        for now_ms in _again(record, port, [note for note in notes if note.kind == SEEN], shared):
            port.demand_all(now_ms)
    except DifferenceError as found:
        differs_ms = min(one.now_ms for one in (found.recorded, found.again) if one is not None)
        tick = next((tick for tick, now_ms in record.ticks if now_ms >= differs_ms), 0)
        return Outcome(name, len(record.ticks), _words(port.count), Difference(tick, differs_ms, _text(found, asked[: port.count])))
    except (LookupError, TypeError, ValueError) as error:
        raise JournalError(f"junction {name}: what the journal tells of how the controller was driven is damaged ({error!r})") from error
    return Outcome(name, len(record.ticks), _words(port.count))


def asked_of(note: NoteRow) -> Asked:
    """Return a recorded request."""
    detail: Mapping[str, Any] = note.detail
    return Asked(note.now_ms, note.text, tuple(detail.get("groups", ())), tuple(detail.get("durations_ms", ())))


def _again(record: Record, port: RecordedController, seen: Sequence[NoteRow], shared: Mapping[str, Any] | None) -> Iterator[int]:
    """Yield the time of each tick once it has been done again."""
    heads = ControllerHeads(record.row.junction, cast(GuardedPort, port), cast(ControllerDriver, port), record.row.start_ms)
    junction = with_more_stages(record.row.junction)
    followers = {node.id: heads.follower(junction, node, record.row.start_ms) for node in junction.nodes}
    if shared is not None:
        heads.recall(shared)
        port.lost, port.seen = shared["view"]["lost"] or "", Observation(0, None, shared["view"]["mode"])
        for node, memory in record.memory.items():
            followers[node].recall(memory)
    anew, arriving, news = dict(record.restarts), defaultdict[int, list[PlanRow]](list), {note.now_ms: note.detail for note in seen}
    for plan in record.plans:
        arriving[plan.tick].append(plan)
    for (tick, now_ms), aspects in zip(record.ticks, shown(record.ticks, record.frames), strict=True):
        _see(port, news.get(now_ms), aspects, now_ms)
        if tick in anew:
            for follower in followers.values():
                follower.restart(anew[tick])
        _tick(heads, followers, arriving.pop(tick, ()), now_ms)
        yield now_ms


def _see(port: RecordedController, news: Mapping[str, Any] | None, aspects: Aspects, now_ms: int) -> None:
    """Have the port show what was seen; where nothing was new, how old the status was makes no difference."""
    if news is not None:
        port.lost = str(news.get("lost", ""))
    if not port.lost:
        port.seen = Observation(now_ms if news is None else int(news["at_ms"]), aspects, port.seen.mode if news is None else str(news["mode"]))


def _tick(heads: ControllerHeads, followers: Mapping[str, Follower], plans: Sequence[PlanRow], now_ms: int) -> None:
    """Do one tick as `controller.loop` does it."""
    for follower in followers.values():
        follower.state(now_ms)
    for row in plans:
        try:
            followers[row.node_id].adopt(row.plan)
        except PlanError as error:
            raise ValueError(str(error)) from error
    for follower in followers.values():
        follower.step(now_ms)
    with suppress(PortError):  # the loop begins anew, which is recorded
        heads.drive(now_ms)


def _words(count: int) -> str:
    return f"{count} command{'s' * (count != 1)} to the controller"


def _text(found: DifferenceError, before: Sequence[tuple[Asked, str]]) -> str:
    lines = [f"    both      {asked.text()}" for asked, _ in before[-AROUND:]]
    told = (("recorded", found.recorded), ("again", found.again))
    return "\n".join([*lines, *(f"    {word:<8}  {'nothing' if one is None else one.text()}" for word, one in told)])
