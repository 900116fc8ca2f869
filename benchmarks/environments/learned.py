"""Learned peers: ``--control dqn`` and ``--control ppo`` are policies that were trained on the very scenario (`benchmarks.environments.train`).

They are registered as users' own controllers are, see the same numbers as in training, and choose as often.
"""

from __future__ import annotations

from typing import ClassVar

from benchmarks.environments.agents import StageAgent
from benchmarks.environments.policy import policy_for
from benchmarks.environments.views import View
from controller.errors import ControllerError
from controller.plan import Plan
from controller.snapshot import Snapshot
from scenarios.own_controllers import NodeTask


class Learned:
    """A saved policy in charge of one node. Raises `NotApplicableError` where none was trained on this scenario, `ControllerError` for another net or view."""

    kind: ClassVar[str] = ""

    def __init__(self, task: NodeTask) -> None:
        self._policy = policy_for(self.kind, task.scenario)
        self._view, self._agent = View(task.junction, task.node), StageAgent(task.node)
        if list(self._view.names) != list(self._policy.about["names"]):
            raise ControllerError(f"control {self.kind!r}: the policy of {task.scenario} was trained on another junction or view than this; train it again")
        self._interval_ms = 1000 * int(self._policy.about["interval_s"])
        self._due_ms: int | None = None

    def decide(self, view: Snapshot) -> Plan | None:
        """Return the policy's choice where its time has come, else nothing."""
        if self._due_ms is not None and view.now_ms < self._due_ms:
            return None
        self._due_ms = view.now_ms + self._interval_ms
        self._agent.submit(view)
        self._agent.act([self._policy.choose(self._view.observe(view))])
        return self._agent.poll()


class Dqn(Learned):
    """Deep Q-learning (Mnih et al. 2015)."""

    kind = "dqn"


class Ppo(Learned):
    """Proximal policy optimization (Schulman et al. 2017)."""

    kind = "ppo"
