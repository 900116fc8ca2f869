"""One junction's tick: loops in, plans and frames out, through the interlock, into the journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from support_control import INTERGREEN_MS, MIN_GREEN_MS, STAGES, Road, cover, drive, junction

from controller.assemble import assemble
from controller.build import MODES
from controller.errors import ConfigError
from controller.journal import Journal
from controller.journal_reader import JournalReader
from controller.junction import Junction, Node
from controller.loop import JunctionControl
from controller.plan import Plan, PlanStep
from controller.planner import Mailbox
from controller.replay import read_records, replay_frames
from controller.replay_solve import replay_solve
from controller.sequencer import Sequencer
from controller.snapshot import Snapshot
from hardware.fake import FakeHeads, FakeInputs
from hardware.interlock import Interlock
from hardware.ports import FrameRefusedError, InputEvent, InputKind, PortError
from hardware.registry import open_site
from hardware.signals import Aspect, Frame

ONE = junction()
GREEN, RED = Aspect.GREEN, Aspect.RED


class Bench:
    """A junction's control on fake heads and scripted loops."""

    def __init__(
        self, control: str = "actuated", events: Iterable[InputEvent] = (), journal: Journal | None = None, planner: Mailbox | None = None, one: Junction = ONE
    ) -> None:
        self.heads = FakeHeads(one.site_spec())
        self.guard: Interlock = open_site(one.site_spec(), self.heads, now_ms=0)
        self.inputs = FakeInputs(events)
        factory = (lambda junction, node: planner) if planner is not None else None
        self.control: JunctionControl = assemble(one, control, self.inputs, self.guard, journal, start_ms=0, planner=factory)

    def run(self, from_ms: int, to_ms: int, step_ms: int = 1_000) -> None:
        for now_ms in range(from_ms, to_ms + 1, step_ms):
            self.control.tick(now_ms)

    def greens(self) -> list[frozenset[str]]:
        """Return the sets of green groups in the order in which they were shown."""
        ids = [g.id for g in ONE.groups]
        sets = [frozenset(i for i, a in zip(ids, shown.aspects, strict=True) if a is GREEN) for shown in self.heads.history]
        return [s for k, s in enumerate(sets) if s and (k == 0 or s != sets[k - 1])]


def queue() -> list[InputEvent]:
    return cover("e0/1", 20_000, 45_000)


@pytest.mark.parametrize("control", sorted(MODES))
def test_every_mode_drives_the_heads_without_a_refusal(control: str) -> None:
    traffic = [*Road(tuple(range(1_000, 200_000, 7_000))).events("n0"), *Road(tuple(range(3_000, 200_000, 9_000))).events("e1"), *queue()]
    bench = Bench(control, traffic)
    bench.run(0, 240_000)
    assert bench.guard.refusals == 0
    assert len(bench.heads.history) > 1
    shown = bench.greens()
    assert frozenset({"NS"}) in shown
    assert any("EW" in s or "EWL" in s for s in shown)
    allowed = {frozenset(s.green) for s in ONE.nodes[0].stages}
    assert all(any(s <= a for a in allowed) for s in shown), "no two stages' greens together"


def test_an_edge_becomes_a_green() -> None:
    bench = Bench("actuated", queue())
    bench.run(0, 19_000)
    assert bench.heads.history[-1].aspects[STAGES.index("NS")] is GREEN
    bench.run(20_000, 35_000)
    assert bench.heads.history[-1].aspects[STAGES.index("EW")] is GREEN
    assert bench.heads.history[-1].aspects[STAGES.index("NS")] is RED


@pytest.mark.parametrize("step_ms", [100, 500, 1_000])
def test_the_planner_is_asked_once_a_second_whatever_the_tick(step_ms: int) -> None:
    counted = Counting()
    Bench(planner=counted).run(0, 20_000, step_ms)
    assert counted.asked == 21


class Counting(Mailbox):
    """A planner that keeps the first stage and remembers what it was shown."""

    name = "counting"

    def __init__(self) -> None:
        self.asked = 0
        self.snapshots: list[Snapshot] = []

    def submit(self, snapshot: Snapshot) -> None:
        self.asked += 1
        self.snapshots.append(snapshot)
        self.last_solve_ms = 0.25
        self._plan = Plan(self.name, snapshot.now_ms, (PlanStep(0, None),), "keeps the first")


