"""The Bayer pattern as the pixels show it, where the header's card contradicts them.

The two green pixels of each block of 2 x 2 agree, and green differs from red and blue.  So the pixels tell on which
diagonal green is; a picture read one row or column off, or turned over by a program that kept the card, has it on the
other one.  Which of the two remaining pixels is red is told by the camera's other frames, else by the stars: through
the filters of a colour sensor they give more light in red than in blue.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import median, median_sigma
from zemosaic.errors import FrameError, message
from zemosaic.frames.pixels import open_pixels
from zemosaic.model import FrameRef, SiteLevels

__all__ = ["corrected_cameras", "corrected_frames", "site_levels"]

BLOCK_PX = 32
"""Levels are compared within squares of so many pixels, in which the sky is even."""
MAX_BLOCKS = 600
MIN_BLOCKS = 20
STAR_SIGMA = 4.0
"""By so much of its noise each of four pixels on a star is above the sky."""
MIN_STAR_BLOCKS = 10
"""Fewer bright blocks of 2 x 2 pixels do not tell the colour of the stars."""
MIN_DIFFERENCE_SIGMA = 6.0
MIN_DIFFERENCE = 0.02
"""Red and blue differ by this part of the level at least where green can be told; the two greens of real sensors
differ by up to half a percent."""
MAX_GREEN_DIFFERENCE = 0.25
"""The greens differ by no more than this part of what red and blue differ by."""
SAMPLED_FRAMES = 5
SAMPLED_ROWS = 512

_MAIN = ("GRBG", "GBRG")
"""Patterns with green on the diagonal from the top left; red is the second pixel of the block, or the third."""
_ANTI = ("RGGB", "BGGR")
"""Patterns with green on the other diagonal; red is the first pixel of the block, or the last."""


def site_levels(pixels: NDArray[Any]) -> SiteLevels | None:
    """Return what the four kinds of pixels of a raw Bayer frame have of sky and stars.

    Parameters
    ----------
    pixels : ndarray, shape (h, w)
        Numbers as read, from an even row and column on; NaN for pixels without a value.

    Returns
    -------
    SiteLevels or None
        None where too little of the picture has numbers.
    """
    rows, columns = pixels.shape[0] // BLOCK_PX, pixels.shape[1] // BLOCK_PX
    if rows * columns < MIN_BLOCKS:
        return None
    squares = pixels[: rows * BLOCK_PX, : columns * BLOCK_PX].reshape(rows, BLOCK_PX, columns, BLOCK_PX)
    apart = -(-rows * columns // MAX_BLOCKS)
    squares = squares.swapaxes(1, 2).reshape(-1, BLOCK_PX, BLOCK_PX)[::apart].astype(np.float32)
    cells = squares.reshape(len(squares), BLOCK_PX // 2, 2, BLOCK_PX // 2, 2).transpose(0, 2, 4, 1, 3)
    cells = cells.reshape(len(squares), 4, -1)
    cells = cells[np.isfinite(cells).all(axis=(1, 2))]
    if len(cells) < MIN_BLOCKS:
        return None
    levels = median(cells, axis=2)
    mean = levels.mean(axis=1, keepdims=True)
    differences = levels - mean
    typical = median(differences, axis=0)
    spread = float(np.sqrt(np.mean([median_sigma(differences[:, k] - typical[k]) ** 2 for k in range(4)])))
    return SiteLevels(
        sky_adu=tuple(float(value) for value in typical + median(mean)),
        error_adu=1.25 * float(np.hypot(spread, 0.3)) / float(np.sqrt(len(cells))),
        star_shares=_star_shares(cells - levels[:, :, None]),
    )


def _star_shares(light: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the share of each of the four pixels in the light of blocks on stars, times the number of such blocks.

    Parameters
    ----------
    light : ndarray of float32, shape (squares, 4, blocks)
        Light above the sky.
    """
    noise = np.array([max(median_sigma(light[:, k]), 1e-6) for k in range(4)], np.float32)
    # A hot pixel is bright alone, a star in all four.
    bright = (light > STAR_SIGMA * noise[:, None]).all(axis=1)
    count = int(bright.sum())
    if count < MIN_STAR_BLOCKS:
        return (0.0, 0.0, 0.0, 0.0)
    of_stars = np.stack([light[:, k][bright] for k in range(4)])
    return tuple(float(share) * count for share in median(of_stars / of_stars.sum(axis=0), axis=1))


