"""The real optimizer process under the real guard, and what kills it: control goes on without a missed tick."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from support_control import cover, junction

from controller.cabinet.channel import COMMAND, ChildChannel
from controller.cabinet.guard import Guard
from controller.cabinet.optimizer_link import OptimizerLink
from controller.clock import SystemClock
from controller.journal_schema import junction_text
from controller.supervisor import Event, Mode
from hardware.fake import FakeHeads, FakeInputs
from hardware.ports import InputEvent
from hardware.registry import open_site

ONE = junction()
READY_S = 90.0  # where the kernels must be compiled first
MOST_MB = 300
LATE_MS = 50


def memory_mb(pid: int) -> float:
    rows = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmRSS")) / 1024


class Street:
    """The guard with a real child on the machine's clock."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self.clock = SystemClock()
        now_ms = self.clock.now_ms()
        self.heads = FakeHeads(ONE.site_spec())
        self.link = OptimizerLink(ONE, lambda: ChildChannel(command), junction_text(ONE))
        events = [InputEvent(now_ms + e.at_ms, *e[1:]) for e in cover("e0/1", 5_000, 600_000)]
        interlock = open_site(ONE.site_spec(), self.heads, now_ms=now_ms)
        self.guard = Guard(ONE, Mode.ADAPTIVE, FakeInputs(events), interlock, clock=self.clock, optimizer=self.link)

    def run(self, until: Callable[[], bool], most_s: float) -> None:
        end_ms = self.clock.now_ms() + int(1000 * most_s)
        while not until():
            assert self.clock.now_ms() < end_ms, f"not within {most_s} s: {list(self.guard.events)}"
            self.clock.wait_until(self.guard.due_ms)
            self.guard.tick()

    def run_s(self, time_s: float) -> None:
        end_ms = self.clock.now_ms() + int(1000 * time_s)
        self.run(lambda: self.clock.now_ms() >= end_ms, time_s + 5.0)

    @property
    def mode(self) -> Mode:
        return self.guard.control.nodes[0].supervisor.mode

    @property
    def child(self) -> int:
        assert isinstance(self.link.channel, ChildChannel)
        return self.link.channel.process.pid

    def ready(self) -> Street:
        self.run(lambda: self.link.state == "ready", READY_S)
        return self

    def lost(self) -> bool:
        return str(Event.OPTIMIZER_LOST) in [kind for _, kind, _ in self.guard.events]


@pytest.fixture
def street() -> Iterator[Street]:
    one = Street()
    yield one
    one.link.close()


def test_plans_come_from_the_other_process(street: Street) -> None:
    street.ready()
    street.run_s(6.0)
    assert street.mode is Mode.ADAPTIVE
    assert street.guard.status().nodes[0].planner == "adaptive"
    assert street.link.counts["optimizer_answers"] >= 5
    assert street.link.counts["optimizer_unanswered"] == 0
    assert memory_mb(street.child) <= MOST_MB


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_killed_or_stopped_optimizer_costs_no_tick(street: Street, how: signal.Signals) -> None:
    street.ready()
    street.run_s(2.0)
    pid, missed = street.child, street.guard.grid.missed
    os.kill(pid, how)
    street.run(street.lost, 6.0)
    assert street.mode is Mode.ACTUATED
    assert street.guard.status().optimizer == "lost"
    street.ready()
    assert street.child != pid
    assert street.guard.grid.missed == missed
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)  # a stopped one was killed, and fetched


def test_an_exception_in_the_optimizer_is_told_and_costs_no_tick(street: Street) -> None:
    street.ready()
    assert street.link.channel is not None
    street.link.channel.send(b'{"v":1,"ask":1,"node":"nowhere","mode":"adaptive","snapshot":[]}\n')
    street.run(street.lost, 3.0)
    assert any("KeyError" in text for _, _, text in street.guard.events)
    assert street.mode is Mode.ACTUATED
    street.ready()
    assert street.guard.grid.missed == 0


def test_memory_exhaustion_costs_no_tick() -> None:
    """The child may have so little address space that its libraries do not even load."""
    hungry = (
        "import resource, runpy; resource.setrlimit(resource.RLIMIT_AS, (150 << 20, 150 << 20));"
        "runpy.run_module('controller.cabinet.optimizer_process', run_name='__main__')"
    )
    one = Street((sys.executable, "-c", hungry))
    one.run(lambda: one.link.counts["optimizer_starts"] >= 3, 20.0)
    assert one.mode is Mode.ACTUATED
    assert one.guard.grid.missed == 0
    one.link.close()


def test_memory_exhaustion_at_work_costs_no_tick(street: Street) -> None:
    import resource

    street.ready()
    used = int(Path(f"/proc/{street.child}/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
    resource.prlimit(street.child, resource.RLIMIT_AS, (used, used))
    assert isinstance(street.link.channel, ChildChannel)
    assert street.link.channel.process.stdin is not None
    street.link.channel.send(b'{"v":1,"ask":1,"node":"node","mode":"adaptive","snapshot":[' + b"[[[]]]," * 100_000)
    street.run(street.lost, 20.0)
    assert street.guard.grid.missed == 0
    assert street.mode is Mode.ACTUATED


def test_one_that_cannot_be_started_is_an_event() -> None:
    one = Street(("/no/such/program",))
    one.run_s(1.5)
    assert one.mode is Mode.ACTUATED
    assert one.lost()
    assert one.guard.ticks >= 14
