"""The environments pass the checkers of Gymnasium and PettingZoo, pay the published metric, and hold back what the sequencer would not do."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import parallel_api_test, parallel_seed_test

from benchmarks.environments.agents import CHANGES_S
from benchmarks.environments.junction_env import JunctionEnv
from benchmarks.environments.network_env import NetworkEnv
from controller.errors import ConfigError, SimulationError
from scenarios.case import Case
from scenarios.catalogue import find_scenario, load_config
from scenarios.runner import run_one

pytestmark = pytest.mark.sim
SHORT_S = 120.0


@pytest.fixture
def env() -> Iterator[JunctionEnv]:
    made = JunctionEnv("cross", end_s=SHORT_S)
    yield made
    made.close()


def play(env: JunctionEnv, seed: int, choose: Any) -> tuple[float, list[Any], dict[str, Any]]:
    """Return the sum of rewards, all observations, and the last info of one episode; ``choose`` gives the action of a step by its mask."""
    seen, info = env.reset(seed=seed)
    total, over, step, all_seen = 0.0, False, 0, [seen]
    while not over:
        seen, reward, terminated, truncated, info = env.step(choose(step, info["action_mask"]))
        total, step, over = total + reward, step + 1, terminated or truncated
        all_seen.append(seen)
    return total, all_seen, info


def in_turn(step: int, mask: Any) -> int:
    return step // 6 % len(mask)


def test_gymnasium_makes_it_by_name_and_finds_no_fault() -> None:
    made = gymnasium.make("benchmarks.environments.registration:umlauf/Junction-v0", scenario="cross", end_s=SHORT_S, interval_s=10)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(render|spec).*")
        check_env(made.unwrapped, skip_render_check=True)
    made.close()


@pytest.mark.parametrize(("actions", "detection"), [("splits", "loops"), ("stage", "oracle")])
def test_other_actions_and_detection_have_no_fault(actions: str, detection: str) -> None:
    made = JunctionEnv("cross", actions=actions, detection=detection, end_s=60.0, interval_s=10)
    check_env(made, skip_render_check=True)
    made.close()


def test_pettingzoo_finds_no_fault() -> None:
    parallel_api_test(NetworkEnv("arterial", end_s=60.0, interval_s=10), num_cycles=10)


def test_pettingzoo_finds_the_same_seed_the_same() -> None:
    parallel_seed_test(lambda: NetworkEnv("arterial", end_s=60.0, interval_s=10), num_cycles=5)


def test_the_rewards_sum_up_to_the_published_metric(env: JunctionEnv) -> None:
    total, _, info = play(env, 1, in_turn)
    figures = info["figures"]
    assert figures["vehicles"] > 20
    assert -total / figures["vehicles"] == pytest.approx(figures["mean_delay_s"], rel=1e-9)
    assert abs(info["rest"]) < 0.02 * abs(total), "what is only known from the trip records must be little"
    assert figures["interlock_refusals"] == 0


def test_vehicles_that_cannot_enter_cost_their_wait() -> None:
    made = JunctionEnv("cross", begin_s=0.0, end_s=900.0, interval_s=30)
    total, _, info = play(made, 1, lambda step, mask: 0)
    made.close()
    assert info["figures"]["never_inserted"] > 0
    assert -total / info["figures"]["vehicles"] == pytest.approx(info["figures"]["mean_delay_s"], rel=1e-9)
    assert abs(info["rest"]) < 0.02 * abs(total)


def test_the_rewards_of_a_network_sum_up_too() -> None:
    made = NetworkEnv("arterial", end_s=SHORT_S, interval_s=10)
    made.reset(seed=2)
    total, infos = 0.0, {}
    while made.agents:
        _, rewards, _, _, infos = made.step(dict.fromkeys(made.agents, 0))
        total += sum(rewards.values())
    made.close()
    figures = next(iter(infos.values()))["figures"]
    assert -total / figures["vehicles"] == pytest.approx(figures["mean_delay_s"], rel=1e-9)


def test_the_same_seed_and_actions_give_the_same_episode_and_another_seed_another(env: JunctionEnv) -> None:
    first, again, other = (play(env, seed, in_turn) for seed in (3, 3, 4))
    assert first[0] == again[0]
    assert first[2]["figures"] == again[2]["figures"]
    assert np.array_equal(first[1], again[1])
    assert first[0] != other[0]


def test_each_episode_has_a_process_of_its_own(env: JunctionEnv) -> None:
    """SUMO's second run in a process differs from that in a fresh one (an hour of cologne1: 91.4 s instead of 90.6 s per vehicle)."""
    env.reset(seed=1)
    before = env.simulation.pid
    env.reset(seed=1)
    assert before is not None
    assert env.simulation.pid != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_several_live_in_one_process() -> None:
    alone = JunctionEnv("cross", end_s=60.0)
    expected = play(alone, 5, in_turn)[0]
    one, two = JunctionEnv("cross", end_s=60.0), JunctionEnv("cross", end_s=60.0)
    one.reset(seed=5)
    assert play(two, 5, in_turn)[0] == expected
    assert play(one, 5, in_turn)[0] == expected
    for made in (alone, one, two):
        made.close()


