"""kill -9 of the process that drives a controller over SNMP: what the controller does then, in each actuation, in real time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support_virtual import TABLE, dual_ring, site

from controller.clock import SystemClock
from hardware.ports import Actuation
from hardware.virtual.checker import Checker
from hardware.virtual.controller import VirtualController
from hardware.virtual.snmp_agent import SnmpAgent

CLIENT = Path(__file__).with_name("ntcip_client.py")
BACKUP_S = 5
LIMIT_S = 60  # a busy machine may take long; what the deadman took is told by the controller's own clock
CONTROLS = ("PhaseOmit", "PedOmit", "Hold", "ForceOff", "VehCall", "PedCall")


class World:
    """A virtual controller that lives in real time behind its SNMP agent, its lamps under an independent eye."""

    def __init__(self) -> None:
        self.clock, self.lock = SystemClock(), threading.Lock()
        setup = dual_ring(backup_s=BACKUP_S, local_pattern=1)
        self.controller = VirtualController(setup, now_ms=self.clock.now_ms(), warm=True)
        self.spec = site(setup)
        self.checker = Checker(self.spec)
        self.agent = SnmpAgent(self.controller, community="secret", lock=self.lock)
        self.ended = threading.Event()
        self.backup_ms: int | None = None  # how long after the newest SET it fell back, by its own clock
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while not self.ended.wait(0.1):
            with self.lock:
                self.controller.advance(self.clock.now_ms())
                if self.controller.backup and self.backup_ms is None and self.controller._system_ms is not None:
                    self.backup_ms = self.controller.now_ms - self.controller._system_ms
                lamps = self.controller.lamps()
                self.checker.look(self.controller.now_ms, [lamps[g.id] for g in self.spec.groups])

    def masks(self) -> list[object]:
        with self.lock:
            return [self.controller.get(TABLE.oid(f"phaseControlGroup{n}", 1)) for n in CONTROLS]

    def number(self, name: str, *index: int) -> object:
        with self.lock:
            return self.controller.get(TABLE.oid(name, *index))

    def wait(self, what: str, done: Callable[[], bool]) -> None:
        """Return when it is so."""
        begin_ms = self.clock.now_ms()
        while not done():
            assert self.clock.now_ms() - begin_ms < 1000 * LIMIT_S, f"{what} was not so within {LIMIT_S} s"
            self.clock.wait_until(self.clock.now_ms() + 20)

    def close(self) -> None:
        self.ended.set()
        self.thread.join()
        self.agent.close()


@pytest.fixture
def world() -> Iterator[World]:
    one = World()
    yield one
    one.close()
    assert one.checker.unsafe_frames == 0


@contextlib.contextmanager
def client(world: World, actuation: Actuation, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the client until the block ends."""
    secret = folder / "community"
    secret.write_text("secret")
    secret.chmod(0o600)
    settings = json.dumps({"port": world.agent.port, "secret": str(secret), "actuation": actuation.value})
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, str(CLIENT), settings], stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        try:
            yield process
            assert (folder / "log").read_bytes() == b""
        finally:
            process.kill()
            process.wait()


def test_phase_control_is_taken_back_within_the_deadman(world: World, tmp_path: Path) -> None:
    with client(world, Actuation.PHASE_CONTROL, tmp_path) as process:
        world.wait("something in force", lambda: world.masks() != [0] * 6)
        world.clock.wait_until(world.clock.now_ms() + 5 * BACKUP_S * 500)
        assert world.masks() != [0] * 6, "it is refreshed while the client lives"
        assert world.number("unitControlStatus") != 4
        process.kill()
        world.wait("backup", lambda: world.backup_ms is not None)
    assert world.backup_ms is not None
    assert world.backup_ms <= BACKUP_S * 1000 + 1_000, "within its deadman, and the step in which it looked"
    assert world.masks() == [0] * 6
    assert world.number("unitControlStatus") == 4
    assert world.number("coordPatternStatus") == 1, "its own plan"


def test_a_pattern_is_left_within_the_deadman(world: World, tmp_path: Path) -> None:
    with client(world, Actuation.SPLITS, tmp_path) as process:
        world.wait("our pattern", lambda: world.number("coordPatternStatus") in (47, 48))
        process.kill()
        world.wait("its own pattern", lambda: world.number("coordPatternStatus") == 1)
    assert world.backup_ms is not None
    assert world.backup_ms <= BACKUP_S * 1000 + 1_000
    assert world.number("systemPatternControl") == 0


def test_calls_stay_and_are_served_by_the_controllers_own_times(world: World, tmp_path: Path) -> None:
    with client(world, Actuation.CALLS, tmp_path) as process:
        world.wait("a call", lambda: world.number("vehicleDetectorControlGroupActuation", 1) != 0)
        process.kill()
        process.wait()
    left = world.number("vehicleDetectorControlGroupActuation", 1)
    world.clock.wait_until(world.clock.now_ms() + 2 * BACKUP_S * 1000)
    assert world.number("vehicleDetectorControlGroupActuation", 1) == left != 0, "no deadman guards them"
    assert world.number("coordPatternStatus") == 1


def test_a_client_that_begins_again_clears_what_was_left(world: World, tmp_path: Path) -> None:
    with world.lock:
        world.controller.set([(TABLE.oid("phaseControlGroupPhaseOmit", 1), 1)])
    with client(world, Actuation.PHASE_CONTROL, tmp_path):
        world.wait("what was left is gone, what is ours in force", lambda: world.masks()[2] != 0 and world.masks()[0] != 1)
