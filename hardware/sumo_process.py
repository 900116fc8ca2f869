"""The installed SUMO: where its programs are, and starting one that is spoken to over TraCI."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hardware.ports import PortError

SYSTEM_LIBRARIES_HINT: Final = "apt-get install -y libgl1 libglu1-mesa libx11-6 libxext6 libxrender1 libxcursor1 libxrandr2 libxi6 libfontconfig1"
START_RETRIES: Final = 1200
RETRY_S: Final = 0.05
LEAVE_S: Final = 5.0  # how long a program that has closed its connection is given to end


def load_module(name: str) -> Any:
    """Import one of SUMO's modules. Raises `PortError` naming what to install."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise PortError(f"the Python package {name!r} is not installed; install it with: pip install 'umlauf[sumo]'") from error
    except ImportError as error:
        raise PortError(f"{name} cannot be loaded ({error}); a system library is missing, install it with: {SYSTEM_LIBRARIES_HINT}") from error


def sumo_home() -> Path | None:
    """Return the directory of the installed SUMO (the package ``sumo``, else ``SUMO_HOME``), None where there is none."""
    spec = importlib.util.find_spec("sumo")
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    home = os.environ.get("SUMO_HOME")
    return Path(home) if home else None


def sumo_binary(name: str = "sumo") -> str:
    """Return the path of a SUMO program. Raises `PortError` where it is not installed."""
    home = sumo_home()
    if home is not None and (home / "bin" / name).exists():
        return str(home / "bin" / name)
    found = shutil.which(name)
    if found is None:
        raise PortError(f"the program {name!r} was not found; install it with: pip install 'umlauf[sumo]'")
    return found


class SumoProcess:
    """A SUMO or sumo-gui of our own and the connection to it. Raises `PortError` where it does not start."""

    def __init__(self, args: Sequence[str], *, gui: bool) -> None:
        self.name = "sumo-gui" if gui else "SUMO (TraCI)"
        self._gui = gui
        if gui:
            check_display(os.environ)
        traci = load_module("traci")
        self.errors: tuple[type[BaseException], ...] = (traci.TraCIException, traci.FatalTraCIError, ConnectionError)
        port = traci.getFreeSocketPort()
        command = [sumo_binary("sumo-gui" if gui else "sumo"), *args, "--remote-port", str(port)]
        if gui:
            command += ["--start", "--quit-on-end"]
        self._process = subprocess.Popen(command)
        try:
            self.api: Any = traci.connect(port=port, numRetries=START_RETRIES, proc=self._process, waitBetweenRetries=RETRY_S)
            self.api.getVersion()  # SUMO answers only when it has loaded everything
        except self.errors as error:
            ended = self.ended()
            self._process.terminate()
            self._process.wait()
            hint = f"; it must be able to open the display {os.environ.get('DISPLAY')!r}" if gui else ""
            raise PortError(f"{self.name} did not start: {ended or error}{hint}") from error

    def leave(self) -> None:
        """End the simulation so that SUMO writes its files, and wait for that."""
        try:
            self.api.close()
        finally:
            self._process.wait()

    def ended(self) -> str:
        """Return in words how the program ended, empty where it still runs."""
        try:
            code = self._process.wait(timeout=LEAVE_S)
        except subprocess.TimeoutExpired:
            return ""
        if code < 0:
            return f"it was ended by {signal.Signals(-code).name}"
        return "its window was closed" if self._gui and code == 0 else f"it ended with exit code {code}"


def check_display(environment: Mapping[str, str]) -> None:
    """Check that sumo-gui has a display to open its window on. Raises `PortError` saying how to get one."""
    if sys.platform != "win32" and not environment.get("DISPLAY"):
        raise PortError(
            "--gui: expected a display for the window of sumo-gui, found that DISPLAY is not set; "
            "run it on a desktop or through ssh -X, in a virtual display (xvfb-run umlauf simulate ... --gui), or leave --gui out"
        )
