"""Users' own controllers: found, asked, and never allowed to fail in silence. The docs' example is run as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from support_bench import MODULE, PREFIX, install
from support_control import junction

from controller.errors import ConfigError, ControllerError, MissingError, NotApplicableError
from controller.plan import Plan, PlanStep
from controller.snapshot import SignalState, Snapshot
from scenarios import own_controllers
from scenarios.case import check_control
from scenarios.own_controllers import NodeTask, OwnPlanner, code_of, load_own

DOCS = Path(__file__).resolve().parents[2] / "docs" / "OWN_CONTROLLER.md"


def snapshot() -> Snapshot:
    return Snapshot(0, 5_000, SignalState(0, 0, 0, 0, {}, {}), {}, {}, frozenset())


def planner(answer: object | Callable[[], object]) -> OwnPlanner:
    class Own:
        def __init__(self, task: NodeTask) -> None:
            self.task = task

        def decide(self, view: object) -> Any:
            return answer() if callable(answer) else answer

    one = junction()
    return OwnPlanner("mine", Own, NodeTask(one, one.nodes[0], "cross", 1))


def asked(answer: object) -> Plan | None:
    mine = planner(answer)
    mine.submit(snapshot())
    return mine.poll()


PLAN = Plan("mine", 0, (PlanStep(1, 9_000), PlanStep(2, None)))


@pytest.mark.parametrize(("answer", "stage"), [("EW", 2), (3, 3), (PLAN, 1)])
def test_an_answer_becomes_a_plan(answer: object, stage: int) -> None:
    plan = asked(answer)
    assert plan is not None
    assert plan.steps[0].stage == stage


def test_none_first_shows_the_stage_and_then_changes_nothing() -> None:
    mine = planner(None)
    mine.submit(snapshot())
    plan = mine.poll()
    assert plan is not None
    assert plan.steps == (PlanStep(snapshot().signals.stage, None),)
    mine.submit(snapshot())
    assert mine.poll() is None


@pytest.mark.parametrize("answer", ["purple", 4, -1, True, 1.5, [], Plan("mine", 0, ()), Plan("mine", 0, (PlanStep(9, None),))])
def test_nonsense_is_told_with_what_was_expected(answer: object) -> None:
    with pytest.raises(ControllerError, match=r"junction crossing, node node: decide\(\) returned .* expected one of the stages NS, NSL, EW, EWL"):
        asked(answer)


def test_an_exception_is_told_with_its_place() -> None:
    def broken() -> object:
        raise KeyError("no such lane")

    with pytest.raises(ControllerError, match=r"decide\(\) raised at .*KeyError: 'no such lane' \(test_own_controllers.py, line \d+\)"):
        asked(broken)


def test_a_constructor_that_raises_is_told() -> None:
    def make(task: NodeTask) -> Any:
        raise OSError(f"no weights for {task.scenario}")

    one = junction()
    with pytest.raises(ControllerError, match="constructor raised OSError: no weights for cross"):
        OwnPlanner("mine", make, NodeTask(one, one.nodes[0], "cross", 1))


def test_a_controller_that_is_not_applicable_says_so_itself() -> None:
    def make(task: NodeTask) -> Any:
        raise NotApplicableError(f"not made for {task.scenario}")

    one = junction()
    with pytest.raises(NotApplicableError, match=r"^not made for cross$"):
        OwnPlanner("mine", make, NodeTask(one, one.nodes[0], "cross", 1))


def registered(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    found = [EntryPoint(name, value, own_controllers.GROUP) for name, value in points]
    monkeypatch.setattr(own_controllers, "entry_points", lambda group: found)


def test_a_registered_name_is_a_control_and_a_near_miss_is_helped(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, ("longest", "somewhere:Longest"))
    assert check_control("longest") == "longest"
    with pytest.raises(ConfigError, match="did you mean 'longest'"):
        check_control("longst")


def test_what_cannot_be_loaded_or_does_not_decide_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken_own.py").write_text("1 / 0\n")
    (tmp_path / "idle_own.py").write_text("class Idle:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registered(monkeypatch, ("broken", "broken_own:X"), ("idle", "idle_own:Idle"))
    with pytest.raises(ControllerError, match="ZeroDivisionError"):
        load_own("broken")
    with pytest.raises(ControllerError, match=r"a class with a method decide\(view\)"):
        load_own("idle")


FOUND = r"control 'mine': its entry point '{value}'( \(of the distribution \w+\))? "


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("mispelt_own:Longest", r"names the module mispelt_own, which Python does not find; correct it under \[project.entry-points.\"umlauf.controllers\"\]"),
        ("kept_own.inner:Longest", r"names the module kept_own.inner, which Python does not find; correct it"),
        ("kept_own:Longst", r"names what does not exist: module kept_own \(.*kept_own.py\) has no 'Longst' \(did you mean 'Longest'\?\); correct it"),
        ("kept_own:Zzz", r"names what does not exist: module kept_own \(.*kept_own.py\) has no 'Zzz', but these with a method decide\(\): Longest; correct it"),
        ("kept_own:Longest.Zzz", r"names what does not exist: kept_own.Longest has no 'Zzz'; correct it"),
        ("kept_own", "is not MODULE:CLASS; correct it"),
        ("kept_own:Longest()", "is not MODULE:CLASS; correct it"),
    ],
)
def test_an_entry_point_that_leads_nowhere_is_told_with_what_to_correct(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, told: str) -> None:
    (tmp_path / "kept_own.py").write_text("class Longest:\n    def decide(self, view): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registered(monkeypatch, ("mine", value))
    with pytest.raises((ControllerError, MissingError)) as caught:
        load_own("mine")
    assert re.fullmatch(f"{FOUND.format(value=re.escape(value))}{told}.*", str(caught.value)), str(caught.value)
    assert "importlib" not in str(caught.value)
    assert code_of("mine")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1\nimport no_such_library_xyz\n", r"its module {module} needs the Python module 'no_such_library_xyz', .* \({module}.py, line 2\); install it"),
        ("def f(:\n", r"cannot be loaded: SyntaxError: .*\({module}.py, line 1\)$"),
        ("import json\n\njson.loads('{{')\n", r"cannot be loaded: JSONDecodeError: .*\(\w+.py, line \d+\)$"),
        ("x = 1\nx.missing\n", r"cannot be loaded: AttributeError: 'int' object has no attribute 'missing' \({module}.py, line 2\)$"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_with_its_own_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, told: str) -> None:
    module = f"unloadable_{abs(hash(source))}"
    (tmp_path / f"{module}.py").write_text(source.replace("{{", "{"))
    monkeypatch.syspath_prepend(str(tmp_path))
    registered(monkeypatch, ("mine", f"{module}:Longest"))
    with pytest.raises((ControllerError, MissingError), match=told.format(module=module)):
        load_own("mine")


def test_one_name_for_two_classes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, ("same", "a:A"), ("same", "b:B"))
    for asked_for in (check_control, code_of, load_own):
        with pytest.raises(ConfigError, match="registered twice, as a:A and as b:B"):
            asked_for("same")


def test_the_name_of_one_of_ours_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, ("adaptive", "a:A"), ("other", "c:C"))
    with pytest.raises(ConfigError, match=r"'adaptive' is a control that comes with umlauf, and a:A is registered .*; give it another name"):
        check_control("adaptive")
    assert [check_control(name) for name in ("fixed", "other")] == ["fixed", "other"]


def test_a_name_for_two_classes_disturbs_nobody_who_asks_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, ("same", "a:A"), ("same", "b:B"), ("other", "c:C"))
    assert [check_control(name) for name in ("fixed", "other")] == ["fixed", "other"]


def test_a_class_that_is_registered_again_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, ("same", "a:A"), ("same", "a:A"))
    assert check_control("same") == "same"


def test_the_code_of_a_controller_is_that_of_its_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = tmp_path / "coded_own.py"
    module.write_text("class A: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registered(monkeypatch, ("coded", "coded_own:A"))
    before = code_of("coded")
    (tmp_path / "another.py").write_text("x = 1\n")
    assert code_of("coded") == before
    module.write_text("class A: pass\n")
    assert code_of("coded") != before


def run(folder: Path, path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = str(Path(sys.executable).with_name("umlauf"))
    return subprocess.run([command, *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": str(path)}, capture_output=True, text=True, check=False)


@pytest.mark.sim
def test_the_worked_example_of_the_docs_runs(tmp_path: Path) -> None:
    blocks = dict(re.findall(r"```(python|toml)\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL))
    name, value = re.findall(r'^([\w-]+) = "(longest_queue:\w+)"', blocks["toml"], re.MULTILINE)[0]
    name = f"{PREFIX}{name}"
    site = install(tmp_path, blocks["python"], {name: value}, module="longest_queue")
    done = run(tmp_path, site, "simulate", "cross", "--control", f"{name},fixed", "--end", "600", "--json", "--output", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    own, fixed = json.loads(done.stdout)["runs"]
    assert own["control"] == name
    assert own["interlock_refusals"] == 0
    assert own["mode_changes"] == 0
    assert own["mean_delay_s"] < fixed["mean_delay_s"]


@pytest.mark.sim
def test_a_run_fails_where_its_controller_does(tmp_path: Path) -> None:
    source = "class Late:\n    def __init__(self, task): ...\n    def decide(self, view):\n        return 0 if view.now_ms < 50_000 else 'never'\n"
    site = install(tmp_path, source, {f"{PREFIX}late": f"{MODULE}:Late"})
    done = run(tmp_path, site, "simulate", "cross", "--control", f"{PREFIX}late", "--end", "100", "--output", str(tmp_path / "run"))
    assert done.returncode == 1
    assert "decide() returned 'never' at 50 s" in done.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "failed"
