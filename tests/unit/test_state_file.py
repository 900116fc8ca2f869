"""What outlives a restart, and what is told and left alone where the file is cut, changed, foreign or old."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support_control import drive, junction
from support_guard import Cabinet

from controller.cabinet.state_file import StateKeeper, hash_of, read_state, write_state
from controller.errors import ConfigError
from controller.estimate import LoopEstimator
from controller.journal_schema import junction_text
from controller.supervisor import Mode
from hardware.signals import Aspect

ONE = junction()
HASH = hash_of(junction_text(ONE))


class Kept(Cabinet):
    """A cabinet that keeps its state."""

    def __init__(self, path: Path, events: Any = (), wait: timedelta = timedelta(0)) -> None:
        super().__init__(Mode.ACTUATED, events=events)
        self.clock.step(wait)
        self.keeper = StateKeeper(path, self.guard, HASH, threaded=False)
        self.guard.after_tick.append(self.keeper)
        self.guard.at_end.append(self.keeper.close)

    @property
    def learned(self) -> dict[str, Any]:
        assert isinstance(self.guard.control.estimator, LoopEstimator)
        return self.guard.control.estimator.learned()

    def told(self) -> list[str]:
        return [text for _, kind, text in self.guard.events if kind == "state"]


def taught(path: Path) -> Kept:
    """Return one that has seen traffic and, for its lane n0, learned what is far from all first guesses."""
    one = Kept(path, sorted([*drive("e0/300", 20_000), *drive("e0/300", 40_000)]))
    assert isinstance(one.guard.control.estimator, LoopEstimator)
    model = one.guard.control.estimator._lanes["n0"].model
    model.headway_ms, model.startup_ms, model.amber_use_ms, model.shares = 2_412.5, 1_200.0, 1_500.0, (0.7, 0.3)
    one.run_to(70_000)
    return one


def test_what_was_learned_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "learned.json"
    first = taught(path)
    assert first.learned["n0"]["headway_ms"] == 2_412.5
    assert path.exists(), "saved after a minute, without an orderly end"
    first.guard.stop()
    first.run_to(200_000)
    second = Kept(path)
    assert {k: v for k, v in second.learned["n0"].items() if k != "flow_veh_s"} == {k: v for k, v in first.learned["n0"].items() if k != "flow_veh_s"}
    assert second.told()[0].startswith("goes on with what was learned until 2026-01-05T06:0")


@pytest.mark.parametrize(("wait", "kept"), [(timedelta(minutes=1), True), (timedelta(hours=3), False), (timedelta(hours=-3), False)])
def test_flows_hold_for_minutes_only(tmp_path: Path, wait: timedelta, kept: bool) -> None:
    first = taught(tmp_path / "s.json")
    first.keeper.close()
    flow_veh_s = first.learned["e0"]["flow_veh_s"]
    assert flow_veh_s > 0.0
    second = Kept(tmp_path / "s.json", wait=wait + timedelta(seconds=70))
    assert second.learned["e0"]["flow_veh_s"] == (flow_veh_s if kept else 0.0)


def test_no_file_is_no_fault(tmp_path: Path) -> None:
    assert Kept(tmp_path / "none.json").told() == []


def spoiled(data: bytes) -> dict[str, bytes]:
    state = json.loads(data)

    def signed(**change: Any) -> bytes:
        from controller.cabinet.state_file import _checksum

        changed = state["state"] | change
        return json.dumps({"checksum": _checksum(changed), "state": changed}).encode()

    lanes = state["state"]["learned"]
    return {
        "cut": data[: len(data) // 2],
        "empty": b"",
        "zeros": b"\0" * len(data),
        "changed": data.replace(b'"headway_ms": 2', b'"headway_ms": 3', 1),
        "a list": b"[1, 2]",
        "deep": b"[" * 200_000,
        "foreign": signed(junction="0123456789abcdef"),
        "another version": signed(version=99),
        "of other lanes": signed(learned={"x": lanes["n0"]}),
        "out of range": signed(learned=lanes | {"n0": lanes["n0"] | {"headway_ms": 20}}),
        "not a number": signed(learned=lanes | {"n0": lanes["n0"] | {"headway_ms": "fast"}}),
        "too few shares": signed(learned=lanes | {"n0": lanes["n0"] | {"shares": [1.0]}}),
        "huge": b" " * 6_000_000,
    }


@pytest.mark.parametrize("kind", sorted(spoiled(b'{"state": {"learned": {"n0": {}}}, "checksum": ""}')))
def test_a_spoiled_file_is_told_and_control_begins_with_first_guesses(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s.json"
    taught(path).keeper.close()
    path.write_bytes(spoiled(path.read_bytes())[kind])
    one = Kept(path)
    assert one.told(), "not silent"
    assert one.learned["n0"]["headway_ms"] == 1_950.0
    one.run_to(130_000)
    assert one.interlock.refusals == 0
    assert read_state(path, HASH) is not None, "the next save mends it"


def test_a_refusal_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    first = Kept(path)
    first.run_to(20_000)
    first.heads.force((Aspect.GREEN,) * len(ONE.groups))
    first.run_to(21_000)
    assert first.mode is Mode.FLASH
    second = Kept(path)  # the first was killed: it has saved nothing since
    assert second.mode is Mode.FLASH
    second.run_to(100_000)
    second.guard.reset("kim", "mended", 100_000)
    second.run_to(101_000)
    third = Kept(path)
    assert third.mode is Mode.ACTUATED


def test_an_override_outlives_a_restart_and_ends_when_it_should(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    first = Kept(path)
    first.run_to(10_000)
    first.override(Mode.FIXED, 600_000, "a march")
    first.run_to(11_000)
    second = Kept(path, wait=timedelta(seconds=100))
    assert second.mode is Mode.FIXED
    wish = second.guard.control.nodes[0].supervisor.override_now
    assert wish is not None
    assert (wish.until_ms, wish.who, wish.why) == (500_000, "kim", "a march")
    assert Kept(path, wait=timedelta(hours=1)).mode is Mode.ACTUATED


def test_leaving_in_order_is_no_override_to_remember(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    first = Kept(path)
    first.run_to(10_000)
    first.guard.stop()
    first.run_to(100_000)
    assert first.guard.stopped
    assert Kept(path).mode is Mode.ACTUATED


def test_a_disk_that_does_not_take_it_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "way").write_text("in the way")
    one = Kept(tmp_path / "way" / "s.json")
    one.run_to(200_000)
    assert len([text for text in one.told() if "cannot be saved" in text]) == 1
    (tmp_path / "way").unlink()
    one.run_to(250_000)
    assert one.told()[-1] == "the learned state is saved again"


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.json"
    write_state(path, {"version": 1, "junction": HASH, "n": 1})
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_state(path, {"version": 1, "junction": HASH, "n": 2})
    assert (read_state(path, HASH) or {})["n"] == 1


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.json").mkdir()
    with pytest.raises(ConfigError, match="not used"):
        read_state(tmp_path / "s.json", HASH)


def test_the_thread_saves_at_the_end(tmp_path: Path) -> None:
    one = Cabinet(Mode.ACTUATED)
    keeper = StateKeeper(tmp_path / "s.json", one.guard, HASH)
    keeper.close()
    assert read_state(tmp_path / "s.json", HASH) is not None
