"""Secrets: only from files that nobody else may read, and never in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardware.ports import PortError
from hardware.secret_files import read_secret


def write(path: Path, text: bytes, mode: int) -> Path:
    path.write_bytes(text)
    path.chmod(mode)
    return path


def test_reads_one_line(tmp_path: Path) -> None:
    assert read_secret(write(tmp_path / "c", b"topsecret\n", 0o600)) == "topsecret"


@pytest.mark.parametrize(
    ("text", "mode", "match"),
    [
        (b"topsecret\n", 0o640, "expected mode 0600, found 0640"),
        (b"topsecret\n", 0o604, "expected mode 0600, found 0604"),
        (b"", 0o600, "expected one line, found 0"),
        (b"topsecret\ntopsecret\n", 0o600, "expected one line, found 2"),
        (b"topsecret\xff", 0o600, "not UTF-8"),
        (b"topsecret" * 200, 0o600, "expected a file with one line"),
    ],
)
def test_refuses_and_tells_no_secret(tmp_path: Path, text: bytes, mode: int, match: str) -> None:
    with pytest.raises(PortError, match=match) as caught:
        read_secret(write(tmp_path / "c", text, mode))
    assert "topsecret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None or "topsecret" not in repr(caught.value.__context__)


def test_a_missing_file_or_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="No such file"):
        read_secret(tmp_path / "none")
    with pytest.raises(PortError, match="expected a file with one line"):
        read_secret(tmp_path)
