"""``umlauf/Junction-v0``: one junction as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from benchmarks.environments.agents import Actions, choices
from benchmarks.environments.link import Setting, Simulation
from controller.errors import ConfigError

Action = np.int64 | int | NDArray[np.int64]


class JunctionEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """One junction of a scenario that has one light with one node. The options are those of `Setting`.

    The reward is minus the vehicle seconds lost since the last action, so that an episode's sum is minus the published metric times the
    number of vehicles. An episode is truncated when the scenario's time is over, and terminated when the last vehicle has left. ``info``:
    ``action_mask``, ``held_back`` (the action was not allowed and nothing was changed), ``at_s``, and at the end ``figures``. Raises
    `ConfigError` for a scenario with more agents than one.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(self, scenario: str = "resco/cologne1", **options: Any) -> None:
        self.simulation = Simulation(Setting(scenario, **options))
        seats = self.simulation.seats
        if len(seats) != 1:
            self.simulation.close()
            raise ConfigError(f"{scenario}: expected one junction with one node, found {len(seats)}; use benchmarks.environments.network_env.NetworkEnv")
        self.agent, self.view = seats[0].name, seats[0].view
        self.actions = Actions(self.simulation.setting.actions)
        count = choices(self.actions, len(self.view.stages))
        self.action_space = spaces.Discrete(count[0]) if self.actions is Actions.STAGE else spaces.MultiDiscrete(list(count))
        self.observation_space = spaces.Box(0.0, 1.0, (len(self.view.names),), np.float32)
        self._mask: list[list[bool]] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode; without a seed the next one of a random row."""
        super().reset(seed=seed, options=options)
        reply = self.simulation.open(seed if seed is not None else int(self.np_random.integers(1, 2**31 - 1)))
        return self._seen(reply), self._info(reply)

    def step(self, action: Action) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Act for one interval. Raises `ConfigError` for what is no action, `SimulationError` before `reset` and after the end."""
        reply = self.simulation.act({self.agent: action})
        return self._seen(reply), float(reply["reward"] + reply.get("rest", 0.0)), reply["terminated"], reply["truncated"], self._info(reply)

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions would be followed now, all choices in one row, as sb3-contrib's maskable algorithms want it."""
        if not self._mask:
            self.simulation.need_episode()
        return np.concatenate([np.array(part, dtype=np.bool_) for part in self._mask])

    def close(self) -> None:
        """End the simulation."""
        self.simulation.close()

    def _seen(self, reply: dict[str, Any]) -> NDArray[np.float32]:
        told = reply["agents"][self.agent]
        self._mask = told["mask"]
        return np.array(told["observation"], dtype=np.float32)

    def _info(self, reply: dict[str, Any]) -> dict[str, Any]:
        info = {"action_mask": self.action_masks().astype(np.int8), "at_s": reply["at_ms"] / 1000}
        if "followed" in reply:
            info["held_back"] = not reply["followed"][self.agent]
        if "figures" in reply:
            info |= {"figures": reply["figures"], "rest": reply["rest"]}
        return info
