"""Which part of a scenario is run."""

from __future__ import annotations

import re
from typing import Final

from controller.errors import ConfigError
from scenarios.arguments import Window
from scenarios.case import Case
from scenarios.config import SumoConfig, parse_time_s, read_text

DRAIN_S: Final = 7200.0  # how long after the last departure a run without an end may take to empty
DAY_S: Final = 86400.0


def window_of(case: Case, config: SumoConfig) -> Window:
    """Return the window: the case's own bounds, else the configuration's; without any end until empty. Raises `ConfigError`."""
    begin_s = case.begin_s if case.begin_s is not None else config.begin_s
    end_s = case.end_s if case.end_s is not None else config.end_s
    if end_s is not None and end_s <= begin_s:
        raise ConfigError(f"the window ends at {end_s:g} s, expected an end after its begin at {begin_s:g} s; correct --begin and --end")
    cap_s = end_s if end_s is not None else max(_last_departure_s(config), begin_s) + DRAIN_S
    return Window(begin_s, end_s, cap_s)


def _last_departure_s(config: SumoConfig) -> float:
    latest_s = 0.0
    for route in config.routes:
        text = read_text(route)
        for tag, attributes in re.findall(r"<(vehicle|trip|flow|person|personFlow)\s([^>]*)>", text):
            name = "end" if tag.lower().endswith("flow") else "depart"
            match = re.search(rf'\b{name}="([\d:.]+)"', attributes)
            latest_s = max(latest_s, parse_time_s(match.group(1)) if match else (DAY_S if name == "end" else 0.0))
    return latest_s
