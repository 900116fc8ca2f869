"""The one set of numba options, and where compiled kernels are kept.

Theory of operation. A cached kernel in one module goes on calling the old version of an edited kernel in another module, so the
cache directory is named by a hash of every source file of this package, the numba version, the CPU and whether bounds are checked
(a warm cache silently switches the bounds check off). Decision kernels must give the same bits on every CPU and in every replay,
so no kernel uses fast-math flags. Kernels allocate nothing: their arrays belong to the caller, who holds them while they run, so the
reference counts that numba keeps at every call (atomic operations, more than half of a solve) are switched off with its runtime, `_nrt`.
Import this module before any kernel: it sets ``numba.config.CACHE_DIR``.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import llvmlite.binding as llvm
import numba

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: Final = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}


def cache_base() -> str:
    """Return the directory under which the caches of all versions lie: ``NUMBA_CACHE_DIR`` if set, else the user's cache."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return given
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return os.path.join(base, "umlauf", "numba")


def cache_key() -> str:
    """Return the hash of all sources of this package, the numba version, the CPU and the bounds check."""
    digest = hashlib.sha256()
    folder = os.path.dirname(os.path.abspath(__file__))
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py"):
            digest.update(name.encode())
            with open(os.path.join(folder, name), "rb") as source:
                digest.update(source.read())
    digest.update(f"{numba.__version__} {llvm.get_host_cpu_name()} bounds={numba.config.BOUNDSCHECK}".encode())
    return digest.hexdigest()[:16]


def use_cache_dir() -> str:
    """Point numba at our cache directory and return it; falls back to the temporary directory where the user's cannot be written."""
    key = cache_key()
    path = os.path.join(cache_base(), key)
    try:
        os.makedirs(path, exist_ok=True)
        writable = os.access(path, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        # a name of this user only: kernels are machine code, so nobody else's directory may serve them
        user = str(os.getuid()) if hasattr(os, "getuid") else "user"
        path = os.path.join(tempfile.gettempdir(), f"umlauf-numba-{user}-{key}")
        os.makedirs(path, mode=0o700, exist_ok=True)
    numba.config.CACHE_DIR = path
    return path


CACHE_DIR: Final = use_cache_dir()


def kernel(signature: str) -> Callable[[F], F]:
    """Return the decorator of every kernel: an explicit signature (contiguous arrays) and the one set of options."""
    return cast("Callable[[F], F]", numba.njit(signature, **OPTIONS))
