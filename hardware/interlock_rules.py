"""The interlock's rules as pure functions: given what is shown and what is asked, what may be shown.

Theory of operation. A `State` holds per group the aspect shown, since when, and when its last green ended. `decide`
takes a requested aspect tuple and answers with the aspects that may be shown; a refused request is answered with the
*ramp*, the safe way down to red. Nothing here keeps a clock or a device, so that every state can be searched.

    START     nothing may turn green; asks for red are answered with the ramp. Becomes RUN when every group has been
              red for the longest intergreen. Also the phase while the signals are dark or flashing.
    RUN       a request is judged; if lawful it is shown unchanged, else the phase becomes LATCHED.
    LATCHED   the ramp, whatever is asked; only `resumed` leads back, to START.

Times are integer milliseconds of one monotonic clock.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from hardware.interlock_limits import AMBER, DARK, FLASHING, GOING, GREEN, OFF, RED, RED_AMBER, Rules
from hardware.signals import Aspect, GroupKind, GroupSpec

LONG_FACTOR: Final = 2  # an amber or red-amber that is asked for after this many times its length is a wrong aspect, not a late tick


class Rule(StrEnum):
    """Why a frame or command was refused."""

    FRAME = "frame"
    STALE = "stale frame"
    CLOCK = "clock"
    ORDER = "aspect order"
    CONFLICT = "conflict"
    INTERGREEN = "intergreen"
    PEDESTRIAN_CLEARANCE = "pedestrian clearance"
    MINIMUM_GREEN = "minimum green"
    AMBER = "amber"
    RED_AMBER = "red-amber"
    HEAD_START = "head start"
    START = "start"
    LATCHED = "latched"
    OFF = "switch-off"
    READ_BACK = "read-back"
    MODE = "device mode"
    RESUME = "resume"
    SPLIT = "split"
    HOLD = "hold"
    OMIT = "omit"


class Phase(StrEnum):
    """Where the interlock stands (see the module's theory of operation)."""

    START = "start"
    RUN = "run"
    LATCHED = "latched"


class Refusal(NamedTuple):
    """One refused request."""

    rule: Rule
    group: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Return rule, group, expected and found in one line."""
        return f"{self.rule}: group {self.group}: expected {self.expected}, found {self.found}"


class State(NamedTuple):
    """All that the rules remember; per group, in the order of the site."""

    phase: Phase
    aspects: tuple[Aspect, ...]
    since_ms: tuple[int, ...]  # when the present aspect began
    ended_ms: tuple[int, ...]  # when the last green ended


class Decision(NamedTuple):
    """What to show, and why the request was refused where it was."""

    aspects: tuple[Aspect, ...]
    phase: Phase
    refusal: Refusal | None


def attached(rules: Rules, seen: tuple[Aspect, ...] | None, now_ms: int, phase: Phase = Phase.START) -> State:
    """Return the state at start, restart or attach; whatever is not certainly at rest counts as green that may end at once."""
    if seen is None or len(seen) != len(rules.groups) or not all(isinstance(a, Aspect) for a in seen):
        seen = (GREEN,) * len(rules.groups)
    seen = tuple(seen)
    if OFF.issuperset(seen):
        seen = tuple(a if g.amber_ms else DARK for a, g in zip(seen, rules.groups, strict=True))
    else:
        seen = tuple(GREEN if a in OFF else a for a in seen)
    since = tuple(now_ms - g.min_green_ms if a is GREEN else now_ms for a, g in zip(seen, rules.groups, strict=True))
    return State(phase, seen, since, (now_ms,) * len(seen))


def doubtful(rules: Rules, state: State, decision: Decision, now_ms: int) -> State:
    """Return the state while a device has not yet confirmed: of old and new, each group may show the more dangerous aspect.

    A green that may or may not have begun may end at once, for holding it might be what begins it.
    """
    aspects = decision.aspects
    if not is_off(state.aspects) and not is_off(aspects):
        rank = (RED, RED_AMBER, AMBER, GREEN)
        aspects = tuple(max(pair, key=rank.index) for pair in zip(state.aspects, aspects, strict=True))
    begun = tuple(now_ms - g.min_green_ms if a is GREEN else now_ms for a, g in zip(aspects, rules.groups, strict=True))
    since = tuple(s if a is old else new for a, old, s, new in zip(aspects, state.aspects, state.since_ms, begun, strict=True))
    phase = Phase.LATCHED if decision.phase is Phase.LATCHED else Phase.START
    return State(phase, aspects, since, (now_ms,) * len(aspects))


def shown(state: State, decision: Decision, now_ms: int) -> State:
    """Return the state after the decided aspects were shown at ``now_ms``."""
    pairs = tuple(zip(state.aspects, decision.aspects, strict=True))
    since = tuple(s if old is new else now_ms for s, (old, new) in zip(state.since_ms, pairs, strict=True))
    ended = tuple(now_ms if old is GREEN and new is not GREEN else e for e, (old, new) in zip(state.ended_ms, pairs, strict=True))
    phase = Phase.START if decision.phase is Phase.RUN and is_off(decision.aspects) else decision.phase
    return State(phase, decision.aspects, since, ended)


def is_off(aspects: tuple[Aspect, ...]) -> bool:
    """Tell whether the signals are dark or flashing, which all groups are or none."""
    return aspects[0] in OFF


def all_red_ms(state: State) -> int | None:
    """Return since when every group is red, or None."""
    return max(state.since_ms) if all(a is RED for a in state.aspects) else None


def ready(rules: Rules, state: State, now_ms: int) -> bool:
    """Tell whether every group has been red for the longest intergreen, so that signals may start or be switched off."""
    red_ms = all_red_ms(state)
    return red_ms is not None and now_ms - red_ms >= rules.longest_ms


def ramp(rules: Rules, state: State, now_ms: int) -> tuple[Aspect, ...]:
    """Return the next aspects on the safe way to red: minimum greens and ambers are finished, nothing starts."""
    return tuple(_towards_red(g, a, now_ms - s) for g, a, s in zip(rules.groups, state.aspects, state.since_ms, strict=True))


def _towards_red(group: GroupSpec, aspect: Aspect, age_ms: int) -> Aspect:
    if aspect is GREEN and age_ms < group.min_green_ms:
        return GREEN
    if aspect is AMBER and age_ms < group.amber_ms:
        return AMBER
    if aspect in (GREEN, DARK, FLASHING) and group.amber_ms:
        return AMBER
    return RED


def decide(rules: Rules, state: State, asked: tuple[Aspect, ...] | Refusal, now_ms: int) -> Decision:
    """Return what may be shown for ``asked``, which is a refusal already where the frame itself is at fault."""
    if isinstance(asked, Refusal):
        return _refused(rules, state, asked, now_ms)
    phase = Phase.RUN if state.phase is Phase.START and ready(rules, state, now_ms) else state.phase
    refusal = _judge_phase(rules, state, asked, now_ms, phase)
    if refusal is not None:
        return _refused(rules, state, refusal, now_ms)
    if phase is not Phase.RUN and not is_off(asked):
        return Decision(ramp(rules, state, now_ms), phase, None)
    return Decision(asked, phase, None)


def _refused(rules: Rules, state: State, refusal: Refusal, now_ms: int) -> Decision:
    """Return the safe way to red, latched; dark and flashing signals stay as they are."""
    return Decision(state.aspects if is_off(state.aspects) else ramp(rules, state, now_ms), Phase.LATCHED, refusal)


def _judge_phase(rules: Rules, state: State, asked: tuple[Aspect, ...], now_ms: int, phase: Phase) -> Refusal | None:
    if not OFF.isdisjoint(asked):
        return _judge_off(rules, state, asked, now_ms)
    if phase is Phase.RUN:
        return judge(rules, state, asked, now_ms)
    for group, aspect in zip(rules.groups, asked, strict=True):
        if aspect is not RED:
            rule = Rule.LATCHED if phase is Phase.LATCHED else Rule.START
            mend = "after a refusal, until resumed" if phase is Phase.LATCHED else f"until all have been red for {rules.longest_ms} ms"
            return Refusal(rule, group.id, f"RED {mend}", aspect.name)
    return None


def _judge_off(rules: Rules, state: State, asked: tuple[Aspect, ...], now_ms: int) -> Refusal | None:
    """Judge a request to be dark or to flash: all groups together, out of a cleared all-red."""
    for group, aspect in zip(rules.groups, asked, strict=True):
        if aspect not in OFF:
            return Refusal(Rule.OFF, group.id, "all groups dark or flashing together", aspect.name)
        if aspect is FLASHING and not group.amber_ms:
            return Refusal(Rule.ORDER, group.id, "DARK, for it has no amber", aspect.name)
    if is_off(state.aspects):
        return None
    for group, aspect, since in zip(rules.groups, state.aspects, state.since_ms, strict=True):
        if aspect is not RED or now_ms - since < rules.longest_ms:
            return Refusal(Rule.OFF, group.id, f"RED for {rules.longest_ms} ms before dark or flashing", f"{aspect.name} for {now_ms - since} ms")
    return None


def judge(rules: Rules, state: State, asked: tuple[Aspect, ...], now_ms: int) -> Refusal | None:
    """Return the first rule that ``asked`` breaks in the phase RUN, or None."""
    for i, (old, new) in enumerate(zip(state.aspects, asked, strict=True)):
        refusal = _judge_order(rules, state, i, old, new, now_ms)
        if refusal is not None:
            return refusal
    if asked == state.aspects:
        return None
    for i, new in enumerate(asked):
        if new in GOING:
            refusal = _judge_going(rules, state, asked, i, now_ms)
            if refusal is not None:
                return refusal
    return None


def _judge_order(rules: Rules, state: State, i: int, old: Aspect, new: Aspect, now_ms: int) -> Refusal | None:
    """Judge one group by itself: what may follow what, and how long each must and may last."""
    group, age_ms = rules.groups[i], now_ms - state.since_ms[i]
    if new not in rules.order[i][old]:
        expected = " or ".join(sorted(a.name for a in rules.order[i][old]))
        return Refusal(Rule.ORDER, group.id, f"{expected} after {old.name} for a {group.kind} group", new.name)
    if old is GREEN and new is not GREEN and age_ms < group.min_green_ms:
        return Refusal(Rule.MINIMUM_GREEN, group.id, f"GREEN for at least {group.min_green_ms} ms", f"{age_ms} ms")
    if old is AMBER:
        return _judge_length(Rule.AMBER, group.id, group.amber_ms, age_ms, stays=new is AMBER)
    if old is RED_AMBER:
        return _judge_length(Rule.RED_AMBER, group.id, group.red_amber_ms, age_ms, stays=new is RED_AMBER)
    return None


def _judge_length(rule: Rule, group: str, length_ms: int, age_ms: int, *, stays: bool) -> Refusal | None:
    if not stays and age_ms < length_ms:
        return Refusal(rule, group, f"at least {length_ms} ms", f"{age_ms} ms")
    if stays and age_ms >= LONG_FACTOR * length_ms:
        return Refusal(rule, group, f"less than {LONG_FACTOR * length_ms} ms", f"{age_ms} ms and no end")
    return None


def _judge_going(rules: Rules, state: State, asked: tuple[Aspect, ...], i: int, now_ms: int) -> Refusal | None:
    """Judge a group that is green or about to be against all others."""
    group = rules.groups[i]
    starts = asked[i] is GREEN and state.aspects[i] is not GREEN
    for j, intergreen_ms in rules.foes[i]:
        foe = rules.groups[j]
        if asked[j] in GOING:
            return Refusal(Rule.CONFLICT, group.id, f"neither GREEN nor RED_AMBER beside {foe.id}, which shows {asked[j].name}", asked[i].name)
        if not starts:
            continue
        if asked[j] is AMBER:
            return Refusal(Rule.INTERGREEN, group.id, f"GREEN only when the amber of {foe.id} has ended", "AMBER")
        gap_ms = 0 if state.aspects[j] is GREEN else now_ms - state.ended_ms[j]
        if gap_ms < intergreen_ms:
            rule = Rule.PEDESTRIAN_CLEARANCE if foe.kind is GroupKind.PEDESTRIAN else Rule.INTERGREEN
            return Refusal(rule, group.id, f"GREEN at least {intergreen_ms} ms after the end of green of {foe.id}", f"{gap_ms} ms")
    return _judge_heads(rules, state, asked, i, now_ms) if starts else None


def _judge_heads(rules: Rules, state: State, asked: tuple[Aspect, ...], i: int, now_ms: int) -> Refusal | None:
    """Judge the start of a green against the groups it yields to and those that yield to it."""
    for others, text in ((rules.heads[i], "after the green of {}, to which it yields,"), (rules.tails[i], "after the green of {}, which yields to it,")):
        for j, head_ms in others:
            if asked[j] is not GREEN:
                continue
            age_ms = now_ms - state.since_ms[j] if state.aspects[j] is GREEN else 0
            if age_ms < head_ms:
                return Refusal(Rule.HEAD_START, rules.groups[i].id, f"GREEN at least {head_ms} ms {text.format(rules.groups[j].id)} began", f"{age_ms} ms")
    return None


def resumed(rules: Rules, state: State, now_ms: int) -> State | Refusal:
    """Return the state after a deliberate reset, from which the longest intergreen runs anew; refused while any group is not red."""
    if state.phase is not Phase.LATCHED:
        return Refusal(Rule.RESUME, "-", "phase latched", f"phase {state.phase}")
    for group, aspect in zip(rules.groups, state.aspects, strict=True):
        if aspect is not RED and aspect not in OFF:
            return Refusal(Rule.RESUME, group.id, "RED, or dark and flashing signals, before control resumes", aspect.name)
    now = (now_ms,) * len(rules.groups)
    return State(Phase.START, state.aspects, now, now)
