"""What the Frames page does, in either window: its buttons, and what is shown where."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from zemosaic.errors import ZeMosaicError
from zemosaic.gui.presenter.frames.analyser import find_analyser, program_folder, start_analyser
from zemosaic.gui.presenter.frames.frame_cells import metric_text, short_name, verdict_text
from zemosaic.gui.presenter.frames.frame_table import FrameTable
from zemosaic.gui.presenter.frames.histograms import SHOWN_METRICS, Histogram
from zemosaic.gui.presenter.frames.region_outline import REGION_KEY
from zemosaic.gui.presenter.frames.sky_map import SkyMap
from zemosaic.gui.presenter.frames.thumbnails import ThumbnailLoader
from zemosaic.gui.presenter.large_frame.frame_viewer import FrameViewer
from zemosaic.gui.presenter.metric_plot.metric_plot import MetricPlot
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.form import with_labels

__all__ = ["BUTTONS", "ROW_COMMANDS", "FramesPage"]

BUTTONS = (
    "choose", "measure", "solve", "analyse", "import", "export",
    "plot", "fit", "region", "whole", "leave_out", "keep", "group", "undo", "redo",
)  # fmt: skip
ROW_COMMANDS = ("large", "open_file", "show_in_folder", "leave_out", "keep")
"""What the menu of the selected rows offers."""
_OUTPUT_SUFFIX = "_mosaic"


class FramesPage:
    """The page without its widgets."""

    buttons = BUTTONS
    """Keys of the buttons."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.map = SkyMap(session.frames)
        self.histograms = {metric: Histogram(session.frames, metric) for metric in SHOWN_METRICS}
        self.plot = MetricPlot(session.frames, self.map)
        self.is_plot_shown = False
        """Whether the plot stands where the map is else."""
        self.metric = "fwhm"
        """The metric whose limits are typed and that the colouring by quality shows."""
        self.thumbnails = ThumbnailLoader()
        self.viewer = FrameViewer(session.frames)
        """Frames seen large."""
        self.search, self.kind = "", "all"
        self.sorting = ("file", False)
        """Column and whether downward; the next folder's frames are sorted alike."""
        self.analyser = find_analyser(program_folder())
        # Held on to, for Python complains of a process that is forgotten while it runs.
        self.analysing: subprocess.Popen[bytes] | None = None
        self._shown: object = None
        self._table: FrameTable | None = None

    @property
    def table(self) -> FrameTable | None:
        """The frames."""
        return self.session.frames.table

    @property
    def can_mark_region(self) -> bool:
        """Whether there is a setting for the part of the sky that is made."""
        return any(row.key == REGION_KEY for row in self.session.form.rows)

    @property
    def region(self) -> str:
        """The part of the sky that is made; empty for all."""
        return self.session.form.row(REGION_KEY).text if self.can_mark_region else ""

    def changed(self) -> bool:
        """Return whether anything is to be shown anew since this was last asked."""
        table, session = self.table, self.session
        if table is not None and table is not self._table:
            table.sort(*self.sorting)
            table.filter(self.search, self.kind)
        elif table is not None:
            self.sorting = table.sorting
        if table is not None:
            # The fields on the map follow the radius of the groups of Classic mode.
            table.regroup(float(session.form.row("cluster_panel_threshold").value))
        self._table = table
        self.map.show_region(self.region)
        version = None if table is None else table.version
        shown = (session.frames.version, version, session.running, self.region, self.viewer.is_open)
        changed, self._shown = shown != self._shown, shown
        if changed:
            self._ask_thumbnail()
        return changed

    def forget_shown(self) -> None:
        """Let `changed` say yes next time."""
        self._shown = None

    def enabled(self, key: str) -> bool:
        """Return whether a button can be pressed now."""
        table, running = self.table, self.session.running
        if key in ("choose", "analyse"):
            return not running or key == "analyse"
        if table is None:
            return False
        chosen = bool(table.selected.any())
        able = {
            "measure": not running,
            "solve": not running,
            "leave_out": chosen,
            "keep": chosen,
            "group": bool(len(table.selected_frames)),
            "undo": table.keeping.can_undo,
            "redo": table.keeping.can_redo,
            "whole": bool(self.region),
        }
        return able.get(key, True)

    def visible(self, key: str) -> bool:
        """Return whether a button is there at all."""
        if key == "analyse":
            return self.analyser is not None
        if key in ("fit", "region", "whole") and self.is_plot_shown:
            return False
        if key == "whole":
            return bool(self.region)  # in a narrow window its room is needed for others
        return self.can_mark_region if key == "region" else True

    def tooltip(self, key: str) -> str:
        """Return what a button does, in a sentence."""
        words = self.session.words
        if key == "analyse" and self.analyser is not None:
            return words.text("frames.analyse_with", name=self.analyser.name, folder=str(self.analyser.folder))
        return words.text(f"frames.{key}.help") if words.has(f"frames.{key}.help") else ""

    def open_folder(self, folder: str) -> None:
        """Look at the frames of a folder; the mosaic goes beside it unless there is a place for it already."""
        session = self.session
        session.problem = None
        path = Path(folder)
        if not session.form.row("output_dir").text and path.name:
            beside = path.with_name(path.name + _OUTPUT_SUFFIX)
            session.form = session.form.edited("output_dir", str(beside))
        session.scan_frames(str(path))

    def act(self, key: str) -> None:
        """Do what a button without a question does; a fault is told at the foot of the window."""
        acts: dict[str, Callable[[], None]] = {
            "measure": lambda: self.session.prepare("measure"),
            "solve": lambda: self.session.prepare("solve"),
            "analyse": self._analyse,
            "fit": self.map.fit,
            "whole": lambda: self.mark_region(""),
            "leave_out": lambda: self._keep_selected(False),
            "keep": lambda: self._keep_selected(True),
            "open_file": lambda: self._open_selected(lambda path: path),
            "show_in_folder": lambda: self._open_selected(lambda path: path.parent),
            "undo": lambda: self.table.undo() if self.table is not None else None,
            "redo": lambda: self.table.redo() if self.table is not None else None,
        }
        self._try(acts[key])

    def export(self, path: Path) -> None:
        """Write the table as CSV."""
        self._try(lambda: self.session.frames.export(path))

    def import_csv(self, path: Path) -> None:
        """Take the choice of a CSV file."""
        self._try(lambda: self.session.frames.import_csv(path))

    @property
    def group_names(self) -> list[str]:
        """The groups by hand that there are, to be offered where a name is asked for."""
        return [] if self.table is None else self.table.group_names

    @property
    def selected_group(self) -> str:
        """The group by hand that all selected frames are of; empty where they are not of one."""
        if self.table is None:
            return ""
        groups, names = self.table.keeping.groups
        selected = np.unique(groups[self.table.selected_frames])
        return names[int(selected[0])] if len(selected) == 1 else ""

    def group_question(self) -> str:
        """Return what is asked before selected frames become a group."""
        count = 0 if self.table is None else len(self.table.selected_frames)
        return self.session.words.text("frames.group.name", count=count)

    def put_together(self, name: str) -> None:
        """Put the selected frames into a group; with an empty name the program groups them."""
        if self.table is not None:
            self.table.put_together(self.table.selected_frames, name)

    def filter(self, search: str, kind: str) -> None:
        """Show only some of the frames.

        Parameters
        ----------
        search : str
            Words that all must be found.
        kind : str
            One of `SHOWN`.
        """
        self.search, self.kind = search, kind
        if self.table is not None:
            self.table.filter(search, kind)

    def mark_region(self, text: str | None) -> None:
        """Make only a part of the sky, as the setting spells it; empty for all, None for no change."""
        if text is not None:
            self.session.form = self.session.form.edited(REGION_KEY, text)

    def use_metric(self, metric: str) -> None:
        """Choose the metric whose limits are typed and that the colouring by quality shows."""
        self.metric = metric
        self.map.colour_by(self.map.colouring, metric)

    def selected_text(self) -> str:
        """Return how many frames are selected; of a single one its name and in full what becomes of it."""
        if self.table is None:
            return ""
        rows = np.flatnonzero(self.table.selected)
        if len(rows) == 1:
            row = int(rows[0])
            return f"{self.table.files[row]}: {verdict_text(self.table, row, self.session.words)}"
        return self.session.words.text("frames.selected", count=len(rows))

    def range_text(self) -> str:
        """Return smallest, middle and largest value of the metric, or that it was not measured yet."""
        words, spread = self.session.words, None if self.table is None else self.table.spread(self.metric)
        if spread is None:
            return words.text("frames.limit_none")
        low, median, high = (metric_text(self.metric, value, words) for value in spread)
        text = words.text("frames.limit_range", low=low, median=median, high=high)
        beyond = self.histograms[self.metric].told(words)
        return f"{text} · {beyond}" if beyond else text

    def thumbnail_text(self) -> str:
        """Return what stands under the small picture: the frame's name, or why there is none."""
        shown, words = self.thumbnails.shown, self.session.words
        if shown is None:
            return words.text("frames.thumbnail_none")
        return (
            short_name(Path(shown.path).name)
            if shown.problem is None
            else "⚠ " + with_labels(words.message(shown.problem), words)
        )

    def close(self) -> None:
        """End what works in the background."""
        self.thumbnails.close()
        self.viewer.end()

    def _ask_thumbnail(self) -> None:
        if self.viewer.is_open:
            return  # the frame is seen large, and its file read, already
        chosen = np.empty(0, np.intp) if self.table is None else self.table.selected_frames
        self.thumbnails.ask(self.table.frames[int(chosen[0])] if self.table is not None and len(chosen) else None)

    def _keep_selected(self, keep: bool) -> None:
        if self.table is not None:
            self.table.set_keep(np.flatnonzero(self.table.selected), keep)

    def _open_selected(self, target: Callable[[Path], Path]) -> None:
        """Open what belongs to the first selected row."""
        if self.table is not None and self.table.selected.any():
            self.session.opener.open(target(Path(self.table.paths[int(np.argmax(self.table.selected))])))

    def _analyse(self) -> None:
        if self.analyser is None:
            return
        self.analysing = start_analyser(self.analyser)
        if self.analysing is None:
            self.session.tell_problem("error.analyser_not_started", folder=str(self.analyser.folder))

    def _try(self, act: Callable[[], None]) -> None:
        self.session.problem = None
        try:
            act()
        except ZeMosaicError as fault:
            self.session.problem = fault.message
