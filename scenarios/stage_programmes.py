"""Fixed-time programmes out of a junction's stages: the letters of every phase, transitions by the junction's own intergreens.

What SUMO runs under ``street`` rules, and what ``webster`` writes: the programme's stage order, new greens, safe transitions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import gcd

from controller.junction import Junction, Node
from controller.transitions import StagePair, TransitionTable, transition_table
from hardware.signals import Aspect
from hardware.sumo_heads import state_letters
from scenarios.programmes import PROGRAMME_ID, TlPhase, TlProgramme

LEAST_GREEN_S = 5.0


def programme_of(junction: Junction, state_length: int, greens_s: Sequence[tuple[int, float]], offset_s: float) -> TlProgramme:
    """Return the programme that shows the stages in order, each for its green time, with the junction's transitions between.

    ``greens_s``: (stage index of the first node, green in seconds). The phase that holds a stage carries the stage's minimum
    green in ``min_s``, so that actuation can be added; phases of transitions carry none.
    """
    node = junction.nodes[0]
    table = transition_table(junction, node)
    phases: list[TlPhase] = []
    for at, (stage, green_s) in enumerate(greens_s):
        phases.append(TlPhase(green_s, _hold(junction, table, stage, state_length), min_s=least_green_s(junction, node, stage)))
        following = greens_s[(at + 1) % len(greens_s)][0]
        phases += _transition(junction, table, stage, following, state_length)
    return TlProgramme(junction.id, PROGRAMME_ID, "static", offset_s, tuple(phases))


def street_programme(junction: Junction, programme: TlProgramme) -> TlProgramme:
    """Return the light's own programme with the junction's transitions: same order, greens rescaled, cycle kept as far as it goes."""
    return programme_of(junction, len(programme.phases[0].state), rescaled(junction, programme.cycle_s), programme.offset_s)


def least_green_s(junction: Junction, node: Node, stage: int) -> float:
    """Return the shortest time that the stage may be held: the longest minimum of its groups, 5 s where it has none."""
    greens = [junction.group_by_id[name].min_green_ms / 1000 for name in node.stages[stage].green]
    return max(greens, default=LEAST_GREEN_S)


def transition_s(junction: Junction, table: TransitionTable, stage: int, following: int) -> float:
    """Return how long the transition lasts, running ambers included."""
    return _length_ms(junction, table.pairs[stage][following]) / 1000


def rescaled(junction: Junction, cycle_s: float) -> list[tuple[int, float]]:
    """Return the programme's steps as (stage, green) with greens rescaled to keep the cycle, as far as minimum greens allow."""
    node = junction.nodes[0]
    index = {stage.id: i for i, stage in enumerate(node.stages)}
    steps = [(index[step.stage], step.green_ms / 1000) for step in node.programmes[0].steps]
    table = transition_table(junction, node)
    lost_s = sum(transition_s(junction, table, stage, steps[(i + 1) % len(steps)][0]) for i, (stage, _) in enumerate(steps))
    least_s = [least_green_s(junction, node, stage) for stage, _ in steps]
    return [(stage, green) for (stage, _), green in zip(steps, _share([green for _, green in steps], least_s, cycle_s - lost_s), strict=True)]


def _share(wanted_s: Sequence[float], least_s: Sequence[float], available_s: float) -> list[float]:
    """Share the available green in proportion to what was wanted; nobody below the least. Whole seconds but for one."""
    fixed: set[int] = set()
    while True:
        free = [i for i in range(len(wanted_s)) if i not in fixed]
        rest_s = available_s - sum(least_s[i] for i in fixed)
        total_s = sum(wanted_s[i] for i in free)
        short = [i for i in free if wanted_s[i] * rest_s / max(total_s, 1e-9) < least_s[i]]
        if not short:
            break
        fixed.update(short)
    shared = [float(least_s[i]) if i in fixed else float(round(wanted_s[i] * rest_s / total_s)) for i in range(len(wanted_s))]
    if free:
        shared[free[0]] += round(available_s - sum(shared), 1)
    return shared


def _hold(junction: Junction, table: TransitionTable, stage: int, length: int) -> str:
    green = table.stages[stage]
    return _letters(junction, {g.id: Aspect.GREEN if g.id in green else Aspect.RED for g in junction.groups}, length)


def _transition(junction: Junction, table: TransitionTable, stage: int, following: int, length: int) -> list[TlPhase]:
    pair = table.pairs[stage][following]
    whole_ms = _length_ms(junction, pair)
    if whole_ms == 0:
        return []
    tick_ms = gcd(whole_ms, *pair.ends_ms.values(), *pair.starts_ms.values(), *(v for g in junction.groups for v in (g.amber_ms, g.red_amber_ms)))
    stays = table.stages[stage] & table.stages[following]
    states = [
        _letters(junction, {g.id: _aspect(junction, pair, g.id, at_ms, stays=g.id in stays) for g in junction.groups}, length)
        for at_ms in range(0, whole_ms, tick_ms)
    ]
    return [TlPhase(len(list(run)) * tick_ms / 1000, state) for state, run in groupby(states)]


def _length_ms(junction: Junction, pair: StagePair) -> int:
    ambers = [end_ms + junction.group_by_id[group].amber_ms for group, end_ms in pair.ends_ms.items()]
    return max([pair.settle_ms, *ambers])


def _aspect(junction: Junction, pair: StagePair, group: str, at_ms: int, *, stays: bool) -> Aspect:
    if stays:
        return Aspect.GREEN
    limits = junction.group_by_id[group]
    if group in pair.ends_ms:
        since_ms = at_ms - pair.ends_ms[group]
        if since_ms < 0:
            return Aspect.GREEN
        return Aspect.AMBER if since_ms < limits.amber_ms else Aspect.RED
    if group in pair.starts_ms:
        until_ms = pair.starts_ms[group] - at_ms
        if until_ms <= 0:
            return Aspect.GREEN
        return Aspect.RED_AMBER if until_ms <= limits.red_amber_ms else Aspect.RED
    return Aspect.RED


def _letters(junction: Junction, aspects: Mapping[str, Aspect], length: int) -> str:
    index = {group.id: i for i, group in enumerate(junction.groups)}
    return state_letters(
        [aspects[group.id] for group in junction.groups],
        [group.links for group in junction.groups],
        ["s" if group.turn_on_red else "r" for group in junction.groups],
        [tuple(index[p.priority] for p in junction.permissions if p.yielding == group.id) for group in junction.groups],
        length,
    )
