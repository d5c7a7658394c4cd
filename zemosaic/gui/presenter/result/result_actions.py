"""What the Result page's menus do: open mosaics, save, copy, cut out and compare what is seen."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.errors import Message, SettingsError, ZeMosaicError, message
from zemosaic.gui.presenter.desktop.menu_entries import MenuEntry
from zemosaic.gui.presenter.result.band_pictures import BandPictures
from zemosaic.gui.presenter.result.drag_tools import CropTool, WipeTool
from zemosaic.gui.presenter.result.picture_control import PictureControl
from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.gui.presenter.result.recent_results import RecentResults
from zemosaic.gui.presenter.result.render.mosaic_render import LAYERS
from zemosaic.gui.presenter.result.result_presenter import ResultPresenter
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.form import with_labels

if TYPE_CHECKING:
    from zemosaic.picture.sharing.metadata import PictureInfo
    from zemosaic.picture.sharing.shared_file import SharedKind

__all__ = ["ActionWidgets", "ResultActions"]

Picture = NDArray[np.uint8]
_KINDS: dict[str, SharedKind] = {".jpg": "jpg", ".jpeg": "jpg", ".png": "png", ".tif": "tiff", ".tiff": "tiff"}
PICTURE_ENDINGS = (".png", ".jpg", ".tif")
MOSAIC_ENDINGS = (".fits", ".fits.fz", ".fit", ".fts")


class ActionWidgets(Protocol):
    """What the actions need of the page's widgets."""

    @property
    def picture(self) -> PictureControl:
        """The mosaic."""

    def show_read_out(self, text: str) -> None:
        """Show a line below the picture."""

    def ask_open(self, title: str, folder: str, endings: Sequence[str]) -> str:
        """Ask for a file that exists; return an empty text where none was chosen.

        Parameters
        ----------
        title : str
        folder : str
            Where the choice begins.
        endings : sequence of str
            Of the files that are offered, each with its dot.
        """

    def ask_save(self, title: str, folder: str, name: str, endings: Sequence[str]) -> str:
        """Ask for a file to write; return an empty text where none was chosen.

        Parameters
        ----------
        title : str
        folder : str
            Where the choice begins.
        name : str
            What is proposed.
        endings : sequence of str
            Of the files that are offered, each with its dot.
        """

    def copy_picture(self, picture: Picture) -> bool:
        """Put a picture, shape (h, w, 3), on the clipboard; return whether that was possible."""


