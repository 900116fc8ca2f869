"""Importing this registers ``umlauf/Junction-v0`` with Gymnasium, which looks for no entry points any more.

``gymnasium.make("benchmarks.environments.registration:umlauf/Junction-v0")`` imports and makes it in one go.
"""

from __future__ import annotations

from typing import Final

from gymnasium.envs.registration import register

JUNCTION: Final = "umlauf/Junction-v0"

register(id=JUNCTION, entry_point="benchmarks.environments.junction_env:JunctionEnv")
