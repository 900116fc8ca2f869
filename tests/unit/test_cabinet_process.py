"""What the daemon tells systemd and journald, and what it keeps to itself in the shadow."""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path

import pytest
from support_control import STAGES, cover
from support_guard import ONE, Cabinet

from controller.cabinet.commands import Heartbeat, KeyValueFormatter
from controller.cabinet.notify import Notifier
from controller.cabinet.shadow import Comparison, ShadowController, ShadowHeads
from controller.supervisor import Mode
from hardware.fake import FakeController, FakeHeads
from hardware.ports import CommandKind, ControllerCommand, PortError
from hardware.registry import open_site
from hardware.signals import Aspect, Frame

GREEN, RED = Aspect.GREEN, Aspect.RED


def listening(address: str) -> socket.socket:
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(address)
    heard.setblocking(False)
    return heard


def all_of(heard: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(heard.recv(4_096).decode())
        except BlockingIOError:
            return found


def test_systemd_is_told_of_completed_ticks_only(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with listening(address) as heard:
        one = Cabinet()
        notifier = Notifier.of_environment({"NOTIFY_SOCKET": address})
        one.guard.after_tick.append(Heartbeat(one.guard, notifier))
        assert all_of(heard) == []
        one.run_to(0)
        assert all_of(heard) == ["READY=1", "WATCHDOG=1", "STATUS=node actuated"]
        one.run_to(3_000)
        assert all_of(heard) == ["WATCHDOG=1"] * 3
        one.override(Mode.FIXED, 60_000, "a march")
        one.guard.stop("told to")
        one.run_to(3_100)
        assert all_of(heard) == ["STATUS=node flash", "STOPPING=1"]
        notifier.close()


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("")  # an abstract address of the kernel's choice
        notifier = Notifier("@" + heard.getsockname()[1:].decode())
        notifier.status("two\nlines")
        assert heard.recv(100) == b"STATUS=two lines"
        notifier.close()


def test_nobody_who_listens_is_no_error(tmp_path: Path) -> None:
    for notifier in (Notifier(), Notifier(str(tmp_path / "none"))):
        notifier.ready("up")
        notifier.watchdog()
        notifier.close()


def test_logs_are_one_line_of_keys_and_a_priority() -> None:
    record = logging.LogRecord("umlauf.guard", logging.WARNING, "", 0, 'no "answer"\nfrom it', (), None)
    record.kind, record.site = "link_lost", "corner"
    assert KeyValueFormatter().format(record) == '<4>site=corner kind=link_lost logger=umlauf.guard msg="no \\"answer\\"\\nfrom it"'
    try:
        raise ValueError("a bug")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    line = KeyValueFormatter().format(record)
    assert line.startswith('<3>logger=x msg="failed | Traceback')
    assert "\n" not in line


def test_shadow_heads_send_nothing_and_are_believed() -> None:
    real = FakeHeads(ONE.site_spec())
    one = ShadowHeads(real)
    one.show(Frame(0, (GREEN, RED, RED, RED)), 0)
    assert one.observe(5).aspects == (GREEN, RED, RED, RED)
    assert one.seen(5).aspects == (RED,) * 4
    assert real.history == []


def test_a_shadow_controller_is_asked_nothing() -> None:
    real = FakeController(ONE.site_spec())
    one = ShadowController(real)
    one.request(ControllerCommand(0, CommandKind.HOLD, ("NS",)), 0)
    assert real.history == []
    assert one.observe(0) == real.observe(0)


def test_wanted_and_seen_greens_are_compared() -> None:
    one = Cabinet(events=cover("e0/1", 20_000, 45_000))
    real = FakeHeads(ONE.site_spec())
    comparison = Comparison(one.guard, real.observe)
    one.guard.after_tick.append(comparison)
    real.force(tuple(GREEN if stage == "NS" else RED for stage in STAGES))
    one.run_to(19_900)
    assert comparison.agreed == dict.fromkeys(STAGES, 20)
    one.run_to(40_900)
    assert comparison.seconds == 41
    assert comparison.agreed["NSL"] == 41
    assert 20 <= comparison.agreed["NS"] < 30, "EW was wanted, NS was shown"
    real.mute = True
    one.run_to(60_000)
    assert comparison.seconds == 41
    assert comparison.words().startswith("wanted and seen greens agree over 41 s: NS ")


def test_in_the_shadow_nothing_reaches_the_heads_and_the_end_is_at_once() -> None:
    one = Cabinet()
    real = FakeHeads(ONE.site_spec())
    one.guard.signals = open_site(ONE.site_spec(), ShadowHeads(real), now_ms=0)
    one.guard.control.heads = one.guard.signals
    one.guard.shadow = True
    one.run_to(30_000)
    assert GREEN in one.guard.signals.aspects
    one.guard.stop()
    one.run_to(30_100)
    assert one.guard.stopped
    assert real.history == []


def test_lost_real_heads_do_not_end_the_shadow() -> None:
    real = FakeHeads(ONE.site_spec())
    real.mute = True
    with pytest.raises(PortError):
        ShadowHeads(real).seen(0)


def test_what_keeps_a_controller_from_being_driven_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    one = Cabinet()
    with caplog.at_level(logging.INFO):
        one.guard.tell("controller", "conflict: expected no green of A beside B, found B green")
        one.guard.tell("start", "site corner, mode actuated")
    assert [(vars(record)["kind"], record.levelname) for record in caplog.records] == [("controller", "WARNING"), ("start", "INFO")]
