"""The interlock around a port: frames, clocks, read-back, failing devices, reset."""

from __future__ import annotations

from typing import Any

import pytest

from hardware.fake import FakeHeads
from hardware.interlock import STALE_MS, Interlock, Phase, Rule
from hardware.ports import FrameRefusedError, Observation, PortError
from hardware.signals import Aspect, Frame, GroupKind, GroupSpec, SiteSpec

D, R, U, G, A, F = Aspect
SPEC = SiteSpec(
    "corner",
    (GroupSpec("A", GroupKind.VEHICLE, 5000, 3000), GroupSpec("B", GroupKind.VEHICLE, 5000, 3000)),
    {("A", "B"): 4000, ("B", "A"): 4000},
)


def running(now_ms: int = 10_000, *, blind: bool = False) -> tuple[Interlock, FakeHeads]:
    heads = FakeHeads(SPEC, blind=blind, first=R)
    interlock = Interlock(heads, SPEC, now_ms=0)
    for at_ms in (0, 3000, now_ms):
        interlock.show(Frame(at_ms, (R, R)), at_ms)
    return interlock, heads


def show(interlock: Interlock, now_ms: int, *aspects: Aspect) -> None:
    interlock.show(Frame(now_ms, aspects), now_ms)


def test_a_lawful_frame_reaches_the_heads_unchanged() -> None:
    interlock, heads = running()
    show(interlock, 10_000, G, R)
    assert heads.history[-1] == (10_000, (G, R))
    assert interlock.aspects == (G, R)
    assert interlock.phase is Phase.RUN
    assert (interlock.refusals, interlock.last_refusal) == (0, None)
    assert interlock.observe(10_001) == Observation(10_001, (G, R))


def test_a_refusal_is_raised_counted_and_ramped_down_until_resumed() -> None:
    interlock, heads = running()
    show(interlock, 10_000, G, R)
    with pytest.raises(FrameRefusedError, match=r"^interlock of corner at 11000 ms: conflict: group A: expected neither"):
        show(interlock, 11_000, G, G)
    assert heads.history[-1] == (11_000, (G, R)), "the minimum green is finished"
    assert interlock.refusals == 1
    assert interlock.last_refusal is not None
    assert interlock.last_refusal.rule is Rule.CONFLICT
    for now_ms, expected in ((14_999, (G, R)), (15_000, (A, R)), (17_999, (A, R)), (18_000, (R, R)), (90_000, (R, R))):
        show(interlock, now_ms, R, R)
        assert heads.history[-1].aspects == expected
    assert interlock.phase is Phase.LATCHED
    with pytest.raises(FrameRefusedError, match="latched: group B"):
        show(interlock, 90_000, R, G)
    interlock.resume(91_000)
    assert interlock.phase is Phase.START
    assert not interlock.ready(94_999)
    assert interlock.ready(95_000)
    show(interlock, 95_000, R, G)
    assert heads.history[-1].aspects == (R, G)
    assert interlock.refusals == 2


def test_stopping_on_purpose_is_the_ramp_without_a_refusal() -> None:
    interlock, heads = running()
    show(interlock, 10_000, G, R)
    for now_ms, expected in ((11_000, (G, R)), (15_000, (A, R)), (18_000, (R, R)), (21_999, (R, R))):
        assert not interlock.stop(now_ms)
        assert heads.history[-1].aspects == expected
        assert interlock.phase is Phase.LATCHED
    assert interlock.stop(22_000)
    assert interlock.refusals == 0
    with pytest.raises(FrameRefusedError, match="latched: group A"):
        show(interlock, 30_000, G, R)