def test_what_the_sequencer_would_not_do_is_held_back_and_told(env: JunctionEnv) -> None:
    _, info = env.reset(seed=1)
    held, allowed = 0, 0
    for step in range(20):
        mask = info["action_mask"]
        action = int(np.argmin(mask)) if step % 2 and not mask.all() else int(np.argmax(mask[::-1]))
        forbidden = not mask[action]
        _, _, _, _, info = env.step(action)
        assert info["held_back"] is forbidden
        held, allowed = held + forbidden, allowed + (not forbidden)
    assert held > 2
    assert allowed > 2


def test_split_changes_are_bounded_by_minimum_greens() -> None:
    made = JunctionEnv("cross", actions="splits", end_s=SHORT_S, interval_s=5)
    _, info = made.reset(seed=1)
    shorter = [CHANGES_S.index(-5)] * len(made.view.stages)
    told = []
    for _ in range(8):
        _, _, _, _, info = made.step(np.array(shorter))
        told.append(info["held_back"])
    made.close()
    assert not told[0]
    assert told[-1]
    assert not info["action_mask"].reshape(-1, len(CHANGES_S))[:, 0].any()


def test_every_number_has_a_name_and_lies_between_0_and_1(env: JunctionEnv) -> None:
    _, seen, _ = play(env, 1, in_turn)
    assert {len(one) for one in seen} == {len(env.view.names)}
    numbers = np.array(seen)
    assert numbers.min() >= 0.0
    assert numbers.max() <= 1.0
    queues = [index for index, name in enumerate(env.view.names) if name.startswith("queue:")]
    assert numbers[:, queues].max() > 0


