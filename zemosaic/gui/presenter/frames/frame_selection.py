"""Which frames the user keeps and groups: choices by hand and limits of the metrics, with undo and redo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.frames.selection import Limit

__all__ = ["FrameSelection", "outside"]

Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]

_OUT, _NEITHER, _IN = -1, 0, 1
_STEPS = 200
"""So many choices can be taken back."""


@dataclass(frozen=True)
class _Choice:
    """What the user said: of single frames, by limits, and which belong together."""

    by_hand: NDArray[np.int8]
    limits: Mapping[str, Limit]
    groups: NDArray[np.int32]
    """Numbers of names; never written to, so that choices can share it."""


class FrameSelection:
    """Says which frames are kept, and which are in a group by hand.

    What was said last holds: a new limit takes in what was kept by hand before.

    Parameters
    ----------
    usable : ndarray of bool, shape (n,)
        Files that are frames; others stay out.
    metrics : mapping of str to ndarray of float, shape (n,)
        Shared with the table; NaN, a value not known, lies beyond no limit.
    """

    def __init__(self, usable: Flags, metrics: Mapping[str, NDArray[np.float64]]) -> None:
        self._usable = usable
        self._metrics = metrics
        self._names = [""]
        """All that groups were ever called; the first stands for none."""
        self._numbers = {"": 0}
        self._now = _Choice(np.zeros(len(usable), np.int8), {}, np.zeros(len(usable), np.int32))
        self._before: list[_Choice] = []
        self._after: list[_Choice] = []
        self.keep = usable.copy()

    @property
    def limits(self) -> Mapping[str, Limit]:
        """The limits by metric; those without any are not in it."""
        return self._now.limits

    @property
    def groups(self) -> tuple[NDArray[np.int32], list[str]]:
        """Each frame's group by hand, shape (n,), as a number among the names; the first name, empty, is none."""
        return self._now.groups, self._names

    @property
    def by_hand(self) -> Flags:
        """Frames left out one by one."""
        left_out: Flags = self._usable & (self._now.by_hand == _OUT)
        return left_out

    @property
    def can_undo(self) -> bool:
        """Whether there is a choice to take back."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether there is a choice that was taken back."""
        return bool(self._after)

    def set(self, rows: Rows, keep: bool) -> bool:
        """Keep or leave out frames; return whether that changed anything.

        Parameters
        ----------
        rows : ndarray of int, shape (k,)
            Rows of files that are no frames are passed over.
        keep : bool
            False to leave them out.
        """
        rows = rows[self._usable[rows] & (self.keep[rows] != keep)]
        if not len(rows):
            return False
        by_hand = self._now.by_hand.copy()
        beyond = np.array([self.beyond(int(row)) is not None for row in rows], bool)
        by_hand[rows] = np.where(beyond, _IN, _NEITHER) if keep else _OUT
        self._become(replace(self._now, by_hand=by_hand))
        return True

    def put_together(self, rows: Rows, name: str) -> bool:
        """Put frames into a group, or with an empty name into none; return whether that changed anything.

        Parameters
        ----------
        rows : ndarray of int, shape (k,)
            Rows of files that are no frames are passed over.
        name : str
            Taken as it is; `group_name` gives the one spelling in which equal names are equal.
        """
        rows = rows[self._usable[rows]]
        groups = self._now.groups.copy()
        groups[rows] = self._number(name)
        if np.array_equal(groups, self._now.groups):
            return False
        self._become(replace(self._now, groups=groups))
        return True

    def choose(
        self,
        left_out: Rows,
        names: Sequence[str] | None,
        limits: Mapping[str, Limit] | None = None,
        remember: bool = True,
    ) -> None:
        """Leave out exactly these frames: by limits where they lie beyond one, the others by hand.

        Parameters
        ----------
        left_out : ndarray of int
            Rows.
        names : sequence of str, optional
            The group by hand of each frame, empty for none; without them all groups stay.
        limits : mapping, optional
            Limits by metric; frames that become known later are judged by them.
        remember : bool
            Whether this can be undone.
        """
        limits = {} if limits is None else {name: ends for name, ends in limits.items() if name in self._metrics}
        is_out, beyond = np.zeros((2, len(self._usable)), bool)
        is_out[left_out] = True
        for name, limit in limits.items():
            beyond |= outside(self._metrics[name], limit)
        by_hand = np.where(is_out == beyond, _NEITHER, np.where(is_out, _OUT, _IN)).astype(np.int8)
        groups = self._now.groups
        if names is not None:
            groups = np.where(self._usable, np.array([self._number(name) for name in names], np.int32), np.int32(0))
        if remember:
            self._become(_Choice(by_hand, limits, groups))
        else:
            self._now = _Choice(by_hand, limits, groups)
            self.refresh()

    def set_limit(self, metric: str, limit: Limit) -> None:
        """Set or, with (None, None), take away the limits of a metric.

        Parameters
        ----------
        metric : str
            A key of the metrics.
        limit : (float or None, float or None)
            Smallest and largest value that is kept, in the metric's unit; None at an end without a limit.
        """
        if limit == self.limits.get(metric, (None, None)):
            return
        limits = {name: given for name, given in self.limits.items() if name != metric}
        if limit != (None, None):
            limits[metric] = limit
        self._become(replace(self._now, by_hand=np.minimum(self._now.by_hand, _NEITHER), limits=limits))

    def would_leave_out(self, metric: str, limit: Limit) -> int:
        """Return how many frames would lie beyond a limit.

        Parameters
        ----------
        metric : str
            A key of the metrics.
        limit : (float or None, float or None)
            As for `set_limit`.  Frames count whether or not they are left out already.
        """
        return int(np.count_nonzero(self._usable & outside(self._metrics[metric], limit)))

    def undo(self) -> None:
        """Take the last choice back."""
        if self._before:
            self._after.append(self._now)
            self._now = self._before.pop()
            self.refresh()

    def redo(self) -> None:
        """Make a choice again that was taken back."""
        if self._after:
            self._before.append(self._now)
            self._now = self._after.pop()
            self.refresh()

    def beyond(self, row: int) -> str | None:
        """Return the metric whose limit a frame lies beyond; None for none."""
        for name, (low, high) in self.limits.items():
            value = self._metrics[name][row]
            if (low is not None and value < low) or (high is not None and value > high):
                return name
        return None

    def refresh_row(self, row: int) -> None:
        """Judge one frame anew whose metrics became known."""
        if self.limits and self._usable[row] and self._now.by_hand[row] == _NEITHER:
            self.keep[row] = self.beyond(row) is None

    def refresh(self) -> None:
        """Judge all frames anew."""
        beyond = np.zeros(len(self._usable), bool)
        for name, limit in self.limits.items():
            beyond |= outside(self._metrics[name], limit)
        by_hand = self._now.by_hand
        self.keep[:] = self._usable & ((by_hand == _IN) | ((by_hand == _NEITHER) & ~beyond))

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self._names)
            self._names.append(name)
        return self._numbers[name]

    def _become(self, choice: _Choice) -> None:
        self._before.append(self._now)
        del self._before[:-_STEPS]
        self._after.clear()
        self._now = choice
        self.refresh()


def outside(values: NDArray[np.float64], limit: Limit) -> Flags:
    """Return which values lie beyond a limit; unknown ones never do.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        NaN where a value is not known.
    limit : (float or None, float or None)
        Smallest and largest value that do not lie beyond; None at an end without a limit.
    """
    low, high = limit
    with np.errstate(invalid="ignore"):
        return (values < (-np.inf if low is None else low)) | (values > (np.inf if high is None else high))