def test_resume_is_refused_before_red_and_on_a_wrong_clock() -> None:
    interlock, _ = running()
    show(interlock, 10_000, G, R)
    with pytest.raises(FrameRefusedError, match="resume: group -: expected phase latched"):
        interlock.resume(10_000)
    with pytest.raises(FrameRefusedError):
        show(interlock, 16_000, R, R)
    with pytest.raises(FrameRefusedError, match=r"resume: group A: .* found AMBER"):
        interlock.resume(16_000)
    with pytest.raises(FrameRefusedError, match="clock"):
        interlock.resume(15_999)
    assert interlock.refusals == 4
    assert interlock.last_refusal is not None
    assert interlock.last_refusal.rule is Rule.CLOCK
    assert interlock.phase is Phase.LATCHED


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (None, "frame: group -: expected a Frame with a tuple of aspects and a whole number of milliseconds, found None"),
        ("rr", "frame: group -: expected a Frame with a tuple of aspects and a whole number of milliseconds, found 'rr'"),
        (Frame(10_000, [R, R]), "frame: group -: expected a Frame with a tuple"),  # type: ignore[arg-type]
        (Frame(10_000.0, (R, R)), "frame: group -: expected a Frame with a tuple"),  # type: ignore[arg-type]
        (Frame(True, (R, R)), "frame: group -: expected a Frame with a tuple"),
        (Frame(10_000, (R,)), "frame: group -: expected 2 aspects for site corner, found 1"),
        (Frame(10_000, (R, R, R)), "frame: group -: expected 2 aspects for site corner, found 3"),
        (Frame(10_000, (R, 1)), "frame: group B: expected an Aspect, found 1"),  # type: ignore[arg-type]
        (Frame(10_001, (R, R)), "stale frame: group -: expected a frame 0 to 500 ms old, found -1 ms"),
        (Frame(9499, (R, R)), "stale frame: group -: expected a frame 0 to 500 ms old, found 501 ms"),
    ],
)
def test_a_frame_that_is_none_or_comes_late_is_refused(frame: Any, text: str) -> None:
    interlock, heads = running()
    with pytest.raises(FrameRefusedError) as error:
        interlock.show(frame, 10_000)
    assert str(error.value).endswith(f"found {frame!r}") or isinstance(frame, Frame)
    assert str(error.value).startswith(f"interlock of corner at 10000 ms: {text}")
    assert interlock.phase is Phase.LATCHED
    assert heads.history[-1] == (10_000, (R, R))


def test_a_frame_may_be_as_old_as_allowed() -> None:
    interlock, heads = running()
    interlock.show(Frame(10_000, (G, R)), 10_000 + STALE_MS)
    assert heads.history[-1] == (10_500, (G, R))
    strict = Interlock(FakeHeads(SPEC), SPEC, now_ms=0, stale_ms=10)
    with pytest.raises(FrameRefusedError, match="expected a frame 0 to 10 ms old, found 11 ms"):
        strict.show(Frame(0, (R, R)), 11)


@pytest.mark.parametrize("now_ms", [9999, 10_000.0, True, None, float("nan")])
def test_a_clock_that_runs_backwards_or_is_no_number_is_refused(now_ms: Any) -> None:
    interlock, heads = running()
    with pytest.raises(FrameRefusedError, match="clock: group -: expected a whole number of milliseconds, at least 10000, found") as error:
        interlock.show(Frame(9999, (R, R)), now_ms)
    assert str(error.value).endswith(f"found {now_ms!r}")
    assert heads.history[-1].now_ms == 10_000, "the last good time goes on counting"
    assert interlock.phase is Phase.LATCHED
    assert interlock.ready(10_000)


def test_frames_carry_the_time_at_which_they_are_shown() -> None:
    taken = []

    class Recorder(FakeHeads):
        def show(self, frame: Frame, now_ms: int) -> None:
            taken.append((frame, now_ms))
            super().show(frame, now_ms)

    Interlock(Recorder(SPEC), SPEC, now_ms=0).show(Frame(900, (R, R)), 1000)
    assert taken == [(Frame(1000, (R, R)), 1000)]


