"""SNMP over UDP with pysnmp: one engine and one event loop for the life of the transport, in a thread of its own.

The engine is never made anew, because each one leaks what it had learned. Lost datagrams are asked for again; a late or doubled answer
finds no request that waits for it and is dropped by pysnmp, and so is what is no SNMP at all.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from importlib.util import find_spec
from typing import Any, Final, TypeVar

from pyasn1.type import univ
from pysnmp.carrier.asyncio.dgram import udp, udp6
from pysnmp.entity import config
from pysnmp.entity.engine import SnmpEngine
from pysnmp.entity.rfc3413 import cmdgen
from pysnmp.error import PySnmpError
from pysnmp.proto import errind
from pysnmp.proto.mpmod.rfc3412 import SnmpV3MessageProcessingModel
from pysnmp.proto.rfc1902 import Integer32, OctetString
from pysnmp.proto.rfc1905 import EndOfMibView, NoSuchInstance, NoSuchObject

from hardware.ntcip.access import Community, User, place_of
from hardware.ntcip.engine_clock import EngineClocks
from hardware.ntcip.objects import Oid, Value, dotted
from hardware.ntcip.quirks import Quirks
from hardware.ntcip.transport import ErrorStatus, NoAnswerError, ObjectError, OlderEngineError, Pair
from hardware.ports import PortError

NAME: Final = "umlauf"  # of the one target in pysnmp's own tables
T = TypeVar("T")

CHECK_COMMUNITY: Final = "address, port, SNMP version, community and cable"
CHECK_USER: Final = "address, port, priv_secret_file, cable, and that the controller speaks SNMPv3"
GRACE_S: Final = 2.0  # beyond all retries, before the engine itself counts as stuck
OPEN_S: Final = 30.0  # asks nobody, but builds an engine and derives keys, which a busy machine takes seconds for
MODELS: Final = {"1": 0, "2c": 1, "3": 3}  # pysnmp's numbers of the message processing models (RFC 3412, 7)
AUTH: Final = {
    "SHA-224": config.USM_AUTH_HMAC128_SHA224,
    "SHA-256": config.USM_AUTH_HMAC192_SHA256,
    "SHA-384": config.USM_AUTH_HMAC256_SHA384,
    "SHA-512": config.USM_AUTH_HMAC384_SHA512,
}
# What a report of SNMPv3 says (RFC 3414, 3.2), and how to mend it. A wrong priv_secret_file finds silence at most agents, for it decrypts to noise.
REFUSED: Final[Mapping[type[errind.ErrorIndication], str]] = {
    errind.WrongDigest: "it does not accept the authentication; check auth_secret_file and auth_protocol",
    errind.AuthenticationFailure: "it does not accept the authentication; check auth_secret_file and auth_protocol",
    errind.UnknownUserName: "it does not know the user; check user, and that the controller has it",
    errind.UnknownSecurityName: "it does not know the user; check user, and that the controller has it",
    errind.UnsupportedSecurityLevel: "it lets the user in only otherwise; set the user up with authentication and privacy (authPriv)",
    errind.DecryptionError: "it could not decrypt the request; check priv_secret_file, and that the user's privacy is AES (128 bits)",
    errind.NotInTimeWindow: "it holds our clock of it for wrong; where this lasts, restart the controller's SNMP agent",
    errind.UnknownEngineID: "another agent answers than before; where it was replaced, it is found anew at the next request",
}
# What v2c says instead of v1's five words (RFC 3584, 4.4).
STATUS: Final = {
    1: ErrorStatus.TOO_BIG,
    2: ErrorStatus.NO_SUCH_NAME,
    3: ErrorStatus.BAD_VALUE,
    4: ErrorStatus.READ_ONLY,
    6: ErrorStatus.NO_SUCH_NAME,  # noAccess
    7: ErrorStatus.BAD_VALUE,  # wrongType
    8: ErrorStatus.BAD_VALUE,  # wrongLength
    9: ErrorStatus.BAD_VALUE,  # wrongEncoding
    10: ErrorStatus.BAD_VALUE,  # wrongValue
    11: ErrorStatus.NO_SUCH_NAME,  # noCreation
    12: ErrorStatus.BAD_VALUE,  # inconsistentValue
    17: ErrorStatus.READ_ONLY,  # notWritable
    18: ErrorStatus.NO_SUCH_NAME,  # inconsistentName
}
ABSENT: Final = (NoSuchObject, NoSuchInstance, EndOfMibView)


class SnmpTransport:
    """The way to one agent. ``bare``: the OIDs that go without their instance 0. The secrets of ``access`` are kept here and shown nowhere."""

    def __init__(
        self, host: str, access: Community | User, quirks: Quirks, *, timeout_ms: int = 500, retries: int = 2, bare: frozenset[Oid] = frozenset()
    ) -> None:
        if quirks.version not in MODELS:
            raise PortError(f"snmp: expected version {' or '.join(MODELS)}, found {quirks.version!r}; correct it")
        if isinstance(access, User) != (quirks.version == "3"):
            raise PortError(f"snmp: expected a user with version 3 and a community with others, found version {quirks.version}; correct it")
        if isinstance(access, User):
            demand_encryption()
        self._where = f"controller at {place_of(host, quirks.port)}"
        self._check = CHECK_USER if isinstance(access, User) else CHECK_COMMUNITY
        self._address, self._waits = (host, quirks.port), (timeout_ms // 10, retries)  # pysnmp counts timeouts in hundredths of a second
        self._bare = bare
        self._give_up_s = timeout_ms / 1000 * (retries + 1) + GRACE_S
        self.most_per_request = quirks.objects_per_request
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="snmp", daemon=True)
        self._engine: Any = None
        self._clocks = EngineClocks()
        self._said: tuple[bytes, int, int] | None = None  # the newest message's engine, boots and time, authentic or not
        self._looking: asyncio.Task[Any] | None = None  # for the address of a name
        self._found = False
        self._model = MODELS[quirks.version]
        self._heard = True  # the last request was answered
        self._closed = False
        self._access = access
        self._thread.start()

    def _open(self) -> None:
        """Set the engine up, with the first request: it compiles files of pysnmp's for a twentieth of a second. Its MIB files are never read."""
        engine, access = SnmpEngine(), self._access
        if isinstance(access, User):
            add_user(engine, access)
            engine.observer.register_observer(self._note_clock, "rfc3414.processIncomingMsg")
            config.add_target_parameters(engine, NAME, access.name, "authPriv", self._model)
        else:
            config.add_v1_system(engine, NAME, access.name.encode())
            config.add_target_parameters(engine, NAME, NAME, "noAuthNoPriv", self._model)
        self._engine = engine

    async def _find(self) -> None:
        """Look the address up; a name server may be there later than we are. A name's IPv4 address goes first. Raises `OSError`."""
        if self._found:
            return
        if self._engine is None:
            self._open()
        if self._looking is None or self._looking.done():
            self._looking = self._loop.create_task(self._loop.getaddrinfo(*self._address, type=socket.SOCK_DGRAM))
        found = await asyncio.shield(self._looking)  # one that takes long is waited for again, not begun again
        family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        if family == socket.AF_INET6:
            domain, carrier = udp6.DOMAIN_NAME, udp6.Udp6AsyncioTransport()
        else:
            domain, carrier = udp.DOMAIN_NAME, udp.UdpAsyncioTransport()
        config.add_transport(self._engine, domain, carrier.open_client_mode())
        config.add_target_address(self._engine, NAME, domain, address, NAME, *self._waits)
        self._found = True

    def get_many(self, oids: Sequence[Oid]) -> Sequence[Value]:
        """Return the objects' values; an agent that calls a request too big is asked for fewer from then on."""
        values: list[Value] = []
        while len(values) < len(oids):
            part = oids[len(values) : len(values) + self.most_per_request]
            try:
                values += self._run(self._ask(part))
            except ObjectError as error:
                if error.status is not ErrorStatus.TOO_BIG or len(part) == 1:
                    raise
                self.most_per_request = max(1, len(part) // 2)
        return values

    def set_many(self, pairs: Sequence[Pair]) -> None:
        """Write all in one request."""
        if len(pairs) > self.most_per_request:
            raise ObjectError(ErrorStatus.TOO_BIG, where=self._where)
        self._run(self._write(pairs))

    def close(self) -> None:
        """End the engine and its thread."""
        if self._closed:
            return
        self._closed = True
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(GRACE_S)
        if not self._thread.is_alive():
            self._loop.close()

    def _end(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        if self._engine is not None:
            self._engine.close_dispatcher()
        self._loop.call_soon(self._loop.stop)

    async def _ask(self, oids: Sequence[Oid]) -> list[Value]:
        sent = [self._sent(oid) for oid in oids]
        got = self._checked(await self._request(cmdgen.GetCommandGenerator(), [(oid, None) for oid in sent]), oids)
        names = [tuple(name) for name, _ in got]
        if names != sent:
            raise PortError(f"{self._where}: expected the objects {', '.join(map(dotted, sent))}, found {', '.join(map(dotted, names))}")
        return [self._value(oid, value) for oid, (_, value) in zip(oids, got, strict=True)]

    async def _write(self, pairs: Sequence[Pair]) -> None:
        bound = [(self._sent(oid), OctetString(value) if isinstance(value, bytes) else Integer32(value)) for oid, value in pairs]
        oids = [oid for oid, _ in pairs]
        got = self._checked(await self._request(cmdgen.SetCommandGenerator(), bound), oids)
        absent = [oid for oid, (_, value) in zip(oids, got, strict=True) if isinstance(value, ABSENT)]
        if absent:  # some agents answer a v2c SET without an error and yet with nothing written
            raise ObjectError(ErrorStatus.NO_SUCH_NAME, absent[0], self._where)

    async def _request(self, generator: Any, bound: Sequence[tuple[Oid, Any]]) -> Any:
        """Send one request and return pysnmp's answer: indication, status, index, variables."""
        await self._find()
        if self._model == MODELS["3"] and not self._heard:
            # pysnmp asks an address for its engine only where it holds none, and holds one for five minutes: a replaced agent's word against it is lost.
            self._engine.message_processing_subsystems[self._model] = SnmpV3MessageProcessingModel()
        self._heard = False
        answered: asyncio.Future[Any] = self._loop.create_future()

        def answer(_engine: Any, _handle: Any, *got: Any) -> None:
            if answered.done():
                return
            older = "" if got[0] else self._older()
            if older:
                answered.set_exception(OlderEngineError(f"{self._where}: {older}; its answer is not used. Was it replaced, or set back?"))
            else:
                answered.set_result(got[:4])

        generator.send_varbinds(self._engine, NAME, None, "", bound, answer)
        got = await answered
        self._heard = not got[0]
        return got

    def _note_clock(self, _engine: Any, _point: str, told: Mapping[str, Any], _context: Any) -> None:
        self._said = bytes(told["securityEngineId"]), int(told["snmpEngineBoots"]), int(told["snmpEngineTime"])

    def _older(self) -> str:
        """Return why the message that is being processed, whose authentication pysnmp has checked, is too old; empty where it is not."""
        return "" if self._said is None else self._clocks.take(*self._said, self._loop.time())

    def _sent(self, oid: Oid) -> Oid:
        return oid[:-1] if oid in self._bare else oid

    def _checked(self, answer: Any, oids: Sequence[Oid]) -> Sequence[tuple[Any, Any]]:
        """Return the answer's variables. Raises what its error says."""
        indication, status, index, got = answer
        if indication:
            refused = REFUSED.get(type(indication))
            raise NoAnswerError(f"{self._where}: {refused}" if refused else f"{self._where}: no answer ({indication}); check {self._check}")
        code, at = int(status), int(index)
        if code:
            raise ObjectError(STATUS.get(code, ErrorStatus.GEN_ERR), oids[at - 1] if 0 < at <= len(oids) else None, self._where)
        if len(got) != len(oids):
            raise PortError(f"{self._where}: expected {len(oids)} values, found {len(got)}")
        return [(name, value) for name, value in got]

    def _value(self, oid: Oid, value: Any) -> Value:
        if isinstance(value, ABSENT):
            raise ObjectError(ErrorStatus.NO_SUCH_NAME, oid, self._where)
        if isinstance(value, univ.Integer):
            return int(value)
        if type(value) is OctetString:
            return bytes(value)
        raise PortError(f"{self._where}: object {dotted(oid)}: expected a number or octets, found {type(value).__name__}")

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the engine's thread and wait as long as a request may take. Raises `PortError` also where the engine is stuck."""
        if self._closed:
            work.close()
            raise PortError(f"{self._where}: expected an open transport, found it closed")
        give_up_s = OPEN_S if self._engine is None else self._give_up_s
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(give_up_s)
        except FutureTimeoutError:
            future.cancel()
            raise NoAnswerError(f"{self._where}: no answer within {give_up_s:.1f} s; check address, port and cable") from None
        except PortError:
            raise
        except (PySnmpError, OSError) as error:
            raise NoAnswerError(f"{self._where}: no answer ({error}); check address, port and cable") from error


def demand_encryption() -> None:
    """Raise `PortError` where pysnmp's library for AES is missing."""
    if find_spec("cryptography") is None:
        raise PortError("SNMPv3 needs the Python module 'cryptography', which is not installed; install it with: pip install 'umlauf[ntcip]'")


def add_user(engine: Any, user: User) -> None:
    """Make a user known to an engine of pysnmp's. Raises `PortError` where its library for AES is missing."""
    demand_encryption()
    # As octets: pysnmp's own encoding has no letters beyond Latin-1, and its error would show them.
    auth, priv = user.auth_secret.encode(), user.priv_secret.encode()
    config.add_v3_user(engine, user.name, AUTH[user.auth_protocol], auth, config.USM_PRIV_CFB128_AES, priv)
