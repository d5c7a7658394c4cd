"""What is told of one pixel of a mosaic: records that any front end can take, light to import."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zemosaic.errors import Message

__all__ = ["FrameHere", "PixelState", "PixelStory", "Place"]


class PixelState(StrEnum):
    """What became of one frame's light in one pixel."""

    USED = "used"
    HIGH = "rejected_high"
    """Brighter than the other frames allow."""
    LOW = "rejected_low"
    HIDDEN = "hidden"
    """A roof, a tree or a cloud stands there."""
    EDGE = "edge"
    """So near to the frame's edge that nothing can be interpolated."""
    EMPTY = "empty"
    """The frame's pixels hold no numbers there."""
    TILE = "refused_by_tile"
    """This tile took nothing of the frame."""
    UNREADABLE = "unreadable"
    """The file is gone or changed since the run."""
    LEFT_OUT = "left_out"
    """The frame covers the pixel and is not in the mosaic at all."""


@dataclass(frozen=True)
class Place:
    """Where on a mosaic."""

    x: float
    """Column, counted from 0 at the middle of the first pixel; on the sky right ascension in degrees."""
    y: float
    """Row from the bottom; on the sky declination in degrees."""
    on_sky: bool = False


@dataclass(frozen=True)
class FrameHere:
    """One frame in one pixel."""

    path: str
    state: PixelState
    date_obs: str = ""
    x_px: float | None = None
    """Place on the frame's detector, counted from 0; None where the frame is not in the run's record."""
    y_px: float | None = None
    value: tuple[float, ...] = ()
    """Per channel, in the numbers of the mosaic."""
    sigmas: tuple[float, ...] = ()
    """Per channel, how far from the middle of what stays, in units that make the limits the settings' kappas; NaN
    where too few frames meet for a limit."""
    share: float = 0.0
    """Part of the pixel's weight."""
    interpolated: bool = False
    """Whether a defect of the sensor lies there; it was replaced by its neighbours before anything else."""
    trail: bool = False
    """Whether the trail of a satellite or plane that was measured on the frame runs there."""
    master: int | None = None
    """Number of the master tile, from 1; None in Grid mode."""
    reason: Message | None = None
    """Why the frame was left out or could not be read."""


@dataclass(frozen=True)
class PixelStory:
    """How one pixel of a mosaic came about."""

    mosaic: str
    """Name of the file."""
    column: int
    """Of the file's pixels, counted from 0."""
    row: int
    """From the bottom, counted from 0."""
    ra_deg: float
    dec_deg: float
    value: tuple[float, ...]
    """Made again from the frames, per channel; NaN where none has light."""
    stored: tuple[float, ...]
    """In the file."""
    kappa_low: float
    kappa_high: float
    rejection: str
    """Name of the algorithm as the settings have it."""
    combine: str
    frames: tuple[FrameHere, ...] = ()
    """Those with light on the pixel in the order of the run, then those left out."""
    drizzled: bool = False
    """Whether the value comes from drops of raw pixels, and values and shares of frames from the samples that judge
    them."""
    placeless: int = 0
    """Frames of the run that were never located, so that nobody knows whether they cover the pixel."""
    folder: str = ""
    """The folder that holds all frames of the run; empty where there is none."""
    told: tuple[Message, ...] = ()
    """What is to be known beside."""

    def number(self, *states: PixelState) -> int:
        """Return how many frames are in some states."""
        return sum(frame.state in states for frame in self.frames)
