"""One whole day of the soak (`scenarios.cabinet_soak`), as part of `make bench`; `make soak` runs thirty."""

from __future__ import annotations

import sys
import tempfile

from scenarios.cabinet_soak import main

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="umlauf-soak-") as folder:
        sys.exit(main(["--days", "1", "--slice-h", "24", "--workers", "1", "--folder", folder]))
