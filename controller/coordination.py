"""One junction's part in the coordination: what it expects from its neighbours' messages, and what it tells them.

The neighbours' predictions give the arrivals their shape in time, the loops' mean flow gives them their level: of what comes towards
an approach, each lane gets its share of the flow measured there, and what the neighbours do not account for stays an even flow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from controller.estimate import NEAR_M
from controller.junction import Junction
from controller.neighbours import TELL_MS, VALID_MS, Lanes, Mail, Message, NeighbourPort, Stored, Stream, sure_milli
from controller.planner import Predicted
from controller.snapshot import Coming, LaneBelief, Snapshot

SPACING_M: Final = 7.5  # of queued vehicles
FORESEEN_MS: Final = 30_000  # a forced stage is none that was looked ahead for, and lasts less
LEAST_FLOW_VEH_H: Final = 10
LEAST_MILLI: Final = 20
_NEVER_MS: Final = -(1 << 40)


class Predicting(Protocol):
    """A node whose plan tells who leaves when."""

    def predicted(self) -> Sequence[Predicted]:
        """Return the departures by lane."""
        ...


class _Way(NamedTuple):
    """Where one movement of a lane leads on: its group, the stream (by number) and how long crossing the junction takes."""

    movement: int
    group: str
    stream: int
    crossing_ms: int
    exit: str


class Told(NamedTuple):
    """What the neighbours' messages say at this moment, as in `Snapshot`: ``coming`` by lane, ``room_veh`` by exit, and the exits that are ``shut``."""

    coming: Mapping[str, Coming] = {}
    room_veh: Mapping[str, int] = {}
    shut: frozenset[str] = frozenset()


