"""The doors of a running cabinet together: what listens, remote access by certificate and token, and metrics."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support_cabinet import PlayedGuard, Running, drivers, run, site_file
from support_certificates import Authority

from controller.cabinet.audit import audit_files, verify
from controller.cabinet.client import connect_remote
from controller.cabinet.remote_access import FULL, MOST_CONNECTIONS
from controller.cabinet.service import RETRY_MS, Service
from controller.cabinet.site import Site, read_site
from controller.clock import SystemClock, elapsed_s
from controller.errors import UmlaufError

__all__ = ["drivers", "run", "site_file"]  # fixtures
TOKEN = "correct-horse-battery-staple"
REMOTE = """
[remote]
listen = "127.0.0.1:0"
certificate_file = "server.crt"
key_file = "server.key"
"""
CERTIFICATES = 'client_ca_file = "clients.crt"\nroles = { viola = "viewer", otto = "operator" }\n'
METRICS = '\n[metrics]\nlisten = "127.0.0.1:0"\n'
FOLDERS = (('folder = "state"', 'folder = "s"'),)


@pytest.fixture
def keys(tmp_path: Path) -> Authority:
    """Make the server's certificate and the clients' authority beside the site file."""
    Authority(tmp_path, "servers").issue("server")
    return Authority(tmp_path, "clients")


def call(port: int, folder: Path, requests: list[object], certificate: Path | None = None) -> list[dict[str, Any]]:
    """Return the answers to the requests over TLS, the server's certificate checked."""
    context = ssl.create_default_context(cafile=str(folder / "servers.crt"))
    if certificate is not None:
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
        file = secure.makefile("rwb")
        answers = []
        for request in requests:
            file.write(json.dumps(request).encode() + b"\n")
            file.flush()
            line = file.readline()
            if line:
                answers.append(json.loads(line))
        file.close()
        return answers


def listening_ports() -> list[tuple[str, int]]:
    """Return the TCP sockets of this process that listen, as the kernel knows them: address in hex, port."""
    own = set()
    for path in Path("/proc/self/fd").iterdir():
        try:
            own.add(str(path.readlink()))
        except FileNotFoundError:
            continue
    found = []
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6", "/proc/self/net/udp", "/proc/self/net/udp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            words = line.split()
            if f"socket:[{words[9]}]" in own and words[3] in ("0A", "07"):
                address, port = words[1].split(":")
                found.append((address, int(port, 16)))
    return found


OVERRIDE = {"do": "override", "mode": "flash", "for_s": 60, "reason": "smoke"}


def test_nothing_listens_beyond_the_unix_socket_unless_asked_for(site_file: Callable[..., Path], run: Callable[[Site], Running]) -> None:
    before = listening_ports()
    running = run(read_site(site_file()))
    assert running.service.socket is not None
    assert running.news == []
    assert listening_ports() == before


def test_metrics_listen_on_loopback_only(site_file: Callable[..., Path], run: Callable[[Site], Running]) -> None:
    before = listening_ports()
    running = run(read_site(site_file(add=METRICS)))
    assert running.service.metrics is not None
    assert [p for p in listening_ports() if p not in before] == [("0100007F", running.service.metrics.port)]


def test_metrics_are_what_the_status_says(site_file: Callable[..., Path], run: Callable[[Site], Running]) -> None:
    running = run(read_site(site_file(add=METRICS)))
    assert running.service.metrics is not None
    address = f"http://127.0.0.1:{running.service.metrics.port}"
    with urllib.request.urlopen(f"{address}/metrics", timeout=5) as answer:
        families = {f.name: f for f in text_string_to_metric_families(answer.read().decode())}
    values = {(s.name, tuple(v for _, v in sorted(s.labels.items()))): s.value for f in families.values() for s in f.samples}
    assert values["umlauf_up", ()] == 1
    assert values["umlauf_ticks_total", ()] == 7230
    assert values["umlauf_mode", ("fixed", "n")] == 1
    assert values["umlauf_mode", ("adaptive", "n")] == 0
    assert values["umlauf_fault", ("detectors_lost", "n")] == 1
    assert values["umlauf_detector_trusted", ("a1",)] == 0
    assert values["umlauf_group_aspect", ("A",)] == 3
    assert values["umlauf_tick_lateness_max_seconds", ()] == 0.0615
    assert values["umlauf_frames_shown", ()] == 77
    assert 0 <= values["umlauf_status_age_seconds", ()] < 10
    assert not [name for name in families if not name.startswith("umlauf_")]
    documented = (Path(__file__).resolve().parents[2] / "docs" / "METRICS.md").read_text()
    assert [f for f in families if f"`{f}" not in documented and f != "umlauf_frames_shown"] == []
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{address}/", timeout=5)


