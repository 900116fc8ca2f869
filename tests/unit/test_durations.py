"""Durations as people type them, at every option that takes one."""

from __future__ import annotations

import pytest

from controller.durations import seconds_of, text_of
from controller.errors import ConfigError

TYPED = [("2h", 7_200), ("90m", 5_400), ("1h30m", 5_400), ("45s", 45), ("1d", 86_400), ("1.5m", 90), ("0.5s", 0.5), (" 60s ", 60), ("366d", 31_622_400)]
SENSELESS = ["", "s", "h", "0s", "0", "-2h", "-3s", "2h 3m", "3m2h", "nan", "inf", "1e9h", "ten", "5 minutes", "367d", "9999999999s", "\u0663s"]


@pytest.mark.parametrize(("text", "wanted_s"), TYPED)
def test_a_duration_has_units(text: str, wanted_s: float) -> None:
    assert seconds_of(text, "--for") == seconds_of(text, "--for", bare=False) == wanted_s


@pytest.mark.parametrize("text", SENSELESS)
def test_what_is_no_duration_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--for: expected a time such as 45s, 90m or 1h30m, more than 0 and at most 366 days, found "):
        seconds_of(text, "--for")


def test_a_bare_number_is_seconds_only_where_nobody_could_mean_minutes() -> None:
    assert seconds_of("45", "--duration") == 45
    assert seconds_of("0.5", "--duration") == 0.5
    with pytest.raises(ConfigError, match="--for: expected a time"):
        seconds_of("45", "--for", bare=False)


@pytest.mark.parametrize(("seconds", "text"), [(5, "5s"), (90, "1m30s"), (5_400, "1h30m"), (86_400, "24h"), (3_605, "1h5s"), (0, "0s"), (-7, "-7s")])
def test_seconds_are_told_as_they_are_typed(seconds: int, text: str) -> None:
    assert text_of(seconds) == text
    assert seconds <= 0 or seconds_of(text, "--for") == seconds
