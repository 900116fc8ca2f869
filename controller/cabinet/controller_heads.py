"""Drive a controller that owns its aspects as if it were signal heads: the junction's loop shows, and the controller is asked to go on.

`follow` puts the parts together. `ControllerHeads` takes the place of the interlock's heads in the loop and the guard: its ``show`` does not
look at the frame, which only says what was observed, but at what the followers' plans want, and asks for what is not in force yet. Each
request goes through the last gate, `ControllerInterlock`; order and limits here are such that it has nothing to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from controller.build import SequencerFactory
from controller.cabinet.controller_view import ControllerView
from controller.cabinet.follower import Follower
from controller.cabinet.wishes import PhaseControl, PhaseWishes, Splits, calls
from controller.journal_rows import JournalRows
from controller.journal_schema import COMMAND, DRIVEN, SEEN
from controller.junction import Junction, Node
from hardware.interlock import Phase
from hardware.ports import (
    Actuation,
    CommandKind,
    ControllerAlarm,
    ControllerCommand,
    ControllerDriver,
    ControllerPort,
    FrameRefusedError,
    Observation,
    PortError,
)
from hardware.registry import open_controller
from hardware.signals import Aspect, Frame

LEAST_INTERVAL_MS: Final = 30_000  # between two sets of splits, and never less than the cycle that they make
NOTHING: Final = frozenset[str]()


class GuardedPort(ControllerPort, Protocol):
    """The last gate, or in a replay what stands for it: a controller's port that counts what it has refused."""

    refusals: int


class AlarmTeller:
    """Tells each alarm of a controller's driver when it begins and when it is over. Call it after each tick. ``audit`` is told the suspicious ones."""

    def __init__(self, driver: ControllerDriver, tell: Callable[[str, str], object], audit: Callable[[str], object] = str) -> None:
        self._driver, self._tell, self._audit = driver, tell, audit
        self._standing: dict[str, ControllerAlarm] = {}

    def __call__(self, now_ms: int) -> None:
        """Compare with the tick before."""
        del now_ms
        standing = {alarm.name: alarm for alarm in self._driver.alarms()}
        for name, alarm in standing.items():
            if name not in self._standing:
                self._tell("controller", f"{name}: {alarm.text}")
                if alarm.suspicious:
                    self._audit(f"{name}: {alarm.text}")
        for name in self._standing:
            if name not in standing:
                self._tell("controller", f"{name}: over")
        self._standing = standing


