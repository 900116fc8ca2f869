"""Worlds that provoke one fault each: the control copes, and would not without the mechanism that is meant for it.

Each mechanism is switched off by replacing it, so that a test fails where its world no longer provokes what it should.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from controller import watched_solver
from controller.clearing import Clearing
from controller.coordination import Coordination, Told
from controller.estimate import LoopEstimator
from controller.horizon_model import HorizonModel
from controller.journal_reader import JournalReader
from controller.journal_schema import FILE_NAME
from controller.red_limit import RedLimit
from controller.red_meter import TOO_LONG_MS
from controller.replay import read_records, replay_frames
from controller.supervisor import HOLD_DOWN_MS
from controller.work_price import WorkPrice
from scenarios.drive import run_case
from scenarios.simulate import Request, cases_of
from scenarios.stress import STRESS

pytestmark = pytest.mark.sim


def run(name: str, folder: Path, end_s: float, seed: int = 1) -> Mapping[str, Any]:
    """Run a stress world under adaptive control in this process, where a mechanism can be switched off."""
    (case,) = cases_of(Request(scenario=f"stress/{name}", seeds=str(seed), output=folder, end_s=end_s))
    figures = run_case(case, lambda *_, **__: None, lambda: False)
    assert (figures["teleports"], figures["collisions"], figures["interlock_refusals"]) == (0, 0, 0)
    return figures


@contextmanager
def without(owner: object, name: str, value: object) -> Iterator[None]:
    """Switch a mechanism off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, value)
        yield


def test_few_buses_against_saturated_streets_do_not_starve(tmp_path: Path) -> None:
    figures = run("starvation", tmp_path / "on", 700.0)
    assert figures["longest_red_s"] < TOO_LONG_MS / 1000
    assert figures["max_wait_s"] < 200.0

    def for_a_minimum_green(_: RedLimit, service: Any, snapshot: Any, overdue: Any) -> bool:
        return snapshot.signals.stage != service.stage and service.lane in overdue

    with without(RedLimit, "_goes_on", for_a_minimum_green):
        assert run("starvation", tmp_path / "minimum", 700.0)["max_wait_s"] > 300.0
    with without(RedLimit, "stage", lambda *_: None):
        never = run("starvation", tmp_path / "never", 400.0)
    assert never["longest_red_s"] > TOO_LONG_MS / 1000
    with JournalReader(tmp_path / "never" / FILE_NAME) as reader:
        assert any(note.kind == "long red" for note in reader.notes())


def test_turners_who_find_no_gap_are_released(tmp_path: Path) -> None:
    figures = run("lock", tmp_path / "on", 700.0)
    with without(Clearing, "plan", lambda *_: None):
        locked = run("lock", tmp_path / "off", 700.0)
    assert figures["max_wait_s"] < 0.8 * locked["max_wait_s"]


def test_turners_are_let_out_before_others_turn_green_in_their_way(tmp_path: Path) -> None:
    """Without the price of lost green, which makes changes rarer and so leaves less to gain."""
    with without(WorkPrice, "milli", lambda *_: 0):
        let_out = [run("turners", tmp_path / f"on-{seed}", 500.0, seed)["mean_delay_s"] for seed in (1, 2)]
        with without(HorizonModel, "clear_to", lambda *_: 0), without(HorizonModel, "_releases", lambda *_: False):
            caught = [run("turners", tmp_path / f"off-{seed}", 500.0, seed)["mean_delay_s"] for seed in (1, 2)]
    assert sum(let_out) < 0.95 * sum(caught)


def test_no_green_goes_into_a_full_exit(tmp_path: Path) -> None:
    """In the mean over seeds: when the lorries stop, and who then stands where, is chance."""

    def runs(name: str) -> list[Mapping[str, Any]]:
        return [run("blocked-exit", tmp_path / f"{name}-{seed}", 1500.0, seed) for seed in range(1, 7)]

    seeing = runs("on")
    with without(LoopEstimator, "_full_exits", lambda *_: frozenset()):
        blind = runs("off")
    assert sum(x["mean_delay_s"] for x in seeing) < 0.7 * sum(x["mean_delay_s"] for x in blind)
    assert max(x["max_wait_s"] for x in seeing) < max(x["max_wait_s"] for x in blind)


def test_two_lights_some_metres_apart_do_not_lock_each_other(tmp_path: Path) -> None:
    """Without: they tell each other neither of who waits for room nor of their reds."""
    told = Coordination.told

    def silent(one: Coordination, lanes: Any, now_ms: int) -> Told:
        coming, room_veh, _ = told(one, lanes, now_ms)
        return Told({name: x._replace(held_milli=0) for name, x in coming.items()}, room_veh)

    near = [run("near", tmp_path / f"on-{seed}", 1500.0, seed)["mean_delay_s"] for seed in (4, 5)]
    with without(Coordination, "told", silent):
        locked = [run("near", tmp_path / f"off-{seed}", 1500.0, seed)["mean_delay_s"] for seed in (4, 5)]
    assert sum(near) < 0.6 * sum(locked)


def test_a_failing_optimizer_hands_over_to_local_actuation_and_gets_the_light_back(tmp_path: Path) -> None:
    figures = run("fallback", tmp_path / "on", 1200.0)
    assert figures["longest_red_s"] < 90.0
    fails, stalls = STRESS["fallback"].outages
    with JournalReader(tmp_path / "on" / FILE_NAME) as reader:
        modes = [(row.now_ms / 1000, str(row.mode)) for row in reader.modes()]
        (record,) = read_records(reader)[0]
    assert [mode for _, mode in modes[:2]] == ["actuated", "adaptive"]
    for outage in (fails, stalls):
        first_s = min(at_s for at_s, mode in modes if at_s >= outage.begin_s and mode == "actuated")
        assert outage.begin_s <= first_s <= outage.begin_s + watched_solver.UNANSWERED
        back_s = min(at_s for at_s, mode in modes if at_s >= outage.end_s and mode == "adaptive")
        assert back_s <= outage.end_s + HOLD_DOWN_MS / 1000
        assert not [at_s for at_s, _ in modes if back_s < at_s < min([o.begin_s for o in (fails, stalls) if o.begin_s > back_s], default=1200.0)]
    assert replay_frames(record).difference is None
    with without(watched_solver, "UNANSWERED", 1 << 40):
        frozen = run("fallback", tmp_path / "off", 1200.0)
    assert frozen["longest_red_s"] > 120.0
