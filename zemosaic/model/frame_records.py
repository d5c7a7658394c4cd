"""The records that cross the phases: frozen, units in the names, pixels behind handles.

`FrameRef` -> `MeasuredFrame` -> `SolvedFrame` -> `CalibratedFrame` -> `TileSpec` -> `TileProduct`
-> `MosaicProduct`.  A frame that falls out on the way is a value, `Dropped`, never an exception.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s, Float64s
from zemosaic.errors import Message
from zemosaic.wcs import FrameWcs

__all__ = [
    "N_HIGHER_ORDER_TERMS",
    "OBSTRUCTION_BLOCK_PX",
    "UNCHECKED_PLACE",
    "CalibratedFrame",
    "CameraKey",
    "Dropped",
    "EdgeOffsets",
    "FieldStars",
    "FileIdentity",
    "FrameRef",
    "FrameStatus",
    "MeasuredFrame",
    "SiteLevels",
    "Solution",
    "SolvedFrame",
    "StarList",
    "Trail",
    "detector_coordinates",
    "sky_level",
    "sky_terms",
]

OBSTRUCTION_BLOCK_PX = 64
"""Side of the blocks in which parts of frames are left out."""


class FrameStatus(StrEnum):
    """What became of a frame, as `run_report.json` says it."""

    USED = "used"
    REJECTED = "rejected"
    UNSOLVED = "unsolved"
    UNREADABLE = "unreadable"


class FileIdentity(NamedTuple):
    """The file of a frame, what its pixels mean, and the group that it is in by hand."""

    path: str
    size_bytes: int
    mtime_ns: int
    hdu: int
    bayer: str | None
    planes: int
    group_name: str
    number_scale: float
    number_zero: float


class CameraKey(NamedTuple):
    """What the frames of one camera have in common.

    Smart telescopes of one make name the same camera; the name of the telescope tells them apart.  A group by hand
    stands for itself.  Another filter has dust, light and colours of its own.
    """

    instrument: str
    telescope: str
    width: int
    height: int
    planes: int
    bayer: str | None
    gain: float | None
    exposure_s: float | None
    binning: int
    group_name: str
    filter_name: str


@dataclass(frozen=True)
class FrameRef:
    """One file as its header describes it; no pixel has been read."""

    frame_id: int
    """Position in the sorted list of the run's files."""
    path: str
    """Absolute path."""
    size_bytes: int
    mtime_ns: int
    hdu: int
    """Index of the HDU that holds the pixels."""
    width: int
    """Columns."""
    height: int
    """Rows, in the order they are stored."""
    planes: int
    """1 (raw Bayer or mono) or 3 (colour)."""
    colour_axis: int | None
    """Where the 3 planes lie in the array as read: 0 (planes first), 2 (last), None."""
    bayer: str | None
    """Colours of the top left 2 x 2 pixels, rows in stored order (``"GRBG"``); None if not raw Bayer."""
    compressed: bool
    """Whether pixel windows need the whole file decoded first."""
    exposure_s: float | None
    date_obs: str | None
    """Start of the exposure, ISO 8601, UTC where the header says so."""
    instrument: str
    telescope: str
    filter_name: str
    object_name: str
    gain: float | None
    """Gain setting as the camera counts it."""
    temperature_c: float | None
    binning: int
    ra_deg: float | None
    """Pointing hint, None where the header has none."""
    dec_deg: float | None
    scale_arcsec: float | None
    """Plate scale from the optics or a scale card; None where the header does not tell."""
    header_wcs: FrameWcs | None
    """WCS found in the header, not yet verified."""
    is_seestar: bool = False
    group_name: str = ""
    """Of the group that the user put it into by hand; empty where the program groups it."""
    notes: tuple[Message, ...] = ()
    """What the header lacks or contradicts, for the report."""
    number_scale: float = 1.0
    """What the numbers of the file are multiplied with to be on the scale of the camera's other frames."""
    number_zero: float = 0.0
    """What is added then: 32768 where the card BZERO is missing."""

    @property
    def identity(self) -> FileIdentity:
        """What tells whether a frame is still the same one."""
        return FileIdentity(*(getattr(self, name) for name in FileIdentity._fields))

    @property
    def camera_key(self) -> CameraKey:
        """Frames with equal keys share a camera: its defects, bias and optics."""
        return CameraKey(*(getattr(self, name) for name in CameraKey._fields))


