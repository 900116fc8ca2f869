"""SNMPv3 and IPv6: our transport, driver and agent against net-snmp's snmpd and snmpget, with right and wrong users."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support_agents import COMMUNITY, USER, free_port, snmpd
from support_ntcip import TABLE, TableAgent, options, spec_of_two_rings
from support_tools import found
from support_virtual import Watched

from controller.clock import SystemClock
from hardware.ntcip.access import AUTH_PROTOCOLS, Community, User, place_of
from hardware.ntcip.objects import dotted
from hardware.ntcip.opening import open_driver
from hardware.ntcip.quirks import Quirks
from hardware.ntcip.snmp import SnmpTransport
from hardware.ntcip.transport import OlderEngineError
from hardware.ports import Actuation, CommandKind, ControllerCommand, PortError
from hardware.virtual.snmp_agent import SnmpAgent

pytestmark = pytest.mark.tools("snmpd", "snmpget")
HOLD, OMIT = TABLE.oid("phaseControlGroupHold", 1), TABLE.oid("phaseControlGroupPhaseOmit", 1)
CLOCK = SystemClock()
SECRETS = (USER.auth_secret, USER.priv_secret, "wrong secret")


@pytest.fixture(params=["127.0.0.1", "::1"], scope="module")
def agent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Give address and port of snmpd."""
    with snmpd(TableAgent().values, tmp_path_factory.mktemp("snmpd"), request.param) as port:
        yield request.param, port


@contextmanager
def asked(host: str, port: int, access: Community | User = USER, **more: int) -> Iterator[SnmpTransport]:
    version = "3" if isinstance(access, User) else "2c"
    transport = SnmpTransport(host, access, Quirks(version=version, port=port), **{"timeout_ms": 300, "retries": 1, **more})
    try:
        yield transport
    finally:
        transport.close()


def test_a_user_reads_and_writes(agent: tuple[str, int]) -> None:
    with asked(*agent) as transport:
        transport.set_many([(HOLD, 34), (OMIT, 136)])
        assert list(transport.get_many([HOLD, OMIT])) == [34, 136]
        assert transport.get_many([TABLE.oid("phaseConcurrency", 2)]) == [bytes((5, 6))]
    with asked(*agent, Community(COMMUNITY)) as transport:
        assert list(transport.get_many([HOLD])) == [34]


@pytest.mark.parametrize(
    ("user", "says"),
    [
        (replace(USER, auth_secret="wrong secret"), "check auth_secret_file and auth_protocol"),
        (replace(USER, auth_protocol="SHA-512"), "check auth_secret_file and auth_protocol"),
        (replace(USER, name="nobody"), "it does not know the user; check user"),
        (replace(USER, priv_secret="wrong secret"), "no answer (No SNMP response received before timeout); check address, port, priv_secret_file"),
    ],
)
def test_who_is_not_let_in_is_told_why_and_no_secret_is(agent: tuple[str, int], user: User, says: str) -> None:
    with asked(*agent, user) as transport:
        for _ in range(2):
            with pytest.raises(PortError) as caught:
                transport.get_many([HOLD])
            assert says in str(caught.value)
            assert place_of(*agent) in str(caught.value)
    assert not any(secret in f"{caught.value} {user} {Community('wrong secret')}" for secret in SECRETS)


def test_secrets_may_hold_any_letters() -> None:
    for access in (replace(USER, auth_secret="Zwölf Boxkämpfer", priv_secret="für 12 €uro"), Community("Gemeinde für 12 €")):
        controller = Watched().controller
        one = SnmpAgent(controller, user=access) if isinstance(access, User) else SnmpAgent(controller, community=access.name)
        try:
            with asked("127.0.0.1", one.port, access) as transport:
                assert list(transport.get_many([TABLE.oid("unitBackupTime")])) == [10]
        finally:
            one.close()


def test_a_user_without_privacy_at_the_agent_is_told(tmp_path: Path) -> None:
    plain = free_port()
    (tmp_path / "plain").mkdir()
    config = tmp_path / "plain" / "snmpd.conf"
    config.write_text(f'agentaddress udp:127.0.0.1:{plain}\ncreateUser umlauf SHA-256 "{USER.auth_secret}"\nrwuser umlauf authNoPriv\n')
    daemon = found("snmpd")
    assert daemon is not None
    with subprocess.Popen(
        [daemon, "-f", "-LF", "d", str(tmp_path / "log"), "-C", "-c", str(config), "-I", "-smux"], env={"SNMP_PERSISTENT_DIR": str(tmp_path)}
    ) as process:
        try:
            with asked("127.0.0.1", plain, timeout_ms=500, retries=10) as transport, pytest.raises(PortError, match=r"authPriv"):
                transport.get_many([HOLD])
        finally:
            process.terminate()


def test_an_agent_that_restarts_or_is_replaced_is_heard_again(tmp_path: Path) -> None:
    values, port = TableAgent().values, free_port()
    for name in ("old", "new", "newest"):
        (tmp_path / name).mkdir()
    with asked("127.0.0.1", port) as transport:
        with snmpd(values, tmp_path / "old", port=port, boots=4):
            assert list(transport.get_many([HOLD])) == [0]
        with snmpd(values, tmp_path / "new", port=port, engine="80001f880302"):  # so quickly that no poll fell between
            with pytest.raises(PortError, match=r"no answer .* check address, port, priv_secret_file"):
                transport.get_many([HOLD])
            for _ in range(2):
                assert list(transport.get_many([HOLD])) == [0]
        with pytest.raises(PortError, match="no answer"):
            transport.get_many([HOLD])
        with snmpd(values, tmp_path / "new", port=port, engine="80001f880302"):  # the same, booted once more
            assert list(transport.get_many([HOLD])) == [0]
        with pytest.raises(PortError, match="no answer"):
            transport.get_many([HOLD])
        with snmpd(values, tmp_path / "old", port=port, boots=5):  # the first again, which has meanwhile booted once more
            assert list(transport.get_many([HOLD])) == [0]
        with snmpd(values, tmp_path / "newest", port=port, boots=1):  # another that calls itself the same, and begins its boots anew
            with pytest.raises(OlderEngineError, match=r"expected at least 6 boots of its engine 80001f880301, found 2; its answer is not used"):
                transport.get_many([HOLD])
            assert list(transport.get_many([HOLD])) == [0]


