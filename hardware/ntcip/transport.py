"""How values get to a controller and back: the protocol of all transports, what an agent may answer, and the way without a wire.

A `Transport` is used by one thread at a time and blocks until there is an answer or none. `snmp.SnmpTransport` leads over UDP, `InProcess`
straight to anything with ``get`` and ``set``: the simulated controller, to which our SNMP agent leads as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from hardware.ntcip.objects import Oid, Value, dotted
from hardware.ports import PortError

Pair = tuple[Oid, Value]


class ErrorStatus(StrEnum):
    """Why an agent refused, in the words of SNMPv1 (RFC 1157, 4.1.1); what v2c says more precisely is mapped to these."""

    TOO_BIG = "tooBig"
    NO_SUCH_NAME = "noSuchName"
    BAD_VALUE = "badValue"
    READ_ONLY = "readOnly"
    GEN_ERR = "genErr"


class NoAnswerError(PortError):
    """Nothing came back, though it was asked again: the request may have been done or not."""


class OlderEngineError(NoAnswerError):
    """What came back was said by an engine of SNMPv3 whose clock has gone back: it is not used (RFC 3414, 3.2 step 7b)."""


class ObjectError(PortError):
    """The agent answered, and refused the request; ``status`` says why, ``oid`` which object, None where it is the whole request."""

    def __init__(self, status: ErrorStatus, oid: Oid | None = None, where: str = "") -> None:
        what = "request" if oid is None else f"object {dotted(oid)}"
        super().__init__(f"{where + ': ' if where else ''}{what}: expected an answer, found {status}")
        self.status, self.oid = status, oid


class Transport(Protocol):
    """A way to one controller."""

    most_per_request: int  # how many objects one request may name

    def get_many(self, oids: Sequence[Oid]) -> Sequence[Value]:
        """Return the objects' values, in as many requests as are needed. Raises `NoAnswerError`, `ObjectError` on a refusal, `PortError` for nonsense."""
        ...

    def set_many(self, pairs: Sequence[Pair]) -> None:
        """Write all in one request, of which an agent does all or nothing (RFC 1157, 4.1.5). Raises as `get_many`, and tooBig for too many pairs."""
        ...

    def close(self) -> None:
        """Let go of sockets and threads."""
        ...


class Agent(Protocol):
    """What stands behind a transport: values by OID. Both raise `ObjectError`; ``set`` does all or nothing."""

    def get(self, oid: Oid) -> Value:
        """Return one value."""
        ...

    def set(self, pairs: Sequence[Pair]) -> None:
        """Write all pairs."""
        ...


class InProcess:
    """Straight to an agent in the same process, for accelerated worlds and tests. ``mute`` makes it lose every answer."""

    def __init__(self, agent: Agent, *, most_per_request: int = 24) -> None:
        self._agent = agent
        self.most_per_request = most_per_request
        self.mute = False

    def get_many(self, oids: Sequence[Oid]) -> Sequence[Value]:
        """Return the agent's values."""
        self._listen()
        return [self._agent.get(oid) for oid in oids]

    def set_many(self, pairs: Sequence[Pair]) -> None:
        """Write to the agent."""
        self._listen()
        if len(pairs) > self.most_per_request:
            raise ObjectError(ErrorStatus.TOO_BIG)
        self._agent.set(pairs)

    def close(self) -> None:
        """Do nothing: there is nothing to let go."""

    def _listen(self) -> None:
        if self.mute:
            raise NoAnswerError("controller in this process: no answer; set mute to False")
