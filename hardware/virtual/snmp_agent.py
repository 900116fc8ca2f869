"""An SNMP agent (v1, v2c, and v3 for a user) over UDP before a virtual controller, by pysnmp, in a thread of its own.

pysnmp keeps the message formats; what may be read and written is the controller's. GET, GETNEXT and GETBULK read, SET does all or
nothing. Errors are told as RFC 3416 does, which pysnmp translates for v1 (noSuchName, badValue; RFC 3584, 4.4).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Event, Thread
from typing import Any, Final, Protocol

from pyasn1.type import univ
from pysnmp.carrier.asyncio.dgram import udp, udp6
from pysnmp.entity import config
from pysnmp.entity.engine import SnmpEngine
from pysnmp.entity.rfc3413 import cmdrsp, context
from pysnmp.proto.api import v2c
from pysnmp.proto.rfc1902 import Integer32, OctetString, TimeTicks
from pysnmp.proto.rfc1905 import EndOfMibView, NoSuchInstance
from pysnmp.smi.instrum import AbstractMibInstrumController

from hardware.ntcip.access import Community, User, place_of
from hardware.ntcip.objects import Oid, Value
from hardware.ntcip.snmp import add_user
from hardware.ntcip.transport import ErrorStatus, ObjectError, Pair
from hardware.ports import PortError

SYS_UP_TIME: Final = (1, 3, 6, 1, 2, 1, 1, 3, 0)
ROOT: Final = (1, 3, 6)
MODELS: Final = (1, 2)  # SNMPv1 and v2c, as pysnmp numbers them
MODEL_3: Final = 3
# What a failed SET says (RFC 3416, 4.2.5).
SET_STATUS: Final = {
    ErrorStatus.NO_SUCH_NAME: "noCreation",
    ErrorStatus.READ_ONLY: "notWritable",
    ErrorStatus.BAD_VALUE: "wrongValue",
    ErrorStatus.GEN_ERR: "genErr",
    ErrorStatus.TOO_BIG: "tooBig",
}


class Tree(Protocol):
    """What stands behind the agent. Each raises `ObjectError`."""

    def get(self, oid: Oid) -> Value:
        """Return one value."""
        ...

    def get_next(self, oid: Oid) -> tuple[Oid, Value] | None:
        """Return the first object behind ``oid``, None at the end."""
        ...

    def set(self, pairs: Sequence[Pair]) -> None:
        """Write all pairs or none."""
        ...


class SnmpAgent:
    """The agent. ``lock`` is held while the tree is asked. ``mute``: it hears and does nothing; ``requests`` counts what it answered.

    Whoever knows ``community`` is let in by v1 and v2c; with a ``user`` nobody is, and that user by v3 with authentication and privacy.
    """

    def __init__(
        self,
        tree: Tree,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        community: str = "public",
        user: User | None = None,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        """Listen at ``host`` and ``port`` (0: any free one). Raises `PortError` where that cannot be."""
        self._tree, self._lock = tree, lock or nullcontext()
        self.mute = False
        self.requests = 0
        self._v6 = ":" in host
        self._socket = socket.socket(socket.AF_INET6 if self._v6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise PortError(f"snmp agent: cannot listen at {place_of(host, port)} ({error.strerror}); choose another port") from error
        self.port = int(self._socket.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._ready = Event()
        self._thread = Thread(target=self._run, args=(user or Community(community),), name="snmp agent", daemon=True)
        self._thread.start()
        self._ready.wait()

    def close(self) -> None:
        """Stop listening and end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end)
            self._thread.join()
            self._loop.close()

    def _run(self, access: Community | User) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._open, access)
        self._loop.run_forever()

    def _open(self, access: Community | User) -> None:
        self._engine = engine = SnmpEngine()
        if self._v6:
            config.add_transport(engine, udp6.DOMAIN_NAME, udp6.Udp6AsyncioTransport().open_server_mode(sock=self._socket))
        else:
            config.add_transport(engine, udp.DOMAIN_NAME, udp.UdpAsyncioTransport().open_server_mode(sock=self._socket))
        if isinstance(access, User):
            add_user(engine, access)
            config.add_vacm_user(engine, MODEL_3, access.name, "authPriv", ROOT, ROOT)
        else:
            config.add_v1_system(engine, "virtual", access.name.encode())
            for model in MODELS:
                config.add_vacm_user(engine, model, "virtual", "noAuthNoPriv", ROOT, ROOT)
        names = context.SnmpContext(engine)
        names.unregister_context_name(v2c.OctetString(""))
        names.register_context_name(v2c.OctetString(""), _Instrument(self))
        for responder in (_Get, _Next, _Bulk, _Set):
            responder(engine, names, self)
        self._loop.call_soon(self._ready.set)

    def _end(self) -> None:
        self._engine.close_dispatcher()
        self._loop.call_soon(self._loop.stop)

    def read(self, oid: Oid) -> Any:
        """Return a value as pysnmp wants it, noSuchInstance where there is none."""
        try:
            with self._lock:
                value = self._tree.get(oid)
        except ObjectError:
            return NoSuchInstance()
        return _typed(oid, value)

    def read_next(self, oid: Oid) -> tuple[Oid, Any]:
        """Return the first object behind one as pysnmp wants it."""
        with self._lock:
            found = self._tree.get_next(oid)
        return (oid, EndOfMibView()) if found is None else (found[0], _typed(*found))

    def write(self, pairs: Sequence[Pair]) -> None:
        """Write. Raises `ObjectError`."""
        with self._lock:
            self._tree.set(pairs)


