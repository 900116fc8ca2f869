"""The options of a Modbus bus as a site file states them: read as written, and refused with what was expected and found."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from controller.cabinet.site_drivers import DriverChoice, choose, named
from controller.cabinet.site_models import InputModel
from hardware.loops.modbus import ModbusOptions
from hardware.registry import INPUTS

BUS = """
driver = "modbus"
[options]
port = "/dev/ttyUSB0"
baud = 19200
units = [
  { unit = 1, detectors = { 1 = "D1" } },
  { unit = 9, profile = "digital", detectors = { 1 = "D2", 4 = "D3" }, first = 16, inverted = [4], counters = { 1 = 100 } },
]
"""


def choice(text: str) -> DriverChoice | list[str]:
    data: dict[str, Any] = tomllib.loads(text)
    return choose(InputModel.model_validate(data), INPUTS, ("inputs", 0), Path())


def test_a_site_file_states_the_bus() -> None:
    found = choice(BUS)
    assert isinstance(found, DriverChoice)
    options = found.options
    assert isinstance(options, ModbusOptions)
    assert (options.port, options.baud, options.parity, options.stop_bits) == ("/dev/ttyUSB0", 19200, "N", 1)
    assert [dict(unit.detectors) for unit in options.units] == [{1: "D1"}, {1: "D2", 4: "D3"}]
    assert options.units[1].inverted == (4,)
    assert named(found, "sources") == ("D1", "D2", "D3")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("19200", "19", "baud: expected 50 to 4000000, found 19"),
        ("baud = 19200", 'parity = "M"', "parity: expected one of N, E, O, found 'M'"),
        ("baud = 19200", "stop_bits = 3", "stop_bits: expected 1 or 2, found 3"),
        ("baud = 19200", "timeout_ms = 0", "timeout_ms: expected 10 to 10000, found 0"),
        ("baud = 19200", "speed = 1", "speed"),
        ('"/dev/ttyUSB0"', '""', "port: expected a device"),
        ("unit = 9", "unit = 1", "unit 1: expected once, found twice"),
        ("unit = 9", "unit = 0", "unit 0: expected a number of 1 to 254"),
        ('"D3"', '"D1"', "detector D1: expected once, found twice"),
        ("inverted = [4]", "inverted = [5]", r"unit 9: inverted: expected channels out of \[1, 4\], found \[5\]"),
        ('1 = "D1"', '2 = "D1"', r"unit 1: expected channels of 1 to 1, found \[2\]"),
        ('{ 1 = "D1" }', "{ }", "unit 1: expected detectors by channel"),
        ("first = 16", "first = 65535", "unit 9: expected addresses of 0 to 65535"),
        ('profile = "digital"', 'profile = "ld120"', "unit 9: expected channels of 1 to 1"),
        ('profile = "digital"', 'profile = "ld121"', "profile"),
    ],
)
def test_what_cannot_be_meant_is_refused(old: str, new: str, message: str) -> None:
    assert old in BUS
    found = choice(BUS.replace(old, new))
    assert isinstance(found, list)
    assert len(found) == 1

    assert re.search(message, found[0]), found


def test_the_tables_of_the_docs_are_read_as_written() -> None:
    page = (Path(__file__).parents[2] / "docs" / "hardware" / "detectors.md").read_text(encoding="utf-8")
    blocks = re.findall(r"((?:^    .*\n|^\n)+)", page, re.MULTILINE)
    text = next(block for block in blocks if "[[inputs]]" in block)
    tables = tomllib.loads(re.sub(r"^    ", "", text, flags=re.MULTILINE))["inputs"]
    found = [choose(InputModel.model_validate(table), INPUTS, ("inputs", place), Path()) for place, table in enumerate(tables)]
    assert [one.driver for one in found if isinstance(one, DriverChoice)] == ["modbus", "canoga", "ab3418"]
    assert set(INPUTS) >= {"modbus", "canoga", "ab3418"}
