"""Colour pictures of finished mosaics of several filters: which ones a folder has the filters for, and making them."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from pathlib import Path

from zemosaic.errors import Message, ZeMosaicError, message
from zemosaic.events import Event, Warned
from zemosaic.settings.schema import Settings

__all__ = ["BandPictures", "Combined"]


@dataclass(frozen=True)
class Combined:
    """What became of a picture that was asked for."""

    told: Message
    path: str = ""
    """The mosaic that was made; empty where none was."""


class BandPictures:
    """Looks into one folder at a time and combines its mosaics, both in the background; no method blocks."""

    def __init__(self) -> None:
        self.palettes: tuple[str, ...] = ()
        """Names of the palettes that the folder has the filters for."""
        self._folder: Path | None = None
        self._found: queue.SimpleQueue[tuple[Path, tuple[str, ...]]] = queue.SimpleQueue()
        self._made: queue.SimpleQueue[Combined] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    @property
    def busy(self) -> bool:
        """Whether a picture is being made."""
        return any(thread.is_alive() for thread in self._threads if thread.name == "combine")

    def look(self, folder: Path) -> None:
        """Begin to find out what the mosaics of a folder can be combined to."""
        self._folder, self.palettes = folder, ()
        self._begin("filters", self._look, folder)

    def combine(self, palette: str, settings: Settings) -> None:
        """Begin to combine the newest mosaics of the folder.

        Parameters
        ----------
        palette : str
            One of `palettes`.
        settings : Settings
            Where they do not ask for the lines of dual-band filters, these are taken out if the palette needs them.
        """
        if self._folder is not None and not self.busy:
            self._begin("combine", self._combine, self._folder, palette, settings)

    def pump(self) -> Combined | None:
        """Take in what was found out; return what became of a picture, once."""
        while not self._found.empty():
            folder, palettes = self._found.get()
            if folder == self._folder:
                self.palettes = palettes
        return None if self._made.empty() else self._made.get()

    def close(self) -> None:
        """Wait for what is under way."""
        for thread in self._threads:
            thread.join()

    def _begin(self, name: str, act: object, *arguments: object) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=act, args=arguments, name=name))  # type: ignore[arg-type]
        self._threads[-1].start()

    def _look(self, folder: Path) -> None:
        # Here, in the thread: it loads what the first window does not need.
        from zemosaic.phases.outputs.folder_bands import possible_palettes

        self._found.put((folder, possible_palettes(folder)))

    def _combine(self, folder: Path, palette: str, settings: Settings) -> None:
        from zemosaic.phases.outputs.folder_bands import combine_folder

        warnings: list[Message] = []

        def tell(event: Event) -> None:
            if isinstance(event, Warned):
                warnings.append(event.text)

        try:
            path = combine_folder(folder, palette, settings, tell)
        except ZeMosaicError as fault:
            # What was missing is told by a warning; the error only says that something was.
            self._made.put(Combined(warnings[0] if warnings else fault.message))
        else:
            self._made.put(Combined(message("result.combined", path=str(path)), str(path)))