@dataclass(frozen=True)
class StarList:
    """Detected stars of one frame, brightest first; all arrays have shape (n,) unless said."""

    x_px: Float64s
    y_px: Float64s
    flux_adu: Float32s
    """Sky-subtracted aperture flux, shape (n, channels)."""
    flux_error_adu: Float32s
    """Its standard error, shape (n, channels)."""
    fwhm_px: Float32s
    saturated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x_px)


@dataclass(frozen=True)
class Trail:
    """A straight trail of a satellite or plane across a frame."""

    x_px: float
    """Its middle."""
    y_px: float
    angle_deg: float
    """From +x towards +y, in [0, 180)."""
    length_px: float
    width_px: float
    """Full width at half maximum."""
    peak_adu: float
    """Brightness of its ridge above the sky, green where there is colour."""

    def reaches(self, x_px: Float64s, y_px: Float64s, beside_px: float = 3.0) -> NDArray[np.bool_]:
        """Return which positions lie on the trail or so near that it changes the light of a star there.

        Parameters
        ----------
        x_px, y_px : ndarray, shape (n,)
        beside_px : float
            Distance from the trail's flank, and from its ends, that counts as near.
        """
        angle = math.radians(self.angle_deg)
        dx, dy = x_px - self.x_px, y_px - self.y_px
        across = np.abs(dx * math.sin(angle) - dy * math.cos(angle))
        along = np.abs(dx * math.cos(angle) + dy * math.sin(angle))
        return (across < 2.0 * self.width_px + beside_px) & (along < 0.5 * self.length_px + beside_px)


@dataclass(frozen=True)
class SiteLevels:
    """What the four pixels of the blocks of 2 x 2 of a raw Bayer frame have, in the order of its pattern."""

    sky_adu: tuple[float, ...]
    """Median level."""
    error_adu: float
    """Standard error of a difference of two of these levels."""
    star_shares: tuple[float, ...]
    """Median share of each in the light of blocks on stars, times the number of such blocks; 0 where they are few."""


@dataclass(frozen=True)
class MeasuredFrame:
    """What one pass over a frame's pixels told; lengths are those of the `FrameRef`."""

    frame: FrameRef
    stars: StarList
    sky_adu: tuple[float, ...]
    """Median sky per channel."""
    noise_adu: tuple[float, ...]
    """Standard deviation of one raw pixel of that channel on the sky."""
    fwhm_px: float
    """Median of the stars; NaN where there are too few."""
    eccentricity: float
    """Median of the stars, 0 (round) to 1; NaN where there are too few."""
    position_angle_deg: float
    """Direction of the long axis, counter-clockwise from +x."""
    sharpness: float = math.nan
    """Part of a typical star's light that falls on its brightest pixel; NaN where there are too few stars."""
    gradient_adu: float = 0.0
    """Difference of the sky between its brightest and darkest corner of the plane that fits it best."""
    snr: float = math.nan
    """Flux over its error, median of the frame's 50 brightest stars; NaN where there are none."""
    trails: tuple[Trail, ...] = ()
    """Brightest first."""
    sites: SiteLevels | None = None
    """Of a raw Bayer frame with enough numbers."""
    more_stars: int = 0
    """So many were found besides `stars`, which are the brightest."""

    @property
    def star_count(self) -> int:
        return len(self.stars) + self.more_stars


UNCHECKED_PLACE = "header_unchecked"
"""`Solution.how` of a WCS of the header that the catalogue has too few stars to check."""


@dataclass(frozen=True)
class Solution:
    """An absolute solution of one frame and how it was got."""

    wcs: FrameWcs
    how: str
    """``header``, ``astap``, ``embedded``, ``blind``, ``propagated`` or `UNCHECKED_PLACE`."""
    n_matched: int
    rms_arcsec: float


@dataclass(frozen=True)
class SolvedFrame:
    """A measured frame and its place on the sky."""

    measured: MeasuredFrame
    solution: Solution

    @property
    def frame(self) -> FrameRef:
        return self.measured.frame

    @property
    def wcs(self) -> FrameWcs:
        return self.solution.wcs


