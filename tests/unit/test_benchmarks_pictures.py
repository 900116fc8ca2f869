"""What the picture of a scenario draws is what its table says."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from benchmarks.analysis import Cell
from benchmarks.pictures import _draw_cell

pytestmark = pytest.mark.quick


def ends(*delays_s: float) -> list[float]:
    """Return where an interval's ends have a stroke."""
    axes = Figure().subplots()
    _draw_cell(axes, 0, Cell("resco/cologne1", "actuated", dict(enumerate(delays_s, 1)), 0, "", None))
    (strokes,) = [line for line in axes.get_lines() if line.get_marker() == "|"]
    return [float(x) for x in strokes.get_xdata()]


def test_an_interval_ends_where_it_does() -> None:
    cell = Cell("resco/cologne1", "actuated", {1: 15.0, 2: 16.0, 3: 17.0}, 0, "", None)
    assert cell.mean is not None
    assert ends(15.0, 16.0, 17.0) == pytest.approx([16.0 - cell.mean.margin_value, 16.0 + cell.mean.margin_value])


def test_an_end_that_is_cut_has_no_stroke() -> None:
    (high,) = ends(12.8, 15.4)
    assert high > 30.0
