"""What all tests share: golden files, drawn cases that repeat, and saying what did not run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# The same cases in every run, so that what fails can be seen to be mended; HYPOTHESIS_PROFILE=explore draws new ones.
settings.register_profile("repeat", derandomize=True)
settings.register_profile("explore", derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

pytest_plugins = ["pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update``."""
    parser.addoption("--update", action="store_true", help="rewrite the golden files that differ, then fail, so that the change is looked at")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a display where there is none; the summary says so."""
    if shutil.which("Xvfb") is None:
        left_out = [item for item in items if item.get_closest_marker("display")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run."""
    if shutil.which("Xvfb") is None:
        terminalreporter.write_line("the tests marked 'display' (sumo-gui) did not run: there is no Xvfb; install it with: apt-get install xvfb")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that compares a text with the golden file of this name beside the test."""
    folder = Path(str(request.path)).parent

    def check(name: str, text: str) -> None:
        path = folder / name
        if request.config.getoption("--update"):
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                pytest.fail(f"{path} was rewritten; look at its diff, then run again without --update")
        elif not path.exists():
            pytest.fail(f"{path} is missing; run pytest with --update to write it")
        assert text.splitlines() == path.read_text(encoding="utf-8").splitlines()

    return check
