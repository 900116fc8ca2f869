"""What every backend of the head port keeps, raw and behind the interlock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support_heads import BACKENDS, Bench
from support_safety_oracle import Oracle

from hardware.ports import FrameRefusedError, Observation, PortError
from hardware.registry import open_site
from hardware.signals import Aspect, Frame

SIMULATED = ("libsumo", "traci")


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.sim) if name in SIMULATED else name for name in BACKENDS])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with BACKENDS[request.param](tmp_path) as built:
        yield built


class Tap:
    """Raw heads that remember what reached them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.history: list[tuple[int, tuple[Aspect, ...]]] = []

    def show(self, frame: Frame, now_ms: int) -> None:
        self.bench.heads.show(frame, now_ms)
        self.history.append((now_ms, frame.aspects))

    def observe(self, now_ms: int) -> Observation:
        return self.bench.heads.observe(now_ms)


class TestHeadPort:
    @pytest.mark.parametrize("aspect", Aspect)
    def test_shows_and_reads_back_every_aspect(self, bench: Bench, aspect: Aspect) -> None:
        now_ms = bench.step()
        aspects = (aspect,) * len(bench.spec.groups)
        bench.heads.show(Frame(now_ms, aspects), now_ms)
        now_ms = bench.step()
        assert bench.heads.observe(now_ms) == Observation(now_ms, aspects if bench.reads_back else None, "remote")

    def test_reads_back_groups_in_the_order_of_the_site(self, bench: Bench) -> None:
        now_ms = bench.step()
        red = (Aspect.RED,) * (len(bench.spec.groups) - 1)
        bench.heads.show(Frame(now_ms, (Aspect.GREEN, *red)), now_ms)
        assert bench.heads.observe(now_ms).aspects == ((Aspect.GREEN, *red) if bench.reads_back else None)

    @pytest.mark.parametrize("change", [-1, 1])
    def test_refuses_a_frame_of_the_wrong_length(self, bench: Bench, change: int) -> None:
        now_ms = bench.step()
        with pytest.raises(PortError, match="aspects"):
            bench.heads.show(Frame(now_ms, (Aspect.RED,) * (len(bench.spec.groups) + change)), now_ms)


class TestGuardedHeadPort:
    def test_goes_from_whatever_is_shown_to_green_and_back_without_a_fault(self, bench: Bench) -> None:
        tap, oracle = Tap(bench), Oracle(bench.spec)
        now_ms = bench.step()
        guarded = open_site(bench.spec, tap, now_ms=now_ms)
        memory = oracle.begin(now_ms, tap.observe(now_ms).aspects)
        red = (Aspect.RED,) * len(bench.spec.groups)
        last = len(red) - 1
        for _ in range(60):
            aspects = list(red)
            group = bench.spec.groups[last]
            if guarded.ready(now_ms) and guarded.aspects[last] is not Aspect.GREEN:
                aspects[last] = Aspect.RED_AMBER if group.red_amber_ms else Aspect.GREEN
            guarded.show(Frame(now_ms, tuple(aspects)), now_ms)
            if aspects[last] is not Aspect.RED:
                break
            now_ms = bench.step()
        assert tap.history[-1][1] == (*red[:-1], aspects[last])
        assert guarded.refusals == 0
        for at_ms, shown in tap.history:
            faults, memory = oracle.watch(memory, shown, at_ms)
            assert not faults

    def test_nothing_conflicting_gets_through(self, bench: Bench) -> None:
        tap = Tap(bench)
        now_ms = bench.step()
        guarded = open_site(bench.spec, tap, now_ms=now_ms)
        green = (Aspect.GREEN,) * len(bench.spec.groups)
        for _ in range(40):
            with pytest.raises(FrameRefusedError):
                guarded.show(Frame(now_ms, green), now_ms)
            now_ms = bench.step()
        assert guarded.refusals == 40
        assert {a for _, aspects in tap.history for a in aspects} <= {Aspect.AMBER, Aspect.RED}
        assert tap.history[-1][1] == (Aspect.RED,) * len(green)
