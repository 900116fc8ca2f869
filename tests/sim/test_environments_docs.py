"""The worked examples of docs/ENVIRONMENTS.md run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.sim
TEXT = (Path(__file__).resolve().parents[2] / "docs" / "ENVIRONMENTS.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("index", range(2))
def test_the_example_runs(index: int, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", EXAMPLES[index]], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if index == 0:
        told = re.fullmatch(r"([\d.]+) s per vehicle, which is ([\d.]+)\n", done.stdout)
        assert told, done.stdout
        assert told[1] == told[2]
