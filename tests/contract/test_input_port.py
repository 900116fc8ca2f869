"""What every input port keeps: order, no event twice, none from the future, presence edges that alternate."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from support_serial import KINDS, MemoryRig, pty_rig
from support_sumo import ENGINES, cross_junction, running

from hardware.fake import FakeInputs
from hardware.ports import InputEvent, InputKind, InputPort, PortError
from hardware.sumo import SumoWorld
from scenarios.controls import loops_of

SECONDS = 120
Advance = Callable[[], int]
Opened = tuple[InputPort, Advance]


@contextmanager
def fake_inputs(folder: Path) -> Iterator[Opened]:
    del folder
    clock = [0]
    port = FakeInputs([InputEvent(t * 700, InputKind.PRESENCE, f"d{t // 2 % 3}", 1 - t % 2) for t in range(150)])

    def advance() -> int:
        clock[0] += 1000
        return clock[0]

    yield port, advance


def sumo_inputs(engine: str) -> Callable[[Path], AbstractContextManager[Opened]]:
    @contextmanager
    def opened(folder: Path) -> Iterator[Opened]:
        with running(engine, folder) as world:
            port = world.inputs(loops_of(cross_junction()))

            def advance() -> int:
                world.step()
                return world.now_ms

            yield port, advance

    return opened


def pty_inputs(kind: str) -> Callable[[Path], AbstractContextManager[Opened]]:
    """Every detector driver on a real pseudo-terminal: each second one loop changes."""

    @contextmanager
    def opened(folder: Path) -> Iterator[Opened]:
        with pty_rig(kind, folder) as rig:
            rig.sweeps(4)
            steps = itertools.count()

            def advance() -> int:
                step = next(steps)
                rig.cover(step // 2 % 3 + 1, step % 2 == 0)
                rig.sweeps()
                return rig.now()

            yield rig.port, advance

    return opened


def memory_inputs(kind: str) -> Callable[[Path], AbstractContextManager[Opened]]:
    """Every detector driver on a wire in memory and an injected clock; there it sweeps when it is polled, so its reader may not be rare."""

    @contextmanager
    def opened(folder: Path) -> Iterator[Opened]:
        del folder
        rig = MemoryRig(kind)
        rig.step()
        rig.step()
        steps = itertools.count()

        def advance() -> int:
            step = next(steps)
            rig.cover(step // 2 % 3 + 1, step % 2 == 0)
            rig.clock.wait_until(rig.clock.now_ms() + 100)
            return rig.clock.now_ms()

        yield rig.port, advance
        rig.port.close()

    return opened


PORTS = [
    pytest.param(fake_inputs, id="fake"),
    *(pytest.param(pty_inputs(kind), id=f"{kind} on a pty") for kind in KINDS),
    *(pytest.param(sumo_inputs(engine), id=engine, marks=pytest.mark.sim) for engine in ENGINES),
]
POLLED = [*PORTS, *(pytest.param(memory_inputs(kind), id=f"{kind} in memory") for kind in KINDS)]


@pytest.fixture(params=POLLED)
def polled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    with request.param(tmp_path) as port:
        yield port


@pytest.fixture(params=PORTS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    with request.param(tmp_path) as port:
        yield port


def collected(opened: Opened, *, every: int = 1) -> list[InputEvent]:
    port, advance = opened
    events: list[InputEvent] = []
    for second in range(SECONDS):
        now_ms = advance()
        if second % every:
            continue
        fresh = list(port.poll(now_ms))
        assert all(event.at_ms <= now_ms for event in fresh)
        assert not port.poll(now_ms), "an event was returned twice"
        assert not events or not fresh or events[-1].at_ms <= fresh[0].at_ms
        events += fresh
    return events


def test_events_are_ordered_and_alternate_per_detector(polled: Opened) -> None:
    events = collected(polled)
    assert len(events) > 50
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)
    states: dict[str, int] = {}
    for event in events:
        assert event.kind is InputKind.PRESENCE
        assert event.value == 1 - states.get(event.source, 0), f"{event} repeats the state"
        states[event.source] = event.value


def test_a_reader_that_polls_rarely_misses_nothing(opened: Opened) -> None:
    port, advance = opened
    for _ in range(SECONDS - 1):
        advance()
    events = list(port.poll(advance()))
    assert len(events) > 50
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)


@pytest.mark.sim
def test_libsumo_and_traci_see_the_same_edges(tmp_path: Path) -> None:
    seen = []
    for engine in ENGINES:
        with sumo_inputs(engine)(tmp_path) as port:
            seen.append(collected(port))
    assert seen[0] == seen[1]
    assert any(event.at_ms % 1000 for event in seen[0]), "times are exact within the step"


@pytest.mark.sim
def test_every_vehicle_gives_one_pair_of_edges_on_a_loop(tmp_path: Path) -> None:
    """The entry loops' rising edges are the vehicles that SUMO counted over the same loops."""
    junction = cross_junction()
    with running("libsumo", tmp_path) as world:
        port = world.inputs(loops_of(junction))
        loop = next(d.id for d in junction.detectors if d.purpose == "entry")
        vehicles: set[str] = set()
        rising = falling = 0
        for _ in range(300):
            world.step()
            vehicles.update(world.api.inductionloop.getLastStepVehicleIDs(loops_of(junction)[loop]))
            for event in port.poll(world.now_ms):
                if event.source == loop:
                    rising += event.value
                    falling += 1 - event.value
    assert len(vehicles) > 5
    assert rising == len(vehicles)
    assert falling in (rising, rising - 1)


@pytest.mark.sim
@pytest.mark.parametrize("engine", ENGINES)
def test_missing_loops_and_a_dead_simulator_are_port_errors(engine: str, tmp_path: Path) -> None:
    with running(engine, tmp_path) as world, pytest.raises(PortError, match="no induction loop 'umlauf:nowhere'"):
        world.inputs({"d": "umlauf:nowhere"})
    with pytest.raises(PortError, match="did not start"):
        SumoWorld.start(["-n", str(tmp_path / "absent.net.xml")], engine)


@pytest.mark.parametrize("kind", KINDS)
def test_every_vehicle_on_a_serial_detector_gives_one_pair_of_edges(kind: str, tmp_path: Path) -> None:
    """Each advance comes or leaves; the port tells all of them, whoever reads."""
    with pty_inputs(kind)(tmp_path) as (port, advance):
        for _ in range(59):
            advance()
        events = port.poll(advance())
    assert [event.source for event in events] == [f"D{vehicle % 3 + 1}" for vehicle in range(30) for _ in range(2)]
    assert [event.value for event in events] == [1, 0] * 30
