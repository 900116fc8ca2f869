"""The other end of the operator's socket: what `umlauf status` and `umlauf mode` talk through, on the machine itself or from afar by TLS."""

from __future__ import annotations

import json
import shlex
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pydantic import ValidationError

from controller.cabinet.daemons import DaemonError, only_socket, socket_of
from controller.cabinet.site_models import Address, split_address
from controller.clock import elapsed_s
from controller.config_file import fault_text, faults_error, parse_toml, read_text
from controller.errors import ConfigError
from controller.site_models import Name, Part
from hardware.ports import PortError
from hardware.secret_files import read_secret, read_secret_text

ANSWER_S: Final = 5.0
SOCKET_VARIABLE: Final = "UMLAUF_SOCKET"


class RemoteFile(Part):
    """How to reach a daemon from afar: a small TOML file that the caller keeps."""

    address: Address
    ca_file: Name
    server_name: str = ""
    certificate_file: str = ""
    key_file: str = ""
    token_file: str = ""


class Client:
    """A connection to a daemon. Use it as a context manager. ``unproven``: what to say where it ends before anything was answered."""

    def __init__(self, connection: socket.socket, where: str, unproven: str = "") -> None:
        self._connection, self._where, self._unproven = connection, where, unproven
        self._rest = b""
        self._answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        """Return the answer. Raises `DaemonError` where the daemon refuses, or does not answer."""
        try:
            self._connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise self._ended(str(error)) from error
        return self._read(ANSWER_S)

    def listen(self, timeout_s: float) -> Iterator[dict[str, Any] | None]:
        """Yield the statuses that follow a subscription, None whenever none came within ``timeout_s``. Raises `DaemonError` when it is over."""
        while True:
            try:
                yield self._read(timeout_s)
            except TimeoutError:
                yield None

    def _read(self, timeout_s: float) -> dict[str, Any]:
        self._connection.settimeout(timeout_s)
        while b"\n" not in self._rest:
            try:
                data = self._connection.recv(65_536)
            except TimeoutError as error:
                raise SilentError(f"{self._where}: no answer within {timeout_s:g} s; the daemon hangs: systemctl status umlauf") from error
            except OSError as error:
                raise self._ended(str(error)) from error
            if not data:
                raise self._ended("")
            self._rest += data
        self._answered = True
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if not answer.get("ok"):
            raise DaemonError(str(answer.get("error", "refused")))
        return answer

    def _ended(self, why: str) -> DaemonError:
        """Return what is told of a connection that has ended: what may be the reason, by what was asked for and answered so far."""
        said = "the connection is lost" if why else "the daemon has closed the connection"
        likely = self._unproven if not self._answered and self._unproven else "It has ended, or let go a client that took nothing for long. Ask again."
        return DaemonError(f"{self._where}: {said}{f' ({why})' if why else ''}. {likely}")


class SilentError(DaemonError, TimeoutError):
    """The daemon says nothing in time."""


def connector(site: str | None, socket_path: Path | None, remote: Path | None, environment: Mapping[str, str]) -> Callable[[], Client]:
    """Return what connects: from afar by a `RemoteFile`, to a site's socket, to a socket, to the environment's, or to that of the only site that runs.

    Who was found stays meant: a second connection goes to the same daemon. Raises `ConfigError` and `DaemonError`.
    """
    given = {"SITE": site, "--socket": socket_path, "--remote": remote}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise ConfigError(f"{' and '.join(named)}: expected one of both, found both")
    if remote is not None:
        return lambda: connect_remote(remote)
    variable = environment.get(SOCKET_VARIABLE)
    path = socket_path or (socket_of(site) if site is not None else Path(variable) if variable else only_socket())
    return lambda: connect(path)


