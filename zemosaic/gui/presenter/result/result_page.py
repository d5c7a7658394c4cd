"""What the Result page does in either toolkit: the mosaic that is open, a pixel asked about, ways to its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.desktop.programs import Programs
from zemosaic.gui.presenter.result.earlier_result import REPORT_PAGE, EarlierResult, result_of
from zemosaic.gui.presenter.result.look_settings import LOOK_KEYS, look_of_form, texts_of_look
from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.gui.presenter.result.pixel_presenter import PixelPresenter
from zemosaic.gui.presenter.result.render.picture_histogram import histogram_picture
from zemosaic.gui.presenter.result.result_actions import ActionWidgets, ResultActions
from zemosaic.gui.presenter.result.result_presenter import ResultPresenter
from zemosaic.gui.presenter.run.problem_report import write_problem_report
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.run.summary_text import summary_lines
from zemosaic.gui.presenter.settings.form import with_labels

__all__ = ["SLIDERS", "ResultFiles", "ResultPage"]

_CLOCKS_APART_S = 3.0
"""The clock of a network drive may be behind by so much."""
SLIDERS = ("sky", "strength", "white")
"""What of the stretch is moved by sliders, from -1 to 1."""
HISTOGRAM_PX = (288, 72)
"""Width and height of the histogram."""


@dataclass(frozen=True)
class ResultFiles:
    """What a run left; empty texts where it left no such file."""

    mosaics: tuple[str, ...] = ()
    folder: str = ""
    report: str = ""
    log: str = ""
    has_failed: bool = False
    """Whether there is a problem to report."""

    @property
    def mosaic(self) -> str:
        """The mosaic, or the main one of several."""
        return next(iter(self.mosaics), "")


class ResultPageWidgets(ActionWidgets, Protocol):
    """The widgets of the page."""

    def show_summary(self, text: str, files: ResultFiles) -> None:
        """Show what was made of what; the buttons of files that are not there are dead.

        Parameters
        ----------
        text : str
            What is told of the mosaic.
        files : ResultFiles
        """

    def show_pixel(self, is_asked: bool) -> None:
        """Show the panel that tells of a pixel instead of the summary, or the summary again."""

    def show_story(self) -> None:
        """Show anew what the panel tells."""

    def offer_channels(self, names: Sequence[str], texts: Sequence[str], chosen: str) -> None:
        """Offer the channels that can be looked at.

        Parameters
        ----------
        names : sequence of str
            Of the channels.
        texts : sequence of str
            Their words.
        chosen : str
            The one of `names` that is shown.
        """

    def show_look(self, look: Mapping[str, float | bool]) -> None:
        """Put the sliders, and the tick for linked colours, at their places."""

    def show_zoom(self, text: str) -> None:
        """Show how large the picture is."""

    def show_histogram(self, picture: NDArray[np.uint8] | None) -> None:
        """Show how often each brightness is seen, shape (h, w, 3); nothing where no mosaic is open."""

    def offer_mosaics(self, paths: Sequence[str], names: Sequence[str], chosen: str) -> None:
        """Offer the mosaics of a run that made several; nothing where there are fewer than two.

        Parameters
        ----------
        paths : sequence of str
        names : sequence of str
            Their words.
        chosen : str
            The one of `paths` that is shown.
        """


class ResultPage:
    """The page without its widgets."""

    def __init__(self, session: Session, widgets: ResultPageWidgets) -> None:
        self._session = session
        self._widgets = widgets
        self.desk = ResultPresenter()
        self.pixel = PixelPresenter()
        self.programs = Programs()
        self.actions = ResultActions(session, widgets, self.desk, self.open_by_hand)
        self._by_hand = ""
        """The mosaic that the user opened, whatever lies in the output folder."""
        self._look: dict[str, float | bool] = {}
        """The places of the controls as the settings have them."""
        self._changed: dict[str, object] = {}
        """Places of controls that the settings do not have yet."""
        self._is_showing_look = False
        self._is_counted = True
        """Whether the histogram shows what was drawn last."""
        self._zoom = ""
        self._is_histogram_shown = False

    def empty_text(self) -> str:
        """Return what stands where the mosaic would be seen."""
        has_failed = self._session.state.error is not None and not self._by_hand
        return self._session.words.text("run.ended_without" if has_failed else "result.empty")

    def program_texts(self) -> list[str]:
        """Return the words of the programs that the mosaic can be sent to."""
        return [name or self._session.words.text("result.send_default") for name in self.programs.names]

    def retranslate(self) -> None:
        """Put what depends on the mosaic in the language of the moment."""
        self._widgets.show_read_out(self._session.words.text("result.hint") if self.desk.path else "")
        self._offer_channels()
        self._widgets.picture.redraw()
        self.update_state()

    def update_state(self) -> None:
        """Show the result of the last run, what the user opened, or what lies in the output folder."""
        if self._session.running:
            self._by_hand = ""
        files = self.files()
        self._widgets.show_summary("\n".join(self._lines()), files)
        chosen = self.desk.path if self.desk.path in files.mosaics else files.mosaic
        self._widgets.offer_mosaics(files.mosaics, [Path(path).stem for path in files.mosaics], chosen)
        self.open_mosaic(chosen)
        if not chosen:
            self._widgets.picture.redraw()  # what stands in its place tells how the run ended

    def files(self) -> ResultFiles:
        """Return the files of the last run, or those that lie in the output folder."""
        session, state = self._session, self._session.state
        if self._by_hand:
            return _files_of(result_of(Path(self._by_hand)))
        if state.error is not None:
            report = Path(state.output_dir) / REPORT_PAGE
            told = str(report) if state.output_dir and _is_newer(report, session.began_at_s) else ""
            return ResultFiles((), state.output_dir, told, state.error.log_path, True)
        if state.result is not None:
            result = state.result
            folder = str(Path(result.mosaic).parent)
            return ResultFiles(result.mosaics or (result.mosaic,), folder, result.report_html)
        earlier = None if session.running else session.earlier.result
        if earlier is None:
            return ResultFiles()
        return _files_of(earlier)

    def _lines(self) -> list[str]:
        session, words = self._session, self._session.words
        if self._by_hand:
            return result_of(Path(self._by_hand)).lines(words)
        if session.state.result is not None or session.state.error is not None:
            return [with_labels(line, words) for line in summary_lines(session.state, words, with_report=False)]
        if session.earlier.result is not None and not session.running:
            return [words.text("result.earlier"), *session.earlier.result.lines(words)]
        return [words.text("result.none")]

    def pump(self) -> None:
        """Show the mosaic once it is open, and anew when it can be shown better."""
        session = self._session
        if not session.running and session.state.result is None:
            session.earlier.look(str(session.form.row("output_dir").value))
        if session.earlier.pump():
            self.update_state()
        is_new = self.desk.size is None
        if self.desk.pump():
            self._offer_channels()
            if self.desk.problem is not None:
                self._widgets.show_read_out(self._session.words.message(self.desk.problem))
            if self.desk.size is not None:
                self._widgets.picture.look_through(self._drawn, self.desk.size)
                if is_new:
                    self.actions.take_mosaic()
        self.actions.pump()
        self._pump_look()
        self._pump_picture()
        if self.pixel.pump():
            self._widgets.show_story()

    def open_mosaic(self, path: str) -> None:
        """Open one of the mosaics; an empty path shows none."""
        if path != self.desk.path:
            self.close_pixel()
            self._widgets.show_read_out(self._session.words.text("result.hint") if path else "")
        self.desk.open(path)

    def open_by_hand(self, path: str) -> None:
        """Open a mosaic that the user chose, wherever it lies; it stays until a run begins."""
        self._by_hand = path
        self.update_state()

    def ask_pixel(self, x: float, y: float) -> None:
        """Ask which frames are in the pixel at a picture point, and show the panel.

        Parameters
        ----------
        x, y : float
            Place in the picture, in pixels from its top left corner.
        """
        pixel = self.desk.pixel_at(x, y)
        if pixel is None:
            return
        self.pixel.ask(self.desk.path, *pixel)
        self._widgets.picture.mark = int(x) + 0.5, int(y) + 0.5
        self._widgets.show_pixel(True)
        self._widgets.show_story()
        self._widgets.picture.redraw()

    def close_pixel(self) -> None:
        """End the drawing of a part; else show the mosaic's own panel again."""
        picture = self._widgets.picture
        if self.actions.cancel():
            return
        if picture.mark is None:
            return
        self.pixel.forget()
        picture.mark = None
        self._widgets.show_pixel(False)
        picture.redraw()

    def adjust(self, **changes: object) -> None:
        """Change how the mosaic is shown; the settings of the saved picture follow."""
        if self._is_showing_look:
            return
        self._changed |= {name: value for name, value in changes.items() if name in LOOK_KEYS}
        self.desk.adjust(**changes)
        self._widgets.picture.redraw()

    def _pump_look(self) -> None:
        """Let the settings follow the controls, or the controls the settings, whichever changed."""
        if self._changed:
            for key, text in texts_of_look(self._changed).items():
                self._session.form = self._session.form.edited(key, text)
            self._look, self._changed = look_of_form(self._session.form), {}
            return
        look = look_of_form(self._session.form)
        if look == self._look:
            return
        self._look = look
        self._is_showing_look = True
        self._widgets.show_look(look)
        self._is_showing_look = False
        self.desk.adjust(**look)
        self._widgets.picture.redraw()

    def _drawn(self, view: Viewport) -> NDArray[np.uint8] | None:
        """Return what a view shows; the histogram follows."""
        self._is_counted = False
        return self.actions.drawn(view)

    def _pump_picture(self) -> None:
        """Show size and brightness of what was drawn last."""
        words, scale = self._session.words, self._widgets.picture.view.scale
        percent = words.number(100 * scale, ".0f" if scale >= 0.1 else ".1f")
        zoom = "" if self.desk.size is None else words.text("result.zoom", percent=percent)
        if zoom != self._zoom:
            self._zoom = zoom
            self._widgets.show_zoom(zoom)
        if self.desk.size is None and self._is_histogram_shown:
            self._is_histogram_shown = False
            self._widgets.show_histogram(None)
        elif not self._is_counted and self.desk.plain is not None:
            self._is_histogram_shown = self._is_counted = True
            self._widgets.show_histogram(histogram_picture(self.desk.plain, *HISTOGRAM_PX))

    def hover(self, x: float, y: float) -> None:
        """Show what lies under a picture point.

        Parameters
        ----------
        x, y : float
            Place in the picture, in pixels from its top left corner.
        """
        self._widgets.show_read_out(self.desk.read_out(x, y, self._session.words))

    def open_folder(self) -> None:
        """Open the folder of the run."""
        self._open(self.files().folder)

    def open_report(self) -> None:
        """Open the report."""
        self._open(self.files().report)

    def open_log(self) -> None:
        """Open the log of a run that failed."""
        self._open(self.files().log)

    def report_problem(self) -> None:
        """Write what a report of the failure needs into a file, and open it."""
        self._open(write_problem_report(self._session))

    def send(self, name: str) -> None:
        """Open the mosaic that is shown with one of the programs."""
        mosaic = self.desk.path or self.files().mosaic
        if mosaic:
            self._session.opener.open(Path(mosaic), partial(self.programs.send, name))

    def _open(self, path: str) -> None:
        if path:
            self._session.opener.open(Path(path))

    def close(self) -> None:
        """Let go of the files and of what works in the background."""
        self.actions.close()
        self.desk.close()
        self.pixel.close()

    def _offer_channels(self) -> None:
        names = self.desk.channels
        texts = [self._session.words.text(f"result.channel.{name}") for name in names]
        self._widgets.offer_channels(names, texts, self.desk.adjustment.channel)


def _files_of(earlier: EarlierResult) -> ResultFiles:
    """Return the files of a mosaic that was not made in this window."""
    return ResultFiles(earlier.mosaics, str(Path(earlier.mosaic).parent), earlier.report_html)


def _is_newer(path: Path, at_s: float) -> bool:
    """Return whether a file was written since a time; that of an earlier run tells nothing of this one."""
    return path.is_file() and path.stat().st_mtime >= at_s - _CLOCKS_APART_S