def test_a_silent_scraper_is_cut_off(site_file: Callable[..., Path], run: Callable[[Site], Running]) -> None:
    running = run(read_site(site_file(add=METRICS)))
    assert running.service.metrics is not None
    with socket.create_connection(("127.0.0.1", running.service.metrics.port), timeout=5):
        begun_s = elapsed_s()
        with urllib.request.urlopen(f"http://127.0.0.1:{running.service.metrics.port}/metrics", timeout=10) as answer:
            assert b"umlauf_up 1.0" in answer.read()
        assert elapsed_s() - begun_s < 5


def test_roles_by_certificate(site_file: Callable[..., Path], run: Callable[[Site], Running], keys: Authority, tmp_path: Path) -> None:
    running = run(read_site(site_file(*FOLDERS, add=REMOTE + CERTIFICATES)))
    viewer, operator = keys.issue("viola"), keys.issue("otto")
    looked, refused = call(running.remote_port, tmp_path, [{"do": "status"}, OVERRIDE], viewer)
    assert looked["status"]["ticks"] == 7230
    assert refused == {"ok": False, "error": "override: expected the role operator, viola has viewer"}
    assert running.guard.calls == []
    done, denied = call(running.remote_port, tmp_path, [OVERRIDE, {"do": "reset", "reason": "looked"}], operator)
    assert done["ok"] is True
    assert denied["ok"] is False
    assert running.guard.calls == [("override", "otto", "smoke")]
    assert [(e["who"], e["via"], e["result"][:7]) for e in running.written()] == [
        ("viola", "tls", "refused"),
        ("otto", "tls", "flash i"),
        ("otto", "tls", "refused"),
    ]


def doubtful_certificate(kind: str, keys: Authority, folder: Path) -> Path | None:
    """Return what a caller shows who is not to be let in."""
    (folder / "other").mkdir()
    return {
        "none": lambda: None,
        "foreign": lambda: Authority(folder / "other", "clients").issue("otto"),
        "expired": lambda: keys.issue("otto", days=-1),
        "no role": lambda: keys.issue("emil"),
    }[kind]()


@pytest.mark.parametrize("kind", ["none", "foreign", "expired", "no role"])
def test_whoever_cannot_prove_a_role_gets_nothing(
    site_file: Callable[..., Path], run: Callable[[Site], Running], keys: Authority, tmp_path: Path, kind: str
) -> None:
    running = run(read_site(site_file(*FOLDERS, add=REMOTE + CERTIFICATES)))
    certificate = doubtful_certificate(kind, keys, tmp_path)
    try:
        answers = call(running.remote_port, tmp_path, [OVERRIDE], certificate)
    except (ssl.SSLError, ConnectionError):
        answers = []
    assert all(answer["ok"] is False for answer in answers)
    assert running.guard.calls == []
    assert call(running.remote_port, tmp_path, [OVERRIDE], keys.issue("otto"))[0]["ok"]


def profile_of(folder: Path, port: int, **more: str) -> Path:
    """Write what a caller's own file says of the daemon at this port."""
    path = folder / "market-remote.toml"
    lines = {"address": f"127.0.0.1:{port}", "ca_file": "servers.crt", **more}
    path.write_text("".join(f'{key} = "{value}"\n' for key, value in lines.items()))
    return path


def said_to(path: Path) -> str:
    """Return what a caller is told who is not let in."""
    with pytest.raises(UmlaufError) as caught, connect_remote(path) as client:
        client.ask({"do": "ping"})
    return str(caught.value)


NOT_ACCEPTED = "another authority than the site's client_ca_file signed it, or it has expired. Look at it: openssl x509 "


