"""Print the manual page umlauf(1) from what the command tells of itself: python deploy/make_man.py, by a Python in which Umlauf is installed."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from os import environ
from typing import Final

from controller.cli import GLOBAL_OPTIONS
from controller.cli_commands import find_commands, summary

FILES: Final = (
    ("/etc/umlauf/SITE.toml", "The site that the unit umlauf@SITE.service runs, with its junction file beside it."),
    ("/run/umlauf/ID.sock", "A running site's socket, for umlauf status and umlauf mode."),
    ("/var/lib/umlauf", "Journals, learned state, audit logs."),
    ("/usr/share/doc/umlauf", "The documentation; OPERATING.md is for whoever runs a cabinet."),
)


def page() -> str:
    """Return the page in man(7)'s macros; its date is that of the sources where the build says so."""
    day = datetime.fromtimestamp(int(environ["SOURCE_DATE_EPOCH"]), UTC) if "SOURCE_DATE_EPOCH" in environ else datetime.now(UTC)  # noqa: TID251 - a page's date
    commands = find_commands()
    lines = [f'.TH UMLAUF 1 {day:%Y-%m-%d} "umlauf {version("umlauf")}" "User commands"']
    lines += [".SH NAME", r"umlauf \- adaptive traffic\-signal control"]
    lines += [".SH SYNOPSIS", r"umlauf [\-\-debug] \fICOMMAND\fR [\fIOPTIONS\fR]"]
    lines += [".SH DESCRIPTION", "Reads induction loops, optimizes the signal timing, guards every command, explains and records each decision."]
    lines += [r"\fBumlauf\fR \fICOMMAND\fR \fB\-\-help\fR tells the rest. Commands that need a simulator say so where it is not installed."]
    lines += [".SH COMMANDS", *_list([(name, summary(commands[name])) for name in sorted(commands)])]
    lines += [".SH OPTIONS", *_list(GLOBAL_OPTIONS)]
    lines += [".SH FILES", *_list(FILES)]
    lines += [".SH EXIT STATUS", "0 done, 1 an error, 2 wrong usage, 130 interrupted."]
    lines += [".SH SEE ALSO", r"\fBsystemctl\fR(1), \fBjournalctl\fR(1)"]
    return "\n".join(lines)


def _list(rows: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> list[str]:
    return [part for name, text in rows for part in (".TP", rf".B {_plain(name)}", _plain(text))]


def _plain(text: str) -> str:
    """Return the text with what roff would take for its own made plain: escapes, hyphens, a control character at the head."""
    plain = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    print(page())
