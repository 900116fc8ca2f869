"""Train a learned peer: ``python -m benchmarks.environments.train --kind ppo --scenario resco/cologne1`` (extra ``rl``).

Stable-Baselines3's own algorithms and networks of two layers of 64, on the CPU. Rewards are divided by the spread of the discounted returns,
for those of a locked junction are a hundred times those of a good one. Now and then the policy controls as it would in the bench, with traffic
that is neither trained on nor measured; the one that does best there is written as arrays (`benchmarks.environments.policy`), with the budget
of the whole training. Training is not exactly repeatable on another machine; running a saved policy is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.environments.junction_env import JunctionEnv
from benchmarks.environments.policy import Layer, Policy, path_of
from controller.clock import elapsed_s
from controller.errors import UmlaufError

SEEDS_FROM: Final = 1_000  # episodes have other seeds than those that are measured,
JUDGED_SEEDS: Final = (901, 902)  # and those by which the best policy is chosen are others again
JUDGED_EVERY: Final = 7_200  # actions
SIDE_BY_SIDE: Final[Mapping[str, int]] = {"dqn": 1, "ppo": 4}  # environments; what PPO learns from at a time should be of several episodes
ALGORITHMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "dqn": {
        "learning_rate": 2.5e-4,
        "buffer_size": 100_000,
        "learning_starts": 720,
        "batch_size": 128,
        "gamma": 0.98,
        "train_freq": 1,
        "target_update_interval": 1_000,
        "exploration_fraction": 0.2,
        "exploration_final_eps": 0.02,
    },
    "ppo": {"learning_rate": 5e-4, "n_steps": 180, "batch_size": 120, "n_epochs": 10, "gamma": 0.98, "gae_lambda": 0.95, "ent_coef": 0.01},
}


def train(kind: str, scenario: str, steps: int, seed: int, folder: Path | None, **options: Any) -> Path:
    """Train for ``steps`` actions (PPO: whole rounds of 720) and return where the policy is. Raises `UmlaufError` where the scenario is no single junction."""
    import stable_baselines3
    import torch
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize

    torch.set_num_threads(1)
    env, count = JunctionEnv(scenario, **options), SIDE_BY_SIDE[kind]
    side_by_side = make_vec_env(
        JunctionEnv, count, SEEDS_FROM + seed, env_kwargs={"scenario": scenario, **options}, vec_env_cls=DummyVecEnv if count == 1 else SubprocVecEnv
    )
    scaled = VecNormalize(side_by_side, norm_obs=False, gamma=ALGORITHMS[kind]["gamma"])
    make, layers_of, activation = {"dqn": (stable_baselines3.DQN, _dqn_layers, "relu"), "ppo": (stable_baselines3.PPO, _ppo_layers, "tanh")}[kind]
    model = make("MlpPolicy", scaled, policy_kwargs={"net_arch": [64, 64]}, seed=seed, device="cpu", verbose=1, **ALGORITHMS[kind])
    about = _about(kind, env) | {"versions": {"stable_baselines3": stable_baselines3.__version__, "torch": torch.__version__}}
    begun_s, path = elapsed_s(), path_of(kind, scenario, folder)
    path.parent.mkdir(parents=True, exist_ok=True)  # what cannot be written is told before hours of training
    best: tuple[list[Layer], dict[str, Any]] = ([], {"mean_delay_s": np.inf})

    def judge() -> None:
        """Write the best policy so far, with what has been spent so far."""
        nonlocal best
        layers, actions = layers_of(model), int(model.num_timesteps)
        delay_s = float(np.mean([_delay_s(Policy(layers, activation, about), env, each) for each in JUDGED_SEEDS]))
        print(f"after {actions} actions: {delay_s:.1f} s per vehicle; the best before: {best[1]['mean_delay_s']:.1f} s", flush=True)
        if delay_s < best[1]["mean_delay_s"]:
            best = layers, {"seeds": JUDGED_SEEDS, "mean_delay_s": delay_s, "after_actions": actions}
        hours = round(actions * env.simulation.setting.interval_s / 3600, 1)
        budget = {"actions": actions, "simulated_h": hours, "wall_min": round((elapsed_s() - begun_s) / 60, 1), "seed": seed}
        Policy(best[0], activation, {**about, "budget": budget, "judged": best[1]}).save(path)

    model.learn(steps, callback=_judging(judge), log_interval=10)
    judge()
    scaled.close()
    env.close()
    return path


def _delay_s(policy: Policy, env: JunctionEnv, seed: int) -> float:
    """Return the mean delay of an episode that the policy controls as it does in the bench."""
    seen, info = env.reset(seed=seed)
    while "figures" not in info:
        seen, _, _, _, info = env.step(policy.choose(seen))
    return float(info["figures"]["mean_delay_s"])


def _about(kind: str, env: JunctionEnv) -> dict[str, Any]:
    setting = env.simulation.setting
    view = {"names": list(env.view.names), "stages": list(env.view.stages)}
    return {
        "kind": kind,
        "scenario": setting.scenario,
        **view,
        "interval_s": setting.interval_s,
        "detection": setting.detection,
        "rules": setting.case(1, env.simulation.folder).rules,
        "insertion": setting.insertion,
        "algorithm": {"environments": SIDE_BY_SIDE[kind], **ALGORITHMS[kind]},
    }


def _judging(judge: Callable[[], None]) -> Any:
    """Return what Stable-Baselines3 calls at each step: it judges the policy now and then, so that neither an interruption nor a bad end loses it."""
    from stable_baselines3.common.callbacks import BaseCallback

    class Judging(BaseCallback):  # type: ignore[misc]  # its types are not looked at
        def _on_step(self) -> bool:
            if self.num_timesteps % JUDGED_EVERY == 0:
                judge()
            return True

    return Judging()


def _dqn_layers(model: Any) -> list[Layer]:
    return _linear(model.policy.q_net.q_net)


def _ppo_layers(model: Any) -> list[Layer]:
    return [*_linear(model.policy.mlp_extractor.policy_net), *_linear([model.policy.action_net])]


def _linear(modules: Any) -> list[Layer]:
    """Return copies of the weights and biases of the linear layers among torch modules, which training goes on to change."""
    found = [m for m in modules if hasattr(m, "weight")]
    return [(m.weight.detach().numpy().copy(), m.bias.detach().numpy().copy()) for m in found]


def main(arguments: list[str] | None = None) -> None:
    """Train by command line, and print what was written."""
    parser = argparse.ArgumentParser(description="Train a learned peer on one junction.")
    parser.add_argument("--kind", choices=sorted(ALGORITHMS), default="dqn")
    parser.add_argument("--scenario", default="resco/cologne1")
    parser.add_argument("--steps", type=int, default=86_400, help="actions; 720 are one hour at the interval of 5 s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where the policy goes; default: $UMLAUF_POLICIES, else beside the code")
    parser.add_argument("--end", type=float, default=None, help="end of each episode in seconds of simulation")
    given = parser.parse_args(arguments)
    options = {} if given.end is None else {"end_s": given.end}
    if given.steps < 1:
        parser.error(f"--steps: found {given.steps}, expected 1 or more")
    try:
        path = train(given.kind, given.scenario, given.steps, given.seed, given.folder, **options)
    except ModuleNotFoundError as error:
        parser.error(f"the Python module {error.name!r} is not installed; give this command by: make rl RL_ARGS='...'")
    except (UmlaufError, OSError) as error:
        parser.error(str(error))
    print(json.dumps({"policy": str(path)}))


if __name__ == "__main__":
    main()
