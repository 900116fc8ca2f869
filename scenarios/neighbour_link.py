"""The links between neighbours in a simulation: inside one process, with the delay and the loss that links on the street have."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import Final

from controller.neighbours import Message

DELAY_MS: Final = 1_000


class PostOffice:
    """Carries the messages of all junctions of one simulation. Which get lost depends on the seed, the pair and the count, on nothing else."""

    def __init__(self, seed: int, loss_ratio: float, delay_ms: int = DELAY_MS) -> None:
        self._seed, self._loss_ratio, self._delay_ms = seed, loss_ratio, delay_ms
        self._boxes: dict[str, deque[tuple[int, Message]]] = {}
        self._draws: dict[tuple[str, str], random.Random] = {}

    def port(self, junction_id: str) -> NeighbourLink:
        """Return the junction's port; messages to junctions that have none are lost."""
        self._boxes[junction_id] = deque()
        return NeighbourLink(self, junction_id)

    def post(self, receiver: str, message: Message) -> None:
        """Put a message on its way, or lose it."""
        box = self._boxes.get(receiver)
        if box is None:
            return
        pair = message.sender, receiver
        draw = self._draws.get(pair)
        if draw is None:
            draw = self._draws[pair] = random.Random(f"{self._seed} {pair}")
        if draw.random() >= self._loss_ratio:
            box.append((message.made_ms + self._delay_ms, message))

    def arrived(self, receiver: str, now_ms: int) -> Sequence[Message]:
        """Return the messages whose way is over, in order of their sending."""
        box, found = self._boxes[receiver], []
        while box and box[0][0] <= now_ms:
            found.append(box.popleft()[1])
        return found


class NeighbourLink:
    """One junction's port (`controller.neighbours.NeighbourPort`)."""

    def __init__(self, office: PostOffice, junction_id: str) -> None:
        self._office, self._junction_id = office, junction_id

    def send(self, receiver: str, message: Message) -> None:
        """Send a message on its way."""
        self._office.post(receiver, message)

    def receive(self, now_ms: int) -> Sequence[Message]:
        """Return what has arrived since the last call."""
        return self._office.arrived(self._junction_id, now_ms)
