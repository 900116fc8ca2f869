"""Giving the lights of a SUMO that is not ours back to their own programmes: red first, through the interlock, then at a safe point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controller.journal import Journal
from hardware.interlock import Interlock
from hardware.ports import FrameRefusedError
from hardware.sumo import SumoWorld
from hardware.sumo_heads import SumoHeads

PATIENCE_MS: Final = 120_000  # most programmes have come round by then
GIVE_UP_MS: Final = 240_000


@dataclass(frozen=True)
class Held:
    """One light in our hands: the interlock that guards it and the heads behind it."""

    light: str
    interlock: Interlock
    heads: SumoHeads


def hand_back(world: SumoWorld, held: Sequence[Held], journal: Journal | None) -> list[str]:
    """Step the simulation until every light is back, and return in words what became of them. Raises `PortError` on a lost simulator.

    Each light finishes its minimum greens and ambers, stays red for the longest intergreen, and is given back when its programme
    stands in a phase without amber that lasts. After `PATIENCE_MS` any phase will do, for out of red none is an unsafe jump.
    """
    begin_ms = world.now_ms
    waiting, back, lost = list(held), 0, list[str]()
    while waiting and world.now_ms - begin_ms < GIVE_UP_MS:
        world.step()
        for one in list(waiting):
            try:
                done = one.interlock.stop(world.now_ms) and one.heads.release(world.now_ms, hurried=world.now_ms - begin_ms >= PATIENCE_MS)
            except FrameRefusedError as error:
                lost.append(f"light {one.light} was not handed back, for it is not in our hands: {error}")
                waiting.remove(one)
                continue
            if done:
                waiting.remove(one)
                back += 1
                if journal is not None:
                    journal.note(world.now_ms, "handback", f"{one.light}: given back to its own programme", {"waited_ms": world.now_ms - begin_ms})
    lost += [f"light {one.light} was not handed back: no red within {GIVE_UP_MS // 1000} s" for one in waiting]
    took_s = (world.now_ms - begin_ms) / 1000
    return [*lost, *([f"{back} lights handed back to their own programmes, the last after {took_s:g} s, which the figures include"] if back else [])]
