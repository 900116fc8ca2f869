"""Messages between neighbours: what they say, how they travel, when they no longer count, and what is made of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support_control import belief
from support_neighbours import SPEED_M_S, WAY_M, pair

from controller.coordination import FORESEEN_MS, Coordination, Told
from controller.estimate import NEAR_M
from controller.neighbours import (
    SURE_LOST_MILLI_PER_S,
    SURE_MILLI,
    TELL_MS,
    VALID_MS,
    Mail,
    Message,
    Stored,
    Stream,
    message_of,
    message_text,
    sure_milli,
)
from controller.planner import Predicted
from controller.snapshot import Coming, SignalState, Snapshot
from scenarios.neighbour_link import DELAY_MS, PostOffice

pytestmark = pytest.mark.quick

numbers = st.integers(0, 100_000)
names = st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=3).map(tuple)
packets = st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 1000)), max_size=5)
streams = st.builds(
    lambda lanes, way, flow, of, held: Stream(lanes, way, flow, tuple(t for t, _ in of), tuple(w for _, w in of), held),
    *(names, numbers, numbers, packets, numbers),
)
messages = st.builds(
    lambda sender, made, some, stored: Message(sender, made, tuple(some), tuple(stored)),
    st.text(max_size=5),
    st.integers(0, 10**12),
    st.lists(streams, max_size=3),
    st.lists(st.builds(Stored, names, numbers, st.booleans(), st.booleans()), max_size=3),
)


@given(messages)
def test_a_message_read_back_is_the_same_message(message: Message) -> None:
    assert message_of(message_text(message)) == message


def test_a_message_of_before_they_told_who_is_held_can_be_read() -> None:
    text = '["a",9000,[[["n"],250,360,[2000],[700]]],[[["x"],3,true]]]'
    assert message_of(text) == Message("a", 9_000, (Stream(("n",), 250, 360, (11_000,), (700,)),), (Stored(("x",), 3, True),))


def test_a_message_arrives_after_its_delay_once() -> None:
    office = PostOffice(1, 0.0)
    first, second = office.port("first"), office.port("second")
    first.send("second", Message("first", 5_000))
    assert second.receive(5_000 + DELAY_MS - 1) == []
    assert second.receive(5_000 + DELAY_MS) == [Message("first", 5_000)]
    assert second.receive(10_000) == []
    assert first.receive(10_000) == []


def test_what_is_sent_to_nobody_is_lost() -> None:
    office = PostOffice(1, 0.0)
    office.port("first").send("nobody", Message("first", 0))
    assert office.port("nobody").receive(10_000) == []


def received(seed: int, loss_ratio: float, others: int = 0) -> list[int]:
    office = PostOffice(seed, loss_ratio)
    first, second, third = (office.port(name) for name in ("first", "second", "third"))
    for k in range(1_000):
        first.send("second", Message("first", k))
        for _ in range(others):
            third.send("second", Message("third", k))
    return [m.made_ms for m in second.receive(10_000) if m.sender == "first"]


def test_as_many_are_lost_as_the_link_loses_and_always_the_same() -> None:
    assert 850 < len(received(1, 0.1)) < 950
    assert received(1, 0.1) == received(1, 0.1, others=3), "what others send must change nothing"
    assert received(1, 0.1) != received(2, 0.1)
    assert len(received(1, 0.0)) == 1_000
    assert received(1, 1.0) == []


def test_only_the_newest_message_of_a_sender_counts_and_only_for_some_seconds() -> None:
    mail = Mail()
    mail.take([Message("b", 2_000), Message("a", 1_000), Message("b", 1_000)])
    assert mail.valid(2_000) == [Message("a", 1_000), Message("b", 2_000)]
    assert mail.valid(1_001 + VALID_MS) == [Message("b", 2_000)]
    assert mail.valid(2_001 + VALID_MS) == []
    assert mail.valid(1_999) == [Message("a", 1_000)], "a message from the future is none"


class Box:
    """A port whose arrivals the test puts in, and which keeps what is sent."""

    def __init__(self) -> None:
        self.inbox: list[Message] = []
        self.sent: list[tuple[str, Message]] = []

    def send(self, receiver: str, message: Message) -> None:
        self.sent.append((receiver, message))

    def receive(self, now_ms: int) -> list[Message]:
        found, self.inbox = [m for m in self.inbox if m.made_ms <= now_ms], []
        return found


class Plans:
    """A node that predicts what it is told."""

    def __init__(self, *predicted: Predicted) -> None:
        self._predicted = predicted

    def predicted(self) -> tuple[Predicted, ...]:
        return self._predicted


def told(flow_veh_h: int, *at_ms: int) -> Message:
    return Message("first", 9_000, (Stream(("n",), int(WAY_M), flow_veh_h, at_ms, (1_000,) * len(at_ms)),))


def replace_stream(message: Message, **changes: object) -> Message:
    return message._replace(streams=tuple(s._replace(**changes) for s in message.streams))


def second_hears(message: Message, now_ms: int = 10_000, **more: float) -> Coordination:
    box = Box()
    box.inbox.append(message)
    second = Coordination(pair()[1], box)
    assert second.receive(now_ms) == [message]
    return second


def beliefs(flow_veh_s: float = 0.1, **more: object) -> dict:
    return {"n": replace(belief(), flow_veh_s=flow_veh_s, known_ms=9_000, **more), "e": belief()}


def seen(now_ms: int, lanes: dict, green: str = "north") -> Snapshot:
    since = {"north": None, "east": None, "walk": None} | {green: now_ms - 5_000}
    return Snapshot(0, now_ms, SignalState(0, 0, now_ms, now_ms, since, {}), {}, lanes, frozenset())


TRAVEL_MS = int(1_000 * WAY_M / SPEED_M_S)


def test_what_a_neighbour_lets_go_comes_when_it_has_driven_here() -> None:
    second = second_hears(told(360, 11_000, 13_000))
    coming = second.told(beliefs(), 10_000)[0]
    assert list(coming) == ["n"]
    assert coming["n"].arrival_ms == (11_000 + TRAVEL_MS, 13_000 + TRAVEL_MS)
    assert coming["n"].weight_milli == (SURE_MILLI - 2 * SURE_LOST_MILLI_PER_S, SURE_MILLI - 4 * SURE_LOST_MILLI_PER_S), "the later, the less sure"
    assert (coming["n"].rest_ratio, coming["n"].told_ms) == (0.0, 9_000 + TRAVEL_MS)


def test_what_no_neighbour_tells_of_stays_an_even_flow_and_what_turns_off_before_is_left_out() -> None:
    more = second_hears(told(90, 11_000)).told(beliefs(), 10_000)[0]["n"]
    assert more.weight_milli == (sure_milli(2_000),)
    assert more.rest_ratio == pytest.approx(0.75)
    less = second_hears(told(720, 11_000)).told(beliefs(), 10_000)[0]["n"]
    assert less.weight_milli == (sure_milli(2_000) // 2,)
    assert less.rest_ratio == 0.0


def test_an_old_message_says_nothing() -> None:
    second = second_hears(told(360, 12_000))
    assert second.told(beliefs(), 9_000 + VALID_MS)[0]["n"].arrival_ms
    assert second.told(beliefs(), 9_001 + VALID_MS) == Told()


def test_a_message_on_lanes_that_do_not_exist_is_passed_over() -> None:
    second = second_hears(Message("first", 9_000, (Stream(("x",), 250, 360, (11_000,), (1_000,)),)))
    assert not second.told(beliefs(), 10_000)[0]
    second.tell([seen(10_000, beliefs())], [])


def test_departures_are_told_by_the_ways_that_are_green() -> None:
    box = Box()
    first = Coordination(pair()[0], box)
    lanes = {"n": replace(belief(), flow_veh_s=0.1), "e": replace(belief(), flow_veh_s=0.2)}
    first.tell([seen(10_000, lanes)], [Plans(Predicted("n", 10_000, [2_000, 4_000], [0, 1], ((0,), ())), Predicted("e", 10_000, [3_000], [1], ((), (0,))))])
    assert box.sent == [("second", Message("first", 10_000, (Stream(("n",), 250, 360, (12_000,), (1_000,)),)))]


def test_who_plans_nothing_tells_of_no_departures() -> None:
    box = Box()
    Coordination(pair()[0], box).tell([seen(10_000, beliefs())], [Plans()])
    assert box.sent == []


def test_who_is_fed_answers_how_full_it_is_and_the_feeder_knows_its_room() -> None:
    box = Box()
    box.inbox.append(told(360, 11_000))
    second = Coordination(pair()[1], box)
    second.receive(10_000)
    second.tell([seen(10_000, beliefs(arrival_ms=(1, 2, 3), weight=(1.0, 1.0, 0.9)))], [])
    ((receiver, answer),) = box.sent
    assert (receiver, answer.stored) == ("first", (Stored(("n",), 3, False),))
    back = Box()
    first = Coordination(pair()[0], back)
    back.inbox.append(answer)
    first.receive(11_000)
    assert first.told(beliefs(), 11_000)[1] == {"south": int(200.0 / 7.5) - 3}
    assert first.told(beliefs(), 10_001 + VALID_MS) == Told()
    back.inbox.append(Message("second", 16_000, (), (Stored(("n",), 3, True),)))
    first.receive(16_000)
    assert first.told(beliefs(), 16_000)[1] == {"south": 0}


def test_who_waits_for_room_is_told_of_and_stands_behind_the_lane_that_is_full() -> None:
    box = Box()
    first = Coordination(pair()[0], box)
    lanes = beliefs(queue_veh=3.5)
    plans = [Plans(Predicted("n", 10_000, [2_000], [0], ((0,),)))]
    for tick, closed in enumerate(({}, {"blocked_exits": frozenset({"south"})}, {"shut_exits": frozenset({"south"})})):
        first.tell([replace(seen(10_000 + tick * TELL_MS, lanes), **closed)], plans)
    assert [message.streams[0].held_milli for _, message in box.sent] == [0, 3_500, 3_500]
    heard = second_hears(replace_stream(told(360, 12_000), held_milli=3_500))
    assert heard.told(beliefs(), 10_000).coming["n"].held_milli == 3_500
    still = heard.told(beliefs(flow_veh_s=0.0), 10_000 + VALID_MS)
    assert still == Told(), "an old message says nothing"
    stands = second_hears(replace_stream(told(360), held_milli=3_500)).told(beliefs(flow_veh_s=0.0), 10_000)
    assert stands.coming["n"] == Coming((), (), 1.0, 0, 3_500), "also where nobody has moved for so long that there is no flow"


@pytest.mark.parametrize(("way_m", "shut"), [(NEAR_M, True), (NEAR_M + 1.0, False)])
def test_of_a_lane_some_metres_long_it_is_told_at_once_that_it_loses_green(way_m: float, shut: bool) -> None:
    box = Box()
    box.inbox.append(replace_stream(told(360, 11_000), way_m=way_m))
    second = Coordination(pair()[1], box)
    second.receive(10_000)
    for now_ms, green in ((10_000, "north"), (11_000, "east"), (12_000, "east"), (13_000, "north"), (14_000, "north")):
        second.tell([seen(now_ms, beliefs(), green)], [Plans(Predicted("n", now_ms, [5_000], [0], ((0,),)))])
    answers = [(message.made_ms, message.stored[0].shut) for _, message in box.sent]
    assert answers == ([(10_000, False), (11_000, True), (13_000, False)] if shut else [(10_000, False), (12_000, False), (14_000, False)])


def test_while_nobody_looks_ahead_no_lane_is_told_to_be_shut() -> None:
    """Local actuation gives green to those at its loops; it hears of nobody who waits for room, who then would wait for ever."""
    box = Box()
    box.inbox.append(replace_stream(told(360, 11_000), way_m=NEAR_M))
    second = Coordination(pair()[1], box)
    second.receive(10_000)
    second.tell([seen(10_000, beliefs(), "north")], [Plans(Predicted("n", 10_000, [5_000], [0], ((0,),)))])
    for now_ms in range(11_000, 60_000, 1_000):
        second.tell([seen(now_ms, beliefs(), "east")], [Plans()])
    shut_ms = [message.made_ms for _, message in box.sent if message.stored[0].shut]
    assert (shut_ms[0], shut_ms[-1]) == (11_000, 39_000)
    assert box.sent[-1][1].made_ms >= 58_000
    assert 10_000 + FORESEEN_MS < min(message.made_ms for _, message in box.sent if message.made_ms > 39_000) < 10_000 + FORESEEN_MS + 2_000


def test_nobody_is_sent_to_a_near_exit_while_it_is_told_to_be_shut() -> None:
    far, _ = pair()
    near = replace(far, exits=tuple(replace(x, onward=tuple(replace(way, way_m=NEAR_M) for way in x.onward)) for x in far.exits))
    for one, shut in ((far, frozenset()), (near, frozenset({"south"}))):
        box = Box()
        first = Coordination(one, box)
        box.inbox = [Message("second", 11_000, (), (Stored(("n",), 0, False, shut=True),))]
        first.receive(12_000)
        assert first.told(beliefs(), 12_000).shut == shut
        assert first.told(beliefs(), 11_001 + VALID_MS).shut == frozenset(), "who hears nothing plans as if there were no neighbour"
        box.inbox = [Message("second", 13_000, (), (Stored(("n",), 0, False),))]
        first.receive(14_000)
        assert first.told(beliefs(), 14_000).shut == frozenset()


def test_neighbours_are_told_every_two_seconds() -> None:
    box = Box()
    first = Coordination(pair()[0], box)
    for now_ms in range(10_000, 20_000, 1_000):
        first.tell([seen(now_ms, beliefs())], [Plans(Predicted("n", now_ms, [2_000], [0], ((0,),)))])
    assert [message.made_ms for _, message in box.sent] == [10_000, 12_000, 14_000, 16_000, 18_000]


def test_who_is_on_the_way_is_told_until_they_have_arrived() -> None:
    box = Box()
    first = Coordination(pair()[0], box)
    for now_ms in range(10_000, 40_000, 1_000):
        lanes = beliefs(last_leave_ms=min(now_ms, 13_000) - 400)
        first.tell([seen(now_ms, lanes)], [Plans(Predicted("n", now_ms, [5_000], [0], ((0,),)))])
    on_the_way = {message.made_ms: [t for t in message.streams[0].exit_ms if t <= message.made_ms] for _, message in box.sent}
    assert on_the_way[10_000] == [], "nobody has been seen to leave"
    assert on_the_way[12_000] == [10_600, 11_600]
    assert on_the_way[14_000] == [10_600, 11_600, 12_600]
    assert on_the_way[30_000] == [12_600], "the others have had the time to arrive"
    assert on_the_way[32_000] == []


def test_who_has_left_is_forgotten_though_nobody_predicts() -> None:
    """Under actuated or fixed control nothing is told of them, for as long as that lasts."""
    first = Coordination(pair()[0], Box())
    for now_ms in range(10_000, 1_000_000, 1_000):
        first.tell([seen(now_ms, beliefs(last_leave_ms=now_ms - 400))], [Plans()])
    assert 0 < sum(len(left) for left in first._left) < 40
