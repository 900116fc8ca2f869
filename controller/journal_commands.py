"""``umlauf replay`` and ``umlauf journal``: what a run left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from controller.clock import utc_now
from controller.errors import ConfigError
from controller.explain_commands import check_output, one_journal, read_time_ms
from controller.indiana_files import write_export
from controller.journal import origin
from controller.journal_reader import JournalDamagedError, JournalReader
from controller.journal_schema import FILE_NAME, JournalError
from controller.journal_tables import What, tables
from controller.replay import Outcome, Record, find_journals, read_records, replay_frames, run_of
from controller.table_files import Format, write_table
from controller.words import Lang

journal_app = typer.Typer(help="List and export what a run has recorded.", add_completion=False, no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, or a folder that holds several.")]


def replay(folder: Folder, solve: Annotated[bool, typer.Option("--solve", help="Also decide again from the recorded events.")] = False) -> None:
    """Run a journal again and prove the same frames, or the same commands to a controller, or show the first difference.

    Exit code: 0 the same throughout, 1 a difference, a damaged journal or none at all.
    """
    _each(find_journals(folder), lambda path, reader: _replay(path, reader, solve=solve))


def _each(paths: Sequence[Path], look: Callable[[Path, JournalReader], bool]) -> None:
    """Look at each journal; one that cannot be read is told, and the others are looked at all the same. Exit code 1 where any look finds a fault."""
    failed = False
    for path in paths:
        try:
            with JournalReader(path) as reader:
                failed |= look(path, reader)
        except JournalError as error:
            typer.echo(f"umlauf: {error}", err=True)
            failed = True
    if failed:
        raise typer.Exit(1)


def _replay(path: Path, reader: JournalReader, *, solve: bool) -> bool:
    """Print what the replay of one journal gives, and return whether it found a fault."""
    records, damage = read_records(reader)
    if not records:
        why = "it ended before its first rows were written" if "site" in reader.meta else "the signals were driven by SUMO, not by us"
        typer.echo(f"{run_of(path)}: nothing to replay: {why}")
    differ = [_replay_one(path, reader, record) for record in records]
    if damage:
        typer.echo(f"{run_of(path)}: {damage}")
        return True
    return any([*differ, solve and _solve(path, reader)])


def _replay_one(path: Path, reader: JournalReader, record: Record) -> bool:
    if not record.observed:
        return _tell(path, replay_frames(record), "the same frames")
    from controller.cabinet.replay_commands import replay_commands

    try:
        differs = _tell(path, replay_commands(reader, record), "the same commands")
    except JournalError as error:
        typer.echo(f"{run_of(path)}: {error}")
        return True
    if differs:
        typer.echo(where_written(reader))
    return differs


def _solve(path: Path, reader: JournalReader) -> bool:
    from controller.replay_known import is_kept, replay_known
    from controller.replay_solve import replay_solve

    solve, same = (replay_known, "the same decisions") if is_kept(reader) else (replay_solve, "the same decisions and frames")
    try:
        differs = [_tell(path, solve(reader, junction_id), same) for junction_id in reader.junctions]
    except JournalError as error:
        typer.echo(f"{run_of(path)}: {error}")
        return True
    if any(differs):
        typer.echo(where_written(reader))
    return any(differs)


def _tell(path: Path, outcome: Outcome, same: str) -> bool:
    """Print the outcome and return whether it is a difference."""
    head = f"{run_of(path)}: {outcome.junction_id}: {outcome.ticks} ticks, {outcome.compared}"
    if outcome.difference is None:
        typer.echo(f"{head}: {same}" if outcome.ticks else f"{run_of(path)}: {outcome.junction_id}: {outcome.compared}")
        return False
    tick, now_ms, text = outcome.difference
    typer.echo(f"{head}: first difference at tick {tick}, {now_ms / 1000:.1f} s:\n{text}")
    return True


def where_written(reader: JournalReader) -> str:
    """Return a sentence on whether another machine or library may be why decisions differ."""
    here = origin()
    other = [
        f"{name} {reader.meta.get(name)} (here {here[name]})"
        for name in ("umlauf", "code", "numba", "numpy", "python", "machine")
        if reader.meta.get(name) != here[name]
    ]
    if other:
        return "Decisions and commands repeat exactly only with the same versions; this journal was written with " + ", ".join(other)
    return "The journal was written with the same versions as here, so they should have been the same"


@journal_app.command("list")
def list_runs(folder: Folder) -> None:
    """List the journals of a run folder: when they were written, and how much is in them."""
    _each(find_journals(folder), _list)


def _list(path: Path, reader: JournalReader) -> bool:
    """Print when a journal was written and how much is in it, and return whether it is damaged."""
    recorded = (("ticks", reader.ticks()), ("events", reader.events()), ("plans", reader.plans()), ("frames", reader.frames()))
    counted = [(name, *_count(rows)) for name, rows in recorded]
    damage = next((found for _, _, found in counted if found), "")
    known = ", ".join(f"{count} {name}" for name, count, _ in counted)
    typer.echo(f"{path}: {reader.meta['created_utc']}, {len(reader.junctions)} junctions, {known}{f'; {damage}' if damage else ''}")
    return bool(damage)


@journal_app.command("export")
def export(
    folder: Folder,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Where to write; default: beside each journal.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write the tables.")] = Format.CSV,
    what: Annotated[
        str, typer.Option("--what", metavar="KIND,...", help="events, signals, decisions, health, commands, or several of them.")
    ] = What.EVENTS.value,
) -> None:
    """Export what was recorded as tables: high-resolution events (Indiana enumeration), which ATSPM tools read, or others.

    signals: each change of each group's aspect; decisions: each plan with its reason and numbers; health: which detectors lost or
    regained trust and why, and the changes of mode; commands: what a controller that owns its signal heads was asked for, in shadow mode
    what it would have been. Times are UTC for a cabinet, the simulation's time of day otherwise.
    """
    kinds = _kinds(what)
    paths = find_journals(folder)

    def write(path: Path, reader: JournalReader) -> bool:
        for written in _export(reader, _place(path, output, several=len(paths) > 1), kinds, form):
            typer.echo(str(written))
        return False

    _each(paths, write)


def _kinds(text: str) -> list[What]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in list(What)]
    if unknown or not names:
        raise ConfigError(f"--what: expected {', '.join(What)}, or several of them with commas, found {text!r}")
    return [What(name) for name in dict.fromkeys(names)]


def _export(reader: JournalReader, folder: Path, kinds: list[What], form: Format) -> Iterator[Path]:
    for kind in kinds:
        if kind is What.EVENTS:
            yield from write_export(reader, folder, form)
        for table in tables(reader, kind):
            yield write_table(table, folder, form)


def _place(path: Path, output: Path | None, *, several: bool) -> Path:
    """Return where one journal's tables go: a run's into its folder, a cabinet's day into one of its own name."""
    own = path.parent.name if path.name == FILE_NAME else path.stem
    if output is not None:
        return output / own if several else output
    return path.parent if path.name == FILE_NAME else path.parent / own


