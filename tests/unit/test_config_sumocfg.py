from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import ConfigError, ScenarioError
from scenarios.arguments import sumo_args
from scenarios.case import Case
from scenarios.config import SumoConfig, parse_time_s, read_config
from scenarios.gui_options import without_gui_options
from scenarios.user_files import additional_files
from scenarios.window import window_of


def write(tmp_path: Path, body: str) -> Path:
    (tmp_path / "n.net.xml").write_text("<net/>")
    (tmp_path / "r.rou.xml").write_text('<routes><trip id="a" depart="100" from="x" to="y"/><flow id="f" begin="0" end="0:10:00" number="4"/></routes>')
    (tmp_path / "a.add.xml").write_text("<additional/>")
    path = tmp_path / "u.sumocfg"
    path.write_text(f"<configuration>{body}</configuration>")
    return path


def config_of(tmp_path: Path, body: str) -> SumoConfig:
    return read_config(write(tmp_path, f'<net-file value="n.net.xml"/><route-files value="r.rou.xml"/>{body}'))


def case(tmp_path: Path, **changes: object) -> Case:
    return Case("u", "u.sumocfg", "fixed", str(tmp_path / "run"), **changes)  # type: ignore[arg-type]


def test_short_names_sections_and_lists_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UMLAUF_TEST_NAME", "a")
    path = write(tmp_path, '<input><n v="n.net.xml"/><r value="r.rou.xml"/></input><a value="${UMLAUF_TEST_NAME}.add.xml, a.add.xml"/><b value="0:01:00"/>')
    config = read_config(path)
    assert config.net == tmp_path / "n.net.xml"
    assert config.additional == (tmp_path / "a.add.xml",) * 2
    assert (config.begin_s, config.end_s, config.step_length_s) == (60.0, None, 1.0)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("0:01:30", 90.0), ("1:00:00:01.5", 86401.5)])
def test_times_as_sumo_writes_them(text: str, seconds: float) -> None:
    assert parse_time_s(text) == seconds


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", "expected one net-file, found 0"),
        ('<net-file value="gone.net.xml"/>', r"names .*gone\.net\.xml, which does not exist"),
        ('<net-file value="n.net.xml"/><route-files value="gone.rou.xml"/>', "route-files names"),
        ('<net-file value="n.net.xml"/><end value="soon"/>', "end is 'soon', expected seconds"),
    ],
)
def test_wrong_configurations_are_named(tmp_path: Path, body: str, expected: str) -> None:
    with pytest.raises(ScenarioError, match=expected):
        read_config(write(tmp_path, body))


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such file; give a catalogue name"):
        read_config(tmp_path / "absent.sumocfg")
    broken = tmp_path / "b.sumocfg"
    broken.write_text("<configuration><input>")
    with pytest.raises(ScenarioError, match="not readable as XML"):
        read_config(broken)


def test_options_that_drop_vehicles_are_overridden_and_reported(tmp_path: Path) -> None:
    config = config_of(tmp_path, '<max-depart-delay value="60"/><time-to-teleport value="120"/><scale value="1.5"/>')
    assert config.overridden() == {"time-to-teleport": "120 -> -1", "max-depart-delay": "60 -> -1"}
    text = " ".join(config.keep_everybody_args())
    assert "--max-depart-delay -1" in text
    assert "--time-to-teleport -1" in text
    assert "scale" not in text


def test_the_users_outputs_go_to_the_run_folder(tmp_path: Path) -> None:
    config = config_of(tmp_path, '<summary-output value="out/s.xml"/><log value="l.txt"/><tripinfo-output value="t.xml"/><output-prefix value="p_"/>')
    args, redirected = config.output_args(tmp_path / "run" / "user")
    assert args == ["--summary-output", str(tmp_path / "run/user/s.xml"), "--log", str(tmp_path / "run/user/l.txt"), "--output-prefix", ""]
    assert [text.split(" ")[0] for text in redirected] == ["summary-output", "log", "tripinfo-output", "output-prefix"]


def test_the_users_additional_files_stay_and_their_outputs_move(tmp_path: Path) -> None:
    plain, writing = tmp_path / "plain.add.xml", tmp_path / "writing.add.xml"
    plain.write_text('<additional><vType id="v"/></additional>')
    writing.write_text('<additional><edgeData id="e" file="edges.xml"/><rerouter id="r" file="in.xml"/><e1Detector id="d" file="NUL"/></additional>')
    loaded, redirected = additional_files([plain, writing], tmp_path / "user")
    assert loaded[0] == plain
    copy = loaded[1].read_text()
    assert loaded[1].parent == tmp_path / "user"
    assert f'file="{tmp_path / "user" / "edges.xml"}"' in copy
    assert f'file="{tmp_path / "in.xml"}"' in copy
    assert 'file="NUL"' in copy
    assert len(redirected) == 1


def test_legacy_insertion_and_our_files_are_on_the_command_line(tmp_path: Path) -> None:
    config = config_of(tmp_path, '<end value="500"/>')
    run = case(tmp_path, insertion="legacy", seed=7)
    args = sumo_args(run, config, window_of(run, config), [tmp_path / "a.add.xml", tmp_path / "ours.add.xml"])
    text = " ".join(args)
    assert "--default.departlane first --default.departspeed 0" in text
    assert f"--additional-files {tmp_path / 'a.add.xml'},{tmp_path / 'ours.add.xml'}" in text
    assert "--seed 7" in text
    assert "--end 500" in text
    assert "departlane" not in " ".join(sumo_args(case(tmp_path), config, window_of(run, config), []))


def test_without_an_end_a_run_is_capped_two_hours_after_the_last_departure(tmp_path: Path) -> None:
    config = config_of(tmp_path, "")
    window = window_of(case(tmp_path), config)
    assert (window.end_s, window.cap_s) == (None, 600.0 + 7200.0)
    with pytest.raises(ConfigError, match="correct --begin and --end"):
        window_of(case(tmp_path, begin_s=50.0, end_s=50.0), config)


def test_what_only_a_3d_window_knows_is_left_out_in_a_copy(tmp_path: Path) -> None:
    body = '<gui_only><gui-settings-file value="r.rou.xml"/><osg-view value="true"/></gui_only><a value="a.add.xml, a.add.xml"/><seed value="42"/>'
    config = config_of(tmp_path, body)
    before = config.path.read_bytes()
    (tmp_path / "run").mkdir()
    usable, notes = without_gui_options(config, tmp_path / "run")
    assert config.path.read_bytes() == before
    assert usable.path.parent == tmp_path / "run"
    assert notes == ["osg-view of u.sumocfg was left out, for this SUMO has no 3D view"]
    again = read_config(usable.path)
    assert (again.net, again.routes, again.additional) == (config.net, config.routes, config.additional)
    assert again.options["gui-settings-file"] == str(tmp_path / "r.rou.xml")
    assert again.options["seed"] == "42"
    assert "osg-view" not in again.options


def test_a_configuration_that_sumo_knows_is_used_as_it_is(tmp_path: Path) -> None:
    config = config_of(tmp_path, '<gui_only><delay value="20"/></gui_only>')
    assert without_gui_options(config, tmp_path / "run") == (config, [])
