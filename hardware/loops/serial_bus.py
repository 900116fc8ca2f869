"""A bus of detector cards behind one line: one exchange at a time, the line opened again whenever it is lost.

`Session` does all of it in steps and knows no thread. `ThreadedInputs` steps in a thread of its own, as a real line needs it;
`InlineInputs` steps inside ``poll``, for lines that answer at once, on whatever clock. Both hand events over in the order of their time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from hardware.loops.serial_line import Line, Opener, Wire, serial_opener
from hardware.ports import InputEvent, PortError

BACKOFF_MS: Final = (250, 500, 1_000, 2_000, 5_000)  # until the line is opened again, one after the other, the last for ever

Now = Callable[[], int]
Trace = Callable[[int, int, str, bytes], None]
"""Told of all octets: monotonic time, ``>`` sent or ``<`` received, the octets."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Reader(Protocol[T_co]):
    """Finds one answer among the octets that arrive."""

    def feed(self, data: bytes) -> T_co | None:
        """Return the answer once it is complete."""
        ...


@dataclass(slots=True)
class UnitStats:
    """How one unit of the bus answers."""

    requests: int = 0
    replies: int = 0
    silent: int = 0  # no, or no intact answer in time
    refused: int = 0  # answers that make no sense
    reply_ms: int = 0  # the newest, from request to complete reply
    note: str = ""  # what is wrong with it


@dataclass(slots=True)
class BusStats:
    """What a bus measures of itself."""

    sweeps: int = 0
    sweep_ms: int = 0  # the newest: all units asked once
    max_sweep_ms: int = 0
    events: int = 0
    max_handover_ms: int = 0  # from an event's stamp to the poll that returned it
    opened: int = 0
    lost: int = 0
    units: dict[int, UnitStats] = field(default_factory=dict)


class Answer(NamedTuple, Generic[T]):
    """An intact answer and when its last octet was there."""

    value: T
    at_ms: int


class Bus:
    """One open line: asks, waits, stamps, counts."""

    def __init__(self, wire: Wire, now: Now, stats: BusStats, timeout_ms: int) -> None:
        self._wire, self._now, self._stats, self._timeout_ms = wire, now, stats, timeout_ms
        self.trace: Trace | None = None

    def exchange(self, unit: int, request: bytes, reader: Reader[T]) -> Answer[T] | None:
        """Return the answer to a request; None where none came in time. Raises `PortError` on a lost line."""
        stats = self._stats.units.setdefault(unit, UnitStats())
        stats.requests += 1
        self._wire.drain()  # a late or doubled answer to an older request is no answer to this one
        self._send(unit, request)
        asked_ms = self._now()
        due_ms = asked_ms + self._timeout_ms
        while (rest_ms := due_ms - self._now()) > 0:
            data = self._wire.read(rest_ms)
            if not data:
                break
            at_ms = self._now()
            if self.trace is not None:
                self.trace(at_ms, unit, "<", data)
            value = reader.feed(data)
            if value is not None:
                stats.replies += 1
                stats.reply_ms = at_ms - asked_ms
                return Answer(value, at_ms)
        stats.silent += 1
        return None

    def note(self, unit: int, text: str) -> None:
        """Write down what is wrong with a unit that does answer; nothing, where nothing is."""
        stats = self._stats.units.setdefault(unit, UnitStats())
        stats.note = text
        stats.refused += text != ""

    def close(self) -> None:
        """Let go of the line."""
        self._wire.close()

    def _send(self, unit: int, request: bytes) -> None:
        if self.trace is not None:
            self.trace(self._now(), unit, ">", request)
        self._wire.write(request)


Emit = Callable[[InputEvent], None]


class Cards(Protocol):
    """The device's side of a driver: what to ask, and what the answers mean."""

    def sweep(self, bus: Bus, emit: Emit) -> None:
        """Ask all units once; emit events in the order of their time. Raises `PortError` on a lost line or where no unit answers."""
        ...

    def lost(self, now_ms: int, emit: Emit) -> None:
        """Take notice that nothing is known of any detector until the next answer."""
        ...