@dataclass(frozen=True)
class FieldStars:
    """The stars of the run itself, merged over all frames; first axis: stars."""

    ra_deg: Float64s
    dec_deg: Float64s
    flux: Float64s
    """In mosaic units, shape (n, channels)."""
    fwhm_px: float
    """Width of a typical frame's stars."""
    fwhm_arcsec: float
    seeing: tuple[float, float] = (1.0, 1.0)
    """Width of the stars of the sharpest and of the softest frame over the typical one."""


@dataclass(frozen=True)
class EdgeOffsets:
    """What a frame differs from the others along its four edges, in noise of one of its pixels.

    Edges in the order of `FrameWcs.corners`, each with one number per channel; NaN where no other frame is.
    """

    before: tuple[tuple[float, ...], ...]
    """Each frame less its own median sky."""
    after: tuple[tuple[float, ...], ...]
    """Calibrated."""


N_HIGHER_ORDER_TERMS = 11


def detector_coordinates(x: Any, y: Any, width: int, height: int) -> tuple[Any, Any]:
    """Return (u, v): position from the centre in units of the frame's height.

    Parameters
    ----------
    x, y : float or array
        Columns and rows on the detector, in pixels.
    width, height : int
    """
    return (x - 0.5 * width) / height, (y - 0.5 * height) / height


def sky_terms(u: Any, v: Any) -> tuple[Any, ...]:
    """Return the background terms at detector coordinates: 1, u, v and `N_HIGHER_ORDER_TERMS` of order 2 to 4.

    The term r**2 is left to the illumination.

    Parameters
    ----------
    u, v : float or array
        See `CalibratedFrame`.
    """
    uu, vv = u * u, v * v
    square = (uu - vv, 2.0 * u * v)
    cube = (uu * u, uu * v, u * vv, vv * v)
    return (1.0, u, v, *square, *cube, uu * uu, uu * u * v, uu * vv, u * v * vv, vv * vv)


def sky_level(sky_adu: Sequence[float], u: Any, v: Any) -> Any:
    """Return the sky of one channel of a `CalibratedFrame` at detector coordinates.

    Parameters
    ----------
    sky_adu : sequence of float
        Coefficients of `sky_terms`, which may be fewer than these.
    u, v : float or array
    """
    return sum(part * term for part, term in zip(sky_adu, sky_terms(u, v), strict=False))


@dataclass(frozen=True)
class CalibratedFrame:
    """A solved frame with all that turns its raw numbers into mosaic units.

    For channel c at `detector_coordinates` u and v:

    ``mosaic = ((raw - bias - level_jump) / illumination(u, v) - sky[c] . sky_terms(u, v)) / transparency[c]``
    """

    solved: SolvedFrame
    transparency: tuple[float, ...]
    """Light passed per channel relative to the set's median frame."""
    sky_adu: tuple[tuple[float, ...], ...]
    """Per channel: level and slopes along u and v of the sky, and as many more of `sky_terms` as are known."""
    bias_adu: float
    """Level without light, shared by the camera's frames."""
    illumination: tuple[float, ...]
    """Coefficients of r**2, r**4 ... of the relative illumination, 1 at the centre."""
    noise: tuple[float, ...]
    """Noise of one pixel per channel in mosaic units."""
    weight: float
    """Weight in every tile, relative to the best frame."""
    obstructed: tuple[int, ...] = ()
    """Obstructed blocks of `OBSTRUCTION_BLOCK_PX`, counted along the rows; their pixels are excluded."""
    edge_offsets: EdgeOffsets | None = None
    """None where nothing was solved jointly."""
    level_jump_adu: float = 0.0
    """By how much this frame's level without light exceeds `bias_adu`."""

    @property
    def frame(self) -> FrameRef:
        return self.solved.frame

    @property
    def wcs(self) -> FrameWcs:
        return self.solved.wcs


@dataclass(frozen=True)
class Dropped:
    """A frame that is not in the mosaic, and why."""

    path: str
    frame_id: int | None
    """None for files that were no frames."""
    phase: str
    status: FrameStatus
    reason: Message = field(default_factory=lambda: Message("reason.unknown"))
    by_hand: bool = False
    """Whether its user left it out."""
