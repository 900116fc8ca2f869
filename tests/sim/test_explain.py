"""`umlauf explain` on a simulated run: every decision looked at is proven by its digest, and its picture can be drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.cli import main
from controller.explain import explain
from controller.journal_reader import JournalReader
from scenarios.simulate import Request, run_request

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    assert run_request(Request(scenario="cross", controls=("adaptive",), end_s=150.0, output=folder, as_json=True)) == 0
    return folder


@pytest.fixture
def reader(run: Path) -> Iterator[JournalReader]:
    with JournalReader(run) as opened:
        yield opened


@pytest.mark.parametrize("at_s", [40, 71, 89, 96, 120, 150])
def test_the_digest_is_the_recorded_one_and_no_choice_is_cheaper(reader: JournalReader, at_s: int) -> None:
    (one,) = explain(reader, "A0", 1000 * at_s)
    recorded = {row.tick: row.digest.hex() for row in reader.snapshots()}
    assert one.proof.first_difference_ms is None
    assert one.proof.again == recorded[one.tick] == one.proof.recorded
    assert one.chosen is not None
    assert one.path is not None
    assert one.row is not None
    assert one.path.cost_ms == one.row.plan.detail["cost_ms"]
    assert all(one.chosen.cost_ms <= other.cost_ms for other in one.alternatives)
    recorded_costs = one.row.plan.detail["alternatives_ms"]
    assert isinstance(recorded_costs, dict)
    best = {one.node.stages[a.stage].id: a.cost_ms for a in one.alternatives}
    assert all(cost_ms >= best[name] for name, cost_ms in recorded_costs.items()), "the sentence's narrow search never finds less"


def test_somewhere_all_four_stages_are_weighed(reader: JournalReader) -> None:
    assert max(len(explain(reader, "A0", 1000 * at_s)[0].alternatives) for at_s in range(30, 150, 10)) == 4


def test_the_command_tells_and_draws(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run), "--at", "00:01:29", "--lang", "de", "--output", str(tmp_path / "a.png")]) == 0
    out = capsys.readouterr().out
    assert "genau dies war bekannt" in out
    data = (tmp_path / "a.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xaeB`\x82")
    assert len(data) > 20_000, "an empty picture is smaller"
