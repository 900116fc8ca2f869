"""A virtual X display for the tests of sumo-gui, and a hand that closes windows there as a window manager's close button does."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

CLIENT_MESSAGE: Final = 33
TRIES: Final = 300
TRY_S: Final = 0.1


@contextmanager
def virtual_display() -> Iterator[str]:
    """Yield the name of a display of Xvfb, which chooses a free number itself."""
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write_end)
    try:
        with os.fdopen(read_end) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        process.terminate()
        process.wait(timeout=10)


class ClientMessage(ctypes.Structure):
    """Xlib's XClientMessageEvent with room for its union."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("room", ctypes.c_long * 16),
    )


def close_window(display_name: str, title_part: bytes) -> None:
    """Ask the window with this in its title to close itself (WM_DELETE_WINDOW). Wait until there is one."""
    name = ctypes.util.find_library("X11") or "libX11.so.6"
    x11 = ctypes.CDLL(name)
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = x11.XDefaultRootWindow.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x11.XOpenDisplay(display_name.encode()))
    assert display, f"no display {display_name}"
    window = _wait_for(x11, display, title_part)
    delete = x11.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    protocols = x11.XInternAtom(display, b"WM_PROTOCOLS", 0)
    event = ClientMessage(CLIENT_MESSAGE, 0, 1, display, window, protocols, 32, (ctypes.c_long * 5)(delete, 0, 0, 0, 0))
    x11.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
    x11.XCloseDisplay(display)


def _wait_for(x11: Any, display: ctypes.c_void_p, title_part: bytes) -> int:
    for _ in range(TRIES):
        for window in _top_windows(x11, display):
            title = ctypes.c_char_p()
            if x11.XFetchName(display, ctypes.c_ulong(window), ctypes.byref(title)) and title_part in (title.value or b""):
                return window
        time.sleep(TRY_S)
    raise AssertionError(f"no window with {title_part!r} in its title")


def _top_windows(x11: Any, display: ctypes.c_void_p) -> list[int]:
    root, parent, children, count = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.POINTER(ctypes.c_ulong)(), ctypes.c_uint()
    x11.XQueryTree(
        display,
        ctypes.c_ulong(x11.XDefaultRootWindow(display)),
        *(ctypes.byref(value) for value in (root, parent, children, count)),
    )
    return [children[i] for i in range(count.value)]
