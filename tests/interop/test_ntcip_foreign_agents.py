"""Our transport and our driver against agents that others wrote: net-snmp's snmpd and snmpsim, read back by net-snmp's tools."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from support_agents import COMMUNITY, SYS_UP_TIME, snmpd, snmpsim
from support_ntcip import PHASES, TABLE, TableAgent, options, spec_of_two_rings
from support_tools import found

from controller.clock import SystemClock
from hardware.ntcip.access import Community
from hardware.ntcip.driver import NtcipDriver
from hardware.ntcip.objects import dotted
from hardware.ntcip.opening import open_driver
from hardware.ntcip.quirks import Quirks
from hardware.ntcip.snmp import SnmpTransport
from hardware.ntcip.transport import ErrorStatus, ObjectError
from hardware.ports import Actuation, CommandKind, ControllerCommand, PortError

pytestmark = pytest.mark.tools("snmpd", "snmpget")
AGENTS: dict[str, Callable[..., AbstractContextManager[int]]] = {"snmpd": snmpd, "snmpsim": snmpsim}
HOLD, OMIT = TABLE.oid("phaseControlGroupHold", 1), TABLE.oid("phaseControlGroupPhaseOmit", 1)
CLOCK = SystemClock()


@pytest.fixture(params=AGENTS, scope="module")
def agent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A foreign agent's name and port; it has the objects of the table agent."""
    with ExitStack() as stack:
        yield request.param, stack.enter_context(AGENTS[request.param](TableAgent().values, tmp_path_factory.mktemp(request.param)))


def read(port: int, *oids: Sequence[int]) -> list[str]:
    """Return values as net-snmp's snmpget reads them."""
    tool = found("snmpget")
    assert tool is not None
    command = [tool, "-v1", "-c", COMMUNITY, "-Oqvn", "-m", "", f"127.0.0.1:{port}", *(dotted(tuple(oid)) for oid in oids)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.split()


@pytest.mark.parametrize("version", ["1", "2c"])
def test_reading_writing_and_refusals(agent: tuple[str, int], version: str) -> None:
    name, port = agent
    transport = SnmpTransport("127.0.0.1", Community(COMMUNITY), Quirks(version=version, port=port))
    try:
        transport.set_many([(HOLD, 34), (OMIT, 136)])
        assert list(transport.get_many([HOLD, OMIT, TABLE.oid("unitBackupTime")])) == [34, 136, 30]
        assert read(port, HOLD, OMIT) == ["34", "136"]
        assert transport.get_many([TABLE.oid("phaseConcurrency", 2)]) == [bytes((5, 6))]
        up = transport.get_many([SYS_UP_TIME])[0]
        assert isinstance(up, int)
        with pytest.raises(ObjectError) as caught:
            transport.get_many([HOLD, TABLE.oid("splitTime", 9, 9)])
        assert caught.value.status is ErrorStatus.NO_SUCH_NAME
        if name == "snmpd":  # snmpsim names the first object, whichever is missing
            assert caught.value.oid == TABLE.oid("splitTime", 9, 9)
        with pytest.raises(ObjectError):
            transport.set_many([(SYS_UP_TIME, 5)])
    finally:
        transport.close()


def test_few_objects_per_request(agent: tuple[str, int]) -> None:
    transport = SnmpTransport("127.0.0.1", Community(COMMUNITY), Quirks(port=agent[1], objects_per_request=2))
    try:
        oids = [TABLE.oid("phaseMinimumGreen", p) for p in range(1, 9)]
        assert list(transport.get_many(oids)) == [5] * 8
        with pytest.raises(ObjectError, match="tooBig"):
            transport.set_many([(HOLD, 0)] * 3)
    finally:
        transport.close()


def test_another_community_is_no_answer_and_is_not_told(agent: tuple[str, int]) -> None:
    transport = SnmpTransport("127.0.0.1", Community("topsecret"), Quirks(port=agent[1]), timeout_ms=100, retries=0)
    try:
        with pytest.raises(PortError, match="community") as caught:
            transport.get_many([HOLD])
        assert "topsecret" not in str(caught.value)
    finally:
        transport.close()


def opened(agent: tuple[str, int], folder: Path, actuation: Actuation, **more: object) -> NtcipDriver:
    """Return the driver as the registry opens it, once it has read the agent."""
    secret = folder / "community"
    secret.write_text(COMMUNITY)
    secret.chmod(0o600)
    given = options(community_secret_file=str(secret), port=agent[1], actuation=actuation, **more)
    driver = open_driver(spec_of_two_rings(), given, CLOCK.now_ms)
    wait(lambda: driver.numbers()["ntcip_sweeps"] > 1)
    return driver


def wait(done: Callable[[], bool]) -> None:
    end_ms = CLOCK.now_ms() + 20_000
    while not done():
        assert CLOCK.now_ms() < end_ms, "nothing happened for 20 s"
        CLOCK.wait_until(CLOCK.now_ms() + 20)


def test_phase_control(agent: tuple[str, int], tmp_path: Path) -> None:
    driver = opened(agent, tmp_path, Actuation.PHASE_CONTROL)
    try:
        assert not driver.alarms()
        assert driver.differences() == ()
        for kind, groups in ((CommandKind.HOLD, ("V2", "V6")), (CommandKind.CALL, ("V4", "P2"))):
            now_ms = CLOCK.now_ms()
            driver.request(ControllerCommand(now_ms, kind, groups), now_ms)
        wait(lambda: read(agent[1], HOLD) == ["34"])
        wait(lambda: read(agent[1], TABLE.oid("phaseControlGroupVehCall", 1), TABLE.oid("phaseControlGroupPedCall", 1)) == ["8", "2"])
        assert driver.observe(CLOCK.now_ms()).mode == "remote"
    finally:
        driver.close()
    assert read(agent[1], HOLD, OMIT, TABLE.oid("phaseControlGroupVehCall", 1)) == ["0", "0", "0"]


@pytest.mark.parametrize("most", [0, 1])
def test_splits(agent: tuple[str, int], tmp_path: Path, most: int) -> None:
    driver = opened(agent, tmp_path, Actuation.SPLITS, objects_per_request=most)
    try:
        now_ms = CLOCK.now_ms()
        driver.request(ControllerCommand(now_ms, CommandKind.SPLITS, tuple(PHASES), (30_000 + 5_000 * most, 20_000, 30_000, 20_000, 30_000)), now_ms)
        number = TABLE.oid("systemPatternControl")
        wait(lambda: read(agent[1], number)[0] in ("47", "48"))
        pattern = int(read(agent[1], number)[0])
        found_s = read(agent[1], *(TABLE.oid("splitTime", pattern, p) for p in (2, 4, 6, 8)), TABLE.oid("patternCycleTime", pattern))
        assert list(map(int, found_s)) == [30 + 5 * most, 20, 30 + 5 * most, 20, 50 + 5 * most]
    finally:
        driver.close()
    assert read(agent[1], TABLE.oid("systemPatternControl")) == ["0"]
