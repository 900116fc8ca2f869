"""Write a commented site file for a junction: what can be known is filled in, what only the street knows is marked CHANGE."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from controller.cabinet.site_models import DetectorsModel, JournalModel, MetricsModel, OperatorModel, WantedMode, as_file_name, default_socket, default_state
from controller.junction import Junction
from controller.site_text import Value, toml_key, toml_value
from hardware.ports import Actuation
from hardware.registry import INPUTS, SIGNALS, driver_of
from hardware.signals import GroupKind

CHANGE: Final = "CHANGE"
CANOGA_CHANNELS: Final = 4

Row = tuple[str, Value, str]  # option, value, what must be changed in it; no words: nothing


def format_site(junction: Junction, junction_file: Path, folder: Path, signals: str, inputs: Sequence[str]) -> str:
    """Return the text of a site file that will stand in ``folder``. Raises `PortError` for an unknown driver or a missing library."""
    lines = [
        "# A site: one junction, its signals, its detectors. Seconds, metres, UTC. Paths are relative to this file.",
        f"# Lines marked {CHANGE} hold placeholders that only the street knows. All keys: umlauf schema site. Check: umlauf check FILE",
        "",
        f"id = {toml_value(as_file_name(junction.id))}",
        f"junction = {toml_value(_relative(junction_file, folder))}",
        f"mode = {toml_value(_mode(signals))}  # adaptive, cycle, actuated or fixed; it falls back by itself, and climbs again",
        "",
        "# Who owns the signal heads.",
        "[signals]",
        f"driver = {toml_value(signals)}",
        *_options("signals", signals, SIGNALS, _recipe(signals, junction, _detectors(junction))),
    ]
    for driver, detectors in zip(inputs, _shared(_detectors(junction), len(inputs)), strict=True):
        lines += ["", "# A line with detectors; add one [[inputs]] for each further line.", "[[inputs]]", f"driver = {toml_value(driver)}"]
        lines += _options("inputs", driver, INPUTS, _recipe(driver, junction, detectors))
    return "\n".join([*lines, *_common(as_file_name(junction.id), next(iter(_detectors(junction)), "LOOP"))]) + "\n"


def placeholders(text: str) -> list[str]:
    """Return what must be changed in a site file, as line number and what is meant."""
    found = ((number, line.partition(f"# {CHANGE}: ")) for number, line in enumerate(text.splitlines(), start=1))
    return [f"line {number}: {what}" for number, (_, mark, what) in found if mark]


def _mode(signals: str) -> str:
    """Return the best mode that the driver follows as it is set up by default: in splits that is `cycle`."""
    fields = dataclasses.fields(driver_of(SIGNALS, signals).load_options())
    in_splits = any(field.name == "actuation" and field.default is Actuation.SPLITS for field in fields)
    return WantedMode.CYCLE if in_splits else WantedMode.ADAPTIVE


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.absolute(), folder.absolute())


def _detectors(junction: Junction) -> list[str]:
    return [*(d.id for d in junction.detectors if not d.relayed_by), *(b.id for b in junction.buttons)]


def _shared(detectors: list[str], parts: int) -> list[list[str]]:
    """Return the detectors in ``parts`` runs of about the same length."""
    bounds = [round(i * len(detectors) / parts) for i in range(parts + 1)] if parts else [0]
    return [detectors[a:b] for a, b in pairwise(bounds)]


def _options(table: str, driver: str, known: Mapping[str, Any], rows: Sequence[Row]) -> Iterator[str]:
    """Yield the driver's options: those of the recipe, placeholders for others that it needs, and its defaults as comments."""
    fields = dataclasses.fields(driver_of(known, driver).load_options())
    written = {name for name, _, _ in rows}
    yield f"[{table}.options]"
    for name, value, change in rows:
        yield f"{toml_key(name)} = {_wrapped(value)}" + (f"  # {CHANGE}: {change}" if change else "")
    for field in fields:
        if field.name in written:
            continue
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            yield f'{field.name} = ""  # {CHANGE}: {field.type}'
        else:
            default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            yield f"# {field.name} = {toml_value(_plain(default))}"


