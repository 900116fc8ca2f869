"""What all tests share: golden files, drawn cases that repeat, and saying what did not run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from support_tools import install_line, missing, must_not_be_missing

# The same cases in every run, so that what fails can be seen to be mended; HYPOTHESIS_PROFILE=explore draws new ones.
settings.register_profile("repeat", derandomize=True)
settings.register_profile("explore", derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

pytest_plugins = ["pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update``."""
    parser.addoption("--update", action="store_true", help="rewrite the golden files that differ, then fail, so that the change is looked at")


def tools_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the programs that a test needs and that are not here."""
    return missing({tool for mark in item.iter_markers("tools") for tool in mark.args})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a program that is not here, unless this is CI; the summary says so."""
    if not must_not_be_missing():
        left_out = [item for item in items if tools_of(item)]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail in CI where a program is missing."""
    if absent := tools_of(item):
        pytest.fail(f"expected {', '.join(absent)} on the path; install: {install_line(absent)}", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run."""
    if absent := missing():
        terminalreporter.write_line(f"the tests that need {', '.join(absent)} did not run; install: {install_line(absent)}")


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
