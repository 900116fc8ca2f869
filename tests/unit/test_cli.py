"""The command shell: lazy, quick, one message per error."""

from __future__ import annotations

import resource
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from controller import cli, cli_commands, cli_names
from controller.errors import ConfigError
from hardware.ports import FrameRefusedError, PortError

pytestmark = pytest.mark.quick

COMMANDS = ("check", "explain", "journal", "junction", "replay", "scenarios", "simulate", "version", "warmup")


def probe(value: str = "boom:run") -> dict[str, EntryPoint]:
    return {"probe": EntryPoint("probe", value, cli_commands.GROUP)}


def fails_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run() -> None:
        """Fail."""
        raise error

    monkeypatch.setattr(cli, "find_commands", probe)
    monkeypatch.setattr(cli, "load", lambda command: run)


def in_a_fresh_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_help_lists_every_command_with_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in COMMANDS:
        (line,) = [line for line in lines if line.startswith(f"  {name} ")]
        assert len(line.split()) > 3, f"{name} has no help: {line!r}"
        assert "(not installed)" not in line


def test_help_imports_no_command() -> None:
    code = "import sys; from controller.cli import main; main(['--help']); print(' '.join(sys.modules))"
    loaded = set(in_a_fresh_python(code).splitlines()[-1].split())
    assert "controller.cli" in loaded
    assert not loaded & {"numba", "numpy", "libsumo", "traci", "typer", "rich", "pydantic", "optimizer", "scenarios", "scenarios.commands"}


def test_a_command_loads_only_its_own_module() -> None:
    code = "import sys; from controller.cli import main; main(['version']); print(' '.join(sys.modules))"
    loaded = set(in_a_fresh_python(code).splitlines()[-1].split())
    assert "controller.warmup_commands" in loaded
    assert not loaded & {"numba", "libsumo", "scenarios.commands", "controller.commands", "controller.journal_commands"}


def test_help_is_quick() -> None:
    """At most 0.5 s of processor time, Python's own start included; the best of three, since the machine may be busy."""
    times_s = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        in_a_fresh_python("from controller.cli import main; main(['--help'])")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times_s) < 0.5


def test_a_reader_that_leaves_is_no_error() -> None:
    done = subprocess.run(
        f"'{sys.executable}' -c 'from controller.cli import main; raise SystemExit(main([\"--help\"]))' | true", shell=True, check=False, capture_output=True
    )
    assert done.stderr == b""


def test_version_is_an_option_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("umlauf ")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConfigError("groups.A: expected 5, found 3"), "umlauf: groups.A: expected 5, found 3\n"),
        (PortError("detector card 3: no answer"), "umlauf: detector card 3: no answer\n"),
        (FrameRefusedError("conflict: A with B"), "umlauf: conflict: A with B\n"),
        (PermissionError(13, "Permission denied", "/x/y"), "umlauf: /x/y: Permission denied\n"),
    ],
)
def test_an_error_is_one_message_and_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, message: str) -> None:
    fails_with(monkeypatch, error)
    monkeypatch.delenv(cli.DEBUG_VARIABLE, raising=False)
    assert cli.main(["probe"]) == 1
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize("how", ["option", "variable"])
def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: str) -> None:
    fails_with(monkeypatch, ConfigError("wrong"))
    monkeypatch.setenv(cli.DEBUG_VARIABLE, "1" if how == "variable" else "0")
    assert cli.main(["--debug", "probe"] if how == "option" else ["probe"]) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert error.endswith("umlauf: wrong\n")


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(monkeypatch, ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        cli.main(["probe"])


def test_interrupt_is_130_and_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fails_with(monkeypatch, KeyboardInterrupt())
    assert cli.main(["probe"]) == 130
    assert capsys.readouterr().err == "umlauf: interrupted\n"


def test_exit_codes_of_commands_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(monkeypatch, SystemExit(3))
    assert cli.main(["probe"]) == 3


@pytest.mark.parametrize(
    ("arguments", "told"), [(["simlate"], "did you mean 'umlauf simulate'?"), (["qqq"], "expected one of: bench, "), (["--nonsense"], "unknown option")]
)
def test_unknown_commands_are_usage_errors(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    assert cli.main(arguments) == 2
    assert told in capsys.readouterr().err


def test_wrong_options_of_a_command_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["version", "--nonsense"]) == 2
    assert "--nonsense" in capsys.readouterr().err


def test_no_arguments_show_the_help_and_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "Commands:" in capsys.readouterr().out


def test_a_missing_library_names_how_to_install_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "boom.py").write_text("import no_such_library\ndef run(): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(cli, "find_commands", probe)
    assert cli.main(["probe"]) == 1
    assert "needs the Python module 'no_such_library'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('def run():\n    """Do it.\n\n    At length.\n    """\n', "Do it."),
        ('import typer\nrun = typer.Typer(help="Keep them.\\nMore.")\n', "Keep them."),
        ('import typer\nrun: typer.Typer = typer.Typer(add_completion=False, help="Keep them.")\n', "Keep them."),
        ('import typer\nrun = typer.Typer()\n\n@run.callback()\ndef more():\n    """Keep them."""\n', "Keep them."),
        ("def run():\n    return 1\n", ""),
        ("def walk(): ...\n", "(not installed)"),
    ],
)
def test_summaries_are_read_from_the_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, expected: str) -> None:
    (tmp_path / "boom.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert cli_commands.summary(probe()["probe"]) == expected
    assert "boom" not in sys.modules


@pytest.mark.parametrize(
    ("file", "content"), [("top_level.txt", "optimizer\n"), ("RECORD", "optimizer/__init__.py,sha256=x,1\n"), ("RECORD", "a.py,,\noptimizer/b.py,,\n")]
)
def test_another_distribution_with_our_names_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, file: str, content: str
) -> None:
    info = tmp_path / "rival-1.0.dist-info"
    info.mkdir()
    (info / file).write_text(content)
    (fault,) = cli_names.foreign_packages([str(tmp_path)])
    assert "package 'optimizer' is also installed by the distribution 'rival'" in fault
    monkeypatch.setattr(cli, "foreign_packages", lambda: [fault])
    assert cli.main(["version"]) == 1
    assert "virtual environment of its own" in capsys.readouterr().err


def test_harmless_distributions_are_not_refused(tmp_path: Path) -> None:
    for name, record in (("other-1.0", "myoptimizer/optimizer/__init__.py,,\n"), ("umlauf-0.1.0", "optimizer/__init__.py,,\n")):
        info = tmp_path / f"{name}.dist-info"
        info.mkdir()
        (info / "RECORD").write_text(record)
    assert cli_names.foreign_packages([str(tmp_path), str(tmp_path / "missing")]) == []


def test_a_shadowing_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from controller.cli import main; sys.exit(main(['version']))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "package 'benchmarks' must come from" in done.stderr