def test_a_snapshot_holds_this_tick_s_loops_and_beliefs() -> None:
    counted = Counting()
    bench = Bench(events=[*drive("e0/300", 10_200), *cover("w1/1", 9_900, 60_000), *cover("nout/x", 2_000, 50_000)], planner=counted)
    bench.run(0, 11_000)
    last = counted.snapshots[-1]
    assert last.now_ms == 11_000
    assert set(last.lanes) == {x.id for x in ONE.lanes}
    assert set(last.detectors) == {d.id for d in ONE.detectors}
    assert last.detectors["w1/1"].occupied
    assert last.detectors["e0/300"].count == 1
    assert sum(sum(last.lanes[x].weight) for x in ("e0", "e1")) == pytest.approx(1.0)
    assert last.blocked_exits == {"nout"}
    assert last.signals.green_since_ms["NS"] is not None
    assert [s.tick for s in counted.snapshots] == list(range(12))


def test_the_solver_s_times_are_kept() -> None:
    bench = Bench(planner=Counting())
    bench.run(0, 4_000)
    (node,) = bench.control.nodes
    assert (node.solve_ms.solves, node.solve_ms.sum_ms) == (5, 1.25)


def test_a_refusal_propagates() -> None:
    """The heads were changed behind the control's back: the interlock refuses, and the run must not go on as if nothing was."""
    bench = Bench()
    bench.run(0, 20_000)
    bench.heads.force((GREEN,) * len(ONE.groups))
    with pytest.raises(FrameRefusedError):
        bench.run(21_000, 22_000)
    assert bench.guard.refusals >= 1


class Unlawful(Sequencer):
    """A sequencer gone wrong: all green."""

    def step(self, now_ms: int) -> dict[str, Aspect]:
        return dict.fromkeys(super().step(now_ms), GREEN)


def test_an_unlawful_frame_never_reaches_the_heads() -> None:
    bench = Bench()
    bench.control.nodes[0].sequencer = Unlawful(ONE, ONE.nodes[0], 0)
    with pytest.raises(FrameRefusedError):
        bench.run(0, 60_000)
    assert all(aspect is RED for shown in bench.heads.history for aspect in shown.aspects)


def test_a_lost_device_propagates() -> None:
    bench = Bench()
    bench.run(0, 5_000)
    bench.inputs.mute = True
    with pytest.raises(PortError):
        bench.control.tick(6_000)
    bench.inputs.mute = False
    bench.heads.mute = True
    with pytest.raises(PortError):
        bench.control.tick(7_000)


def run_through_losses(bench: Bench, from_ms: int, to_ms: int) -> int:
    """Tick on whatever the port raises, as a cabinet does; return how many ticks met an error."""
    errors = 0
    for now_ms in range(from_ms, to_ms + 1, 1_000):
        try:
            bench.control.tick(now_ms)
        except (PortError, FrameRefusedError):
            errors += 1
    return errors


def red_before_green_ms(bench: Bench, after_ms: int) -> tuple[int, int]:
    """Return how long all was red before the first green that began after a time, and when that green began."""
    later = [s for s in bench.heads.history if s.now_ms >= after_ms]
    begin = next(k for k, s in enumerate(later) if k and GREEN in s.aspects and GREEN not in later[k - 1].aspects)
    red_ms = later[begin].now_ms
    for shown in reversed(later[:begin]):
        if set(shown.aspects) != {RED}:
            break
        red_ms = shown.now_ms
    return later[begin].now_ms - red_ms, later[begin].now_ms


@pytest.mark.parametrize("control", sorted(MODES))
@pytest.mark.parametrize("lost_ticks", [1, 2, 30])
@pytest.mark.parametrize("how", ["mute", "drop", "mute and dark", "mute and green"])
def test_heads_that_were_lost_begin_again_from_red(control: str, lost_ticks: int, how: str) -> None:
    """What the heads did meanwhile is unknown; when they come back, no frame is refused and nothing is green before a cleared red."""
    bench = Bench(control, [*queue(), *cover("e0/1", 80_000, 110_000), *Road(tuple(range(1_000, 200_000, 7_000))).events("n0")])
    lost_ms = 26_000
    bench.run(0, lost_ms - 1_000)
    back_ms = lost_ms + 1_000 * lost_ticks
    for now_ms in range(lost_ms, back_ms, 1_000):
        bench.heads.mute, bench.heads.drop_next = how != "drop", how == "drop"
        with pytest.raises(PortError):
            bench.control.tick(now_ms)
    bench.heads.mute = bench.heads.drop_next = False
    if how.endswith("dark"):
        bench.heads.force((Aspect.DARK,) * len(ONE.groups))
    if how.endswith("green"):
        bench.heads.force((RED, RED, GREEN, RED))
    assert run_through_losses(bench, back_ms, back_ms + 90_000) == 0
    assert bench.guard.refusals == 0
    red_ms, green_ms = red_before_green_ms(bench, back_ms)
    assert red_ms >= INTERGREEN_MS
    assert green_ms <= back_ms + 20_000
    assert len(bench.greens()) > 2, "it goes on to other stages"


