"""A street's time-space diagram out of a journal: where its lights stand, when they were green, who drove over its loops, and the picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from support_neighbours import START_MS, WAY_M, pair, record_pair

from controller.cli import main
from controller.errors import ConfigError
from controller.journal_reader import JournalReader
from controller.street import StreetLight, bands, read_street, street_ways
from scenarios.neighbour_link import PostOffice

pytestmark = pytest.mark.quick
FROM_MS, TO_MS = START_MS + 60_000, START_MS + 180_000


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("street")
    record_pair(folder, pair(), PostOffice(1, 0.0), 200)
    return folder


def test_lights_greens_and_passages_are_the_recorded_ones(day: Path) -> None:
    with JournalReader(day) as reader:
        first, second = read_street(reader, ["first", "second"], FROM_MS, TO_MS)
        frames = [f for f in reader.frames() if f.junction_id == "second"]
    assert (first.place_m, second.place_m) == (0.0, WAY_M)
    (north,) = (k for k, g in enumerate(pair()[1].groups) if g.id == "north")
    for begin_ms, end_ms in second.greens_ms:
        shown = [f.aspects[north].name for f in frames if begin_ms <= f.now_ms < end_ms] or ["GREEN"]
        assert set(shown) == {"GREEN"}
        assert FROM_MS <= begin_ms < end_ms <= TO_MS
    assert second.greens_ms
    assert len([p for p in second.passages if p.place_m == WAY_M - 1.0]) == pytest.approx(120 / 7.3, abs=1)
    assert {round(p.speed_m_s, 1) for p in second.passages} == {round(7.0 / 0.48, 1)}
    assert all(p.place_m in (WAY_M - 1.0, WAY_M - 45.0, WAY_M - 120.0) for p in second.passages), "the crossing street's loops are not on it"


def test_bands_lead_from_green_to_green() -> None:
    one = StreetLight("a", 0.0, 10.0, ((0, 20_000), (60_000, 80_000)), ())
    other = StreetLight("b", 100.0, 10.0, ((15_000, 40_000), (100_000, 110_000)), ())
    assert bands(one, other) == [(5_000, 20_000, 10_000)]


def test_lights_that_are_no_street_are_refused() -> None:
    junctions = {one.id: one for one in pair()}
    with pytest.raises(ConfigError, match="second does not lead to first"):
        street_ways(junctions, ["second", "first"])
    with pytest.raises(ConfigError, match="no light 'third'"):
        street_ways(junctions, ["first", "third"])
    with pytest.raises(ConfigError, match="two or more lights"):
        street_ways(junctions, ["first"])


@pytest.mark.parametrize(("lang", "word"), [("en", "as steep as it drove"), ("de", "so steil wie es fuhr")])
def test_the_command_draws_and_says_what_is_seen(day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str, word: str) -> None:
    path = tmp_path / "street.svg"
    options = ["--lights", "first, second", "--from", "06:01:00", "--span", "120", "--lang", lang, "-o", str(path)]
    assert main(["journal", "diagram", str(day), *options]) == 0
    said = capsys.readouterr().out
    assert "first" in said
    assert "second" in said
    text = path.read_text(encoding="utf-8")
    assert word in text
    assert ET.fromstring(text).tag.endswith("svg")
    again = tmp_path / "again.svg"
    main(["journal", "diagram", str(day), *options[:-1], str(again)])
    assert again.read_bytes() == path.read_bytes(), "the same journal gives the same picture"


def test_a_wrong_time_or_file_is_told(day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "diagram", str(day), "--lights", "first,second", "--from", "soon", "-o", str(tmp_path / "x.png")]) == 1
    assert "--from: expected seconds" in capsys.readouterr().err
    assert main(["journal", "diagram", str(day), "--lights", "first,second", "--from", "0", "-o", str(tmp_path / "x.pdf")]) == 1
    assert ".png or .svg" in capsys.readouterr().err
    assert main(["journal", "diagram", str(day), "--lights", "first,second", "--from", "999999", "-o", str(tmp_path / "x.png")]) == 1
    assert "expected a time of the journal" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()
