"""A controller that is nothing but a table of objects: it answers what the test puts there, and refuses what a real agent refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hardware.ntcip.access import Community
from hardware.ntcip.driver import NtcipDriver
from hardware.ntcip.objects import ObjectTable, Oid, Value
from hardware.ntcip.options import NtcipOptions
from hardware.ntcip.quirks import Quirks
from hardware.ntcip.snmp import SnmpTransport
from hardware.ntcip.transport import ErrorStatus, InProcess, ObjectError, Pair, Transport
from hardware.ports import Actuation, CommandKind, ControllerCommand
from hardware.signals import Aspect, GroupKind, GroupSpec, SiteSpec
from hardware.virtual.snmp_agent import SnmpAgent, Tree

TABLE = ObjectTable()
LAMPS = ("Reds", "Yellows", "Greens", "DontWalks", "PedClears", "Walks")
RED, AMBER, GREEN = Aspect.RED, Aspect.AMBER, Aspect.GREEN


def spec_of_two_rings() -> SiteSpec:
    """Vehicles on phases 2, 4, 6 and 8 of a dual ring, and a walk beside phase 2."""
    vehicle = GroupKind.VEHICLE
    groups = (*(GroupSpec(f"V{p}", vehicle, 5_000, 3_000) for p in (2, 4, 6, 8)), GroupSpec("P2", GroupKind.PEDESTRIAN, 5_000, 0))
    sides = (("V2", "V6", "P2"), ("V4", "V8"))
    pairs = {(a, b): 5_000 for x, y in (sides, sides[::-1]) for a in x for b in y}
    return SiteSpec("two", groups, pairs)


PHASES = {"V2": "phase 2", "V4": "phase 4", "V6": "phase 6", "V8": "phase 8", "P2": "ped 2"}
HOLD, FORCE, OMIT, CALL = CommandKind.HOLD, CommandKind.FORCE_OFF, CommandKind.OMIT, CommandKind.CALL
GROUPS = tuple(PHASES)
DURATIONS_MS = (30_000, 20_000, 30_000, 20_000, 30_000)
DETECTORS: Mapping[str, tuple[str, ...]] = {"V4": ("detector 33", "detector 34"), "P2": ("ped detector 2",)}  # for actuation `calls`
CONTROLS = ("PhaseOmit", "PedOmit", "Hold", "ForceOff", "VehCall", "PedCall")


def options(**more: Any) -> NtcipOptions:
    return NtcipOptions(**{"host": "127.0.0.1", "community_secret_file": "none", "phases": PHASES, "patterns": (47, 48), "splits": (47, 48), **more})


class TableAgent:
    """Values by OID. ``lost`` requests from now on are not answered; ``history`` holds every SET that was done."""

    def __init__(self, *, backup_s: int = 30, absent: Sequence[str] = (), **values: int) -> None:
        self.values: dict[Oid, Value] = {}
        self.history: list[list[tuple[str, Value]]] = []
        self.refuse: dict[str, ErrorStatus] = {}
        self.put("sysUpTime", 0)
        for name, value in {"unitBackupTime": backup_s, "maxPhases": 8, "unitControlStatus": 3, "unitFlashStatus": 2, **values}.items():
            self.put(name, value)
        for name in ("shortAlarmStatus", "unitAlarmStatus2", "coordPatternStatus", "systemPatternControl"):
            if name not in values:
                self.put(name, 0)
        for name in LAMPS:
            self.put(f"phaseStatusGroup{name}", 0, 1)
        for name in ("PhaseOmit", "PedOmit", "Hold", "ForceOff", "VehCall", "PedCall"):
            self.put(f"phaseControlGroup{name}", 0, 1)
        for p in range(1, 9):
            self.phase(p, p in (2, 4, 6, 8))
        self.put("sequenceData", bytes((1, 2, 3, 4)), 1, 1)
        self.put("sequenceData", bytes((5, 6, 7, 8)), 1, 2)
        for n in range(40, 50):
            for name in ("patternCycleTime", "patternOffsetTime", "patternSplitNumber", "patternSequenceNumber"):
                self.put(name, 0, n)
            for p in range(1, 9):
                self.put("splitTime", 0, n, p)
                self.put("splitMode", 2, n, p)
                self.put("splitCoordPhase", 0, n, p)
        self.all_red()
        for name in absent:
            spec = TABLE.spec(name)
            self.values = {oid: value for oid, value in self.values.items() if oid[: len(spec.oid)] != spec.oid}

    def phase(self, p: int, enabled: bool, **columns: int) -> None:
        """Set one row of the phase table."""
        partner = {2: (5, 6), 6: (1, 2), 4: (7, 8), 8: (3, 4), 1: (5, 6), 5: (1, 2), 3: (7, 8), 7: (3, 4)}[p]
        row = {"Walk": 5, "PedestrianClear": 2, "MinimumGreen": 5, "Passage": 20, "Maximum1": 40, "YellowChange": 30, "RedClear": 20}
        for name, value in {**row, "Ring": 1 if p < 5 else 2, "Options": int(enabled), **columns}.items():
            self.put(f"phase{name}", value, p)
        self.put("phaseConcurrency", bytes(partner), p)

    def put(self, name: str, value: Value, *index: int) -> None:
        """Set a value behind everybody's back."""
        self.values[TABLE.oid(name, *index)] = value

    def value(self, name: str, *index: int) -> Value:
        """Return a value."""
        return self.values[TABLE.oid(name, *index)]

    def all_red(self) -> None:
        """Show red everywhere."""
        self.show({})

    def show(self, aspects: dict[int, Aspect], walks: Sequence[int] = (), clearing: Sequence[int] = ()) -> None:
        """Light the phases' lamps; those that are not named are red."""
        lit = {p: aspects.get(p, RED) for p in range(1, 9)}
        for name, aspect in (("Reds", RED), ("Yellows", AMBER), ("Greens", GREEN)):
            self.put(f"phaseStatusGroup{name}", sum(1 << p - 1 for p, a in lit.items() if a is aspect), 1)
        self.put("phaseStatusGroupWalks", sum(1 << p - 1 for p in walks), 1)
        self.put("phaseStatusGroupPedClears", sum(1 << p - 1 for p in clearing), 1)

    def get(self, oid: Oid) -> Value:
        if oid not in self.values:
            raise ObjectError(ErrorStatus.NO_SUCH_NAME, oid)
        return self.values[oid]

    def get_next(self, oid: Oid) -> tuple[Oid, Value] | None:
        return min(((o, v) for o, v in self.values.items() if o > oid), default=None)

    def set(self, pairs: Sequence[Pair]) -> None:
        for oid, value in pairs:
            found = TABLE.find(oid)
            if oid not in self.values or found is None or not found[0].writable:
                raise ObjectError(ErrorStatus.NO_SUCH_NAME, oid)
            if found[0].name in self.refuse:
                raise ObjectError(self.refuse[found[0].name], oid)
            if not found[0].octets and not (isinstance(value, int) and found[0].low <= value <= found[0].high):
                raise ObjectError(ErrorStatus.BAD_VALUE, oid)
        self.values |= dict(pairs)
        self.history.append([(TABLE.name(oid), value) for oid, value in pairs])

    def written(self, name: str) -> list[Value]:
        """Return everything that was written to one object, in order."""
        return [value for pairs in self.history for there, value in pairs if there == name]


