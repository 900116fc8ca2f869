"""Every state that the interlock and its oracle can reach, with every request in every one of them: no output is unsafe.

Four groups: two vehicle groups that conflict and, beside each, a pedestrian group that conflicts with the other vehicle group. One-second
ticks. Ages beyond every limit are the same age, and the junction is its own mirror image, so mirrored states are one.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import NamedTuple

import pytest
from support_safety_oracle import Memory, Oracle

from hardware.interlock_limits import Rules, compile_rules
from hardware.interlock_rules import Decision, Phase, Refusal, State, attached, decide, resumed, shown
from hardware.signals import Aspect, GroupKind, GroupSpec, SiteSpec

TICK_MS = 1000
GAP_MS = 3000  # the longest intergreen
LIMIT_MS = {Aspect.DARK: 0, Aspect.RED: GAP_MS, Aspect.RED_AMBER: 2000, Aspect.GREEN: 3000, Aspect.AMBER: 4000, Aspect.FLASHING_AMBER: 0}
ASPECTS = {"u": Aspect.RED_AMBER, "G": Aspect.GREEN, "a": Aspect.AMBER}
MIRROR = (1, 0, 3, 2)


def mirrored_site() -> SiteSpec:
    """A and B are the streets, P walks beside A and leads it by 1 s, Q beside B."""
    vehicle, walk = GroupKind.VEHICLE, GroupKind.PEDESTRIAN
    groups = (
        GroupSpec("A", vehicle, 3000, 2000, 1000),
        GroupSpec("B", vehicle, 3000, 2000, 1000),
        GroupSpec("P", walk, 2000, 0),
        GroupSpec("Q", walk, 2000, 0),
    )
    pairs = {("A", "B"): 3000, ("B", "A"): 3000, ("A", "Q"): 2000, ("Q", "A"): 3000, ("B", "P"): 2000, ("P", "B"): 3000}
    return SiteSpec("mirror", groups, pairs, {("A", "P"): 1000, ("B", "Q"): 1000})


class Node(NamedTuple):
    """One state of interlock and oracle together, with the present as time 0 and ages capped."""

    state: State
    memory: Memory

    def key(self) -> tuple[object, ...]:
        s, m = self.state, self.memory
        tail = (s.phase, m.red_since, m.armed, m.latched)
        here = tuple(zip(s.aspects, s.since_ms, s.ended_ms, m.letters, m.began, m.ended, strict=True))
        excused = tuple(str(i) in m.excused for i in range(4))
        there = tuple(here[i] for i in MIRROR)
        return min((here, excused), (there, tuple(excused[i] for i in MIRROR)), key=repr), tail


def aged(state: State, memory: Memory) -> Node:
    """Return both one tick later, the present as time 0 again, without what can make no difference any more.

    The age of a red is asked for only while all are red, and then the youngest counts; an age beyond its longest limit is that limit.
    """
    all_red = set(memory.letters) == {"r"} and set(state.aspects) == {Aspect.RED}
    youngest_ms = max(state.since_ms) if all_red else -LIMIT_MS[Aspect.RED]
    since = tuple(back(youngest_ms if a is Aspect.RED else s, LIMIT_MS[a]) for a, s in zip(state.aspects, state.since_ms, strict=True))
    ended = tuple(back(e, GAP_MS) for e in state.ended_ms)
    began = tuple(back(b, LIMIT_MS[ASPECTS[letter]]) if letter in "Gua" else 0 for letter, b in zip(memory.letters, memory.began, strict=True))
    gone = tuple(None if e is None or back(e, GAP_MS) == -GAP_MS else back(e, GAP_MS) for e in memory.ended)
    red_since = None if memory.red_since is None else back(memory.red_since, GAP_MS)
    return Node(State(state.phase, state.aspects, since, ended), replace(memory, began=began, ended=gone, red_since=red_since))


def back(at_ms: int, limit_ms: int) -> int:
    """Return a time as it looks one tick later, not further back than its limit."""
    return max(at_ms - TICK_MS, -limit_ms)


def starts(rules: Rules, oracle: Oracle) -> list[Node]:
    """Return every state after attaching to heads that show anything whatever, or that cannot be read."""
    unread = Node(attached(rules, None, 0), oracle.begin(0))
    return [unread, *(Node(attached(rules, seen, 0), oracle.begin(0, seen)) for seen in itertools.product(Aspect, repeat=4))]


def follow(rules: Rules, oracle: Oracle, node: Node, requests: list[tuple[Aspect, ...]]) -> list[Node]:
    """Return all states one tick after ``node``, over every request; fails on the first unsafe output."""
    outcomes = {(d.aspects, d.phase, d.refusal is not None) for d in (decide(rules, node.state, asked, 0) for asked in requests)}
    result = []
    for aspects, phase, refused in outcomes:
        memory = oracle.refused(node.memory) if refused else node.memory
        faults, memory = oracle.watch(memory, aspects, 0)
        assert not faults, f"{faults} from {node}"
        result.append(aged(shown(node.state, Decision(aspects, phase, None), 0), memory))
    state = resumed(rules, node.state, 0)
    if not isinstance(state, Refusal):
        result.append(Node(state, oracle.resumed(node.memory, 0)))
    return result


def search(rules: Rules, oracle: Oracle, first: list[Node], aspects: tuple[Aspect, ...]) -> list[Node]:
    """Return every reachable state; fails on the first unsafe output."""
    requests = list(itertools.product(aspects, repeat=4))
    known = {node.key(): node for node in first}
    todo = list(known.values())
    while todo:
        todo += [new for new in follow(rules, oracle, todo.pop(), requests) if known.setdefault(new.key(), new) is new]
    return list(known.values())


def test_no_sequence_of_requests_makes_an_unsafe_output(capsys: pytest.CaptureFixture[str]) -> None:
    spec = mirrored_site()
    rules, oracle = compile_rules(spec), Oracle(spec)
    nodes = search(rules, oracle, [aged(*node) for node in starts(rules, oracle)], tuple(Aspect))
    green = sum(Aspect.GREEN in n.state.aspects and n.state.phase is Phase.RUN for n in nodes)
    with capsys.disabled():
        print(f"\nreachable states: {len(nodes)}, of them {green} with a green under control; requests tried in each: {len(Aspect) ** 4}, and a reset")
    assert green > 300


def weakened(spec: SiteSpec, weakness: str) -> SiteSpec:
    """Return limits one second short in one respect, as a broken rule would apply them."""
    if weakness in ("min_green_ms", "amber_ms", "red_amber_ms"):
        groups = tuple(replace(g, **{weakness: max(0, getattr(g, weakness) - 1000)}) if getattr(g, weakness) > 0 else g for g in spec.groups)
        return replace(spec, groups=groups)
    if weakness == "conflict":
        return replace(spec, intergreen_ms={p: ms for p, ms in spec.intergreen_ms.items() if set(p) != {"A", "Q"}})
    pairs = getattr(spec, weakness)
    return replace(spec, **{weakness: {p: ms - 1000 for p, ms in pairs.items()}})


@pytest.mark.parametrize("weakness", ["min_green_ms", "amber_ms", "red_amber_ms", "intergreen_ms", "head_start_ms", "conflict"])
def test_the_search_finds_a_rule_that_is_one_second_short(weakness: str) -> None:
    spec = mirrored_site()
    rules = compile_rules(weakened(spec, weakness))
    red = (Aspect.RED,) * 4
    oracle = Oracle(spec)
    first = [aged(attached(rules, red, 0), oracle.begin(0, red))]
    with pytest.raises(AssertionError, match="from Node"):
        search(rules, oracle, first, (Aspect.RED, Aspect.GREEN, Aspect.RED_AMBER, Aspect.AMBER))
