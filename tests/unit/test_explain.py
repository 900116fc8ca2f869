"""`umlauf explain` on a recorded day: what is told, in both languages, as JSON and as a picture, and what is said to bad input."""

from __future__ import annotations

import importlib.util
import json
import re
import sqlite3
import struct
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from support_control import junction as crossing
from support_junction_day import START_MS, junction, record_day, traffic

from controller import explain_words, reasons
from controller.assemble import assemble
from controller.cli import main
from controller.errors import ConfigError
from controller.explain import Explanation, explain
from controller.explain_bands import green_bands
from controller.explain_commands import read_time_ms
from controller.explain_json import as_object
from controller.explain_picture import alternative_text
from controller.explain_text import in_words
from controller.journal import Journal
from controller.journal_reader import JournalReader
from controller.journal_schema import FILE_NAME
from controller.plan import Plan, PlanStep
from controller.planner import Mailbox
from controller.snapshot import Snapshot
from controller.words import Lang
from hardware.fake import FakeHeads, FakeInputs
from hardware.signals import Aspect

AT_S = START_MS / 1000 + 130


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    for control in ("adaptive", "cycle", "actuated", "programme"):
        record_day(folder / control / FILE_NAME, control)
    return folder


def told(capsys: pytest.CaptureFixture[str], folder: Path, *options: object, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["explain", str(folder), *map(str, options)]) == code
    out, err = capsys.readouterr()
    return out if code == 0 else f"{out}{err}"