class Bench:
    """The driver on a table agent, in one thread, on a clock that the test moves."""

    def __init__(self, agent: TableAgent | None = None, *, spec: SiteSpec | None = None, now_ms: int = 0, most: int = 40, **more: Any) -> None:
        self.now_ms = now_ms
        self.agent = agent or TableAgent()
        self.transport = InProcess(self.agent, most_per_request=most)
        self.driver = NtcipDriver(spec or spec_of_two_rings(), options(**more), lambda: self.now_ms, self.transport, threaded=False)

    def run(self, for_ms: int, step_ms: int = 100, each: Callable[[int], None] = lambda now_ms: None) -> None:
        """Let time pass; the controller's clock goes on with it."""
        for _ in range(for_ms // step_ms):
            self.now_ms += step_ms
            self.agent.put("sysUpTime", self.now_ms // 10)
            each(self.now_ms)
            self.driver._step()

    def ask(self, kind: Any, *groups: str, value: int = 0, durations_ms: tuple[int, ...] = ()) -> None:
        self.driver.request(ControllerCommand(self.now_ms, kind, groups, durations_ms, value), self.now_ms)

    def alarms(self) -> list[str]:
        return sorted(alarm.name for alarm in self.driver.alarms())


class OverSnmp(SnmpTransport):
    """The way over UDP to an agent of its own before any tree."""

    def __init__(self, tree: Tree, quirks: Quirks | None = None, **more: Any) -> None:
        self.agent = SnmpAgent(tree, community="secret")
        super().__init__("127.0.0.1", Community("secret"), replace(quirks or Quirks(objects_per_request=40), port=self.agent.port), **more)

    def close(self) -> None:
        super().close()
        self.agent.close()


def driver_of_four(spec: SiteSpec, actuation: Actuation, transport: Callable[[TableAgent], Transport] = InProcess) -> NtcipDriver:
    """Return a driver of the safety tests' four groups on a table agent, in one thread, at time 0."""
    agent = TableAgent()
    for p in (2, 4):
        agent.phase(p, True, MinimumGreen=2, Walk=2, PedestrianClear=2, YellowChange=20, RedClear=10)
    for p in (6, 8):
        agent.phase(p, False)
    phases = {"A": "phase 2", "P": "ped 2", "B": "phase 4", "Q": "ped 4"}
    return NtcipDriver(spec, options(phases=phases, actuation=actuation), lambda: 0, transport(agent), threaded=False)


def phase_control(**more: Any) -> Bench:
    return Bench(actuation=Actuation.PHASE_CONTROL, **more)
