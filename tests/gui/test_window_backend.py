"""Which window opens, and what happens where its toolkit is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from waiting import PATIENCE_S

from zemosaic import app
from zemosaic.errors import InstallationError
from zemosaic.gui.qt.platform import require_sound_binding

ROOT = Path(__file__).resolve().parents[2]
BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
"""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """The toolkits that were asked for."""
    found = []
    monkeypatch.setenv("ZEMOSAIC_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("ZEMOSAIC_GUI_BACKEND", raising=False)
    monkeypatch.setattr(
        app, "_open_window", lambda backend, words, console, flags: found.append((backend, dict(flags))) or 0
    )
    return found


def test_flag_before_environment_before_file(asked, monkeypatch, tmp_path):
    app.main([])
    (tmp_path / "zemosaic_config.json").write_text('{"gui_backend": "qt"}', encoding="utf-8")
    app.main([])
    monkeypatch.setenv("ZEMOSAIC_GUI_BACKEND", "tk")
    app.main([])
    app.main(["--qt-gui"])
    monkeypatch.setenv("ZEMOSAIC_GUI_BACKEND", "qt")
    app.main([])
    app.main(["--tk-gui"])
    assert [backend for backend, _ in asked] == ["tk", "qt", "tk", "qt", "qt", "tk"]


def test_settings_beside_the_choice_of_a_window_open_it_with_them(asked, capsys):
    assert app.main(["--qt-gui", "--grid-tile-px", "300", "--input_dir=/a"]) == 0
    assert app.main(["--tk-gui", "--stacking_drizzle"]) == 0
    assert asked == [("qt", {"grid_tile_px": "300", "input_dir": "/a"}), ("tk", {"stacking_drizzle": "true"})]
    assert app.main(["--qt-gui", "--grid_tile_px", "1"]) == 2
    assert "128 ... 4096" in capsys.readouterr().err
    assert app.main(["--qt-gui", "--version"]) == 0
    assert len(asked) == 2, "what is no setting needs no window"


def script(blocked: tuple[str, ...], body: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    code = BLOCK.format(blocked=blocked) + body
    told = os.environ | environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    argv = [sys.executable, "-c", code]
    return subprocess.run(
        argv, env=told, capture_output=True, text=True, timeout=PATIENCE_S, check=False, encoding="utf-8"
    )


def test_the_qt_installed_here_keeps_its_references():
    pytest.importorskip("PySide6.QtCore")
    require_sound_binding()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None cannot be freed from Python 3.12 on")
def test_a_qt_that_loses_references_is_not_opened(monkeypatch):
    core = pytest.importorskip("PySide6.QtCore")

    class Losing:
        """As PySide6 6.12.0: whatever is called, ``None`` has one reference less afterwards."""

        held: ClassVar = [None] * 1000

        def setObjectName(self, name):
            self.held.pop()

    monkeypatch.setattr(core, "QObject", Losing)
    with pytest.raises(InstallationError, match="qt_unsound"):
        require_sound_binding()


def test_without_qt_the_tk_window_opens_and_says_why(display, environ):
    body = """
import zemosaic.gui.tk.window as module
real = module.MainWindow
def made(root, session):
    window = real(root, session)
    root.after(100, lambda: (print(window._status.cget("text")), window.close()))
    return window
module.MainWindow = made
from zemosaic.app import main
sys.exit(main(["--qt-gui"]))
"""
    done = script(("PySide6",), body, environ | {"DISPLAY": display})
    assert done.returncode == 0, done.stderr
    assert "PySide6 is blocked" in done.stdout
    assert "Tk window opens instead" in done.stdout
    assert "Tk window opens instead" in done.stderr


def test_qt_opens_without_tkinter(environ):
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    body = """
from PySide6.QtCore import QTimer
import zemosaic.gui.qt.window as module
real = module.MainWindow
def made(session):
    window = real(session)
    QTimer.singleShot(100, lambda: (print("opened", window.pages.count()), window.close()))
    return window
module.MainWindow = made
from zemosaic.app import main
sys.exit(main(["--qt-gui"]))
"""
    done = script(("tkinter", "_tkinter"), body, environ | {"QT_QPA_PLATFORM": "offscreen"})
    assert done.returncode == 0, done.stderr
    assert "opened 4" in done.stdout


def test_where_qt_would_end_the_program_the_tk_window_opens(display, environ):
    body = """
import ctypes
real_library = ctypes.CDLL
def library(name, *args, **named):
    if name == "libxcb-cursor.so.0":
        raise OSError("not found")
    return real_library(name, *args, **named)
ctypes.CDLL = library
import zemosaic.gui.tk.window as module
real = module.MainWindow
def made(root, session):
    window = real(root, session)
    root.after(100, window.close)
    return window
module.MainWindow = made
sys.platform = "linux"
from zemosaic.app import main
sys.exit(main(["--qt-gui"]))
"""
    done = script((), body, environ | {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "WAYLAND_DISPLAY": ""})
    assert done.returncode == 0, done.stderr
    assert "apt install libxcb-cursor0" in done.stderr
    assert "Tk window opens instead" in done.stderr
