"""From the wire to the tick: how long a detector's edge takes, and how long a sweep over eight units at 9 600 baud.

``python -m benchmarks.wire [--units N] [--baud N] [--duration S] [-o FILE]``. Simulated LD120s stand behind a pseudo-terminal
that takes as long for each octet as a real line. The cabinet's own guard reads them, ten ticks a second, on heads in memory, and writes
its journal. The far end notes when the answer that shows an edge was on the wire whole; the journal tells in which tick it was used.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from benchmarks.machine import busy_note
from benchmarks.tables import markdown
from controller.cabinet.guard import Guard
from controller.clock import SystemClock
from controller.errors import SimulationError, UmlaufError
from controller.journal import Journal
from controller.journal_reader import JournalReader
from controller.supervisor import Mode
from hardware.loops.modbus import ModbusOptions, ModbusUnit
from hardware.loops.serial_bus import BusStats, ThreadedInputs
from hardware.ports import InputKind
from hardware.registry import open_inputs, open_site
from hardware.virtual.card_lines import PtyLine
from hardware.virtual.loop_cards import Ld120Card, ModbusSlave
from scenarios.cabinet_street import demo_junction

LIMIT_MS: Final = 150  # from the complete reply to the tick that used it
_STEADY_MS: Final = 1_500  # a loop stays as it is for longer than the slowest sweep
_DETECT: Final = 0x02
_STATE_REPLY: Final = 4  # the function that reads an LD120's state

Edge = tuple[int, int]  # the new value, and when


class Far:
    """The far end: cards, traffic over them, and when each edge was on the wire."""

    def __init__(self, units: int, folder: Path, baud: int) -> None:
        self._clock = SystemClock()
        self._cards = {unit: Ld120Card() for unit in range(1, units + 1)}
        self._told = dict.fromkeys(self._cards, 0)
        self.edges: dict[int, list[Edge]] = defaultdict(list)
        self.line = PtyLine(ModbusSlave(self._cards), folder / "tty", baud=baud)
        self.line.sent = self._sent
        self._stop = Event()
        self._thread = Thread(target=self._drive, name="traffic", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End traffic and line."""
        self._stop.set()
        self._thread.join()
        self.line.close()

    def _sent(self, answer: bytes) -> None:
        unit, function = answer[0], answer[1]
        if function != _STATE_REPLY or answer[3] == 3:
            return  # a counter, or who it is: version 3 stands where the state has its relays
        value = int(bool(answer[4] & _DETECT))
        if value != self._told[unit]:
            self._told[unit] = value
            self.edges[unit].append((value, self._clock.now_ms()))

    def _drive(self) -> None:
        """Let vehicles come and go at times that have nothing to do with ticks and sweeps, each long enough to be seen."""
        chance = random.Random(1)
        rested = {unit: self._clock.now_ms() + _STEADY_MS for unit in self._cards}
        while not self._stop.wait(chance.uniform(0.02, 0.2)):
            now_ms = self._clock.now_ms()
            if ready := [unit for unit, from_ms in rested.items() if from_ms <= now_ms]:
                unit = chance.choice(ready)
                rested[unit] = now_ms + _STEADY_MS
                self._cards[unit].cover(not self._cards[unit].occupied)


def measure_wire(units: int, baud: int, duration_s: float) -> dict[str, Any]:
    """Return delays and sweep times in ms over a run of the guard. Raises `SimulationError` where edges were lost."""
    junction, clock = demo_junction(), SystemClock()
    loops = [d.id for d in junction.detectors][:units]
    with tempfile.TemporaryDirectory(prefix="umlauf-wire-") as name:
        folder = Path(name)
        far = Far(units, folder, baud)
        bus = tuple(ModbusUnit(unit=unit, detectors={1: loop}) for unit, loop in enumerate(loops, start=1))
        inputs = open_inputs("modbus", ModbusOptions(port=far.line.port, baud=baud, units=bus, interval_ms=0), clock.now_ms)
        assert isinstance(inputs, ThreadedInputs)
        try:
            heads = open_site(junction.site_spec(), "fake", now_ms=clock.now_ms())
            with Journal.create(folder / "journal.sqlite", {}) as journal:
                Guard(junction, Mode.ACTUATED, inputs, heads, clock=clock, journal=journal).run(duration_s)
        finally:
            inputs.close()
            far.close()
        delays = _delays(folder / "journal.sqlite", loops, far.edges)
    return {"units": units, "baud": baud, "duration_s": duration_s, **_figures(delays, inputs.stats())}


