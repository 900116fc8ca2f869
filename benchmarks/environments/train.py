"""Train a learned peer: ``python -m benchmarks.environments.train --kind dqn --scenario resco/cologne1 --steps 21600`` (extra ``rl``).

Stable-Baselines3's own algorithms and networks of two layers of 64, on the CPU. The policy is written as arrays (`benchmarks.environments.policy`),
with the budget that it was given. Training is not exactly repeatable on another machine; running a saved policy is.
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

REWARD_SCALE: Final = 0.01  # vehicle seconds of one interval are some hundreds
KEPT_EVERY: Final = 720  # actions
SEEDS_FROM: Final = 1_000  # episodes have other seeds than those that are measured
ALGORITHMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "dqn": {
        "learning_rate": 5e-4,
        "buffer_size": 50_000,
        "learning_starts": 720,
        "batch_size": 64,
        "gamma": 0.97,
        "train_freq": 1,
        "target_update_interval": 500,
        "exploration_fraction": 0.4,
        "exploration_final_eps": 0.02,
    },
    "ppo": {"learning_rate": 1e-3, "n_steps": 720, "batch_size": 90, "n_epochs": 10, "gamma": 0.97, "gae_lambda": 0.9, "ent_coef": 0.01},
}


def train(kind: str, scenario: str, steps: int, seed: int, folder: Path | None, **options: Any) -> Path:
    """Train for ``steps`` actions and return where the policy is. Raises `UmlaufError` where the scenario is no single junction."""
    import gymnasium
    import stable_baselines3
    import torch

    torch.set_num_threads(1)
    env = JunctionEnv(scenario, **options)
    env.reset(seed=SEEDS_FROM + seed)  # the row that the episodes' seeds are drawn from
    scaled = gymnasium.wrappers.TransformReward(env, lambda reward: REWARD_SCALE * float(reward))
    monitored = stable_baselines3.common.monitor.Monitor(scaled)
    make = {"dqn": stable_baselines3.DQN, "ppo": stable_baselines3.PPO}[kind]
    policy_options = {"net_arch": [64, 64]}
    model = make("MlpPolicy", monitored, policy_kwargs=policy_options, seed=seed, device="cpu", verbose=1, **ALGORITHMS[kind])
    begun_s, path = elapsed_s(), path_of(kind, scenario, folder)
    versions = {"stable_baselines3": stable_baselines3.__version__, "torch": torch.__version__}

    def keep(actions: int) -> None:
        budget = {"actions": actions, "wall_min": round((elapsed_s() - begun_s) / 60, 1), "seed": seed}
        layers, activation = (_dqn_layers(model), "relu") if kind == "dqn" else (_ppo_layers(model), "tanh")
        Policy(layers, activation, {**_about(kind, env), "budget": budget, "versions": versions}).save(path)

    model.learn(steps, callback=_keeping(keep), log_interval=1 if kind == "ppo" else 4)
    keep(model.num_timesteps)
    env.close()
    return path


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
        "algorithm": dict(ALGORITHMS[kind]),
    }


def _keeping(keep: Callable[[int], None]) -> Any:
    """Return what Stable-Baselines3 calls at each step: it keeps the policy now and then, so that an interrupted training is not lost."""
    from stable_baselines3.common.callbacks import BaseCallback

    class Keeping(BaseCallback):  # type: ignore[misc]  # its types are not looked at
        def _on_step(self) -> bool:
            if self.num_timesteps % KEPT_EVERY == 0:
                keep(self.num_timesteps)
            return True

    return Keeping()


def _dqn_layers(model: Any) -> list[Layer]:
    return _linear(model.policy.q_net.q_net)


def _ppo_layers(model: Any) -> list[Layer]:
    return [*_linear(model.policy.mlp_extractor.policy_net), *_linear([model.policy.action_net])]


def _linear(modules: Any) -> list[Layer]:
    """Return weights and biases of the linear layers among torch modules."""
    found = [m for m in modules if hasattr(m, "weight")]
    return [(m.weight.detach().numpy().astype(np.float32), m.bias.detach().numpy().astype(np.float32)) for m in found]


def main(arguments: list[str] | None = None) -> None:
    """Train by command line, and print what was written."""
    parser = argparse.ArgumentParser(description="Train a learned peer on one junction.")
    parser.add_argument("--kind", choices=sorted(ALGORITHMS), default="dqn")
    parser.add_argument("--scenario", default="resco/cologne1")
    parser.add_argument("--steps", type=int, default=21_600, help="actions; 720 are one hour at the interval of 5 s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where the policy goes; default: $UMLAUF_POLICIES, else beside the code")
    parser.add_argument("--end", type=float, default=None, help="end of each episode in seconds of simulation")
    given = parser.parse_args(arguments)
    options = {} if given.end is None else {"end_s": given.end}
    path = train(given.kind, given.scenario, given.steps, given.seed, given.folder, **options)
    print(json.dumps({"policy": str(path)}))


if __name__ == "__main__":
    main()