class ResultActions:
    """The menus of the page, and what their entries do; files are written in a thread.

    Parameters
    ----------
    session : Session
    widgets : ActionWidgets
    desk : ResultPresenter
        Whose mosaic is shown.
    open_path : callable
        Shows another mosaic.
    """

    def __init__(
        self, session: Session, widgets: ActionWidgets, desk: ResultPresenter, open_path: Callable[[str], None]
    ) -> None:
        self._session, self._widgets, self._desk, self._open_path = session, widgets, desk, open_path
        self.recent = RecentResults(session.config_folder)
        self.bands = BandPictures()
        self._wipe = WipeTool(lambda: desk.split if desk.is_compared else None, partial(setattr, desk, "split"))
        self._crop: CropTool | None = None
        self._news: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def open_entries(self) -> list[MenuEntry]:
        """Return the menu that opens mosaics."""
        entries = [MenuEntry(self._text("result.open_file"), self.ask_open)]
        return entries + self._band_entries() + self._recent_entries(self._open_path)

    def picture_entries(self) -> list[MenuEntry]:
        """Return the menu of what can be done with the picture."""
        text, is_open = self._text, self._desk.size is not None
        return [
            MenuEntry(text("result.save_view"), self.ask_save, is_open),
            MenuEntry(text("result.copy"), self.copy, is_open),
            MenuEntry(text("result.crop"), self.begin_crop, is_open, self._crop is not None),
        ]

    def compare_entries(self) -> list[MenuEntry]:
        """Return the menu of mosaics to compare with."""
        is_open, is_compared = self._desk.size is not None, self._desk.other is not None
        entries = [MenuEntry(self._text("result.open_file"), self.ask_compare, is_open)]
        if is_compared:
            entries.insert(0, MenuEntry(self._text("result.compare_end"), partial(self.compare, "")))
        return entries + (self._recent_entries(self.compare) if is_open else [])

    def menus(self) -> dict[str, Callable[[], list[MenuEntry]]]:
        """Return the menus by the key of their button's text."""
        return {
            "result.open": self.open_entries,
            "result.save": self.picture_entries,
            "result.compare": self.compare_entries,
            "result.layers": self.layer_entries,
        }

    def layer_entries(self) -> list[MenuEntry]:
        """Return the menu of what can be laid over the picture."""
        there, on = self._desk.layers, self._desk.adjustment.layers
        return [
            MenuEntry(self._text(f"result.layer.{name}"), partial(self.toggle_layer, name), name in there, name in on)
            for name in LAYERS
        ]

    def toggle_layer(self, name: str) -> None:
        """Lay something over the picture, or take it off; coverage and depth, whose colours differ, never both."""
        layers = self._desk.adjustment.layers ^ {name}
        if name in ("coverage", "depth"):
            layers -= {"coverage", "depth"} - {name}
        self._desk.adjust(layers=frozenset(layers))
        self._widgets.picture.redraw()

    def drawn(self, view: Viewport) -> Picture | None:
        """Return what a view shows, with the rectangle that is being cut out."""
        seen = self._desk.picture(view)
        return seen if seen is None or self._crop is None else self._crop.drawn(seen, view)

    def ask_open(self) -> None:
        """Ask for a mosaic and show it."""
        path = self._widgets.ask_open(self._text("result.open_file"), self._folder, MOSAIC_ENDINGS)
        if path:
            self._open_path(path)

    def ask_compare(self) -> None:
        """Ask for a mosaic to compare with."""
        path = self._widgets.ask_open(self._text("result.open_file"), self._folder, MOSAIC_ENDINGS)
        if path:
            self.compare(path)

    def compare(self, path: str) -> None:
        """Show another mosaic on the right of a line; an empty path shows one mosaic again."""
        self._desk.compare(path)
        if path:
            self._widgets.show_read_out(self._text("result.compare_hint"))
        self._take_tool()

    def ask_save(self) -> None:
        """Save what is seen, as it is seen."""
        picture = self._desk.picture(self._widgets.picture.view)
        if picture is None:
            return
        name = f"{self._stem}_view{PICTURE_ENDINGS[0]}"
        title = self._text("result.save_view")
        path = self._widgets.ask_save(title, self._folder, name, PICTURE_ENDINGS)
        if not path:
            return
        target = Path(path)
        if target.suffix.lower() not in _KINDS:
            target = target.with_name(target.name + PICTURE_ENDINGS[0])
        info = self._info(self._widgets.picture.view, picture)
        self._work(partial(_save, target, picture, info))

    def copy(self) -> None:
        """Put what is seen on the clipboard."""
        picture = self._desk.picture(self._widgets.picture.view)
        if picture is not None:
            copied = self._widgets.copy_picture(picture)
            self._widgets.show_read_out(self._text("result.copied" if copied else "result.not_copied"))

    def begin_crop(self) -> None:
        """Let the user draw the part to cut out; chosen once more, end that."""
        self._crop = CropTool(self._cut) if self._crop is None else None
        self._widgets.show_read_out(self._text("result.crop_hint" if self._crop is not None else "result.hint"))
        self._take_tool()

    def cancel(self) -> bool:
        """End the drawing of a part; return whether one was drawn."""
        if self._crop is None:
            return False
        self.begin_crop()
        return True

    def take_mosaic(self) -> None:
        """Begin anew with the mosaic that was just opened."""
        self._crop = None
        self.recent.note(self._desk.path)
        self.bands.look(Path(self._desk.path).parent)
        self._take_tool()

    def pump(self) -> None:
        """Tell what became of files that were written; a picture of several filters is opened."""
        made = self.bands.pump()
        if made is not None:
            if made.path:
                self._open_path(made.path)
            self._news.put(made.told)
        while not self._news.empty():
            words = self._session.words
            self._widgets.show_read_out(with_labels(words.message(self._news.get()), words))

    def close(self) -> None:
        """Wait for files that are being written."""
        for thread in self._threads:
            thread.join()
        self.bands.close()
        self.recent.close()

    @property
    def _folder(self) -> str:
        return str(Path(self._desk.path).parent) if self._desk.path else ""

    @property
    def _stem(self) -> str:
        return Path(self._desk.path).name.removesuffix(".fz").removesuffix(".fits")

    def _text(self, key: str, **params: str) -> str:
        return self._session.words.text(key, **params)

    def _band_entries(self) -> list[MenuEntry]:
        """Return what the mosaics of several filters in the folder can be combined to."""
        can_begin, text = not (self._session.running or self.bands.busy), self._text
        return [
            MenuEntry(
                text("result.combine", palette=text(f"choice.combine_filters.{palette}")),
                partial(self._combine, palette),
                can_begin,
            )
            for palette in self.bands.palettes
        ]

    def _combine(self, palette: str) -> None:
        try:
            settings = self._session.form.settings()
        except SettingsError as fault:
            self._news.put(fault.message)
            return
        self._widgets.show_read_out(self._text("result.combining"))
        self.bands.combine(palette, settings)

    def _recent_entries(self, act: Callable[[str], None]) -> list[MenuEntry]:
        self.recent.look()
        shown = [path for path in self.recent.paths if path != self._desk.path]
        return [MenuEntry(_short_name(path), partial(act, path), picture=self.recent.thumbnail(path)) for path in shown]

    def _take_tool(self) -> None:
        self._widgets.picture.tool = self._crop or (self._wipe if self._desk.other is not None else None)
        self._widgets.picture.redraw()

    def _cut(self, box: Box | None) -> None:
        """Write the part that was drawn."""
        if box is None:
            return
        name, source = f"{self._stem}_crop.fits", Path(self._desk.path)
        path = self._widgets.ask_save(self._text("result.crop"), self._folder, name, MOSAIC_ENDINGS[:1])
        self.cancel()
        if path:
            target = Path(path) if path.endswith(".fits") else Path(f"{path}.fits")
            self._work(partial(_write_crop, source, target, box))

    def _info(self, view: Viewport, picture: Picture) -> PictureInfo | None:
        """Return what the file of a saved view says of it; nothing without a place on the sky."""
        # Here, when it is asked for: the first window does without.
        from zemosaic.picture.annotation.projection import PictureWcs
        from zemosaic.picture.sharing.metadata import PictureInfo

        mosaic = self._desk.mosaic
        if mosaic is None or mosaic.view.wcs is None:
            return None
        left, top, right, _ = view.box()
        height, width = picture.shape[:2]
        sky = PictureWcs(
            mosaic.view.wcs.shifted(left, 0.0), mosaic.view.size[1] - top, (right - left) / width, width, height
        )
        header = mosaic.view.header
        title, telescope = (str(header.get(key, "")) for key in ("OBJECT", "TELESCOP"))
        author = self._session.form.row("picture_author").text
        return PictureInfo(title or self._stem, "", author, telescope, sky.picture_wcs(), width, height)

    def _work(self, act: Callable[[], Message]) -> None:
        """Write files in a thread, and tell what became of them."""

        def work() -> None:
            try:
                self._news.put(act())
            except ZeMosaicError as fault:
                self._news.put(fault.message)

        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=work, name="save view"))
        self._threads[-1].start()


def _short_name(path: str) -> str:
    return str(Path(Path(path).parent.name) / Path(path).name.removesuffix(".fz").removesuffix(".fits"))


def _save(path: Path, picture: Picture, info: PictureInfo | None) -> Message:
    from zemosaic.picture.sharing.shared_file import write_shared

    write_shared(path, picture, _KINDS[path.suffix.lower()], info)
    return message("result.saved", path=str(path))


def _write_crop(source: Path, target: Path, box: Box) -> Message:
    from zemosaic.export.cropped import write_crop_with_maps

    written = write_crop_with_maps(source, target, box)
    return message("result.saved_crop", path=str(target), count=len(written))
