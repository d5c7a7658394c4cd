"""A display for the window's tests, and a clean configuration folder for all."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import waiting


@pytest.fixture(scope="session")
def display():
    """A display: that of the session, or one of our own."""
    pytest.importorskip("tkinter")
    if os.environ.get("DISPLAY") or sys.platform in ("win32", "darwin"):
        yield os.environ.get("DISPLAY", "")
        return
    if shutil.which("Xvfb") is None:
        pytest.skip("no display and no Xvfb")
    reader, writer = os.pipe()
    argv = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1366x768x24", "-dpi", "96", "-nolisten", "tcp"]
    server = subprocess.Popen(argv, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as told:
        os.environ["DISPLAY"] = f":{told.readline().strip()}"
    yield os.environ["DISPLAY"]
    del os.environ["DISPLAY"]
    server.terminate()
    server.wait(10)


SOCKETS_HOOK = """
import os, socket, sys
INTERNET = {int(socket.AF_INET), int(socket.AF_INET6)}
ASKED = {"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}

def note(line):
    with open(os.environ["ZEMOSAIC_TEST_SOCKETS"], "a") as file:
        file.write(line + "\\n")

def told(event, values):
    if event == "socket.__new__" and int(values[1]) in INTERNET:
        note("opened " + repr(values[1:]))
    elif event in ASKED and not (isinstance(values[0], socket.socket) and int(values[0].family) not in INTERNET):
        note(event + " " + repr(values[1:]))

note("watched")
sys.addaudithook(told)
"""
"""A `sitecustomize` that all Python processes of a run load, its workers too: it writes down what goes to a network."""


@dataclass(frozen=True)
class Headless:
    """Frames, and what a run of the program without a window makes of them: the digests of its pixel files."""

    frames: Path
    made: dict[str, str]
    network: list[str]
    """Lines of its processes about sockets: ``watched`` once for each process, else what was opened or asked."""

    @staticmethod
    def files(folder: Path) -> dict[str, str]:
        """Return the digests of an output folder's files with pixels."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.iterdir()
            if path.suffix in (".fits", ".png")
        }


@pytest.fixture(scope="session")
def headless(demo_frames, zemosaic, tmp_path_factory):
    """Four frames of two pointings of the demo, and their mosaic with the settings that a window begins with."""
    folder = tmp_path_factory.mktemp("headless")
    frames = demo_frames(folder, (0, 1, 6, 7))
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(SOCKETS_HOOK, encoding="utf-8")
    paths = [str(folder / "hook"), *filter(None, [os.environ.get("PYTHONPATH")])]
    watched = {"PYTHONPATH": os.pathsep.join(paths), "ZEMOSAIC_TEST_SOCKETS": str(folder / "network.txt")}
    done = zemosaic("--input_dir", frames, "--output_dir", folder / "mosaic", env=os.environ | watched)
    assert done.returncode == 0, done.stderr
    network = (folder / "network.txt").read_text(encoding="utf-8").splitlines()
    return Headless(frames, Headless.files(folder / "mosaic"), network)


@pytest.fixture(autouse=True)
def _let_closed_windows_go():
    """Delete Qt's closed windows, which no event loop does here, and collect those of Tk in the thread that made them.

    A closed window holds 25 MB, and every change of the look is made in all that are left.  A thread of a later test
    that collects a variable of Tk waits for Tk for ever.
    """
    gc.disable()
    yield
    made = sys.modules.get("zemosaic.gui.qt.window")
    application = made.QApplication.instance() if made is not None else None
    if application is not None:
        for window in application.topLevelWidgets():
            if isinstance(window, made.MainWindow) and not window.isVisible():
                window.deleteLater()
        application.sendPostedEvents(None, sys.modules["PySide6.QtCore"].QEvent.Type.DeferredDelete.value)
    gc.enable()
    gc.collect()


@pytest.fixture
def environ(tmp_path):
    """An environment with a configuration folder of its own, in English."""
    return {"ZEMOSAIC_CONFIG_DIR": str(tmp_path / "config"), "LANG": "en_US.UTF-8"}


@pytest.fixture
def wait_until():
    """A function that lets a window work until a condition holds."""

    return lambda root, condition: waiting.wait_until(condition, root.update)
