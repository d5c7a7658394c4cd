"""What the Result page does in either toolkit: the mosaic that is open, a pixel asked about, ways to its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from zemosaic.gui.presenter.desktop.programs import Programs
from zemosaic.gui.presenter.result.earlier_result import REPORT_PAGE
from zemosaic.gui.presenter.result.picture_control import PictureControl
from zemosaic.gui.presenter.result.pixel_presenter import PixelPresenter
from zemosaic.gui.presenter.result.result_presenter import ResultPresenter
from zemosaic.gui.presenter.run.problem_report import write_problem_report
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.run.summary_text import summary_lines
from zemosaic.gui.presenter.settings.form import with_labels

__all__ = ["OVERLAYS", "SLIDERS", "ResultFiles", "ResultPage"]

OVERLAYS = ("coverage", "tiles", "annotation")
"""What can be laid over the picture."""
_CLOCKS_APART_S = 3.0
"""The clock of a network drive may be behind by so much."""
SLIDERS = ("sky", "strength", "white")
"""What of the stretch is moved by sliders, from -1 to 1."""


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


class ResultPageWidgets(Protocol):
    """The widgets of the page."""

    @property
    def picture(self) -> PictureControl:
        """The mosaic."""

    def show_read_out(self, text: str) -> None:
        """Show what lies under the pointer."""

    def show_summary(self, text: str, files: ResultFiles) -> None:
        """Show what was made of what; the buttons of files that are not there are dead."""

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
        """Show the result of the last run, or what lies in the output folder."""
        files = self.files()
        self._widgets.show_summary("\n".join(self._lines()), files)
        chosen = self.desk.path if self.desk.path in files.mosaics else files.mosaic
        self._widgets.offer_mosaics(files.mosaics, [Path(path).stem for path in files.mosaics], chosen)
        self.open_mosaic(chosen)

    def files(self) -> ResultFiles:
        """Return the files of the last run, or those that lie in the output folder."""
        session, state = self._session, self._session.state
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
        return ResultFiles(earlier.mosaics, str(Path(earlier.mosaic).parent), earlier.report_html)

    def _lines(self) -> list[str]:
        session, words = self._session, self._session.words
        if session.state.result is not None or session.state.error is not None:
            return [with_labels(line, words) for line in summary_lines(session.state, words)]
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
        self.desk.close()
        self.pixel.close()

    def _offer_looks(self) -> None:
        words, names = self._session.words, self.desk.channels
        texts = [words.text(f"result.channel.{name}") for name in names]
        desk = self.desk
        overlays = {"coverage": desk.has_coverage, "tiles": desk.has_tiles, "annotation": desk.has_wcs}
        self._widgets.offer_looks(names, texts, self.desk.adjustment.channel, overlays)


def _is_newer(path: Path, at_s: float) -> bool:
    """Return whether a file was written since a time; that of an earlier run tells nothing of this one."""
    return path.is_file() and path.stat().st_mtime >= at_s - _CLOCKS_APART_S
