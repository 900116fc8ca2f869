"""The report of made-up runs: what it reads, what it draws, and that it stands alone."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from controller.errors import MissingError
from scenarios.report import short, write_report
from scenarios.report_data import (
    Run,
    bin_s,
    busiest_light,
    delay_over_time,
    queues_over_time,
    read_run,
    read_states,
    row_label,
    shared_links,
    signal_rows,
)
from scenarios.report_html import mean_interval
from scenarios.report_text import ASPECT_WORDS, COLUMNS, TEXTS, WAYS

LINKS = [
    {"approach": "N", "side": "north", "direction": "s"},
    {"approach": "N", "side": "north", "direction": "r"},
    {"approach": "E", "side": "east", "direction": "l"},
    None,
]
STATES = ["GGrr"] * 20 + ["yyrr"] * 3 + ["rrgr"] * 15 + ["rryr"] * 2


def trip(name: str, depart_s: float, delay_s: float, loss_s: float, arrival_s: float = 500.0) -> str:
    return (
        f'<tripinfo id="{name}" depart="{depart_s}" departDelay="{delay_s}" arrival="{arrival_s}" timeLoss="{loss_s}" '
        'waitingTime="1.0" waitingCount="1" vaporized=""/>'
    )


def make_run(folder: Path, control: str = "fixed", seed: int = 1, loss_s: float = 10.0) -> dict[str, Any]:
    """Write the files of a run of 600 s from 100 s on, and return its record."""
    folder.mkdir(parents=True)
    (folder / "lights.json").write_text(json.dumps({"begin_s": 100.0, "lights": {"K1": LINKS, "quiet": [LINKS[0]]}}))
    trips = [trip("a", 102.0, 2.0, loss_s), trip("b", 160.0, 0.0, 2 * loss_s), trip("c", -1, 500.0, 0.0, -1)]
    (folder / "tripinfo.xml").write_text(f"<tripinfos>{''.join(trips)}</tripinfos>")
    rows = [("time_s", "light", "approach", "standing_veh"), (100.0, "K1", "N", 0), (100.0, "K1", "E", 0), (110.0, "K1", "N", 6), (130.0, "K1", "N", 3)]
    with (folder / "queues.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    states = [
        f'<tlsState time="{100 + at}.00" id="{light}" programID="0" phase="0" state="{STATES[at % len(STATES)]}"/>'
        for at in range(600)
        for light in ("K1", "K10")
    ]
    (folder / "tls_states.xml").write_text("<tlsStates>\n" + "\n".join(states) + "\n</tlsStates>\n")
    keys = {key.partition(".")[0]: 1 for key, _, _ in COLUMNS}
    record = {**keys, "scenario": "a<b", "control": control, "seed": seed, "rules": "net", "detection": "loops", "insertion": "sumo", "sumo_version": "1.28.0"}
    return {**record, "mean_delay_s": loss_s, "solve_ms": {"p99": None}, "simulation_s": 600.0, "status": "finished", "folder": str(folder)}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read_run(make_run(tmp_path / "run"))


def test_delay_is_binned_by_due_departure_with_those_never_inserted(run: Run) -> None:
    """Vehicle c was due at 700 - 500 = 200 s; a at 100 s with 12 s, b at 160 s with 20 s."""
    assert bin_s([run]) == 60.0
    assert delay_over_time([run], 60.0) == {100.0: 12.0, 160.0: 260.0}


def test_queues_are_means_over_each_minute_and_the_runs(run: Run) -> None:
    queues = queues_over_time([run, run])
    assert queues["K1", "N"] == {100.0 + 60 * i: (1.5 if i == 0 else 0.0) for i in range(10)}
    assert set(queues["K1", "E"].values()) == {0.0}
    assert busiest_light({"fixed": queues}) == "K1"
    assert busiest_light({}) is None


def test_states_are_of_the_light_asked_for_and_of_the_window(run: Run) -> None:
    states = read_states(run, "K1", 119.0, 121.0)
    assert states == [(119.0, "GGrr"), (120.0, "yyrr")]


def test_links_that_always_show_the_same_share_a_row(run: Run) -> None:
    states = read_states(run, "K1", 100.0, 700.0)
    assert shared_links([states], run.links["K1"]) == [[0, 1], [2], [3]]
    (row,) = signal_rows(states[:25], [("north", 0)], 1.0)
    assert row.spans == ((100.0, 120.0, "G"), (120.0, 123.0, "y"), (123.0, 125.0, "r"))


def test_row_labels_say_sides_and_directions(run: Run) -> None:
    links = run.links["K1"]
    assert row_label([0, 1], links, WAYS["en"]) == "north: right, straight"
    assert row_label([2], links, WAYS["de"]) == "Osten: links"
    assert row_label([3], links, WAYS["en"]) == "crossing"


def test_the_confidence_interval_is_students() -> None:
    """Five values of mean 3 and standard deviation sqrt(2.5): 2.776 * sqrt(2.5 / 5)."""
    assert mean_interval([1.0, 2.0, 3.0, 4.0, 5.0]) == (3.0, pytest.approx(1.963, abs=0.001))
    assert mean_interval([4.0]) == (4.0, None)


class Page(HTMLParser):
    """Collects what a reader gets and what the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.alts: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        get = dict(attrs)
        if tag == "img":
            self.alts.append(get.get("alt") or "")
        if tag in ("img", "script", "iframe", "link"):
            self.loads.append(get.get("src") or get.get("href") or "")
        if tag == "a":
            self.links.append(get.get("href") or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def test_the_page_stands_alone_and_tells_everything_in_words(tmp_path: Path) -> None:
    records = [make_run(tmp_path / f"{c}-{s}", c, s, 10.0 + s) for c in ("adaptive", "fixed") for s in (1, 2)]
    path = write_report(tmp_path, records)
    page = read_page(path)
    assert path == tmp_path / "report.html"
    assert page.loads
    assert all(source.startswith("data:image/png;base64,") for source in page.loads)
    assert len(page.alts) == 4  # delay, queues, a diagram for each control
    assert "adaptive: from 14 to 262 s, highest after 1 min." in page.alts[0]
    assert "from the north mean 0.1, most 1.5" in page.alts[1]
    assert "north: right, straight: green 50 % of the time in 8 greens" in page.alts[2]
    assert all((tmp_path / link).exists() for link in page.links)
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == sorted(
        f"{name}.{kind}" for name in ("delay", "queues", "signals-adaptive", "signals-fixed") for kind in ("png", "csv")
    )
    assert "Umlauf: report on a<b" in page.text
    assert re.search(r"adaptive\s*2\s*11\.5\s*5\.1 – 17\.9", page.text)  # 12.706 * 0.7071 / sqrt(2)


def test_german_words(tmp_path: Path) -> None:
    path = write_report(tmp_path, [make_run(tmp_path / "run")], "de")
    page = read_page(path)
    assert "Rückstau je Zufahrt" in page.text
    assert "von Norden" in page.alts[1]
    assert TEXTS["de"]["one_seed"] in page.text


def test_both_languages_have_all_words() -> None:
    assert TEXTS["en"].keys() == TEXTS["de"].keys()
    assert WAYS["en"].keys() == WAYS["de"].keys()
    assert ASPECT_WORDS["en"].keys() == ASPECT_WORDS["de"].keys()
    for key, text in TEXTS["en"].items():
        assert set(re.findall(r"{(\w+)", text)) == set(re.findall(r"{(\w+)", TEXTS["de"][key])), key


def test_runs_without_recordings_still_give_a_report(tmp_path: Path) -> None:
    record = make_run(tmp_path / "run")
    for name in ("lights.json", "queues.csv", "tls_states.xml", "tripinfo.xml"):
        (tmp_path / "run" / name).unlink()
    page = read_page(write_report(tmp_path, [record]))
    assert page.alts == []
    assert page.text.count(TEXTS["en"]["missing"]) == 3


def test_a_lock_up_does_not_press_the_others_flat(tmp_path: Path) -> None:
    records = [make_run(tmp_path / "a", "adaptive", 1, 10.0), make_run(tmp_path / "g", "greedy", 1, 9000.0)]
    from scenarios.plots import lines

    series = {r["control"]: delay_over_time([read_run(r)], 60.0) for r in records}
    figure = lines(series, 100.0, 60.0, x_label="x", y_label="y", title="t", stretched="stretched")
    assert figure.axes[0].get_yscale() == "symlog"
    assert figure.axes[0].get_title(loc="left") == "t (stretched)"
    figure = lines({"a": series["adaptive"]}, 100.0, 60.0, x_label="x", y_label="y", title="t", stretched="stretched")
    assert figure.axes[0].get_yscale() == "linear"


def test_long_ids_are_cut_for_titles() -> None:
    assert short("gneJ207") == "gneJ207"
    assert len(short("cluster_306484187_cluster_1200363791_1200363826")) <= 32


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=re.escape("pip install 'umlauf[report]'")):
        write_report(tmp_path, [])
