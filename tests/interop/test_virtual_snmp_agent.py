"""net-snmp's tools against the virtual controller's agent: what others wrote reads, walks and writes it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from support_virtual import TABLE, Watched

from hardware.ntcip.objects import dotted
from hardware.ports import PortError
from hardware.virtual.snmp_agent import SnmpAgent

pytestmark = pytest.mark.tools("snmpget")  # snmpset and the walks come in the same package
PATTERN_CONTROL = TABLE.oid("systemPatternControl")
CYCLE = TABLE.oid("patternCycleTime", 6)
GREENS = TABLE.oid("phaseStatusGroupGreens", 1)


class Bench:
    """A controller, its agent, and net-snmp's tools pointed at it."""

    def __init__(self) -> None:
        self.watched = Watched()
        self.agent = SnmpAgent(self.watched.controller, community="secret")

    def ask(self, tool: str, *arguments: str, version: str = "1", community: str = "secret", wait_s: int = 10) -> subprocess.CompletedProcess[str]:
        head = [tool, "-v", version, "-c", community, "-r", "0", "-t", str(wait_s), "-On", "-Oq", f"127.0.0.1:{self.agent.port}"]
        return subprocess.run([*head, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def bench() -> Iterator[Bench]:
    one = Bench()
    yield one
    one.agent.close()


@pytest.mark.parametrize("version", ["1", "2c"])
class TestBothVersions:
    def test_several_objects_in_one_get(self, bench: Bench, version: str) -> None:
        bench.watched.run(20)
        found = bench.ask("snmpget", dotted(TABLE.oid("unitBackupTime")), dotted(GREENS), dotted(TABLE.oid("phaseConcurrency", 1)), version=version)
        assert [line.split(maxsplit=1)[1].strip() for line in found.stdout.splitlines()] == ["10", "34", '"05 06 "']

    def test_a_set_reaches_the_controller(self, bench: Bench, version: str) -> None:
        found = bench.ask("snmpset", dotted(PATTERN_CONTROL), "i", "1", dotted(CYCLE), "i", "90", version=version)
        assert found.returncode == 0
        assert (bench.watched.get("systemPatternControl"), bench.watched.get("patternCycleTime", 6)) == (1, 90)

    @pytest.mark.parametrize(
        ("oid", "kind", "value", "says"),
        [
            (dotted(PATTERN_CONTROL), "i", "300", {"1": "badValue", "2c": "wrongValue"}),
            (dotted(PATTERN_CONTROL), "s", "x", {"1": "badValue", "2c": "wrongValue"}),
            (dotted(GREENS), "i", "3", {"1": "noSuchName", "2c": "notWritable"}),
            (dotted((*GREENS[:-1], 9)), "i", "3", {"1": "noSuchName", "2c": "noCreation"}),
        ],
    )
    def test_a_set_that_fails_names_the_object_and_does_nothing(
        self, bench: Bench, version: str, oid: str, kind: str, value: str, says: dict[str, str]
    ) -> None:
        found = bench.ask("snmpset", dotted(CYCLE), "i", "90", oid, kind, value, version=version)
        assert says[version] in found.stderr
        assert f"Failed object: .{oid}" in found.stderr
        assert bench.watched.get("patternCycleTime", 6) == 0

    def test_a_walk_finds_what_the_controller_has(self, bench: Bench, version: str) -> None:
        found = bench.ask("snmpwalk" if version == "1" else "snmpbulkwalk", "1.3.6.1.4.1.1206", version=version)
        told = {line.split()[0].removeprefix(".") for line in found.stdout.splitlines() if line.startswith(".1.3.6.1.4.1.1206") and "No more" not in line}
        oid, held = (1, 3, 6, 1, 4), set()
        while (following := bench.watched.controller.get_next(oid)) is not None:
            oid = following[0]
            held.add(dotted(oid))
        assert told == held


def test_what_is_not_there_is_no_such_name(bench: Bench) -> None:
    assert "noSuchName" in bench.ask("snmpget", dotted((*GREENS[:-1], 9))).stderr
    assert "No Such Instance" in bench.ask("snmpget", dotted((*GREENS[:-1], 9)), version="2c").stdout


def test_it_answers_neither_another_community_nor_while_mute(bench: Bench) -> None:
    ask = "snmpget", dotted(GREENS)
    assert "Timeout" in bench.ask(*ask, community="public", wait_s=1).stderr
    bench.agent.mute = True
    assert "Timeout" in bench.ask(*ask, wait_s=1).stderr
    bench.agent.mute = False
    assert bench.ask(*ask).returncode == 0


def test_a_taken_port_is_told(bench: Bench) -> None:
    with pytest.raises(PortError, match=f"cannot listen at 127.0.0.1:{bench.agent.port}"):
        SnmpAgent(bench.watched.controller, port=bench.agent.port)
