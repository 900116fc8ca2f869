"""Which way the vehicles of a shared lane really go, beside what is believed of it.

Ways that the control need not tell apart count as one: those of one group that all yield or all do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.junction import Junction


class MovementTruth:
    """The true ways at one light."""

    def __init__(self, junction: Junction) -> None:
        self._kinds: dict[str, list[tuple[str, bool]]] = {x.id: [] for x in junction.lanes}  # by movement of the lane: its group, and whether it ever yields
        self._kind_of: dict[tuple[str, str], tuple[str, bool]] = {}
        for m in junction.movements:
            kind = (m.group, bool(junction.gives_way_to(m)))
            self._kinds[m.lane].append(kind)
            self._kind_of[m.lane, m.exit] = kind
        self._seen: dict[str, dict[str, tuple[str, bool]]] = {x.id: {} for x in junction.lanes}  # by lane and vehicle

    def shared(self, lane: str) -> bool:
        """Return whether the lane's vehicles take ways that have to be told apart."""
        return len(set(self._kinds[lane])) > 1

    def never_yields(self, lane: str) -> bool:
        """Return whether no vehicle of the lane ever has to wait for a gap."""
        return not any(yields for _, yields in self._kinds[lane])

    def see(self, name: str, lane: str, exit_lane: str) -> None:
        """Take a vehicle that is about to take this way."""
        if (lane, exit_lane) in self._kind_of:
            self._seen[lane][name] = self._kind_of[lane, exit_lane]

    def believed(self, ratio: Sequence[float], lane: str, exit_lane: str) -> float:
        """Return how likely this way, or one like it, is believed to be; ``ratio`` by movement of the lane."""
        kind = self._kind_of.get((lane, exit_lane))
        return sum(r for r, k in zip(ratio, self._kinds[lane], strict=True) if k == kind)

    def shares(self, lane: str, ratio: Sequence[float]) -> Iterator[tuple[float, float, int]]:
        """Yield for each way of a shared lane its believed and its true share, and how many vehicles took it."""
        seen = list(self._seen[lane].values())
        for kind in dict.fromkeys(self._kinds[lane]) if self.shared(lane) and seen else ():
            believed = sum(r for r, k in zip(ratio, self._kinds[lane], strict=True) if k == kind)
            yield believed, seen.count(kind) / len(seen), seen.count(kind)
