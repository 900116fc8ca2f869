"""Due times on a fixed grid: who comes late is late, and the next due time stays where it was."""

from __future__ import annotations


class Grid:
    """Every ``interval_ms`` from the first question on, monotonic milliseconds."""

    def __init__(self, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.due_ms: int | None = None  # None: at once, and the grid begins there
        self.late_ms = 0  # how long after its due time the newest one was begun
        self.missed = 0  # due times that passed before anybody came

    def due(self, now_ms: int) -> bool:
        """Tell whether a due time has come, and go on to the next one after ``now_ms``."""
        due_ms = now_ms if self.due_ms is None else self.due_ms
        if now_ms < due_ms:
            return False
        self.late_ms = now_ms - due_ms
        over, rest_ms = divmod(self.late_ms, self.interval_ms)
        self.missed += over
        self.due_ms = now_ms + self.interval_ms - rest_ms
        return True

    def restart(self) -> None:
        """Begin a new grid with the next question."""
        self.due_ms = None
