"""The drivers' options in a site file: checked by pydantic against the drivers' own dataclasses, of which ``hardware`` knows nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import Field, ValidationError, create_model

from controller.cabinet.site_models import InputModel, SignalsModel, SiteModel
from controller.config_file import fault_text
from controller.site_models import Part
from hardware.ports import PortError
from hardware.registry import INPUTS, SIGNALS, Driver, driver_of

SECRET_FILE: Final = "_secret_file"  # options with such a name are files that nobody else may read


class DriverChoice(NamedTuple):
    """A driver of `hardware.registry` and its options, an object of the driver's own class."""

    driver: str
    options: Any


def choose(model: SignalsModel | InputModel, known: Mapping[str, Driver], place: tuple[str | int, ...], folder: Path) -> DriverChoice | list[str]:
    """Return the driver with its options, or all their faults. Options named ``…_file`` are relative to ``folder``."""
    where = "".join(f"[{part}]" if isinstance(part, int) else part for part in place)
    try:
        kind = driver_of(known, model.driver).load_options()
    except PortError as error:
        return [f"{where}.driver: {error}"]
    data = {"options": model.options}
    try:
        checked = _holder(kind).model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        return [fault_text(e, data, place) for e in error.errors(include_url=False)]
    return DriverChoice(model.driver, _resolved(checked.options, folder))  # type: ignore[attr-defined]


def _holder(kind: type[Any]) -> type[Part]:
    """Return a model that holds the options: a plain dataclass inside one is checked by its rules (strict, no unknown keys)."""
    return create_model("Options", __base__=Part, options=(kind, ...))


def _resolved(options: Any, folder: Path) -> Any:
    files = {name: str(folder / value) for name, value in _files(options) if value}
    return dataclasses.replace(options, **files) if files else options


def _files(options: Any) -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if field.name.endswith("_file") and isinstance(value, str):
            yield field.name, value


def secret_files(options: Any) -> dict[str, Path]:
    """Return the files, by the name of the option, that hold secrets."""
    return {name: Path(value) for name, value in _files(options) if value and name.endswith(SECRET_FILE)}


def named(choice: DriverChoice, method: str) -> tuple[str, ...] | None:
    """Return what the options' ``sources()`` or ``groups()`` names, None where they do not tell."""
    tell = getattr(choice.options, method, None)
    return None if tell is None else tuple(tell())


def site_schema() -> dict[str, Any]:
    """Return the JSON Schema of a site file with the options of all drivers whose libraries are installed."""
    model = create_model(
        "SiteModel",
        __base__=SiteModel,
        __doc__=SiteModel.__doc__,
        signals=(_union(SIGNALS, SignalsModel), ...),
        inputs=(_many(_union(INPUTS, InputModel)), ()),
    )
    return model.model_json_schema()


def _union(known: Mapping[str, Driver], base: type[Part]) -> Any:
    models = [_driver_model(name, driver, base) for name, driver in sorted(known.items())]
    return reduce(lambda a, b: a | b, models, models.pop()) if models else base


def _many(one: Any) -> Any:
    return tuple[one, ...]


def _driver_model(name: str, driver: Driver, base: type[Part]) -> Any:
    fields: dict[str, Any] = {"driver": (Literal[name], ...)}
    try:
        kind = driver.load_options()
    except PortError as error:
        fields["options"] = (dict[str, Any], Field(default={}, description=str(error)))
    else:
        needed = any(f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING for f in dataclasses.fields(kind))
        fields["options"] = (kind, ...) if needed else (kind, Field(default={}))
    return create_model(f"{name}_{base.__name__.removesuffix('Model')}", __base__=base, __doc__=base.__doc__, **fields)
