"""Configurations made for a sumo-gui with more in it than ours: options that SUMO would refuse are left out, in a copy.

SUMO resolves the files that a configuration names against the configuration, so the copy names them absolutely.
"""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

from scenarios.config import SumoConfig

REFUSED: Final = ("osg-view",)  # the 3D view: known only to a SUMO that was compiled with OpenSceneGraph, which those of PyPI are not
COPY: Final = "scenario.sumocfg"


def without_gui_options(config: SumoConfig, folder: Path) -> tuple[SumoConfig, list[str]]:
    """Return the configuration that SUMO accepts, and a note for each option left out. Only where one was, a copy is written into ``folder``."""
    found = [name for name in REFUSED if name in config.options]
    if not found:
        return config, []
    root = ET.parse(config.path).getroot()
    for parent in list(root.iter()):
        for element in list(parent):
            if element.tag in REFUSED:
                parent.remove(element)
            elif len(element) == 0:
                _name_absolutely(element, config.path.parent)
    copy = folder / COPY
    ET.ElementTree(root).write(copy, encoding="utf-8", xml_declaration=True)
    notes = [f"{name} of {config.path.name} was left out, for this SUMO has no 3D view" for name in found]
    return dataclasses.replace(config, path=copy), notes


def _name_absolutely(element: ET.Element, folder: Path) -> None:
    for key in ("value", "v"):
        names = element.get(key, "")
        parts = [part.strip() for part in re.split("[,;]", names)]
        if names and any((folder / part).exists() for part in parts if part):
            element.set(key, ",".join(str(folder / part) if part and (folder / part).exists() else part for part in parts))
