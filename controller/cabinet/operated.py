"""What an operator can ask of the guard: the seam between it and everybody who talks to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from controller.cabinet.site_models import Role
from controller.supervisor import Mode

OVERRIDES: Final = (Mode.FIXED, Mode.ACTUATED, Mode.CYCLE, Mode.ADAPTIVE, Mode.RELEASE, Mode.FLASH)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a name that the kernel or TLS vouches for, by which way, in which role; ``claims``: who it says that it acts for."""

    who: str
    via: str  # unix, tls
    role: Role
    claims: str = ""

    @property
    def name(self) -> str:
        """Return the name for records."""
        return f"{self.who} (for {self.claims})" if self.claims else self.who


@dataclass(frozen=True, slots=True)
class Wish:
    """An override: the mode, until when (monotonic for timing, UTC for records), by whom and why."""

    mode: Mode
    until_ms: int
    until: datetime
    who: str
    reason: str


class Operated(Protocol):
    """The guard's side. Each call returns what happened in one sentence and raises `UmlaufError` where it refuses; none may block."""

    def override(self, wish: Wish, now_ms: int) -> str:
        """Want another mode for a time, at all nodes."""
        ...

    def end_override(self, who: str, reason: str, now_ms: int) -> str:
        """Want the site's own mode again. Refuses where no override is in force."""
        ...

    def reset(self, who: str, reason: str, now_ms: int) -> str:
        """Go on after a refusal of the interlock. Refuses where none stands."""
        ...
