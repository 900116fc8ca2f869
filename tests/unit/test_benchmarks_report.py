"""What the report says: who is ahead, how certainly, what failed; readable without pictures and without colour."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support_bench import row

from benchmarks import report
from benchmarks.analysis import Block, Verdict, analyse, verdict_of
from benchmarks.report import write_report
from benchmarks.report_words import overview, statement
from benchmarks.statistics import Mean, mean_of

NOISE = (0.3, -0.2, 0.1, -0.4, 0.2)


def runs(control: str, around_s: float, scenario: str = "resco/cologne1", spread: float = 1.0, **other: Any) -> list[dict[str, Any]]:
    return [row(control, seed, around_s + spread * noise, scenario, **other) for seed, noise in enumerate(NOISE, 1)]


def block_of(*rows: dict[str, Any]) -> Block:
    (block,) = analyse(rows)
    return block


def verdicts(block: Block) -> dict[str, Verdict]:
    return {c.peer: c.verdict for c in block.comparisons}


def test_a_clear_lead_is_certain_and_noise_is_not() -> None:
    noisy = [r | {"mean_delay_s": 15.0 + 3 * (-1) ** r["seed"]} for r in runs("greedy", 15.0)]
    block = block_of(*runs("adaptive", 15.0), *runs("fixed", 40.0, spread=2.0), *noisy)
    assert verdicts(block) == {"fixed": Verdict.AHEAD, "greedy": Verdict.OPEN}


def test_many_comparisons_make_a_small_lead_uncertain() -> None:
    few = block_of(*runs("adaptive", 15.0), *[row("fixed", s, 15.2 + 0.45 * n) for s, n in enumerate(NOISE, 1)])
    assert few.comparisons[0].p_value is not None
    alone = few.comparisons[0].p_value
    others = [r for k in range(12) for r in [row(f"peer{k:02d}", s, 15.0 + ((s * 7 + k * 3) % 5) - 2.0) for s in range(1, 6)]]
    many = block_of(*runs("adaptive", 15.0), *[row("fixed", s, 15.2 + 0.45 * n) for s, n in enumerate(NOISE, 1)], *others)
    fixed = next(c for c in many.comparisons if c.peer == "fixed")
    assert fixed.p_value == pytest.approx(13 * alone)
    assert few.comparisons[0].verdict is Verdict.AHEAD
    assert fixed.verdict is Verdict.PROBABLY_AHEAD


@pytest.mark.parametrize(
    ("difference", "p_value", "locked", "verdict"),
    [
        (Mean(-5.0, 1.0, 5), 0.01, False, Verdict.AHEAD),
        (Mean(-5.0, 1.0, 5), 0.01, True, Verdict.LOCKED),
        (Mean(-5.0, 1.0, 5), 0.06, False, Verdict.PROBABLY_AHEAD),
        (Mean(-5.0, 6.0, 5), 0.2, False, Verdict.OPEN),
        (Mean(5.0, 1.0, 5), 0.06, False, Verdict.PROBABLY_BEHIND),
        (Mean(5.0, 1.0, 5), 0.01, False, Verdict.BEHIND),
        (mean_of([-5.0]), None, False, Verdict.UNKNOWN),
    ],
)
def test_the_verdicts(difference: Mean, p_value: float | None, locked: bool, verdict: Verdict) -> None:
    assert verdict_of(difference, p_value, locked=locked) is verdict


def test_a_locked_run_of_ours_is_never_ahead() -> None:
    ours = [*runs("adaptive", 15.0)[:4], row("adaptive", 5, 31.0)]
    block = block_of(*ours, *runs("fixed", 60.0))
    assert block.cells["resco/cologne1", "adaptive"].locked == [5]
    assert verdicts(block)["fixed"] is Verdict.LOCKED
    assert "a run of it locks up, so it does not count as ahead" in statement(block.comparisons[0], "adaptive", 1)


def test_the_floor_is_a_bound_and_no_peer() -> None:
    block = block_of(*runs("adaptive", 15.0), *runs("fixed", 40.0), *runs("floor", 4.0))
    cell = block.cells["resco/cologne1", "adaptive"]
    assert cell.above_floor is not None
    assert cell.above_floor.value == pytest.approx(11.0)
    assert "floor" not in verdicts(block)


def test_settings_and_windows_are_never_mixed() -> None:
    rows = [*runs("adaptive", 15.0), *runs("adaptive", 25.0, insertion="legacy"), *runs("adaptive", 9.0, end_s=600.0)]
    assert [str(block.setting) for block in analyse(rows)] == [
        "rules published, detection loops, insertion sumo",
        "rules published, detection loops, insertion sumo, window the scenario's own to 600 s",
        "rules published, detection loops, insertion legacy",
    ]


def test_the_sentences_name_amount_interval_and_certainty() -> None:
    block = block_of(*runs("adaptive", 15.0), *runs("fixed", 40.0, spread=2.0))
    told = statement(block.comparisons[0], block.reference, block.tested)
    assert re.fullmatch(
        r"resco/cologne1: adaptive is ahead of fixed by 25\.0 s per vehicle \(95 % interval of the difference -25\.4 to -24\.6; "
        r"5 seeds, p < 0\.001 among 1 comparison\)\.",
        told,
    )
    assert overview(block) == ["adaptive against fixed: ahead on the one scenario (cologne1)."]


def test_without_adaptive_the_first_control_is_the_reference() -> None:
    assert block_of(*runs("mine", 15.0), *runs("webster", 20.0), *runs("floor", 3.0)).reference == "mine"


def test_the_reference_may_be_asked_for() -> None:
    rows = [*runs("adaptive", 15.0), *runs("mine", 20.0), *runs("fixed", 40.0, spread=2.0), *runs("floor", 3.0)]
    (block,) = analyse(rows, "mine")
    assert block.reference == "mine"
    assert verdicts(block) == {"adaptive": Verdict.BEHIND, "fixed": Verdict.AHEAD}
    assert analyse(rows, "not-run-here")[0].reference == "adaptive"


class Page(HTMLParser):
    """Collects what a reader without eyes or network needs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.alts: list[str] = []
        self.sources: list[str] = []
        self.heads: list[str] = []
        self.scopes: list[str] = []
        self.lang = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "img":
            self.alts.append(found.get("alt", ""))
        if tag == "html":
            self.lang = found.get("lang", "")
        if tag == "th":
            self.scopes.append(found.get("scope", ""))
        if re.fullmatch(r"h\d", tag):
            self.heads.append(tag)
        self.sources += [found[name] for name in ("src", "href") if name in found]