def wait(done: Callable[[], bool]) -> None:
    end_ms = CLOCK.now_ms() + 20_000
    while not done():
        assert CLOCK.now_ms() < end_ms, "nothing happened for 20 s"
        CLOCK.wait_until(CLOCK.now_ms() + 20)


def secret(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


def test_the_driver_commands_and_goes_on_without_the_right_secret(agent: tuple[str, int], tmp_path: Path) -> None:
    auth = secret(tmp_path, "auth", "wrong secret")
    given = options(
        host=place_of(*agent),
        profile="v3",
        user=USER.name,
        auth_secret_file=auth,
        priv_secret_file=secret(tmp_path, "priv", USER.priv_secret),
        community_secret_file="",
        actuation=Actuation.PHASE_CONTROL,
        hold_down_s=1,
    )
    driver = open_driver(spec_of_two_rings(), given, CLOCK.now_ms)
    try:
        wait(lambda: driver.numbers()["ntcip_failures"] > 1)
        with pytest.raises(PortError, match="check auth_secret_file"):
            driver.observe(CLOCK.now_ms())
        assert "wrong secret" not in "".join(alarm.text for alarm in driver.alarms())
    finally:
        driver.close()
    secret(tmp_path, "auth", USER.auth_secret)
    driver = open_driver(spec_of_two_rings(), given, CLOCK.now_ms)
    try:
        wait(lambda: driver.numbers()["ntcip_sweeps"] > 1 and not driver.alarms())
        wait(lambda: driver.observe(CLOCK.now_ms()).mode == "remote")
        now_ms = CLOCK.now_ms()
        driver.request(ControllerCommand(now_ms, CommandKind.HOLD, ("V2", "V6")), now_ms)
        with asked(*agent) as transport:
            wait(lambda: list(transport.get_many([HOLD])) == [34])
    finally:
        driver.close()


def test_the_driver_goes_on_within_few_polls_where_the_controller_was_replaced(tmp_path: Path) -> None:
    values, port = TableAgent().values, free_port()
    files = {name: secret(tmp_path, name, text) for name, text in (("auth_secret_file", USER.auth_secret), ("priv_secret_file", USER.priv_secret))}
    given = options(host=place_of("127.0.0.1", port), profile="v3", user=USER.name, community_secret_file="", hold_down_s=1, **files)
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    driver = open_driver(spec_of_two_rings(), given, CLOCK.now_ms)
    try:
        with snmpd(values, tmp_path / "old", port=port):
            wait(lambda: driver.numbers()["ntcip_sweeps"] > 1 and not driver.alarms())
        failures = driver.numbers()["ntcip_failures"]
        wait(lambda: driver.numbers()["ntcip_failures"] > failures)
        with snmpd(values, tmp_path / "new", port=port, engine="80001f880302"):
            sweeps, failures = (driver.numbers()[name] for name in ("ntcip_sweeps", "ntcip_failures"))
            wait(lambda: driver.numbers()["ntcip_sweeps"] > sweeps and not driver.alarms())
            assert driver.numbers()["ntcip_failures"] <= failures + 2
    finally:
        driver.close()


@pytest.mark.parametrize("text", ["short", ""])
def test_a_passphrase_that_no_agent_takes_is_told_before_anything_is_sent(tmp_path: Path, text: str) -> None:
    files = {name: secret(tmp_path, name, text) for name in ("auth_secret_file", "priv_secret_file")}
    with pytest.raises(PortError) as caught:
        open_driver(spec_of_two_rings(), options(profile="v3", user="umlauf", community_secret_file="", **files), CLOCK.now_ms)
    assert "expected" in str(caught.value)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("protocol", AUTH_PROTOCOLS)
def test_our_agent_speaks_v3_with_others_and_with_us(host: str, protocol: str) -> None:
    user = replace(USER, auth_protocol=protocol)
    one = SnmpAgent(Watched().controller, host=host, user=user)
    tool = found("snmpget")
    assert tool is not None
    try:
        head = [tool, "-v3", "-l", "authPriv", "-u", user.name, "-a", protocol, "-A", user.auth_secret, "-x", "AES", "-X", user.priv_secret]
        place = f"{'udp6' if ':' in host else 'udp'}:{place_of(host, one.port)}"
        backup = TABLE.oid("unitBackupTime")
        told = subprocess.run([*head, "-Oqvn", "-m", "", place, dotted(backup)], capture_output=True, text=True, check=True, timeout=20)
        assert told.stdout.strip() == "10"
        plain = subprocess.run([tool, "-v2c", "-c", "public", "-r0", "-t1", "-m", "", place, dotted(backup)], capture_output=True, text=True, check=False)
        assert "Timeout" in plain.stderr
        with asked(host, one.port, user) as transport:
            assert list(transport.get_many([backup])) == [10]
        with asked(host, one.port, replace(user, auth_secret="wrong secret")) as transport, pytest.raises(PortError, match="check auth_secret_file"):
            transport.get_many([backup])
    finally:
        one.close()
