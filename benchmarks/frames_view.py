"""How fast both windows are with many frames: ``python -m benchmarks.frames_view [FRAMES]``; needs a display for Tk."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from zemosaic.errors import ZeMosaicError
from zemosaic.gui.presenter.frames.footprints import MapView
from zemosaic.gui.presenter.frames.frame_cells import cell_text
from zemosaic.gui.presenter.frames.frame_table import COLUMNS, METRICS, FrameTable
from zemosaic.gui.presenter.frames.frames_presenter import FramesPresenter
from zemosaic.gui.presenter.frames.map_picture import COLOURINGS, MapPainter
from zemosaic.gui.presenter.frames.sky_map import SkyMap
from zemosaic.gui.presenter.large_frame.decoded_frames import DecodedFrames
from zemosaic.gui.presenter.large_frame.frame_pixels import FramePicture, FrameStretch
from zemosaic.gui.presenter.large_frame.frame_viewer import FrameViewer
from zemosaic.gui.presenter.metric_plot.metric_plot import MetricPlot
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator
from zemosaic.model import FrameRef

ROOT = Path(__file__).resolve().parents[1]
TURNS = 12
SETTLE_S = 2.0
FIRST_WINDOW = """
import time; begun = time.perf_counter()
import os, sys
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator
session = Session(Translator("en"), os.environ, None, None)
if sys.argv[1] == "tk":
    import tkinter as tk
    from zemosaic.gui.tk.window import MainWindow
    root = tk.Tk(); window = MainWindow(root, session); root.update()
else:
    from PySide6.QtWidgets import QApplication
    from zemosaic.gui.qt.window import MainWindow
    app = QApplication([]); window = MainWindow(session); window.show(); app.processEvents()
