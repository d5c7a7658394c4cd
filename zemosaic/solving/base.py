"""What a solver gets and what it answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import Message, message
from zemosaic.model import Solution

__all__ = ["AFFINE_STARS", "MIN_MATCHED_STARS", "Failure", "NotSolved", "Solver", "StarField", "lacking", "not_solved"]

AFFINE_STARS = 8
"""Matches, one to one, that a solution needs in general; fewer hold no more than shift, turn and scale."""
MIN_MATCHED_STARS = 6
"""Matches that a solution of a small field needs, where fewer catalogue stars than usual leave less to chance."""


@dataclass(frozen=True)
class StarField:
    """The stars of one frame and what its header says about where it points."""

    x_px: NDArray[np.float64]
    """Columns of the detected stars, brightest first, shape (n,)."""
    y_px: NDArray[np.float64]
    """Rows of the detected stars, shape (n,)."""
    width: int
    height: int
    ra_deg: float | None = None
    """Pointing hint; None where the header has none."""
    dec_deg: float | None = None
    scale_arcsec: float | None = None
    """Plate scale from the optics, taken to be right to 3 %; None where the header does not tell."""
    radius_deg: float = 1.0
    """How far off the pointing hint may be."""
    green: Callable[[], NDArray[np.float32]] | None = None
    """Makes the green image without defects, shape (height, width), for solvers that want pixels."""
    name: str = ""
    """What tells the frame from all others: its path."""

    def __len__(self) -> int:
        return len(self.x_px)

    @property
    def half_diagonal_px(self) -> float:
        return 0.5 * math.hypot(self.width, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the frame's centre in pixels."""
        return 0.5 * (self.width - 1), 0.5 * (self.height - 1)


class Failure(Enum):
    """What kind of failure an answer without a solution is: what may be tried next depends on it."""

    NO_SOLUTION = auto()
    """The solver did its work and found no place that it believes."""
    NO_SCALE = auto()
    """The solver needs the plate scale, which the frame does not tell."""
    NO_CATALOGUE_STARS = auto()
    """The catalogue has too few stars there for any solution to be confirmed."""
    NO_ANSWER = auto()
    """The solver ended without an answer; another try may have one."""
    NOT_STARTED = auto()
    """The solver could not be started; if another try cannot start it either, none will for any frame."""
    UNUSABLE = auto()
    """The solver cannot work at all on this machine, whatever the frame."""

    @property
    def worth_retrying(self) -> bool:
        """Whether the same solver may answer the same question in another try."""
        return self in (Failure.NO_ANSWER, Failure.NOT_STARTED)

    @property
    def is_final(self) -> bool:
        """Whether the solver need not be asked about other frames either."""
        return self in (Failure.NOT_STARTED, Failure.UNUSABLE)


@dataclass(frozen=True)
class NotSolved:
    """The answer of a solver that has no solution: a reason for people, and what kind of failure it is."""

    reason: Message
    failure: Failure = Failure.NO_SOLUTION


def not_solved(key: str, failure: Failure = Failure.NO_SOLUTION, **params: Any) -> NotSolved:
    """Return ``NotSolved(message(key, **params), failure)``.

    Parameters
    ----------
    key : str
        Of the reason's sentence.
    failure : Failure
    **params
        What the sentence names.
    """
    return NotSolved(message(key, **params), failure)


class Solver(Protocol):
    """Finds out where a frame points."""

    @property
    def name(self) -> str:
        """What `Solution.how` says of its solutions."""
        ...

    def solve(self, field: StarField) -> Solution | NotSolved:
        """Return the verified solution of a frame, or why there is none; never raises for a frame's sake."""
        ...


def lacking(field: StarField) -> NotSolved | None:
    """Return what a frame lacks for any hinted solver, None where it lacks nothing."""
    if len(field) < MIN_MATCHED_STARS:
        return not_solved("reason.unsolved_too_few_stars", found=len(field), needed=MIN_MATCHED_STARS)
    if field.ra_deg is None or field.dec_deg is None:
        return not_solved("reason.unsolved_no_pointing")
    return None
