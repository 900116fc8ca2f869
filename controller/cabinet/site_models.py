"""The site file as pydantic models: frozen, unknown keys are errors. What stands in a driver's ``options`` is the driver's own."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from controller.detector_rules import LANE_FLOW_VEH_H
from controller.site_models import Name, Part
from controller.supervisor import Mode
from controller.words import Lang


class WantedMode(StrEnum):
    """The modes that a site may want; the others are fallbacks."""

    FIXED = Mode.FIXED.value
    ACTUATED = Mode.ACTUATED.value
    CYCLE = Mode.CYCLE.value
    ADAPTIVE = Mode.ADAPTIVE.value


class Role(StrEnum):
    """What somebody may do from afar: look; change the mode for a time; also reset after a refusal of the interlock."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``[v6]:port``. Raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 <= int(port) <= 65_535:
        raise ValueError(f"expected an address and port such as 127.0.0.1:9753, found {text!r}. Correct it.")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"expected a numeric address such as 127.0.0.1, found {host!r}. Names may lead elsewhere tomorrow; write the address.") from None
    return host, int(port)


def _address(text: str) -> str:
    split_address(text)
    return text


def _loopback(text: str) -> str:
    host, _ = split_address(text)
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"expected a loopback address, found {host}: metrics are neither encrypted nor protected. Listen on 127.0.0.1.")
    return text


def _file_mode(text: str) -> str:
    if len(text) != 4 or any(c not in "01234567" for c in text) or text[0] != "0" or text[3] != "0":
        raise ValueError(f'expected four octal digits that leave out the others, such as "0660", found {text!r}. Correct it.')
    return text


def _file_name(text: str) -> str:
    if not text or text != as_file_name(text):
        raise ValueError(f"expected a name that can be part of a file's, such as {as_file_name(text)!r}, found {text!r}. Correct it.")
    return text


def as_file_name(text: str) -> str:
    """Return the text with whatever cannot stand in a file's name replaced."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in text)
    return kept.lstrip(".-") or "site"


Address = Annotated[str, AfterValidator(_address)]
LoopbackAddress = Annotated[str, AfterValidator(_loopback)]
FileMode = Annotated[str, AfterValidator(_file_mode)]
Options = Annotated[dict[str, Any], Field(default={}, description="The driver's own options; umlauf schema site tells them.")]

RUN_FOLDER: Final = "/run/umlauf"
STATE_FOLDER: Final = "/var/lib/umlauf"


def default_socket(site: str) -> str:
    """Return the operator's socket of a site that names none; sites on one machine do not share it."""
    return f"{RUN_FOLDER}/{site}.sock"


def default_state(site: str) -> str:
    """Return the state folder of a site that names none; it holds one site's learned state and one audit log."""
    return f"{STATE_FOLDER}/state/{site}"


class SignalsModel(Part):
    """Who owns the signal heads, and how to reach it."""

    driver: Name
    options: Options


class InputModel(Part):
    """One source of input events: a bus with its detectors, a controller's detector table."""

    driver: Name
    options: Options


LongestSilence = Annotated[int, Field(ge=1, le=1_000, description="Silent for longer, a loop is not believed, whatever others see.")]
MostFlow = Annotated[
    int, Field(ge=2_400, le=36_000, description="More in a minute is chatter. Above a lane's 3600: side by side (bicycles, a loop over several lanes).")
]


class LoopModel(Part):
    """What is different for one loop."""

    longest_silence_h: LongestSilence | None = None
    most_flow_veh_h: MostFlow | None = None


class DetectorsModel(Part):
    """When a loop is no longer believed by what it shows itself: of all loops, and of those named in ``loops``."""

    longest_silence_h: LongestSilence = 24
    most_flow_veh_h: MostFlow = LANE_FLOW_VEH_H
    loops: dict[Name, LoopModel] = Field(default={}, description="By detector, what is different for it.")


class JournalModel(Part):
    """Where the record of all that happened is kept: one file a day."""

    folder: Name = f"{STATE_FOLDER}/journal"
    retention_days: Annotated[int, Field(ge=1, le=3650, description="Older days are removed.")] = 30


class StateModel(Part):
    """Where learned state and the audit log are kept: a folder for this site alone."""

    folder: str = Field(default="", description=f"Empty: {default_state('ID')}, after the site's id.")


class OperatorModel(Part):
    """The local UNIX socket of umlauf status and umlauf mode. Whoever may write to it is an operator."""

    socket: str = Field(default="", description=f"Empty: {default_socket('ID')}, after the site's id.")
    group: str = Field(default="", description="The socket's group; empty: the daemon's own.")
    socket_mode: FileMode = "0660"
    longest_override_h: Annotated[int, Field(ge=1, le=168, description="No override may last longer.")] = 24


class MetricsModel(Part):
    """Prometheus metrics over plain HTTP on loopback; off where this table is missing."""

    listen: LoopbackAddress = "127.0.0.1:9753"


class RemoteModel(Part):
    """Access from afar by TLS; off where this table is missing. Roles by client certificate (its common name), by token, or both."""

    listen: Address
    certificate_file: Name
    key_file: Annotated[Name, Field(description="Private key, file mode 0600.")]
    client_ca_file: str = Field(default="", description="Who signs client certificates; empty: none are asked for.")
    roles: dict[Name, Role] = Field(default={}, description="Role by the common name of the client's certificate.")
    tokens_file: str = Field(default="", description="Lines of: name role sha256-of-token; file mode 0600. Tokens need 20 characters or more.")


class SiteModel(Part):
    """A site file."""

    id: Annotated[str, AfterValidator(_file_name), Field(description="Names the site in journals, metrics and logs.")]
    junction: Annotated[Name, Field(description="The junction file; relative to the site file.")]
    mode: WantedMode = WantedMode.ADAPTIVE
    language: Lang = Field(default=Lang.EN, description="Of what umlauf status tells where the caller's LANG says nothing.")
    signals: SignalsModel
    inputs: tuple[InputModel, ...] = ()
    detectors: DetectorsModel = DetectorsModel()
    journal: JournalModel = JournalModel()
    state: StateModel = StateModel()
    operator: OperatorModel = OperatorModel()
    metrics: MetricsModel | None = None
    remote: RemoteModel | None = None
