"""Users' own controllers: one small class decides for a node, registered under the entry-point group ``umlauf.controllers``.

Our sequencer, interlock and detection stand between it and the lights, as with every other control. One that raises or returns
nonsense fails its run (`ControllerError`): figures of a fallback would pass for its own. How to write one: docs/OWN_CONTROLLER.md.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Final, Protocol, cast

from controller.cli_commands import source_path
from controller.errors import ConfigError, ControllerError, MissingError, NotApplicableError
from controller.junction import Junction, Node
from controller.plan import Plan, PlanStep
from controller.planner import Mailbox
from controller.snapshot import Snapshot

GROUP: Final = "umlauf.controllers"
WRITTEN: Final = re.compile(r"[\w.]+\s*:\s*[\w.]+\s*(\[.*\])?")
CORRECT: Final = f'correct it under [project.entry-points."{GROUP}"] in its pyproject.toml (NAME = "MODULE:CLASS") and install it again (pip install -e .)'
RAISED: Final = (Exception, SystemExit)  # sys.exit() in a user's code must end neither the process nor the campaign


@dataclass(frozen=True)
class NodeTask:
    """What a controller is made for: one partial node of a junction, in which scenario, with which seed."""

    junction: Junction
    node: Node
    scenario: str
    seed: int


class OwnController(Protocol):
    """What a registered class must have beside a constructor that takes a `NodeTask`."""

    def decide(self, view: Snapshot) -> str | int | Plan | None:
        """Return, once a second, the stage to show (its id, or its index among ``task.node.stages``), a `Plan`, or None to leave all as it is."""
        ...


ControllerClass = Callable[[NodeTask], OwnController]


def own_controllers() -> dict[str, EntryPoint]:
    """Return the registered controllers by name, of several of one name the first; `registered` tells of the others."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, point)
    return found


def registered(name: str) -> EntryPoint:
    """Return the controller of this name. Raises `ConfigError` where two distributions register it for different classes."""
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    values = list(dict.fromkeys(point.value for point in points))
    if len(values) > 1:
        raise ConfigError(f"controller {name!r} is registered twice, as {values[0]} and as {values[1]}; rename or uninstall one of them")
    return points[0]


def load_own(name: str) -> ControllerClass:
    """Return the class of a registered controller. Raises `MissingError` or `ControllerError` where it cannot be loaded."""
    point = registered(name)
    entry = f"control {name!r}: its entry point {point.value!r}" + (f" (of the distribution {point.dist.name})" if point.dist is not None else "")
    if not _is_written(point):
        raise ControllerError(f"{entry} is not MODULE:CLASS; {CORRECT}")
    loaded: object = _module(name, point, entry)
    path = point.module
    for part in point.attr.split("."):
        if not hasattr(loaded, part):
            raise ControllerError(f"{entry} names what does not exist: {_without(loaded, path, part)}; {CORRECT}")
        path = f"{path}.{part}"
        loaded = getattr(loaded, part)
    if not callable(getattr(loaded, "decide", None)):
        raise ControllerError(f"control {name!r}: expected {point.value} to be a class with a method decide(view), found {loaded!r}")
    return cast(ControllerClass, loaded)


def _is_written(point: EntryPoint) -> bool:
    """Tell whether the entry point is written as it should be; of another the module cannot even be asked for."""
    return WRITTEN.fullmatch(point.value.strip()) is not None


def _module(name: str, point: EntryPoint, entry: str) -> ModuleType:
    try:
        return import_module(point.module)
    except ModuleNotFoundError as error:
        if f"{point.module}.".startswith(f"{error.name}."):
            raise MissingError(f"{entry} names the module {error.name}, which Python does not find; {CORRECT}") from error
        needs = f"control {name!r}: its module {point.module} needs the Python module {error.name!r}, which is not installed{_place(error)}"
        raise MissingError(f"{needs}; install it into the environment of umlauf") from error
    except RAISED as error:
        raise ControllerError(f"control {name!r}: {point.value} cannot be loaded: {_told(error)}") from error


