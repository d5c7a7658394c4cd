"""Pictures of both windows, all views, languages, looks and two sizes, with the frames and the run of the demo.

usage: python -m tools.screenshots [--folder docs/screenshots] [--only WORD ...] [--views VIEW ...]

The demo is made and run once; the windows are then shown its events again.  Needs PySide6, and for Tk Xvfb.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tools.screenshot_states import STATES, Hands, QtHands, TkHands
from zemosaic.demo import make_demo
from zemosaic.errors import Message
from zemosaic.events import Event, Logged, PhaseAdvanced, PreviewReady
from zemosaic.gui.presenter.desktop.window_state import WindowState, save_window_state, window_state_file
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator
from zemosaic.settings.schema import Settings
from zemosaic.worker import start

ROOT = Path(__file__).resolve().parents[1]
SIZES = ((1366, 768), (2560, 1440))
LANGUAGES, THEMES, TOOLKITS = ("en", "fr"), ("light", "dark"), ("tk", "qt")
VIEWS = ("frames", "settings", "run", "result", "pixel")
STATES_IN = (("en", "light"),)
"""Languages and looks in which the states that come and go are photographed, at the smaller size."""
COLOURS = {1366: 160, 2560: 64}
"""Colours of a picture by its width: all pictures together are to stay below 10 MB."""
SETTLE_S = 0.4
SATELLITE = (731.5, 1158.5)
"""A place of the demo's mosaic that a satellite crossed, from the top left; told of at the smaller size only."""
RUN_SHOWN = 0.95
"""The picture of the Run page is taken when so much of the stacking is done."""


@dataclass(frozen=True)
class Recording:
    """A run as it was told, with the seconds at which it was."""

    frames: Path
    output: Path
    told: tuple[tuple[float, Event], ...]

    def part(self) -> int:
        """Return how many events were told when `RUN_SHOWN` of the stacking was done."""
        for number, (_, event) in enumerate(self.told):
            stacking = isinstance(event, PhaseAdvanced) and event.phase == "stack" and event.total
            if stacking and event.done >= RUN_SHOWN * event.total:
                return number + 1
        return len(self.told)


class Replay:
    """A run that was recorded, as a window sees it."""

    def __init__(self, recording: Recording) -> None:
        self._told = recording.told
        self._at = 0
        self.until = recording.part()

    @property
    def alive(self) -> bool:
        """Whether there is more to tell."""
        return True

    def clock(self) -> float:
        """Return the time of the event told last."""
        return self._told[max(self._at - 1, 0)][0]

    def poll(self) -> list[Event]:
        """Return the next events, one by one, so that the clock goes with them."""
        if self._at >= self.until:
            return []
        self._at += 1
        return [self._told[self._at - 1][1]]

    def cancel(self) -> None:
        """Nothing is to be stopped."""

    def close(self) -> None:
        """Nothing is to be ended."""


def record(home: Path) -> Recording:
    """Make the demo, run it and keep what it tells; its pictures are copied, for the run replaces them."""
    frames, output = make_demo(home / "demo"), home / "demo" / "mosaic"
    run = start(Settings(input_dir=str(frames), output_dir=str(output), solver="embedded"))
    told: list[tuple[float, Event]] = []
    begun = time.monotonic()
    for event in run.events():
        if isinstance(event, PreviewReady):
            kept = home / f"preview_{len(told)}.png"
            shutil.copy(event.path, kept)
            event = replace(event, path=str(kept))
        if isinstance(event, Logged):
            event = replace(event, text=without_folder(event.text, home))
        told.append((time.monotonic() - begun, event))
    run.close()
    return Recording(frames, output, tuple(told))


def without_folder(text: Message, home: Path) -> Message:
    """Return a message whose paths begin below the folder of the recording."""
    folder = f"{home.absolute()}{os.sep}"
    params = {
        key: value.removeprefix(folder) if isinstance(value, str) else value for key, value in text.params.items()
    }
    return replace(text, params=params)


class Tour:
    """Leads one window, of either toolkit, through its views."""

    def __init__(self, home: Path, recording: Recording, language: str, theme: str, size: tuple[int, int]) -> None:
        self.replay = Replay(recording)
        self.recording = recording
        self.size = size
        self.environ = {"ZEMOSAIC_CONFIG_DIR": str(home / "config")}
        shutil.rmtree(home / "config", ignore_errors=True)
        state = WindowState(geometry=f"{size[0]}x{size[1]}+0+0", theme=theme, welcomed=True)
        for toolkit in ("", "qt"):
            save_window_state(state, window_state_file(home / "config", toolkit))
        self.session = Session(
            Translator(language), self.environ, lambda settings, until=None: self.replay, make_demo, self.replay.clock
        )
        values = {"input_dir": recording.frames, "output_dir": recording.output, "stacking_kappa_low": 2.5}
        for key, value in values.items():
            self.session.form = self.session.form.edited(key, str(value))

    def lead(self, hands: Hands, save: Callable[[Image.Image, str], None], only: Sequence[str]) -> None:
        """Show the views one after the other and take a picture of each.

        Parameters
        ----------
        hands : Hands
            Hold the window.
        save : callable
            Takes a picture and the name of what it shows.
        only : sequence of str
            Names of the pictures that are wanted.
        """
        window, work, frames = hands.window, hands.work, self.session.frames

        def shoot(view: str) -> None:
            if view in only:
                save(hands.look(), view)

        window.show_page(1)
        settle(work)
        shoot("settings")
        window.show_page(0)
        until(work, lambda: frames.table is not None)
        window.presenter._may_overwrite = lambda: True
        window.presenter.start()
        until(work, lambda: self.replay._at >= self.replay.until)
        window.show_page(2)
        settle(work, 1.0)
        shoot("run")
        self.replay.until = len(self.recording.told)
        until(work, lambda: not self.session.running)
        settle(work, 1.5)
        window.show_page(3)
        until(work, lambda: window.result.page.desk.size is not None)
        settle(work, 1.0)
        shoot("result")
        if self.size == SIZES[0]:
            self._ask_pixel(window, work)
            shoot("pixel")
            window.result.page.close_pixel()
        self._choose_frames()
        window.show_page(0)
        settle(work, 1.0)
        window.frames.commands.update()
        settle(work)
        shoot("frames")
        if self.size == SIZES[0]:
            for name, state in STATES.items():
                if name in only:
                    with state(hands):
                        settle(work, 1.5)
                        shoot(name)
                    settle(work)

    def _ask_pixel(self, window: Any, work: Callable[[], None]) -> None:
        result = window.result
        until(work, lambda: result.page.desk.size is not None)
        result.page.ask_pixel(*SATELLITE)
        until(work, lambda: not result.page.pixel.busy)
        settle(work, 1.0)

    def _choose_frames(self) -> None:
        table = self.session.frames.table
        assert table is not None
        fwhm = table.metrics["fwhm"]
        table.set_limit("fwhm", (None, float(np.nanquantile(fwhm, 0.9))))
        table.select(np.array([3]))


