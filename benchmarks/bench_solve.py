"""How long one solve takes, and whether memory grows: four stages, 60 vehicles on 12 lanes, a horizon of 60 s.

Run ``python -m benchmarks.bench_solve``; ``--solves N`` sets how many solves the memory is watched over.
"""

from __future__ import annotations

import argparse
from typing import Final, NamedTuple

import numpy as np

from benchmarks.machine import busy_note, cpu_s
from controller.clock import elapsed_s
from optimizer.horizon import solve_horizon
from optimizer.problem import NEVER_MS, HorizonProblem, Ints, SplitProblem
from optimizer.splits import solve_splits

LANES: Final = 12
STAGES: Final = 4
VEHICLES: Final = 60
HORIZON_MS: Final = 60_000
CASES: Final = 40
BEAMS: Final = (4, 8, 12, 16, 24)
WIDE_BEAM: Final = 400
TIMED_BEAM: Final = 12
LIMIT_P99_MS: Final = 3.0


class Timing(NamedTuple):
    """Processor times of a solve in milliseconds, the wall time, and by how much the cost exceeds that of a very wide beam, in percent."""

    median_ms: float
    mean_ms: float
    p99_ms: float
    max_ms: float
    wall_p99_ms: float
    gap_mean_pct: float
    gap_max_pct: float
    expanded: int


def decision_times_ms(horizon_ms: int) -> Ints:
    """Return every second for 10 s, every 2 s to 30 s, every 4 s to the horizon."""
    times = [0]
    while times[-1] < horizon_ms:
        times.append(min(times[-1] + (1000 if times[-1] < 10_000 else 2000 if times[-1] < 30_000 else 4000), horizon_ms))
    return np.array(times, np.int64)


def _arrivals(rng: np.random.Generator, lanes: int, vehicles: int, horizon_ms: int) -> tuple[Ints, Ints]:
    counts = np.bincount(rng.integers(0, lanes, vehicles), minlength=lanes)
    arrival = np.zeros((lanes, int(counts.max())), np.int64)
    for lane, count in enumerate(counts):
        arrival[lane, :count] = np.sort(rng.integers(-20_000, horizon_ms, count))
    return arrival, counts.astype(np.int64)