def _typed(oid: Oid, value: Value) -> Any:
    if isinstance(value, bytes):
        return OctetString(value)
    return TimeTicks(value) if oid == SYS_UP_TIME else Integer32(value)


class _Instrument(AbstractMibInstrumController):  # type: ignore[misc]
    """What pysnmp's own responders read from."""

    def __init__(self, agent: SnmpAgent) -> None:
        self._agent = agent

    def read_variables(self, *bound: Any, **_: Any) -> list[tuple[Any, Any]]:
        return [(name, self._agent.read(tuple(name))) for name, _value in bound]

    def read_next_variables(self, *bound: Any, **_: Any) -> list[tuple[Any, Any]]:
        return [self._agent.read_next(tuple(name)) for name, _value in bound]


class _Counted:
    """Counts requests, and drops them while the agent is mute."""

    cbCtx: SnmpAgent  # noqa: N815 - pysnmp's name for what a responder was given

    def handle_management_operation(self, engine: Any, reference: Any, name: Any, pdu: Any) -> None:
        if self.cbCtx.mute:
            return
        self.cbCtx.requests += 1
        super().handle_management_operation(engine, reference, name, pdu)  # type: ignore[misc]


class _Get(_Counted, cmdrsp.GetCommandResponder):  # type: ignore[misc]
    pass


class _Next(_Counted, cmdrsp.NextCommandResponder):  # type: ignore[misc]
    pass


class _Bulk(_Counted, cmdrsp.BulkCommandResponder):  # type: ignore[misc]
    pass


class _Write(cmdrsp.SetCommandResponder):  # type: ignore[misc]
    """Answers SET itself, for pysnmp would name the first object where a later one is at fault."""

    cbCtx: SnmpAgent  # noqa: N815

    def handle_management_operation(self, engine: Any, reference: Any, name: Any, pdu: Any) -> None:
        del name
        bound = v2c.apiPDU.get_varbinds(pdu)
        status, index = 0, 0
        try:
            self.cbCtx.write([(tuple(oid), _plain(tuple(oid), value)) for oid, value in bound])
        except ObjectError as error:
            names = [tuple(oid) for oid, _ in bound]
            index = names.index(error.oid) + 1 if error.oid in names else 0
            self.send_varbinds(engine, reference, SET_STATUS[error.status], index, bound)
        else:
            self.send_varbinds(engine, reference, status, index, bound)
        self.release_state_information(reference)


class _Set(_Counted, _Write):
    pass


def _plain(oid: Oid, value: Any) -> Value:
    if isinstance(value, univ.Integer):
        return int(value)
    if isinstance(value, univ.OctetString):
        return bytes(value)
    raise ObjectError(ErrorStatus.BAD_VALUE, oid)
