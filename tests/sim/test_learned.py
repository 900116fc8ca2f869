"""Saved policies are peers: the same choices as torch makes, in the bench as in training; one small training proves the whole way."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.environments.junction_env import JunctionEnv
from benchmarks.environments.policy import VARIABLE, Policy, load_policy, path_of
from controller.errors import ConfigError, ControllerError, NotApplicableError
from scenarios.case import Case
from scenarios.catalogue import find_scenario, load_config
from scenarios.runner import run_one

pytestmark = pytest.mark.sim
END_S = 120.0


def made_up(env: JunctionEnv, seed: int = 0) -> Policy:
    """Return a network of random weights for an environment."""
    random = np.random.default_rng(seed)
    sizes = (len(env.view.names), 16, len(env.view.stages))
    layers = [(random.normal(size=(after, before)).astype(np.float32), np.zeros(after, np.float32)) for before, after in pairwise(sizes)]
    return Policy(layers, "relu", {"names": list(env.view.names), "interval_s": 5})


def run(control: str, folder: Path) -> dict[str, object]:
    case = Case("cross", str(load_config(find_scenario("cross")).path), control, str(folder), seed=3, end_s=END_S)
    return run_one(case, lambda now_s, end_s: None, lambda text: None)


def test_a_saved_policy_controls_as_it_did_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = JunctionEnv("cross", end_s=END_S)
    policy = made_up(env)
    policy.save(path_of("dqn", "cross", tmp_path))
    seen, info = env.reset(seed=3)
    over, chosen = False, set()
    while not over:
        choice = policy.choose(seen)
        chosen.add(choice)
        seen, _, terminated, truncated, info = env.step(choice)
        over = terminated or truncated
    env.close()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "run").mkdir()
    record = run("dqn", tmp_path / "run")
    assert len(chosen) > 1
    assert record["mean_delay_s"] == info["figures"]["mean_delay_s"]
    assert record["interlock_refusals"] == 0


def test_a_policy_is_read_as_it_was_written(tmp_path: Path) -> None:
    env = JunctionEnv("cross", end_s=END_S)
    policy = made_up(env)
    env.close()
    policy.save(tmp_path / "p.npz")
    again = load_policy(tmp_path / "p.npz")
    numbers = np.random.default_rng(1).random((50, len(policy.about["names"])), dtype=np.float32)
    assert [again.choose(one) for one in numbers] == [policy.choose(one) for one in numbers]
    assert again.about == policy.about


def test_a_scenario_without_a_policy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(NotApplicableError, match="expected a policy trained on cross"):
        run("ppo", tmp_path)


def test_a_policy_for_another_view_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [(np.zeros((4, 3), np.float32), np.zeros(4, np.float32))]
    Policy(layers, "relu", {"names": ["a", "b", "c"], "interval_s": 5}).save(path_of("ppo", "cross", tmp_path))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(ControllerError, match="was trained on another junction or view"):
        run("ppo", tmp_path)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_another_file_is_no_policy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(ConfigError, match="expected a policy written by"):
        load_policy(tmp_path / "p.npz")


def test_committed_policies_say_what_they_cost() -> None:
    files = sorted(path_of("dqn", "x").parent.glob("*.npz"))
    for file in files:
        about = load_policy(file).about
        assert about["budget"]["actions"] > 0
        assert about["judged"]["mean_delay_s"] < 20, "a peer that has learned nothing is a strawman"
        assert path_of(about["kind"], about["scenario"]) == file
    assert {file.name.split("-")[0] for file in files} == {"dqn", "ppo"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dqn", "ppo"])
def test_training_writes_a_policy_that_controls(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smoke run of ``make rl-test``; the figures of so short a training mean nothing."""
    assert importlib.util.find_spec("stable_baselines3"), "expected Stable-Baselines3; run this by: make rl-test"
    command = [sys.executable, "-P", "-m", "benchmarks.environments.train", "--kind", kind, "--scenario", "cross", "--steps", "1440", "--end", str(END_S)]
    done = subprocess.run([*command, "--folder", str(tmp_path)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    about = load_policy(Path(json.loads(done.stdout.splitlines()[-1])["policy"])).about
    assert about["budget"]["actions"] == 1440  # whole rounds of what PPO learns from at a time
    assert about["judged"]["mean_delay_s"] > 0
    assert about["judged"]["after_actions"] <= 1440
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "run").mkdir()
    record = run(kind, tmp_path / "run")
    assert record["status"] == "finished"
    assert record["interlock_refusals"] == 0
