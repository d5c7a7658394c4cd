"""The frames of the input folder: scanned in the background, chosen by the user, told of by runs."""

from __future__ import annotations

import importlib
import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zemosaic.errors import Message, ZeMosaicError
from zemosaic.events import Event, FrameDropped, FrameMeasured, FrameSolved, RunFinished, RunStarted
from zemosaic.frames.inventory import is_copy, is_remark
from zemosaic.gui.presenter.frames.frame_table import FrameTable
from zemosaic.gui.presenter.frames.frames_files import PLAN_COLUMNS, REPORT_NAME, Reported, plan_rows, read_report
from zemosaic.gui.presenter.run.eta import exposure_text
from zemosaic.gui.presenter.run.summary_text import forecast_lines
from zemosaic.gui.presenter.settings.form import with_labels
from zemosaic.i18n import Translator
from zemosaic.model import FrameRef
from zemosaic.settings.schema import Settings

if TYPE_CHECKING:
    from zemosaic.forecast import Forecast

__all__ = ["MAX_REMARKS", "TABLE_NAME", "FramesPresenter", "Scanned"]

TABLE_NAME = "zemosaic_selection.csv"
"""The table of frames that a run gets when some are left out or grouped by hand."""

MAX_REMARKS = 3
"""Lines under the summary that tell of files left out and odd headers; all of them are in its tooltip."""


@dataclass(frozen=True)
class Scanned:
    """How far a scan is, or what it found."""

    number: int
    done: int = 0
    total: int | None = None
    table: FrameTable | None = None
    error: Message | None = None
    reported: Reported | None = None
    """What the report of a run says of the frames."""
    run: int = 0
    """Which run it was that told the numbers."""
    forecast: Forecast | None = None
    given: tuple[Message, ...] = ()
    """What the folder holds, in lines."""


class _SupersededError(Exception):
    """The folder is no longer asked for."""