def test_a_flickering_link_never_gives_green_before_red() -> None:
    bench = Bench("actuated", queue())
    bench.run(0, 30_000)
    for now_ms in range(31_000, 61_000, 1_000):
        bench.heads.mute = now_ms // 1_000 % 3 == 0
        run_through_losses(bench, now_ms, now_ms)
    bench.heads.mute = False
    assert all(GREEN not in s.aspects for s in bench.heads.history if 45_000 <= s.now_ms < 61_000)
    assert run_through_losses(bench, 61_000, 90_000) == 0
    assert GREEN in bench.heads.history[-1].aspects
    assert bench.guard.refusals == 0


def test_signals_go_on_while_only_the_loops_are_lost() -> None:
    bench = Bench("programme")
    bench.run(0, 20_000)
    bench.inputs.mute = True
    assert run_through_losses(bench, 21_000, 120_000) == 100, "each tick says so"
    assert bench.greens()[:4] == [{"NS"}, {"NSL"}, {"EW", "EWL"}, {"EWL"}]
    assert bench.guard.refusals == 0


def test_after_a_refusal_it_begins_again_from_red_once_resumed() -> None:
    bench = Bench("actuated")
    bench.run(0, 20_000)
    lawful = bench.control.nodes[0].sequencer
    bench.control.nodes[0].sequencer = Unlawful(ONE, ONE.nodes[0], 0)
    with pytest.raises(FrameRefusedError):
        bench.control.tick(21_000)
    bench.control.nodes[0].sequencer = lawful
    bench.control.restart(21_000, "the sequencer was exchanged")
    bench.run(22_000, 27_000)
    assert set(bench.heads.history[-1].aspects) == {RED}
    bench.guard.resume(27_000)
    bench.control.restart(27_000, "resumed")
    bench.run(28_000, 90_000)
    assert bench.guard.refusals == 1
    red_ms, green_ms = red_before_green_ms(bench, 27_000)
    assert red_ms >= INTERGREEN_MS
    assert green_ms <= 45_000


def test_a_refusal_that_nobody_resumes_stays_red() -> None:
    bench = Bench("actuated")
    bench.run(0, 20_000)
    bench.heads.force((GREEN,) * len(ONE.groups))
    assert run_through_losses(bench, 21_000, 120_000) > 1
    assert all(set(s.aspects) == {RED} for s in bench.heads.history if s.now_ms > 35_000)


def test_after_flashing_it_begins_again_from_red() -> None:
    bench = Bench("actuated")
    bench.run(0, 20_000)
    flash = (Aspect.FLASHING_AMBER,) * len(ONE.groups)
    stopped = [bench.guard.stop(now_ms) for now_ms in range(21_000, 40_000, 1_000)]
    assert (stopped[0], stopped[-1]) == (False, True)
    bench.guard.resume(40_000)
    bench.guard.show(Frame(45_000, flash), 45_000)
    bench.control.restart(60_000, "the night is over")
    bench.run(60_000, 100_000)
    assert bench.guard.refusals == 0
    red_ms, _ = red_before_green_ms(bench, 60_000)
    assert red_ms >= INTERGREEN_MS