def connect(path: Path) -> Client:
    """Connect to a daemon's UNIX socket. Raises `DaemonError` saying how to mend it."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        _connect_patiently(connection, path)
    except OSError as error:
        connection.close()
        raise DaemonError(_mend(path, error)) from error
    return Client(connection, str(path))


def _connect_patiently(connection: socket.socket, path: Path) -> None:
    """Connect, waiting where the queue of newcomers is full."""
    connection.settimeout(0.2)
    until_s = elapsed_s() + ANSWER_S
    while True:
        try:
            connection.connect(str(path))
        except BlockingIOError:
            if elapsed_s() > until_s:
                raise
        else:
            return


def _mend(path: Path, error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return (
                f"{path}: expected a running daemon's socket, found none. Start it (systemctl start umlauf@SITE, or umlauf run SITE.toml), "
                f"or name its socket with --socket or {SOCKET_VARIABLE}"
            )
        case ConnectionRefusedError():
            return f"{path}: expected a running daemon, found only the socket of one that has ended. Start it with: systemctl start umlauf@SITE"
        case PermissionError():
            return f"{path}: expected the right to write to the daemon's socket, found none. Join its group (ls -l {path}), then log in again"
        case _:
            return f"{path}: the daemon cannot be reached ({error.strerror or error})"


def connect_remote(path: Path) -> Client:
    """Connect to a daemon by TLS, as a `RemoteFile` says. Raises `ConfigError` for the file, `DaemonError` for the connection."""
    profile = _read_remote(path)
    folder = path.absolute().parent
    host, port = split_address(profile.address)
    try:
        context = ssl.create_default_context(cafile=str(folder / profile.ca_file))
        if profile.certificate_file:
            read_secret_text(folder / profile.key_file, "a private key")
            context.load_cert_chain(folder / profile.certificate_file, folder / profile.key_file)
    except PortError:
        raise
    except OSError as error:
        raise ConfigError(
            f"{path}: ca_file, certificate_file, key_file: expected readable PEM files ({error.strerror or error}). Correct the paths."
        ) from error
    token = {"token": read_secret(folder / profile.token_file)} if profile.token_file else None
    unproven = _unproven(profile, path)
    try:
        plain = socket.create_connection((host, port), timeout=ANSWER_S)
        connection = context.wrap_socket(plain, server_hostname=profile.server_name or host)
        if token is not None:
            connection.sendall(json.dumps(token).encode() + b"\n")
    except OSError as error:
        raise DaemonError(f"{profile.address}: {_remote_mend(error, path, unproven)}") from error
    return Client(connection, profile.address, unproven)


def _unproven(profile: RemoteFile, path: Path) -> str:
    """Return the likely reason why a daemon ends a connection without an answer: TLS itself refuses certificates, before anything can be said."""
    if profile.certificate_file:
        file = path.absolute().parent / profile.certificate_file
        return (
            f"It seems not to accept {profile.certificate_file}: another authority than the site's client_ca_file signed it, or it has expired. "
            f"Look at it: openssl x509 -noout -subject -issuer -enddate -in {shlex.quote(str(file))}"
        )
    if profile.token_file:
        return f"It may ask for a client certificate besides the token: set certificate_file and key_file in {path}."
    return f"It asks who calls: set certificate_file and key_file, or token_file, in {path}; the site's engineer makes them."


def _remote_mend(error: OSError, path: Path, unproven: str) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"the daemon's certificate is not accepted ({error.verify_message}). Check ca_file and server_name in {path}"
        case ssl.SSLError() | ConnectionResetError() | BrokenPipeError():
            return f"the daemon has ended the TLS handshake ({error.strerror or error}). {unproven}"
        case ConnectionRefusedError():
            return f"nobody listens there. Check address in {path}, that the daemon runs, and that its site file has a table [remote]"
        case TimeoutError():
            return f"no answer within {ANSWER_S:g} s. Check address in {path}, and that a firewall and the unit's IPAddressAllow= let you through"
        case _:
            return f"the daemon cannot be reached ({error.strerror or error})"


def _read_remote(path: Path) -> RemoteFile:
    text = read_text(path, "file that says how to reach a daemon", "See docs/OPERATING.md.")
    data = parse_toml(text, str(path))
    try:
        return RemoteFile.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        raise faults_error(str(path), [fault_text(e, data) for e in error.errors(include_url=False)]) from error