def until(work: Callable[[], None], condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Let a window work until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        work()
        time.sleep(0.005)


def settle(work: Callable[[], None], seconds: float = SETTLE_S) -> None:
    """Let a window come to rest."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        work()
        time.sleep(0.01)


def save(picture: Image.Image, view: str, folder: Path, name: str) -> None:
    """Write a small PNG; of the ways to choose its colours this one keeps those of the few buttons.

    Parameters
    ----------
    picture : Image
    view : str
        What it shows.
    folder : Path
    name : str
        Toolkit, language, theme and size.
    """
    small = picture.convert("RGB").quantize(COLOURS[picture.width], Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    small.save(folder / f"{view}-{name}.png", optimize=True)


def tour_tk(tour: Tour, save: Callable[[Image.Image, str], None], only: Sequence[str]) -> None:
    """Take the pictures of the Tk window."""
    import tkinter as tk

    from zemosaic.gui.tk.window import MainWindow

    root = tk.Tk()
    window = MainWindow(root, tour.session)
    # The pointer may not rest on a button, which would look pressed.
    root.event_generate("<Motion>", warp=True, x=tour.size[0] - 1, y=tour.size[1] - 1)
    tour.lead(TkHands(window, tour.size), save, only)
    window.close()


def tour_qt(tour: Tour, save: Callable[[Image.Image, str], None], only: Sequence[str]) -> None:
    """Take the pictures of the Qt window."""
    screen = {"screens": [{"name": "picture", "x": 0, "y": 0, "width": tour.size[0], "height": tour.size[1]}]}
    told = Path("screen.json")
    told.write_text(json.dumps(screen), encoding="utf-8")
    os.environ["QT_QPA_PLATFORM"] = f"offscreen:configfile={told.absolute()}"
    from PySide6.QtWidgets import QApplication

    from zemosaic.gui.qt.window import MainWindow

    app = QApplication.instance() or QApplication(["ZeMosaic"])
    window = MainWindow(tour.session)
    window.resize(*tour.size)
    window.show()
    tour.lead(QtHands(window), save, only)
    window.close()
    window.deleteLater()
    app.processEvents()


@contextmanager
def display(width: int, height: int) -> Iterator[str]:
    """A screen of its own, as large as the picture, so that menus open inside it; gives its name.

    Parameters
    ----------
    width, height : int
        In pixels.
    """
    reader, writer = os.pipe()
    argv = ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{width}x{height}x24", "-dpi", "96", "-nolisten", "tcp"]
    server = subprocess.Popen(argv, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as told:
            name = f":{told.readline().strip()}"
        yield name
    finally:
        server.terminate()
        server.wait(10)


def main() -> None:
    """Take all pictures, or those whose names hold all words of `--only`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--only", nargs="*", default=[], help="of tk, qt, en, fr, light, dark, 1366x768, 2560x1440")
    parser.add_argument("--views", nargs="*", default=[], choices=(*VIEWS, *STATES))
    told = parser.parse_args()
    told.folder = told.folder.absolute()
    told.folder.mkdir(parents=True, exist_ok=True)
    tours = {"tk": tour_tk, "qt": tour_qt}
    # A screen is kept to the end: Tk never lets go of one, and ends the process when it is gone.
    with tempfile.TemporaryDirectory() as home, ExitStack() as screens:
        names: dict[tuple[int, int], str] = {}
        # Relative paths, so that no picture shows where it was made.
        os.chdir(home)
        recording = record(Path())
        for toolkit, language, theme, size in product(TOOLKITS, LANGUAGES, THEMES, SIZES):
            name = f"{toolkit}-{language}-{theme}-{size[0]}x{size[1]}"
            if all(word in name.split("-") for word in told.only):
                tour = Tour(Path(home).absolute(), recording, language, theme, size)
                wanted = told.views or (VIEWS + tuple(STATES) if (language, theme) in STATES_IN else VIEWS)
                if size not in names:
                    names[size] = screens.enter_context(display(*size))
                os.environ["DISPLAY"] = names[size]
                tours[toolkit](tour, partial(save, folder=told.folder, name=name), wanted)


if __name__ == "__main__":
    main()
