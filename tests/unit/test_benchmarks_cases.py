"""Which cases a campaign has, and which of them are done."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import Campaign, Task, shard_of, tasks_of, to_do
from benchmarks.columns import complete
from benchmarks.environments.policy import VARIABLE
from benchmarks.verify import Sorted, drawn, sorted_out
from benchmarks.version import Version, hash_of, version_of
from controller.errors import ConfigError, ScenarioError
from scenarios.catalogue import find_scenario, load_config

VERSION = Version("c0ffee", False, "ours-1", "sumo-1")


def tasks(tmp_path: Path, version: Version = VERSION, **other: Any) -> list[Task]:
    options: dict[str, Any] = {"scenarios": ("cross",), "controls": ("adaptive", "fixed"), "seeds": "1-2", **other}
    return tasks_of(Campaign(**options), version, tmp_path)


def finished(task: Task, status: str = "finished") -> dict[str, Any]:
    return task.row({"status": status, "mean_delay_s": 1.0, "sumo_version": "1.28.0"}, 1)


def test_the_code_of_sumos_own_controls_is_not_ours() -> None:
    assert [VERSION.code_of(c) for c in ("adaptive", "greedy", "fixed", "sumo-actuated-30")] == ["ours-1", "ours-1", "sumo-1", "sumo-1"]
    assert hash_of(("controller",)) != hash_of(("scenarios",))


def test_a_learned_control_counts_with_the_policies_that_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [VERSION.code_of("ppo")]
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    for content in (None, b"one", b"two"):
        if content is not None:
            (tmp_path / "ppo-cross.npz").write_bytes(content)
        found.append(VERSION.code_of("ppo"))
    assert len(set(found)) == 4
    (tmp_path / "dqn-cross.npz").write_bytes(b"another kind's")
    assert VERSION.code_of("ppo") == found[-1]


def test_seed_by_seed_and_ours_first(tmp_path: Path) -> None:
    found = [(t.case.seed, t.case.control) for t in tasks(tmp_path, controls=("fixed", "adaptive"))]
    assert found == [(1, "adaptive"), (1, "fixed"), (2, "adaptive"), (2, "fixed")]


def test_the_key_is_of_all_that_decides_and_of_nothing_else(tmp_path: Path) -> None:
    keys = {t.key for t in tasks(tmp_path)}
    assert len(keys) == 4
    assert {t.key for t in tasks(tmp_path / "elsewhere")} == keys
    for other in ({"insertion": "legacy"}, {"rules": "street"}, {"end_s": 100.0}, {"detection": "oracle"}, {"version": Version("", False, "x", "y")}):
        assert not {t.key for t in tasks(tmp_path, **other)} & keys


def test_finished_and_refused_cases_are_done_failed_ones_are_not(tmp_path: Path) -> None:
    one, two, three, four = tasks(tmp_path)
    rows = [finished(one), finished(two, "not applicable"), finished(three, "failed")]
    assert to_do([one, two, three, four], rows, keep_older=False) == [three, four]


def test_new_code_runs_again_unless_older_rows_are_kept(tmp_path: Path) -> None:
    rows = [finished(t) for t in tasks(tmp_path)]
    newer = tasks(tmp_path, Version("cafe", False, "ours-2", "sumo-1"))
    assert [t.case.control for t in to_do(newer, rows, keep_older=False)] == ["adaptive", "adaptive"]
    assert not to_do(newer, rows, keep_older=True)


def copy_of_cross(folder: Path) -> tuple[str, Path]:
    """Return a user's configuration and its routes."""
    config = load_config(find_scenario("cross"))
    for file in config.path.parent.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return str(folder / config.path.name), folder / config.routes[0].name


def test_a_users_scenario_counts_with_its_files(tmp_path: Path) -> None:
    mine, route = copy_of_cross(tmp_path)
    before = tasks(tmp_path / "out", scenarios=(mine,))
    rows = [finished(t) for t in before]
    assert not to_do(tasks(tmp_path / "out", scenarios=(mine,)), rows, keep_older=False)
    route.write_bytes(route.read_bytes() + b"<!-- changed -->")
    assert len(to_do(tasks(tmp_path / "out", scenarios=(mine,)), rows, keep_older=False)) == 4


