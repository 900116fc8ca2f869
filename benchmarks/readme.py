"""Fills the tables of figures in README.md from the runs that measured them: ``python -m benchmarks.readme [DEMO]``.

A table stands between ``<!-- figures: FILE -->`` and ``<!-- end of figures -->``; FILE is the Parquet of a campaign or the JSON of the oracle
ladder, relative to the README. No figure there is typed by hand, and a test compares. DEMO is the run folder of a `make demo`: its picture becomes the
README's.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.columns import read_parquet
from benchmarks.ladder_table import ladder_table
from benchmarks.tables import campaign_table

README: Final = Path(__file__).resolve().parents[1] / "README.md"
PICTURE: Final = README.parent / "docs" / "images" / "demo.png"
_BLOCK: Final = re.compile(r"<!-- figures: (?P<file>\S+) -->\n.*?<!-- end of figures -->", re.DOTALL)


def main(arguments: Sequence[str]) -> int:
    """Rewrite the README's tables, take over the picture of the run folder given, and return 0."""
    for folder in arguments:
        PICTURE.parent.mkdir(exist_ok=True)
        shutil.copy(Path(folder) / "pictures" / "delay.png", PICTURE)
    README.write_text(filled(README.read_text(encoding="utf-8"), README.parent), encoding="utf-8")
    return 0


def filled(text: str, folder: Path) -> str:
    """Return the text with each marked table made anew. Raises `ConfigError` where a named campaign is none."""
    return _BLOCK.sub(lambda match: _block(match["file"], folder), text)


def _block(file: str, folder: Path) -> str:
    path = folder / file
    table = _table(path) if path.is_file() else f"Not measured yet: `{file}` is missing."
    return f"<!-- figures: {file} -->\n{table}\n<!-- end of figures -->"


def _table(path: Path) -> str:
    """Return the table of the oracle ladder, or those of a campaign."""
    if path.suffix == ".parquet":
        return campaign_table(read_parquet(path))
    return ladder_table(json.loads(path.read_text(encoding="utf-8"))["ladder"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
