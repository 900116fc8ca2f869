"""The guard's end of the pipe to the optimizer: it asks, never waits, counts what is missing, and starts the process again.

An answer that comes later than 500 ms counts as none. After three in a row the process is taken for dead, as when it ends: OPTIMIZER_LOST,
and another one is started with a delay that doubles from one second to one minute. OPTIMIZER_RECOVERED comes with its first word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from controller.cabinet.channel import Channel
from controller.cabinet.codec import LINE_BYTES, Answer, CodecError, Shape, answer_of, line_of, message_of
from controller.cabinet.guard_ports import Told
from controller.cabinet.remote_planner import RemotePlanner
from controller.free_stages import with_more_stages
from controller.junction import Junction, Node
from controller.known import snapshot_rows
from controller.planner import Planner
from controller.snapshot import Snapshot
from controller.supervisor import Event, Mode

DEADLINE_MS: Final = 500
UNANSWERED: Final = 3
PING_MS: Final = 1_000
START_MS: Final = 180_000  # the kernels may have to be compiled first
FIRST_DELAY_MS: Final = 1_000
LONGEST_DELAY_MS: Final = 60_000
HEALTHY_MS: Final = 60_000  # after so long a time without a loss the delay begins small again
REMEMBER_EVERY: Final = 600  # questions to a planner, after which it is asked again what it remembers: so far at most must be gone back to solve one again

News = tuple[Event | None, str]
"""What happened: an event for the supervisors, or only something to record."""


class Asked(NamedTuple):
    """A question without an answer so far."""

    id: int
    key: tuple[str, str]  # node and mode; ("", "") for a ping
    asked_ms: int
    tick: int = 0
    file: int | None = None  # where it asks what the planner remembers: for which of the journal's files, as `OptimizerLink.remember` counts them


class OptimizerLink:
    """Keeps one optimizer process for a junction. ``start`` opens a way to a new one and raises `OSError` where it cannot."""

    def __init__(self, junction: Junction, start: Callable[[], Channel], hello: str) -> None:
        """Take ``hello``: the junction as text, which each new process is told first."""
        self.state = "starting"
        self.counts = {"optimizer_starts": 0, "optimizer_answers": 0, "optimizer_unanswered": 0, "optimizer_garbage": 0}
        moves = {x.id: sum(m.lane == x.id for m in junction.movements) for x in junction.lanes}
        self._shapes = {node.id: Shape(len(node.stages), moves) for node in with_more_stages(junction).nodes}
        self._start, self._hello = start, hello
        self.channel: Channel | None = None
        self._next = 0
        self._asked: dict[int, Asked] = {}
        self._answers: dict[tuple[str, str], Answer] = {}
        self._told: list[Told] = []
        self._told_before: dict[tuple[str, str], int] = {}  # by node and mode: how many questions ago it told what it remembers; missing: it must
        self._file = 0
        self._in, self._out = bytearray(), b""
        self._skipping = False  # the rest of a line that was too long
        self._unanswered = 0
        self._retry_ms: int | None = None
        self._delay_ms = FIRST_DELAY_MS
        self._since_ms = self._ping_ms = self.heard_ms = 0
        self._news: list[News] = []

    def planners(self, junction: Junction, node: Node) -> Mapping[Mode, Planner]:  # noqa: ARG002 - as all that give planners
        """Return the node's planners behind the pipe."""
        return {mode: RemotePlanner(self, node.id, mode) for mode in (Mode.ADAPTIVE, Mode.CYCLE)}

    def ask(self, node: str, mode: Mode, snapshot: Snapshot) -> None:
        """Send a question where somebody is there to answer. Raises `ValueError` for a snapshot that is no JSON (a NaN)."""
        if self.state != "ready":
            return
        key = node, str(mode)
        self._answers.pop(key, None)
        rows, before = snapshot_rows(snapshot), self._told_before.get(key, REMEMBER_EVERY)
        remember = before >= REMEMBER_EVERY
        more = {"remember": True} if remember else {}
        if key in self._told_before:
            self._told_before[key] = before + 1
        asked = Asked(self._next + 1, key, snapshot.now_ms, snapshot.tick, self._file if remember else None)
        if not self._question(asked, line_of(ask=asked.id, node=node, mode=str(mode), snapshot=rows, **more)):
            self._told_before.pop(key, None)

    def take(self, node: str, mode: Mode) -> Answer | None:
        """Return the answer to the newest question, once."""
        return self._answers.pop((node, str(mode)), None)

    def remember(self) -> None:
        """Have each planner tell anew what it remembers: a journal's file begins."""
        self._file += 1
        self._told.clear()
        self._told_before.clear()

    def memories(self) -> list[Told]:
        """Return what planners have told of their memory since the last call."""
        told, self._told = self._told, []
        return told

    def poll(self, now_ms: int) -> list[News]:
        """Exchange what can be without waiting; start and give up processes; return what happened."""
        if self.channel is None:
            self._open(now_ms)
        if self.channel is not None:
            self._exchange(self.channel, now_ms)
        if self.channel is not None:
            self._judge(now_ms)
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        """End the process."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def _open(self, now_ms: int) -> None:
        if self._retry_ms is not None and now_ms < self._retry_ms:
            return
        self._in, self._out, self._skipping, self._unanswered = bytearray(), b"", False, 0
        self._asked.clear()
        self._answers.clear()
        self._told_before.clear()
        self._since_ms = self._ping_ms = self.heard_ms = now_ms
        self.counts["optimizer_starts"] += 1
        try:
            self.channel = self._start()
        except OSError as error:
            self._lose(f"the optimizer cannot be started: {error}", now_ms)
            return
        self._send(line_of(hello=self._hello))

    def _exchange(self, channel: Channel, now_ms: int) -> None:
        try:
            self._send(b"")
            data = channel.receive()
        except OSError as error:
            self._lose(f"the pipe is broken ({error})", now_ms)
            return
        for line in self._split(data or b""):
            self._take_line(line, now_ms)
            if self.channel is None:
                return
        if data is None:
            self._lose("the optimizer process has ended", now_ms)

    def _split(self, data: bytes) -> list[bytes]:
        """Return the whole lines; one that is too long is thrown away up to its end."""
        self._in += data
        *lines, rest = self._in.split(b"\n")
        if lines and self._skipping:
            lines, self._skipping = lines[1:], False
        too_long = any(len(line) > LINE_BYTES for line in lines)
        if len(rest) > LINE_BYTES:
            too_long, rest, self._skipping = too_long or not self._skipping, bytearray(), True
        if too_long:
            self._garbage(f"expected lines of at most {LINE_BYTES} bytes, found a longer one")
        self._in = rest
        return [bytes(line) for line in lines if len(line) <= LINE_BYTES]

    def _take_line(self, line: bytes, now_ms: int) -> None:
        try:
            message = message_of(line)
            if "error" in message:
                self._lose(f"the optimizer failed: {str(message['error'])[:400]}", now_ms)
            elif message.get("ready") is True:
                self._ready(now_ms)
            else:
                self._take_answer(message, now_ms)
        except CodecError as error:
            self._garbage(str(error))

    def _take_answer(self, message: Mapping[str, object], now_ms: int) -> None:
        number = message.get("pong", message.get("id"))
        asked = self._asked.pop(number, None) if type(number) is int else None
        if asked is None:  # too late, or never asked
            return
        if asked.key[0]:
            try:
                answer = answer_of(message, asked.key[1], asked.asked_ms, self._shapes[asked.key[0]])
            except CodecError:
                self._miss(asked)
                raise
            if now_ms - asked.asked_ms <= DEADLINE_MS:
                self._answers[asked.key] = answer
                self._hear_memory(asked, answer)
        self.heard_ms = now_ms
        if now_ms - asked.asked_ms > DEADLINE_MS:
            self._miss(asked)
            return
        self._unanswered = 0
        self.counts["optimizer_answers"] += 1

    def _ready(self, now_ms: int) -> None:
        if self.state != "ready":
            self.state, self.heard_ms = "ready", now_ms
            self._news.append((Event.OPTIMIZER_RECOVERED, f"the optimizer is ready, {(now_ms - self._since_ms) / 1000:.1f} s after its start"))
            self._since_ms = now_ms

    def _judge(self, now_ms: int) -> None:
        """Count what has not been answered in time, and give up a process that does not answer."""
        if self.state != "ready":
            if now_ms - self._since_ms > START_MS:
                self._lose(f"the optimizer was not ready after {START_MS // 1000} s", now_ms)
            return
        for asked in [a for a in self._asked.values() if now_ms - a.asked_ms > DEADLINE_MS]:
            del self._asked[asked.id]
            self._miss(asked)
        if self._unanswered >= UNANSWERED:
            self._lose(f"the optimizer has not answered {self._unanswered} times in a row, each within {DEADLINE_MS} ms", now_ms)
            return
        if now_ms - self._since_ms > HEALTHY_MS:
            self._delay_ms = FIRST_DELAY_MS
        if now_ms - self._ping_ms >= PING_MS:
            asked = Asked(self._next + 1, ("", ""), now_ms)
            self._question(asked, line_of(ping=asked.id))

    def _hear_memory(self, asked: Asked, answer: Answer) -> None:
        if answer.memory is not None and asked.file == self._file:
            self._told.append(Told(*asked.key, asked.tick, answer.memory))
            self._told_before[asked.key] = 1

    def _miss(self, asked: Asked) -> None:
        self._unanswered += 1
        self.counts["optimizer_unanswered"] += 1
        self._told_before.pop(asked.key, None)  # whether it has seen the question is not known

    def _question(self, asked: Asked, line: bytes) -> bool:
        """Send a question; tell whether it has gone."""
        self._next, self._ping_ms = asked.id, asked.asked_ms
        self._asked[asked.id] = asked
        if self._out:  # who does not read what came before does not get more
            return False
        try:
            self._send(line)
        except OSError as error:
            self._lose(f"the pipe is broken ({error})", asked.asked_ms)
        return True

    def _send(self, data: bytes) -> None:
        self._out += data
        if self._out and self.channel is not None:
            self._out = self._out[self.channel.send(self._out) :]

    def _garbage(self, why: str) -> None:
        self.counts["optimizer_garbage"] += 1
        if self.counts["optimizer_garbage"] <= 3 or self.counts["optimizer_garbage"] % 1_000 == 0:
            self._news.append((None, f"the optimizer's word was thrown away: {why}"))

    def _lose(self, why: str, now_ms: int) -> None:
        """Give up the process, and wait before the next one."""
        ended = self.channel.close() if self.channel is not None else ""
        self.channel, self.state = None, "lost"
        self._retry_ms = now_ms + self._delay_ms
        text = f"{why}{'; ' + ended if ended else ''}; another one is started in {self._delay_ms / 1000:.0f} s"
        self._delay_ms = min(2 * self._delay_ms, LONGEST_DELAY_MS)
        self._news.append((Event.OPTIMIZER_LOST, text))
