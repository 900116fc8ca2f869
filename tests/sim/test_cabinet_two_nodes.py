"""The daemon as a process before one controller with two nodes, over a pseudo-terminal and SNMP, in real time: driven, flashed, released."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support_controlled import street_of
from support_two_nodes import NODES, two_nodes, two_rings
from support_virtual import site as spec_of

from controller.clock import SystemClock
from hardware.signals import Aspect
from hardware.virtual.controller import VirtualController
from hardware.virtual.junction import VirtualJunction
from hardware.virtual.world import VirtualWorld
from scenarios.cabinet_daemon import Daemon
from scenarios.cabinet_live import Bench
from scenarios.cabinet_rig import Rig, loop_bus
from scenarios.cabinet_signals import DemoSignals
from scenarios.cabinet_site import prepare, write_site

UMLAUF = [sys.executable, "-c", "import sys; from controller.cli import main; sys.exit(main(sys.argv[1:]))"]
WARM_MS = 120_000
CLOCK = SystemClock()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[Bench, Daemon]]:
    """Give the devices and the daemon before them."""
    setup, start_ms = two_rings(), CLOCK.now_ms() - WARM_MS
    model = two_nodes(setup)
    model = replace(model, groups=tuple(replace(g, links=(int(g.id[1:]),)) for g in model.groups))  # the link is the phase, as in the demo
    controller = VirtualController(setup, now_ms=start_ms, warm=True)
    bus = loop_bus(model)
    stops = {f"l{phase}/1": phase for phase in range(1, 9)}
    street = VirtualJunction(street_of(model), start_ms=start_ms)
    world = VirtualWorld(street, spec_of(setup), start_ms=start_ms, controller=controller, cards=bus.places, detectors=stops)
    world.advance(CLOCK.now_ms())
    site = prepare(tmp_path)
    with ExitStack() as stack:
        bench = Bench(Rig(model, world, bus, controller, None), site, CLOCK)
        stack.callback(bench.close)
        write_site(site, bench.rig, bench.agent.port, DemoSignals.PHASE_CONTROL)
        daemon = Daemon(site)
        stack.callback(daemon.kill)
        yield bench, daemon


def wait(daemon: Daemon, done: Callable[[dict[str, Any]], bool], most_s: float = 60) -> None:
    end_ms = CLOCK.now_ms() + round(1000 * most_s)
    while not (daemon.status and done(daemon.status)):
        assert CLOCK.now_ms() < end_ms, f"{daemon.status}\n{daemon.last_words()}"
        daemon.poll()
        CLOCK.wait_until(CLOCK.now_ms() + 100)


def command(folder: Path, *arguments: str) -> str:
    done = subprocess.run([*UMLAUF, *arguments, "--socket", str(folder / "control.sock")], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_both_nodes_are_driven_flashed_and_released_together(bench: tuple[Bench, Daemon], tmp_path: Path) -> None:
    devices, daemon = bench
    greens = set[int]()

    def served(status: dict[str, Any]) -> bool:
        with devices.lock:
            greens.update(devices.controller.rings.green)
        return status["signals"] == "remote" and all(len(greens & set(phases)) > 1 for phases in NODES.values())

    def lamps() -> set[Aspect]:
        with devices.lock:
            return set(devices.controller.lamps().values())

    wait(daemon, lambda status: status["signals"] == "remote" and devices.controller.driven)
    told = command(tmp_path, "mode", "actuated", "--for", "5m", "--reason", "both nodes, each by its own loops")
    assert "actuated until" in told
    wait(daemon, served)
    assert [(node["id"], node["mode"]) for node in daemon.status["nodes"]] == [(name, "actuated") for name in NODES]
    command(tmp_path, "mode", "flash", "--for", "5m", "--reason", "lamps are changed")
    wait(daemon, lambda status: lamps() == {Aspect.FLASHING_AMBER} and {node["stage"] for node in status["nodes"]} == {"off"})
    command(tmp_path, "mode", "release", "--for", "5m", "--reason", "by itself")
    wait(daemon, lambda status: not devices.controller.driven and Aspect.GREEN in lamps() and status["signals"] == "remote")
    shown = json.loads(command(tmp_path, "status", "--json"))
    assert {node["plan_reason"] for node in shown["nodes"]} == {"left to the controller's own plan"}
    assert "Teilknoten west" in command(tmp_path, "status", "--lang", "de")
    assert shown["refusals"] == 0
    assert daemon.stop() == "stopped in order"
    assert devices.rig.world.checker.unsafe_frames == 0
    assert not devices.controller.driven