class Coordination:
    """Receives, expects and tells."""

    def __init__(self, junction: Junction, port: NeighbourPort) -> None:
        self._junction_id, self._port, self._mail = junction.id, port, Mail()
        self._speed_m_s = {x.id: x.speed_m_s for x in junction.lanes}
        self._exits_of: dict[tuple[str, Lanes], dict[str, float]] = {}  # by neighbour and its lanes: our exits that lead there, and their storage
        self._near_exits: set[str] = set()  # those that end some metres on, at a neighbour's stop line
        self._ways: dict[str, list[_Way]] = {x.id: [] for x in junction.lanes}
        self._groups = {x.id: [m.group for m in junction.movements if m.lane == x.id] for x in junction.lanes}
        self._way_ms: list[int] = []  # by stream
        self._streams = tuple(self._find_ways(junction))
        self._left: list[list[tuple[int, int]]] = [[] for _ in self._streams]  # by stream: who is on the way, as packets
        self._last_leave_ms: dict[str, int] = {}
        self._fed: dict[str, tuple[Lanes, ...]] = {}  # by sender: our lanes that it feeds
        self._near_fed: frozenset[Lanes] = frozenset()  # those of them that are but some metres long
        self._shut: frozenset[Lanes] = frozenset()  # and of these, the ones told to be so
        self._foreseen_ms = _NEVER_MS  # when a plan last told who leaves
        self._told = Told()
        self._fresh_to_ms = _NEVER_MS  # what was made of the messages holds until then
        self._tell_ms = _NEVER_MS

    def _find_ways(self, junction: Junction) -> dict[tuple[str, Lanes, int], int]:
        """Fill the ways and exits, and return the streams: neighbour, its lanes, and the way to them, with their numbers."""
        exits, streams = {x.id: x for x in junction.exits}, dict[tuple[str, Lanes, int], int]()
        for lane in junction.lanes:
            for at, move in enumerate(m for m in junction.movements if m.lane == lane.id):
                out = exits[move.exit]
                for way in out.onward:
                    stream = streams.setdefault((way.junction, way.lanes, round(way.way_m)), len(streams))
                    if stream == len(self._way_ms):
                        self._way_ms.append(int(1000 * way.way_m / out.speed_m_s))
                    self._exits_of.setdefault((way.junction, way.lanes), {})[out.id] = out.storage_m
                    if way.way_m <= NEAR_M:
                        self._near_exits.add(out.id)
                    self._ways[lane.id].append(_Way(at, move.group, stream, int(1000 * move.crossing_m / out.speed_m_s), out.id))
        return streams

    def receive(self, now_ms: int) -> Sequence[Message]:
        """Take what has arrived, and return it."""
        messages = self._port.receive(now_ms)
        if messages:
            self._mail.take(messages)
            self._fresh_to_ms = _NEVER_MS
        for message in messages:
            if message.streams:
                fed = [s for s in message.streams if all(x in self._ways for x in s.lanes)]
                self._fed[message.sender] = tuple(s.lanes for s in fed)
                self._near_fed |= {s.lanes for s in fed if s.way_m <= NEAR_M}
        return messages

    def told(self, lanes: Mapping[str, LaneBelief], now_ms: int) -> Told:
        """Return who comes to which lane from beyond its farthest loop, for how many vehicles there is room behind which exit, and which are shut.

        Only lanes and exits that valid messages tell of are in it. It is worked out when messages come or expire, not every tick.
        """
        if now_ms > self._fresh_to_ms:
            valid = self._mail.valid(now_ms)
            shut = {name for m in valid for x in m.stored if x.shut for name in self._exits_of.get((m.sender, x.lanes), ())}
            self._told = Told(self._expect(valid, lanes), self._find_room(valid), frozenset(shut & self._near_exits))
            self._fresh_to_ms = min((m.made_ms + VALID_MS for m in valid), default=1 << 40)
        return self._told

    def _expect(self, valid: Sequence[Message], lanes: Mapping[str, LaneBelief]) -> dict[str, Coming]:
        by_lanes: dict[Lanes, list[tuple[int, Stream, int]]] = {}
        for message in valid:
            for stream in message.streams:
                if lanes.keys() >= set(stream.lanes):
                    way_ms = int(1000 * stream.way_m / self._speed_m_s[stream.lanes[0]])
                    by_lanes.setdefault(stream.lanes, []).append((message.made_ms, stream, way_ms))
        found: dict[str, Coming] = {}
        for names, streams in by_lanes.items():
            told_veh_h = sum([s.flow_veh_h for _, s, _ in streams])
            seen_veh_h = 3600 * sum([lanes[x].flow_veh_s for x in names])
            held_milli = sum([s.held_milli for _, s, _ in streams]) // len(names)
            if told_veh_h < LEAST_FLOW_VEH_H or seen_veh_h < LEAST_FLOW_VEH_H:
                found |= {name: Coming((), (), 1.0, 0, held_milli) for name in names if held_milli}
                continue
            packets = sorted([packet for made_ms, s, way_ms in streams for packet in _arrivals(s, made_ms, way_ms)])
            times, weights = tuple([t for t, _ in packets]), [w for _, w in packets]
            told_ms, rest = min(made_ms + way_ms for made_ms, _, way_ms in streams), max(0.0, 1.0 - told_veh_h / seen_veh_h)
            for name in names:
                ratio = 3600 * lanes[name].flow_veh_s / max(told_veh_h, seen_veh_h)
                found[name] = Coming(times, tuple([int(w * ratio) for w in weights]), rest, told_ms, held_milli)
        return found

    def _find_room(self, valid: Sequence[Message]) -> dict[str, int]:
        found: dict[str, int] = {}
        for message in valid:
            for stored in message.stored:
                exits = self._exits_of.get((message.sender, stored.lanes), {})
                room = 0 if stored.full else max(int(sum(exits.values()) / SPACING_M) - stored.vehicles, 0)
                for name in exits:
                    found[name] = min(found.get(name, room), room)
        return found

    def tell(self, snapshots: Sequence[Snapshot], nodes: Sequence[Predicting]) -> None:
        """Send the neighbours, every `TELL_MS`, what they should know: who has left, who leaves by the plans just made, and the lanes that they feed.

        They are told at once where one of the shortest of these lanes gets or loses green; but not that it is shut while nobody looks ahead
        here, for then nobody who waits for room brings green.
        """
        now_ms, lanes = snapshots[0].now_ms, snapshots[0].lanes
        green = {g for s in snapshots for g, since in s.signals.green_since_ms.items() if since is not None}
        self._see_off(lanes, green)
        foresees = now_ms - self._foreseen_ms <= FORESEEN_MS
        shut = frozenset(names for names in self._near_fed if foresees and green.isdisjoint([g for x in names for g in self._groups[x]]))
        if not (self._streams or self._fed) or (now_ms < self._tell_ms and shut == self._shut):
            return
        self._tell_ms, self._shut = now_ms + TELL_MS, shut
        self._left = [[p for p in left if p[0] + way_ms > now_ms] for left, way_ms in zip(self._left, self._way_ms, strict=True)]
        letters: dict[str, tuple[list[Stream], list[Stored]]] = {}
        predicted = [lane for node in nodes for lane in node.predicted()] if self._streams or self._near_fed else []
        if predicted:
            self._foreseen_ms = now_ms
            self._tell_departures(snapshots[0], predicted, letters)
        for sender, fed in self._fed.items():
            stored = letters.setdefault(sender, ([], []))[1]
            for names in fed:
                stored.append(Stored(names, round(sum([sum(lanes[x].weight) for x in names])), all(lanes[x].full for x in names), names in shut))
        for receiver, (streams, stored) in letters.items():
            self._port.send(receiver, Message(self._junction_id, now_ms, tuple(streams), tuple(stored)))

    def _see_off(self, lanes: Mapping[str, LaneBelief], green: Collection[str]) -> None:
        """Note who has left towards a neighbour since the last tick, by the ways that are green."""
        for name, ways in self._ways.items():
            if not ways or name not in lanes:  # a control that believes nothing has nothing to tell
                continue
            left_ms = lanes[name].last_leave_ms
            if left_ms <= self._last_leave_ms.setdefault(name, left_ms):
                continue
            self._last_leave_ms[name] = left_ms
            served = [at for at, group in enumerate(self._groups[name]) if group in green] or range(len(self._groups[name]))
            for stream, crossing_ms, milli in self._shares(name, lanes[name], served):
                self._left[stream].append((left_ms + crossing_ms, milli))

    def _tell_departures(self, seen: Snapshot, predicted: Sequence[Predicted], letters: dict[str, tuple[list[Stream], list[Stored]]]) -> None:
        lanes, closed = seen.lanes, seen.closed_exits
        packets = [list(left) for left in self._left]
        for lane in predicted:
            if self._ways[lane.lane]:
                self._lead_on(lane, lanes[lane.lane], packets)
        flows, held = [0.0] * len(self._streams), [0.0] * len(self._streams)
        for name, ways in self._ways.items():
            belief = lanes[name]
            for way in ways:
                flows[way.stream] += 3600 * belief.flow_veh_s * belief.movement_ratio[way.movement]
                if way.exit in closed:
                    held[way.stream] += 1000 * belief.queue_veh * belief.movement_ratio[way.movement]
        for (receiver, names, way_m), flow, held_milli, mine in zip(self._streams, flows, held, packets, strict=True):
            mine.sort()
            stream = Stream(names, way_m, round(flow), tuple([t for t, _ in mine]), tuple([w for _, w in mine]), round(held_milli))
            letters.setdefault(receiver, ([], []))[0].append(stream)

    def _lead_on(self, lane: Predicted, belief: LaneBelief, packets: list[list[tuple[int, int]]]) -> None:
        """Share out one lane's departures among the streams, by the ways that are green."""
        known: dict[int, list[tuple[int, int, int]]] = {}
        for after_ms, stage in zip(lane.after_ms, lane.stage, strict=True):
            shares = known.get(stage)
            if shares is None:
                shares = known[stage] = self._shares(lane.lane, belief, lane.served[stage])
            for stream, crossing_ms, milli in shares:
                packets[stream].append((lane.made_ms + after_ms + crossing_ms, milli))

    def _shares(self, lane: str, belief: LaneBelief, served: Sequence[int]) -> list[tuple[int, int, int]]:
        """Return, of one vehicle that leaves the lane by one of the movements served, how much goes to which stream, and its crossing time."""
        total = sum([belief.movement_ratio[x] for x in served])
        if total <= 0.0:
            return []
        ways = [(w, int(1000 * belief.movement_ratio[w.movement] / total)) for w in self._ways[lane] if w.movement in served]
        return [(w.stream, w.crossing_ms, milli) for w, milli in ways if milli >= LEAST_MILLI]


def _arrivals(stream: Stream, made_ms: int, way_ms: int) -> list[tuple[int, int]]:
    """Return when the vehicles of a stream arrive, and how likely each is to come, told of at ``made_ms``."""
    told = zip(stream.exit_ms, stream.weight_milli, strict=True)
    return [(exit_ms + way_ms, sure) for exit_ms, milli in told if (sure := milli * sure_milli(exit_ms - made_ms) // 1000) >= LEAST_MILLI]
