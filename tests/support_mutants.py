"""Run the interlock's tests against every mutant of it, and compare the survivors with the explained list.

    python tests/support_mutants.py [--keep FOLDER]

Works in a copy, so that nothing is left in the tree. Takes about 10 minutes on one core. Exits 1 if a mutant survives that
`docs/decisions/0020-interlock-mutants.md` does not explain, or if that list names one that no longer survives.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXPLAINED = ROOT / "docs" / "decisions" / "0020-interlock-mutants.md"
COPIED = ("hardware", "controller", "tests", "pyproject.toml")
KILLED = (1, 3, 36, 24, -24, 152)  # failed, failed on collection, and the ways to run out of time
STRICT = re.compile(r",\s*strict=\w+|,\s*(?=\))")


def survivors(folder: Path) -> list[str]:
    """Return the names of the mutants that no test killed, or that were never tried."""
    names = []
    for path in sorted((folder / "mutants" / "hardware").glob("*.meta")):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        names += [name for name, code in codes.items() if code not in KILLED]
    return names


def change(folder: Path, name: str) -> str:
    """Return one mutant as ``function: old => new``, or ``strict`` where only a zip's ``strict`` changed."""
    diff = subprocess.run([sys.executable, "-m", "mutmut", "show", name], cwd=folder, capture_output=True, text=True, check=True).stdout
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    old, new = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    if STRICT.sub("", old) == STRICT.sub("", new):
        return "strict"
    return f"{re.sub(r'__mutmut_[0-9]+$', '', name.rsplit('.', maxsplit=1)[-1]).replace('ǁ', '.').removeprefix('x').lstrip('_.')}: {old} => {new}"


def explained() -> set[str]:
    """Return the lines of the decision's fenced list."""
    blocks = re.findall(r"```text\n(.*?)```", EXPLAINED.read_text(encoding="utf-8"), re.S)
    return {line for block in blocks for line in block.splitlines() if line}


def main() -> int:
    parser = argparse.ArgumentParser(description="mutation testing of the interlock")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    folder = parser.parse_args().keep or Path(tempfile.mkdtemp(prefix="umlauf-mutants-"))
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    subprocess.run([sys.executable, "-m", "mutmut", "run", "--max-children", "1"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    found = sorted({change(folder, name) for name in survivors(folder)})
    unexplained, gone = [c for c in found if c not in explained()], sorted(explained() - set(found))
    print(f"kinds of surviving mutants: {len(found)}, unexplained: {len(unexplained)}, explained but gone: {len(gone)}")
    for line in unexplained:
        print(f"survives: {line}")
    for line in gone:
        print(f"no longer survives, take it off the list: {line}")
    return 1 if unexplained or gone else 0


if __name__ == "__main__":
    raise SystemExit(main())
