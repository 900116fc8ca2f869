"""Every numba kernel has a twin that a kernel test calls; none uses fast-math, and all go through `optimizer.jit.kernel`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numba
import pytest

import optimizer
from optimizer import jit
from tests import naive

pytestmark = pytest.mark.kernel
SOURCES = sorted(Path(optimizer.__file__).parent.glob("*.py"))
TESTS = Path(__file__).parent.parent


def kernels():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and any("kernel" in ast.unparse(d) or "jit" in ast.unparse(d) for d in node.decorator_list):
                yield path, node


NAMES = sorted(node.name for _, node in kernels())


def test_there_are_kernels_and_no_two_share_a_name():
    assert len(NAMES) > 20
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_kernel_has_a_twin_that_a_test_calls(name):
    assert callable(getattr(naive, name, None)), f"tests/naive.py has no {name}"
    text = "".join(p.read_text(encoding="utf-8") for p in TESTS.glob("property/test_kernel_*.py"))
    assert f"naive.{name}(" in text, f"no test in tests/property/test_kernel_*.py calls naive.{name}"


def test_kernels_use_the_one_decorator_with_contiguous_arrays():
    for path, node in kernels():
        assert [ast.unparse(d).split("(")[0] for d in node.decorator_list] == ["kernel"], f"{path.name}: {node.name}"
        signature = ast.literal_eval(node.decorator_list[0].args[0])
        arrays = re.findall(r"\[([^\]]*)\]", signature)
        assert all(axes.endswith("::1") for axes in arrays), f"{path.name}: {node.name} has an array without ::1"


def test_no_fast_math_anywhere():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.keyword) and node.arg == "fastmath"), f"{path.name}: fastmath"
    assert not set(jit.OPTIONS) - {"cache", "nogil", "error_model", "_nrt"}


def test_the_cache_directory_is_ours_and_knows_sources_and_bounds_check(monkeypatch, tmp_path):
    assert Path(jit.CACHE_DIR).name.endswith(jit.cache_key())
    key = jit.cache_key()
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1 - int(numba.config.BOUNDSCHECK or 0))
    assert jit.cache_key() != key
    monkeypatch.undo()
    (tmp_path / "other.py").write_text("x = 1\n")
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    other = jit.cache_key()
    (tmp_path / "other.py").write_text("x = 2\n")
    assert len({key, other, jit.cache_key()}) == 3


def test_an_unwritable_cache_falls_back_to_a_private_directory(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(jit.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)
    path = Path(jit.use_cache_dir())
    assert path.parent == tmp_path
    assert path.stat().st_mode & 0o077 == 0
