"""The ``umlauf`` command: finds the commands by entry point, loads only the one asked for, turns errors into one message.

A command is an entry point of the group ``umlauf.commands``: a plain function (its parameters are read by typer) or a
`typer.Typer`. Neither numba nor SUMO nor typer is imported before the command is known, so ``umlauf --help`` is instant.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Final

from controller.cli_commands import find_commands, summary
from controller.cli_names import foreign_packages
from controller.errors import ConfigError, MissingError, UmlaufError
from hardware.ports import FrameRefusedError

if TYPE_CHECKING:
    import typer

DEBUG_VARIABLE: Final = "UMLAUF_DEBUG"
EXIT_OK: Final = 0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells do

GLOBAL_OPTIONS: Final = (
    ("--debug", "Show the traceback of an error (or set UMLAUF_DEBUG=1)."),
    ("--version", "Print the version and exit."),
    ("--help", "Print this help and exit."),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 error, 2 wrong usage, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")
    while arguments and arguments[0] == "--debug":
        arguments, debug = arguments[1:], True
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"  # child processes show theirs too
    try:
        return _dispatch(arguments)
    except SystemExit as leave:
        return _exit_code(leave)
    except KeyboardInterrupt:
        return _exit_code(SystemExit(EXIT_INTERRUPTED))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has left; Python flushes once more at its end
        return EXIT_ERROR
    except (UmlaufError, FrameRefusedError, OSError) as error:
        if debug:
            traceback.print_exc()
        print(f"umlauf: {message_of(error)}", file=sys.stderr)
        return EXIT_ERROR


def message_of(error: BaseException) -> str:
    """Return the one message that a user reads, with the file's name where an `OSError` carries it apart."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        return f"{where}{error.strerror}"
    return str(error) or type(error).__name__


def _exit_code(leave: SystemExit) -> int:
    if leave.code == EXIT_INTERRUPTED:
        print("umlauf: interrupted", file=sys.stderr)
    if leave.code is None:
        return EXIT_OK
    if isinstance(leave.code, int):
        return leave.code
    print(leave.code, file=sys.stderr)
    return EXIT_ERROR


def _dispatch(arguments: list[str]) -> int:
    foreign = foreign_packages()
    if foreign:
        raise MissingError("\n".join(foreign))
    commands = find_commands()
    if not arguments or arguments[0] in ("--help", "-h"):
        print(overview(commands), flush=True)
        return EXIT_OK if arguments else EXIT_USAGE
    name, rest = arguments[0], arguments[1:]
    if name == "--version":
        name = "version"
    if name not in commands:
        print(_unknown(name, commands), file=sys.stderr)
        return EXIT_USAGE
    _run(name, load(commands[name]), rest)
    return EXIT_OK


def overview(commands: Mapping[str, EntryPoint]) -> str:
    """Return the text of ``umlauf --help``: every command with the first line of its own documentation."""
    width = max(map(len, commands), default=0) + 2
    lines = ["Usage: umlauf [--debug] COMMAND [OPTIONS]", "", "Adaptive traffic-signal control.", "", "Commands:"]
    lines += [f"  {name:<{width}}{summary(commands[name])}" for name in sorted(commands)]
    lines += ["", "Options:"]
    lines += [f"  {option:<{width}}{text}" for option, text in GLOBAL_OPTIONS]
    lines += ["", "umlauf COMMAND --help tells the rest. To begin with:"]
    lines += ["  umlauf scenarios", "  umlauf simulate cross --control adaptive,fixed", "  umlauf simulate PATH.sumocfg"]
    return "\n".join(lines)


def _unknown(name: str, commands: Mapping[str, EntryPoint]) -> str:
    import difflib

    what = "option" if name.startswith("-") else "command"
    near = difflib.get_close_matches(name, commands, n=1)
    hint = f"did you mean 'umlauf {near[0]}'?" if near else f"expected one of: {', '.join(sorted(commands))}"
    return f"umlauf: unknown {what} {name!r}; {hint}"


def load(command: EntryPoint) -> Callable[..., object]:
    """Import the command's module. Raises `MissingError` where it, or a library that it needs, is not installed."""
    try:
        loaded: Callable[..., object] = command.load()
    except ModuleNotFoundError as error:
        needs = f"'umlauf {command.name}' needs the Python module {error.name!r}, which is not installed"
        raise MissingError(f"{needs}; install it with: pip install 'umlauf[all]'") from error
    except AttributeError as error:
        raise ConfigError(f"command {command.name!r}: its entry point {command.value!r} does not exist; reinstall its package") from error
    return loaded


def _run(name: str, target: Callable[..., object], arguments: list[str]) -> None:
    import typer

    app = target if isinstance(target, typer.Typer) else _single(target)
    app.pretty_exceptions_enable = False
    typer.main.get_command(app)(args=arguments, prog_name=f"umlauf {name}")


def _single(function: Callable[..., object]) -> typer.Typer:
    import typer

    app = typer.Typer(add_completion=False)
    app.command()(function)
    return app