def fault(capsys: pytest.CaptureFixture[str], folder: Path, *options: object) -> str:
    """Return the one message of a refusal; nothing else is printed, and no traceback."""
    capsys.readouterr()
    assert main(["explain", str(folder), *map(str, options)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("umlauf: ")
    assert "Traceback" not in err
    return err


def at(folder: Path, time_s: float) -> Explanation:
    with JournalReader(folder) as reader:
        (one,) = explain(reader, "corner", round(1000 * time_s))
    return one


def copy_of(day: Path, folder: Path, *statements: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / FILE_NAME).write_bytes((day / FILE_NAME).read_bytes())
    connection = sqlite3.connect(folder / FILE_NAME)
    for statement in statements:
        assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()
    return folder


def test_what_was_known_is_proven_by_the_recorded_digest(days: Path) -> None:
    one = at(days / "adaptive", AT_S)
    with JournalReader(days / "adaptive") as reader:
        recorded = {row.tick: row.digest.hex() for row in reader.snapshots()}
        (plan,) = [row.plan for row in reader.plans() if row.tick == one.tick]
    assert one.proof.recorded == one.proof.again == recorded[one.tick]
    assert one.proof.compared == len([tick for tick in recorded if tick <= one.tick])
    assert one.proof.first_difference_ms is None
    assert one.path is not None
    assert one.path.cost_ms == plan.detail["cost_ms"]
    assert one.chosen is not None
    assert one.chosen.stage == plan.steps[0].stage


@pytest.mark.parametrize(
    ("lang", "headings"),
    [
        ("en", ("Light corner, node corner, 21730 s (06:02:10)", "Mode adaptive", "Decision", "Signals", "Lanes", "Learned", "Plan", "Alternatives at once")),
        ("de", ("Lichtsignalanlage corner", "Betriebsart", "Entscheidung", "Signale", "Fahrstreifen", "Gelernt", "Plan", "Alternativen sofort")),
    ],
)
def test_the_words_in_both_languages(days: Path, capsys: pytest.CaptureFixture[str], lang: str, headings: tuple[str, ...]) -> None:
    text = told(capsys, days / "adaptive", "--at", "06:02:10", "--lang", lang)
    lines = text.splitlines()
    for heading in headings:
        assert any(line.startswith(heading) for line in lines), heading
    one = at(days / "adaptive", AT_S)
    assert one.proof.recorded in text
    assert one.row is not None
    assert one.row.plan.reason in text
    assert text == in_words(one, Lang(lang)) + "\n"
    for lane in one.lanes:
        assert sum(line.startswith(f"  {lane.id} ") for line in lines) == 2, "one row of vehicles, one of what was learned"


def test_every_choice_that_was_allowed_is_told_with_its_cost_and_the_lanes_that_lose(days: Path) -> None:
    seen = {1: 0, 2: 0}
    for second in range(60, 180, 4):
        one = at(days / "adaptive", START_MS / 1000 + second)
        assert one.problem is not None
        assert one.snapshot is not None
        free = one.snapshot.signals.earliest_leave_ms <= one.now_ms
        assert len(one.alternatives) == (2 if free else 1)
        seen[len(one.alternatives)] += 1
        text = in_words(one, Lang.EN)
        assert ("Nothing else could be chosen" in text) is not free
        assert ("it may be left now" in text) is free
        if free and one.chosen is not None:
            other = next(a for a in one.alternatives if a is not one.chosen)
            assert one.chosen.cost_ms <= other.cost_ms
            row = next(line for line in text.splitlines() if f"+{(other.cost_ms - one.chosen.cost_ms) / 1000:.1f}" in line)
            gained = max(range(len(one.lanes)), key=lambda i: other.lane_cost_ms[i] - one.chosen.lane_cost_ms[i])
            if other.lane_cost_ms[gained] - one.chosen.lane_cost_ms[gained] >= 500:
                assert f"worse for {one.lanes[gained].id} +" in row
    assert min(seen.values()) > 2, "both kinds of moments must occur"


def test_a_running_minimum_green_and_transition_are_told(days: Path) -> None:
    assert "all red until the first stage" in in_words(at(days / "adaptive", START_MS / 1000), Lang.EN)
    with JournalReader(days / "adaptive") as reader:
        ambers_s = [row.now_ms / 1000 for row in reader.frames() if Aspect.AMBER in row.aspects]
    begun = at(days / "adaptive", ambers_s[0] + 1)
    text = in_words(begun, Lang.EN)
    assert re.search(r"the transition from .+ to .+ runs, \d+ s more; it may be left in \d+ s at the earliest", text)
    assert re.search(r"(north|east) amber", text)
    assert "der Phasenübergang von" in in_words(begun, Lang.DE)
    assert begun.snapshot is not None
    settled_s = begun.snapshot.signals.settled_ms / 1000
    assert re.search(r"minimum green of (north|east|walk) runs [1-6] s more", in_words(at(days / "adaptive", settled_s + 1), Lang.EN))


def test_a_detector_without_trust_is_told(days: Path) -> None:
    assert "detectors without trust: e.advance" in in_words(at(days / "adaptive", START_MS / 1000 + 300), Lang.EN)
    assert "without trust" not in in_words(at(days / "adaptive", START_MS / 1000 + 100), Lang.EN)


@pytest.mark.parametrize(
    ("control", "english"),
    [
        ("cycle", ["Cycle ", "expected mean delay", "Digests of all that was solved"]),
        ("actuated", ["made at", "this control solves nothing"]),
        ("programme", ["programme: ", "this control solves nothing"]),
    ],
)
def test_other_planners_tell_what_is_recorded(days: Path, control: str, english: list[str]) -> None:
    one = at(days / control, AT_S)
    assert one.alternatives == ()
    text = in_words(one, Lang.EN)
    for part in [*english, "does not weigh alternatives", "Lanes, as believed"]:
        assert part in text
    assert "wägt nicht jede Sekunde" in in_words(one, Lang.DE)
    stages, bands = green_bands(one)
    assert stages
    assert any(bands)


class Silent(Mailbox):
    """A user's controller, of which the journal knows only the plans."""

    name = "mine"

    def submit(self, snapshot: Snapshot) -> None:
        self._plan = Plan(self.name, snapshot.now_ms, (PlanStep(0, None),), "because")


def test_a_control_that_cannot_be_rebuilt_tells_its_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = junction()
    with Journal.create(tmp_path / FILE_NAME, {}) as journal:
        driver = assemble(model, "mine", FakeInputs(traffic()), FakeHeads(model.site_spec()), journal, start_ms=START_MS, planner=lambda j, n: Silent())
        for second in range(30):
            driver.tick(START_MS + second * 1_000)
    text = told(capsys, tmp_path, "--at", START_MS / 1000 + 20)
    assert "cannot be rebuilt" in text
    assert "because" in text
    assert "Lanes" not in text
    assert "nothing to draw" in told(capsys, tmp_path, "--at", START_MS / 1000 + 20, "--output", tmp_path / "x.png", code=1)


def test_a_forced_stage_and_a_clearing_are_told(days: Path) -> None:
    one = at(days / "adaptive", AT_S)
    assert one.row is not None
    for planner, detail, english, german in (
        ("adaptive", {"forced": "east"}, "By rule, not by cost", "Nach Regel, nicht nach Kosten"),
        ("adaptive", {"forced": "east", "ended": ["N"]}, "N had the longest green allowed", "längste zulässige Freigabezeit"),
        ("clearing", {"lanes": ["n"]}, "being cleared by all red", "mit Alles-Rot geräumt"),
    ):
        plan = Plan(planner, one.now_ms, (PlanStep(1, None),), "as recorded", detail)
        changed = replace(one, row=one.row._replace(plan=plan))
        assert english in in_words(changed, Lang.EN)
        assert german in in_words(changed, Lang.DE)
        assert "missed" not in in_words(changed, Lang.EN), "a rule is no fault of the search"


def test_a_delayed_green_is_told(days: Path) -> None:
    one = at(days / "adaptive", AT_S)
    assert one.row is not None
    assert "nothing turns green" not in in_words(one, Lang.EN)
    steps = tuple(step._replace(clear_ms=5_000) for step in one.row.plan.steps)
    late = replace(one, row=one.row._replace(plan=replace(one.row.plan, steps=steps)))
    assert late.chosen == one.chosen
    stage = one.node.stages[steps[0].stage].id
    assert re.search(rf"\n  now: {stage}.*; on the way there nothing turns green for 5 s\n", in_words(late, Lang.EN))
    assert "auf dem Weg dorthin wird 5 s lang nichts frei" in in_words(late, Lang.DE)
    plan = as_object(late, Lang.EN)["plan"]
    assert isinstance(plan, dict)
    assert [step["clear_s"] for step in plan["steps"]] == [5.0] * len(steps)


def test_a_plan_that_goes_on_while_nothing_came_of_the_weighing_is_told(days: Path) -> None:
    one = at(days / "adaptive", AT_S)
    assert one.row is not None
    old = replace(one.row.plan, made_ms=one.now_ms - 2_000)
    held = replace(one, row=one.row._replace(tick=one.tick - 2, now_ms=one.now_ms - 2_000, plan=old))
    assert held.chosen is None
    assert f"Weighed, but not followed: no plan came of it then, and the one made at {AT_S - 2:g} s went on" in in_words(held, Lang.EN)
    assert "not followed" not in in_words(one, Lang.EN)


def test_all_parts_of_each_cost_are_told(days: Path) -> None:
    """Lanes, the order of their queues, and switches make the whole, in the JSON and, where they differ between choices, in words."""
    orders = 0
    for second in range(60, 180, 4):
        one = at(days / "adaptive", START_MS / 1000 + second)
        rows = as_object(one, Lang.EN)["alternatives"]
        assert isinstance(rows, list)
        for row in rows:
            parts = [*row["lanes_veh_s"].values(), row["order_veh_s"], row["later_veh_s"], row["switches_veh_s"]]
            assert sum(parts) == pytest.approx(row["cost_veh_s"], abs=0.001 * len(parts))
        if len(one.alternatives) == 2 and one.chosen is not None:
            other = next(a for a in one.alternatives if a is not one.chosen)
            text, german = in_words(one, Lang.EN), in_words(one, Lang.DE)
            for english, deutsch, ms in (
                (
                    "queues of different stages wait for each other",
                    "Warteschlangen verschiedener Phasen warten aufeinander",
                    other.order_cost_ms - one.chosen.order_cost_ms,
                ),
                ("switches", "Wechsel", other.switch_cost_ms - one.chosen.switch_cost_ms),
            ):
                told = f"{english} {ms / 1000:+.1f}" in text and f"{deutsch} {ms / 1000:+.1f}".replace(".", ",") in german
                assert told is (abs(ms) >= 500)
                orders += told and english.startswith("queues")
    assert orders, "some choice must leave queues of different stages"


def test_what_the_search_has_missed_is_told(days: Path) -> None:
    one = at(days / "adaptive", next(START_MS / 1000 + s for s in range(60, 200) if len(at(days / "adaptive", START_MS / 1000 + s).alternatives) == 2))
    assert one.chosen is not None
    assert one.taken is not None
    other = next(a for a in one.alternatives if a is not one.chosen)
    cheaper = replace(other, cost_ms=one.chosen.cost_ms - 3_000)
    text = in_words(replace(one, alternatives=(cheaper, one.chosen)), Lang.EN)
    assert "has missed it" in text
    assert "-3.0" in text
    dear = replace(one, taken=replace(one.taken, cost_ms=one.chosen.cost_ms + 5_000))
    assert f"The plan itself costs {(one.chosen.cost_ms + 5_000) / 1000:.1f}" in in_words(dear, Lang.EN)
    assert "The plan itself" not in in_words(one, Lang.EN)


def test_json_holds_the_same_facts(days: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (found,) = json.loads(told(capsys, days / "adaptive", "--at", AT_S, "--json", "--output", tmp_path / "x.png"))["explanations"]
    one = at(days / "adaptive", AT_S)
    assert found["proof"] == {
        "rebuilt": True,
        "same": True,
        "digests": one.proof.compared,
        "differs_from_s": None,
        "asked_again_from_s": None,
        "recorded": one.proof.recorded,
        "again": one.proof.recorded,
    }
    assert (found["at_s"], found["tick"], found["mode"]) == (AT_S, one.tick, "adaptive")
    assert [lane["lane"] for lane in found["lanes"]] == ["n", "e"]
    assert [a["stage"] for a in found["alternatives"]] == [one.node.stages[a.stage].id for a in one.alternatives]
    assert found["plan"]["cost_veh_s"] == found["plan"]["detail"]["cost_ms"] / 1000
    assert (tmp_path / "x.png").is_file()


def png_text(data: bytes) -> dict[str, str]:
    """Return the text chunks of a PNG (https://www.w3.org/TR/png-3/#11textinfo)."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, place = {}, 8
    while place < len(data):
        (length,), kind = struct.unpack(">I", data[place : place + 4]), data[place + 4 : place + 8]
        body = data[place + 8 : place + 8 + length]
        if kind == b"tEXt":
            key, _, value = body.partition(b"\0")
            found[key.decode("latin-1")] = value.decode("latin-1")
        elif kind == b"iTXt":
            key, _, rest = body.partition(b"\0")
            found[key.decode("latin-1")] = rest[2:].split(b"\0", 2)[2].decode()
        place += 12 + length
    return found


@pytest.mark.parametrize("lang", ["en", "de"])
def test_the_picture_carries_its_text_alternative(days: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, lang: str) -> None:
    text = told(capsys, days / "adaptive", "--at", AT_S, "--lang", lang, "-o", tmp_path / "x.png")
    assert text.splitlines()[-1] == str(tmp_path / "x.png")
    one = at(days / "adaptive", AT_S)
    written = png_text((tmp_path / "x.png").read_bytes())
    assert written["Description"] == alternative_text(one, Lang(lang))
    assert all(f"{lane.id}: " in written["Description"] for lane in one.lanes)
    told(capsys, days / "adaptive", "--at", AT_S, "--lang", lang, "-o", tmp_path / "x.svg")
    root = ET.parse(tmp_path / "x.svg").getroot()
    assert root.tag.endswith("svg")
    letters = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {lane.id for lane in one.lanes} <= {(text or "").split()[0] for text in letters if text and text.strip()}


def test_the_green_of_the_picture_is_the_green_of_the_plan(days: Path) -> None:
    one = at(days / "adaptive", AT_S)
    stages, bands = green_bands(one)
    assert one.path is not None
    ends_ms = [*one.path.begin_ms[1:], 50_000]
    shown = [one.node.stages[s].id for s, begin, end in zip(one.path.stages, one.path.begin_ms, ends_ms, strict=True) if end > begin]
    assert [name for name, _, _ in stages] == shown
    for lane, spans in enumerate(bands):
        for moment_ms in one.path.departures_ms[lane]:
            assert any(begin <= moment_ms / 1000 <= end for begin, end, _ in spans), "vehicles leave in their lane's green"


def test_digests_that_differ_are_said_and_end_with_1(days: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = copy_of(days / "adaptive", tmp_path / "lost", "DELETE FROM event WHERE tick BETWEEN 100 AND 110")
    text = told(capsys, folder, "--at", AT_S, code=1)
    assert "NOT PROVEN: the digests differ from 217" in text
    assert "should have been the same" in text
    assert "NICHT BELEGT" in told(capsys, folder, "--at", AT_S, "--lang", "de", code=1)
    assert "as recorded, so this is what was known" in told(capsys, folder, "--at", START_MS / 1000 + 50)


def test_the_mode_is_the_one_of_that_moment(days: Path, tmp_path: Path) -> None:
    names = "INSERT INTO name VALUES (9000, 'actuated'), (9001, 'optimizer_lost')"
    change = "INSERT INTO mode SELECT id, 80, 0, 9000, 9001, 'no plan for 3 s' FROM name WHERE text = 'corner'"
    folder = copy_of(days / "adaptive", tmp_path / "modes", names, change)
    assert [at(folder, START_MS / 1000 + second).mode for second in (79, 80, 130)] == ["adaptive", "actuated", "actuated"]


def test_a_time_outside_the_run(days: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = fault(capsys, days / "adaptive", "--at", "100000")
    assert "21600 to 22199 s (06:00:00 to 06:09:59), found 100000 s" in message
    assert "100 s after its begin is --at 21700" in fault(capsys, days / "adaptive", "--at", "100")


@pytest.mark.parametrize("text", ["", "soon", "-5", "1:2", "06:61:00", "06:00:75", "1e3", "nan"])
def test_a_time_that_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match="expected seconds of the simulation"):
        read_time_ms(text)


def test_times_are_seconds_or_hours() -> None:
    assert [read_time_ms(t) for t in ("27000", "27000.5", "07:30:00", "7:30:00.250", "0")] == [27_000_000, 27_000_500, 27_000_000, 27_000_250, 0]


def test_an_unknown_light_several_runs_and_no_journal(days: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "expected one of the lights in" in fault(capsys, days / "adaptive", "--at", "21700", "--tls", "other")
    several = fault(capsys, days, "--at", "21700")
    assert "holds 4 runs; name one" in several
    assert str(days / "cycle") in several
    assert "expected a run folder" in fault(capsys, tmp_path, "--at", "21700")


def test_several_lights_are_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with Journal.create(tmp_path / FILE_NAME, {}) as journal:
        for model in (junction(), crossing()):
            driver = assemble(model, "actuated", FakeInputs([]), FakeHeads(model.site_spec()), journal, start_ms=0)
            driver.tick(0)
    message = fault(capsys, tmp_path, "--at", "0")
    assert message.splitlines()[1:] == ["  corner", "  crossing"]
    assert "Light crossing" in told(capsys, tmp_path, "--at", "0", "--tls", "crossing")


def test_a_journal_without_plans_lights_or_ticks(days: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plans = copy_of(days / "adaptive", tmp_path / "plans", "DELETE FROM plan")
    assert "expected plans of light corner, found none" in fault(capsys, plans, "--at", AT_S)
    lights = copy_of(days / "adaptive", tmp_path / "lights", "DELETE FROM junction")
    assert "expected a run whose signals Umlauf drove" in fault(capsys, lights, "--at", AT_S)
    ticks = copy_of(days / "adaptive", tmp_path / "ticks", "DELETE FROM ticks")
    assert "expected ticks, found none" in fault(capsys, ticks, "--at", AT_S)


def test_a_corrupt_journal(days: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    whole = (days / "adaptive" / FILE_NAME).read_bytes()
    for name, data in (("text", b"no journal at all"), ("empty", b""), ("head", whole[:3000]), ("half", whole[: len(whole) // 2]), ("noise", noisy(whole))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / FILE_NAME).write_bytes(data)
        message = fault(capsys, folder, "--at", AT_S)
        assert "journal" in message


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE plan SET steps = '[[0' WHERE tick = 100", "the journal is damaged"),
        ("UPDATE plan SET steps = '[[\"x\", null]]' WHERE tick = 100", "the journal is damaged"),
        ("UPDATE plan SET detail = '3' WHERE tick = 100", "the journal is damaged"),
        ("UPDATE plan SET steps = '[[77, null]]' WHERE tick = 130", "names a stage that node corner does not have"),
        ("UPDATE event SET kind = 1 WHERE tick = 100", "the journal is damaged"),
        ("UPDATE junction SET model = '{}'", "the journal's junction cannot be read"),
    ],
)
def test_a_row_that_holds_no_such_thing(days: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, statement: str, message: str) -> None:
    assert message in fault(capsys, copy_of(days / "adaptive", tmp_path / "row", statement), "--at", AT_S)


def noisy(data: bytes) -> bytes:
    """Return the journal with all pages behind the first overwritten."""
    return data[:4096] + b"\xa5" * (len(data) - 4096)


def test_bad_outputs_are_refused_before_anything_is_read(
    days: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "ends with .png or .svg" in fault(capsys, days / "adaptive", "--at", AT_S, "--output", tmp_path / "x.pdf")
    assert "create it first" in fault(capsys, days / "adaptive", "--at", AT_S, "--output", tmp_path / "none" / "x.png")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    from controller import explain_commands

    with pytest.raises(RuntimeError, match="umlauf\\[report\\]"):
        explain_commands.check_output(tmp_path / "x.png")


@pytest.mark.parametrize("texts", [explain_words.TEXTS, reasons.TEXTS])
def test_both_languages_tell_the_same_facts(texts: dict[str, Any]) -> None:
    for key, (english, german) in texts.items():
        fields = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (english, german)]
        assert fields[0] == fields[1], key
        assert english.count("|") == german.count("|"), key
