"""What a run's process tells of errors that come from outside."""

from __future__ import annotations

import errno
import os

import pytest

from scenarios.case import Case
from scenarios.child import error_text


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_with_its_place(number: int) -> None:
    case = Case("cross", "cross.sumocfg", "fixed", "/somewhere/run")
    told = error_text(OSError(number, os.strerror(number)), case)
    assert told.startswith(f"/somewhere/run: {os.strerror(number)}; make room there, or give the run another place")
    assert error_text(OSError(number, os.strerror(number), "/other/file"), case).startswith("/other/file: ")
    assert error_text(ValueError("as it is"), case) == "as it is"
