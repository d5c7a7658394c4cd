"""What one run did, frame by frame: the record behind `run_report.json` and the HTML page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zemosaic.calibration.frame_weights import WeightPrice
from zemosaic.errors import Message
from zemosaic.model import (
    CalibratedFrame,
    CombinedProduct,
    Dropped,
    EdgeOffsets,
    FrameRef,
    FrameStatus,
    GridPlan,
    LineProduct,
    MeasuredFrame,
    MosaicProduct,
    SolvedFrame,
    TileProduct,
    Trail,
)
from zemosaic.qa.noise_against_depth import DepthNoise
from zemosaic.qa.residual_background import ResidualBackground
from zemosaic.qa.seam_summary import SeamSummary
from zemosaic.qa.seams import SeamReport
from zemosaic.stars.shallow_parts import ShallowPart
from zemosaic.stars.white import White
from zemosaic.stars.zero_point import MosaicDepth, ZeroPoint
from zemosaic.wcs import FrameWcs

__all__ = [
    "FieldReport",
    "FieldSummary",
    "FrameMetrics",
    "FrameRow",
    "PhaseTime",
    "RunRecords",
    "RunReport",
    "StarLight",
    "TileRow",
]


@dataclass(frozen=True)
class PhaseTime:
    """What a phase took; CPU seconds are summed over all processes."""

    phase: str
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class StarLight:
    """What the light of a mosaic tells; each None where it does not."""

    white: White | None = None
    zero: ZeroPoint | None = None
    depth: MosaicDepth | None = None
    shallow: tuple[ShallowPart, ...] = ()
    """Where more frames would help most."""
    residual: ResidualBackground | None = None
    """The background that was taken off the pictures; None where none was."""


@dataclass(frozen=True)
class FieldSummary:
    """What became of one field."""

    plan: GridPlan
    tiles: Sequence[TileProduct] = ()
    mosaic: MosaicProduct | None = None
    light: StarLight | None = None


@dataclass(frozen=True)
class RunRecords:
    """All that a run knows at its end; a frame has as many records as the phases it passed."""

    frames: Sequence[FrameRef]
    measured: Sequence[MeasuredFrame] = ()
    solved: Sequence[SolvedFrame] = ()
    calibrated: Sequence[CalibratedFrame] = ()
    dropped: Sequence[Dropped] = ()
    plan: GridPlan | None = None
    tiles: Sequence[TileProduct] = ()
    mosaic: MosaicProduct | None = None
    light: StarLight | None = None
    """What the stars of the main mosaic tell."""
    others: Sequence[FieldSummary] = ()
    """Further fields in the same folder; `plan`, `tiles` and `mosaic` are those of the main one."""
    warnings: Sequence[Message] = ()
    timings: Sequence[PhaseTime] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    """Program, Python and packages."""
    peak_rss_bytes: int = 0
    input_dir: str = ""
    way: Message | None = None
    """Which way led to the mosaic, and why."""
    failure: Message | None = None
    """Why there is no mosaic; None for a run that made one."""
    seams: SeamReport | None = None
    """Steps measured on the mosaic."""
    depth: DepthNoise | None = None
    pixels: str = ""
    """Text from `zemosaic.store.pixel_record`."""
    combined: Sequence[CombinedProduct] = ()
    """Colour pictures made of mosaics of single bands."""
    lines: Sequence[LineProduct] = ()
    """Lines taken out of mosaics behind dual-band filters."""


@dataclass(frozen=True)
class FrameMetrics:
    """Numbers of one frame; None where the phase that finds them was not reached or found nothing."""

    stars: int | None = None
    fwhm_px: float | None = None
    fwhm_arcsec: float | None = None
    eccentricity: float | None = None
    sharpness: float | None = None
    snr: float | None = None
    gradient_adu: float | None = None
    trails: tuple[Trail, ...] = ()
    sky_adu: tuple[float, ...] = ()
    noise_adu: tuple[float, ...] = ()
    transparency: tuple[float, ...] = ()
    how: str = ""
    """How the frame was solved."""
    n_matched: int | None = None
    rms_arcsec: float | None = None
    scale_arcsec: float | None = None
    rotation_deg: float | None = None


@dataclass(frozen=True)
class FrameRow:
    """One file of the input folder and its fate."""

    frame_id: int | None
    path: str
    status: FrameStatus
    phase: str = ""
    """Phase that dropped it; empty for used frames."""
    reason: Message | None = None
    date_obs: str = ""
    exposure_s: float | None = None
    instrument: str = ""
    telescope: str = ""
    filter_name: str = ""
    metrics: FrameMetrics = FrameMetrics()
    weight: float | None = None
    corners_ra_deg: tuple[float, ...] = ()
    corners_dec_deg: tuple[float, ...] = ()
    tiles_used: tuple[int, ...] = ()
    tiles_rejected: tuple[int, ...] = ()
    area_used: float = 1.0
    """Part of the frame that nothing hides."""
    steps: EdgeOffsets | None = None
    notes: tuple[Message, ...] = ()
    group: str = ""
    """Name of the group that the user put it into by hand."""

    @property
    def in_part(self) -> bool:
        """Whether a part of the frame is used and another is not."""
        return self.status is FrameStatus.USED and self.area_used < 1.0


@dataclass(frozen=True)
class TileRow:
    """One tile: boxes are (y0, y1, x0, x1) in canvas pixels, half open."""

    tile_id: int
    inner: tuple[int, int, int, int]
    outer: tuple[int, int, int, int]
    frames_planned: int
    frames_used: int
    rejected_fraction: float
    mode: str
    empty: bool
    group: str = ""
    """Name of the group by hand that all its frames are of."""


@dataclass(frozen=True)
class FieldReport:
    """One field of several."""

    name: str
    tiles: tuple[TileRow, ...]
    mosaic: MosaicProduct | None
    wcs: FrameWcs
    frames_used: int
    light: StarLight | None = None


@dataclass(frozen=True)
class RunReport:
    """A run in numbers."""

    frames: tuple[FrameRow, ...]
    """Frames in order of `frame_id`, then the files that were no frames in order of path."""
    tiles: tuple[TileRow, ...]
    mosaic: MosaicProduct | None
    wcs: FrameWcs | None
    field_name: str
    input_dir: str
    way: Message | None
    warnings: tuple[Message, ...]
    timings: tuple[PhaseTime, ...]
    settings: Mapping[str, Any]
    defaults: Mapping[str, Any]
    versions: Mapping[str, str]
    peak_rss_bytes: int
    seams: SeamSummary | None = None
    depth: DepthNoise | None = None
    light: StarLight | None = None
    pixels: str = ""
    others: tuple[FieldReport, ...] = ()
    """Further fields; the rest of this record is about the main one, or about all."""
    given: tuple[Message, ...] = ()
    """What the input folder held, in lines."""
    weights: WeightPrice | None = None
    """What the weights of the frames cost and gain; None without calibrated frames."""
    combined: tuple[CombinedProduct, ...] = ()
    """Colour pictures made of mosaics of single bands."""
    lines: tuple[LineProduct, ...] = ()
    """Lines taken out of mosaics behind dual-band filters."""
    failure: Message | None = None
    """Why there is no mosaic; None for a run that made one."""

    @property
    def groups(self) -> dict[str, list[FrameRow]]:
        """The frames of each group by hand, by name."""
        members: defaultdict[str, list[FrameRow]] = defaultdict(list)
        for row in self.frames:
            if row.group:
                members[row.group].append(row)
        return dict(sorted(members.items()))

    def having(self, status: FrameStatus) -> list[FrameRow]:
        """Return the frames of one status."""
        return [row for row in self.frames if row.status is status]

    @property
    def used(self) -> list[FrameRow]:
        """Frames whose pixels are in the mosaic."""
        return self.having(FrameStatus.USED)

    @property
    def dropped(self) -> list[FrameRow]:
        """Frames and files that are not in the mosaic."""
        return [row for row in self.frames if row.status is not FrameStatus.USED]