class FramesPresenter:
    """Holds the frame table of one folder at a time; no method blocks."""

    def __init__(self) -> None:
        self.folder = ""
        self.table: FrameTable | None = None
        self.problem: Message | None = None
        self.given: tuple[Message, ...] = ()
        """What the folder holds, in lines."""
        self.progress: Scanned | None = None
        """While a scan runs."""
        self.version = 0
        """Counts the tables; a view starts anew with each."""
        self.forecast: Forecast | None = None
        """What a run would do with the frames that are kept."""
        self.settings = Settings()
        """Of the run that would be started."""
        self.cpu_s_per_frame: float | None = None
        self._foretold: object = None
        self._news: queue.SimpleQueue[Scanned] = queue.SimpleQueue()
        self._number = 0
        self._run = 0
        self._early: list[Event] = []
        """What a run told while the frames were still being scanned."""
        self._told: tuple[object, str] = (None, "")
        self._thread: threading.Thread | None = None

    def scan(
        self, folder: str, output: str = "", selection: str = "", stacks: bool = False, keep: bool = False
    ) -> None:
        """Begin to read the headers of a folder; an earlier scan is given up.

        Parameters
        ----------
        folder : str
        output : str
            A folder inside it that is passed over.
        selection : str
            Table of frames with the choice to begin with.
        stacks : bool
            Whether finished stacks are wanted among single frames.
        keep : bool
            Whether the frames known so far stand until the new ones are read: the same folder, which is growing.
        """
        self._number += 1
        if not keep:
            self.folder, self.table, self.problem, self.given = folder, None, None, ()
            self.forecast = self._foretold = None
            self.version += 1
        self.progress = Scanned(self._number)
        self._early.clear()
        arguments = (self._number, folder, output, selection, stacks)
        self._thread = threading.Thread(target=self._scan, args=arguments, name="scan", daemon=True)
        self._thread.start()

    def pump(self) -> bool:
        """Take in the news of the scan; return whether there was any."""
        has_changed = False
        while not self._news.empty():
            news = self._news.get()
            if news.number != self._number:
                continue
            has_changed = True
            if news.forecast is not None:
                self.forecast = news.forecast
                continue
            if news.reported is not None:
                if self.table is not None and news.run == self._run:
                    self.table.take_numbers(news.reported.numbers)
                continue
            self.progress = news
            if news.table is not None or news.error is not None:
                self.table, self.problem, self.progress, self.given = news.table, news.error, None, news.given
                self.version += 1
                early, self._early = self._early, []
                for event in early:
                    self.note(event)
        self._foretell()
        return has_changed

    def _foretell(self) -> None:
        """Begin to find out what a run would do, where frames or settings changed since."""
        table = self.table
        if table is None or (self._thread is not None and self._thread.is_alive()):
            return
        wanted = table.in_mosaic
        now = (self.version, wanted.tobytes(), self.settings, self.cpu_s_per_frame)
        if now == self._foretold:
            return
        self._foretold = now
        kept = [frame for frame, keep in zip(table.frames, wanted, strict=False) if keep]
        copies = sum(is_copy(reason) for reason in table.why.values())
        request = (self._number, kept, len(table) - len(kept) - copies, copies)
        self._thread = threading.Thread(target=self._forecast, args=request, name="forecast", daemon=True)
        self._thread.start()

    def _forecast(self, number: int, kept: Sequence[FrameRef], left_out: int, copies: int) -> None:
        from zemosaic.forecast import CPU_S_PER_FRAME, forecast

        outlook = forecast(self.settings, kept, left_out, self.cpu_s_per_frame or CPU_S_PER_FRAME, copies)
        self._news.put(Scanned(number, forecast=outlook))

    def foretell_anew(self) -> None:
        """Forget what a run would do: what lies in the output folder is not what it was when that was found out."""
        self.forecast = self._foretold = None

    def note(self, event: Event) -> None:
        """Take in what a run told."""
        if self.progress is not None:
            self._early.append(event)
        if self.table is None:
            return
        if isinstance(event, FrameMeasured | FrameSolved | FrameDropped):
            self.table.note(event)
        elif isinstance(event, RunStarted):
            self._run += 1
            self.table.forget_run()
        elif isinstance(event, RunFinished):
            request = (self._number, self._run, self.table, Path(event.report_json))
            self._thread = threading.Thread(target=self._read_report, args=request, name="report", daemon=True)
            self._thread.start()

    def table_for_run(self, input_dir: str, output_dir: str, given: str) -> str:
        """Return the path of the table of frames for a run, written where the user's choice needs one.

        Parameters
        ----------
        input_dir, output_dir : str
        given : str
            The table named by the settings; stands while these frames were not looked at.

        Raises
        ------
        InputError
            If the table cannot be written.
        """
        if self.table is None or self.folder != input_dir:
            return given
        if not len(self.table.left_out) and not self.table.group_names:
            return ""
        path = Path(output_dir) / TABLE_NAME
        self.export(path)
        return str(path)

    def export(self, path: Path) -> None:
        """Write the table as CSV.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        from zemosaic.frames.selection import write_selection

        if self.table is not None:
            write_selection(path, PLAN_COLUMNS, plan_rows(self.table))

    def import_csv(self, path: Path) -> None:
        """Take the choice and the groups of a CSV file; it can be undone.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        from zemosaic.frames.selection import read_selection

        if self.table is not None:
            self.table.apply_selection(read_selection(path, Path(self.folder)))

    def close(self) -> None:
        """Give up a scan that runs."""
        self._number += 1
        if self._thread is not None:
            self._thread.join(5)

    def summary(self, words: Translator) -> str:
        """Return what the folder holds in a line; how far the scan is while it runs."""
        if self.progress is not None:
            done, total = self.progress.done, self.progress.total
            if total is None:
                return words.text("frames.counting", count=done)
            return words.text("frames.scanning", done=done, total=total)
        if self.problem is not None:
            return "⚠ " + with_labels(words.message(self.problem), words)
        if self.table is None:
            return ""
        key = (self.version, self.table.version, words.language, self.forecast)
        if self._told[0] != key:
            facts = _facts(self.table, words, sized=self.forecast is None)
            if self.forecast is not None:
                facts.append(forecast_lines(self.forecast, words)[0])
            remarks = [with_labels(words.message(line), words) for line in self.given if is_remark(line)]
            self._told = (key, "\n".join([" · ".join(facts), *remarks[:MAX_REMARKS]]))
        return self._told[1]

    def given_text(self, words: Translator) -> str:
        """Return all that is to be told of the folder, in lines."""
        return "\n".join(with_labels(words.message(line), words) for line in self.given)

    def _scan(self, number: int, folder: str, output: str, selection: str, stacks: bool) -> None:
        # Here, in the thread: it loads what the first window does not need.
        from zemosaic.frames.frame_files import scan_folder
        from zemosaic.frames.inventory import inventory
        from zemosaic.frames.selection import read_selection

        def progress(done: int, total: int | None) -> None:
            if number != self._number:
                raise _SupersededError
            self._news.put(Scanned(number, done, total))

        try:
            exclude = [Path(output)] if output else []
            scanned = scan_folder(Path(folder), exclude=exclude, progress=progress, stacks=stacks)
            chosen = read_selection(Path(selection), Path(folder)) if selection else None
            # The map needs it, and the window's thread should not wait for it.
            importlib.import_module("cv2")
            table = FrameTable(scanned.frames, scanned.dropped, chosen)
            earlier = Path(output) / REPORT_NAME
            if output and earlier.is_file():
                reported = read_report(table, earlier)
                table.take_numbers(reported.numbers)
                table.take_reasons(reported.why)
                table.take_places(reported.corners, reported.how)
            self._news.put(Scanned(number, table=table, given=tuple(inventory(scanned.frames, scanned.dropped))))
        except _SupersededError:
            return
        except ZeMosaicError as fault:
            self._news.put(Scanned(number, error=fault.message))
        except OSError as fault:
            details: Mapping[str, str] = {"path": folder, "detail": str(fault)}
            self._news.put(Scanned(number, error=Message("error.input_unreadable", dict(details))))

    def _read_report(self, number: int, run: int, table: FrameTable, report: Path) -> None:
        self._news.put(Scanned(number, reported=read_report(table, report), run=run))


def _facts(table: FrameTable, words: Translator, sized: bool) -> list[str]:
    kept = np.flatnonzero(table.in_mosaic)
    nights, cameras = (table.kept_of(by) for by in ("night", "telescope"))
    values = {
        "kept": len(kept),
        "frames": int(table.usable.sum()),
        "nights": len(nights),
        "exposure": exposure_text(float(np.nansum(table.metrics["exposure"][kept])), words),
        "cameras": ", ".join(name for name in cameras if name) or words.text("frames.unknown_telescope"),
    }
    facts = [words.text("frames.summary", **values)]
    size = table.mosaic_px() if sized else None
    if size is not None:
        facts.append(words.text("frames.mosaic_size", width=size[0], height=size[1]))
    unplaced = int((table.usable & ~table.footprints.placed).sum())
    if unplaced:
        facts.append(words.text("frames.unplaced", count=unplaced))
    return facts
