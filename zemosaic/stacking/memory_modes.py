"""How a deep stack fits the memory: exact in memory, exact on disk, or streamed in two passes.

* exact: the samples of a tile, or of a band of its rows, lie in memory together;
* on disk: every frame is resampled once into a scratch file, which is then stacked band by band;
* streaming: a sample of the frames gives approximate clip limits for each pixel and a histogram of all
  frames refines them (`zemosaic.stacking.streaming`); then every frame passes once more and is clipped against
  them.  Only this one is not exact, and it reads the frames three times, so that it runs only where the
  user asks for it, or where neither memory nor disk hold the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

__all__ = ["SAMPLE_FRAMES", "MemoryMode", "MemoryRules", "choose_memory_mode", "sample_of"]

SAMPLE_FRAMES = 64
"""Frames that show streaming where limits lie unless the settings say otherwise."""


class MemoryMode(StrEnum):
    """How a tile was stacked; reports and events say it in these words."""

    EXACT = "exact"
    PASSES = "exact in passes"
    DISK = "exact on disk"
    STREAMING = "streaming"


@dataclass(frozen=True)
class MemoryRules:
    """What the user allows."""

    disk: str = "auto"
    """``always``, ``auto`` (where bands in memory would be too thin) or ``never``."""
    max_frames: int = 0
    """Deeper tiles are streamed, with so many frames in memory; 0: no such limit."""
    min_frames: int = 16
    """Frames that show streaming where limits lie, at the least."""
    spread: bool = True
    """Whether the sample is spread over all frames or is the first ones."""
    retry: bool = True
    """Whether a failed allocation leads to smaller passes."""

    @property
    def sample_frames(self) -> int:
        return max(self.min_frames, self.max_frames or SAMPLE_FRAMES)


def choose_memory_mode(
    frames: int, rows: int, rows_in_memory: int, rules: MemoryRules, *, least_rows: int, disk_holds: bool, median: bool
) -> MemoryMode:
    """Return how to stack a tile.

    Parameters
    ----------
    frames : int
        Frames that reach the tile.
    rows, rows_in_memory : int
        Rows of the tile, and how many of them fit the memory with all frames.
    rules : MemoryRules
    least_rows : int
        Thinner bands cost too much: frames are read again for each.
    disk_holds : bool
        Whether the scratch file would fit the disk.
    median : bool
        A median cannot be streamed.
    """
    if rules.disk == "always" and disk_holds:
        return MemoryMode.DISK
    if rules.max_frames and frames > rules.sample_frames and not median:
        return MemoryMode.STREAMING
    if rows_in_memory >= rows:
        return MemoryMode.EXACT
    if rows_in_memory >= least_rows:
        return MemoryMode.PASSES
    if rules.disk != "never" and disk_holds:
        return MemoryMode.DISK
    return MemoryMode.PASSES if median or frames <= rules.sample_frames else MemoryMode.STREAMING


def sample_of(frames: int, number: int, spread: bool) -> list[int]:
    """Return which frames, in order, limits are found from.

    Parameters
    ----------
    frames : int
        Frames of the tile.
    number : int
        Size of the sample.
    spread : bool
        Whether the sample is spread evenly over all frames or is the first ones.

    Returns
    -------
    list of int
        Indices of the frames, ascending.
    """
    if frames <= number:
        return list(range(frames))
    if not spread:
        return list(range(number))
    return [int(k) for k in np.unique(np.linspace(0, frames - 1, number).round())]
