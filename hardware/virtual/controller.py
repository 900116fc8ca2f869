"""A virtual actuated controller that speaks in NTCIP 1202 objects, owns its lamps and obeys its own minimums, whatever it is asked.

Theory of operation. Every `advance` lets time pass in steps of a tenth of a second: the unit's state, then the rings.

    FLASH      flashing amber, at power-up for startup flash; on command, after all greens have ended properly
    ALL_RED    after flashing, for the start-up clearance
    RUN        the rings run: by pattern or free, under the system's holds, force-offs, omits and calls
    TO_FLASH   a flash was commanded: greens end as soon as they may
    FAULT      the conflict monitor has taken the lamps away: they flash at once, until it is reset

The deadman: each SET of a system control parameter restarts unitBackupTime; when it runs out, all of them are zeroed and the local plan
runs again (backup mode). Behind `get`, `get_next` and `set` stands `snmp_agent`, or a transport in the same process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from hardware.ntcip.objects import ObjectSpec, ObjectTable, Oid, Value
from hardware.ntcip.transport import ErrorStatus, ObjectError, Pair
from hardware.signals import Aspect
from hardware.virtual.controller_objects import DONE, FLASH, FREE, MASKS, STANDBY, VERIFY, build_store, mask_of, numbers_in, pattern_of, phase_of, phases_in
from hardware.virtual.coordinator import FreeStatus, Pattern, SplitMode
from hardware.virtual.rings import NONE, Orders, Phases, Rings, Walk, never_due
from hardware.virtual.setup import ControllerSetup
from hardware.virtual.store import Index

STEP_MS: Final = 100
IN_TRANSACTION: Final = 2
TRANSACTION: Final = {1: (1, 2), 2: (1, 3), 6: (1, 6)}  # dbCreateTransaction (NTCIP 1201): what may be set after what


class Unit(StrEnum):
    """The unit's state (see the module's theory of operation)."""

    FLASH = "flash"
    ALL_RED = "all red"
    RUN = "run"
    TO_FLASH = "to flash"
    FAULT = "fault"


class VirtualController:
    """One controller. `detect` and `push_button` are its inputs, `lamps` its outputs, `get`, `get_next` and `set` its objects."""

    def __init__(self, setup: ControllerSetup, *, now_ms: int = 0, table: ObjectTable | None = None, warm: bool = False) -> None:
        """Power up at ``now_ms``, or with ``warm`` as if that were long ago."""
        self.setup = setup
        self._store = build_store(setup, table or ObjectTable(), self)
        self._occupied: frozenset[int] = frozenset()  # detectors with a vehicle
        self._told: frozenset[int] = frozenset()  # detectors that the system says have one
        self._latched: Phases = NONE  # phases with a call that waits
        self._walk_latched: Phases = NONE
        self._walking_phases = frozenset(p.phase for p in setup.phases if p.walk_s)
        self._pattern: Pattern | None = None
        self.free_status = FreeStatus.COMMANDED
        self.backup = False
        self._system_ms: int | None = None
        self._aside: list[tuple[str, Index, Value]] = []  # what was set within a transaction
        self._masks: dict[str, Phases] = {}
        self.preempted = 0
        self.power_up(now_ms)
        if warm:
            self._unit, self._unit_ms = Unit.RUN, now_ms

    def power_up(self, now_ms: int) -> None:
        """Start anew, as after a power failure or a reboot: sysUpTime begins again, system control is forgotten, the signals flash first."""
        self.booted_ms = self.now_ms = now_ms
        self._rings = Rings(self.setup, now_ms)
        self._unit, self._unit_ms = Unit.FLASH, now_ms
        self._zero_system()
        self.backup = False
        self._apply()

    def fail(self, now_ms: int) -> None:
        """Let the conflict monitor take the lamps away."""
        self._enter(Unit.FAULT, now_ms)

    def reset(self, now_ms: int) -> None:
        """Reset the conflict monitor by hand; the signals start anew."""
        if self._unit is Unit.FAULT:
            self._rings = Rings(self.setup, now_ms)
            self._enter(Unit.FLASH, now_ms)

    def detect(self, detector: int, present: bool) -> None:
        """Tell that a detector, numbered from 1, is occupied or free."""
        self._occupied = self._occupied | {detector} if present else self._occupied - {detector}
        self._look()

    def push_button(self, phase: int) -> None:
        """Call a phase's pedestrians."""
        self._walk_latched |= {phase} & self._walking_phases

    def preempt(self, number: int) -> None:
        """Begin a preempt from the cabinet's own input; 0 ends it."""
        self.preempted = number

    @property
    def unit(self) -> Unit:
        """Return the unit's state."""
        return self._unit

    @property
    def pattern(self) -> Pattern | None:
        """Return the pattern in effect, None while it runs free."""
        return self._pattern

    @property
    def rings(self) -> Rings:
        """Return the rings."""
        return self._rings

    def lamps(self) -> Mapping[str, Aspect]:
        """Return what each signal group shows."""
        if self._unit in (Unit.FLASH, Unit.FAULT):
            return {g: Aspect.DARK if h.walks else Aspect.FLASHING_AMBER for g, h in self.setup.heads.items()}
        green, yellow, walking = self._rings.green, self._rings.yellow, self._rings.walking
        lamps = {}
        for group, head in self.setup.heads.items():
            if head.walks:
                lamps[group] = Aspect.GREEN if walking.get(head.phase) is Walk.WALK else Aspect.RED
            else:
                lamps[group] = Aspect.GREEN if head.phase in green else Aspect.AMBER if head.phase in yellow else Aspect.RED
        return lamps

    def get(self, oid: Oid) -> Value:
        """Return one object's value. Raises `ObjectError` noSuchName."""
        return self._store.get(oid)

    def get_next(self, oid: Oid) -> tuple[Oid, Value] | None:
        """Return the first object behind ``oid`` with its value, None at the end."""
        return self._store.get_next(oid)

    def set(self, pairs: Sequence[Pair]) -> None:
        """Write all pairs or none. Raises `ObjectError` naming the object at fault."""
        found = self._store.check(pairs)
        state = self._transaction(found)
        for spec, index, value in found:
            if spec.name != "dbCreateTransaction":
                aside = state == IN_TRANSACTION and not spec.system
                self._aside.append((spec.name, index, value)) if aside else self._store.put(spec.name, index, value)
        if state in (VERIFY, DONE):
            for name, index, value in self._aside:
                self._store.put(name, index, value)
            state = DONE  # verifying takes no time here
        if state != IN_TRANSACTION:
            self._aside.clear()
        self._store.put("dbCreateTransaction", (), state)
        if any(spec.system for spec, _, _ in found):
            self._system_ms, self.backup = self.now_ms, False
        self._apply()

    def _transaction(self, found: Sequence[tuple[ObjectSpec, Index, Value]]) -> int:
        """Return the state of NTCIP 1201's database transaction after a SET. Raises `ObjectError` where that may not follow."""
        state = self._store.value("dbCreateTransaction")
        for spec, _, value in found:
            if spec.name == "dbCreateTransaction":
                if value not in TRANSACTION[state]:
                    raise ObjectError(ErrorStatus.GEN_ERR, self._store.table.oid(spec.name))
                state = int(value) if isinstance(value, int) else state
        return state

    def advance(self, now_ms: int) -> None:
        """Let time pass until ``now_ms`` in steps of a tenth of a second; earlier times are ignored."""
        while self.now_ms + STEP_MS <= now_ms:
            self.now_ms += STEP_MS
            self._step()

    def _enter(self, unit: Unit, now_ms: int) -> None:
        self._unit, self._unit_ms = unit, now_ms

    def _step(self) -> None:
        now_ms, age_ms = self.now_ms, self.now_ms - self._unit_ms
        self._deadman()
        flash = self._wanted == FLASH
        match self._unit:
            case Unit.FLASH if not flash and age_ms >= 1000 * self.setup.startup_flash_s:
                self._rings = Rings(self.setup, now_ms)
                self._enter(Unit.ALL_RED, now_ms)
            case Unit.ALL_RED if age_ms >= 1000 * self.setup.all_red_s:
                self._enter(Unit.RUN, now_ms)
            case Unit.RUN if flash:
                self._enter(Unit.TO_FLASH, now_ms)
            case Unit.TO_FLASH if self._rings.at_rest:
                self._enter(Unit.FLASH if flash else Unit.ALL_RED, now_ms)
        if self._unit in (Unit.RUN, Unit.TO_FLASH):
            before = self._rings.green
            self._rings.step(now_ms, self._orders())
            self._after(before)

    def _deadman(self) -> None:
        if self.system_control and self._backup_ms and self._system_ms is not None and self.now_ms - self._system_ms >= self._backup_ms:
            self._zero_system()
            self.backup = True
            self._apply()

    def _zero_system(self) -> None:
        for spec in self._store.table:
            if spec.system:
                for index in self._store.indices(spec.name):
                    self._store.put(spec.name, index, 0)

    def _apply(self) -> None:
        """Work out from the objects what is to be done, once per change."""
        store = self._store
        for phase in self.setup.phases:
            self._rings.replace_phase(phase_of(store, phase))
        self.system_control = any(store.value(s.name, *i) for s in store.table if s.system for i in store.indices(s.name))
        self._backup_ms = 1000 * store.value("unitBackupTime")
        self._wanted = store.value("systemPatternControl")
        number = self.setup.local_pattern if self._wanted in (STANDBY, FLASH) else self._wanted
        self._pattern, self.free_status = None, FreeStatus.COMMANDED
        if number != FREE:
            pattern = pattern_of(store, self.setup, number)
            fault = FreeStatus.BAD_PLAN if pattern is None else pattern.fault(self.setup, self._rings.phases)
            self._pattern, self.free_status = (pattern, FreeStatus.NOT_FREE) if fault is None else (None, fault)
        self._masks = {name: phases_in(store, f"phaseControlGroup{name}") for name in MASKS}
        self._recalls = self._recall(walks=False), self._recall(walks=True)
        told = "vehicleDetectorControlGroupActuation"
        self._told = numbers_in((group, store.value(told, group)) for (group,) in store.indices(told))
        self._preempt_asked = next((n for (n,) in store.indices("preemptControlState") if store.value("preemptControlState", n)), 0)
        pushed = "pedestrianDetectorControlGroupActuation"
        self._walk_latched |= numbers_in((group, store.value(pushed, group)) for (group,) in store.indices(pushed)) & self._walking_phases
        self._look()

    def _look(self) -> None:
        """Work out on which phases' detectors vehicles are."""
        detectors = self.setup.detectors
        self._present = frozenset(detectors[d - 1] for d in self._occupied | self._told if d <= len(detectors)) | self._masks["VehCall"]

    @property
    def occupied(self) -> frozenset[int]:
        """Return the detectors that are occupied, or are said to be by the system."""
        return self._occupied | self._told

    @property
    def driven(self) -> bool:
        """Tell whether a system has something in force: control of the unit's, or detectors of which it says that they are occupied."""
        return self.system_control or bool(self._told)

    def waiting(self) -> tuple[Phases, Phases]:
        """Return the phases that vehicles and pedestrians call."""
        return self._latched | self._masks["VehCall"] | self._recalls[0], self._walk_latched | self._masks["PedCall"] | self._recalls[1]

    def _recall(self, *, walks: bool) -> Phases:
        if self._pattern is None:
            return NONE if walks else frozenset(self.setup.startup_phases)
        modes: tuple[SplitMode, ...] = (SplitMode.PEDESTRIAN_RECALL, SplitMode.MAXIMUM_AND_PEDESTRIAN_RECALL)
        if not walks:
            modes = (SplitMode.MINIMUM_RECALL, SplitMode.MAXIMUM_RECALL, SplitMode.MAXIMUM_AND_PEDESTRIAN_RECALL)
        return frozenset(p for p, s in self._pattern.splits.items() if s.mode in modes or (s.coordinated and not walks))

    def _orders(self) -> Orders:
        calls, walks = self.waiting()
        dwell = frozenset(self.setup.preempts.get(self._preempt(), ()))
        everything = frozenset(p.phase for p in self.setup.phases)
        if dwell:
            return Orders(force_off=everything - dwell, omit=everything - dwell, walk_omit=everything, calls=dwell, lasting=dwell)
        pattern = self._pattern
        lasting, omit, due = NONE, self._masks["PhaseOmit"], never_due
        if pattern is not None:
            maximum = (SplitMode.MAXIMUM_RECALL, SplitMode.MAXIMUM_AND_PEDESTRIAN_RECALL)
            lasting = frozenset(p for p, s in pattern.splits.items() if s.coordinated or s.mode in maximum)
            omit |= frozenset(p for p, s in pattern.splits.items() if s.mode is SplitMode.OMITTED)
            due = self._due_ms
        return Orders(
            hold=self._masks["Hold"],
            force_off=self._masks["ForceOff"],
            omit=omit,
            walk_omit=self._masks["PedOmit"],
            calls=calls,
            walk_calls=walks,
            present=self._present,
            lasting=lasting,
            due_ms=due,
            rest=self._unit is Unit.TO_FLASH,
        )

    def _preempt(self) -> int:
        return self.preempted or self._preempt_asked

    @property
    def in_preempt(self) -> bool:
        """Tell whether a preempt runs."""
        return self._preempt() in self.setup.preempts

    def _due_ms(self, phase: int, begun_ms: int) -> int | None:
        assert self._pattern is not None
        one = self._rings.phases[phase]
        ring = [p for side in self.setup.sides for p in self.setup.ring(one.ring, side)]
        return self._pattern.due_ms(one, ring, begun_ms)

    def _after(self, before: Phases) -> None:
        """Keep calls in mind, forget those that were served, and the force-offs of greens that have ended."""
        green = self._rings.green
        self._latched = (self._latched | (self._present - green)) - (green - before)
        self._walk_latched -= {p for p, walk in self._rings.walking.items() if walk is Walk.WALK}
        served = self._masks["ForceOff"] & (before - green)
        if served:
            for (group,) in self._store.indices("phaseControlGroupForceOff"):
                self._store.put("phaseControlGroupForceOff", (group,), mask_of(self._masks["ForceOff"] - served, group))
            self._apply()