@pytest.mark.parametrize(
    ("kind", "says", "written"),
    [
        ("none", "It asks who calls: set certificate_file and key_file, or token_file, in ", "no TLS: PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        ("foreign", NOT_ACCEPTED, "no TLS: CERTIFICATE_VERIFY_FAILED"),
        ("expired", NOT_ACCEPTED, "no TLS: CERTIFICATE_VERIFY_FAILED"),
        (
            "no role",
            "expected a certificate whose name has a role, found 'emil', which has none. Have it written into [remote] roles",
            "certificate 'emil' has no role",
        ),
    ],
)
def test_whoever_is_thrown_out_is_told_what_is_likely_wrong(
    site_file: Callable[..., Path], run: Callable[[Site], Running], keys: Authority, tmp_path: Path, kind: str, says: str, written: str
) -> None:
    running = run(read_site(site_file(*FOLDERS, add=REMOTE + CERTIFICATES)))
    certificate = doubtful_certificate(kind, keys, tmp_path)
    shown = {} if certificate is None else {"certificate_file": str(certificate), "key_file": str(certificate.with_suffix(".key"))}
    told = said_to(profile_of(tmp_path, running.remote_port, **shown))
    assert says in told
    assert not [name for name in ("viola", "otto") if name in told.replace(str(certificate), "")]  # nothing of who may
    assert call(running.remote_port, tmp_path, [OVERRIDE], keys.issue("otto"))[0]["ok"]  # answered once it is written
    assert running.written()[0]["result"] == f"refused: {written}; 1 refused since the last such line"


def test_a_wrong_token_learns_nothing_but_how_one_is_made(
    site_file: Callable[..., Path], run: Callable[[Site], Running], keys: Authority, tmp_path: Path
) -> None:
    running = run(read_site(site_file(*FOLDERS, add=tokens_file(tmp_path))))
    (tmp_path / "token").write_text("wrong" + TOKEN)
    (tmp_path / "token").chmod(0o600)
    told = said_to(profile_of(tmp_path, running.remote_port, token_file="token"))
    assert told.endswith("found neither. Have one made for you: umlauf site token NAME ROLE")
    assert told == said_to(profile_of(tmp_path, running.remote_port))


def test_a_full_door_says_so(site_file: Callable[..., Path], run: Callable[[Site], Running], keys: Authority, tmp_path: Path) -> None:
    running = run(read_site(site_file(*FOLDERS, add=REMOTE + CERTIFICATES)))
    keys.issue("otto")
    path = profile_of(tmp_path, running.remote_port, certificate_file="otto.crt", key_file="otto.key")
    with ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            assert stack.enter_context(connect_remote(path)).ask({"do": "ping"})["you"] == "otto"
        assert said_to(path) == FULL


def test_what_is_wrong_on_the_callers_side_is_told(site_file: Callable[..., Path], run: Callable[[Site], Running], keys: Authority, tmp_path: Path) -> None:
    running = run(read_site(site_file(*FOLDERS, add=REMOTE + CERTIFICATES)))
    (tmp_path / "other").mkdir()
    Authority(tmp_path / "other", "servers")
    assert "the daemon's certificate is not accepted" in said_to(profile_of(tmp_path, running.remote_port, ca_file="other/servers.crt"))
    assert "Check ca_file and server_name" in said_to(profile_of(tmp_path, running.remote_port, server_name="elsewhere.example"))
    assert "expected readable PEM files" in said_to(profile_of(tmp_path, running.remote_port, ca_file="none.crt"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert "its site file has a table [remote]" in said_to(profile_of(tmp_path, taken.getsockname()[1]))


def test_a_client_that_stays_does_not_keep_the_door_from_closing(site_file: Callable[..., Path], keys: Authority, tmp_path: Path) -> None:
    running = Running(read_site(site_file(*FOLDERS, add=REMOTE + CERTIFICATES)))
    context = ssl.create_default_context(cafile=str(tmp_path / "servers.crt"))
    certificate = keys.issue("viola")
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with (
        socket.create_connection(("127.0.0.1", running.remote_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(b'{"do":"ping"}\n')
        assert b'"ok":true' in secure.recv(1000)
        begun_s = elapsed_s()
        running.close()
        assert elapsed_s() - begun_s < 3


def test_without_tls_nothing_is_answered(site_file: Callable[..., Path], run: Callable[[Site], Running], keys: Authority, tmp_path: Path) -> None:
    running = run(read_site(site_file(*FOLDERS, add=REMOTE + CERTIFICATES)))
    with socket.create_connection(("127.0.0.1", running.remote_port), timeout=10) as plain:
        plain.sendall(b'{"do":"status"}\n')
        with suppress(ConnectionError):
            assert b"ok" not in plain.recv(1000)
    assert call(running.remote_port, tmp_path, [OVERRIDE], keys.issue("otto"))[0]["ok"]
    assert running.written()[0]["result"].startswith("refused: no TLS: ")


def test_a_caller_that_says_nothing_keeps_neither_others_out_nor_the_door_open(site_file: Callable[..., Path], keys: Authority, tmp_path: Path) -> None:
    running = Running(read_site(site_file(*FOLDERS, add=REMOTE + CERTIFICATES)))
    with ExitStack() as stack:
        for _ in range(2 * MOST_CONNECTIONS):
            stack.enter_context(socket.create_connection(("127.0.0.1", running.remote_port), timeout=10))
        assert call(running.remote_port, tmp_path, [{"do": "ping"}], keys.issue("otto"))[0]["ok"]
        begun_s = elapsed_s()
        running.close()
        assert elapsed_s() - begun_s < 3


def tokens_file(folder: Path, mode: int = 0o600) -> str:
    path = folder / "tokens"
    path.write_text(f"# who may\nnora engineer {hashlib.sha256(TOKEN.encode()).hexdigest()}\n")
    path.chmod(mode)
    return REMOTE + 'tokens_file = "tokens"\n'


def test_roles_by_token(
    site_file: Callable[..., Path], run: Callable[[Site], Running], keys: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    running = run(read_site(site_file(*FOLDERS, add=tokens_file(tmp_path))))
    (welcome,) = call(running.remote_port, tmp_path, [{"token": "wrong" + TOKEN}])
    assert welcome["ok"] is False
    pong, done = _with_token(running, tmp_path, [{"do": "ping"}, {"do": "reset", "reason": "looked"}])
    assert (pong["you"], pong["role"]) == ("nora", "engineer")
    assert done["ok"] is True
    assert [(e["who"], e["what"], e["result"][:7]) for e in running.written()] == [("127.0.0.1", "login", "refused"), ("nora", "reset", "reset d")]
    assert verify(running.site.state_folder).faults == []
    everything = caplog.text + "".join(path.read_text() for path in audit_files(running.site.state_folder)) + json.dumps(pong) + "".join(running.news)
    assert TOKEN not in everything
    assert hashlib.sha256(TOKEN.encode()).hexdigest() not in everything


def _with_token(running: Running, folder: Path, requests: list[object]) -> list[dict[str, Any]]:
    """Send the token, which is not answered by itself, with the first request."""
    context = ssl.create_default_context(cafile=str(folder / "servers.crt"))
    with (
        socket.create_connection(("127.0.0.1", running.remote_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        secure.makefile("rwb") as file,
    ):
        file.write("".join(json.dumps(r) + "\n" for r in [{"token": TOKEN}, *requests]).encode())
        file.flush()
        return [json.loads(file.readline()) for _ in requests]


@pytest.mark.parametrize(
    ("deed", "needle"),
    [
        (lambda f: (f / "tokens").chmod(0o640), "tokens: expected mode 0600, found 0640: others can read the secret. Run: chmod 600"),
        (lambda f: (f / "server.key").chmod(0o644), "server.key: expected mode 0600, found 0644"),
        (lambda f: (f / "tokens").write_text(f"nora boss {'0' * 64}"), "tokens:1: expected one of the roles viewer, operator, engineer"),
        (lambda f: (f / "tokens").write_text(f"nora engineer {TOKEN}"), "tokens:1: expected a name, a role and the SHA-256"),
        (lambda f: (f / "server.crt").write_text("no certificate"), "remote.certificate_file, key_file: expected a PEM certificate"),
    ],
)
def test_a_door_that_cannot_be_opened_is_told_once_and_stops_nothing(
    site_file: Callable[..., Path], keys: Authority, tmp_path: Path, deed: Callable[[Path], object], needle: str
) -> None:
    site = read_site(site_file(*FOLDERS, add=tokens_file(tmp_path)))
    deed(tmp_path)
    service = Service(site, PlayedGuard(), SystemClock())
    try:
        news = [line for now_ms in range(0, 3 * RETRY_MS, RETRY_MS // 2) for line in service.poll(now_ms)]
        assert len(news) == 1
        assert needle in news[0]
        assert TOKEN not in news[0]
        assert service.socket is not None
        assert service.remote is None
    finally:
        service.close()
