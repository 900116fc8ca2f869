"""One junction's part in the coordination: what it expects from its neighbours' messages, and what it tells them.

The neighbours' predictions give the arrivals their shape in time, the loops' mean flow gives them their level: of what comes towards
an approach, each lane gets its share of the flow measured there, and what the neighbours do not account for stays an even flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controller.decide import NodeControl
from controller.junction import Junction
from controller.neighbours import Lanes, Mail, Message, NeighbourPort, Stored, Stream, sure_milli
from controller.planner import Predicted
from controller.snapshot import Coming, LaneBelief

SPACING_M: Final = 7.5  # of queued vehicles
LEAST_FLOW_VEH_H: Final = 10
LEAST_MILLI: Final = 20


@dataclass(frozen=True, slots=True)
class _Way:
    """Where one movement of a lane leads on: the stream (by number) and how long crossing the junction takes."""

    movement: int
    stream: int
    crossing_ms: int


class Coordination:
    """Receives, expects and tells."""

    def __init__(self, junction: Junction, port: NeighbourPort) -> None:
        self._junction_id, self._port, self._mail = junction.id, port, Mail()
        self._speed_m_s = {x.id: x.speed_m_s for x in junction.lanes}
        onward = {x.id: x.onward for x in junction.exits}
        keys: dict[tuple[str, Lanes, int], int] = {}
        self._ways: dict[str, list[_Way]] = {x.id: [] for x in junction.lanes}
        self._exits_of: dict[tuple[str, Lanes], dict[str, float]] = {}
        storage = {x.id: (x.storage_m, x.speed_m_s) for x in junction.exits}
        for lane in junction.lanes:
            for at, move in enumerate(m for m in junction.movements if m.lane == lane.id):
                for way in onward.get(move.exit, ()):
                    key = way.junction, way.lanes, round(way.way_m)
                    stream = keys.setdefault(key, len(keys))
                    storage_m, speed_m_s = storage[move.exit]
                    self._exits_of.setdefault((way.junction, way.lanes), {})[move.exit] = storage_m
                    self._ways[lane.id].append(_Way(at, stream, int(1000 * move.crossing_m / speed_m_s)))
        self._streams = tuple(keys)
        self._fed: dict[str, dict[Lanes, int]] = {}  # by sender: our lanes that it feeds

    def receive(self, now_ms: int) -> Sequence[Message]:
        """Take what has arrived, and return it."""
        messages = self._port.receive(now_ms)
        self._mail.take(messages)
        for message in messages:
            if message.streams:
                self._fed[message.sender] = {s.lanes: 0 for s in message.streams if all(x in self._ways for x in s.lanes)}
        return messages

    def coming(self, lanes: Mapping[str, LaneBelief], now_ms: int) -> dict[str, Coming]:
        """Return who comes to which lane from beyond its farthest loop, for the lanes that valid messages tell of."""
        by_lanes: dict[Lanes, list[tuple[int, Stream, int]]] = {}
        for message in self._mail.valid(now_ms):
            for stream in message.streams:
                if all(x in lanes for x in stream.lanes):
                    way_ms = int(1000 * stream.way_m / self._speed_m_s[stream.lanes[0]])
                    by_lanes.setdefault(stream.lanes, []).append((message.made_ms, stream, way_ms))
        found: dict[str, Coming] = {}
        for names, streams in by_lanes.items():
            told_veh_h = sum(s.flow_veh_h for _, s, _ in streams)
            seen_veh_h = 3600 * sum(lanes[x].flow_veh_s for x in names)
            if told_veh_h < LEAST_FLOW_VEH_H or seen_veh_h < LEAST_FLOW_VEH_H:
                continue
            packets = sorted(packet for made_ms, s, way_ms in streams for packet in _arrivals(s, made_ms, way_ms))
            told_ms = min(made_ms + way_ms for made_ms, _, way_ms in streams)
            for name in names:
                belief = lanes[name]
                ratio = 3600 * belief.flow_veh_s / max(told_veh_h, seen_veh_h)
                first_ms = now_ms + belief.known_ms
                mine = [(t, milli) for t, w in packets if t > first_ms and (milli := int(w * ratio)) >= LEAST_MILLI]
                rest = max(0.0, 1.0 - told_veh_h / seen_veh_h)
                found[name] = Coming(tuple([t for t, _ in mine]), tuple([w for _, w in mine]), rest, told_ms)
        return found

    def exit_room_veh(self, now_ms: int) -> dict[str, int]:
        """Return, per exit that a valid message tells of, how many vehicles the street behind it still takes."""
        found: dict[str, int] = {}
        for message in self._mail.valid(now_ms):
            for stored in message.stored:
                exits = self._exits_of.get((message.sender, stored.lanes), {})
                room = 0 if stored.full else max(int(sum(exits.values()) / SPACING_M) - stored.vehicles, 0)
                found.update((name, min(found.get(name, room), room)) for name in exits)
        return found

    def told(self, lanes: Mapping[str, LaneBelief], now_ms: int) -> tuple[dict[str, Coming], dict[str, int]]:
        """Return what valid messages tell: who comes (`coming`), and how much room there is (`exit_room_veh`)."""
        return self.coming(lanes, now_ms), self.exit_room_veh(now_ms)

    def tell(self, now_ms: int, lanes: Mapping[str, LaneBelief], nodes: Sequence[NodeControl]) -> None:
        """Send the neighbours what they should know of the plans just made and of the lanes that they feed."""
        if not self._streams and not self._fed:
            return
        predicted = [lane for node in nodes for lane in node.predicted()] if self._streams else []
        packets: list[list[tuple[int, int]]] = [[] for _ in self._streams]
        flows = [0.0] * len(self._streams)
        for name, ways in self._ways.items():
            belief = lanes[name]
            for way in ways:
                flows[way.stream] += 3600 * belief.flow_veh_s * belief.movement_ratio[way.movement]
        for lane in predicted:
            self._lead_on(lane, lanes[lane.lane], packets)
        letters: dict[str, tuple[list[Stream], list[Stored]]] = {}
        if predicted:
            for (receiver, names, way_m), flow, mine in zip(self._streams, flows, packets, strict=True):
                mine.sort()
                stream = Stream(names, way_m, round(flow), tuple([t for t, _ in mine]), tuple([w for _, w in mine]))
                letters.setdefault(receiver, ([], []))[0].append(stream)
        for sender, fed in self._fed.items():
            for names in fed:
                vehicles = round(sum(sum(lanes[x].weight) for x in names))
                letters.setdefault(sender, ([], []))[1].append(Stored(names, vehicles, all(lanes[x].full for x in names)))
        for receiver, (streams, stored) in letters.items():
            self._port.send(receiver, Message(self._junction_id, now_ms, tuple(streams), tuple(stored)))

    def _lead_on(self, lane: Predicted, belief: LaneBelief, packets: list[list[tuple[int, int]]]) -> None:
        """Share out one lane's departures among the streams, by the ways that are green."""
        if not self._ways[lane.lane]:
            return
        known: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
        for at_ms, served in zip(lane.at_ms, lane.served, strict=True):
            shares = known.get(served)
            if shares is None:
                shares = known[served] = self._shares(lane.lane, belief, served)
            for stream, crossing_ms, milli in shares:
                packets[stream].append((at_ms + crossing_ms, milli))

    def _shares(self, lane: str, belief: LaneBelief, served: tuple[int, ...]) -> list[tuple[int, int, int]]:
        """Return, of one vehicle that leaves the lane by one of the movements served, how much goes to which stream, and its crossing time."""
        total = sum(belief.movement_ratio[x] for x in served)
        if total <= 0.0:
            return []
        ways = ((w, int(1000 * belief.movement_ratio[w.movement] / total)) for w in self._ways[lane] if w.movement in served)
        return [(w.stream, w.crossing_ms, milli) for w, milli in ways if milli >= LEAST_MILLI]


def _arrivals(stream: Stream, made_ms: int, way_ms: int) -> Iterator[tuple[int, int]]:
    """Yield when the vehicles of a stream arrive, and how likely each is to come, told of at ``made_ms``."""
    for exit_ms, milli in zip(stream.exit_ms, stream.weight_milli, strict=True):
        yield exit_ms + way_ms, milli * sure_milli(exit_ms - made_ms) // 1000