def _without(owner: object, path: str, name: str) -> str:
    """Return in words that the module, or class, has no such name, and which it might have been."""
    file = getattr(owner, "__file__", None)
    what = f"module {path} ({file})" if file else path
    deciding = [known for known, value in vars(owner).items() if callable(getattr(value, "decide", None))]
    near = difflib.get_close_matches(name, vars(owner), n=1)
    if near:
        return f"{what} has no {name!r} (did you mean {near[0]!r}?)"
    return f"{what} has no {name!r}" + (f", but these with a method decide(): {', '.join(deciding)}" if deciding else "")


def code_of(name: str) -> str:
    """Return a hash of a registered controller's own files: its package's, or its module's where it is in none."""
    point = registered(name)
    digest = hashlib.sha256(point.value.encode())
    path = source_path(point.module) if _is_written(point) else None
    if path is not None:
        package = "." in point.module or path.name == "__init__.py"
        files = sorted(p for p in path.parent.rglob("*") if p.is_file() and "__pycache__" not in p.parts) if package else [path]
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


class OwnPlanner(Mailbox):
    """Asks a user's controller for one node and makes a plan of its answer."""

    def __init__(self, name: str, make: ControllerClass, task: NodeTask) -> None:
        self.name = name
        self._where = f"control {name!r}, junction {task.junction.id}, node {task.node.id}"
        self._stages = tuple(stage.id for stage in task.node.stages)
        self._begun = False
        try:
            self._own = make(task)
        except NotApplicableError:
            raise
        except RAISED as error:
            raise ControllerError(f"{self._where}: its constructor raised {_told(error)}") from error

    def submit(self, snapshot: Snapshot) -> None:
        """Take the controller's answer. Raises `ControllerError` where it raises or answers nonsense."""
        try:
            answer = self._own.decide(snapshot)
        except RAISED as error:
            raise ControllerError(f"{self._where}: decide() raised at {snapshot.now_ms / 1000:g} s: {_told(error)}") from error
        if answer is not None:
            self._plan = self._checked(answer, snapshot)
        elif not self._begun:
            self._plan = self._show(snapshot.signals.stage, snapshot)  # the lights stay red until somebody wants a stage
        self._begun = True

    def _checked(self, answer: object, snapshot: Snapshot) -> Plan:
        match answer:
            case Plan(steps=steps) if steps and all(self._known(s.stage) and isinstance(s.until_ms, int | None) for s in steps):
                return answer
            case str() if answer in self._stages:
                return self._show(self._stages.index(answer), snapshot)
            case int() if self._known(answer):
                return self._show(answer, snapshot)
        expected = f"one of the stages {', '.join(self._stages)}, an index from 0 to {len(self._stages) - 1}, a Plan of these, or None"
        raise ControllerError(f"{self._where}: decide() returned {answer!r} at {snapshot.now_ms / 1000:g} s, expected {expected}")

    def _known(self, stage: object) -> bool:
        return isinstance(stage, int) and not isinstance(stage, bool) and 0 <= stage < len(self._stages)

    def _show(self, stage: int, snapshot: Snapshot) -> Plan:
        return Plan(self.name, snapshot.now_ms, (PlanStep(stage, None),), f"{self.name}: wants stage {self._stages[stage]}")


def _told(error: BaseException) -> str:
    """Return the error's kind and text, and where in the user's file it was raised."""
    return f"{type(error).__name__}: {error}{_place(error)}"


def _place(error: BaseException) -> str:
    """Return where an error of the user's code was raised; empty where it was before any line of it, as in a file that is no Python."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)[1:] if not is_of_the_import(frame.filename)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def is_of_the_import(file: str) -> bool:
    """Tell whether a frame of this file is of Python's import, and not of what is imported."""
    return file.startswith("<frozen importlib") or Path(file).parent.name == "importlib"