def test_what_the_heads_show_is_read_when_the_first_frame_comes() -> None:
    heads = FakeHeads(SPEC, first=G)
    interlock = Interlock(heads, SPEC, now_ms=0)
    heads.force((R, A))
    show(interlock, 500, R, R)
    assert heads.history[-1].aspects == (R, A)
    show(interlock, 3499, R, R)
    assert heads.history[-1].aspects == (R, A)
    show(interlock, 3500, R, R)
    assert heads.history[-1].aspects == (R, R)
    assert interlock.refusals == 0


def test_time_may_stand_still() -> None:
    interlock, _ = running()
    show(interlock, 10_000, G, R)
    show(interlock, 10_000, G, R)
    assert interlock.refusals == 0


def test_heads_that_show_something_else_are_believed_and_ramped_down() -> None:
    interlock, heads = running()
    show(interlock, 10_000, G, R)
    heads.force((G, G))
    with pytest.raises(FrameRefusedError, match="read-back: group -: expected GREEN RED, found GREEN GREEN"):
        show(interlock, 10_001, G, R)
    assert heads.history[-1] == (10_001, (A, A)), "foreign greens end at once"
    assert interlock.phase is Phase.LATCHED


def test_only_groups_that_show_something_else_are_brought_to_red() -> None:
    interlock, heads = running()
    heads.force((R, G))
    with pytest.raises(FrameRefusedError, match="read-back: group -: expected RED RED, found RED GREEN"):
        show(interlock, 10_001, R, R)
    assert heads.history[-1] == (10_001, (R, A))


def test_what_was_latched_stays_latched_when_an_answer_is_lost() -> None:
    interlock, heads = running()
    show(interlock, 10_000, G, R)
    with pytest.raises(FrameRefusedError):
        show(interlock, 15_000, G, G)
    heads.drop_next = True
    with pytest.raises(PortError):
        show(interlock, 18_000, R, R)
    heads.force((R, A))
    show(interlock, 19_000, R, R)
    assert heads.history[-1].aspects == (R, A)
    assert interlock.phase is Phase.LATCHED


def test_what_changes_by_itself_while_we_start_is_refused() -> None:
    """Before the first frame the device knows better; from then on it has to show what it was given."""
    heads = FakeHeads(SPEC, first=R)
    interlock = Interlock(heads, SPEC, now_ms=0)
    show(interlock, 0, R, R)
    assert interlock.phase is Phase.START
    heads.force((R, G))
    with pytest.raises(FrameRefusedError, match="read-back: group -: expected RED RED, found RED GREEN"):
        show(interlock, 1_000, R, R)
    assert interlock.phase is Phase.LATCHED


def test_a_program_ended_while_it_shows_leaves_the_heads_in_doubt() -> None:
    class Ending(FakeHeads):
        ending = False

        def show(self, frame: Frame, now_ms: int) -> None:
            super().show(frame, now_ms)
            if self.ending:
                raise KeyboardInterrupt

    heads = Ending(SPEC, first=R)
    interlock = Interlock(heads, SPEC, now_ms=0)
    for at_ms in (0, 3000, 10_000):
        show(interlock, at_ms, R, R)
    heads.ending = True
    with pytest.raises(KeyboardInterrupt):
        show(interlock, 10_001, G, R)
    assert interlock.phase is Phase.START, "it begins again as after a failure"


def test_nonsense_that_is_read_back_counts_as_green() -> None:
    interlock, heads = running()
    heads.force(("x",))  # type: ignore[arg-type]
    with pytest.raises(FrameRefusedError, match="read-back: group -: expected RED RED, found x"):
        show(interlock, 10_001, R, R)
    assert heads.history[-1].aspects == (A, A)


def test_what_was_read_within_the_same_millisecond_may_be_older_than_the_frame() -> None:
    interlock, heads = running()
    heads.force((G, R))
    show(interlock, 10_000, R, R)
    assert interlock.refusals == 0


def test_a_device_that_leaves_us_is_refused() -> None:
    interlock, heads = running()
    heads.mode = "local"
    with pytest.raises(FrameRefusedError, match="device mode: group -: expected mode remote, found mode local"):
        show(interlock, 11_000, R, R)
    assert interlock.phase is Phase.LATCHED
    assert heads.history[-1] == (11_000, (R, R)), "what it shows is known"


