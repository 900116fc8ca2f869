"""``umlauf junction import`` and ``umlauf check`` as a user types them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support_nets import resco, tiny_net

from controller.cli import main
from controller.site import read_junction

GOOD = ["30 Grg", "3 yry", "20 rGr", "3 ryr"]


def test_import_then_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "j.toml"
    assert main(["junction", "import", str(resco("cologne1")), "-o", str(out)]) == 0
    assert main(["check", str(out)]) == 0
    assert "4 groups, 8 lanes, 4 stages" in capsys.readouterr().out


def test_import_from_a_configuration_takes_its_programmes(tmp_path: Path) -> None:
    tiny_net(tmp_path / "n.net.xml", GOOD)
    (tmp_path / "own.add.xml").write_text(
        '<add><tlLogic id="J" programID="mine"><phase duration="12" state="GrG"/><phase duration="15" state="rGr"/></tlLogic></add>'
    )
    config = tmp_path / "n.sumocfg"
    config.write_text('<configuration><net-file value="n.net.xml"/><additional-files value="own.add.xml"/></configuration>')
    out = tmp_path / "j.toml"
    assert main(["junction", "import", str(config), "--rules", "street", "-o", str(out)]) == 0
    junction = read_junction(out)
    assert junction.nodes[0].programmes[0].id == "mine"
    assert junction.rules == "street"


def test_import_prints_without_an_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["junction", "import", str(tiny_net(tmp_path / "n.net.xml", GOOD))]) == 0
    assert 'id = "J"' in capsys.readouterr().out


def test_net_of_several_lights_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["junction", "import", str(resco("cologne3"))]) == 1
    out = capsys.readouterr().out
    assert "360082  (5 groups, 3 stages, 5 lanes)" in out
    assert "--tls" in out


def test_one_of_several_lights(tmp_path: Path) -> None:
    out = tmp_path / "j.toml"
    assert main(["junction", "import", str(resco("cologne3")), "--tls", "360086", "-o", str(out)]) == 0
    assert read_junction(out).id == "360086"


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (["junction", "import", "{tmp}/none.net.xml"], "expected a file, found none"),
        (["junction", "import", "{tmp}/n.net.xml", "--tls", "K"], "It has: J"),
        (["junction", "import", "{tmp}/n.net.xml", "--rules", "mine"], "expected net, published, street"),
        (["junction", "import", "{tmp}/n.net.xml", "-o", "{tmp}/none/j.toml"], "cannot be written"),
        (["junction", "import", "{tmp}/none.sumocfg"], "no such file"),
        (["check", "{tmp}/none.toml"], "expected a junction file"),
        (["check", "{tmp}"], "expected a junction file or site file, found a folder. Name the file in it"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], needle: str) -> None:
    tiny_net(tmp_path / "n.net.xml", GOOD)
    assert main([a.format(tmp=tmp_path) for a in arguments]) == 1
    err = capsys.readouterr().err
    assert needle in err
    assert err.count("umlauf: ") == 1


def test_check_prints_all_faults_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "j.toml"
    assert main(["junction", "import", str(resco("cologne1")), "-o", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    out.write_text(text.replace("S1 = { S3 = 5.0, S4 = 5.0 }", "S1 = { S3 = 2.0 }").replace('green = ["S2"]', 'green = ["S2", "S3"]'), encoding="utf-8")
    assert main(["check", str(out)]) == 1
    err = capsys.readouterr().err
    assert "3 faults." in err
    assert "amber_s of S1" in err
    assert "intergreen S1 -> S4" in err
    assert "conflicting S2 and S3" in err


def test_help_and_check_import_neither_numba_nor_sumo() -> None:
    code = (
        "import sys; from controller.cli import main; main(['check', '--help']); main(['junction', 'import', '--help']);"
        "bad = {'numba', 'libsumo', 'traci', 'sumolib'} & set(sys.modules); sys.exit(3 if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