print(time.perf_counter() - begun, flush=True)
os._exit(0)
"""


def frames(count: int) -> list[FrameRef]:
    """Return made-up frames of a survey of forty nights."""
    rng = np.random.default_rng(1)
    ra, dec = 80 + rng.normal(0, 3, count), -5 + rng.normal(0, 2, count)
    return [
        FrameRef(
            i, f"/frames/night_{i % 40:02d}/light_{i:06d}.fit", 4_147_200, 1, 0, 1080, 1920, 1, None, "GRBG", False,
            10.0, f"2026-01-{1 + i % 28:02d}T21:00:00", "Seestar S50", "", "", "M42", 80.0, 10.0, 1,
            float(ra[i]), float(dec[i]), 2.37, None,
        )
        for i in range(count)
    ]  # fmt: skip


def table_of(count: int) -> FrameTable:
    """Return a table of made-up frames with made-up metrics."""
    table, rng = FrameTable(frames(count)), np.random.default_rng(2)
    table.take_numbers({name: rng.lognormal(1.0, 0.2, count) for name in METRICS})
    return table


def worst_ms(acts: list[Callable[[], object]]) -> float:
    """Return the CPU time of the longest of several steps, milliseconds of this thread."""
    taken = []
    for act in acts:
        begun = time.thread_time()
        act()
        taken.append(time.thread_time() - begun)
    return 1000 * max(taken)


def presenters(count: int) -> list[str]:
    """Return rows of a table: what the presenters take, without any toolkit."""
    made, words, painter = frames(count), Translator("en"), MapPainter()
    rows = [("table made", worst_ms([lambda: FrameTable(made)]))]
    table = table_of(count)
    view = MapView(900, 650).fitted(table.footprints.bounds())
    rows += [
        ("slowest sorting", worst_ms([lambda name=name: table.sort(name, True) for name in COLUMNS])),
        ("filter by words", worst_ms([lambda: table.filter("night_07 light", "all")])),
        ("limit of a metric", worst_ms([lambda: table.set_limit("fwhm", (None, 3.0))])),
    ]
    table.filter("", "all")
    cells = [(row, name) for row in range(50) for name in COLUMNS]
    rows.append(("fifty rows of text", worst_ms([lambda: [cell_text(table, *cell, words) for cell in cells]])))
    for colouring in COLOURINGS:
        painter.paint(table, view, colouring)
        taken = worst_ms([lambda colouring=colouring: painter.paint(table, view, colouring)])
        rows.append((f"map by {colouring}", taken))
    rows += plot_and_viewer(table)
    return [f"| presenters: {name} | {taken:.1f} |" for name, taken in rows]


def plot_and_viewer(table: FrameTable) -> list[tuple[str, float]]:
    """Return rows of the plot of metrics and of frames seen large; pictures of frames are made up."""
    desk = FramesPresenter()
    desk.table = table
    plot = MetricPlot(desk, SkyMap(desk))
    plot.resize(560, 400)

    def drawn_round() -> None:
        plot.press(60, 20)
        for corner in ((540, 20), (540, 200), (60, 200)):
            plot.drag(*corner)
        plot.release(60, 20, False)

    made = FramePicture("", (np.zeros((1920, 1080, 3), np.uint8), np.zeros((960, 540, 3), np.uint8)))
    viewer = FrameViewer(desk, DecodedFrames(10**9, lambda frame, *_: (made, FrameStretch((), (), ()))))
    viewer.resize(1100, 640)
    viewer.open()

    def next_frame() -> None:
        viewer.press("next")
        viewer.picture()

    rows = [
        ("plot painted", worst_ms([lambda: (table.select(np.array([1])), plot.picture())])),
        ("points inside a line", worst_ms([drawn_round])),
        ("next frame seen large", worst_ms([next_frame] * TURNS)),
    ]
    viewer.end()
    return rows


def windows(count: int, toolkit: str) -> list[str]:
    """Return rows of a table: what a real window takes, the slowest of several steps."""
    with tempfile.TemporaryDirectory() as home:
        environ = {"ZEMOSAIC_CONFIG_DIR": home}
        session = Session(Translator("en"), environ, _never, _never)
        shown = (_tk if toolkit == "tk" else _qt)(session)
        view, work, scroll, close = shown
        # The window looks for ASTAP once it is there; what it loads for that is not to be measured.
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until:
            work()
            time.sleep(0.01)
        session.frames.table, session.frames.version = table_of(count), session.frames.version + 1

        def usable() -> None:
            view.commands.update()
            work()

        def turn(act: Callable[[], object]) -> Callable[[], None]:
            return lambda: (act(), work())  # type: ignore[func-returns-value]

        def zoomed(step: int) -> None:
            view.page.map.zoom(1 if step < TURNS // 2 else -1, 200, 150)
            (view.map.redraw if toolkit == "tk" else view.map.update)()

        rows = [
            ("map and table there", worst_ms([usable])),
            ("scroll by a page", worst_ms([turn(lambda step=step: scroll(step)) for step in range(TURNS)])),
            ("zoom by a turn", worst_ms([turn(lambda step=step: zoomed(step)) for step in range(TURNS)])),
        ]
        close()
    return [f"| {toolkit}: {name} | {taken:.0f} |" for name, taken in rows]


def first_window(toolkit: str) -> float:
    """Return the seconds from nothing imported to a painted window, the best of three."""
    with tempfile.TemporaryDirectory() as home:
        environ = os.environ | {"ZEMOSAIC_CONFIG_DIR": home, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"}
        argv = [sys.executable, "-c", FIRST_WINDOW, toolkit]
        told = [subprocess.run(argv, env=environ, capture_output=True, text=True, check=True) for _ in range(3)]
        return min(float(item.stdout) for item in told)


def _never(*_: object) -> object:
    raise ZeMosaicError("error.internal")


def _tk(session: Session):  # type: ignore[no-untyped-def]
    import tkinter as tk

    from zemosaic.gui.tk.window import MainWindow

    root = tk.Tk()
    window = MainWindow(root, session)
    root.geometry("1366x768+0+0")
    window.pages.select(0)
    root.update()
    table = window.frames.table
    return window.frames, root.update, lambda step: table._scrolled("scroll", "1", "pages"), window.close


def _qt(session: Session):  # type: ignore[no-untyped-def]
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PySide6.QtWidgets import QApplication

    from zemosaic.gui.qt.window import MainWindow

    app = QApplication.instance() or QApplication(["ZeMosaic"])
    window = MainWindow(session)
    window.resize(1366, 768)
    window.show()
    window.pages.setCurrentIndex(0)
    app.processEvents()
    bar = window.frames.table.verticalScrollBar()
    return window.frames, app.processEvents, lambda step: bar.setValue(bar.value() + bar.pageStep()), window.close


def main() -> None:
    """Print the tables of the page."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    print(
        f"{count:,} frames on a window of 1366 x 768; the slowest of {TURNS} steps, CPU time of the window's thread.\n"
    )
    print("| Step | ms |\n|---|---|")
    for line in presenters(count):
        print(line)
    for toolkit in ("tk", "qt"):
        for line in windows(count, toolkit):
            print(line)
        print(f"| {toolkit}: first window, nothing imported before | {1000 * first_window(toolkit):.0f} |", flush=True)


if __name__ == "__main__":
    main()
