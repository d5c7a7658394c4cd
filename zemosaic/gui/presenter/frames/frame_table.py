"""The table of frames: sorting, filtering, keeping, leaving out and grouping with undo; fast at 50,000 rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import Message
from zemosaic.events import FrameDropped, FrameMeasured, FrameSolved
from zemosaic.frames.inventory import camera_names, night_of, start_times_s
from zemosaic.frames.selection import Limit, Selection, group_name, same_file
from zemosaic.gui.presenter.frames.footprints import Corners, Footprints
from zemosaic.gui.presenter.frames.frame_selection import FrameSelection
from zemosaic.i18n import Translator
from zemosaic.model import Dropped, FrameRef

__all__ = ["COLUMNS", "GROUPINGS", "METRICS", "SHOWN", "FrameTable"]

COLUMNS = (
    "keep", "file", "verdict", "stars", "fwhm", "eccentricity", "background", "noise", "snr", "weight",
    "solved", "night", "telescope", "exposure", "field",
)  # fmt: skip
METRICS = ("stars", "fwhm", "eccentricity", "background", "noise", "snr", "weight", "exposure")
"""Columns of numbers; NaN while unknown."""
SHOWN = ("all", "kept", "left_out")
GROUPINGS = ("night", "telescope", "filter", "field", "verdict")

Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]


class FrameTable:
    """Frames of one folder with all that is known of them.

    Parameters
    ----------
    frames : sequence of FrameRef
    dropped : sequence of Dropped
        Files that are no usable frames; they follow the frames.
    chosen : Selection, optional
        What is left out and grouped from the beginning.
    """

    def __init__(
        self, frames: Sequence[FrameRef], dropped: Sequence[Dropped] = (), chosen: Selection | None = None
    ) -> None:
        self.frames = tuple(frames)
        self.paths = [frame.path for frame in frames] + [item.path for item in dropped]
        self.files = [Path(path).name for path in self.paths]
        lost = [""] * len(dropped)
        self.nights = [night_of(frame) for frame in frames] + lost
        self.telescopes = camera_names(frames) + lost
        self.times_s = np.array(start_times_s(frames) + [np.nan] * len(dropped))
        """When each exposure began, seconds since 1970; NaN where it is not known."""
        self.solved = [""] * len(self.paths)
        self.why: dict[int, Message] = {len(frames) + i: item.reason for i, item in enumerate(dropped)}
        count = len(self.paths)
        self.usable = np.arange(count) < len(frames)
        self.metrics = {name: np.full(count, np.nan) for name in METRICS}
        exposures = [np.nan if frame.exposure_s is None else frame.exposure_s for frame in frames]
        self.metrics["exposure"][: len(frames)] = exposures
        self.keeping = FrameSelection(self.usable, self.metrics)
        self.selected = np.zeros(count, bool)
        self.footprints = Footprints.of(frames, len(dropped))
        self.version = 0
        """Counts the changes, so that a view knows when to draw again."""
        self.shown: Rows = np.arange(count)
        """Rows that pass the filter, in the order of the sorting."""
        self._row_of = {same_file(path): row for row, path in enumerate(self.paths)}
        filters = [frame.filter_name for frame in frames] + lost
        named = {"night": self.nights, "telescope": self.telescopes, "filter": filters}
        self._names = {by: sorted(set(values)) for by, values in named.items()}
        self._ranks = {by: _ranks(values, self._names[by]) for by, values in named.items()}
        self._ranks["file"] = np.arange(count)
        parts = zip(self.paths, self.nights, self.telescopes, strict=True)
        self._searched = [f"{path}\n{night}\n{scope}".casefold() for path, night, scope in parts]
        self._sorting = ("file", False)
        self._filter = ("", "all")
        scales = [frame.scale_arcsec for frame in frames if frame.scale_arcsec is not None]
        self._scale_arcsec = float(np.median(scales)) if scales else None
        self._fields: tuple[int, Rows] | None = None
        self._reach_deg = 0.0
        if chosen is not None:
            self.keeping.choose(*self._said_by(chosen), remember=False)
        # A table is made in a thread; of many frames this takes longer than a window should wait.
        self.fields()

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def keep(self) -> Flags:
        """Which frames are kept."""
        return self.keeping.keep

    @property
    def in_mosaic(self) -> Flags:
        """Which frames are kept and were not left out by the last run: those that the next mosaic is likely made of."""
        flags = self.keep.copy()
        flags[list(self.why)] = False
        return flags

    @property
    def left_out(self) -> Rows:
        """Rows of usable frames that the user does not want."""
        return np.flatnonzero(self.usable & ~self.keep)

    @property
    def selected_frames(self) -> Rows:
        """Rows of the selected frames, without files that are none."""
        return np.flatnonzero(self.selected & self.usable)

    @property
    def sorting(self) -> tuple[str, bool]:
        """Column and whether downward."""
        return self._sorting

    def sort(self, column: str, downward: bool) -> None:
        """Sort by a column; unknown values stand last either way.

        Parameters
        ----------
        column : str
            One of `COLUMNS`.
        downward : bool
            Whether the largest values stand first.
        """
        self._sorting = (column, downward)
        self._arrange()

    def filter(self, search: str, shown: str) -> None:
        """Show the rows that have all words of a search, and that are kept, left out or any.

        Looked at are path, night, telescope and the name of the group by hand.

        Parameters
        ----------
        search : str
            Words with spaces between them; case does not matter, and an empty text finds all.
        shown : str
            One of `SHOWN`; files that are no frames count as left out.
        """
        self._filter = (search, shown)
        self._arrange()

    def set_keep(self, rows: Rows, keep: bool) -> None:
        """Keep or leave out frames; what is no frame stays out.

        Parameters
        ----------
        rows : ndarray of int, shape (k,)
            Of the table, whatever is shown of it.
        keep : bool
            False to leave them out.
        """
        if self.keeping.set(rows, keep):
            self._arrange()

    def put_together(self, rows: Rows, name: str) -> None:
        """Put frames into a group by hand; with an empty name the program groups them.

        Parameters
        ----------
        rows : ndarray of int, shape (k,)
            Of the table; those of files that are no frames are passed over.
        name : str
            Taken in the one spelling that `group_name` gives.
        """
        if self.keeping.put_together(rows, group_name(name)):
            self._arrange()

    def set_limit(self, metric: str, limit: Limit) -> None:
        """Leave out the frames whose metric lies beyond a limit, also those that were kept by hand so far.

        Parameters
        ----------
        metric : str
            One of `METRICS`.
        limit : (float or None, float or None)
            Smallest and largest value that is kept, in the metric's unit; None at an end without a limit.
        """
        self.keeping.set_limit(metric, limit)
        self._arrange()

    def undo(self) -> None:
        """Take the last choice back."""
        self.keeping.undo()
        self._arrange()

    def redo(self) -> None:
        """Make a choice again that was taken back."""
        self.keeping.redo()
        self._arrange()

    def apply_selection(self, chosen: Selection) -> None:
        """Leave out exactly what a selection leaves out, and take its groups; can be undone."""
        self.keeping.choose(*self._said_by(chosen))
        self._arrange()

    def select(self, rows: Rows, add: bool = False) -> None:
        """Select rows, instead of those selected so far or besides them.

        Parameters
        ----------
        rows : ndarray of int, shape (k,)
        add : bool
            Whether those selected so far stay selected.
        """
        if not add:
            self.selected[:] = False
        self.selected[rows] = True
        self.version += 1

    def spread(self, metric: str) -> tuple[float, float, float] | None:
        """Return (smallest, median, largest) of a metric over all frames; None while nothing is known."""
        values = self.metrics[metric][np.isfinite(self.metrics[metric])]
        return (float(values.min()), float(np.median(values)), float(values.max())) if len(values) else None

    def groups(self, by: str) -> tuple[NDArray[np.intp], Sequence[str | int]]:
        """Return each row's group number, shape (rows,), and the groups' names; `by` is one of `GROUPINGS`.

        Fields that have no name have a number.
        """
        if by == "verdict":
            return self._verdicts(), ["kept", "left_out", "dropped"]
        if by == "field":
            return self._fields_and_groups()
        return self._ranks[by], self._names[by]

    @property
    def group_names(self) -> list[str]:
        """The groups by hand that have frames, sorted."""
        groups, names = self.keeping.groups
        return sorted((names[number] for number in np.unique(groups) if number), key=str.casefold)

    def group_of(self, row: int) -> str:
        """Return the name of a frame's group by hand; empty where the program groups it."""
        groups, names = self.keeping.groups
        return names[int(groups[row])]

    def kept_of(self, by: str) -> list[str]:
        """Return the nights or the telescopes of the frames that are kept and usable."""
        return [self._names[by][rank] for rank in np.unique(self._ranks[by][self.in_mosaic])]

    def note(self, event: FrameMeasured | FrameSolved | FrameDropped) -> None:
        """Take in what a run told of one frame."""
        row = self._row_of.get(same_file(event.path))
        if row is None:
            return
        self.version += 1
        match event:
            case FrameMeasured():
                values = (event.stars, event.fwhm_px, event.eccentricity, event.sky_adu, event.noise_adu, event.snr)
                for name, value in zip(METRICS[:6], values, strict=True):
                    self.metrics[name][row] = value
                self.keeping.refresh_row(row)
            case FrameSolved():
                self.solved[row] = event.how
                self.footprints.place(row, event.corners_ra_deg, event.corners_dec_deg)
            case FrameDropped():
                if not event.by_hand:
                    self.why[row] = event.reason

    def forget_run(self) -> None:
        """Forget why an earlier run dropped frames."""
        self.why = {row: reason for row, reason in self.why.items() if not self.usable[row]}
        self.version += 1

    def take_reasons(self, why: Mapping[int, Message]) -> None:
        """Take in why a run left frames out, by row."""
        self.why |= why
        self._arrange()

    def take_numbers(self, numbers: Mapping[str, NDArray[np.float64]]) -> None:
        """Take in metrics of all frames, each of shape (rows,); NaN says nothing."""
        for name, values in numbers.items():
            known = np.isfinite(values)
            self.metrics[name][known] = values[known]
        self.keeping.refresh()
        self._arrange()

    def take_places(self, corners: Mapping[int, Corners], how: Mapping[int, str]) -> None:
        """Take in where frames lie and how that was found, by row.

        Parameters
        ----------
        corners : mapping of int to Corners
        how : mapping of int to str
            Names of solvers.
        """
        rows = np.array(list(corners), np.intp)
        angles = np.array(list(corners.values()), float).reshape(-1, 2, 4)
        self.footprints.place_all(rows, angles[:, 0], angles[:, 1])
        for row, solver in how.items():
            self.solved[row] = solver
        self._arrange()

    def mosaic_px(self) -> tuple[int, int] | None:
        """Return `Footprints.size_px` of the kept frames at the frames' median scale; None where none is known."""
        return None if self._scale_arcsec is None else self.footprints.size_px(self.keep, self._scale_arcsec)

    def fields(self) -> Rows:
        """Return each frame's field, shape (rows,): which pointing of the survey it belongs to; -1 without a place."""
        placed = int(self.footprints.placed.sum())
        if self._fields is None or self._fields[0] != placed:
            self._fields = (placed, self.footprints.fields(self._reach_deg))
        return self._fields[1]

    def regroup(self, reach_deg: float) -> None:
        """Let frames nearer than so many degrees be of one field; 0 for a third of a frame's diagonal."""
        if reach_deg != self._reach_deg:
            self._reach_deg, self._fields = reach_deg, None
            self._arrange()

    def field_name(self, row: int, words: Translator) -> str:
        """Return the name of a frame's group by hand, or else of its field; empty without a place.

        Parameters
        ----------
        row : int
        words : Translator
            Names the fields, which are counted from 1.
        """
        field = int(self.fields()[row])
        return self.group_of(row) or ("" if field < 0 else words.text("frames.field", number=field + 1))

    def _said_by(self, chosen: Selection) -> tuple[Rows, list[str] | None, Mapping[str, Limit]]:
        """Return the rows that a selection leaves out, the groups' names where it has any, and its limits.

        Metrics that its limits judge and that are not known yet are taken from it.
        """
        for name in [name for name in chosen.limits if name in self.metrics]:
            unknown = np.flatnonzero(self.usable & ~np.isfinite(self.metrics[name]))
            self.metrics[name][unknown] = [chosen.measured_of(name, self.paths[row]) for row in unknown]
        left_out = np.flatnonzero([chosen.leaves_out(path) for path in self.paths])
        names = None if chosen.groups is None else [chosen.group_of(path) for path in self.paths]
        return left_out, names, chosen.limits

    def _fields_and_groups(self) -> tuple[NDArray[np.intp], list[str | int]]:
        """Return each row's field or, where it has one, its group by hand, and their numbers and names.

        Groups come after all fields, so that a field keeps its colour; what has no place is the last.
        """
        groups, names = self.keeping.groups
        fields, used = self.fields(), self.group_names
        count = int(fields.max(initial=-1)) + 1
        places = np.array([count + used.index(name) if name in used else 0 for name in names], np.intp)
        group_of_row = np.where(groups > 0, places[groups], np.where(fields < 0, count + len(used), fields))
        return group_of_row, [*range(1, count + 1), *used, ""]

    def _verdicts(self) -> NDArray[np.intp]:
        verdict = np.where(self.keep, 0, 1)
        verdict[list(self.why)] = 2
        verdict[self.left_out] = 1
        return verdict

    def _sort_key(self, column: str) -> NDArray[np.float64]:
        if column in METRICS:
            return self.metrics[column]
        if column == "field":
            numbers, names = self._fields_and_groups()
            return np.where(numbers == len(names) - 1, np.nan, numbers)
        if column in self._ranks:
            return self._ranks[column].astype(float)
        if column == "solved":
            return np.array([bool(how) for how in self.solved], float)
        return (self.keep if column == "keep" else self._verdicts()).astype(float)

    def _arrange(self) -> None:
        column, downward = self._sorting
        key = self._sort_key(column)
        order = np.argsort(-key if downward else key, kind="stable")
        self.shown = order[self._passing()[order]]
        self.version += 1

    def _passing(self) -> Flags:
        search, shown = self._filter
        search_words = search.casefold().split()
        passing = np.ones(len(self), bool)
        if search_words:
            groups, names = self.keeping.groups
            called = [name.casefold() for name in names]
            texts = zip(self._searched, groups.tolist(), strict=True)
            found = [all(word in text or word in called[group] for word in search_words) for text, group in texts]
            passing = np.array(found, bool)
        if shown != "all":
            passing &= self.in_mosaic if shown == "kept" else ~self.in_mosaic
        return passing


def _ranks(values: Sequence[str], names: Sequence[str]) -> NDArray[np.intp]:
    """Return each value's place among the different ones."""
    place = {value: i for i, value in enumerate(names)}
    return np.array([place[value] for value in values], np.intp)
