"""The guard's end of the pipe: it never waits, counts what is missing, gives up what is dead, and starts it again ever more slowly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support_control import Scene, junction
from support_guard import Cabinet

from controller.cabinet.codec import line_of
from controller.cabinet.optimizer_link import LONGEST_DELAY_MS, OptimizerLink
from controller.journal_schema import junction_text
from controller.supervisor import Event, Mode

ONE = junction()


class Far:
    """The other end, played: it notes what it is told and says what the test lets it say."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.say: bytes | None = b""
        self.deaf = False  # it does not read
        self.broken = False
        self.closed = False
        self.answers = False  # by itself, at once
        self.late = b""
        self._rest = b""

    def send(self, data: bytes) -> int:
        if self.broken:
            raise BrokenPipeError("broken")
        if self.deaf:
            return 0
        *lines, self._rest = (self._rest + data[:200_000]).split(b"\n")
        for line in lines:
            self.heard.append(json.loads(line))
            if self.answers:
                self._answer(self.heard[-1])
        return len(data[:200_000])

    def _answer(self, message: dict[str, Any]) -> None:
        assert self.say is not None
        if "ping" in message:
            self.say += line_of(pong=message["ping"])
        elif "ask" in message:
            memory = {"memory": {"asked": message["ask"]}} if message.get("remember") else {}
            self.say += plan_line(message, **memory)

    def receive(self) -> bytes | None:
        if self.broken:
            raise ConnectionResetError("broken")
        said = self.say
        if said is not None:
            self.say = b""
        return said

    def close(self) -> str:
        self.closed = True
        return "it was killed"


def plan_line(message: dict[str, Any], stage: int = 2, **more: Any) -> bytes:
    now_ms = message["snapshot"][1]
    plan = [message["mode"], now_ms, [[stage, None, 0]], "asked for", {}]
    return line_of(**{"id": message["ask"], "plan": plan, "digest": "ab", "solve_ms": 1.5, "notes": [], "predicted": [], **more})


class Bench:
    def __init__(self) -> None:
        self.ends: list[Far] = []
        self.missing = False
        self.link = OptimizerLink(ONE, self._start, junction_text(ONE))
        self.now_ms = 0
        self.news: list[tuple[Event | None, str]] = []

    def _start(self) -> Far:
        if self.missing:
            raise FileNotFoundError("no such program")
        self.ends.append(Far())
        return self.ends[-1]

    @property
    def far(self) -> Far:
        return self.ends[-1]

    def run_to(self, to_ms: int, ask: bool = False) -> None:
        while self.now_ms < to_ms:
            self.now_ms += 100
            self.news += self.link.poll(self.now_ms)
            if ask and self.now_ms % 1_000 == 0:
                self.ask()

    def ask(self) -> None:
        self.link.ask("node", Mode.ADAPTIVE, Scene(now_ms=self.now_ms).snapshot())

    def ready(self) -> Bench:
        self.run_to(self.now_ms + 100)
        self.far.say = line_of(ready=True)
        self.far.answers = True
        self.run_to(self.now_ms + 200)
        assert self.link.state == "ready"
        return self

    def events(self) -> list[Event]:
        return [event for event, _ in self.news if event is not None]


def test_it_is_told_the_junction_first_and_counts_once_ready() -> None:
    bench = Bench()
    bench.run_to(20_000)
    assert bench.link.state == "starting"
    bench.ask()
    assert [list(m) for m in bench.far.heard] == [["v", "hello"]]
    bench.ready()
    assert bench.events() == [Event.OPTIMIZER_RECOVERED]


def test_an_answer_is_taken_once() -> None:
    bench = Bench().ready()
    bench.ask()
    assert bench.link.take("node", Mode.ADAPTIVE) is None, "not yet: nothing was waited for"
    bench.run_to(bench.now_ms + 100)
    answer = bench.link.take("node", Mode.ADAPTIVE)
    assert answer is not None
    assert answer.plan is not None
    assert (answer.plan.steps[0].stage, answer.digest, answer.solve_ms) == (2, b"\xab", 1.5)
    assert bench.link.take("node", Mode.ADAPTIVE) is None


def test_a_late_answer_is_none() -> None:
    bench = Bench().ready()
    bench.far.answers = False
    bench.ask()
    bench.run_to(bench.now_ms + 600)
    bench.far.say = plan_line(bench.far.heard[-1]) if "ask" in bench.far.heard[-1] else plan_line(bench.far.heard[-2])
    bench.run_to(bench.now_ms + 100)
    assert bench.link.take("node", Mode.ADAPTIVE) is None
    assert bench.link.counts["optimizer_unanswered"] == 1
    assert bench.link.state == "ready", "one is none"