def test_a_lost_device_costs_no_more_decisions_than_a_whole_one(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.sqlite", {"scenario": "test"}) as journal:
        bench = Bench("adaptive", queue(), journal)
        bench.run(0, 10_000)
        bench.heads.mute = True
        for now_ms in range(10_100, 20_001, 100):
            run_through_losses(bench, now_ms, now_ms)
    with JournalReader(tmp_path) as reader:
        (record,), _ = read_records(reader)
    assert len(record.restarts) == 100
    assert len([p for p in record.plans if p.now_ms > 10_100]) <= 10


@pytest.mark.parametrize("control", ["actuated", "adaptive"])
def test_a_restart_replays(tmp_path: Path, control: str) -> None:
    with Journal.create(tmp_path / "journal.sqlite", {"scenario": "test"}) as journal:
        bench = Bench(control, [*queue(), *Road(tuple(range(1_000, 200_000, 7_000))).events("n0")], journal)
        bench.run(0, 30_000)
        bench.heads.mute = True
        assert run_through_losses(bench, 31_000, 33_000) == 3
        bench.heads.mute = False
        bench.run(34_000, 90_000)
    with JournalReader(tmp_path) as reader:
        (record,), damage = read_records(reader)
        assert damage == ""
        assert [tick for tick, _ in record.restarts] == [32, 33, 34]
        assert replay_frames(record).difference is None
        assert replay_solve(reader, ONE.id).difference is None
        assert replay_frames(replace(record, restarts=())).difference is not None


def test_the_journal_holds_events_plans_frames_and_health(tmp_path: Path) -> None:
    events = [*queue(), InputEvent(50_300, InputKind.DETECTOR_FAULT, "n0/1", 1), InputEvent(50_400, InputKind.PUSH_BUTTON, "elsewhere", 1)]
    with Journal.create(tmp_path / "journal.sqlite", {"scenario": "test"}) as journal:
        bench = Bench("actuated", events, journal)
        bench.run(0, 60_000)
    with JournalReader(tmp_path) as reader:
        assert [e.event for e in reader.events()] == sorted(events), "all inputs, even those that nobody here reads"
        assert [e.tick for e in reader.events()] == [20, 45, 51, 51]
        assert [t for t, _ in reader.ticks()] == list(range(61))
        plans = list(reader.plans())
        frames = list(reader.frames())
        notes = [n for n in reader.notes() if n.kind == "detector"]
        (row,) = reader.junctions.values()
    assert row.control == "actuated"
    assert row.junction == ONE
    assert {p.plan.planner for p in plans} == {"actuated"}
    assert any("EW is called" in p.plan.reason for p in plans)
    changed = [s for k, s in enumerate(bench.heads.history) if k == 0 or s.aspects != bench.heads.history[k - 1].aspects]
    assert [(f.now_ms, f.aspects) for f in frames] == [(s.now_ms, s.aspects) for s in changed]
    assert [(n.detail["trusted"], n.text.split(":")[0]) for n in notes] == [(False, "n0/1")]


def test_the_refused_frame_is_in_the_journal(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.sqlite", {"scenario": "test"}) as journal:
        bench = Bench("actuated", (), journal)
        bench.control.nodes[0].sequencer = Unlawful(ONE, ONE.nodes[0], 0)
        with pytest.raises(FrameRefusedError):
            bench.run(0, 60_000)
    with JournalReader(tmp_path) as reader:
        assert (GREEN,) * len(ONE.groups) in [f.aspects for f in reader.frames()]


def test_the_same_inputs_give_the_same_frames() -> None:
    histories = []
    for _ in range(2):
        bench = Bench("adaptive", [*Road(tuple(range(1_000, 90_000, 5_000))).events("n0"), *queue()])
        bench.run(0, 120_000)
        histories.append(bench.heads.history)
    assert histories[0] == histories[1]


def test_two_partial_nodes_share_one_frame() -> None:
    """North and south in one node, east and west in another, without conflicts between them."""
    node = ONE.nodes[0]
    halves = (
        Node("ns", ("NS", "NSL"), node.stages[:2]),
        Node("ew", ("EW", "EWL"), node.stages[2:]),
    )
    between = tuple(i for i in ONE.intergreens if {i.clearing, i.entering} == {"NS", "NSL"})
    one = replace(ONE, nodes=halves, intergreens=between)
    bench = Bench("actuated", cover("n1/1", 20_000, 35_000), one=one)
    bench.run(0, 50_000)
    last = dict(zip([g.id for g in one.groups], bench.heads.history[-1].aspects, strict=True))
    assert (last["NSL"], last["NS"], last["EW"]) == (GREEN, RED, GREEN)


def test_every_green_lasts_its_minimum() -> None:
    traffic = [e for k, x in enumerate(("n0/1", "n1/1", "e0/1", "e1/1")) for t in range(1_000 + 300 * k, 150_000, 2_300) for e in drive(x, t)]
    bench = Bench("adaptive", traffic)
    bench.run(0, 150_000)
    for index in range(len(ONE.groups)):
        since_ms: int | None = None
        for shown in bench.heads.history:
            if shown.aspects[index] is GREEN:
                since_ms = shown.now_ms if since_ms is None else since_ms
            elif since_ms is not None:
                assert shown.now_ms - since_ms >= MIN_GREEN_MS
                since_ms = None


def test_a_faulty_junction_is_not_started() -> None:
    broken = replace(ONE, intergreens=ONE.intergreens[1:])
    with pytest.raises(ConfigError, match="intergreen"):
        assemble(broken, "actuated", FakeInputs(), FakeHeads(ONE.site_spec()), None, start_ms=0)


def test_an_unknown_mode_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="adaptive"):
        assemble(ONE, "psychic", FakeInputs(), FakeHeads(ONE.site_spec()), None, start_ms=0)
