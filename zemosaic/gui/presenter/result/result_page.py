"""What the Result page does in either toolkit: the mosaic that is open, a pixel asked about, ways to its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from zemosaic.events import RunFinished
from zemosaic.gui.presenter.desktop.programs import Programs
from zemosaic.gui.presenter.result.picture_control import PictureControl
from zemosaic.gui.presenter.result.pixel_presenter import PixelPresenter
from zemosaic.gui.presenter.result.result_presenter import ResultPresenter
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.run.summary_text import summary_lines

__all__ = ["OVERLAYS", "SLIDERS", "ResultPage"]

OVERLAYS = ("coverage", "tiles", "annotation")
"""What can be laid over the picture."""
SLIDERS = ("sky", "strength", "white")
"""What of the stretch is moved by sliders, from -1 to 1."""


class ResultPageWidgets(Protocol):
    """The widgets of the page."""

    @property
    def picture(self) -> PictureControl:
        """The mosaic."""

    def show_read_out(self, text: str) -> None:
        """Show what lies under the pointer."""

    def show_summary(self, text: str, has_result: bool) -> None:
        """Show what was made of what; without a result its buttons are dead."""

    def show_pixel(self, is_asked: bool) -> None:
        """Show the panel that tells of a pixel instead of the summary, or the summary again."""

    def show_story(self) -> None:
        """Show anew what the panel tells."""

    def offer_looks(
        self, names: Sequence[str], texts: Sequence[str], chosen: str, overlays: Mapping[str, bool]
    ) -> None:
        """Offer the channels that can be looked at, and what can be laid over the picture."""

    def offer_mosaics(self, paths: Sequence[str], names: Sequence[str], chosen: str) -> None:
        """Offer the mosaics of a run that made several; nothing where there are fewer than two."""


class ResultPage:
    """The page without its widgets."""

    def __init__(self, session: Session, widgets: ResultPageWidgets) -> None:
        self._session = session
        self._widgets = widgets
        self.desk = ResultPresenter()
        self.pixel = PixelPresenter()
        self.programs = Programs()

    def program_texts(self) -> list[str]:
        """Return the words of the programs that the mosaic can be sent to."""
        return [name or self._session.words.text("result.send_default") for name in self.programs.names]

    def retranslate(self) -> None:
        """Put what depends on the mosaic in the language of the moment."""
        self._widgets.show_read_out(self._session.words.text("result.hint"))
        self._offer_looks()
        self._widgets.picture.redraw()
        self.update_state()

    def update_state(self) -> None:
        """Show the result of the last run."""
        session, result = self._session, self.result
        lines = summary_lines(session.state, session.words) if result is not None else []
        self._widgets.show_summary("\n".join(lines) or session.words.text("result.none"), result is not None)
        made = () if result is None else result.mosaics or (result.mosaic,)
        chosen = self.desk.path if self.desk.path in made else next(iter(made), "")
        self._widgets.offer_mosaics(made, [Path(path).stem for path in made], chosen)
        self.open_mosaic(chosen)

    @property
    def result(self) -> RunFinished | None:
        """What the last run made."""
        return self._session.state.result

    def pump(self) -> None:
        """Show the mosaic once it is open, and anew when it can be shown better."""
        if self.desk.pump():
            self._offer_looks()
            if self.desk.problem is not None:
                self._widgets.show_read_out(self._session.words.message(self.desk.problem))
            if self.desk.size is not None:
                self._widgets.picture.look_through(self.desk.picture, self.desk.size)
        if self.pixel.pump():
            self._widgets.show_story()

    def open_mosaic(self, path: str) -> None:
        """Open one of the mosaics; an empty path shows none."""
        if path != self.desk.path:
            self.close_pixel()
        self.desk.open(path)

    def ask_pixel(self, x: float, y: float) -> None:
        """Ask which frames are in the pixel at a picture point, and show the panel."""
        pixel = self.desk.pixel_at(x, y)
        if pixel is None:
            return
        self.pixel.ask(self.desk.path, *pixel)
        self._widgets.picture.mark = int(x) + 0.5, int(y) + 0.5
        self._widgets.show_pixel(True)
        self._widgets.show_story()
        self._widgets.picture.redraw()

    def close_pixel(self) -> None:
        """Show the mosaic's own panel again."""
        picture = self._widgets.picture
        if picture.mark is None:
            return
        self.pixel.forget()
        picture.mark = None
        self._widgets.show_pixel(False)
        picture.redraw()

    def adjust(self, **changes: object) -> None:
        """Change how the mosaic is shown."""
        self.desk.adjust(**changes)
        self._widgets.picture.redraw()

    def hover(self, x: float, y: float) -> None:
        """Show what lies under a picture point."""
        self._widgets.show_read_out(self.desk.read_out(x, y, self._session.words))

    def open_folder(self) -> None:
        """Open the folder of the mosaic."""
        if self.result is not None:
            self._session.opener.open(Path(self.result.mosaic).parent)

    def open_report(self) -> None:
        """Open the report."""
        if self.result is not None:
            self._session.opener.open(Path(self.result.report_html))

    def send(self, name: str) -> None:
        """Open the mosaic that is shown with one of the programs."""
        if self.result is not None:
            mosaic = Path(self.desk.path or self.result.mosaic)
            self._session.opener.open(mosaic, partial(self.programs.send, name))

    def close(self) -> None:
        """Let go of the files and of what works in the background."""
        self.desk.close()
        self.pixel.close()

    def _offer_looks(self) -> None:
        words, names = self._session.words, self.desk.channels
        texts = [words.text(f"result.channel.{name}") for name in names]
        desk = self.desk
        overlays = {"coverage": desk.has_coverage, "tiles": desk.has_tiles, "annotation": desk.has_wcs}
        self._widgets.offer_looks(names, texts, self.desk.adjustment.channel, overlays)
