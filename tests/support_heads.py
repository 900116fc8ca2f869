"""Every backend of the head port, ready for the one contract suite. A new backend adds one function and one row to `BACKENDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support_safety_junctions import spec_of_four
from support_sumo import cross_junction, heads_of, running

from hardware.dry_heads import DryHeads
from hardware.fake import FakeHeads
from hardware.ports import HeadPort
from hardware.signals import Aspect, Frame, SiteSpec
from hardware.virtual.heads import VirtualHeads


@dataclass
class Bench:
    """Raw heads on a bench: ``step`` lets the device's world go on and returns the time."""

    spec: SiteSpec
    heads: HeadPort
    step: Callable[[], int]
    reads_back: bool = True


@contextmanager
def fake(_: Path, *, blind: bool = False) -> Iterator[Bench]:
    clock = iter(range(0, 10**9, 1000))
    spec = spec_of_four()
    yield Bench(spec, FakeHeads(spec, blind=blind), lambda: next(clock), reads_back=not blind)


@contextmanager
def blind(folder: Path) -> Iterator[Bench]:
    with fake(folder, blind=True) as bench:
        yield bench


@contextmanager
def virtual(_: Path) -> Iterator[Bench]:
    clock = iter(range(0, 10**9, 1000))
    spec = spec_of_four()
    heads = VirtualHeads(spec, watchdog_ms=2_000)
    heads.show(Frame(0, (Aspect.RED,) * len(spec.groups)), 0)
    yield Bench(spec, heads, lambda: next(clock))


@contextmanager
def dry(_: Path) -> Iterator[Bench]:
    clock = iter(range(0, 10**9, 1000))
    spec = spec_of_four()
    heads = DryHeads(spec)
    heads.show(Frame(0, (Aspect.RED,) * len(spec.groups)), 0)
    yield Bench(spec, heads, lambda: next(clock))


def sumo(engine: str) -> Callable[[Path], AbstractContextManager[Bench]]:
    @contextmanager
    def build(folder: Path) -> Iterator[Bench]:
        with running(engine, folder) as world:
            junction = cross_junction()

            def step() -> int:
                world.step()
                return world.now_ms

            yield Bench(junction.site_spec(), heads_of(world, junction), step)

    return build


BACKENDS: Mapping[str, Callable[[Path], AbstractContextManager[Bench]]] = {
    "fake": fake,
    "fake-blind": blind,
    "libsumo": sumo("libsumo"),
    "traci": sumo("traci"),
    "virtual": virtual,
    "dry": dry,
}
