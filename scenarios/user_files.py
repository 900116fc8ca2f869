"""The user's additional files: kept as they are, except that outputs they define must not be written beside them.

SUMO resolves such outputs against the additional file, so a file that defines any is loaded as a copy in the run's folder,
with its outputs named there and its inputs named absolutely.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from controller.errors import ScenarioError
from scenarios.config import read_text

# element -> attribute that names a file which SUMO writes (SUMO user documentation, "Simulation/Output")
OUTPUTS: Final = {
    "e1Detector": "file",
    "inductionLoop": "file",
    "instantInductionLoop": "file",
    "e2Detector": "file",
    "laneAreaDetector": "file",
    "e3Detector": "file",
    "entryExitDetector": "file",
    "edgeData": "file",
    "laneData": "file",
    "routeProbe": "file",
    "vTypeProbe": "file",
    "calibrator": "output",
    "timedEvent": "dest",
}
INPUTS: Final = {"rerouter": "file", "variableSpeedSign": "file", "include": "href", "poly": "imgFile", "poi": "imgFile", "vType": "imgFile"}
NO_FILE: Final = ("", "NUL", "/dev/null", "stdout", "stderr", "-")


def additional_files(files: Sequence[Path], folder: Path) -> tuple[list[Path], list[str]]:
    """Return the files to load in their place and, in words, which outputs went to ``folder``. Raises `ScenarioError` on broken ones."""
    loaded: list[Path] = []
    redirected: list[str] = []
    for number, file in enumerate(files):
        text = read_text(file)
        try:
            root = ET.fromstring(text.encode())
        except ET.ParseError as error:
            raise ScenarioError(f"additional file {file}: not readable as XML ({error}); mend the file") from error
        moved = _redirect(root, file, folder)
        if not moved:
            loaded.append(file)
            continue
        folder.mkdir(exist_ok=True)
        copy = folder / f"{number}-{file.name.removesuffix('.gz')}"
        ET.ElementTree(root).write(copy, encoding="utf-8", xml_declaration=True)
        loaded.append(copy)
        redirected += [f"{file.name}: {name} -> {folder / Path(name).name}" for name in dict.fromkeys(moved)]
    return loaded, redirected


def _redirect(root: ET.Element, file: Path, folder: Path) -> list[str]:
    moved: list[str] = []
    for element in root.iter():
        written = OUTPUTS.get(element.tag)
        if written is not None and element.get(written, "") not in NO_FILE:
            name = element.attrib[written]
            element.set(written, str(folder / Path(name).name))
            moved.append(name)
        read = INPUTS.get(element.tag)
        if read is not None and element.get(read):
            element.set(read, str((file.parent / element.attrib[read]).resolve()))
    return moved
