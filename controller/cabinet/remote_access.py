"""Access from afar: TLS in a thread of its own, which proves who calls and hands the plain bytes to the operator's socket.

The guard sees one more connected socket, with a caller's name and role that were proven here: by the common name of a client
certificate that the site's own authority signed, or by a token whose hash stands in a file of mode 0600.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from controller.cabinet.conversation import line_of
from controller.cabinet.operated import Caller
from controller.cabinet.site import RemoteAccess
from controller.cabinet.site_models import Role
from controller.errors import ConfigError
from hardware.secret_files import read_secret_text

MOST_CONNECTIONS: Final = 8
HANDSHAKE_S: Final = 5.0
ACCEPT_AGAIN_S: Final = 1.0
TOKEN_S: Final = 5.0  # a caller without certificate sends its token within this
CHUNK_BYTES: Final = 4_096
MOST_LINE_BYTES: Final = 4_096
START_S: Final = 5.0

REFUSALS_MS: Final = 10_000  # refused callers make one line in the audit log within this, however many they are

FULL: Final = "expected fewer connections at the same time, found the most that there may be. Close others, or try again."

Adopt = Callable[[socket.socket, Caller], None]
Refused = Callable[[str, str], None]  # from which address, and why
Tokens = dict[str, tuple[str, Role]]  # hash -> name and role


class RemoteDoor:
    """Listens as the site file says, and adopts whoever proves who they are. Nothing it does runs in the guard's thread."""

    def __init__(self, access: RemoteAccess, adopt: Adopt, refused: Refused) -> None:
        """Open the door. Raises `ConfigError` for keys or tokens that cannot be used, or a port that is taken."""
        self._access, self._adopt, self._refused = access, adopt, refused
        self._refused_s: float | None = None  # when somebody was refused last, and how many since
        self._untold = 0
        self._tokens = read_tokens(access)
        context = server_context(access)
        listener = _listen(access.host, access.port)
        self.port = int(listener.getsockname()[1])
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, args=(listener, context), name="remote", daemon=True)
        self._thread.start()
        self._ready.wait(START_S)

    def close(self) -> None:
        """Close the door and all that came through it."""
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)

    def _run(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(listener, context))

    async def _serve(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        self._loop.set_exception_handler(lambda _loop, _context: None)  # a client that breaks off is no news
        self._stop = asyncio.Event()
        accepting = asyncio.create_task(self._accept(listener, context))
        self._ready.set()
        await self._stop.wait()
        accepting.cancel()
        await asyncio.wait([accepting])
        listener.close()
        for writer in self._writers:
            writer.transport.abort()  # the other side's farewell is not waited for

    async def _accept(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        callers: set[asyncio.Task[None]] = set()
        while True:
            try:
                sock, address = await self._loop.sock_accept(listener)
            except OSError:  # too many open files: others have to close first
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            caller = asyncio.create_task(self._meet(sock, str(address[0]), context))
            callers.add(caller)
            caller.add_done_callback(callers.discard)

    async def _meet(self, sock: socket.socket, address: str, context: ssl.SSLContext) -> None:
        """Begin TLS with one caller. A server of asyncio's would do so by itself, but keep to itself who failed at it, and why."""
        reader = asyncio.StreamReader(MOST_LINE_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol, sock, ssl=context, ssl_handshake_timeout=HANDSHAKE_S, ssl_shutdown_timeout=HANDSHAKE_S
            )
        except OSError as error:  # of TLS, of the connection, or the time was over
            self._note_refusal(address, f"no TLS: {getattr(error, 'reason', None) or type(error).__name__}")
            sock.close()
            return
        await self._welcome(reader, asyncio.StreamWriter(transport, protocol, reader, self._loop))

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        full = len(self._writers) > MOST_CONNECTIONS
        try:
            caller = None if full else await self._prove(reader, writer)
            if caller is None:
                name = certified_name(writer)
                why = "too many connections" if full else f"certificate {name!r} has no role" if name else "no certificate and no known token"
                self._note_refusal(str(writer.get_extra_info("peername", ("unknown",))[0]), why)
                writer.write(line_of({"ok": False, "error": FULL if full else refusal(name)}))
                await writer.drain()
            else:
                await self._relay(reader, writer, caller)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError):
            pass  # whoever broke off is told nothing more
        finally:
            self._writers.discard(writer)
            writer.close()
            with suppress(OSError, TimeoutError):
                await writer.wait_closed()

    def _note_refusal(self, address: str, why: str) -> None:
        self._untold += 1
        if self._refused_s is None or self._loop.time() - self._refused_s >= REFUSALS_MS / 1000:
            self._refused(address, f"{why}; {self._untold} refused since the last such line")
            self._refused_s, self._untold = self._loop.time(), 0

    async def _prove(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Caller | None:
        name = certified_name(writer)
        if name in self._access.roles:
            return Caller(name, "tls", self._access.roles[name])
        if not self._tokens:
            return None
        line = await asyncio.wait_for(reader.readline(), TOKEN_S)
        request = json.loads(line)
        found = self._tokens.get(token_hash(str(request.get("token", "")))) if isinstance(request, dict) else None
        return None if found is None else Caller(found[0], "tls", found[1])

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, caller: Caller) -> None:
        ours, theirs = socket.socketpair()
        self._adopt(theirs, caller)
        inner_reader, inner_writer = await asyncio.open_connection(sock=ours)
        ways = [asyncio.create_task(_pump(reader, inner_writer)), asyncio.create_task(_pump(inner_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            inner_writer.close()
            await asyncio.gather(*ways, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()


def server_context(access: RemoteAccess) -> ssl.SSLContext:
    """Return TLS 1.2 or newer with our certificate, asking for a client's where the site names who signs them. Raises `ConfigError` or `PortError`."""
    read_secret_text(access.key, "a private key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(access.certificate, access.key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise ConfigError(f"remote.certificate_file, key_file: expected a PEM certificate with its key, without a password: {error}") from error
    if access.client_ca is not None:
        try:
            context.load_verify_locations(access.client_ca)
        except OSError as error:
            raise ConfigError(f"remote.client_ca_file: {access.client_ca}: expected PEM certificates: {error}") from error
        # Callers with a token have no certificate; one that is shown must be good all the same.
        context.verify_mode = ssl.CERT_OPTIONAL if access.tokens is not None else ssl.CERT_REQUIRED
    return context


def refusal(name: str) -> str:
    """Return what a caller without a role is told: their own name where an authority of the site's has proven it, and nothing of ours."""
    if name:
        return f"expected a certificate whose name has a role, found {name!r}, which has none. Have it written into [remote] roles of the site file."
    return "expected a client certificate with a role, or a token that is known; found neither. Have one made for you: umlauf site token NAME ROLE"


def certified_name(writer: asyncio.StreamWriter) -> str:
    """Return the common name in the certificate that the other side has shown, which TLS has verified; empty where it has shown none."""
    return common_name(writer.get_extra_info("peercert") or {})


def common_name(certificate: dict[str, Any]) -> str:
    """Return the subject's common name of what `ssl.SSLSocket.getpeercert` tells; empty where there is none."""
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return str(names[-1]) if names else ""


def token_hash(token: str) -> str:
    """Return the hash that the tokens file holds."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def read_tokens(access: RemoteAccess) -> Tokens:
    """Return the tokens by hash. Raises `ConfigError`, which never shows a line of the file."""
    if access.tokens is None:
        return {}
    found: Tokens = {}
    for number, line in enumerate(read_secret_text(access.tokens).splitlines(), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        where = f"{access.tokens}:{number}"
        if len(words) != 3 or len(words[2]) != 64 or any(c not in "0123456789abcdef" for c in words[2]):
            raise ConfigError(
                f"{where}: expected a name, a role and the SHA-256 of a token in 64 hexadecimal digits; make both with: umlauf site token NAME ROLE"
            )
        if words[1] not in list(Role):
            raise ConfigError(f"{where}: expected one of the roles {', '.join(Role)} as the second word, found another")
        found[words[2]] = words[0], Role(words[1])
    return found


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(MOST_CONNECTIONS)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ConfigError(f"remote.listen: expected a free address and port, found {host} port {port}: {error.strerror}. Choose another.") from error
    return listener
