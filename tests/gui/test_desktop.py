"""What the desktop is asked for: to open a file, and how large letters are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest
from fake_worker import FakeRun, make_demo
from waiting import PATIENCE_S, wait_until

from zemosaic.gui.presenter.desktop import system_desktop as desktop
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.tk.screen import font_dpi_of
from zemosaic.i18n import Translator

LINUX_ONLY = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="xdg-open and X resources are Linux's")
HIGH_DPI_PROBE = """
import sys, tkinter
sys.path[:0] = sys.argv[2].split(":")
from fake_worker import FakeRun, make_demo
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.tk.window import MainWindow
from zemosaic.i18n import Translator
from tkinter import font
root = tkinter.Tk()
environ = {"ZEMOSAIC_CONFIG_DIR": sys.argv[1]}
window = MainWindow(root, Session(Translator("en"), environ, lambda settings, until=None: FakeRun(settings), make_demo))
root.update()
letters = font.nametofont("TkDefaultFont", root).metrics("linespace")
print(window.theme.scale, letters, window.start_button.winfo_height(), root.winfo_width(), root.winfo_height())
window.close()
"""


@pytest.fixture
def opener(tmp_path, monkeypatch):
    """A stand-in for xdg-open on the search path; the function writes what it does."""
    folder = tmp_path / "programs"
    folder.mkdir()

    def write(body):
        script = folder / "xdg-open"
        script.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        script.chmod(0o755)

    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return write


@LINUX_ONLY
def test_an_opener_that_fails_is_noticed(opener, tmp_path):
    opener("exit 3")
    assert not desktop.open_path(tmp_path)
    opener("exit 0")
    assert desktop.open_path(tmp_path)


@LINUX_ONLY
def test_an_opener_that_is_the_viewer_itself_counts_as_opened(opener, tmp_path, monkeypatch):
    monkeypatch.setattr(desktop, "_OPENER_WAIT_S", 0.05)
    opener("exec sleep 1")
    assert desktop.open_path(tmp_path)


@LINUX_ONLY
def test_the_session_tells_what_could_not_be_opened_without_waiting(opener, tmp_path, environ):
    opener("sleep 0.3; exit 4")
    session = Session(Translator("en"), environ, lambda settings, until=None: FakeRun(settings), make_demo)
    begun = time.monotonic()
    session.opener.open(tmp_path)
    assert time.monotonic() - begun < 0.25
    wait_until(lambda: session.pump() or session.problem is not None)
    assert session.problem.key == "error.not_opened" and session.problem.params["path"] == str(tmp_path)


def test_the_resolution_of_fonts_is_read_from_x_resources():
    assert font_dpi_of("Xcursor.size:\t24\nXft.dpi:\t192\nXft.antialias:\t1\n") == 192.0
    assert font_dpi_of("Xft.dpi: 0\n") is None and font_dpi_of("Xft.dpi: 1.2.3") is None and font_dpi_of("") is None


@LINUX_ONLY
def test_letters_and_controls_follow_one_scale_where_the_desktop_doubles_fonts(tmp_path):
    """As GNOME and others do on a screen of 192 dpi: by the resource Xft.dpi alone."""
    pytest.importorskip("tkinter")
    if shutil.which("Xvfb") is None or shutil.which("xprop") is None:
        pytest.skip("no Xvfb or no xprop")
    folders = ":".join(sys.path)
    measured = {}
    for dpi in (96, 192):
        reader, writer = os.pipe()
        argv = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "2732x1536x24", "-dpi", "96", "-noreset"]
        server = subprocess.Popen([*argv, "-nolisten", "tcp"], pass_fds=[writer], stderr=subprocess.DEVNULL)
        os.close(writer)
        try:
            with os.fdopen(reader) as told:
                environ = os.environ | {"DISPLAY": f":{told.readline().strip()}"}
            resources = [
                "xprop",
                "-root",
                "-f",
                "RESOURCE_MANAGER",
                "8s",
                "-set",
                "RESOURCE_MANAGER",
                f"Xft.dpi:\t{dpi}\n",
            ]
            subprocess.run(resources, env=environ, check=True, timeout=PATIENCE_S)
            probe = [sys.executable, "-c", HIGH_DPI_PROBE, str(tmp_path / str(dpi)), folders]
            done = subprocess.run(probe, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
            assert done.returncode == 0, done.stderr
            measured[dpi] = [float(number) for number in done.stdout.split()]
        finally:
            server.terminate()
            server.wait(10)
    scale, letters, button, width, height = measured[192]
    assert (measured[96][0], scale) == (1.0, 2.0)
    assert letters == pytest.approx(2 * measured[96][1], rel=0.08)
    assert button == pytest.approx(2 * measured[96][2], rel=0.08)
    assert width <= 2732 and height <= 1536