def corrected_cameras(frames: Sequence[FrameRef]) -> list[FrameRef]:
    """Return the frames; those of a camera most of whose frames contradict their card have the pattern of the pixels.

    A few frames of each camera are opened.

    Parameters
    ----------
    frames : sequence of FrameRef
        All frames of the run.
    """
    cameras: dict[tuple[object, ...], list[FrameRef]] = {}
    for frame in frames:
        if frame.bayer is not None:
            cameras.setdefault(frame.camera_key, []).append(frame)
    patterns: dict[tuple[object, ...], str] = {}
    for key, members in cameras.items():
        card = members[0].bayer or ""
        sample = [levels for frame in _spread(members) if (levels := _levels_of_file(frame)) is not None]
        wrong = [levels for levels in sample if _contradicts(levels, card)]
        if 2 * len(wrong) > len(sample):
            patterns[key] = _by_stars(wrong, card)
    return [
        with_pattern(frame, patterns[frame.camera_key]) if frame.bayer and frame.camera_key in patterns else frame
        for frame in frames
    ]


def corrected_frames(levels: Sequence[tuple[FrameRef, SiteLevels | None]]) -> dict[int, FrameRef]:
    """Return, by frame id, the frames whose pixels contradict their pattern, with that of the pixels.

    Parameters
    ----------
    levels : sequence of (FrameRef, SiteLevels or None)
        All frames of the run and what their pixels showed.
    """
    known = [(frame, sites) for frame, sites in levels if frame.bayer is not None and sites is not None]
    agreeing: dict[tuple[str, str], list[tuple[str, SiteLevels]]] = {}
    for frame, sites in known:
        if not _contradicts(sites, frame.bayer or ""):
            agreeing.setdefault((frame.instrument, frame.telescope), []).append((frame.bayer or "", sites))
    corrected: dict[int, FrameRef] = {}
    for frame, sites in known:
        card = frame.bayer or ""
        if _contradicts(sites, card):
            others = agreeing.get((frame.instrument, frame.telescope), [])
            pattern = _like_others(sites, card, others) if others else _by_stars([sites], card)
            corrected[frame.frame_id] = with_pattern(frame, pattern)
    return corrected


def with_pattern(frame: FrameRef, pattern: str) -> FrameRef:
    """Return a frame with another Bayer pattern than its card's, and a note that tells it.

    Parameters
    ----------
    frame : FrameRef
        As its header describes it.
    pattern : str
        What the pixels show, such as ``"GRBG"``.
    """
    note = message("note.bayer_wrong", card=frame.bayer or "", pattern=pattern)
    return replace(frame, bayer=pattern, notes=(*frame.notes, note))


def _spread(frames: Sequence[FrameRef]) -> Sequence[FrameRef]:
    return frames[:: max(len(frames) // SAMPLED_FRAMES, 1)][:SAMPLED_FRAMES]


def _levels_of_file(frame: FrameRef) -> SiteLevels | None:
    """Return what the rows in the middle of a file show; None where it cannot be read."""
    first = max(frame.height // 2 - SAMPLED_ROWS // 2, 0) // 2 * 2
    try:
        return site_levels(
            open_pixels(frame, None).read(first, min(first + SAMPLED_ROWS, frame.height), 0, frame.width)
        )
    except FrameError:
        return None  # measuring that frame will say why


def _contradicts(levels: SiteLevels, pattern: str) -> bool:
    """Whether the pixels show for certain that green is on the other diagonal than a pattern says."""
    sky = levels.sky_adu
    main, anti = abs(sky[0] - sky[3]), abs(sky[1] - sky[2])
    apart, alike = (main, anti) if pattern in _MAIN else (anti, main)
    least = max(MIN_DIFFERENCE_SIGMA * levels.error_adu, MIN_DIFFERENCE * abs(float(np.mean(sky))))
    return apart > least and alike < MAX_GREEN_DIFFERENCE * apart


def _other_patterns(card: str) -> tuple[str, str]:
    return _ANTI if card in _MAIN else _MAIN


def _by_stars(levels: Iterable[SiteLevels], card: str) -> str:
    """Return the pattern of the other diagonal in which red has more of the stars' light than blue, else of the sky."""
    stars, sky = np.zeros(4), np.zeros(4)
    for sites in levels:
        stars += sites.star_shares
        sky += sites.sky_adu
    light = stars if stars.any() else sky
    return max(_other_patterns(card), key=lambda pattern: light[pattern.index("R")] - light[pattern.index("B")])


def _like_others(levels: SiteLevels, card: str, others: Sequence[tuple[str, SiteLevels]]) -> str:
    """Return the pattern of the other diagonal whose red and blue differ as in the camera's other frames."""
    usual = float(median([_red_less_blue(sites, pattern) for pattern, sites in others]))
    return min(_other_patterns(card), key=lambda pattern: abs(_red_less_blue(levels, pattern) - usual))


def _red_less_blue(levels: SiteLevels, pattern: str) -> float:
    return levels.sky_adu[pattern.index("R")] - levels.sky_adu[pattern.index("B")]
