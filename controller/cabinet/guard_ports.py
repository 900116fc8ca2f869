"""What the guard needs of the parts around it: the signals behind the last gate, the optimizer, the operator's doors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from controller.cabinet.status import Status
from controller.junction import Junction, Node
from controller.planner import Planner
from controller.supervisor import Event, Mode
from hardware.interlock import Phase
from hardware.ports import HeadPort
from hardware.signals import Aspect


class Signals(HeadPort, Protocol):
    """Signal heads behind the interlock, or a controller that is driven like some."""

    @property
    def refusals(self) -> int:
        """Return how often the last gate has refused."""
        ...

    @property
    def phase(self) -> Phase:
        """Return where the last gate stands: latched, after a refusal, means that nothing but red is shown until `resume`."""
        ...

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        """Return what is shown."""
        ...

    def ready(self, now_ms: int) -> bool:
        """Tell whether the signals may be switched off."""
        ...

    def resume(self, now_ms: int) -> None:
        """Leave the latched phase after a refusal."""
        ...

    def stop(self, now_ms: int) -> bool:
        """Go one step on the safe way to red, or release the controller; tell whether that is done."""
        ...


class Service(Protocol):
    """What the guard serves beside control: the operator's socket, metrics. Neither call blocks or raises."""

    def poll(self, now_ms: int) -> tuple[str, ...]:
        """Do what is waiting, for a few milliseconds at most; return what the guard should record."""
        ...

    def publish(self, status: Status, now_ms: int) -> None:
        """Take the newest status, once a second."""
        ...

    def close(self) -> None:
        """Close all doors."""
        ...


class Told(NamedTuple):
    """What a planner remembered before it was asked in a tick."""

    node: str
    planner: str
    tick: int
    memory: Mapping[str, object]


class Optimizer(Protocol):
    """The process of the optimizing planners, as the guard sees it."""

    state: str  # ready, starting, lost
    heard_ms: int  # when it last answered
    counts: dict[str, int]  # by metric name

    def planners(self, junction: Junction, node: Node) -> Mapping[Mode, Planner]:
        """Return the node's planners behind the pipe."""
        ...

    def poll(self, now_ms: int) -> Sequence[tuple[Event | None, str]]:
        """Exchange what can be without waiting; return what happened: an event for the supervisors, or only something to record."""
        ...

    def remember(self) -> None:
        """Have each planner tell anew what it remembers: a journal's file begins."""
        ...

    def memories(self) -> Sequence[Told]:
        """Return what planners have told of their memory since the last call."""
        ...

    def close(self) -> None:
        """End the process."""
        ...
