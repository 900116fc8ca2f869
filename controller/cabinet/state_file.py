"""What must outlive a restart: the estimator's learned state, a refusal that nobody has looked at, an operator's override.

One JSON file with version and checksum, replaced whole (written beside, synced, renamed). One that is cut, changed, of another junction or
of another version is told and not used: the first guesses serve as well, only later. The disk is waited for in a thread of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from controller.cabinet.operated import Wish
from controller.errors import ConfigError
from controller.estimate import Learner
from controller.grid import Grid
from controller.supervisor import Event, Mode

if TYPE_CHECKING:
    from controller.cabinet.guard import Guard

VERSION: Final = 1
SAVE_MS: Final = 60_000
MOST_BYTES: Final = 5_000_000
_JOIN_S: Final = 5.0

State = Mapping[str, Any]


def read_state(path: Path, junction_hash: str) -> State | None:
    """Return the state that was written for this junction, None where there is no file. Raises `ConfigError` where it cannot be used."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path}: expected learned state, found {path.stat().st_size} bytes; it is not used")
        data = json.loads(path.read_bytes())
        state, checksum = data["state"], data["checksum"]
        if checksum != _checksum(state):
            raise ConfigError(f"{path}: the checksum is not that of the content; it is not used")
        if state["version"] != VERSION:
            raise ConfigError(f"{path}: expected version {VERSION}, found {state['version']}; it is not used")
        if state["junction"] != junction_hash:
            raise ConfigError(f"{path}: it was learned at another junction file; it is not used")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: expected learned state ({error!r}); it is not used") from error
    found: State = state
    return found


def write_state(path: Path, state: State) -> None:
    """Replace the file whole. Raises `OSError`; the old one then still stands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(json.dumps({"checksum": _checksum(state), "state": state}, allow_nan=False).encode())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def hash_of(text: str) -> str:
    """Return a short hash of a junction's text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _checksum(state: State) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class StateKeeper:
    """Recalls the state when it is made; called after each tick, it saves once a minute, when a refusal or an override comes or goes, and at the end."""

    def __init__(self, path: Path, guard: Guard, junction_hash: str, *, threaded: bool = True) -> None:
        self._path, self._guard, self._hash, self._threaded = path, guard, junction_hash, threaded
        self._grid = Grid(SAVE_MS)
        self._grid.due(guard.start_ms)
        self._wake = threading.Condition()
        self._next: State | None = None
        self._failed = ""
        self._told = ""
        self._closing = False
        self._recall()
        self._kept = self._urgent()
        self._thread = threading.Thread(target=self._work, name="state", daemon=True) if threaded else None
        if self._thread is not None:
            self._thread.start()

    def __call__(self, now_ms: int) -> None:
        """Save where that is due; tell once of a disk that does not take it."""
        urgent = self._urgent()
        if self._grid.due(now_ms) or urgent != self._kept:
            self._kept = urgent
            self._save()
        if self._failed != self._told:
            self._told = self._failed
            self._guard.tell("state", self._failed or "the learned state is saved again")

    def close(self) -> None:
        """Save a last time, within some seconds."""
        self._save()
        if self._thread is not None:
            with self._wake:
                self._closing = True
                self._wake.notify()
            self._thread.join(_JOIN_S)

    def _state(self) -> State:
        guard, estimator = self._guard, self._guard.control.estimator
        return {
            "version": VERSION,
            "junction": self._hash,
            "saved": guard.clock.utc().isoformat(),
            "learned": estimator.learned() if isinstance(estimator, Learner) else {},
            "detectors": guard.control.detection.learned(),
            **self._urgent(),
        }

    def _urgent(self) -> dict[str, Any]:
        supervisor = self._guard.control.nodes[0].supervisor
        wish, guard = supervisor.override_now, self._guard
        until = None if wish is None or guard.leaving else guard.clock.utc() + timedelta(milliseconds=wish.until_ms - guard.clock.now_ms())
        return {
            "refusal": Event.REFUSAL in supervisor.faults,
            "override": [str(wish.mode), until.isoformat(timespec="seconds"), wish.who, wish.why] if wish is not None and until is not None else None,
        }

    def _recall(self) -> None:
        guard = self._guard
        try:
            state = read_state(self._path, self._hash)
            if state is None:
                return
            saved = datetime.fromisoformat(state["saved"])
            age = guard.clock.utc() - saved
            if isinstance(guard.control.estimator, Learner):
                guard.control.estimator.recall(state["learned"], fresh=timedelta(0) <= age <= timedelta(minutes=10))
            if "detectors" in state:
                guard.control.detection.recall(state["detectors"])
            guard.tell("state", f"goes on with what was learned until {saved.isoformat(timespec='seconds')}")
            if state["refusal"]:
                guard.report(Event.REFUSAL, "a refusal stood before the restart, and nobody has reset it")
            if state["override"] is not None:
                self._recall_override(*state["override"])
        except (ConfigError, LookupError, TypeError, ValueError) as error:
            guard.tell("state", str(error))

    def _recall_override(self, mode: str, until: str, who: str, why: str) -> None:
        clock, end = self._guard.clock, datetime.fromisoformat(until)
        rest_ms = int((end - clock.utc()).total_seconds() * 1000)
        if rest_ms > 0:
            self._guard.override(Wish(Mode(mode), clock.now_ms() + rest_ms, end, who, why), clock.now_ms())

    def _save(self) -> None:
        state = self._state()
        if not self._threaded:
            self._try(state)
            return
        with self._wake:
            self._next = state
            self._wake.notify()

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._next is not None or self._closing)
                state, self._next = self._next, None
            if state is None:
                return
            self._try(state)

    def _try(self, state: State) -> None:
        try:
            write_state(self._path, state)
            self._failed = ""
        except (OSError, ValueError) as error:
            self._failed = f"{self._path}: the learned state cannot be saved ({error}); control goes on, and it is tried again"
