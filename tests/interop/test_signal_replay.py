"""signal-replay, with which agencies test real controllers, before our virtual one: its detector events arrive, and it finds no conflict.

It needs an environment of its own, for it wants an older pandas. That is made once, in the user's cache; pip must reach its packages.
"""

from __future__ import annotations

import json
import subprocess
import threading
import venv
from pathlib import Path

import pytest
from platformdirs import user_cache_path
from support_virtual import dual_ring

from controller.clock import SystemClock
from hardware.virtual.controller import VirtualController
from hardware.virtual.snmp_agent import SnmpAgent

WANTED = "signal-replay==1.0.1"
FEED = Path(__file__).with_name("signal_replay_feed.py")
ON, OFF, BEGIN_GREEN, BEGIN_YELLOW, BEGIN_RED_CLEAR = 82, 81, 1, 8, 10
EVENTS = [
    [after_s, ON if k % 2 == 0 else OFF, detector] for k, (after_s, detector) in enumerate([(2.0, 4), (6.0, 4), (9.0, 1), (10.0, 1), (14.0, 3), (20.0, 3)])
]


def interpreter() -> Path:
    """Return the Python of signal-replay's environment; make it where it is missing."""
    folder = user_cache_path("umlauf") / "tests" / WANTED
    python = folder / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import signal_replay"], capture_output=True, check=False).returncode:
        venv.create(folder, with_pip=True, clear=True)
        made = subprocess.run([python, "-m", "pip", "install", "--quiet", WANTED], capture_output=True, text=True, check=False)
        assert made.returncode == 0, f"expected pip to install {WANTED}:\n{made.stderr}"
    return python


class Recorded:
    """The virtual controller in real time behind its agent; its greens and yellows go into a high-resolution log."""

    def __init__(self, log: Path) -> None:
        self.clock, self.lock, self.ended = SystemClock(), threading.Lock(), threading.Event()
        self.controller = VirtualController(dual_ring(), now_ms=self.clock.now_ms(), warm=True)
        self.agent = SnmpAgent(self.controller, lock=self.lock)
        self.log = log
        log.touch()
        self.told: list[frozenset[int]] = [frozenset()]
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        green, yellow = frozenset[int](), frozenset[int]()
        with self.log.open("a") as out:
            while not self.ended.wait(0.05):
                with self.lock:
                    self.controller.advance(self.clock.now_ms())
                    now, fading, told = self.controller.rings.green, self.controller.rings.yellow, self.controller._told
                at = self.clock.utc().astimezone().replace(tzinfo=None).isoformat()
                rows = [(BEGIN_GREEN, p) for p in now - green] + [(BEGIN_YELLOW, p) for p in fading - yellow] + [(BEGIN_RED_CLEAR, p) for p in yellow - fading]
                out.writelines(json.dumps([at, code, p]) + "\n" for code, p in rows)
                out.flush()
                green, yellow = now, fading
                if told != self.told[-1]:
                    self.told.append(told)

    def close(self) -> None:
        self.ended.set()
        self.thread.join()
        self.agent.close()


@pytest.mark.slow
def test_its_events_arrive_and_it_finds_no_conflict(tmp_path: Path) -> None:
    python = interpreter()
    one = Recorded(tmp_path / "log")
    settings = {
        "port": one.agent.port,
        "log": str(one.log),
        "folder": str(tmp_path),
        "events": EVENTS,
        "incompatible": [["Ph2", "Ph4"], ["Ph4", "Ph8"], ["Ph1", "Ph2"]],
    }
    try:
        found = subprocess.run([python, FEED, json.dumps(settings)], capture_output=True, text=True, check=False, timeout=240)
    finally:
        one.close()
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout.splitlines()[-1])
    assert (result["reason"], result["completed"]) == ("completed", 1)
    assert one.told == [frozenset(s) for s in ((), (4,), (), (1,), (), (3,), ())]
    assert result["conflicts"] == ["Ph4 & Ph8"], "the pair that may be green together shows that it would see a conflict; the others are none"