def _wrapped(value: Value) -> str:
    """Return a list of tables with one table a line."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "\n".join(["[", *(f"  {toml_value(one)}," for one in value), "]"])
    return toml_value(value)


def _plain(value: Any) -> Value:
    match value:
        case tuple():
            return [_plain(one) for one in value]
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case str():
            return str(value)
        case _:
            plain: Value = value
            return plain


def _recipe(driver: str, junction: Junction, detectors: list[str]) -> list[Row]:
    make = RECIPES.get(driver)
    return [] if make is None else make(junction, detectors)


def _units(channels: int, first: int, button_unit: Mapping[str, Value] | None) -> Callable[[Junction, list[str]], list[Row]]:
    """Return the recipe of a bus whose units have so many channels and are numbered from ``first`` on.

    ``button_unit``: what one more unit, for all buttons, needs beside its number and channels; None where none can read them.
    """

    def recipe(junction: Junction, detectors: list[str]) -> list[Row]:
        pressed = {b.id for b in junction.buttons}
        loops = [name for name in detectors if name not in pressed]
        runs = [loops[i : i + channels] for i in range(0, len(loops), channels)]
        units: list[Value] = [{"unit": first + i, "detectors": _channels(run)} for i, run in enumerate(runs)]
        if pressed.intersection(detectors) and button_unit is not None:
            units.append({"unit": first + len(runs), **button_unit, "detectors": _channels([name for name in detectors if name in pressed])})
        return [
            ("port", "/dev/ttyUSB0", "the line's device; a name from /dev/serial/by-id/ stays the same after a restart"),
            ("units", units, "addresses and channels as they are wired"),
        ]

    return recipe


def _channels(names: list[str]) -> Value:
    return {str(channel): name for channel, name in enumerate(names, start=1)}


def _ntcip(junction: Junction, _detectors: list[str]) -> list[Row]:
    count = {"phase": 0, "ped": 0}
    phases: dict[str, Value] = {}
    for group in junction.groups:
        kind = "ped" if group.kind is GroupKind.PEDESTRIAN else "phase"
        count[kind] += 1
        phases[group.id] = f"{kind} {count[kind]}"
    return [
        ("host", "192.0.2.1", "the controller's address"),
        ("community_secret_file", "community.secret", "a file with the community name, mode 0600"),
        ("phases", phases, "the controller's phase, ped or overlap of each signal group"),
        ("patterns", [47, 48], "two patterns of the controller that nobody else uses: they are overwritten"),
        ("splits", [15, 16], "two split tables that nobody else uses"),
    ]


RECIPES: Final[Mapping[str, Callable[[Junction, list[str]], list[Row]]]] = {
    "modbus": _units(1, 1, {"profile": "digital"}),
    "canoga": _units(CANOGA_CHANNELS, 0, None),
    "ab3418": _units(28, 5, {}),
    "ntcip": _ntcip,
}


def _common(site: str, loop: str) -> list[str]:
    operator, detectors = OperatorModel(), DetectorsModel()
    return [
        "",
        "# When loops are no longer believed, where a road is empty for longer, or bicycles ride side by side; docs/DETECTORS.md tells more.",
        "# [detectors]",
        f"# longest_silence_h = {detectors.longest_silence_h}",
        f"# most_flow_veh_h = {detectors.most_flow_veh_h}",
        f"# loops = {{ {toml_key(loop)} = {{ longest_silence_h = 96 }} }}  # for one alone",
        "",
        "# The record of all that happens, one file a day.",
        "[journal]",
        f"# folder = {toml_value(JournalModel().folder)}",
        f"retention_days = {JournalModel().retention_days}",
        "",
        "# Learned state and the audit log.",
        "[state]",
        f"# folder = {toml_value(default_state(site))}",
        "",
        "# The local socket of umlauf status and umlauf mode. Whoever may write to it may change the mode.",
        "[operator]",
        f"# socket = {toml_value(default_socket(site))}",
        '# group = "umlauf"',
        f"# socket_mode = {toml_value(operator.socket_mode)}",
        f"longest_override_h = {operator.longest_override_h}",
        "",
        "# Prometheus metrics on loopback; off unless this table is there. Needs: pip install 'umlauf[metrics]'",
        "# [metrics]",
        f"# listen = {toml_value(MetricsModel().listen)}",
        "",
        "# Access from afar by TLS; off unless this table is there. docs/OPERATING.md tells how.",
        "# [remote]",
        '# listen = "0.0.0.0:8443"',
        '# certificate_file = "server.crt"',
        '# key_file = "server.key"',
        '# client_ca_file = "clients.crt"',
        '# roles = { anna = "operator" }  # by the common name of the client\'s certificate: viewer, operator or engineer',
    ]
