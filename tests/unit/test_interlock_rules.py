"""Each rule of the interlock at its boundary: one millisecond short is refused, on time is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hardware.interlock_limits import SiteSpecError, compile_rules
from hardware.interlock_rules import (
    Decision,
    Phase,
    Refusal,
    Rule,
    State,
    attached,
    decide,
    doubtful,
    judge,
    ramp,
    ready,
    resumed,
    shown,
)
from hardware.signals import Aspect, GroupKind, GroupSpec, SiteSpec

D, R, U, G, A, F = Aspect

SPEC = SiteSpec(
    id="corner",
    groups=(
        GroupSpec("A", GroupKind.VEHICLE, 5000, 3000, 1000),
        GroupSpec("B", GroupKind.VEHICLE, 6000, 3000),
        GroupSpec("P", GroupKind.PEDESTRIAN, 4000, 0),
    ),
    intergreen_ms={("A", "B"): 5000, ("B", "A"): 4000, ("B", "P"): 4500, ("P", "B"): 8000},
    head_start_ms={("A", "P"): 2000},
)
RULES = compile_rules(SPEC)
NOW = 100_000
LONG = NOW - 50_000


def state(*aspects: Aspect, since: tuple[int, int, int] = (LONG,) * 3, ended: tuple[int, int, int] = (LONG,) * 3, phase: Phase = Phase.RUN) -> State:
    return State(phase, aspects, since, ended)


def ago(*ages_ms: int) -> tuple[int, int, int]:
    a, b, p = (NOW - age for age in ages_ms)
    return a, b, p


def refused(before: State, asked: tuple[Aspect, ...]) -> Refusal:
    refusal = judge(RULES, before, asked, NOW)
    assert refusal is not None
    return refusal


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (state(R, R, R), (U, R, R)),
        (state(U, R, R, since=ago(1000, 9000, 9000)), (G, R, R)),
        (state(U, R, R, since=ago(1999, 9000, 9000)), (U, R, R)),
        (state(G, R, R, since=ago(5000, 9000, 9000)), (A, R, R)),
        (state(A, R, R, since=ago(3000, 9000, 9000)), (R, R, R)),
        (state(A, R, R, since=ago(5999, 9000, 9000)), (A, R, R)),
        (state(R, R, G, since=ago(9000, 9000, 4000)), (R, R, R)),
        (state(R, R, R), (R, G, R)),
        (state(G, R, R), (G, R, R)),
        (state(R, R, R, ended=ago(5000, 0, 8000)), (R, G, R)),
        (state(A, R, R, since=ago(3000, 0, 0), ended=ago(5000, 0, 8000)), (R, G, R)),
        (state(R, R, R, ended=ago(9000, 4500, 9000)), (R, R, G)),
        (state(U, R, G, since=ago(1000, 9000, 2000)), (G, R, G)),
        (state(G, R, R, since=ago(2000, 9000, 9000)), (G, R, G)),
        (state(R, R, G, since=ago(0, 0, 1000)), (U, R, G)),
    ],
)
def test_lawful(before: State, asked: tuple[Aspect, ...]) -> None:
    assert judge(RULES, before, asked, NOW) is None


@pytest.mark.parametrize(
    ("before", "asked", "text"),
    [
        (state(R, R, R), (G, R, R), "aspect order: group A: expected RED or RED_AMBER after RED for a vehicle group, found GREEN"),
        (state(R, R, R), (R, U, R), "aspect order: group B: expected GREEN or RED after RED for a vehicle group, found RED_AMBER"),
        (state(R, R, R), (A, R, R), "aspect order: group A: expected RED or RED_AMBER after RED for a vehicle group, found AMBER"),
        (state(R, R, G), (R, R, A), "aspect order: group P: expected GREEN or RED after GREEN for a pedestrian group, found AMBER"),
        (state(R, R, R), (R, R, U), "aspect order: group P: expected GREEN or RED after RED for a pedestrian group, found RED_AMBER"),
        (state(G, R, R), (R, R, R), "aspect order: group A: expected AMBER or GREEN after GREEN for a vehicle group, found RED"),
        (state(A, R, R), (G, R, R), "aspect order: group A: expected AMBER or RED after AMBER for a vehicle group, found GREEN"),
        (state(U, R, R), (R, R, R), "aspect order: group A: expected GREEN or RED_AMBER after RED_AMBER for a vehicle group, found RED"),
        (state(G, R, R, since=ago(4999, 0, 0)), (A, R, R), "minimum green: group A: expected GREEN for at least 5000 ms, found 4999 ms"),
        (state(R, R, G, since=ago(0, 0, 3999)), (R, R, R), "minimum green: group P: expected GREEN for at least 4000 ms, found 3999 ms"),
        (state(A, R, R, since=ago(2999, 0, 0)), (R, R, R), "amber: group A: expected at least 3000 ms, found 2999 ms"),
        (state(A, R, R, since=ago(6000, 0, 0)), (A, R, R), "amber: group A: expected less than 6000 ms, found 6000 ms and no end"),
        (state(U, R, R, since=ago(999, 0, 0)), (G, R, R), "red-amber: group A: expected at least 1000 ms, found 999 ms"),
        (state(U, R, R, since=ago(2000, 0, 0)), (U, R, R), "red-amber: group A: expected less than 2000 ms, found 2000 ms and no end"),
        (state(G, R, R), (G, G, R), "conflict: group A: expected neither GREEN nor RED_AMBER beside B, which shows GREEN, found GREEN"),
        (state(R, G, R), (U, G, R), "conflict: group A: expected neither GREEN nor RED_AMBER beside B, which shows GREEN, found RED_AMBER"),
        (
            state(U, R, R, since=ago(500, 0, 0)),
            (U, G, R),
            "conflict: group A: expected neither GREEN nor RED_AMBER beside B, which shows GREEN, found RED_AMBER",
        ),
        (
            state(R, R, R, ended=ago(4999, 0, 9000)),
            (R, G, R),
            "intergreen: group B: expected GREEN at least 5000 ms after the end of green of A, found 4999 ms",
        ),
        (
            state(R, R, R, ended=ago(5000, 0, 7999)),
            (R, G, R),
            "pedestrian clearance: group B: expected GREEN at least 8000 ms after the end of green of P, found 7999 ms",
        ),
        (
            state(R, R, R, ended=ago(0, 4499, 0)),
            (R, R, G),
            "intergreen: group P: expected GREEN at least 4500 ms after the end of green of B, found 4499 ms",
        ),
        (
            state(R, R, G, ended=ago(9000, 9000, 9000)),
            (R, G, R),
            "pedestrian clearance: group B: expected GREEN at least 8000 ms after the end of green of P, found 0 ms",
        ),
        (
            state(A, R, R, since=ago(5500, 0, 0), ended=ago(5500, 9000, 9000)),
            (A, G, R),
            "intergreen: group B: expected GREEN only when the amber of A has ended, found AMBER",
        ),
        (
            state(U, R, G, since=ago(1000, 0, 1999)),
            (G, R, G),
            "head start: group A: expected GREEN at least 2000 ms after the green of P, to which it yields, began, found 1999 ms",
        ),
        (
            state(U, R, R, since=ago(1000, 0, 9000)),
            (G, R, G),
            "head start: group A: expected GREEN at least 2000 ms after the green of P, to which it yields, began, found 0 ms",
        ),
        (
            state(G, R, R, since=ago(1999, 0, 0)),
            (G, R, G),
            "head start: group P: expected GREEN at least 2000 ms after the green of A, which yields to it, began, found 1999 ms",
        ),
    ],
)
def test_refused_with_rule_group_expected_and_found(before: State, asked: tuple[Aspect, ...], text: str) -> None:
    assert str(refused(before, asked)) == text


def test_a_green_that_stays_is_judged_against_every_foe() -> None:
    text = "conflict: group B: expected neither GREEN nor RED_AMBER beside P, which shows GREEN, found GREEN"
    assert str(refused(state(R, G, R), (R, G, G))) == text


def test_head_starts_towards_several_groups() -> None:
    """P leads A and B; where A is red, B is judged none the less."""
    spec = SiteSpec("three", (*SPEC.groups[:2], SPEC.groups[2]), {}, {("A", "P"): 2000, ("B", "P"): 2000})
    refusal = judge(compile_rules(spec), state(R, G, R, since=ago(9000, 1000, 9000)), (R, G, G), NOW)
    assert refusal is not None
    assert refusal.rule is Rule.HEAD_START


def test_a_site_of_one_group() -> None:
    rules = compile_rules(SiteSpec("one", SPEC.groups[:1], {}))
    before = State(Phase.RUN, (G,), (LONG,), (LONG,))
    assert decide(rules, before, (A,), NOW) == Decision((A,), Phase.RUN, None)
    assert doubtful(rules, before, Decision((A,), Phase.RUN, None), NOW).aspects == (G,)
    assert shown(State(Phase.RUN, (R,), (LONG,), (LONG,)), Decision((D,), Phase.RUN, None), NOW).phase is Phase.START


def test_a_refusal_in_the_phase_run_latches_and_ramps_down() -> None:
    decision = decide(RULES, state(G, R, G, since=ago(5000, 0, 3999)), (G, G, G), NOW)
    assert decision.aspects == (A, R, G)
    assert decision.phase is Phase.LATCHED
    assert decision.refusal is not None
    assert decision.refusal.rule is Rule.CONFLICT


def test_a_lawful_frame_is_shown_unchanged() -> None:
    assert decide(RULES, state(R, R, R), (U, R, G), NOW) == Decision((U, R, G), Phase.RUN, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (state(G, G, G, since=ago(4999, 5999, 3999)), (G, G, G)),
        (state(G, G, G, since=ago(5000, 6000, 4000)), (A, A, R)),
        (state(A, A, R, since=ago(2999, 3000, 0)), (A, R, R)),
        (state(U, R, R, since=ago(0, 0, 0)), (R, R, R)),
        (state(F, D, D), (A, A, R)),
    ],
)
def test_the_way_to_red(before: State, after: tuple[Aspect, ...]) -> None:
    assert ramp(RULES, before, NOW) == after


def test_start_needs_the_longest_intergreen_of_red() -> None:
    waiting = state(R, R, R, since=ago(7999, 9000, 9000), phase=Phase.START)
    early = decide(RULES, waiting, (U, R, R), NOW)
    assert str(early.refusal) == "start: group A: expected RED until all have been red for 8000 ms, found RED_AMBER"
    assert early.aspects == (R, R, R)
    assert early.phase is Phase.LATCHED
    assert decide(RULES, waiting, (R, R, R), NOW) == Decision((R, R, R), Phase.START, None)
    cleared = state(R, R, R, since=ago(8000, 9000, 9000), phase=Phase.START)
    assert decide(RULES, cleared, (U, R, R), NOW) == Decision((U, R, R), Phase.RUN, None)


def test_ready_counts_from_the_youngest_red() -> None:
    assert ready(RULES, state(R, R, R, since=ago(9000, 8000, 9000)), NOW)
    assert not ready(RULES, state(R, R, R, since=ago(9000, 7999, 9000)), NOW)
    assert not ready(RULES, state(R, A, R), NOW)


def test_asking_for_red_at_the_start_is_answered_with_the_way_to_red() -> None:
    assert decide(RULES, attached(RULES, (G, R, G), NOW), (R, R, R), NOW) == Decision((A, R, R), Phase.START, None)


@pytest.mark.parametrize("seen", [None, (G, G), (G, "R", R), [G, G, G]])
def test_heads_that_cannot_be_read_count_as_green_that_may_end(seen: tuple[Aspect, ...] | None) -> None:
    before = attached(RULES, seen, NOW)
    assert before == State(Phase.START, (G, G, G), (NOW - 5000, NOW - 6000, NOW - 4000), (NOW,) * 3)
    assert ramp(RULES, before, NOW) == (A, A, R)


def test_attaching_to_dark_and_flashing_heads() -> None:
    assert attached(RULES, (F, D, F), NOW).aspects == (F, D, D)
    assert attached(RULES, (F, R, D), NOW).aspects == (G, R, G)
    assert attached(RULES, (A, U, R), NOW, Phase.LATCHED) == State(Phase.LATCHED, (A, U, R), (NOW,) * 3, (NOW,) * 3)


def test_switching_off_needs_a_cleared_red_of_all() -> None:
    off = (F, D, D)
    assert decide(RULES, state(R, R, R, since=ago(8000, 8000, 8000)), off, NOW) == Decision(off, Phase.RUN, None)
    early = decide(RULES, state(R, R, R, since=ago(9000, 7999, 9000)), off, NOW)
    assert str(early.refusal) == "switch-off: group B: expected RED for 8000 ms before dark or flashing, found RED for 7999 ms"
    green = decide(RULES, state(G, R, R), off, NOW)
    assert str(green.refusal) == "switch-off: group A: expected RED for 8000 ms before dark or flashing, found GREEN for 50000 ms"
    part = decide(RULES, state(R, R, R), (F, R, D), NOW)
    assert str(part.refusal) == "switch-off: group B: expected all groups dark or flashing together, found RED"
    walk = decide(RULES, state(R, R, R), (F, D, F), NOW)
    assert str(walk.refusal) == "aspect order: group P: expected DARK, for it has no amber, found FLASHING_AMBER"


def test_dark_signals_may_flash_and_come_back_over_amber() -> None:
    dark = shown(state(R, R, R), Decision((D, D, D), Phase.RUN, None), NOW)
    assert dark.phase is Phase.START
    assert decide(RULES, dark, (F, F, D), NOW) == Decision((F, F, D), Phase.START, None)
    assert decide(RULES, dark, (R, R, R), NOW) == Decision((A, A, R), Phase.START, None)
    wrong = decide(RULES, dark, (G, R, R), NOW)
    assert wrong.aspects == (D, D, D), "a refusal does not wake dark signals"
    assert wrong.phase is Phase.LATCHED


def test_latched_answers_everything_with_the_way_to_red() -> None:
    before = state(A, R, R, since=ago(2999, 0, 0), phase=Phase.LATCHED)
    refusal = decide(RULES, before, (A, R, R), NOW)
    assert str(refusal.refusal) == "latched: group A: expected RED after a refusal, until resumed, found AMBER"
    assert refusal.aspects == (A, R, R)
    assert decide(RULES, before, (R, R, R), NOW) == Decision((A, R, R), Phase.LATCHED, None)
    cleared = state(R, R, R, phase=Phase.LATCHED)
    assert decide(RULES, cleared, (U, R, R), NOW).refusal is not None, "time alone does not resume"
    assert decide(RULES, cleared, (F, F, D), NOW) == Decision((F, F, D), Phase.LATCHED, None)
    assert shown(cleared, Decision((F, F, D), Phase.LATCHED, None), NOW).phase is Phase.LATCHED


def test_a_known_fault_of_the_frame_latches() -> None:
    fault = Refusal(Rule.STALE, "-", "x", "y")
    assert decide(RULES, state(R, R, R), fault, NOW) == Decision((R, R, R), Phase.LATCHED, fault)


def test_resuming_counts_the_longest_intergreen_anew() -> None:
    assert resumed(RULES, state(R, R, R, phase=Phase.LATCHED), NOW) == State(Phase.START, (R, R, R), (NOW,) * 3, (NOW,) * 3)
    assert isinstance(resumed(RULES, state(F, F, D, phase=Phase.LATCHED), NOW), State)
    amber = resumed(RULES, state(R, A, R, phase=Phase.LATCHED), NOW)
    assert str(amber) == "resume: group B: expected RED, or dark and flashing signals, before control resumes, found AMBER"
    assert str(resumed(RULES, state(R, R, R), NOW)) == "resume: group -: expected phase latched, found phase run"


def test_what_is_remembered() -> None:
    after = shown(state(G, R, R, since=ago(5000, 7000, 8000), ended=ago(60_000, 7500, 9000)), Decision((A, R, R), Phase.RUN, None), NOW)
    assert after == State(Phase.RUN, (A, R, R), (NOW, NOW - 7000, NOW - 8000), (NOW, NOW - 7500, NOW - 9000))


@pytest.mark.parametrize(
    ("before", "asked", "aspects", "since"),
    [
        (state(G, R, R, since=ago(9000, 0, 0)), (A, R, R), (G, R, R), ago(9000, 0, 0)),
        (state(A, R, R, since=ago(3000, 0, 0)), (R, G, R), (A, G, R), ago(3000, 6000, 0)),
        (state(U, R, R, since=ago(1000, 0, 0)), (G, R, R), (G, R, R), ago(5000, 0, 0)),
        (state(U, R, R, since=ago(500, 0, 0)), (R, R, R), (U, R, R), ago(500, 0, 0)),
        (state(R, R, R, since=ago(9000, 9000, 9000)), (F, D, D), (F, D, D), ago(0, 0, 0)),
        (state(F, D, D, since=ago(9000, 9000, 9000)), (A, A, R), (A, A, R), ago(0, 0, 0)),
    ],
)
def test_an_unconfirmed_change_counts_as_the_more_dangerous(
    before: State, asked: tuple[Aspect, ...], aspects: tuple[Aspect, ...], since: tuple[int, int, int]
) -> None:
    assert doubtful(RULES, before, Decision(asked, Phase.RUN, None), NOW) == State(Phase.START, aspects, since, (NOW,) * 3)
    assert doubtful(RULES, before, Decision(asked, Phase.LATCHED, None), NOW).phase is Phase.LATCHED


def with_group(**changes: object) -> SiteSpec:
    return replace(SPEC, groups=(replace(SPEC.groups[0], **changes), *SPEC.groups[1:]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (replace(SPEC, groups=()), "expected at least one group and every id once, found []; mend the site's groups"),
        (with_group(id="B"), "expected at least one group and every id once, found ['B', 'B', 'P']; mend the site's groups"),
        (with_group(min_green_ms=-1), "group A: expected min_green_ms as a whole number of milliseconds >= 0, found -1"),
        (with_group(amber_ms=3.0), "group A: expected amber_ms as a whole number of milliseconds >= 0, found 3.0"),
        (with_group(red_amber_ms=True), "group A: expected red_amber_ms as a whole number of milliseconds >= 0, found True"),
        (with_group(kind=GroupKind.PEDESTRIAN, red_amber_ms=0), "group A: expected no amber and no red-amber for pedestrians, found 3000 and 0 ms"),
        (with_group(kind=GroupKind.PEDESTRIAN, amber_ms=0), "group A: expected no amber and no red-amber for pedestrians, found 0 and 1000 ms"),
        (replace(SPEC, intergreen_ms={("A", "Z"): 1}), "intergreen (A, Z): expected two different groups out of ['A', 'B', 'P']"),
        (replace(SPEC, intergreen_ms={("Z", "A"): 1}), "intergreen (Z, A): expected two different groups out of ['A', 'B', 'P']"),
        (replace(SPEC, head_start_ms={("A", "A"): 1}), "head start (A, A): expected two different groups out of ['A', 'B', 'P']"),
        (replace(SPEC, head_start_ms={("A", "P"): -1}), "head start (A, P): expected a whole number of milliseconds >= 0, found -1"),
        (replace(SPEC, intergreen_ms={("A", "B"): 1.5}), "intergreen (A, B): expected a whole number of milliseconds >= 0, found 1.5"),  # type: ignore[dict-item]
        (
            replace(SPEC, intergreen_ms={("A", "B"): 1}),
            "intergreen (B, A): expected a value, since (A, B) has one; conflicts need both directions",
        ),
        (
            replace(SPEC, head_start_ms={("A", "B"): 1}),
            "head start ('A', 'B'): expected compatible groups, found a conflict with an intergreen; drop one of both",
        ),
    ],
)
def test_wrong_limits_are_refused_before_the_first_frame(spec: SiteSpec, text: str) -> None:
    with pytest.raises(SiteSpecError) as error:
        compile_rules(spec)
    assert str(error.value) == text


def test_zero_is_a_lawful_limit() -> None:
    free = SiteSpec("free", (GroupSpec("A", GroupKind.TRANSIT, 0, 0), GroupSpec("B", GroupKind.BICYCLE, 0, 0)), {("A", "B"): 0, ("B", "A"): 0}, {})
    rules = compile_rules(free)
    assert rules.longest_ms == 0
    before = State(Phase.RUN, (G, R), (NOW, NOW), (NOW, NOW))
    assert judge(rules, before, (R, G), NOW) is None
    assert compile_rules(replace(free, intergreen_ms={})).longest_ms == 0


def test_rules_by_index() -> None:
    rules = compile_rules(SPEC)
    assert rules.foes == (((1, 4000),), ((0, 5000), (2, 8000)), ((1, 4500),))
    assert rules.heads == (((2, 2000),), (), ())
    assert rules.tails == ((), (), ((0, 2000),))
    assert rules.longest_ms == 8000


def test_order_by_kind_and_limits() -> None:
    vehicle, direct, walk = compile_rules(SPEC).order
    assert (vehicle[R], vehicle[U], vehicle[G], vehicle[A]) == ({R, U}, {U, G}, {G, A}, {A, R})
    assert (direct[R], direct[G]) == ({R, G}, {G, A})
    assert (walk[R], walk[G]) == ({R, G}, {G, R})
    assert vehicle[D] == vehicle[F] == set()
