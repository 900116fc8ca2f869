"""How controllers differ in speaking SNMP: profiles by product, each value of which the site file may override.

Sources: field notes on Econolite Cobalt and Q-Free MaxTime by users of both (docs/hardware/ntcip.md names them); none was seen by us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Quirks:
    """``version``: 1, 2c or 3; ``bare_scalars``: scalars that are asked for without their instance 0, by name."""

    version: str = "1"
    port: int = 161
    objects_per_request: int = 24
    bare_scalars: tuple[str, ...] = ()


PROFILES: Final[Mapping[str, Quirks]] = {
    "standard": Quirks(),  # version 1 is what every NTCIP controller must speak
    "v2c": Quirks(version="2c"),
    "v3": Quirks(version="3"),
    "cobalt": Quirks(port=501, objects_per_request=1),  # more than one object is answered with tooBig unless it is set up for it
    "maxtime": Quirks(objects_per_request=21),  # silently ignores version 2c
}
