"""What neighbouring junctions tell each other: who leaves towards whom and when, and how full the approaches are.

Theory of operation. Every junction knows from its own site file where its exits lead (`controller.junction.Onward`). Every two seconds it
sends each neighbour a message: the departures that its newest plan makes likely, by the lanes they lead to, how many more would come if
there were room, and how many vehicles stand on the lanes that the neighbour feeds. Of lanes some metres long it tells at once when they
lose or get green, for what the neighbour sends there in their red stands in its own junction. Messages take time and get lost; each is
good for some seconds. A junction that hears nothing plans as if it had no neighbours, so a lost one costs quality, nothing else. What was
received is journalled, for it is an input like a loop's edge. All numbers are whole, so that a message read back from the journal is the
same message. Times are on a common clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

TELL_MS: Final = 2_000  # between two messages
VALID_MS: Final = 5_000  # after this a message counts as lost: the plan it was made from has changed since

# How far predicted departures come true: the correlation of expected and real arrivals by how far ahead the departure was predicted, as
# measured on our arterial (docs/decisions/0034-neighbours.md). The rest is mean flow.
SURE_MILLI: Final = 800
SURE_LOST_MILLI_PER_S: Final = 22
SURE_FOR_MS: Final = 1000 * SURE_MILLI // SURE_LOST_MILLI_PER_S

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))  # `json.dumps` makes one for each call

Lanes = tuple[str, ...]


class Stream(NamedTuple):
    """Departures towards some approach lanes of the receiver: of those on the way, and predicted. ``way_m``: from the exit to their stop line.

    ``held_milli``: thousandths of vehicles that stand before the sender and go nowhere, for the exits that lead to these lanes take nobody.
    """

    lanes: Lanes
    way_m: int
    flow_veh_h: int  # mean flow towards these lanes
    exit_ms: tuple[int, ...]  # when each vehicle is on the exit, in order
    weight_milli: tuple[int, ...]  # how likely it comes this way
    held_milli: int = 0


class Stored(NamedTuple):
    """How many vehicles are on approach lanes of the sender, which the receiver feeds; ``full``: they stand as far back as the loops reach.

    ``shut``: none of them has green, and they are so short that whoever comes now would soon stand in the receiver's junction.
    """

    lanes: Lanes
    vehicles: int
    full: bool
    shut: bool = False


class Message(NamedTuple):
    """What one junction tells another, made at ``made_ms``."""

    sender: str
    made_ms: int
    streams: tuple[Stream, ...] = ()
    stored: tuple[Stored, ...] = ()


def sure_milli(ahead_ms: int) -> int:
    """Return how far a departure predicted so long ago, or so far ahead, is to be believed."""
    sure = SURE_MILLI - SURE_LOST_MILLI_PER_S * ahead_ms // 1000
    return 0 if sure < 0 else SURE_MILLI if sure > SURE_MILLI else sure  # asked too often for `min` and `max`


class NeighbourPort(Protocol):
    """The link to the neighbours. Sending never waits and never fails; what is lost is lost."""

    def send(self, receiver: str, message: Message) -> None:
        """Send a message on its way."""
        ...

    def receive(self, now_ms: int) -> Sequence[Message]:
        """Return what has arrived since the last call."""
        ...


class NoNeighbours:
    """The link of a junction that has none."""

    def send(self, receiver: str, message: Message) -> None:
        """Lose the message."""

    def receive(self, now_ms: int) -> Sequence[Message]:  # noqa: ARG002 - a port's signature
        """Return nothing."""
        return ()


class Mail:
    """The newest valid message of each sender."""

    def __init__(self) -> None:
        self._newest: dict[str, Message] = {}

    def take(self, messages: Iterable[Message]) -> None:
        """Keep each sender's newest message."""
        for message in messages:
            known = self._newest.get(message.sender)
            if known is None or message.made_ms >= known.made_ms:
                self._newest[message.sender] = message

    def valid(self, now_ms: int) -> list[Message]:
        """Return the messages that still count, in the order of their senders."""
        return [m for _, m in sorted(self._newest.items()) if 0 <= now_ms - m.made_ms <= VALID_MS]


def message_text(message: Message) -> str:
    """Return compact JSON, times relative to the message's; `message_of` gives an equal message back."""
    streams = [(s.lanes, s.way_m, s.flow_veh_h, [t - message.made_ms for t in s.exit_ms], s.weight_milli, s.held_milli) for s in message.streams]
    return _ENCODER.encode((message.sender, message.made_ms, streams, message.stored))


def message_of(text: str) -> Message:
    """Return the message that `message_text` wrote. Raises `ValueError` or `TypeError` where it is none."""
    sender, made_ms, streams, stored = json.loads(text)
    return Message(
        str(sender),
        int(made_ms),
        tuple(Stream(tuple(x), way_m, flow, tuple(made_ms + t for t in at), tuple(weights), *held) for x, way_m, flow, at, weights, *held in streams),
        tuple(Stored(tuple(x), int(vehicles), *map(bool, flags)) for x, vehicles, *flags in stored),
    )
