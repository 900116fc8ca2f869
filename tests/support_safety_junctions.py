"""Small junctions for the safety tests, by hand and drawn at random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from controller.junction import Group, GroupOffset, Intergreen, Junction, Node, Permission, Stage, Transition
from hardware.signals import GroupKind, GroupSpec, SiteSpec


def junction(groups: tuple[Group, ...], stages: tuple[Stage, ...], intergreens: dict[tuple[str, str], int], **more: Any) -> Junction:
    node = Node("n", tuple(g.id for g in groups), stages, more.get("transitions", ()))
    return Junction(
        id="j",
        groups=groups,
        lanes=(),
        exits=(),
        movements=(),
        permissions=more.get("permissions", ()),
        intergreens=tuple(Intergreen(c, e, ms) for (c, e), ms in intergreens.items()),
        detectors=(),
        nodes=(node,),
    )


def crossing() -> Junction:
    """Two vehicle groups that conflict, one with red-amber, and a pedestrian group beside the first that it leads by 2 s."""
    vehicle = GroupKind.VEHICLE
    groups = (
        Group("A", vehicle, 5000, 3000, red_amber_ms=1000),
        Group("B", vehicle, 5000, 3000),
        Group("P", GroupKind.PEDESTRIAN, 4000, 0),
    )
    gaps = {("A", "B"): 5000, ("B", "A"): 4000, ("B", "P"): 6000, ("P", "B"): 8000}
    stages = (Stage("main", ("A", "P")), Stage("side", ("B",)))
    return junction(groups, stages, gaps, permissions=(Permission("A", "P", 2000),))


def spec_of_four() -> SiteSpec:
    """Four groups, one of each habit, with minimums of 2 to 3 s, for searching every state."""
    vehicle, walk = GroupKind.VEHICLE, GroupKind.PEDESTRIAN
    groups = (GroupSpec("A", vehicle, 3000, 2000, 1000), GroupSpec("B", vehicle, 2000, 2000), GroupSpec("P", walk, 2000, 0), GroupSpec("Q", walk, 2000, 0))
    pairs = {("A", "B"): 3000, ("B", "A"): 2000, ("A", "Q"): 2000, ("Q", "A"): 3000, ("B", "P"): 2000, ("P", "B"): 3000}
    return SiteSpec("four", groups, pairs, {("A", "P"): 1000})


@st.composite
def random_groups(draw: st.DrawFn) -> tuple[Group, ...]:
    groups = []
    for i in range(draw(st.integers(2, 5))):
        kind = draw(st.sampled_from(GroupKind))
        walks = kind is GroupKind.PEDESTRIAN
        groups.append(
            Group(
                id=f"g{i}",
                kind=kind,
                min_green_ms=draw(st.sampled_from((0, 1, 999, 2000, 5000, 5500))),
                amber_ms=0 if walks else draw(st.sampled_from((0, 2000, 3000, 3100))),
                red_amber_ms=0 if walks else draw(st.sampled_from((0, 0, 1000, 1500))),
            )
        )
    return tuple(groups)


@st.composite
def random_junction(draw: st.DrawFn) -> Junction:
    """A junction that a careful engineer could have written: complete intergreens, stages without conflicts, head starts without circles."""
    groups = draw(random_groups())
    ids = [g.id for g in groups]
    gap = st.sampled_from((0, 100, 2000, 3000, 4500, 8000))
    gaps: dict[tuple[str, str], int] = {}
    permissions = []
    for i, one in enumerate(ids):
        for other in ids[i + 1 :]:
            relation = draw(st.sampled_from(("conflict", "compatible", "permitted")))
            if relation == "conflict":
                gaps[one, other], gaps[other, one] = draw(gap), draw(gap)
            elif relation == "permitted":
                permissions.append(Permission(one, other, draw(st.sampled_from((0, 500, 1000, 3000)))))
    stages = []
    for s in range(draw(st.integers(1, 4))):
        green: list[str] = []
        for g in draw(st.permutations(ids)):
            if all((g, h) not in gaps for h in green) and draw(st.booleans()):
                green.append(g)
        stages.append(Stage(f"s{s}", tuple(green)))
    return junction(groups, tuple(stages), gaps, permissions=tuple(permissions), transitions=draw(random_transitions(tuple(stages))))


@st.composite
def random_transitions(draw: st.DrawFn, stages: tuple[Stage, ...]) -> tuple[Transition, ...]:
    """Engineer's transitions for some pairs; one is forbidden only where a detour over another stage stays open."""
    offset = st.sampled_from((0, 700, 2000, 6000))
    result = []
    for a, old in enumerate(stages):
        for b, new in enumerate(stages):
            if a == b or draw(st.integers(0, 2)):
                continue
            ends = tuple(GroupOffset(g, draw(offset)) for g in old.green if g not in new.green and draw(st.booleans()))
            starts = tuple(GroupOffset(g, draw(offset)) for g in new.green if g not in old.green and draw(st.booleans()))
            detour = len(stages) > 2 and b == (a + 2) % len(stages)
            result.append(Transition(old.id, new.id, ends, starts, allowed=not (detour and draw(st.booleans()))))
    return tuple(result)