def test_three_missing_answers_are_a_loss() -> None:
    bench = Bench().ready()
    bench.far.answers = False
    bench.run_to(10_000, ask=True)
    assert bench.events()[:2] == [Event.OPTIMIZER_RECOVERED, Event.OPTIMIZER_LOST]
    assert bench.ends[0].closed
    assert "3 times in a row" in bench.news[1][1]
    assert len(bench.ends) == 2


def test_one_that_is_asked_nothing_is_watched_too() -> None:
    bench = Bench().ready()
    bench.run_to(30_000)
    assert bench.events() == [Event.OPTIMIZER_RECOVERED]
    bench.far.answers = False
    bench.run_to(40_000)
    assert Event.OPTIMIZER_LOST in bench.events()


def test_one_that_does_not_read_is_lost_and_nothing_piles_up() -> None:
    bench = Bench().ready()
    bench.far.deaf = True
    bench.run_to(6_000, ask=True)
    assert Event.OPTIMIZER_LOST in bench.events()
    assert len(bench.link._out) < 100_000


@pytest.mark.parametrize("how", ["end", "broken"])
def test_an_end_is_a_loss_at_once(how: str) -> None:
    bench = Bench().ready()
    bench.far.say, bench.far.broken = None if how == "end" else b"", how == "broken"
    bench.run_to(bench.now_ms + 100)
    assert bench.events() == [Event.OPTIMIZER_RECOVERED, Event.OPTIMIZER_LOST]
    assert "it was killed" in bench.news[-1][1]


def test_the_delay_doubles_to_a_minute_and_begins_small_again_after_health() -> None:
    bench = Bench()
    bench.missing = True
    bench.run_to(600_000)
    waits = [text.rsplit(" in ", 1)[1] for _, text in bench.news]
    assert waits[:8] == ["1 s", "2 s", "4 s", "8 s", "16 s", "32 s", "60 s", "60 s"]
    bench.missing = False
    bench.run_to(600_000 + LONGEST_DELAY_MS)
    bench.ready()
    bench.run_to(bench.now_ms + 70_000)
    bench.far.say = None
    bench.run_to(bench.now_ms + 100)
    assert bench.news[-1][1].endswith("in 1 s")


def test_its_own_word_of_failure_is_a_loss() -> None:
    bench = Bench().ready()
    bench.far.say = line_of(error="KeyError: 'e0'")
    bench.run_to(bench.now_ms + 100)
    assert bench.events()[-1] is Event.OPTIMIZER_LOST
    assert "KeyError" in bench.news[-1][1]


