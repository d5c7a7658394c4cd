"""Frames that lie where their headers say because the catalogue has too few stars to check it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from zemosaic.catalogue import Catalogue
from zemosaic.errors import Message, message
from zemosaic.model import UNCHECKED_PLACE, MeasuredFrame, SolvedFrame
from zemosaic.phases.run.reporter import Reporter
from zemosaic.solving.base import StarField
from zemosaic.solving.claims import Claim, ClaimedStars, contradicted
from zemosaic.solving.propagate import known_stars
from zemosaic.wcs import FrameWcs

__all__ = ["is_unchecked", "placed", "refused_claims", "tell_unchecked", "with_claims"]


def tell_unchecked(reporter: Reporter, solved: Sequence[SolvedFrame]) -> None:
    """Warn of frames whose places come from headers and could not be checked.

    Parameters
    ----------
    reporter : Reporter
        Is told, once for all of them.
    solved : sequence of SolvedFrame
    """
    frames = sum(is_unchecked(frame) for frame in solved)
    if frames:
        reporter.warn(message("warning.positions_unchecked", frames=frames))


def is_unchecked(solved: SolvedFrame) -> bool:
    """Whether a frame's place comes from a header and no catalogue star has confirmed it."""
    return solved.solution.how == UNCHECKED_PLACE


def placed(solved: SolvedFrame) -> tuple[FrameWcs, np.ndarray, np.ndarray]:
    """Return a frame's WCS and the columns and rows of its stars, as `known_stars` takes them."""
    return solved.wcs, solved.measured.stars.x_px, solved.measured.stars.y_px


def with_claims(solved: Sequence[SolvedFrame], catalogue: Catalogue) -> Catalogue:
    """Return the catalogue, with the stars of unchecked frames where there are such frames.

    Parameters
    ----------
    solved : sequence of SolvedFrame
        All frames of the run.
    catalogue : Catalogue
        Anchors of the joint solution.
    """
    claims = [placed(frame) for frame in solved if is_unchecked(frame)]
    return ClaimedStars(catalogue, known_stars(claims)) if claims else catalogue


def refused_claims(
    claimed: Mapping[str, MeasuredFrame],
    places: Mapping[str, FrameWcs],
    solved: Sequence[SolvedFrame],
    field_of: Callable[[MeasuredFrame], StarField],
) -> Mapping[str, Message]:
    """Return, by path, why places that headers claim are refused: the stars of overlapping frames contradict them.

    Parameters
    ----------
    claimed : mapping of str to MeasuredFrame
        Frames with a WCS that could not be checked, by path.
    places : mapping of str to FrameWcs
        What their headers say.
    solved : sequence of SolvedFrame
        Frames with known places.
    field_of : callable
        Returns the stars of a frame as solvers take them.
    """
    if not claimed:
        return {}
    claims = [Claim(path, places[path], field_of(one), settled=False) for path, one in claimed.items()]
    settled = [Claim(frame.frame.path, frame.wcs, field_of(frame.measured), settled=True) for frame in solved]
    return contradicted([*claims, *settled])
