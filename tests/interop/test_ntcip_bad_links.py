"""Our transport before an agent whose datagrams are lost, late, doubled, cut, noise, or another's: an answer is right, or there is none."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest
from support_agents import Proxy, Spoil
from support_ntcip import TABLE, OverSnmp, TableAgent

from hardware.ntcip.access import Community
from hardware.ntcip.objects import Oid, Value
from hardware.ntcip.quirks import Quirks
from hardware.ntcip.snmp import SnmpTransport
from hardware.ntcip.transport import ErrorStatus, NoAnswerError, ObjectError
from hardware.ports import PortError
from hardware.virtual.snmp_agent import SnmpAgent

BACKUP, HOLD = TABLE.oid("unitBackupTime"), TABLE.oid("phaseControlGroupHold", 1)


def spoil_of(name: str) -> Spoil:
    """Return one way to spoil answers; ``old`` holds what was answered before."""
    old: list[bytes] = [b""]

    def lost(data: bytes, dice: random.Random) -> list[tuple[float, bytes]]:
        return [] if dice.random() < 0.5 else [(0, data)]

    def late(data: bytes, dice: random.Random) -> list[tuple[float, bytes]]:
        return [(dice.choice((0.0, 0.35)), data)]

    def doubled(data: bytes, dice: random.Random) -> list[tuple[float, bytes]]:
        return [(0, data), (0, data), (0.05, data)]

    def noisy(data: bytes, dice: random.Random) -> list[tuple[float, bytes]]:
        return [(0, dice.randbytes(dice.randint(1, 200))), (0, data[: dice.randint(1, len(data) - 1)]), (0.02, data)]

    def stale(data: bytes, dice: random.Random) -> list[tuple[float, bytes]]:
        before, old[0] = old[0], data
        return [(0, before), (0.03, data)] if before else [(0, data)]

    def flipped(data: bytes, dice: random.Random) -> list[tuple[float, bytes]]:
        at = dice.randrange(len(data))
        return [(0, data[:at] + bytes((data[at] ^ 1 << dice.randrange(8),)) + data[at + 1 :]), (0.02, data)]

    ways: Mapping[str, Spoil] = {"lost": lost, "late": late, "doubled": doubled, "noisy": noisy, "stale": stale, "flipped": flipped}
    return ways[name]


@pytest.fixture
def tree() -> TableAgent:
    return TableAgent()


@pytest.fixture
def link(tree: TableAgent) -> Iterator[Callable[[str], SnmpTransport]]:
    """Return what makes a transport whose answers are spoiled."""
    agent, parts = SnmpAgent(tree, community="secret"), []

    def make(name: str) -> SnmpTransport:
        proxy = Proxy(agent.port, spoil_of(name))
        transport = SnmpTransport("127.0.0.1", Community("secret"), Quirks(port=proxy.port), timeout_ms=200, retries=4)
        parts.extend([transport, proxy])
        return transport

    yield make
    for part in parts:
        part.close()
    agent.close()
    assert not [t for t in threading.enumerate() if t.name in ("snmp", "snmp agent", "proxy")]


@pytest.mark.parametrize("name", ["lost", "late", "doubled", "noisy", "stale"])
def test_every_answer_is_the_right_one(name: str, tree: TableAgent, link: Callable[[str], SnmpTransport]) -> None:
    transport, unanswered = link(name), 0
    for k in range(25):
        tree.put("unitBackupTime", k)
        try:
            assert list(transport.get_many([BACKUP])) == [k]
            transport.set_many([(HOLD, k)])
        except NoAnswerError:
            unanswered += 1
        else:
            assert tree.value("phaseControlGroupHold", 1) == k
    assert unanswered <= 3


def test_a_flipped_bit_is_no_crash(tree: TableAgent, link: Callable[[str], SnmpTransport]) -> None:
    """UDP's checksum keeps most of them away; what passes may be a wrong value, which ranges and the next sweep must find."""
    transport, right = link("flipped"), 0
    for _ in range(60):
        try:
            right += list(transport.get_many([BACKUP, HOLD])) == [30, 0]
        except PortError:
            continue
    assert right > 20


