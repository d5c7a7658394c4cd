"""Pictures of the window in both languages and both looks, with a made-up run: ``screenshots.py FOLDER``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import tkinter as tk
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "gui")]

from fake_worker import FakeRun, make_demo  # noqa: E402

from zemosaic.gui.presenter.run_state import Status  # noqa: E402
from zemosaic.gui.presenter.session import Session  # noqa: E402
from zemosaic.gui.presenter.window_state import WindowState, save_window_state  # noqa: E402
from zemosaic.gui.tk.window import RESULT, RUN, SETTINGS, MainWindow  # noqa: E402
from zemosaic.i18n import Translator  # noqa: E402


def shoot(root: tk.Tk, path: Path) -> None:
    """Save what is on the screen."""
    for _ in range(6):
        root.update()
        time.sleep(0.05)
    subprocess.run(["import", "-window", "root", str(path)], check=True)


def tour(folder: Path, language: str, theme: str) -> None:
    """Take the pictures of one language and one look."""
    with tempfile.TemporaryDirectory() as home:
        save_window_state(WindowState("1366x768+0+0", False, theme), Path(home) / "window.json")
        session = Session(
            Translator(language), {"ZEMOSAIC_CONFIG_DIR": home}, lambda s: FakeRun(s, step_s=0.04), make_demo
        )
        root = tk.Tk()
        window = MainWindow(root, session)
        window.pages.select(SETTINGS)
        shoot(root, folder / f"{language}-{theme}-1-settings.png")
        window.settings.rows["input_dir"]._variable.set(home)
        window.settings.rows["output_dir"]._variable.set(str(Path(home) / "mosaic"))
        window.settings.rows["memory_limit_gb"]._variable.set("9999")
        window.settings._tier.set("expert")
        window.settings._filter()
        window.settings.rows["stacking_kappa_low"]._variable.set("2.5")
        window.settings.reveal_problem()
        shoot(root, folder / f"{language}-{theme}-2-expert.png")
        window.settings.rows["memory_limit_gb"]._variable.set("4")
        window.start()
        until = time.monotonic() + 4.5
        while time.monotonic() < until:
            root.update()
            time.sleep(0.01)
        window.pages.select(RUN)
        shoot(root, folder / f"{language}-{theme}-3-run.png")
        while session.state.status is not Status.FINISHED or session.running:
            root.update()
            time.sleep(0.01)
        window.pages.select(RESULT)
        shoot(root, folder / f"{language}-{theme}-4-result.png")
        window.close()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    wanted = os.environ.get("ONLY", "en-dark en-light fr-dark fr-light").split()
    for name in wanted:
        tour(target, *name.split("-"))
