"""A trained policy as arrays: the layers of a small network, evaluated by numpy, so that who compares with it needs no torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from controller.errors import ConfigError, NotApplicableError

FOLDER: Final = Path(__file__).parent / "policies"
VARIABLE: Final = "UMLAUF_POLICIES"
Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weights (outputs x inputs) and biases (outputs)."""


def _relu(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.maximum(values, np.float32(0.0))


ACTIVATIONS: Final[Mapping[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]]] = {"tanh": np.tanh, "relu": _relu}


@dataclass(frozen=True)
class Policy:
    """Layers and what they were trained for: ``about`` holds scenario, names of the observations, stages, interval_s, detection and budget."""

    layers: Sequence[Layer]
    activation: str
    about: Mapping[str, Any]

    def choose(self, observation: NDArray[np.float32]) -> int:
        """Return the choice with the highest output (Q value, or logit of the policy)."""
        values = observation
        for weights, biases in self.layers[:-1]:
            values = ACTIVATIONS[self.activation](weights @ values + biases)
        weights, biases = self.layers[-1]
        return int(np.argmax(weights @ values + biases))

    def save(self, path: Path) -> None:
        """Write the policy as one .npz file without pickles."""
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {f"{kind}{index}": array for index, layer in enumerate(self.layers) for kind, array in zip(("weights", "biases"), layer, strict=True)}
        about = json.dumps({"activation": self.activation, "layers": len(self.layers), **self.about})
        np.savez_compressed(path, about=np.array(about), **arrays)  # type: ignore[arg-type]  # its signature names no arrays


def load_policy(path: Path) -> Policy:
    """Return the policy that `Policy.save` wrote. Raises `ConfigError` for any other file; nothing in it is executed."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            layers = [(file[f"weights{index}"], file[f"biases{index}"]) for index in range(about.pop("layers"))]
        return Policy(layers, about.pop("activation"), about)
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise ConfigError(f"{path}: expected a policy written by benchmarks.environments.train, found something else ({error})") from error


def path_of(kind: str, scenario: str, folder: Path | None = None) -> Path:
    """Return where the policy of a scenario is kept: in ``folder``, that of $UMLAUF_POLICIES, or beside this module."""
    root = folder or Path(os.environ.get(VARIABLE) or FOLDER)
    return root / f"{kind}-{scenario.replace('/', '-')}.npz"


def policies_code(kind: str) -> str:
    """Return a hash of the policies of a kind that control in a run, wherever they are kept."""
    digest = hashlib.sha256()
    for file in sorted(path_of(kind, "").parent.glob(f"{kind}-*.npz")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def policy_for(kind: str, scenario: str) -> Policy:
    """Return the policy that was trained on a scenario. Raises `NotApplicableError` naming those that there are."""
    path = path_of(kind, scenario)
    if not path.is_file():
        known = ", ".join(sorted(file.stem.removeprefix(f"{kind}-") for file in path.parent.glob(f"{kind}-*.npz"))) or "none"
        raise NotApplicableError(
            f"control {kind!r}: expected a policy trained on {scenario} in {path.parent}, found those of: {known}. "
            f"Train one, in a clone: make rl RL_ARGS='--kind {kind} --scenario {scenario}'"
        )
    return load_policy(path)