def test_only_what_can_be_made_again_is_verified(tmp_path: Path) -> None:
    """Neither cases whose scenario's files have changed or gone, nor those of a controller that is not installed any more."""
    mine, route = copy_of_cross(tmp_path)
    rows = [finished(t) for t in tasks(tmp_path / "out", scenarios=(mine,), controls=("fixed",), seeds="1")]
    rows.append({**rows[0], "control": "uninstalled", "code": "its-own"})
    assert [row["control"] for row, _ in drawn(rows, VERSION, 1, tmp_path / "out")] == ["fixed"]
    route.write_bytes(route.read_bytes() + b"<!-- changed -->")
    for what in ("have changed", "cannot be read any more"):
        told = f"nothing can be compared, .* Of 2 finished cases: 1 on .*.sumocfg, whose files {what}; 1 under the controller uninstalled, which is not"
        with pytest.raises(ConfigError, match=told):
            drawn(rows, VERSION, 1, tmp_path / "out")
        Path(mine).unlink(missing_ok=True)


def test_rows_of_other_versions_are_told_with_what_made_them(tmp_path: Path) -> None:
    rows = [finished(t) | {"sumo_version": version_of("eclipse-sumo")} for t in tasks(tmp_path, controls=("adaptive",), seeds="1-4")]
    rows[0] |= {"code": "older", "commit": "abcdefabcdefabc"}
    rows[1] |= {"code": "older", "commit": ""}
    rows[2] |= {"code": "older", "sumo_version": "1.20.0"}
    found = sorted_out([complete(row) for row in rows], VERSION)
    assert len(found.same) == 1
    other, older = "1 made by other code", f"1 made with SUMO 1.20.0 (here is {version_of('eclipse-sumo')})"
    assert found.told == f"{other} (commit abcdefabcd); {other} (of no known commit); {older}"
    assert Sorted([], Counter({str(n): n for n in range(1, 7)})).told == "6 6; 5 5; 4 4; 3 3; 3 for other such reasons"
    with pytest.raises(ConfigError, match=r"Of 3 finished cases: .*\. This code is commit c0ffee\. Verify with the version that made them, or give"):
        drawn([complete(row) for row in rows[:3]], VERSION, 1, tmp_path)


def test_a_folder_without_finished_cases_has_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the folder has no finished cases; run the campaign first"):
        drawn([complete(finished(t, "failed")) for t in tasks(tmp_path)], VERSION, 1, tmp_path)


def test_shards_share_the_cases(tmp_path: Path) -> None:
    whole = tasks(tmp_path)
    shares = [shard_of(whole, f"{i}/3") for i in (1, 2, 3)]
    assert sorted(t.key for share in shares for t in share) == sorted(t.key for t in whole)
    assert [len(share) for share in shares] == [2, 1, 1]


def test_each_share_has_its_part_of_each_control(tmp_path: Path) -> None:
    whole = tasks(tmp_path, controls=("adaptive", "fixed"), seeds="1-4")
    for i in (1, 2):
        assert Counter(t.case.control for t in shard_of(whole, f"{i}/2")) == {"adaptive": 2, "fixed": 2}


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "1/", "1/0", "-1/2"])
def test_a_wrong_shard_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="expected i/n with i from 1 to n"):
        shard_of(tasks(tmp_path), text)


@pytest.mark.parametrize(
    ("other", "kind", "text"),
    [
        ({"scenarios": ()}, ConfigError, "one or more scenarios"),
        ({"controls": ()}, ConfigError, "--control names no control"),
        ({"seeds": ""}, ConfigError, "--seeds: found ''"),
        ({"seeds": "5-1"}, ConfigError, "--seeds: '5-1' names no seed"),
        ({"controls": ("adaptve",)}, ConfigError, "did you mean 'adaptive'"),
        ({"scenarios": ("cros",)}, ScenarioError, "did you mean 'cross'"),
        ({"rules": "strict"}, ConfigError, "--rules"),
    ],
)
def test_wrong_options_are_told_before_anything_runs(tmp_path: Path, other: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        tasks(tmp_path, **other)
