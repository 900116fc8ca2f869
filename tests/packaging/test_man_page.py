"""The manual page: every command with its help, and nothing that man complains of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support_tools import found

from controller.cli_commands import find_commands, summary

ROOT = Path(__file__).resolve().parents[2]


def made(**environment: str) -> str:
    command = [sys.executable, str(ROOT / "deploy" / "make_man.py")]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=60).stdout


def test_the_page_tells_every_command_and_the_sources_date() -> None:
    page = made(SOURCE_DATE_EPOCH="86400")
    assert page.startswith('.TH UMLAUF 1 1970-01-02 "umlauf ')
    for name, command in find_commands().items():
        text = summary(command).replace("-", r"\-")
        assert f".TP\n.B {name}\n{text}\n" in page
    assert "not installed)" not in page


@pytest.mark.tools("groff")
def test_man_has_nothing_to_complain_of() -> None:
    groff = found("groff")
    assert groff is not None
    said = subprocess.run([groff, "-man", "-Tutf8", "-ww", "-z"], input=made(), capture_output=True, text=True, check=True, timeout=60)
    assert said.stderr == ""
