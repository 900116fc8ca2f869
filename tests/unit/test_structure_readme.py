"""The README's figures are the measured ones, its links lead somewhere, and its commands exist."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from support_bench import row

from benchmarks.columns import write_parquet
from benchmarks.readme import filled
from controller.cli_commands import find_commands

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATING = (ROOT / "docs" / "OPERATING.md").read_text(encoding="utf-8")


def test_the_tables_are_what_the_campaigns_measured() -> None:
    assert filled(README, ROOT) == README, "run: python -m benchmarks.readme"


def test_a_marked_table_is_made_from_its_file(tmp_path: Path) -> None:
    write_parquet([row(scenario="cross", delay_s=12.34)], tmp_path / "c.parquet")
    marked = "before\n<!-- figures: {} -->\nold\n<!-- end of figures -->\nafter\n"
    assert "| cross | 12.3" in filled(marked.format("c.parquet"), tmp_path)
    assert "old" not in filled(marked.format("c.parquet"), tmp_path)
    ladder = {"ladder": [{"scenario": "cross", "seed": 1, "rung": "loops", "mean_delay_s": 12.34}]}
    (tmp_path / "l.json").write_text(json.dumps(ladder))
    assert "| cross | 1 | 12.3 |" in filled(marked.format("l.json"), tmp_path)
    assert "Not measured yet: `none.json` is missing." in filled(marked.format("none.json"), tmp_path)


def test_links_and_pictures_exist() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r'src="([^"]+)"', README)
    missing = [target for target in targets if not target.startswith("http") and not (ROOT / target).exists()]
    assert not missing
    assert len(targets) > 5


def test_links_and_pictures_in_the_docs_exist() -> None:
    found = [(path, target) for path in (ROOT / "docs").rglob("*.md") for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text(encoding="utf-8"))]
    missing = [f"{path.name}: {target}" for path, target in found if not target.startswith("http") and not (path.parent / target).exists()]
    assert not missing
    assert len(found) > 20


def test_every_command_is_told_and_every_told_command_exists() -> None:
    told = set(re.findall(r"\bumlauf ([a-z]+)\b", README + OPERATING))
    assert told - {"is"} == set(find_commands())


def test_the_make_targets_told_exist() -> None:
    told = set(re.findall(r"^    make ([a-z]+)\b", README, re.MULTILINE))
    assert told >= {"demo", "test"}
    done = subprocess.run(["make", "-n", *sorted(told)], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_two_commands_come_first() -> None:
    assert README.index("make demo") < README.index("umlauf simulate")
    assert README.index("make test") < README.index("umlauf simulate")