def written(tmp_path: Path, *rows: dict[str, Any]) -> tuple[Page, str]:
    path = write_report(tmp_path, rows, ["umlauf bench cross"], "2026-01-01: all the same.")
    return Page(path.read_text(encoding="utf-8")), (tmp_path / "report.md").read_text(encoding="utf-8")


def test_the_page_needs_nothing_else_and_nobody_elses_eyes(tmp_path: Path) -> None:
    page, _ = written(tmp_path, *runs("adaptive", 15.0), *runs("fixed", 40.0), *runs("floor", 4.0))
    assert page.lang == "en"
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    (alt,) = page.alts
    assert "adaptive: mean 15.0 s, runs from 14.6 to 15.3 s" in alt
    assert "The floor is 4.0 s." in alt
    assert set(page.scopes) == {"col", "row"}
    assert page.heads[0] == "h1"
    assert page.heads.count("h1") == 1


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    failed = row("fixed", 9, None, status="failed", error="SUMO crashed\nlong log")
    refused = row("sumo-nema", 1, None, status="not applicable", error="no rings can be derived")
    rows = [*runs("adaptive", 15.0, commit="abc"), *runs("fixed", 40.0, commit="def", dirty=True), failed, refused]
    _, text = written(tmp_path, *rows)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for part in (
        "10 finished runs of 12, 1 failed, 1 not applicable; SUMO 1.28.0.",
        "adaptive is ahead of fixed by 25.0 s",
        "Failed: resco/cologne1 fixed seed 9: SUMO crashed.",
        "sumo-nema is not applicable: no rings can be derived",
        "Runs of several versions of the code are compared here.",
        "5 runs were made by a work tree with changes that are in no commit.",
        "Verified 2026-01-01: all the same.",
        "umlauf bench cross",
    ):
        assert part in text, part
        assert part in page, part
    assert "| adaptive | 5 | 15.0 | 14.6 to 15.4 | 15.1 | - | none | 0 |" in text


