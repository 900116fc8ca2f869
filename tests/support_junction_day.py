"""A junction with loops and ten minutes of made-up traffic, run through the whole control into a journal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from controller.assemble import assemble
from controller.journal import Journal
from controller.junction import (
    Detector,
    Direction,
    Exit,
    Group,
    Intergreen,
    Junction,
    Lane,
    Movement,
    Node,
    Programme,
    ProgrammeStep,
    Purpose,
    Stage,
)
from hardware.fake import FakeHeads, FakeInputs
from hardware.ports import InputEvent, InputKind
from hardware.signals import GroupKind

START_MS = 21_600_000  # 06:00
SECONDS = 600
SPEED_M_S = 13.9
REACH_M = 120.0


def junction() -> Junction:
    """Two crossing one-way streets, north with red-amber, and a pedestrian crossing beside the north."""
    vehicle = GroupKind.VEHICLE
    groups = (
        Group("north", vehicle, 6_000, 3_000, red_amber_ms=1_000, links=(0,)),
        Group("east", vehicle, 6_000, 3_000, links=(1,)),
        Group("walk", GroupKind.PEDESTRIAN, 6_000, 0, clearance_ms=5_000, links=(2,)),
    )
    pairs = {("north", "east"): 5_000, ("east", "north"): 6_000, ("walk", "east"): 7_000, ("east", "walk"): 6_000}
    stages = (Stage("north and walk", ("north", "walk")), Stage("east", ("east",)))
    programme = Programme("day", (ProgrammeStep("north and walk", 25_000), ProgrammeStep("east", 18_000)))
    detectors = []
    for lane in ("n", "e"):
        detectors.append(Detector(f"{lane}.stop", Purpose.STOP, (lane,), 1.0))
        detectors.append(Detector(f"{lane}.advance", Purpose.ADVANCE, (lane,), 45.0))
        detectors.append(Detector(f"{lane}.entry", Purpose.ENTRY, (lane,), REACH_M))
    return Junction(
        id="corner",
        groups=groups,
        lanes=(Lane("n", 130.0, SPEED_M_S), Lane("e", 130.0, SPEED_M_S)),
        exits=(Exit("south", 200.0, SPEED_M_S), Exit("west", 200.0, SPEED_M_S)),
        movements=(Movement("n", "south", "north", Direction.STRAIGHT, 1.0), Movement("e", "west", "east", Direction.STRAIGHT, 1.0)),
        permissions=(),
        intergreens=tuple(Intergreen(clearing, entering, ms) for (clearing, entering), ms in pairs.items()),
        detectors=tuple(detectors),
        nodes=(Node("corner", ("north", "east", "walk"), stages, programmes=(programme,)),),
    )


def traffic() -> list[InputEvent]:
    """Return the edges of vehicles that drive through at free speed, whatever the signals show; north comes denser than east."""
    events = []
    for lane, headway_ms, first_ms in (("n", 7_300, 1_100), ("e", 11_900, 3_700)):
        for begin_ms in range(START_MS + first_ms, START_MS + SECONDS * 1_000, headway_ms):
            for place, distance_m in (("entry", REACH_M), ("advance", 45.0), ("stop", 1.0)):
                at_ms = begin_ms + round(1_000 * (REACH_M - distance_m) / SPEED_M_S)
                events.append(InputEvent(at_ms, InputKind.PRESENCE, f"{lane}.{place}", 1))
                events.append(InputEvent(at_ms + 480, InputKind.PRESENCE, f"{lane}.{place}", 0))
    events.append(InputEvent(START_MS + 200_000, InputKind.DETECTOR_FAULT, "e.advance", 1))
    events.append(InputEvent(START_MS + 400_000, InputKind.DETECTOR_FAULT, "e.advance", 0))
    return sorted(events)


def apart() -> Junction:
    """Return the junction with its streets so far apart that both may be green together, which its programme never shows."""
    one = junction()
    streets = {("north", "east"), ("east", "north")}
    kept = tuple(i for i in one.intergreens if (i.clearing, i.entering) not in streets)
    return replace(one, intergreens=kept, nodes=(replace(one.nodes[0], free_stages=True),))


def record_day(path: Path, control: str, model: Junction | None = None) -> None:
    """Run the control of the model, `junction()` where None, over the traffic and journal it at ``path``."""
    model = model or junction()
    path.parent.mkdir(parents=True, exist_ok=True)
    with Journal.create(path, {"scenario": "corner"}) as journal:
        heads = FakeHeads(model.site_spec())
        driver = assemble(model, control, FakeInputs(traffic()), heads, journal, start_ms=START_MS)
        for second in range(SECONDS):
            driver.tick(START_MS + second * 1_000)
