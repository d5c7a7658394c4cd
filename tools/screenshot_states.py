"""States of the windows that come and go: menus, the list of jobs, a large frame, the plot, what lies over a mosaic.

`tools.screenshots` takes their pictures; each state is shown, photographed and put away again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from astropy.io import fits
from PIL import Image, ImageGrab

from zemosaic.events import Watching
from zemosaic.gui.presenter.run.run_state import RunState, Status
from zemosaic.gui.presenter.unattended.jobs import Job

__all__ = ["STATES", "Hands", "QtHands", "TkHands"]

_LARGE_AT = (130, 20)
_QUEUE_AT = (210, 170)
_OTHER_TARGETS = ("M 31", "NGC 6960")


class Hands(Protocol):
    """What a toolkit does to show something and to look at it.

    Attributes
    ----------
    window : MainWindow
        Of either toolkit; the states use what both have.
    """

    window: Any

    def work(self) -> None:
        """Let the window do what it has to do."""

    def look(self) -> Image.Image:
        """Return the window as it is seen, with all that lies over it."""

    def open_menu(self, button: Any) -> Callable[[], None]:
        """Open the menu of a button; return what closes it."""

    def move(self, window: Any, x: int, y: int) -> None:
        """Put a second window somewhere over the first one.

        Parameters
        ----------
        window : toolkit's window
        x, y : int
            Of its top left corner, in pixels from that of the first one.
        """


class TkHands:
    """Shows the Tk window on a screen of its own, which is photographed."""

    def __init__(self, window: Any, size: tuple[int, int]) -> None:
        self.window, self._size = window, size

    def work(self) -> None:
        """Let the window do what it has to do."""
        self.window.root.update()

    def look(self) -> Image.Image:
        """Return the part of the screen that the window fills."""
        return ImageGrab.grab((0, 0, *self._size), xdisplay=os.environ["DISPLAY"])

    def open_menu(self, button: Any) -> Callable[[], None]:
        """Open the menu of a button; return what closes it."""
        button.invoke()
        return lambda: button.menu.unpost()

    def move(self, window: Any, x: int, y: int) -> None:
        """Put a second window somewhere over the first one.

        Parameters
        ----------
        window : tkinter.Toplevel
        x, y : int
            Of its top left corner, in pixels from that of the first one.
        """
        getattr(window, "window", window).geometry(f"+{x}+{y}")


class QtHands:
    """Shows the Qt window on no screen at all; what lies over it is pasted into its picture."""

    def __init__(self, window: Any) -> None:
        from PySide6.QtWidgets import QApplication

        self.window, self._app = window, QApplication

    def work(self) -> None:
        """Let the window do what it has to do."""
        self._app.processEvents()

    def look(self) -> Image.Image:
        """Return the window, and the menus and windows that are open over it."""
        picture, corner = _image_of(self.window), self.window.geometry().topLeft()
        for over in self._app.topLevelWidgets():
            if over is not self.window and over.isVisible():
                at = over.geometry().topLeft() - corner
                picture.paste(_image_of(over), (at.x(), at.y()))
        return picture

    def open_menu(self, button: Any) -> Callable[[], None]:
        """Open the menu of a button; return what closes it."""
        if button.menu() is None:
            button.click()
            menu = self._app.activePopupWidget()
        else:
            menu = button.menu()
            menu.popup(button.mapToGlobal(button.rect().bottomLeft()))
        return lambda: menu.close()

    def move(self, window: Any, x: int, y: int) -> None:
        """Put a second window somewhere over the first one.

        Parameters
        ----------
        window : QWidget
        x, y : int
            Of its top left corner, in pixels from that of the first one.
        """
        window.move(self.window.pos().x() + x, self.window.pos().y() + y)


def _image_of(widget: Any) -> Image.Image:
    """Return the picture of a Qt widget."""
    image = widget.grab().toImage()
    image = image.convertToFormat(image.Format.Format_RGB888)
    data = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return Image.fromarray(data[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy())


@contextmanager
def _plot(hands: Hands) -> Iterator[None]:
    """FWHM against time instead of the map."""
    hands.window.show_page(0)
    hands.window.frames.commands.press("plot")
    yield
    hands.window.frames.commands.press("plot")


@contextmanager
def _large(hands: Hands) -> Iterator[None]:
    """A frame seen large."""
    frames = hands.window.frames
    hands.window.show_page(0)
    frames.commands.press("large")
    hands.move(frames.large, *_LARGE_AT)
    yield
    frames.large.press("close")


@contextmanager
def _queue(hands: Hands) -> Iterator[None]:
    """The list of jobs."""
    desk = hands.window.presenter
    desk.actions.choose("queue")
    desk.queue.add_pair()
    desk.queue.add(Job(str(Path("Seestar") / f"{name}_sub"), f"{name}_zemosaic") for name in _OTHER_TARGETS)
    hands.move(hands.window.queue, *_QUEUE_AT)
    yield
    hands.window.queue.close()


def _menu(button_of: Callable[[Any], Any], page: int) -> Callable[[Hands], Any]:
    """Return the state of an open menu."""

    @contextmanager
    def opened(hands: Hands) -> Iterator[None]:
        hands.window.show_page(page)
        hands.work()
        close = hands.open_menu(button_of(hands.window))
        yield
        close()

    return opened


@contextmanager
def _outlines(hands: Hands) -> Iterator[None]:
    """Outlines of the frames, the depth with its legend and the names of the sky over the mosaic."""
    actions = hands.window.result.page.actions
    layers = ("objects", "grid", "coverage", "frames")
    hands.window.show_page(3)
    for name in layers:
        actions.toggle_layer(name)
    yield
    for name in layers:
        actions.toggle_layer(name)


@contextmanager
def _crop(hands: Hands) -> Iterator[None]:
    """A part of the mosaic that is being cut out."""
    result = hands.window.result
    hands.window.show_page(3)
    result.page.actions.begin_crop()
    view = result.picture.view
    tool = result.picture.tool
    tool.grab(0.35 * view.width, 0.3 * view.height, view)
    tool.drag(0.65 * view.width, 0.7 * view.height, view)
    result.picture.redraw()
    yield
    result.page.actions.cancel()


@contextmanager
def _wipe(hands: Hands) -> Iterator[None]:
    """Two mosaics with a line between them."""
    actions = hands.window.result.page.actions
    hands.window.show_page(3)
    desk = hands.window.result.page.desk
    actions.compare(desk.path)
    while not desk.is_compared and desk.problem is None:
        hands.work()
    yield
    actions.compare("")


@contextmanager
def _watch(hands: Hands) -> Iterator[None]:
    """The folder is watched, and waits for more frames."""
    session, before = hands.window.session, hands.window.session.state
    session._run, session._watched = _Waiting(), _Waiting()
    told = Watching(frames=len(session.frames.table), fresh=6, unfinished=1)
    session.state = RunState(Status.RUNNING, before.started_s, found=before.found, preview=before.preview, watch=told)
    hands.window.show_page(2)
    hands.window.presenter.refresh()
    yield
    session._run = session._watched = None
    session.state = before
    hands.window.presenter.refresh()


class _Waiting:
    """A watch between two looks at its folder."""

    alive, finishing = True, False

    def poll(self) -> list[Any]:
        """Return no news."""
        return []


@contextmanager
def _combined(hands: Hands) -> Iterator[None]:
    """The mosaics of three filters become one picture: here the demo's colours, as a filter wheel would leave them."""
    page = hands.window.result.page
    hands.window.show_page(3)
    demo = page.desk.path
    first = _put_wheel(Path(demo), Path("wheel"))
    page.open_by_hand(str(first))
    while not page.actions.bands.palettes:
        hands.work()
    hands.window.session.form = hands.window.session.form.edited("save_picture", "none")
    page.actions._combine("rgb")
    while page.desk.path == str(first) or page.desk.size is None:
        hands.work()
    yield
    page.open_by_hand(demo)
    while page.desk.path != demo or page.desk.size is None:
        hands.work()