@journal_app.command("prune")
def prune(
    site_file: Annotated[Path, typer.Argument(metavar="SITE.toml", help="The site file, which says where the journals are and how long they are kept.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed.")] = False,
) -> None:
    """Remove a cabinet's journals that are older than its site file's retention_days.

    The daemon does so by itself when it begins a new day; this is for a disk that must have room now.
    """
    from controller.cabinet.journal_writer import expired, remove
    from controller.cabinet.site import read_site

    site = read_site(site_file)
    found = expired(site.journal_folder, site.id, utc_now().date(), site.retention_days)
    for path in found:
        if not dry_run:
            remove(path)
        typer.echo(f"{path}: {'would be removed' if dry_run else 'removed'}")
    typer.echo(f"{site.journal_folder}: {len(found)} journals older than {site.retention_days} days")


@journal_app.command("audit")
def audit(
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="The site's state folder with its audit log, or one file of it.")],
    check: Annotated[bool, typer.Option("--verify", help="Check that no line was changed, added, moved or removed.")] = False,
    head: Annotated[str | None, typer.Option("--head", metavar="HASH", help="With --verify: a hash kept elsewhere, which the log must hold.")] = None,
) -> None:
    """Show who changed the mode when, until when, why, and what came of it; or verify the log.

    Exit code: 0 shown or whole, 1 an error or a fault in the chain.
    """
    from controller.cabinet.audit import entries, told, verify

    if not check:
        for entry in entries(path):
            typer.echo(told(entry))
        return
    verdict = verify(path, head)
    for line in verdict.faults:
        typer.echo(f"{path}: fault: {line}", err=True)
    for line in verdict.notes:
        typer.echo(f"{path}: note: {line}", err=True)
    if verdict.faults:
        raise typer.Exit(1)
    typer.echo(f"{path}: {verdict.entries} entries, whole; the newest is {verdict.head.n} with hash {verdict.head.hash}")


@journal_app.command("diagram")
def diagram(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of one run, with its journal.")],
    lights: Annotated[str, typer.Option("--lights", metavar="ID,ID,...", help="The lights of the street, in the order in which it is driven.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The .png or .svg file to write.")],
    begin: Annotated[str, typer.Option("--from", metavar="T", help="From when: seconds of the simulation, or HH:MM:SS.")],
    span_s: Annotated[int, typer.Option("--span", metavar="S", min=10, max=3600, help="How many seconds.")] = 300,
    lang: Annotated[Lang, typer.Option("--lang", help="Language of the picture.")] = Lang.EN,
) -> None:
    """Draw a street's time-space diagram: greens, and the vehicles over its loops. Green waves are seen in it.

    umlauf journal diagram runs/my-street --lights A0,B0,C0 --from 1200 -o wave.png
    """
    check_output(output)
    from controller.street import read_street
    from controller.street_picture import alternative_text, draw_street

    from_ms = read_time_ms(begin, "--from")
    to_ms = from_ms + 1000 * span_s
    with JournalReader(one_journal(folder)) as reader:
        street = read_street(reader, [name.strip() for name in lights.split(",") if name.strip()], from_ms, to_ms)
    draw_street(street, from_ms, to_ms, output, lang)
    typer.echo(f"{output}: {alternative_text(street, from_ms, to_ms, lang)}")


def _count(rows: Iterator[object]) -> tuple[int, str]:
    """Return how many rows there are before any damage, and what is damaged."""
    count = 0
    try:
        for _ in rows:
            count += 1
    except JournalDamagedError as error:
        return count, str(error)
    return count, ""
