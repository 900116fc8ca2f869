"""No frame, clock, failing device or foreign hand makes an unsafe output: an independent oracle watches the wrapped heads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support_safety_junctions import random_junction, spec_of_four
from support_safety_oracle import Oracle

from hardware.fake import FakeHeads
from hardware.interlock import Interlock, Phase
from hardware.ports import FrameRefusedError, PortError
from hardware.signals import Aspect, Frame, SiteSpec

NEXT = {
    Aspect.DARK: Aspect.AMBER,
    Aspect.RED: Aspect.GREEN,
    Aspect.RED_AMBER: Aspect.GREEN,
    Aspect.GREEN: Aspect.AMBER,
    Aspect.AMBER: Aspect.RED,
    Aspect.FLASHING_AMBER: Aspect.AMBER,
}


class Drive:
    """One interlock over fake heads, watched by the oracle."""

    def __init__(self, spec: SiteSpec, first: Aspect, *, blind: bool) -> None:
        self.spec = spec
        self.heads = FakeHeads(spec, first=first, blind=blind)
        self.now_ms = 0
        self.interlock = Interlock(self.heads, spec, now_ms=0)
        self.oracle = Oracle(spec)
        self.memory = self.oracle.begin(0, (first,) * len(spec.groups))
        self.watched = 0
        self.faults: list[str] = []

    def watch(self) -> None:
        for now_ms, aspects in self.heads.history[self.watched :]:
            faults, self.memory = self.oracle.watch(self.memory, aspects, now_ms)
            self.faults += faults
        self.watched = len(self.heads.history)

    def show(self, frame: Any, now_ms: int, trouble: str) -> None:
        self.heads.mute = trouble == "mute"
        self.heads.drop_next = trouble == "drop"
        before = self.interlock.refusals
        try:
            self.interlock.show(frame, now_ms)
        except FrameRefusedError:
            self.memory = self.oracle.refused(self.memory)
        except PortError:
            self.heads.mute = False
            if self.interlock.refusals > before:
                self.memory = self.oracle.refused(self.memory)
            self.watch()
            if self.interlock.phase is not Phase.RUN:
                self.memory = self.oracle.lost(self.memory)
        self.heads.mute = False
        self.watch()

    def resume(self) -> None:
        try:
            self.interlock.resume(self.now_ms)
        except FrameRefusedError:
            return
        self.memory = self.oracle.resumed(self.memory, self.now_ms)

    def lawful(self, wishes: list[int]) -> tuple[Aspect, ...]:
        """Return a frame that follows the aspect order for the groups wished for, so that more than refusals is reached."""
        aspects = list(self.interlock.aspects)
        for i, group in enumerate(self.spec.groups):
            if wishes[i % len(wishes)] != 1:
                continue
            new = NEXT[aspects[i]]
            if new is Aspect.GREEN and group.red_amber_ms and aspects[i] is Aspect.RED:
                new = Aspect.RED_AMBER
            if new is Aspect.AMBER and not group.amber_ms:
                new = Aspect.RED
            aspects[i] = new
        return tuple(aspects)


moves = st.lists(
    st.tuples(
        st.sampled_from((0, 100, 1000, 1000, 2000, 3000, 9000, -1)),
        st.one_of(
            st.lists(st.integers(0, 3), min_size=1, max_size=5),
            st.lists(st.integers(0, 3), min_size=1, max_size=5),
            st.sampled_from(("red", "red", "red", "dark", "resume", "tamper", "nonsense")),
            st.lists(st.sampled_from(Aspect), min_size=0, max_size=5).map(tuple),
        ),
        st.sampled_from(("", "", "", "", "", "mute", "drop", "old", "future")),
    ),
    min_size=5,
    max_size=60,
)


def play(drive: Drive, script: list[tuple[int, Any, str]]) -> None:
    count = len(drive.spec.groups)
    red = (Aspect.RED,) * count
    for _ in range(8):  # past the start, so that the script meets running signals
        drive.show(Frame(drive.now_ms, red), drive.now_ms, "")
        drive.now_ms += 2000
    for wait_ms, what, trouble in script:
        now_ms = drive.now_ms + wait_ms
        drive.now_ms = max(now_ms, drive.now_ms)
        at_ms = now_ms + {"old": -501, "future": 1}.get(trouble, 0)
        if what == "resume":
            drive.resume()
        elif what == "tamper":
            drive.now_ms += 1  # within the same millisecond nobody could tell it from the frame before
            drive.heads.force((Aspect.GREEN,) * count)
            drive.memory = replace(drive.oracle.begin(drive.now_ms), latched=drive.memory.latched)
            if drive.heads.blind:
                return  # nobody could know
        elif what == "nonsense":
            for frame in (None, "rrr", Frame(now_ms, ("r",) * count), Frame(now_ms, list(red)), Frame(True, red), Frame(now_ms, (3,) * count)):  # type: ignore[arg-type]
                drive.show(frame, now_ms, trouble)
        else:
            aspects = {"red": red, "dark": (Aspect.DARK,) * count}.get(what) if isinstance(what, str) else what
            drive.show(Frame(at_ms, drive.lawful(what) if isinstance(what, list) else aspects), now_ms, trouble)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    spec=st.one_of(st.just(spec_of_four()), random_junction().map(lambda j: j.site_spec())), first=st.sampled_from(Aspect), blind=st.booleans(), script=moves
)
def test_nothing_unsafe_reaches_the_heads(spec: SiteSpec, first: Aspect, blind: bool, script: list[tuple[int, Any, str]]) -> None:
    drive = Drive(spec, first, blind=blind)
    play(drive, script)
    assert drive.faults == []


@settings(max_examples=60, deadline=None)
@given(script=moves)
def test_after_any_history_red_and_resume_lead_back_to_work(script: list[tuple[int, Any, str]]) -> None:
    drive = Drive(spec_of_four(), Aspect.RED, blind=False)
    play(drive, script)
    red = (Aspect.RED,) * 4
    for _ in range(2):
        for _ in range(20):
            drive.now_ms += 1000
            drive.show(Frame(drive.now_ms, red), drive.now_ms, "")
        drive.resume()
    drive.watch()
    for _ in range(5):
        drive.now_ms += 1000
        drive.show(Frame(drive.now_ms, red), drive.now_ms, "")
    green = (Aspect.RED, Aspect.RED, Aspect.GREEN, Aspect.RED)
    drive.show(Frame(drive.now_ms, green), drive.now_ms, "")
    assert drive.interlock.phase is Phase.RUN
    assert drive.interlock.aspects == green
    assert drive.faults == []
