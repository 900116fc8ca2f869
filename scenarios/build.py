"""The scenarios that we make ourselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.catalogue import Scenario


def built_scenarios() -> tuple[Scenario, ...]:
    """Return the scenarios that are generated on demand."""
    return ()
