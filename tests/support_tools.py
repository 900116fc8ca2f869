"""Programs that are not Python's: which Debian package brings each, and what happens to a test where one is missing.

``@pytest.mark.tools("socat", "mbpoll")`` names what a test needs. Where one is missing the test is left out and the summary tells the line
that installs it; where the variable CI is set, the test fails instead, so that nothing is left out unnoticed. `.ci/debian_tools` installs them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from typing import Final

PACKAGES: Final = {
    "Xvfb": "xvfb",
    "groff": "groff-base",
    "mbpoll": "mbpoll",
    "promtool": "prometheus",
    "snmpd": "snmpd",
    "snmpget": "snmp",
    "socat": "socat",
    "systemd-analyze": "systemd",
}


def found(tool: str) -> str | None:
    """Return the program's path; daemons stand where a user's PATH does not lead."""
    return shutil.which(tool, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def missing(tools: Iterable[str] = PACKAGES) -> tuple[str, ...]:
    """Return those of the tools that are not here. Raises `KeyError` for one without a Debian package in the table."""
    return tuple(sorted(tool for tool in tools if PACKAGES[tool] and found(tool) is None))


def install_line(tools: Iterable[str]) -> str:
    """Return the one line that installs them."""
    return "apt-get install --no-install-recommends " + " ".join(sorted({PACKAGES[tool] for tool in tools}))


def must_not_be_missing() -> bool:
    """Return whether a test whose tool is missing fails: in CI."""
    return bool(os.environ.get("CI"))