@pytest.mark.parametrize("version", ["1", "2c"])
def test_a_silent_agent_is_no_answer_within_its_time(tree: TableAgent, version: str) -> None:
    transport = OverSnmp(tree, Quirks(version=version), timeout_ms=100, retries=1)
    try:
        transport.agent.mute = True
        with pytest.raises(NoAnswerError, match="check address, port, SNMP version, community and cable"):
            transport.get_many([BACKUP])
        transport.agent.mute = False
        assert list(transport.get_many([BACKUP])) == [30], "an answer of before is not taken for this one"
    finally:
        transport.close()


def test_nobody_listens_there() -> None:
    transport = SnmpTransport("127.0.0.1", Community("secret"), Quirks(port=1), timeout_ms=100, retries=0)
    try:
        with pytest.raises(NoAnswerError):
            transport.get_many([BACKUP])
    finally:
        transport.close()


def test_the_engine_is_made_with_the_first_request(tree: TableAgent) -> None:
    transport = OverSnmp(tree)
    try:
        assert transport._engine is None
        assert list(transport.get_many([BACKUP])) == [30]
        engine = transport._engine
        assert list(transport.get_many([BACKUP])) == [30]
        assert transport._engine is engine
    finally:
        transport.close()


def test_a_name_that_nobody_knows_yet_is_told_and_looked_up_again(tree: TableAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = OverSnmp(tree)
    transport = SnmpTransport("late.example.invalid", Community("secret"), Quirks(port=agent.agent.port))
    try:
        with pytest.raises(NoAnswerError, match="check address"):
            transport.get_many([BACKUP])

        async def known(host: str, port: int, **_kind: int) -> list[tuple[object, ...]]:
            return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", port))]

        monkeypatch.setattr(transport._loop, "getaddrinfo", known)
        assert list(transport.get_many([BACKUP])) == [30]
    finally:
        transport.close()
        agent.close()


class OtherTypes(TableAgent):
    """Answers a number with octets, and the other way round."""

    def get(self, oid: Oid) -> Value:
        value = super().get(oid)
        return value if oid == BACKUP else b"\x05" if isinstance(value, int) else 5


def test_other_types_are_told_apart() -> None:
    transport = OverSnmp(OtherTypes())
    try:
        assert list(transport.get_many([HOLD, TABLE.oid("phaseConcurrency", 2), BACKUP])) == [b"\x05", 5, 30]
    finally:
        transport.close()


def test_an_agent_that_takes_few_objects_is_asked_for_fewer(tree: TableAgent) -> None:
    transport = OverSnmp(tree, Quirks(version="2c"))
    few = SnmpTransport("127.0.0.1", Community("secret"), Quirks(port=transport.agent.port))
    ask, sizes = few._ask, []

    async def limited(oids: object) -> list[Value]:
        sizes.append(len(oids))  # type: ignore[arg-type]
        if len(oids) > 5:  # type: ignore[arg-type]
            raise ObjectError(ErrorStatus.TOO_BIG)
        return await ask(oids)  # type: ignore[arg-type]

    few._ask = limited  # type: ignore[method-assign, assignment]
    try:
        oids = [TABLE.oid("phaseMinimumGreen", p) for p in range(1, 9)] * 3
        assert list(few.get_many(oids)) == [5] * 24
        assert sizes == [24, 12, 6, *([3] * 8)]
        assert few.most_per_request == 3
    finally:
        few.close()
        transport.close()


def test_scalars_without_their_instance(tree: TableAgent) -> None:
    tree.values[BACKUP[:-1]] = tree.values.pop(BACKUP)
    transport = OverSnmp(tree, bare=frozenset((BACKUP,)))
    try:
        assert list(transport.get_many([BACKUP, HOLD])) == [30, 0]
    finally:
        transport.close()


def test_thousands_of_requests_leave_nothing_behind(tree: TableAgent) -> None:
    """One engine is used for ever; pysnmp must not keep what it has answered."""
    transport = OverSnmp(tree)
    try:
        import gc

        transport.get_many([BACKUP])
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(1_000):
            transport.get_many([BACKUP])
        gc.collect()
        assert len(gc.get_objects()) - before < 3_000, "a leak of three objects a request"
    finally:
        transport.close()