def test_it_is_the_run_that_the_bench_measures(tmp_path: Any) -> None:
    """The same vehicles are due, with the same seed, as under ``umlauf simulate``."""
    scenario = find_scenario("cross")
    case = Case("cross", str(load_config(scenario).path), "actuated", str(tmp_path), seed=7, end_s=SHORT_S)
    record = run_one(case, lambda now_s, end_s: None, lambda text: None)
    made = JunctionEnv("cross", end_s=SHORT_S)
    _, _, info = play(made, 7, in_turn)
    made.close()
    assert info["figures"]["vehicles"] == record["vehicles"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"scenario": "arterial"}, "expected one junction with one node, found"),
        ({"scenario": "cross", "actions": "jump"}, "actions: found 'jump', expected one of stage, splits"),
        ({"scenario": "cross", "detection": "radar"}, "detection: found 'radar', expected one of loops, oracle"),
        ({"scenario": "cross", "rules": "strict"}, "rules: found 'strict', expected one of net, published, street"),
        ({"scenario": "cross", "insertion": "new"}, "insertion: found 'new', expected one of sumo, legacy"),
        ({"scenario": "cross", "interval_s": 0}, "whole seconds, 1 or more"),
        ({"scenario": "cross", "interval_s": 2.5}, "interval_s: found 2.5, expected whole seconds, 1 or more"),
        ({"scenario": "cross", "begin_s": -5}, "begin_s: found -5, expected seconds of simulation time, 0 or more"),
        ({"scenario": "cross", "end_s": float("nan")}, "end_s: found nan, expected seconds of simulation time, 0 or more"),
    ],
)
def test_wrong_options_are_one_message(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        JunctionEnv(**options)


@pytest.mark.parametrize("action", [4, -1, 1.7, True, None, "A", [0, 1], np.array([]), float("nan")])
def test_what_is_no_action_is_told_and_the_episode_goes_on(env: JunctionEnv, action: Any) -> None:
    env.reset(seed=1)
    with pytest.raises(ConfigError, match=r"action of agent 'A0': found .*, expected one whole number from 0 to 3"):
        env.step(action)
    assert env.step(np.int64(0))[4]["at_s"] == 6.0


@pytest.mark.parametrize("action", [[1], [1, 1, 1, 3], [1, 1, 1, -1], [1.5] * 4])
def test_what_is_no_change_of_splits_is_told(action: Any) -> None:
    made = JunctionEnv("cross", actions="splits", end_s=60.0)
    made.reset(seed=1)
    with pytest.raises(ConfigError, match=r"expected 4 whole numbers from 0 to 2"):
        made.step(np.array(action))
    made.close()


def test_an_unknown_agent_is_told() -> None:
    made = NetworkEnv("arterial", end_s=60.0)
    made.reset(seed=1)
    with pytest.raises(ConfigError, match="'Z9': there is no such agent; expected one of A0, B0, C0, D0, E0"):
        made.step({"Z9": 0})
    made.close()


def test_nothing_can_be_done_before_and_after_an_episode(env: JunctionEnv) -> None:
    for before in (lambda: env.step(0), env.action_masks):
        with pytest.raises(SimulationError, match=r"expected an episode under way, found none; call reset\(\) first"):
            before()
    assert env.simulation.pid is None
    play(env, 1, in_turn)
    with pytest.raises(SimulationError, match=r"call reset\(\) first"):
        env.step(0)
    assert play(env, 1, in_turn)[2]["figures"]["vehicles"] > 0


def own_scenario(folder: Path, trips: str, time: str) -> str:
    """Return the configuration of a scenario on the net of ``cross``."""
    net = load_config(find_scenario("cross")).net
    (folder / "own.rou.xml").write_text(f"<routes>{trips}</routes>", encoding="utf-8")
    files = f'<input><net-file value="{net}"/><route-files value="own.rou.xml"/></input>'
    (folder / "own.sumocfg").write_text(f"<configuration>{files}<time>{time}</time></configuration>", encoding="utf-8")
    return str(folder / "own.sumocfg")


@pytest.mark.parametrize(("time", "out_of_time"), [('<end value="60"/>', True), ("", False)])
def test_an_episode_is_truncated_at_the_end_of_time_and_terminated_when_all_have_left(tmp_path: Path, time: str, out_of_time: bool) -> None:
    made = JunctionEnv(own_scenario(tmp_path, '<trip id="only" depart="1" from="w0A0" to="A0B0"/>', time))
    made.reset(seed=1)
    over: tuple[bool, bool] = (False, False)
    while not any(over):
        _, _, terminated, truncated, info = made.step(0)
        over = terminated, truncated
    made.close()
    assert over == (not out_of_time, out_of_time)
    assert (info["at_s"] == 60.0) is out_of_time


def test_what_is_lost_before_the_first_action_is_paid_too(tmp_path: Path) -> None:
    """Vehicles that are due at the begin and find no room wait from the first second on."""
    trips = "".join(f'<trip id="v{number}" depart="0" from="w0A0" to="A0B0"/>' for number in range(30))
    made = JunctionEnv(own_scenario(tmp_path, trips, '<end value="40"/>'))
    total, _, info = play(made, 1, lambda step, mask: 0)
    made.close()
    assert info["figures"]["vehicles"] == 30
    assert -total / 30 == pytest.approx(info["figures"]["mean_delay_s"], rel=1e-9)
    assert abs(info["rest"]) < 0.02 * abs(total)


def test_a_simulation_that_fails_says_why(env: JunctionEnv) -> None:
    env.reset(seed=1)
    with pytest.raises(SimulationError, match=r"the simulation process has ended\. It said: .*KeyError: 'nobody'"):
        env.simulation._ask({"act": {"nobody": [0]}})
    assert env.reset(seed=1)[1]["at_s"] == 1.0


def test_a_simulation_that_dies_is_told_and_the_next_episode_runs(env: JunctionEnv) -> None:
    env.reset(seed=1)
    assert env.simulation.pid is not None
    os.kill(env.simulation.pid, signal.SIGKILL)
    with pytest.raises(SimulationError, match="the simulation process has ended"):
        env.step(0)
    assert play(env, 1, in_turn)[2]["figures"]["vehicles"] > 0


def test_closing_ends_the_process_and_removes_its_folder(env: JunctionEnv) -> None:
    env.reset(seed=1)
    pid, folder = env.simulation.pid, env.simulation.folder
    assert pid is not None
    assert folder.is_dir()
    env.close()
    env.close()
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(SimulationError, match="it has been closed; make a new one"):
        env.reset(seed=1)
