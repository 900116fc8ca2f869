"""The cabinet's doors as one service: what cannot be opened is told, tried again, and stops nothing; what ends is written down."""

from __future__ import annotations

import grp
import json
import os
import re
import socket
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support_cabinet import PlayedGuard, drivers, site_file, status_of_day

from controller.cabinet.audit import audit_files
from controller.cabinet.service import RETRY_MS, Service
from controller.cabinet.site import read_site
from controller.clock import SystemClock

__all__ = ["drivers", "site_file"]  # fixtures

METRICS = '\n[metrics]\nlisten = "127.0.0.1:0"\n'
FOLDERS = (('folder = "state"', 'folder = "s"'),)


def test_a_group_that_is_missing_leaves_the_socket_to_the_daemons_user_until_it_is_made(
    site_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = read_site(site_file(*FOLDERS, ('"control.sock"', '"control.sock"\ngroup = "no-such-group"')))
    service = Service(site, PlayedGuard(), SystemClock())
    try:
        news = [line for now_ms in (0, RETRY_MS) for line in service.poll(now_ms)]
        assert len(news) == 1
        assert "addgroup --system no-such-group" in news[0]
        assert stat.S_IMODE(site.socket.stat().st_mode) == 0o600
        monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", os.getgid(), [])))
        assert service.poll(2 * RETRY_MS) == ()
        assert stat.S_IMODE(site.socket.stat().st_mode) == site.socket_mode
    finally:
        service.close()


def test_a_taken_port_and_a_missing_folder_are_told_and_mended_later(site_file: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")  # where the socket's folder should be
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        path = site_file(('"control.sock"', '"run/control.sock"'), add=METRICS.replace(":0", f":{taken.getsockname()[1]}"))
        service = Service(read_site(path), PlayedGuard(), SystemClock())
        news = service.poll(0)
    try:
        assert [line.split(":")[0] for line in news] == ["operator socket", "metrics"]
        assert re.search(r"^metrics: 127\.0\.0\.1:\d+: expected an address .* Address already in use; stop what uses it, or name another port", news[1])
        (tmp_path / "run").unlink()
        assert service.poll(RETRY_MS) == ()
        assert service.socket is not None
        assert service.metrics is not None
    finally:
        service.close()


def test_of_a_door_that_fails_in_ever_new_ways_only_the_newest_is_remembered(site_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(read_site(site_file(*FOLDERS)), PlayedGuard(), SystemClock())
    tries = iter(range(100))

    def fail() -> None:
        raise OSError(f"try {next(tries) // 2}")

    monkeypatch.setattr(service, "_open_socket", fail)
    try:
        news = [line for now_ms in range(0, 6 * RETRY_MS, RETRY_MS) for line in service.poll(now_ms)]
        assert [line.split(";")[0] for line in news] == [f"operator socket: try {n}" for n in range(3)]
        assert len(service._told) == 1
    finally:
        service.close()


def test_the_end_of_an_override_is_written_down(site_file: Callable[..., Path]) -> None:
    site = read_site(site_file(*FOLDERS))
    service = Service(site, PlayedGuard(), SystemClock())
    over = replace(status_of_day().nodes[0], override=None)
    for status in (status_of_day(), status_of_day(), status_of_day(nodes=(over,)), status_of_day(nodes=(over,))):
        service.publish(status, 0)
    service.close()
    (entry,) = [json.loads(line) for path in audit_files(site.state_folder) for line in path.read_text().splitlines()]
    assert (entry["who"], entry["what"], entry["why"]) == ("umlauf", "override over", "roadworks in Schulstraße")
    assert entry["result"] == "node n: fixed wanted by anna until 2026-01-05T08:00:00+00:00 is no longer in force"


def test_that_a_controller_may_be_another_is_written_down(site_file: Callable[..., Path]) -> None:
    site = read_site(site_file(*FOLDERS))
    service = Service(site, PlayedGuard(), SystemClock())
    service.note_suspicion("older engine: expected 3 boots, found 2")
    service.close()
    (entry,) = [json.loads(line) for path in audit_files(site.state_folder) for line in path.read_text().splitlines()]
    assert (entry["who"], entry["via"], entry["what"], entry["result"]) == ("umlauf", "daemon", "controller", "older engine: expected 3 boots, found 2")