class ControllerHeads:
    """Signal heads, as far as the loop and the guard can tell. `follower` makes what stands in each node's sequencer's place.

    ``journal``: where each request is recorded, with what kept it from going out.
    """

    def __init__(self, junction: Junction, port: GuardedPort, driver: ControllerDriver, now_ms: int, journal: JournalRows | None = None) -> None:
        self._junction, self._port, self._driver, self._journal = junction, port, driver, journal
        self._view = ControllerView(tuple(g.id for g in junction.groups), port, now_ms, None if journal is None else self._note_seen)
        self._followers: list[Follower] = []
        self._phase_control = PhaseControl(junction, self._view, driver.drivable)
        self._splits = Splits(junction)
        self._sent: dict[CommandKind, frozenset[str]] = {}
        self._splits_ms: dict[str, int] = {}
        self._splits_due_ms = now_ms
        self._let_go_by: CommandKind | None = None
        if journal is not None:
            journal.note(now_ms, DRIVEN, f"{junction.id}: driven by {driver.actuation}", {"junction": junction.id, **self._driven()})

    def _driven(self) -> dict[str, object]:
        return {"actuation": str(self._driver.actuation), "drivable": sorted(self._driver.drivable)}

    def _note_seen(self, now_ms: int, detail: Mapping[str, object]) -> None:
        if self._journal is not None:
            self._journal.note(now_ms, SEEN, "", {"junction": self._junction.id, **detail})

    def memory(self) -> dict[str, object]:
        """Return all that it remembers of all nodes together, as JSON data, and how the controller is driven."""
        return self._driven() | {
            "view": self._view.memory(),
            "sent": {str(kind): sorted(groups) for kind, groups in self._sent.items()},
            "let_go_by": self._let_go_by,
            "splits_ms": self._splits_ms,
            "splits_due_ms": self._splits_due_ms,
            "shared_ms": {node: list(greens.items()) for node, greens in self._splits.shared_ms.items()},
            "hold": self._phase_control.hold.memory(),
            "omit": self._phase_control.omit.memory(),
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned. Raises `LookupError`, `TypeError` or `ValueError` where it is none."""
        self._view.recall(memory["view"])
        self._sent = {CommandKind(kind): frozenset(groups) for kind, groups in memory["sent"].items()}
        self._let_go_by = None if memory["let_go_by"] is None else CommandKind(memory["let_go_by"])
        self._splits_ms, self._splits_due_ms = dict(memory["splits_ms"]), int(memory["splits_due_ms"])
        self._splits.shared_ms = {node: dict(map(tuple, greens)) for node, greens in memory["shared_ms"].items()}
        self._phase_control.hold.recall(memory["hold"])
        self._phase_control.omit.recall(memory["omit"])

    def follower(self, junction: Junction, node: Node, start_ms: int) -> Follower:
        """Return what follows one node; a `SequencerFactory`."""
        del start_ms
        follower = Follower(junction, node, self._view, self.memory)
        self._followers.append(follower)
        return follower

    @property
    def refusals(self) -> int:
        """Return how many requests the last gate has refused."""
        return self._port.refusals

    @property
    def phase(self) -> Phase:
        """Return that the last gate before a controller never latches: it refuses one request at a time."""
        return Phase.RUN

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        """Return what was seen last."""
        return tuple(self._view.aspects.values())

    def numbers(self) -> Mapping[str, float]:
        """Return what the driver counts, by metric name."""
        return self._driver.numbers()

    def ready(self, now_ms: int) -> bool:
        """Tell that the controller may be released at any time: it goes over to its own plan by its own rules."""
        del now_ms
        return True

    def resume(self, now_ms: int) -> None:
        """Do nothing: there is no latch to leave."""

    def stop(self, now_ms: int) -> bool:
        """Release the controller. Raises `PortError` where it does not answer."""
        self._let_go(CommandKind.RELEASE, now_ms)
        return True

    def observe(self, now_ms: int) -> Observation:
        """Return what the controller shows. Raises `PortError` where it does not answer."""
        return self._port.observe(now_ms)

    def show(self, frame: Frame, now_ms: int) -> None:
        """Ask for what the plans want. Raises `PortError` where the controller does not answer."""
        del frame
        self.drive(now_ms)

    def drive(self, now_ms: int) -> None:
        """Ask for what the plans want and is not in force yet. Raises as `show` does.

        While it does not let itself be driven (pre-emption, operation by hand, a fault) nothing is asked, and its driver has taken all back.
        """
        self._view.look(now_ms)
        if self._view.lost is not None:
            raise self._view.lost
        if not self._view.driven:
            self._forget()
            return
        if all(f.off for f in self._followers):
            self._let_go(CommandKind.FLASH if all(f.flashes for f in self._followers) else CommandKind.RELEASE, now_ms)
        elif self._let_go_by is CommandKind.FLASH:
            self._let_go(CommandKind.RELEASE, now_ms)
        elif self._driver.actuation is Actuation.SPLITS:
            self._show_splits(now_ms)
        elif self._driver.actuation is Actuation.CALLS:
            self._put(CommandKind.CALL, calls(self._followers, self._driver.drivable), now_ms)
        else:
            self._show_phases(self._phase_control.wishes(self._followers, now_ms), now_ms)

    def _show_phases(self, wishes: PhaseWishes, now_ms: int) -> None:
        """Put the sets in force: force-offs that are over first, so that these groups may be held again, new force-offs when nothing holds them."""
        forced = self._sent.get(CommandKind.FORCE_OFF, NOTHING)
        if forced - wishes.force_off:
            self._put(CommandKind.FORCE_OFF, forced & wishes.force_off, now_ms)
        self._put(CommandKind.HOLD, wishes.hold, now_ms)
        self._put(CommandKind.OMIT, wishes.omit, now_ms)
        self._put(CommandKind.CALL, wishes.call, now_ms)
        self._put(CommandKind.FORCE_OFF, wishes.force_off, now_ms)

    def _put(self, kind: CommandKind, groups: frozenset[str], now_ms: int) -> None:
        """Ask for one kind's whole set where it changes; the driver keeps it in force."""
        if self._sent.get(kind, NOTHING) != groups:
            self._ask(ControllerCommand(now_ms, kind, tuple(g.id for g in self._junction.groups if g.id in groups)), now_ms)
            self._sent[kind], self._let_go_by = groups, None

    def _show_splits(self, now_ms: int) -> None:
        """Hand over new splits at most once a cycle. A plan that shares out no cycle gives the controller back to itself."""
        wanted: dict[str, int] = {}
        for follower in self._followers:
            durations = self._splits.durations_ms(follower)
            if durations is None:
                if follower.plan is not None:
                    self._let_go(CommandKind.RELEASE, now_ms)
                return
            wanted |= durations
        if wanted == self._splits_ms or now_ms < self._splits_due_ms:
            return
        ids = tuple(g.id for g in self._junction.groups)
        self._ask(ControllerCommand(now_ms, CommandKind.SPLITS, ids, tuple(wanted[g] for g in ids)), now_ms)
        self._splits_ms, self._let_go_by = wanted, None
        self._splits_due_ms = now_ms + max(LEAST_INTERVAL_MS, self._splits.cycle_ms(self._followers))

    def _let_go(self, kind: CommandKind, now_ms: int) -> None:
        """Let the controller run its own plan, or flash, which only a release ends."""
        if self._let_go_by is not kind:
            self._ask(ControllerCommand(now_ms, kind), now_ms)
            self._forget()
            self._let_go_by = kind

    def _ask(self, command: ControllerCommand, now_ms: int) -> None:
        """Hand a command over by way of the last gate. Raises what this or the driver raises."""
        failed = ""
        try:
            self._port.request(command, now_ms)
        except (PortError, FrameRefusedError) as error:
            failed = str(error)
            raise
        finally:
            if self._journal is not None:
                more = {"groups": command.groups, "durations_ms": command.durations_ms, "failed": failed}
                self._journal.note(now_ms, COMMAND, str(command.kind), {"junction": self._junction.id, **{name: told for name, told in more.items() if told}})

    def _forget(self) -> None:
        """Note that nothing of ours is in force any more."""
        self._sent, self._splits_ms, self._let_go_by = {}, {}, None


def follow(junction: Junction, driver: ControllerDriver, now_ms: int, journal: JournalRows | None = None) -> tuple[ControllerHeads, SequencerFactory]:
    """Return heads behind the last gate for a controller's driver, and what makes the followers of its nodes; requests go to the ``journal``."""
    port = open_controller(junction.site_spec(), driver, now_ms=now_ms, stale_ms=driver.status_age_ms)
    heads = ControllerHeads(junction, port, driver, now_ms, journal)
    return heads, heads.follower