def problem(
    seed: int,
    beam: int,
    *,
    lanes: int = LANES,
    stages: int = STAGES,
    vehicles: int = VEHICLES,
    horizon_ms: int = HORIZON_MS,
    yielding_milli: int = 1000,
) -> HorizonProblem:
    """Return a cross: each stage serves its share of the lanes, and a left turn of another approach that yields to two of them."""
    rng = np.random.default_rng(seed)
    arrival, counts = _arrivals(rng, lanes, vehicles, horizon_ms)
    service = np.zeros((stages, lanes), np.int64)
    foes = np.full((stages, lanes, 2), -1, np.int64)
    for s in range(stages):
        own, left = s * lanes // stages, (s * lanes // stages + lanes // 2) % lanes
        service[s, own : (s + 1) * lanes // stages] = 1000
        service[s, left] = 1000
        foes[s, left] = own, own + 1
    green_end, green_start = np.full((stages, stages, lanes), NEVER_MS, np.int64), np.zeros((stages, stages, lanes), np.int64)
    for a in range(stages):
        for b in range(stages):
            green_end[a, b, (service[a] > 0) & (service[b] == 0)] = 2000
            green_start[a, b, (service[a] == 0) & (service[b] > 0)] = 5500

    def of_all(value: int) -> Ints:
        return np.full(lanes, value, np.int64)

    def of_all_stages(value: int) -> Ints:
        return np.full((stages, lanes), value, np.int64)

    return HorizonProblem(
        arrival_ms=arrival,
        weight_milli=np.full(arrival.shape, 1000, np.int64),
        passes=np.zeros(arrival.shape, np.int64),
        gives_way=np.zeros(arrival.shape, np.int64),
        vehicles=counts,
        headway_ms=of_all(1900),
        stop_cost_ms=of_all(5000),
        person_milli=of_all(1000),
        ready_ms=of_all(0),
        blocked_ms=of_all(0),
        service_milli=service,
        foes=foes,
        yield_milli=of_all_stages(yielding_milli),
        yield_phase_milli=of_all(500),
        gap_ms=of_all(4000),
        green_end_ms=green_end,
        green_start_ms=green_start,
        min_stay_ms=np.full((stages, stages), 10_500, np.int64),
        allowed=np.ones((stages, stages), np.int64),
        grid_ms=decision_times_ms(horizon_ms),
        stage=int(rng.integers(stages)),
        leave_ms=0,
        switch_cost_ms=3000,
        work_price_milli=0,
        beam=beam,
    )


def measure(beam: int, wide: list[int], rounds: int = 10) -> Timing:
    """Solve all cases several times with a beam, and compare the costs with those of the wide beam."""
    problems = [problem(seed, beam) for seed in range(CASES)]
    solve_horizon(problems[0])
    times_ms, walls_ms, expanded = [], [], 0
    for _ in range(rounds):
        for p in problems:
            begin_s, begin_cpu_s = elapsed_s(), cpu_s()
            expanded = max(expanded, solve_horizon(p).expanded)
            times_ms.append(1000.0 * (cpu_s() - begin_cpu_s))
            walls_ms.append(1000.0 * (elapsed_s() - begin_s))
    gaps = [100.0 * (solve_horizon(p).cost_ms / best - 1.0) for p, best in zip(problems, wide, strict=True)]
    return Timing(
        float(np.median(times_ms)),
        float(np.mean(times_ms)),
        float(np.percentile(times_ms, 99)),
        max(times_ms),
        float(np.percentile(walls_ms, 99)),
        float(np.mean(gaps)),
        max(gaps),
        expanded,
    )


def resident_kib() -> int:
    """Return the memory that this process holds now (Linux), else 0."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
            return next((int(line.split()[1]) for line in status if line.startswith("VmRSS")), 0)
    except OSError:
        return 0


def memory_growth_kib(solves: int) -> int:
    """Return by how much the memory held grows over this many solves, after a tenth as many to settle."""
    problems = [problem(seed, TIMED_BEAM) for seed in range(CASES)]
    for n in range(solves // 10):
        solve_horizon(problems[n % CASES])
    before = resident_kib()
    for n in range(solves):
        solve_horizon(problems[n % CASES])
    return resident_kib() - before


def splits_ms() -> float:
    """Return the median time of a split solve: four stages, eight lanes, cycles from 40 to 120 s."""
    service = np.repeat(np.eye(4), 2, axis=1)
    flow = np.array([500.0, 450.0, 150.0, 120.0, 400.0, 380.0, 100.0, 90.0])
    four = [np.full(4, value) for value in (5.0, 60.0, 5.0)]
    p = SplitProblem(flow, np.full(8, 1800.0), np.zeros(8), np.ascontiguousarray(service), four[0], four[1], four[2], 40.0, 120.0, 900.0)
    times_ms = []
    for _ in range(50):
        begin_s = elapsed_s()
        solve_splits(p)
        times_ms.append(1000.0 * (elapsed_s() - begin_s))
    return float(np.median(times_ms))


def main() -> None:
    """Print solve times (processor time, the wall's 99th percentile beside) and gaps per beam, the split solver's time, and the growth of memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--solves", type=int, default=100_000, help="solves over which the memory is watched (default %(default)s)")
    solves = parser.parse_args().solves
    print(f"adaptive solve: {STAGES} stages, {VEHICLES} vehicles, {LANES} lanes, {HORIZON_MS // 1000} s; gap against a beam of {WIDE_BEAM}, {CASES} cases")
    print(f"{'beam':>5}{'nodes':>7}{'median ms':>11}{'mean ms':>9}{'p99 ms':>8}{'max ms':>8}{'wall p99':>10}{'gap mean %':>12}{'gap max %':>11}")
    wide = [solve_horizon(problem(seed, WIDE_BEAM)).cost_ms for seed in range(CASES)]
    for beam in BEAMS:
        t = measure(beam, wide)
        line = f"{beam:>5}{t.expanded:>7}{t.median_ms:>11.2f}{t.mean_ms:>9.2f}{t.p99_ms:>8.2f}{t.max_ms:>8.2f}{t.wall_p99_ms:>10.2f}"
        print(f"{line}{t.gap_mean_pct:>12.2f}{t.gap_max_pct:>11.2f}" + (f"   limit p99 {LIMIT_P99_MS} ms" if beam == TIMED_BEAM else ""))
    if note := busy_note():
        print(note)
    print(f"cycle solve: 4 stages, 8 lanes, cycles 40 to 120 s: median {splits_ms():.2f} ms")
    print(f"memory growth over {solves} adaptive solves: {memory_growth_kib(solves)} KiB")


if __name__ == "__main__":
    main()
