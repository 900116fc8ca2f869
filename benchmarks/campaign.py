"""Many runs, one row each: ``python -m benchmarks.campaign`` runs them, ``python -m benchmarks.campaign table FILE`` prints their table.

A campaign is resumed by the same command: finished rows of the same inputs and the same code are kept. Code is compared by the
sources, so a row is never older than what it claims to measure; ``--keep`` keeps rows of older code as well.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import RowFile, Version, present_version, read_campaign
from benchmarks.tables import campaign_table
from controller.clock import elapsed_s
from controller.errors import UmlaufError
from scenarios.case import Case
from scenarios.runner import run_one
from scenarios.simulate import Request, cases_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or tabulate, and return the exit code: 0 done, 1 some run failed or the options are wrong, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["table"]:
            print(campaign_table(read_campaign(Path(given[1]))) if len(given) == 2 else "usage: python -m benchmarks.campaign table FILE")
            return 0 if len(given) == 2 else 1
        return run_campaign(_parser().parse_args(given), "python -m benchmarks.campaign " + " ".join(given))
    except UmlaufError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.campaign", description="Run scenarios x controls x seeds, one row each.")
    parser.add_argument("--scenarios", required=True, help="comma-separated catalogue names or .sumocfg files")
    parser.add_argument("--controls", default="adaptive", help="comma-separated")
    parser.add_argument("--seeds", default="1-5", help="a seed, a list or a range")
    parser.add_argument("--rules", default=None, help="net, published or street; default: the scenario's")
    parser.add_argument("--detection", default="loops")
    parser.add_argument("--insertion", default="sumo")
    parser.add_argument("--begin", type=float, default=None, help="begin of the window in seconds")
    parser.add_argument("--end", type=float, default=None, help="end of the window in seconds")
    parser.add_argument("--keep", action="store_true", help="keep finished rows of older code")
    parser.add_argument("--folder", type=Path, default=None, help="keep the runs' own files here; default: throw them away")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the JSON file of the rows")
    return parser


def run_campaign(options: argparse.Namespace, command: str) -> int:
    """Run what is not yet done, seed by seed, and return the exit code."""
    version = present_version()
    file = RowFile(options.output)
    file.command = command
    root = Path(options.folder or tempfile.mkdtemp(prefix="umlauf-campaign-"))
    try:
        cases = [case for name in options.scenarios.split(",") for case in _cases(options, name.strip(), root)]
        wanted = [case for case in cases if not file.done(_inputs(case), None if options.keep else version.code_of(case.control))]
        print(f"{len(wanted)} of {len(cases)} runs to do", flush=True)
        return _run_all(wanted, file, version, keep_files=options.folder is not None)
    finally:
        if options.folder is None:
            shutil.rmtree(root, ignore_errors=True)


def _cases(options: argparse.Namespace, scenario: str, root: Path) -> list[Case]:
    request = Request(
        scenario=scenario,
        controls=tuple(name.strip() for name in options.controls.split(",")),
        seeds=options.seeds,
        rules=options.rules,
        detection=options.detection,
        insertion=options.insertion,
        begin_s=options.begin,
        end_s=options.end,
        output=root / Path(scenario).stem,
    )
    return cases_of(request)


def _inputs(case: Case) -> dict[str, Any]:
    names = ("scenario", "control", "seed", "rules", "detection", "insertion", "begin_s", "end_s")
    return {name: getattr(case, name) for name in names}


def _run_all(cases: Sequence[Case], file: RowFile, version: Version, *, keep_files: bool) -> int:
    code = 0
    begun_s = elapsed_s()
    for number, case in enumerate(cases, 1):
        origin = {"code": version.code_of(case.control), "commit": version.commit, "dirty": version.dirty}
        head = f"[{number}/{len(cases)}, {elapsed_s() - begun_s:.0f} s] {case.scenario} {case.control} seed {case.seed}:"
        try:
            record = run_one(case, lambda _now_s, _end_s: None, lambda _text: None)
        except UmlaufError as error:
            print(f"{head} FAILED: {error}", flush=True)
            file.put({**_inputs(case), "status": "failed", "error": str(error).splitlines()[0], **origin})
            code = 1
            continue
        if record["status"] == "interrupted":
            return 130
        file.put({**_inputs(case), **record, **origin})
        print(f"{head} {record['mean_delay_s']:.2f} s per vehicle, {record['wall_s']:.1f} s wall", flush=True)
        if not keep_files:
            shutil.rmtree(case.folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
