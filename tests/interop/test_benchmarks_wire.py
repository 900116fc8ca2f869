"""The way of an edge from the wire to the tick is measured at the far end of a real pty, and a limit that is missed is told."""

from __future__ import annotations

from benchmarks import wire


def test_every_edge_of_the_wire_is_found_in_the_journal() -> None:
    result = wire.measure_wire(units=3, baud=115_200, duration_s=6.0)
    assert result["edges"] >= 5
    assert 0 <= result["delay_median_ms"] <= result["delay_p99_ms"] <= result["delay_max_ms"]
    assert result["sweeps"] > 20
    assert wire.wire_table(result).count("\n") == 2


def test_a_missed_limit_is_told() -> None:
    assert wire.misses({"delay_max_ms": 150}) == []
    assert wire.misses({"delay_max_ms": 151}) == ["the longest way of an edge from wire to tick is 151 ms, limit 150 ms"]
