"""Junction files: what is written reads back the same, and every fault of form is named with its key."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from support_nets import RESCO_NAMES, resco

from controller.errors import ConfigError
from controller.junction import GroupOffset, Transition
from controller.site import json_schema, parse_junction, read_junction, write_junction
from controller.site_text import format_junction
from scenarios.importer import import_lights


@pytest.fixture(scope="module")
def text() -> str:
    return format_junction(import_lights(resco("cologne1")).junctions[0], comments=["Imported by a test."])


@pytest.mark.parametrize("name", RESCO_NAMES)
def test_round_trip_of_every_resco_junction(name: str) -> None:
    for junction in import_lights(resco(name), rules="street").junctions:
        assert parse_junction(format_junction(junction)) == junction


def test_round_trip_of_everything_optional() -> None:
    junction = import_lights(resco("cologne1")).junctions[0]
    group = replace(junction.groups[0], max_green_ms=55_500, max_red_ms=120_000, red_amber_ms=1000, walk_ms=4000, clearance_ms=250, turn_on_red=True)
    node = replace(
        junction.nodes[0],
        transitions=(Transition("A", "C", ends=(GroupOffset("S3", 1500),), starts=(GroupOffset("S1", 9000),)), Transition("C", "B", allowed=False)),
    )
    odd = replace(
        junction,
        id='quotes " and \\ and \u007f and ü',
        groups=(group, *junction.groups[1:]),
        lanes=(replace(junction.lanes[0], person_weight=40.0), *junction.lanes[1:]),
        nodes=(node,),
        detectors=(replace(junction.detectors[0], place=None), *junction.detectors[1:]),
        permissions=(replace(junction.permissions[0], head_start_ms=2000), *junction.permissions[1:]),
    )
    assert parse_junction(format_junction(odd)) == odd


def test_file_round_trip(tmp_path: Path) -> None:
    junction = import_lights(resco("ingolstadt1")).junctions[0]
    path = tmp_path / "junction.toml"
    write_junction(junction, path, comments=["one\ntwo"])
    assert path.read_text(encoding="utf-8").startswith("# one\n# two\n")
    assert read_junction(path) == junction


def test_file_says_transitions_in_words(text: str) -> None:
    assert "#   A -> C: S3 ends 0, S4 ends 0, S1 starts 5, S2 starts 5" in text


def test_intergreens_stand_as_a_matrix_in_seconds(text: str) -> None:
    assert tomllib.loads(text)["intergreens_s"]["S1"] == {"S3": 5.0, "S4": 5.0}


FORM_FAULTS = {
    "unknown key": (('rules = "net"', 'rules = "net"\ncolour = "red"'), ("colour", "expected no such key", "'red'")),
    "unknown key inside": (('kind = "vehicle",', 'kind = "vehicle", hue = 3,'), ("groups[0].hue", "(S1)", "expected no such key")),
    "NaN": (("amber_s = 5.0", "amber_s = nan"), ("groups[0].amber_s", "(S1)", "finite", "nan")),
    "infinity": (("crossing_m = 10.87", "crossing_m = inf"), ("movements[0].crossing_m", "finite", "inf")),
    "negative time": (("min_green_s = 5.0", "min_green_s = -5.0"), ("groups[0].min_green_s", "0", "-5.0")),
    "negative intergreen": (("S1 = { S3 = 5.0", "S1 = { S3 = -5.0"), ("intergreens_s.S1.S3", "-5.0")),
    "missing key": (("share_ratio = 0.25, ", ""), ("movements[0].share_ratio", "expected a value, found none")),
    "text instead of a number": (("min_green_s = 5.0", 'min_green_s = "5"'), ("groups[0].min_green_s", "valid number", "'5'")),
    "number instead of a text": (('id = "S1", kind', "id = 7, kind"), ("groups[0].id", "valid string", "7")),
    "unknown kind": (('kind = "vehicle"', 'kind = "tank"'), ("groups[0].kind", "'vehicle'", "'tank'")),
    "date": (("amber_s = 5.0", "amber_s = 2020-01-01"), ("groups[0].amber_s", "2020-01-01")),
}


@pytest.mark.parametrize("name", FORM_FAULTS)
def test_fault_of_form(text: str, name: str) -> None:
    (old, new), needles = FORM_FAULTS[name]
    assert old in text
    with pytest.raises(ConfigError) as caught:
        parse_junction(text.replace(old, new, 1), where="x.toml")
    message = str(caught.value)
    assert message.startswith("x.toml: ")
    for needle in needles:
        assert needle in message


def test_all_faults_of_form_at_once(text: str) -> None:
    broken = text
    for (old, new), _ in (FORM_FAULTS[n] for n in ("unknown key", "infinity", "negative intergreen", "missing key")):
        broken = broken.replace(old, new, 1)
    with pytest.raises(ConfigError, match="4 faults"):
        parse_junction(broken)


def test_not_toml() -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        parse_junction("x = [")


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_unreadable_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "j.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="expected"):
        read_junction(path)


def test_unwritable_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_junction(import_lights(resco("cologne1")).junctions[0], tmp_path / "none" / "j.toml")


def test_json_schema_knows_the_keys() -> None:
    schema = json_schema()
    json.dumps(schema)
    assert schema["additionalProperties"] is False
    assert {"groups", "intergreens_s", "nodes"} <= set(schema["properties"])


def test_faults_of_form_do_not_hide_the_others(text: str) -> None:
    (name,) = re.findall(r"^(S\d+) = \{", text, re.MULTILINE)[:1]
    broken = re.sub(rf"^{name} = .*\n", "", text, count=1, flags=re.MULTILINE)
    broken = re.sub(r" amber_s = [\d.]+", " amber_s = nan", broken, count=1)
    with pytest.raises(ConfigError) as caught:
        parse_junction(f"colour = 3\n{broken}", where="x.toml")
    lines = str(caught.value).splitlines()
    assert lines[0] == f"x.toml: {len(lines) - 1} faults"
    told = "\n".join(lines[1:])
    assert "colour: expected no such key" in told
    assert "amber_s (S1): expected a finite number, found nan" in told
    assert f"intergreen {name} ->" in told


def test_what_hides_other_faults_says_so(text: str) -> None:
    with pytest.raises(ConfigError, match="1 fault; stages, intergreens and names are checked once these are mended"):
        parse_junction(re.sub(r" amber_s = [\d.]+", ' amber_s = "three"', text, count=1))


def test_a_site_file_in_its_place_is_named_with_the_junction_file_that_it_names() -> None:
    text = 'id = "market"\njunction = "corner.toml"\n[signals]\ndriver = "dry"\n'
    with pytest.raises(ConfigError, match=r"expected a junction file, found a site file\. Name the junction file that it names: corner\.toml"):
        parse_junction(text)
