"""The driver's options and its thread, and what it refuses before anything is sent."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from support_ntcip import (
    DETECTORS,
    DURATIONS_MS,
    FORCE,
    GROUPS,
    HOLD,
    PHASES,
    Bench,
    TableAgent,
    options,
    spec_of_two_rings,
)

from hardware.ntcip.driver import NtcipDriver
from hardware.ntcip.objects import Oid, Value
from hardware.ntcip.options import NtcipOptions
from hardware.ntcip.transport import InProcess
from hardware.ports import Actuation, CommandKind, PortError
from hardware.registry import SIGNALS, driver_of


@pytest.mark.parametrize(
    ("actuation", "kind", "groups"),
    [
        (Actuation.SPLITS, HOLD, ("V2",)),
        (Actuation.PHASE_CONTROL, CommandKind.SPLITS, GROUPS),
        (Actuation.CALLS, FORCE, ("V2",)),
    ],
)
def test_commands_of_another_actuation_are_refused(actuation: Actuation, kind: CommandKind, groups: Sequence[str]) -> None:
    more = {"detectors": DETECTORS} if actuation is Actuation.CALLS else {}
    bench = Bench(actuation=actuation, **more)
    with pytest.raises(PortError, match="expected one of"):
        bench.ask(kind, *groups, durations_ms=DURATIONS_MS if kind is CommandKind.SPLITS else ())


def test_a_driver_with_its_thread_answers_at_once_and_ends() -> None:
    agent, now = TableAgent(), [0]
    slow = threading.Event()

    class Slow(InProcess):
        def get_many(self, oids: Sequence[Oid]) -> Sequence[Value]:
            slow.wait(0.05)
            return super().get_many(oids)

    driver = NtcipDriver(spec_of_two_rings(), options(poll_ms=100), lambda: now[0], Slow(agent, most_per_request=40))
    with pytest.raises(PortError, match="none yet"):
        driver.observe(0)
    for _ in range(100):
        now[0] += 10
        slow.wait(0.05)
        if driver._session.sweeps > 2:
            break
    assert driver.observe(now[0]).mode == "remote"
    assert driver.observe(now[0]).at_ms <= now[0]
    driver.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("ntcip")]


def test_nothing_is_asked_before_it_is_looked_at() -> None:
    """A guard that starts has enough to do until its first tick."""
    agent = TableAgent()
    driver = NtcipDriver(spec_of_two_rings(), options(), lambda: 0, InProcess(agent, most_per_request=40))
    assert not [t for t in threading.enumerate() if t.name.startswith("ntcip")]
    driver.poll(0)
    assert [t for t in threading.enumerate() if t.name.startswith("ntcip")]
    driver.close()
    never = NtcipDriver(spec_of_two_rings(), options(), lambda: 0, InProcess(agent))
    never.close()
    never.poll(0)
    assert not [t for t in threading.enumerate() if t.name.startswith("ntcip")]


def test_a_thread_that_dies_is_told() -> None:
    class Broken(InProcess):
        def get_many(self, oids: Sequence[Oid]) -> Sequence[Value]:
            raise RuntimeError("a fault of ours")

    caught: list[object] = []
    hook, threading.excepthook = threading.excepthook, lambda args: caught.append(args.exc_value)
    try:
        driver = NtcipDriver(spec_of_two_rings(), options(), lambda: 0, Broken(TableAgent()))
        assert driver._thread is not None
        driver.poll(0)
        driver._thread.join(5)
        with pytest.raises(PortError, match=r"its driver has ended .*a fault of ours"):
            driver.observe(0)
        driver.close()
    finally:
        threading.excepthook = hook
    assert [str(error) for error in caught] == ["a fault of ours"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"phases": {**PHASES, "X": "phase 1"}}, "unknown \\['X'\\]"),
        ({"phases": {"V2": "phase 2"}}, "missing"),
    ],
)
def test_a_map_that_does_not_fit_the_site_is_refused(more: dict[str, Any], text: str) -> None:
    with pytest.raises(PortError, match=text):
        NtcipDriver(spec_of_two_rings(), options(**more), lambda: 0, InProcess(TableAgent()), threaded=False)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"phases": {"V2": "phase"}}, "expected a place such as"),
        ({"phases": {}}, "phases: expected a value"),
        ({"phases": {**PHASES, "V2": "detector 2"}}, "phases: V2: expected a phase, ped or overlap, found detector 2"),
        ({"detectors": {"V2": ("phase 2",)}}, "detectors: V2: expected a detector or ped detector, found phase 2"),
        ({"profile": "cobald"}, "expected one of standard, v2c, v3, cobalt, maxtime"),
        ({"version": "4"}, "expected 1, 2c or 3, found '4'"),
        ({"version": "3"}, "user: expected a value with SNMP version 3"),
        ({"user": "umlauf"}, "user: expected none with SNMP version 1, found 'umlauf'"),
        ({"user": "u" * 33}, "user: expected at most 32 ASCII letters"),
        ({"community_secret_file": ""}, "community_secret_file: expected a value with SNMP version 1, found none"),
        ({"host": "[fd00::7"}, "host: expected an address such as"),
        ({"host": "fd00::7:x"}, "host: expected an address such as"),
        ({"host": "[10.0.0.7]:161"}, "host: expected an address such as"),
        ({"host": "10.0.0.7:99999"}, "host: expected an address such as"),
        ({"host": "two words"}, "host: expected an address such as"),
        ({"host": "fe80::7%eth0"}, "found the link-local 'fe80::7%eth0'"),
        ({"host": "[::1]:161", "port": 161}, "port: expected none beside the one in host"),
        ({"patterns": (47, 47)}, "patterns: expected two different numbers"),
        ({"patterns": (254, 255)}, "of 1 to 253"),
        ({"poll_ms": 5}, "poll_ms: expected 100 to 10000, found 5"),
        ({"status_age_ms": 300}, "status_age_ms: expected 600"),
        ({"objects": {"nothing": "1.2.3"}}, "object nothing: expected one of"),
        ({"bare_scalars": ("phaseWalk",)}, "expected 1 index numbers"),
        ({"actuation": Actuation.CALLS}, "expected virtual detectors"),
    ],
)
def test_options_that_make_no_sense_are_refused(more: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        options(**more)


def test_a_profile_is_overridden_value_by_value() -> None:
    quirks = options(profile="cobalt", objects_per_request=8, bare_scalars=("sysUpTime",)).quirks()
    assert (quirks.version, quirks.port, quirks.objects_per_request, quirks.bare_scalars) == ("1", 501, 8, ("sysUpTime",))
    assert [options(profile="cobalt", **more).quirks().port for more in ({"port": 7}, {"host": "[::1]:8"}, {"host": "::1"})] == [7, 8, 501]


@pytest.mark.parametrize(
    ("host", "community", "warned"),
    [("10.0.0.7", "Public", True), ("[fd00::7]:161", "private", True), ("10.0.0.7", "4 own", False), ("::1", "public", False), ("127.0.0.1", "public", False)],
)
def test_a_community_that_everybody_tries_first_is_warned_of_beyond_this_machine(host: str, community: str, warned: bool) -> None:
    assert bool(options(host=host).secret_warning("community_secret_file", community)) == warned


def test_without_its_library_the_registry_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [m for m in sys.modules if m.startswith("pysnmp") or m in ("hardware.ntcip.opening", "hardware.ntcip.snmp")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pysnmp", None)
    driver = driver_of(SIGNALS, "ntcip")
    assert driver.load_options() is NtcipOptions
    with pytest.raises(PortError, match=r"pip install 'umlauf\[ntcip\]'"):
        driver.load_factory()