class Session:
    """Opens the line, sweeps, and begins again after a loss."""

    def __init__(self, name: str, cards: Cards, opener: Opener, now: Now, *, interval_ms: int, timeout_ms: int) -> None:
        self._name, self._cards, self._opener, self._now = name, cards, opener, now
        self._interval_ms, self._timeout_ms = interval_ms, timeout_ms
        self._bus: Bus | None = None
        self._events: deque[InputEvent] = deque()  # the thread appends, poll takes from the other end
        self._failures = 0
        self._last_ms: int | None = None
        self.stats = BusStats()
        self.trace: Trace | None = None
        self.fault: PortError | None = PortError(f"{name}: not opened yet")

    def step(self) -> int:
        """Open the line or sweep once. Return after how many milliseconds the next step is due."""
        begin_ms = self._now()
        try:
            if self._bus is None:
                self._bus = Bus(self._opener(), self._now, self.stats, self._timeout_ms)
                self.stats.opened += 1
            self._bus.trace = self.trace
            self._cards.sweep(self._bus, self._emit)
        except PortError as error:
            return self._fail(error)
        except Exception as error:  # a driver's mistake must not end its thread unnoticed
            return self._fail(PortError(f"{self._name}: the driver failed: {type(error).__name__}: {error}"))
        self.fault, self._failures = None, 0
        took_ms = self._now() - begin_ms
        self.stats.sweeps += 1
        self.stats.sweep_ms = took_ms
        self.stats.max_sweep_ms = max(self.stats.max_sweep_ms, took_ms)
        return max(0, self._interval_ms - took_ms)

    def take(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the events up to ``now_ms``. Raises `PortError` while the line is lost and nothing of before is left to return, now or later."""
        taken: list[InputEvent] = []
        while self._events and self._events[0].at_ms <= now_ms:
            taken.append(self._events.popleft())
        if taken:
            self.stats.max_handover_ms = max(self.stats.max_handover_ms, now_ms - taken[0].at_ms)
        elif not self._events and self.fault is not None and self._failures:
            raise PortError(str(self.fault))
        return taken

    def close(self) -> None:
        """Let go of the line."""
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def _fail(self, error: PortError) -> int:
        self.close()
        self._cards.lost(self._now(), self._emit)
        self.fault = error
        self.stats.lost += not self._failures
        self._failures += 1
        return BACKOFF_MS[min(self._failures, len(BACKOFF_MS)) - 1]

    def _emit(self, event: InputEvent) -> None:
        """Queue an event; its time is never before that of the event before it, so that the order of the port holds."""
        self._last_ms = event.at_ms if self._last_ms is None else max(self._last_ms, event.at_ms)
        self._events.append(event._replace(at_ms=self._last_ms))
        self.stats.events += 1


class ThreadedInputs:
    """An `InputPort` whose bus runs in a thread of its own, from the first ``poll`` on; that never waits."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stop = Event()
        self._thread: Thread | None = None

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the events up to ``now_ms`` not yet returned. Raises `PortError` while the line is lost."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="detector bus", daemon=True)
            self._thread.start()
        return self._session.take(now_ms)

    def stats(self) -> BusStats:
        """Return what the bus has measured so far."""
        return self._session.stats

    def watch(self, trace: Trace | None) -> None:
        """Have every octet told to ``trace``, from the bus's thread; None ends that."""
        self._session.trace = trace

    def close(self) -> None:
        """End the thread and let go of the line."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._session.step() / 1_000):
            pass
        self._session.close()


class InlineInputs:
    """An `InputPort` that does the bus's work inside ``poll``: for wires that answer at once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._due_ms: int | None = None

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Sweep where a sweep is due, and return the events. Raises `PortError` while the line is lost."""
        if self._due_ms is None or now_ms >= self._due_ms:
            self._due_ms = now_ms + self._session.step()
        return self._session.take(now_ms)

    def stats(self) -> BusStats:
        """Return what the bus has measured so far."""
        return self._session.stats

    def watch(self, trace: Trace | None) -> None:
        """Have every octet told to ``trace``; None ends that."""
        self._session.trace = trace

    def close(self) -> None:
        """Let go of the line."""
        self._session.close()


DetectorInputs = ThreadedInputs | InlineInputs


def inputs_on(line: Line, cards: Cards, now: Now, wire: Wire | None, *, interval_ms: int, timeout_ms: int) -> DetectorInputs:
    """Return the port: in a thread on the line, or inside ``poll`` on a wire that answers at once. Raises `PortError` without pyserial."""
    opener = serial_opener(line) if wire is None else lambda: wire
    session = Session(line.port, cards, opener, now, interval_ms=interval_ms, timeout_ms=timeout_ms)
    return ThreadedInputs(session) if wire is None else InlineInputs(session)
