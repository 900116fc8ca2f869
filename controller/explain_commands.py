"""``umlauf explain``: why a light did what it did at one moment of a recorded run."""

from __future__ import annotations

import importlib.util
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from controller.errors import ConfigError, MissingError
from controller.words import Lang

if TYPE_CHECKING:
    from controller.explain import Explanation
    from controller.journal_reader import JournalReader

PICTURES = (".png", ".svg")


def explain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of one run, with its journal, or a journal's file.")],
    at: Annotated[str, typer.Option("--at", metavar="T", help="When: seconds of the simulation, or HH:MM:SS; of a cabinet UTC, or with +01:00 behind it.")],
    tls: Annotated[str | None, typer.Option("--tls", metavar="ID", help="Which light, where the run has several.")] = None,
    lang: Annotated[Lang, typer.Option("--lang", help="Language of the text and the picture.")] = Lang.EN,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Also draw it: a .png or .svg file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")] = False,
) -> None:
    """Explain one decision: what was known, which alternatives were weighed, and at what cost.

    All is rebuilt from the recorded loop edges, or read from a cabinet's journal, and proven by the recorded digests.
    Exit code: 0 explained and proven, 1 an error, or the rebuilt digests differ from the recorded ones.
    """
    moment = read_moment(at)
    check_output(output)
    from controller.explain import choose_junction
    from controller.explain import explain as rebuild
    from controller.journal_reader import JournalReader

    with JournalReader(journal_of(folder, moment)) as reader:
        found = rebuild(reader, choose_junction(reader, tls), moment_ms(moment, reader))
        unproven = any(one.proof.first_difference_ms is not None for one in found)
        hint = _hint(reader) if unproven else ""
    if as_json:
        from controller.explain_json import as_object

        typer.echo(json.dumps({"explanations": [as_object(one, lang) for one in found]}, ensure_ascii=False))
    else:
        from controller.explain_text import in_words

        typer.echo("\n\n".join(in_words(one, lang) for one in found))
    for path, one in zip(_paths(output, len(found)), found, strict=False):
        _draw(path, one, lang, as_json=as_json)
    if unproven:
        typer.echo(hint, err=True)
        raise typer.Exit(1)


class Moment(NamedTuple):
    """A time as it was asked for: ms, whether they are a time of day, and by how much that is before UTC where it says so."""

    ms: int
    of_day: bool
    before_utc_ms: int | None


def read_moment(text: str) -> Moment:
    """Return what `read_time_ms` reads, with ``Z`` or an offset from UTC behind it. Raises `ConfigError`."""
    match = re.fullmatch(r"(.*:.*?)(?:(Z)|([+-])([01]\d):([0-5]\d))", text.strip())
    if match is None:
        return Moment(read_time_ms(text), ":" in text, None)
    ahead_ms = 0 if match[2] else 60_000 * (60 * int(match[4]) + int(match[5]))
    return Moment(read_time_ms(match[1]), True, -ahead_ms if match[3] == "-" else ahead_ms)


def moment_ms(moment: Moment, reader: JournalReader) -> int:
    """Return the journal's millisecond of a moment. Raises `ConfigError` where a simulation is asked for UTC."""
    from controller.journal_time import TimeBase

    base = TimeBase(reader)
    if not base.cabinet and moment.before_utc_ms is not None:
        raise ConfigError("--at: expected a time of the simulation, which knows no UTC, found one with an offset; leave that out")
    if not base.cabinet or not moment.of_day:
        return moment.ms
    return base.first_at((moment.ms - (moment.before_utc_ms or 0)) % 86_400_000)


def read_time_ms(text: str, option: str = "--at") -> int:
    """Return milliseconds of seconds or HH:MM:SS. Raises `ConfigError`."""
    match = re.fullmatch(r"(?:(\d+):([0-5]?\d):)?(\d+(?:\.\d{1,3})?)", text.strip())
    if match is None or (match[1] is not None and float(match[3]) >= 60):
        raise ConfigError(f"{option}: expected seconds of the simulation (27000 or 27000.5) or HH:MM:SS (07:30:00), found {text!r}")
    hours, minutes, rest_s = int(match[1] or 0), int(match[2] or 0), float(match[3])
    return 3_600_000 * hours + 60_000 * minutes + round(1000 * rest_s)


def one_journal(folder: Path) -> Path:
    """Return the journal of one run. Raises `ConfigError` where there are several."""
    from controller.replay import find_journals, run_of

    found = find_journals(folder)
    if len(found) > 1:
        raise ConfigError(f"{folder} holds {len(found)} runs; name one:\n" + "\n".join(f"  {run_of(path)}" for path in found))
    return found[0]


def journal_of(folder: Path, moment: Moment) -> Path:
    """Return the journal of one run, of several the only one of a cabinet that was written at that time. Raises `ConfigError` where that is not one."""
    from controller.journal_reader import JournalReader
    from controller.journal_schema import JournalError
    from controller.journal_time import TimeBase
    from controller.replay import find_journals

    written = []
    for path in find_journals(folder):
        with suppress(JournalError), JournalReader(path) as reader:
            span = reader.span_ms()
            if TimeBase(reader).cabinet and span is not None and span[0] <= moment_ms(moment, reader) <= span[1]:
                written.append(path)
    return written[0] if len(written) == 1 else one_journal(folder)


def check_output(output: Path | None) -> None:
    """Raise `ConfigError` or `MissingError` where no picture could be written there."""
    if output is None:
        return
    if output.suffix.lower() not in PICTURES:
        raise ConfigError(f"--output {output}: expected a file name that ends with {' or '.join(PICTURES)}")
    if not output.resolve().parent.is_dir():
        raise ConfigError(f"--output {output}: expected a folder that exists, found none at {output.resolve().parent}; create it first")
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingError("--output needs matplotlib, which is not installed; install it with: pip install 'umlauf[report]'")


def _paths(output: Path | None, count: int) -> list[Path]:
    """Return one file per node; numbered from the second on."""
    return [] if output is None else [output, *(output.with_stem(f"{output.stem}-{k}") for k in range(2, count + 1))]


def _draw(path: Path, one: Explanation, lang: Lang, *, as_json: bool) -> None:
    from controller.explain_picture import draw

    draw(one, path, lang)
    typer.echo(str(path), err=as_json)


def _hint(reader: object) -> str:
    from controller.journal_commands import where_written
    from controller.journal_reader import JournalReader

    assert isinstance(reader, JournalReader)
    return where_written(reader)
