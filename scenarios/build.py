"""The scenarios that we make ourselves, written on demand into the user's cache directory; the same input gives the same files."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from controller.errors import MissingError, ScenarioError
from hardware.ports import PortError
from hardware.sumo_process import sumo_binary, sumo_home
from scenarios.demand import RILSA, trips_xml
from scenarios.streets import NETCONVERT, Layout, plain_files, through_and_turning
from scenarios.stress import PREFIX, STRESS

if TYPE_CHECKING:
    from scenarios.catalogue import Scenario

SUMO_INSTALL: Final = "pip install 'umlauf[sumo]'"
CONFIG: Final = "scenario.sumocfg"
REAL_WORLD: Final = Path("tools/sumolib/scenario/scenarios/RealWorld")
CROSS: Final = Layout(columns=1, rows=1, spacing_m=300, main_lanes=2, side_lanes=1)
ARTERIAL: Final = Layout(columns=5, rows=1, spacing_m=300, main_lanes=2, side_lanes=1)
GRID: Final = Layout(columns=3, rows=3, spacing_m=250, main_lanes=2, side_lanes=2)
# layout, vehicles an hour at each end of a main and of a side street, per cent that turn
STREETS: Final = {
    "cross": (CROSS, 750, 350, 25),
    "arterial": (ARTERIAL, 700, 160, 30),
    "grid": (GRID, 340, 280, 30),
}


def built_scenarios() -> tuple[Scenario, ...]:
    """Return the scenarios that are generated on demand."""
    from scenarios.catalogue import Scenario

    streets = [Scenario(name, "built by umlauf", "Apache-2.0", SUMO_INSTALL, partial(_build_by_name, name)) for name in STREETS]
    rilsa = [Scenario(name, "eclipse-sumo (RiLSA example junction)", "EPL-2.0", SUMO_INSTALL, partial(build_rilsa, name)) for name in RILSA]
    stress = [
        Scenario(PREFIX + name, "built by umlauf", "Apache-2.0", SUMO_INSTALL, partial(build_stress, name), about=one.about, outages=one.outages)
        for name, one in STRESS.items()
    ]
    return (*streets, *rilsa, *stress)


def _build_by_name(name: str) -> Path:
    return build_streets(name, *STREETS[name])


def build_streets(name: str, layout: Layout, main_veh_h: int, side_veh_h: int, turning_pct: int) -> Path:
    """Return the configuration of a street net, built where it is not in the cache. Raises `MissingError` or `ScenarioError`."""
    files = plain_files(layout)
    files["demand.rou.xml"] = trips_xml(through_and_turning(layout, main_veh_h, side_veh_h, turning_pct))
    files[CONFIG] = _config_xml("net.net.xml", "demand.rou.xml", ())
    return _cached(name, files, NETCONVERT)


def build_stress(name: str) -> Path:
    """Return the configuration of a stress world by its name without prefix, built where it is not in the cache. Raises `MissingError` or `ScenarioError`."""
    one = STRESS[name]
    files = {**one.files(), CONFIG: _config_xml("net.net.xml", "demand.rou.xml", (), one.end_s)}
    return _cached(f"stress-{name}", files, one.netconvert)


def build_rilsa(name: str) -> Path:
    """Return the configuration of a RiLSA example: net and programme from the installed SUMO, demand from our table of its counts."""
    home = sumo_home()
    number = name.removeprefix("rilsa")
    source = (home or Path()) / REAL_WORLD / f"RiLSA_example{number}"
    net, programme = source / f"{name}.net.xml", source / f"{name}_tls.add.xml"
    if home is None or not net.is_file():
        raise MissingError(f"scenario {name}: its net comes with SUMO ({REAL_WORLD}), which was not found; install it with: {SUMO_INSTALL}")
    files = {"demand.rou.xml": trips_xml(RILSA[name]), CONFIG: _config_xml(str(net), "demand.rou.xml", (str(programme),))}
    return _cached(name, files, ())


def _config_xml(net: str, routes: str, additional: Sequence[str], end_s: int = 3600) -> str:
    extra = f'\n        <additional-files value="{",".join(additional)}"/>' if additional else ""
    return f"""<configuration>
    <input>
        <net-file value="{net}"/>
        <route-files value="{routes}"/>{extra}
    </input>
    <time>
        <begin value="0"/>
        <end value="{end_s}"/>
    </time>
</configuration>
"""


def _cached(name: str, files: Mapping[str, str], netconvert: Sequence[str]) -> Path:
    """Return the configuration out of the cache, filled first where it lacks this very content. Raises `ScenarioError`."""
    key = hashlib.sha256(json.dumps([files, list(netconvert), _sumo_version()], sort_keys=True).encode()).hexdigest()[:12]
    base = Path(platformdirs.user_cache_dir("umlauf")) / "scenarios"
    folder = base / f"{name}-{key}"
    if (folder / CONFIG).is_file():
        return folder / CONFIG
    try:
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            for file, text in files.items():
                (made / file).write_text(text, encoding="utf-8")
            if netconvert:
                _netconvert(name, made, netconvert)
            try:
                made.rename(folder)
            except OSError:
                if not (folder / CONFIG).is_file():  # another process may have been faster
                    raise
    except OSError as error:
        raise ScenarioError(f"scenario {name}: cannot be built in {base} ({error}); make that folder writable or set XDG_CACHE_HOME") from error
    return folder / CONFIG


def _netconvert(name: str, folder: Path, options: Sequence[str]) -> None:
    try:
        program = sumo_binary("netconvert")
    except PortError as error:
        raise MissingError(f"scenario {name}: {error}") from error
    files = ["-n", "net.nod.xml", "-e", "net.edg.xml", "-o", "net.net.xml"]
    done = subprocess.run([program, *files, *options], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ScenarioError(f"scenario {name}: netconvert failed: {done.stderr.strip() or done.stdout.strip()}")


def _sumo_version() -> str:
    try:
        return metadata.version("eclipse-sumo")
    except metadata.PackageNotFoundError:
        return "unknown"
