"""What one lane teaches about itself: saturation headway, start-up loss, use of the amber, and which way its vehicles go.

All of it comes from the stop loop and the signals. Which way: while only some of a lane's movements are green, a vehicle that
leaves goes one of those ways, and a first vehicle that stays goes another. Where every movement is green nothing is learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from controller.junction import Movement

HEADWAY_MS: Final = 1_950.0  # first guess
STARTUP_MS: Final = 2_000.0  # first guess of the start-up loss
_HEADWAY_RATE: Final = 0.06
_HEADWAY_RANGE_MS: Final = (1_200, 3_600)
_STARTUP_RATE: Final = 0.1
_STARTUP_RANGE_MS: Final = (0.0, 4_000.0)
_STARTUP_VEHICLE: Final = 4  # the loss is taken from the departure of this vehicle, when the queue flows steadily (HCM 2010 ch. 31: the fifth)
AMBER_USE_MS: Final = 800.0  # first guess of how far into the amber a queue discharges (HCM 2010 ch. 18: extension of effective green)
_AMBER_USE_RATE: Final = 0.1
_AMBER_USE_RANGE_MS: Final = (-1_500.0, 3_000.0)
_STOPPED_MS: Final = 3_000  # red or amber for this long: who has not passed by now stops
_NEXT_MS: Final = 4_000  # who covers the stop loop so soon after the last one has left followed it in the queue
REAR_MS: Final = 700  # from the front over the stop line to the rear off the loop, at queue speed
_SHARE_RATE: Final = 0.08
_STAYS_MS: Final = 5_000  # green, and the first vehicle has not moved for this long: its way is closed
_GAP_SEEN_MS: Final = 3_500  # green for this long, others to yield to, and the first vehicle still stands: it waits for a gap
_LEAVES_AFTER_MS: Final = 3_000  # a gap this long lets those inside go
_GAP_PATIENCE: Final = 3
_TICK_LIMIT_MS: Final = 1_000  # longer gaps between two looks count as this long
LOCKED_AFTER_MS: Final = 8_000  # green, covered, and nobody leaves: the lane is blocked
NEVER_MS: Final = 1 << 40


class LaneModel:
    """The learned parameters of one lane and the state of its stop line."""

    def __init__(self, movements: tuple[Movement, ...], gives_way_to: tuple[frozenset[tuple[str, str]], ...]) -> None:
        """Take the lane's movements and, for each, the ways (lane, group) it must let pass."""
        self.movements = movements
        self.gives_way_to = gives_way_to
        self.may_yield = any(gives_way_to)
        self.headway_ms = HEADWAY_MS
        self.startup_ms = STARTUP_MS
        self.amber_use_ms = AMBER_USE_MS
        self._ended_ms: int | None = None  # when the green ended that a queue still used
        self.shares = tuple(m.share_ratio for m in movements)
        self.closed: frozenset[int] = frozenset()  # movements that the first vehicle is known not to take
        self.blocked_ms = -NEVER_MS
        self.stuck_ms = 0  # green time with a covered stop loop since somebody left
        self._seen_ms: int | None = None
        self.inside_veh = 0.0  # expected vehicles that have left the stop line and wait for a gap inside the junction
        self._yielded_ms = -NEVER_MS
        self.head_yields = False  # the first vehicle is seen to wait for a gap
        self.last_leave_ms = -NEVER_MS
        self._green_ms: int | None = None
        self._open: tuple[int, ...] = ()
        self._open_since_ms = 0
        self._turns: tuple[int, ...] = ()
        self._full: frozenset[int] = frozenset()  # movements whose exit is full
        self._spilled_ms = -NEVER_MS  # when the first vehicle last had no room behind
        self._yields = False
        self._leavers = 0
        self._last_waited = False

    def follow(
        self,
        green: Mapping[str, int | None],
        busy: frozenset[tuple[str, str]],
        now_ms: int,
        full: frozenset[str] = frozenset(),
        *,
        before_ms: int | None = None,
    ) -> None:
        """Take the greens.

        ``busy``: the green ways (lane, group) on which vehicles come, to which a movement may have to yield; ``full``: the full exits;
        ``before_ms``: the last look before, when a green that has ended was still shown.
        """
        self._full = frozenset(i for i, m in enumerate(self.movements) if m.exit in full) if full else frozenset()
        starts = [green.get(m.group) for m in self.movements]
        began = [start_ms for start_ms in starts if start_ms is not None]
        since_ms = min(began) if began else None
        if since_ms != self._green_ms:
            queued = self._leavers >= _STARTUP_VEHICLE and self._last_waited
            self._ended_ms = before_ms if since_ms is None and queued else None
            self._green_ms, self._leavers = since_ms, 0
        open_now = tuple([i for i, start_ms in enumerate(starts) if start_ms is not None])
        if open_now != self._open:
            self._open, self._open_since_ms, self.head_yields = open_now, now_ms, False
        self._turns = tuple([i for i in open_now if not busy.isdisjoint(self.gives_way_to[i])]) if busy else ()
        yielded, self._yields = self._yields, bool(self._turns)
        if yielded and not self._yields:
            self.blocked_ms = -NEVER_MS  # nobody is in the way any more
        if self._yields:
            self._yielded_ms = now_ms
        elif now_ms - self._yielded_ms > _LEAVES_AFTER_MS:
            self.inside_veh = 0.0

    def wait(self, covered_since_ms: int, now_ms: int) -> None:
        """Judge a first vehicle that covers the stop loop since ``covered_since_ms``."""
        before_ms, self._seen_ms = self._seen_ms, now_ms
        if not self._open:
            self._learn_amber(covered_since_ms, now_ms)
            return
        stays_ms = now_ms - max(covered_since_ms, self._open_since_ms)
        going = frozenset(self._open) - self._full
        if stays_ms >= _STAYS_MS and not self._yields and len(going) < len(self.movements):
            self.closed = self.closed | going
        spilled_ratio = self._spilled_ratio()
        if before_ms is not None and not self.closed.issuperset(self._open):
            # Who must find a gap may stand for long without being locked, and who waits for a place in the exit is not locked at all.
            time_ms = min(now_ms - before_ms, _TICK_LIMIT_MS) // (_GAP_PATIENCE if self._yields else 1)
            self.stuck_ms += int(time_ms * (1.0 - spilled_ratio))
        if spilled_ratio:
            self._spilled_ms = now_ms
        stood_ms = min(stays_ms, now_ms - self._spilled_ms)  # while it could have gone, or had but to find a gap
        if not self._yields:
            stood_ms = min(stood_ms, now_ms - self._yielded_ms)
        self.head_yields = stood_ms >= _GAP_SEEN_MS and self._yields
        if stood_ms >= LOCKED_AFTER_MS:
            self.blocked_ms = now_ms + LOCKED_AFTER_MS // 2

    def _learn_amber(self, covered_since_ms: int, now_ms: int) -> None:
        """Learn from a queue that the end of green has cut how far into the amber it went on: half a headway beyond its last front, in the mean."""
        if self._ended_ms is None or now_ms - self._ended_ms < _STOPPED_MS:
            return
        if covered_since_ms - self.last_leave_ms <= _NEXT_MS:
            use_ms = self.last_leave_ms - REAR_MS - self._ended_ms + self.headway_ms / 2
            low_ms, high_ms = _AMBER_USE_RANGE_MS
            self.amber_use_ms += _AMBER_USE_RATE * (min(max(use_ms, low_ms), high_ms) - self.amber_use_ms)
        self._ended_ms = None

    def _spilled_ratio(self) -> float:
        """Return how likely the first vehicle, if its way is green, stands there because its exit is full."""
        if not self._full:
            return 0.0
        head = self.head_ratio()
        total = sum(head[i] for i in self._open)
        return sum(head[i] for i in self._open if i in self._full) / total if total > 0.0 else 0.0

    def leave(self, at_ms: int, *, waited: bool) -> None:
        """Learn from a vehicle whose rear leaves the stop loop; ``waited``: it had stood in the queue."""
        if self._green_ms is not None and at_ms >= self._green_ms:
            gap_ms = at_ms - self.last_leave_ms
            if self._leavers >= 2 and waited and self._last_waited and _HEADWAY_RANGE_MS[0] <= gap_ms <= _HEADWAY_RANGE_MS[1]:
                self.headway_ms += _HEADWAY_RATE * (gap_ms - self.headway_ms)
            self._leavers += 1
            if self._leavers == _STARTUP_VEHICLE and waited and self._last_waited:
                loss_ms = at_ms - self._green_ms - REAR_MS - (_STARTUP_VEHICLE - 1) * self.headway_ms
                if loss_ms < 2 * _STARTUP_RANGE_MS[1]:
                    bounded_ms = min(max(loss_ms, _STARTUP_RANGE_MS[0]), _STARTUP_RANGE_MS[1])
                    self.startup_ms += _STARTUP_RATE * (bounded_ms - self.startup_ms)
            self._learn_way()
            self._go_in(1.0)
        self.closed, self.head_yields, self.stuck_ms, self.blocked_ms = frozenset(), False, 0, -NEVER_MS
        self.last_leave_ms, self._last_waited = at_ms, waited

    def learned(self) -> dict[str, object]:
        """Return what was learned and outlives a restart, as JSON data."""
        return {"headway_ms": self.headway_ms, "startup_ms": self.startup_ms, "amber_use_ms": self.amber_use_ms, "shares": list(self.shares)}

    def recall(self, learned: Mapping[str, Any]) -> None:
        """Go on from what `learned` returned, within the ranges of learning. Raises `KeyError`, `TypeError` or `ValueError` where it is none."""
        shares = tuple(float(share) for share in learned["shares"])
        numbers = {name: float(learned[name]) for name in ("headway_ms", "startup_ms", "amber_use_ms")}
        if len(shares) != len(self.movements) or not all(0.0 <= share <= 1.0 for share in shares) or abs(sum(shares) - sum(self.shares)) > 0.01:
            raise ValueError(f"expected {len(self.movements)} shares from 0 to 1 with the sum of {sum(self.shares):.2f}, found {list(shares)}")
        ranges = {"headway_ms": _HEADWAY_RANGE_MS, "startup_ms": _STARTUP_RANGE_MS, "amber_use_ms": _AMBER_USE_RANGE_MS}
        for name, (low, high) in ranges.items():
            if not low <= numbers[name] <= high:
                raise ValueError(f"{name}: expected {low} to {high}, found {numbers[name]}")
        self.headway_ms, self.startup_ms, self.amber_use_ms = numbers.values()
        self.shares = shares

    def assume_left(self, at_ms: int, veh: float) -> None:
        """Take it that so many vehicles have left, though no loop has told: nothing is learned, but some may now wait inside for a gap."""
        self.last_leave_ms = at_ms
        self._go_in(veh)

    def _go_in(self, veh: float) -> None:
        total = sum(self.shares[i] for i in self._open)
        if self._yields and total > 0.0:
            self.inside_veh += veh * sum(self.shares[i] for i in self._turns) / total

    def forget_head(self) -> None:
        """Forget what was believed of the first vehicle: the loop that told of it is not trusted any more."""
        self.closed, self.head_yields, self.stuck_ms, self.blocked_ms, self._ended_ms = frozenset(), False, 0, -NEVER_MS, None

    @property
    def is_open(self) -> bool:
        """Return whether a movement is green that its exit has room for."""
        return any(i not in self._full for i in self._open)

    @property
    def since_green_ms(self) -> int:
        """Return when the present green began; of a red lane, never."""
        return self._green_ms if self._green_ms is not None else NEVER_MS

    @property
    def must_yield(self) -> bool:
        """Return whether others with the right of way are about to come."""
        return self._yields

    def head_ratio(self) -> tuple[float, ...]:
        """Return which way the first vehicle goes, by movement."""
        rest = sum(s for i, s in enumerate(self.shares) if i not in self.closed) if self.closed else 0.0
        if rest <= 0.0:
            return self.shares
        return tuple(0.0 if i in self.closed else s / rest for i, s in enumerate(self.shares))

    def _learn_way(self) -> None:
        """Move the shares towards the ways that the leaver can have gone."""
        partial = len(self._open) < len(self.movements)
        ways = frozenset(range(len(self.movements))) - self.closed if self.closed else frozenset(self._open)
        total = sum(self.shares[i] for i in ways)
        if not (partial or self.closed) or total <= 0.0:
            return
        went = [share / total if i in ways else 0.0 for i, share in enumerate(self.shares)]
        self.shares = tuple([share + _SHARE_RATE * (way - share) for share, way in zip(self.shares, went, strict=True)])
