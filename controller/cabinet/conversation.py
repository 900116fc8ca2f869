"""One client's bytes in and out, sans-IO: lines, limits, and the order of answers. Whoever owns the socket moves the bytes."""

from __future__ import annotations

from collections import deque
from typing import Final

from controller.cabinet.desk import Answer, Desk, finished, json_of
from controller.cabinet.operated import Caller

MOST_LINE_BYTES: Final = 4_096
MOST_OUT_BYTES: Final = 65_536  # of answers that the client has not taken: above that it gets no further one
MOST_WAITING: Final = 8  # answers that wait for the audit log
BURST: Final = 10  # requests at once
REFILL_MS: Final = 100  # and one more each
IDLE_MS: Final = 60_000
STUCK_MS: Final = 10_000


class Conversation:
    """Takes what a client sends, keeps what it is to get. ``over``: why it must be closed, empty while it goes on."""

    def __init__(self, caller: Caller, now_ms: int) -> None:
        self.caller = caller
        self.over = ""
        self.subscribed = False
        self.heard_ms = now_ms  # when it last asked, or took something
        self.out = bytearray()
        self._in = bytearray()
        self._told = False  # why it is over
        self._waiting: deque[Answer] = deque()
        self._spare_ms = BURST * REFILL_MS
        self._refilled_ms = now_ms

    def feed(self, data: bytes) -> None:
        """Take bytes from the client; none: it has left."""
        if not data:
            self.over = self.over or "the client has left"
        self._in += data

    @property
    def hungry(self) -> bool:
        """Tell whether more bytes should be read: while requests wait to be answered, the client's bytes stay in the kernel."""
        return not self.over and len(self._in) <= MOST_LINE_BYTES

    def step(self, desk: Desk, now_ms: int) -> bool:
        """Answer one request that is there, if its time has come; tell whether there was one."""
        self._finish()
        end = self._in.find(b"\n")
        if end > MOST_LINE_BYTES or (end < 0 and len(self._in) > MOST_LINE_BYTES):
            self._last(f"expected lines of at most {MOST_LINE_BYTES} bytes")
            return False
        if end < 0 or self.over or len(self._waiting) >= MOST_WAITING or len(self.out) > MOST_OUT_BYTES or not self._paid(now_ms):
            return False
        line = bytes(self._in[:end])
        del self._in[: end + 1]
        self.heard_ms = now_ms
        if line.strip():
            answer = desk.handle(line, self.caller, now_ms)
            self.subscribed |= answer.subscribe
            self._waiting.append(answer)
            self._finish()
        return True

    def tell(self, text: bytes) -> None:
        """Send a line that was not asked for; it is left out where the client has not taken the last one."""
        if not self.out and not self._waiting:
            self.out += text

    def sent(self, count: int, now_ms: int) -> None:
        """Forget ``count`` bytes that the client has taken."""
        if count:
            del self.out[:count]
            self.heard_ms = now_ms

    def judge(self, now_ms: int) -> None:
        """End it where the client neither asks nor takes what it asked for."""
        silent_ms = now_ms - self.heard_ms
        if self.out and silent_ms > STUCK_MS:
            self.over = self.over or f"the client takes nothing for {STUCK_MS // 1000} s"
        elif silent_ms > IDLE_MS and not self.subscribed:
            self.over = self.over or f"the client asks nothing for {IDLE_MS // 1000} s"

    def farewell(self) -> bytes:
        """Return why it is over, for a client that was not told yet and takes what it is sent; for others nothing."""
        if not self.over or self._told or self.out:
            return b""
        return line_of({"ok": False, "error": f"the daemon has closed the connection: {self.over}. Connect again."})

    def _finish(self) -> None:
        while self._waiting and (self._waiting[0].durable is None or self._waiting[0].durable.done()):
            self.out += finished(self._waiting.popleft())

    def _last(self, error: str) -> None:
        self.out += line_of({"ok": False, "error": error})
        self.over, self._told = error, True
        self._in.clear()

    def _paid(self, now_ms: int) -> bool:
        """Take the price of one request from what has been saved up."""
        self._spare_ms = min(BURST * REFILL_MS, self._spare_ms + now_ms - self._refilled_ms)
        self._refilled_ms = now_ms
        if self._spare_ms < REFILL_MS:
            return False
        self._spare_ms -= REFILL_MS
        return True


def line_of(data: object) -> bytes:
    """Return one line of JSON."""
    return json_of(data) + b"\n"
