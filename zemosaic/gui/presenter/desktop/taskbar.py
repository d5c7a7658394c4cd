"""How far a run is, shown on the program's entry in the task bar, dock or launcher."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from shutil import which
from typing import Any
from uuid import UUID

__all__ = ["TaskbarProgress", "launcher_command"]

_DESKTOP_ENTRY = "application://zemosaic.desktop"
"""The name under which launchers of Linux know the program."""
_WAIT_S = 5.0
_TASKBAR_CLASS, _TASKBAR_LIST_3 = "56fdf344-fd6d-11d0-958a-006097c9a090", "ea1afb91-9e28-4b86-90e9-9e9f8a5eefaf"
_HR_INIT, _SET_VALUE, _SET_STATE = 3, 9, 10
"""Places in the table of ITaskbarList3's methods."""
_NO_PROGRESS, _NORMAL = 0, 2
_IN_PROCESS = 1


class TaskbarProgress:
    """Shows percents where the system has a place for them: on Windows, and in launchers of Linux that show progress.

    Parameters
    ----------
    handle : callable
        Returns the window's handle; asked on Windows only.
    """

    def __init__(self, handle: Callable[[], int]) -> None:
        self._handle = handle
        self._shown = 0
        self._list: Any = None

    def show(self, percent: int) -> None:
        """Show a number from 1 to 100, or nothing for 0; the same number again costs nothing."""
        if percent == self._shown:
            return
        self._shown = percent
        if sys.platform == "win32":
            self._show_on_windows(percent)
        elif sys.platform == "linux" and os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
            command = launcher_command(percent, which)
            if command is not None:
                threading.Thread(target=_run, args=(command,), name="task bar", daemon=True).start()

    def _show_on_windows(self, percent: int) -> None:
        """Tell the task bar by COM, which has no other way to it."""
        if self._list is None:
            self._list = _taskbar_list()
        if not self._list:
            return  # the task bar is none that shows progress; the window's title does
        window = ctypes.c_void_p(self._handle())
        _call(self._list, _SET_STATE, window, ctypes.c_int(_NORMAL if percent else _NO_PROGRESS))
        if percent:
            _call(self._list, _SET_VALUE, window, ctypes.c_ulonglong(percent), ctypes.c_ulonglong(100))


def launcher_command(percent: int, find: Callable[[str], str | None]) -> list[str] | None:
    """Return the command that tells launchers how far the program is; None where there is no program for that.

    Parameters
    ----------
    percent : int
        From 1 to 100; 0 for nothing to show.
    find : callable
        Returns the path of a program.
    """
    program = find("gdbus")
    if program is None:
        return None
    told = f"{{'progress': <{percent / 100}>, 'progress-visible': <{'true' if percent else 'false'}>}}"
    signal = "com.canonical.Unity.LauncherEntry.Update"
    return [program, "emit", "--session", "--object-path", "/", "--signal", signal, f"'{_DESKTOP_ENTRY}'", told]


def _run(command: list[str]) -> None:
    quiet = subprocess.DEVNULL
    try:
        subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=_WAIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return  # the window's title tells the same


def _taskbar_list() -> Any:
    """Return the task bar's object, or a null pointer where there is none."""
    ole, made = ctypes.windll.ole32, ctypes.c_void_p()  # type: ignore[attr-defined, unused-ignore]
    ole.CoInitialize(None)
    kind, interface = (
        ctypes.create_string_buffer(UUID(name).bytes_le, 16) for name in (_TASKBAR_CLASS, _TASKBAR_LIST_3)
    )
    if ole.CoCreateInstance(kind, None, _IN_PROCESS, interface, ctypes.byref(made)) != 0:
        return ctypes.c_void_p()
    _call(made, _HR_INIT)
    return made


def _call(interface: Any, place: int, *values: Any) -> int:
    """Call a method of a COM object by its place in the table of methods."""
    table = ctypes.cast(interface, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
    kinds = [type(value) for value in values]
    method = ctypes.WINFUNCTYPE(ctypes.c_long, ctypes.c_void_p, *kinds)(table[place])  # type: ignore[attr-defined, unused-ignore]
    return int(method(interface, *values))
