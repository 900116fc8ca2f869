"""A network of junctions as a PettingZoo `ParallelEnv`: one agent for each partial node, all act at once."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from benchmarks.environments.agents import Actions, choices
from benchmarks.environments.link import Setting, Simulation

Observations = dict[str, NDArray[np.float32]]
Infos = dict[str, dict[str, Any]]


class NetworkEnv(ParallelEnv):  # type: ignore[misc]  # PettingZoo has no types
    """All junctions of a scenario. The options are those of `Setting`.

    The metric is one of the whole network, so each agent is given the same reward: what was lost since the last action, by the number of
    agents. The sum over agents and steps is minus the published metric times the number of vehicles. ``infos`` are as in `JunctionEnv`.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "umlauf_network_v0", "is_parallelizable": True, "render_modes": []}

    def __init__(self, scenario: str = "resco/cologne3", **options: Any) -> None:
        self.render_mode = None
        self.simulation = Simulation(Setting(scenario, **options))
        self.views = {seat.name: seat.view for seat in self.simulation.seats}
        self.possible_agents = list(self.views)
        self.agents: list[str] = []
        actions = Actions(self.simulation.setting.actions)
        counts = {name: choices(actions, len(view.stages)) for name, view in self.views.items()}
        self.action_spaces = {
            name: spaces.Discrete(count[0]) if actions is Actions.STAGE else spaces.MultiDiscrete(list(count)) for name, count in counts.items()
        }
        self.observation_spaces = {name: spaces.Box(0.0, 1.0, (len(view.names),), np.float32) for name, view in self.views.items()}
        self._random, _ = seeding.np_random()

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Return the agent's space, always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return the agent's space, always the same object."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observations, Infos]:  # noqa: ARG002
        """Begin an episode; without a seed the next one of a random row."""
        if seed is not None:
            self._random, _ = seeding.np_random(seed)
        reply = self.simulation.open(seed if seed is not None else int(self._random.integers(1, 2**31 - 1)))
        self.agents = list(self.possible_agents)
        return self._seen(reply), self._infos(reply)

    def step(self, actions: dict[str, Any]) -> tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Act for one interval with all agents; one that is not named keeps what it shows. Raises as `JunctionEnv.step`."""
        reply = self.simulation.act(actions)
        share = float(reply["reward"] + reply.get("rest", 0.0)) / len(self.possible_agents)
        found = (
            self._seen(reply),
            dict.fromkeys(self.possible_agents, share),
            dict.fromkeys(self.possible_agents, reply["terminated"]),
            dict.fromkeys(self.possible_agents, reply["truncated"]),
            self._infos(reply),
        )
        if "figures" in reply:
            self.agents = []
        return found

    def close(self) -> None:
        """End the simulation."""
        self.simulation.close()

    def _seen(self, reply: dict[str, Any]) -> Observations:
        return {name: np.array(told["observation"], dtype=np.float32) for name, told in reply["agents"].items()}

    def _infos(self, reply: dict[str, Any]) -> Infos:
        infos: Infos = {}
        for name, told in reply["agents"].items():
            mask = np.concatenate([np.array(part, dtype=np.int8) for part in told["mask"]])
            infos[name] = {"action_mask": mask, "at_s": reply["at_ms"] / 1000}
            if "followed" in reply:
                infos[name]["held_back"] = not reply["followed"].get(name, True)
            if "figures" in reply:
                infos[name] |= {"figures": reply["figures"], "rest": reply["rest"]}
        return infos