def test_blind_heads_are_brought_to_red_over_amber() -> None:
    heads = FakeHeads(SPEC, blind=True)
    interlock = Interlock(heads, SPEC, now_ms=0)
    for now_ms in (0, 2999, 3000, 6999, 7000):
        show(interlock, now_ms, R, R)
    assert [aspects for _, aspects in heads.history] == [(A, A), (A, A), (R, R), (R, R), (R, R)]
    assert not interlock.ready(6999)
    show(interlock, 7000, G, R)
    assert heads.history[-1].aspects == (G, R)


def test_a_lost_answer_leaves_the_heads_in_doubt_until_red() -> None:
    interlock, heads = running(blind=True)
    heads.drop_next = True
    with pytest.raises(PortError, match="answer was lost"):
        show(interlock, 10_000, G, R)
    assert interlock.phase is Phase.START
    assert interlock.aspects == (G, R)
    show(interlock, 11_000, R, R)
    assert heads.history[-1].aspects == (A, R), "it may be green, so it gets its amber, at once"


def test_after_a_lost_answer_heads_that_can_be_read_are_believed() -> None:
    interlock, heads = running()
    heads.drop_next = True
    with pytest.raises(PortError):
        show(interlock, 10_000, G, R)
    heads.force((R, R))
    show(interlock, 11_000, R, R)
    assert heads.history[-1].aspects == (R, R)
    assert interlock.refusals == 0


def test_foreign_aspects_after_a_lost_answer_without_a_change_are_brought_to_red() -> None:
    interlock, heads = running()
    heads.drop_next = True
    with pytest.raises(PortError):
        show(interlock, 10_000, R, R)
    heads.force((G, R))
    show(interlock, 11_000, R, R)
    assert heads.history[-1].aspects == (A, R)
    assert interlock.refusals == 0


def test_a_refusal_counts_even_where_the_device_then_fails() -> None:
    interlock, heads = running()
    heads.drop_next = True
    with pytest.raises(PortError):
        show(interlock, 10_000, G, G)
    assert interlock.refusals == 1
    assert interlock.phase is Phase.LATCHED


@pytest.mark.parametrize("trouble", ["mute", "drop_next"])
@pytest.mark.parametrize("asked", [(G, R), (A, R)])
def test_a_device_that_failed_begins_again_from_red(trouble: str, asked: tuple[Aspect, Aspect]) -> None:
    """Whether or not the frame changed anything and was shown: nobody knows what the device did."""
    interlock, heads = running()
    show(interlock, 10_000, G, R)
    setattr(heads, trouble, True)
    with pytest.raises(PortError):
        show(interlock, 15_000, *asked)
    heads.mute = False
    assert interlock.phase is Phase.START
    for now_ms in (16_000, 19_000, 22_999):
        show(interlock, now_ms, R, R)
        assert not interlock.ready(now_ms)
    assert [aspects for _, aspects in heads.history[-3:]] == [(A, R), (R, R), (R, R)]
    show(interlock, 23_000, R, G)
    assert interlock.refusals == 0


def test_a_mute_device_stays_latched() -> None:
    interlock, heads = running()
    with pytest.raises(FrameRefusedError):
        show(interlock, 10_000, G, G)
    heads.mute = True
    with pytest.raises(PortError):
        show(interlock, 11_000, R, R)
    assert interlock.phase is Phase.LATCHED


def test_night_flashing_from_red_and_back() -> None:
    interlock, heads = running()
    show(interlock, 20_000, F, F)
    show(interlock, 30_000, D, F)
    for now_ms in (40_000, 43_000, 46_999):
        show(interlock, now_ms, R, R)
    assert [aspects for _, aspects in heads.history[-5:]] == [(F, F), (D, F), (A, A), (R, R), (R, R)]
    show(interlock, 47_000, G, R)
    assert interlock.refusals == 0