def test_several_versions_are_told_without_commits_too(tmp_path: Path) -> None:
    """As where umlauf was installed from a wheel."""
    one = [*runs("adaptive", 15.0, code="ours"), *runs("fixed", 40.0, code="sumo")]
    assert "several versions" not in written(tmp_path, *one)[1]
    assert "several versions" in written(tmp_path, *one, row("adaptive", 6, 15.0, code="newer"))[1]


def test_several_scenarios_have_a_table_of_all_delays_at_once(tmp_path: Path) -> None:
    refused = [row("sumo-nema", 1, None, "b", status="not applicable", error="no rings")]
    failed = [row("mine", seed, None, "a", status="failed", error="KeyError.") for seed in (1, 2)]
    _, text = written(tmp_path, *runs("adaptive", 15.0, "a"), *runs("adaptive", 25.0, "b"), *runs("sumo-nema", 9.0, "a"), *refused, *failed)
    lines = [line.replace("\u00a0", " ") for line in text.splitlines()]
    at = lines.index("| control | a | b |")
    assert lines[at + 2 : at + 5] == ["| adaptive | 15.0 ± 0.4 (5) | 25.0 ± 0.4 (5) |", "| mine | failed | - |", "| sumo-nema | 9.0 ± 0.4 (5) | n/a |"]
    assert "* a mine seed 1: KeyError" in lines
    _, one = written(tmp_path, *runs("adaptive", 15.0, "a"))
    assert "Mean delays" not in one


def test_long_names_wrap_and_words_stand_to_the_left(tmp_path: Path) -> None:
    written(tmp_path, *runs("adaptive", 15.0), *runs("fixed", 40.0))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "overflow-wrap: anywhere" in page
    assert '<td class="words">fixed</td>' in page
    assert '<td class="words">ahead</td>' in page


def test_one_run_says_nothing_of_locking(tmp_path: Path) -> None:
    _, text = written(tmp_path, row("adaptive", 1, 15.0, umlauf_version="1.2.3", commit="abc"))
    assert "| adaptive | 1 | 15.0 | - | 15.0 | - | - | 0 |" in text
    assert "Code: umlauf 1.2.3, 1 hash, commit abc." in text


def test_pictures_of_the_markdown_are_files_beside_it(tmp_path: Path) -> None:
    _, text = written(tmp_path, *runs("adaptive", 15.0), *runs("adaptive", 15.0, scenario="my town.sumocfg"))
    named = re.findall(r"\]\((pictures/[^)]+)\)", text)
    assert len(named) == 2
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in named)


def test_without_matplotlib_the_report_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report.importlib.util, "find_spec", lambda name: None)
    page, text = written(tmp_path, *runs("adaptive", 15.0))
    assert not page.alts
    assert "pip install 'umlauf[report]'" in text


def test_nothing_finished_is_a_report_too(tmp_path: Path) -> None:
    _, text = written(tmp_path, row("adaptive", 1, None, status="failed", error="it broke"))
    assert "0 finished runs of 1" in text
    assert "Failed: resco/cologne1 adaptive seed 1: it broke." in text


def test_names_from_outside_cannot_break_the_page(tmp_path: Path) -> None:
    page, _ = written(tmp_path, *runs("adaptive", 15.0, scenario="<script>alert(1)</script>.sumocfg"))
    assert "<script>" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.alts
