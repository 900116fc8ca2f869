"""Nothing in guard and planners grows with the vehicles, ticks or decisions: a cabinet runs for months."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from support_lengths import grown, lengths

from controller.supervisor import Mode
from scenarios.cabinet_inprocess import InProcessCabinet

MINUTE_MS = 60_000
LEAST = 60  # in ten minutes there are some 250 vehicles, 600 decisions and 6 000 ticks


class Hoard:
    """Something that keeps all that it is told."""

    def __init__(self) -> None:
        self.ring, self.all, self.by_id = [0] * 9, [0], {0: {0}}

    def tell(self, number: int) -> None:
        self.ring = [*self.ring[1:], number]
        self.all.append(number)
        self.by_id[0].add(number)


def test_what_grows_is_found_and_what_only_turns_is_not() -> None:
    hoard, seen = Hoard(), []
    for number in range(300):
        hoard.tell(number)
        if number % 100 == 99:
            seen.append(lengths({"tell": hoard.tell}))
    assert sorted(row.split(":")[0] for row in grown(*seen, least=100)) == ["[].all", "[].by_id[]"]


@pytest.mark.parametrize(
    ("mode", "own_heads"),
    [(Mode.ACTUATED, True), pytest.param(Mode.ADAPTIVE, False, marks=pytest.mark.slow), pytest.param(Mode.CYCLE, False, marks=pytest.mark.slow)],
)
def test_half_an_hour_keeps_no_more_than_ten_minutes(tmp_path: Path, mode: Mode, own_heads: bool) -> None:
    cabinet = InProcessCabinet(tmp_path, mode=mode, own_heads=own_heads)
    seen: list[Counter[str]] = []
    try:
        for minutes in (10, 20, 30):
            cabinet.run_to(minutes * MINUTE_MS)
            seen.append(lengths([cabinet.guard, cabinet._planners]))
        assert cabinet.guard is not None
        assert cabinet.guard.detector_events > 1_000
        assert seen[-1].total() > 5_000, "the walk has lost its way"
    finally:
        cabinet.close()
    assert grown(*seen, least=LEAST) == []
