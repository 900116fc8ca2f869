"""Read a site file (TOML) and translate it once into the plain data of `Site`; nothing below this module sees a configuration object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from controller.cabinet.site_drivers import DriverChoice, choose
from controller.cabinet.site_models import DetectorsModel, LoopModel, RemoteModel, Role, SiteModel, default_socket, default_state, split_address
from controller.config_file import fault_text, faults_error, parse_toml, read_text
from controller.detector_rules import LIMITS, Limits, limits_of
from controller.errors import ConfigError
from controller.junction import Junction
from controller.site import read_junction
from controller.supervisor import Mode
from controller.words import Lang
from hardware.registry import INPUTS, SIGNALS

_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class RemoteAccess:
    """Where to listen for whom. ``roles``: by the common name of a client's certificate; ``tokens``: a file of name, role and hash."""

    host: str
    port: int
    certificate: Path
    key: Path
    client_ca: Path | None
    roles: Mapping[str, Role]
    tokens: Path | None


@dataclass(frozen=True, slots=True)
class Site:
    """All that a cabinet's daemon is told. The folders and files that it names are absolute."""

    id: str
    path: Path
    junction_file: Path
    junction: Junction
    mode: Mode
    signals: DriverChoice
    inputs: tuple[DriverChoice, ...]
    detector_limits: Mapping[str, Limits]  # of the loops whose limits are not the usual ones
    journal_folder: Path
    retention_days: int
    state_folder: Path
    socket: Path
    socket_group: str = ""
    socket_mode: int = 0o660
    longest_override_ms: int = 24 * _HOUR_MS
    metrics: tuple[str, int] | None = None
    remote: RemoteAccess | None = None
    language: Lang = Lang.EN

    def drivers(self) -> list[tuple[str, DriverChoice]]:
        """Return all drivers with their places in the site file, inputs first."""
        return [*((f"inputs[{i}]", one) for i, one in enumerate(self.inputs)), ("signals", self.signals)]


def read_site(path: Path) -> Site:
    """Read a site file with its junction. Raises `ConfigError` with all faults of both; `site_check.site_faults` looks at the machine."""
    text = read_text(path, "site file", f"Write one with: umlauf site new --from JUNCTION.toml -o {path}")
    return site_of(parse_toml(text, str(path)), path)


def read_socket(path: Path) -> Path:
    """Return the operator's socket that a site file names, whatever else of it is wrong. Raises `ConfigError` for the file's form."""
    model = _model_of(parse_toml(read_text(path, "site file", "Name one, or a running site"), str(path)), path)
    return _socket(model, path.absolute().parent)


def site_of(data: dict[str, Any], path: Path) -> Site:
    """Return the site of a file's data; other paths are relative to ``path``. Raises as `read_site`."""
    model = _model_of(data, path)
    folder = path.absolute().parent
    faults: list[str] = []
    signals = _kept(choose(model.signals, SIGNALS, ("signals",), folder), faults)
    inputs = [_kept(choose(one, INPUTS, ("inputs", i), folder), faults) for i, one in enumerate(model.inputs)]
    junction = _junction(folder / model.junction, faults)
    limits = {} if junction is None else _limits(model.detectors, junction, faults)
    if faults or junction is None or signals is None:
        raise faults_error(str(path), faults)
    return Site(
        id=model.id,
        path=path,
        junction_file=folder / model.junction,
        junction=junction,
        mode=Mode(model.mode.value),
        signals=signals,
        inputs=tuple(one for one in inputs if one is not None),
        detector_limits=limits,
        journal_folder=folder / model.journal.folder,
        retention_days=model.journal.retention_days,
        state_folder=folder / (model.state.folder or default_state(model.id)),
        socket=_socket(model, folder),
        socket_group=model.operator.group,
        socket_mode=int(model.operator.socket_mode, 8),
        longest_override_ms=model.operator.longest_override_h * _HOUR_MS,
        metrics=None if model.metrics is None else split_address(model.metrics.listen),
        remote=None if model.remote is None else _remote(model.remote, folder),
        language=model.language,
    )


def _model_of(data: dict[str, Any], path: Path) -> SiteModel:
    if {"groups", "lanes", "nodes"} <= data.keys():
        raise ConfigError(f"{path}: expected a site file, found a junction file. Name the site file that names it, or write one: umlauf site new --from {path}")
    try:
        return SiteModel.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        lines = [fault_text(e, data) for e in error.errors(include_url=False)]
        raise faults_error(str(path), lines, "; drivers and junction are checked once these are mended") from error


def _socket(model: SiteModel, folder: Path) -> Path:
    return folder / (model.operator.socket or default_socket(model.id))


def _kept(found: DriverChoice | list[str], faults: list[str]) -> DriverChoice | None:
    if isinstance(found, list):
        faults += found
        return None
    return found


def _junction(path: Path, faults: list[str]) -> Junction | None:
    try:
        junction = read_junction(path)
    except ConfigError as error:
        faults.append(f"junction: {error}")
        return None
    faults += [f"{path.name}: {line}" for line in junction.validate()]
    return junction


def _limits(model: DetectorsModel, junction: Junction, faults: list[str]) -> dict[str, Limits]:
    """Return the limits of those detectors whose are not the usual ones."""
    known = {d.id for d in junction.detectors}
    faults += [f"detectors.loops: {name!r}: expected a detector of the junction, found another. Correct the name." for name in model.loops if name not in known]
    found = {}
    for d in junction.detectors:
        own = model.loops.get(d.id, LoopModel())
        limits = limits_of(d.purpose, own.longest_silence_h or model.longest_silence_h, own.most_flow_veh_h or model.most_flow_veh_h)
        if limits != LIMITS[d.purpose]:
            found[d.id] = limits
    return found


def _remote(model: RemoteModel, folder: Path) -> RemoteAccess:
    host, port = split_address(model.listen)
    return RemoteAccess(
        host=host,
        port=port,
        certificate=folder / model.certificate_file,
        key=folder / model.key_file,
        client_ca=folder / model.client_ca_file if model.client_ca_file else None,
        roles=dict(model.roles),
        tokens=folder / model.tokens_file if model.tokens_file else None,
    )