def _put_wheel(mosaic: Path, folder: Path) -> Path:
    """Write each plane of a colour mosaic as the mosaic of a filter; return the first one."""
    folder.mkdir(exist_ok=True)
    with fits.open(mosaic) as opened:
        header, planes = opened[0].header.copy(), np.asarray(opened[0].data)
    for key in ("NAXIS3", *(card for card in header if card.endswith("3") and card.startswith(("CTYPE", "CRPIX")))):
        header.remove(key, ignore_missing=True)
    paths = []
    for name, plane in zip("RGB", planes, strict=True):
        header["FILTER"] = name
        paths.append(folder / f"{mosaic.stem}_{name}.fits")
        fits.writeto(paths[-1], plane, header, overwrite=True)
    return paths[0]


STATES: dict[str, Callable[[Hands], Any]] = {
    "plot": _plot,
    "large": _large,
    "queue": _queue,
    "start_menu": _menu(lambda window: window.more_button, 1),
    "help_menu": _menu(lambda window: window.help_button, 1),
    "layers": _menu(lambda window: window.result.menus["result.layers"], 3),
    "outlines": _outlines,
    "crop": _crop,
    "wipe": _wipe,
    "watch": _watch,
    "combined": _combined,
}
"""The states by the first part of their pictures' names; each is a context in which it is shown."""
