"""The object table: places, instances, overrides."""

from __future__ import annotations

import pytest

from hardware.ntcip.objects import STANDARD, ObjectTable, dotted, parse_oid
from hardware.ports import PortError

TABLE = ObjectTable()


@pytest.mark.parametrize(
    ("name", "index", "expected"),
    [
        ("phaseControlGroupHold", (1,), "1.3.6.1.4.1.1206.4.2.1.1.5.1.4.1"),
        ("systemPatternControl", (), "1.3.6.1.4.1.1206.4.2.1.4.14.0"),
        ("unitBackupTime", (), "1.3.6.1.4.1.1206.4.2.1.3.3.0"),
        ("splitTime", (3, 8), "1.3.6.1.4.1.1206.4.2.1.4.9.1.3.3.8"),
        ("vehicleDetectorControlGroupActuation", (2,), "1.3.6.1.4.1.1206.4.2.1.2.12.1.2.2"),
        ("dbCreateTransaction", (), "1.3.6.1.4.1.1206.4.2.6.2.1.0"),
        ("sysUpTime", (), "1.3.6.1.2.1.1.3.0"),
    ],
)
def test_places(name: str, index: tuple[int, ...], expected: str) -> None:
    oid = TABLE.oid(name, *index)
    assert dotted(oid) == expected
    found = TABLE.find(oid)
    assert found is not None
    assert (found[0].name, found[1]) == (name, index)


def test_names_and_places_are_unique_and_ranges_make_sense() -> None:
    assert len({s.name for s in STANDARD}) == len({s.oid for s in STANDARD}) == len(STANDARD)
    assert all(s.low <= s.high for s in STANDARD)
    assert all(s.writable for s in STANDARD if s.system)


@pytest.mark.parametrize("oid", ["1.3.6.1.4.1.1206.4.2.1.4.14.1", "1.3.6.1.4.1.1206.4.2.1.4.14", "1.3.6.1.4.1.1206.4.2.1.4.9.1.3.3", "1.2"])
def test_no_instance_of_anything(oid: str) -> None:
    assert TABLE.find(parse_oid(oid)) is None
    assert TABLE.name(parse_oid(oid)) == oid


def test_an_override_moves_an_object() -> None:
    table = ObjectTable({"phaseControlGroupForceOff": "1.3.6.1.4.1.1206.4.2.1.1.4.1.1"})
    assert dotted(table.oid("phaseControlGroupForceOff", 1)) == "1.3.6.1.4.1.1206.4.2.1.1.4.1.1.1"
    assert table.find(TABLE.oid("phaseControlGroupForceOff", 1)) is None


@pytest.mark.parametrize(
    ("name", "text", "match"), [("noSuch", "1.3", "expected one of"), ("phaseWalk", "1.x", "expected numbers"), ("phaseWalk", "", "expected numbers")]
)
def test_a_wrong_override_is_refused(name: str, text: str, match: str) -> None:
    with pytest.raises(PortError, match=match):
        ObjectTable({name: text})


def test_a_wrong_number_of_indices_is_refused() -> None:
    with pytest.raises(PortError, match="expected 2 index numbers, found 1"):
        TABLE.oid("splitTime", 1)
