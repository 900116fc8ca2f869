"""Start the daemon with a wall clock that can be stepped: ``python -m scenarios.cabinet_clock OFFSET_FILE run SITE``.

The demo cannot set the machine's clock. So for the fault clock-step, and for it alone, its launcher gives the daemon a clock whose wall time
is the machine's plus the seconds in a file; monotonic time and waiting are the machine's own. All else is `umlauf` as it is.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

from controller import clock
from controller.cli import main


class SteppedClock(clock.SystemClock):
    """The machine's clocks, the wall clock moved by the seconds that the file holds."""

    offset_file = Path()

    def utc(self) -> datetime:
        """Return the wall clock, moved."""
        return clock.utc_now() + timedelta(seconds=float(self.offset_file.read_text(encoding="ascii")))


if __name__ == "__main__":
    SteppedClock.offset_file = Path(sys.argv[1])
    clock.SystemClock = SteppedClock  # type: ignore[misc]
    sys.exit(main(sys.argv[2:]))
