"""What all tests share: golden files, and a random seed that is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update``."""
    parser.addoption("--update", action="store_true", help="rewrite the golden files that differ, then fail, so that the change is looked at")


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