GARBAGE = {
    "bytes": bytes(range(256)).replace(b"\n", b"") + b"\n",
    "another version": b'{"v":9}\n',
    "a number": b"5\n",
    "ten megabytes": b"x" * 10_000_000 + b"\n",
    "deep": b"[" * 500_000 + b"\n",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_counted_and_harms_nothing(garbage: bytes) -> None:
    bench = Bench().ready()
    bench.far.say = garbage
    bench.run_to(bench.now_ms + 200)
    assert bench.link.counts["optimizer_garbage"] >= 1
    assert bench.link.state == "ready"
    bench.ask()
    bench.run_to(bench.now_ms + 100)
    assert bench.link.take("node", Mode.ADAPTIVE) is not None


def test_a_long_line_in_pieces_is_thrown_away_whole() -> None:
    bench = Bench().ready()
    bench.far.answers = False
    for _ in range(20):
        bench.far.say = b"y" * 500_000
        bench.run_to(bench.now_ms + 100)
        assert len(bench.link._in) <= 1_500_000
    assert bench.link.counts["optimizer_garbage"] == 1


def test_wrong_plans_count_as_missing() -> None:
    bench = Bench().ready()
    bench.far.answers = False
    for _ in range(4):
        bench.ask()
        if bench.far.heard and "ask" in bench.far.heard[-1]:
            bench.far.say = plan_line(bench.far.heard[-1], stage=99)
        bench.run_to(bench.now_ms + 700)
        assert bench.link.take("node", Mode.ADAPTIVE) is None
    assert bench.link.counts["optimizer_garbage"] >= 3
    assert Event.OPTIMIZER_LOST in bench.events()


def test_the_guard_follows_plans_that_come_a_tick_later_and_falls_back_without_them() -> None:
    bench = Bench()
    one = Cabinet(Mode.ADAPTIVE, optimizer=bench.link)
    one.run_to(1_000)
    assert one.mode is Mode.ACTUATED, "it is not up yet"
    bench.far.say = line_of(ready=True)
    bench.far.answers = True
    one.run_to(1_500)
    assert one.mode is Mode.ADAPTIVE, "nothing has failed, so nothing is held down"
    one.run_to(40_000)
    assert one.guard.status().nodes[0].stage == "EW", "as the far end asks"
    assert one.guard.status().optimizer == "ready"
    bench.far.answers = False
    one.run_to(44_000)
    assert one.mode is Mode.ACTUATED
    assert one.guard.status().optimizer == "lost"
    one.run_to(46_000)
    bench.far.say = line_of(ready=True)
    bench.far.answers = True
    one.run_to(100_000)
    assert one.mode is Mode.ACTUATED, "held down"
    one.run_to(130_000)
    assert one.mode is Mode.ADAPTIVE
    assert one.guard.ticks == 1_301
    assert one.interlock.refusals == 0


class TestWhatPlannersRemember:
    """The journal must know it where a file begins, and wherever it is not sure which questions a planner has seen."""

    def bench(self) -> Bench:
        bench = Bench().ready()
        bench.run_to(bench.now_ms + 1_000 - bench.now_ms % 1_000)
        return bench

    def asked_for(self, bench: Bench) -> list[int]:
        """Return the times of the questions that asked for it, and forget all that was heard."""
        found = [m["snapshot"][1] for m in bench.far.heard if m.get("remember")]
        bench.far.heard.clear()
        return found

    def test_it_is_asked_for_first_and_then_every_ten_minutes(self) -> None:
        bench = self.bench()
        begin_ms = bench.now_ms
        bench.run_to(begin_ms + 1_300_000, ask=True)
        assert self.asked_for(bench) == [begin_ms + 1_000, begin_ms + 601_000, begin_ms + 1_201_000]
        told = bench.link.memories()
        assert [(t.node, t.planner, set(t.memory)) for t in told] == [("node", "adaptive", {"asked"})] * 3
        assert not bench.link.memories(), "each is told once"

    def test_it_is_asked_for_again_after_a_question_without_an_answer(self) -> None:
        bench = self.bench()
        bench.run_to(bench.now_ms + 5_000, ask=True)
        self.asked_for(bench)
        bench.far.answers = False
        bench.run_to(bench.now_ms + 1_000, ask=True)
        bench.run_to(bench.now_ms + 900)
        bench.far.answers = True
        bench.run_to(bench.now_ms + 5_000, ask=True)
        assert len(self.asked_for(bench)) == 1

    def test_it_is_asked_for_again_after_a_question_that_did_not_go_out(self) -> None:
        bench = self.bench()
        bench.run_to(bench.now_ms + 5_000, ask=True)
        self.asked_for(bench)
        bench.far.deaf = True
        bench.ask()
        bench.ask()  # the first one stands in the pipe, so this one is not sent
        bench.far.deaf = False
        bench.run_to(bench.now_ms + 3_000, ask=True)
        assert self.asked_for(bench)

    def test_a_new_process_and_a_new_file_are_told_anew(self) -> None:
        bench = self.bench()
        bench.run_to(bench.now_ms + 5_000, ask=True)
        self.asked_for(bench)
        bench.link.remember()
        assert not bench.link.memories()
        bench.run_to(bench.now_ms + 3_000, ask=True)
        assert len(self.asked_for(bench)) == 1
        bench.far.broken = True
        bench.run_to(bench.now_ms + 2_000)
        bench.ready()
        bench.run_to(bench.now_ms + 3_000, ask=True)
        assert len(self.asked_for(bench)) == 1

    def test_what_was_told_for_the_file_before_is_not_for_the_new_one(self) -> None:
        bench = self.bench()
        bench.ask()
        bench.link.remember()  # before the answer is there
        bench.run_to(bench.now_ms + 500)
        assert not bench.link.memories()
        self.asked_for(bench)
        bench.ask()
        assert self.asked_for(bench), "the first question of the new file"

    def test_a_memory_that_is_none_costs_the_answer(self) -> None:
        bench = self.bench()
        bench.far.answers = False
        bench.ask()
        bench.far.say = plan_line(bench.far.heard[-1], memory=["no object"])
        bench.run_to(bench.now_ms + 200)
        assert bench.link.take("node", Mode.ADAPTIVE) is None
        assert not bench.link.memories()
        assert bench.link.counts["optimizer_garbage"] == 1
        bench.ask()
        bench.far.say = plan_line(bench.far.heard[-1], memory={"long": "x" * 200_000})
        bench.run_to(bench.now_ms + 200)
        assert bench.link.counts["optimizer_garbage"] == 2

    def test_what_was_not_asked_for_is_not_kept(self) -> None:
        bench = self.bench()
        bench.run_to(bench.now_ms + 2_000, ask=True)
        assert len(bench.link.memories()) == 1
        bench.far.answers = False
        bench.ask()
        bench.far.say = plan_line(bench.far.heard[-1], memory={"more": 1})
        bench.run_to(bench.now_ms + 200)
        assert bench.link.take("node", Mode.ADAPTIVE) is not None
        assert not bench.link.memories()