def _delays(journal: Path, loops: Sequence[str], told: Mapping[int, Sequence[Edge]]) -> list[int]:
    """Return per edge the time in ms from the wire to the tick. Raises `SimulationError` where the journal has other edges than the wire."""
    used: dict[str, list[Edge]] = defaultdict(list)
    with JournalReader(journal) as reader:
        at_ms = dict(reader.ticks())
        for row in reader.events():
            if row.event.kind is InputKind.PRESENCE:
                used[row.event.source].append((row.event.value, at_ms[row.tick]))
    delays: list[int] = []
    for unit, loop in enumerate(loops, start=1):
        wire, ticks = told.get(unit, ()), used[loop]
        if [value for value, _ in ticks] != [value for value, _ in wire][: len(ticks)] or len(wire) - len(ticks) > 1:
            raise SimulationError(f"{loop}: expected the {len(wire)} edges of the wire in the journal, found {len(ticks)}, or others")
        delays += [tick_ms - wire_ms for (_, wire_ms), (_, tick_ms) in zip(wire, ticks, strict=False)]
    return delays


def _figures(delays: Sequence[int], stats: BusStats) -> dict[str, Any]:
    if not delays:
        raise SimulationError("no edge reached the journal; run longer")
    ordered = sorted(delays)
    return {
        "edges": len(ordered),
        "delay_median_ms": statistics.median(ordered),
        "delay_p99_ms": ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))],
        "delay_max_ms": ordered[-1],
        "sweep_ms": stats.sweep_ms,
        "sweep_max_ms": stats.max_sweep_ms,
        "sweeps": stats.sweeps,
        "unanswered": sum(unit.silent for unit in stats.units.values()),
    }


def misses(result: Mapping[str, Any]) -> list[str]:
    """Return the limits that were not kept, in words."""
    late_ms = result["delay_max_ms"]
    return [f"the longest way of an edge from wire to tick is {late_ms} ms, limit {LIMIT_MS} ms"] if late_ms > LIMIT_MS else []


def wire_table(result: Mapping[str, Any]) -> str:
    """Return the Markdown table."""
    head = ["units", "baud", "edges", "wire to tick ms: median", "99 %", "longest", "sweep ms", "longest", "sweeps", "unanswered"]
    names = ("units", "baud", "edges", "delay_median_ms", "delay_p99_ms", "delay_max_ms", "sweep_ms", "sweep_max_ms", "sweeps", "unanswered")
    return markdown(head, [[f"{result[name]:g}" for name in names]])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Exit code: 0 limit kept, 1 it was missed or the measurement failed."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wire", description="From the wire to the tick.")
    parser.add_argument("--units", type=int, default=8)
    parser.add_argument("--baud", type=int, default=9_600)
    parser.add_argument("--duration", type=float, default=120.0, metavar="S")
    parser.add_argument("-o", "--output", type=Path, default=None, help="also write the figures as JSON")
    options = parser.parse_args(given)
    try:
        result = measure_wire(options.units, options.baud, options.duration)
    except UmlaufError as error:
        print(error, file=sys.stderr)
        return 1
    print(wire_table(result))
    if note := busy_note():
        print(note)
    if options.output is not None:
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    missed = misses(result)
    for line in missed:
        print(line, file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
