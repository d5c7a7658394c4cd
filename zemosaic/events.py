"""What the worker tells: one closed union of frozen records.

The same stream feeds the windows, ``--log-json``, the log file, the ETA and the tests.
Keys and parameters travel, never sentences.  Only `PhaseAdvanced` and `ResourceSample` may be
coalesced on the way; everything else arrives, in order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from zemosaic.errors import Message

__all__ = [
    "PHASES",
    "PREPARATIONS",
    "Event",
    "FrameDropped",
    "FrameMeasured",
    "FrameSolved",
    "FramesFound",
    "Logged",
    "PhaseAdvanced",
    "PhaseFinished",
    "PhaseStarted",
    "PlanReady",
    "Preparation",
    "PreparationFinished",
    "PreviewReady",
    "ResourceSample",
    "RunCancelled",
    "RunFailed",
    "RunFinished",
    "RunPaused",
    "RunResumed",
    "RunStarted",
    "TileStacked",
    "Warned",
    "Watching",
    "to_dict",
]

PHASES = ("scan", "measure", "solve", "calibrate", "plan", "stack", "assemble", "export")
"""The phases in their order; names of `PhaseStarted.phase`."""

Preparation = Literal["measure", "solve", "plan"]
"""The last phase of a run that only prepares: frames are measured, or also solved, or also judged and the mosaic
planned, and no mosaic is made."""
PREPARATIONS: tuple[Preparation, ...] = get_args(Preparation)


@dataclass(frozen=True)
class RunStarted:
    """The worker is alive."""

    version: str
    input_dir: str
    output_dir: str
    settings_hash: str
    until: Preparation | None = None
    """The last phase where the run only prepares; None for a run to the mosaic."""


@dataclass(frozen=True)
class PhaseStarted:
    """A phase begins; total is its number of steps, None while unknown."""

    phase: str
    total: int | None


@dataclass(frozen=True)
class PhaseAdvanced:
    """Steps done so far in a phase."""

    phase: str
    done: int
    total: int | None


@dataclass(frozen=True)
class PhaseFinished:
    """A phase is over."""

    phase: str
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class FramesFound:
    """The scan's sum."""

    frames: int
    dropped: int
    total_exposure_s: float
    nights: int
    instruments: tuple[str, ...]
    given: tuple[Message, ...] = ()
    """What the folder holds, in a few lines."""


@dataclass(frozen=True)
class FrameMeasured:
    """One frame's first look."""

    frame_id: int
    path: str
    stars: int
    fwhm_px: float
    eccentricity: float
    sky_adu: float
    noise_adu: float
    snr: float = math.nan


@dataclass(frozen=True)
class FrameSolved:
    """One frame's place: outline on the sky, how and how well it was found."""

    frame_id: int
    path: str
    how: str
    n_matched: int
    rms_arcsec: float
    corners_ra_deg: tuple[float, ...]
    corners_dec_deg: tuple[float, ...]


@dataclass(frozen=True)
class FrameDropped:
    """A frame will not be in the mosaic."""

    frame_id: int | None
    path: str
    phase: str
    status: str
    reason: Message
    by_hand: bool = False
    """Whether its user left it out."""


@dataclass(frozen=True)
class PlanReady:
    """What will be made and what it needs, before pixel work starts."""

    width: int
    height: int
    scale_arcsec: float
    tiles: int
    frames: int
    memory_bytes: int
    disk_bytes: int
    estimated_s: float


@dataclass(frozen=True)
class TileStacked:
    """One tile is finished."""

    tile_id: int
    frames: int
    rejected_fraction: float
    mode: str


@dataclass(frozen=True)
class PreviewReady:
    """A picture of the mosaic so far, or of the finished one."""

    path: str
    width: int
    height: int
    final: bool
    quick_frames: int = 0
    """Single frames that are seen where nothing is stacked yet; 0 for stacked pixels alone."""


@dataclass(frozen=True)
class ResourceSample:
    """Load of the worker and its children."""

    rss_bytes: int
    cpu_percent: float
    disk_free_bytes: int
    gpu: str = ""
    """Name of the graphics card; empty where there is none to be asked."""
    gpu_percent: float = 0.0
    gpu_used_bytes: int = 0
    gpu_total_bytes: int = 0


@dataclass(frozen=True)
class Warned:
    """Something the user should know; also every fallback."""

    text: Message


@dataclass(frozen=True)
class Logged:
    """A line for the log."""

    level: str
    """``DEBUG``, ``INFO``, ``WARNING`` or ``ERROR``."""
    text: Message


@dataclass(frozen=True)
class RunPaused:
    """The run holds on the user's word: no new task begins until `RunResumed`."""


@dataclass(frozen=True)
class RunResumed:
    """The run goes on after a pause."""

    paused_s: float
    """Wall seconds the pause took; the times of phases and of the run do not count them."""


@dataclass(frozen=True)
class Watching:
    """How a folder stands to which frames are still being added; a run over what is there may be under way."""

    frames: int
    """Files that are complete."""
    fresh: int
    """Of these, files that no run has looked at yet."""
    unfinished: int
    """Files that are still being written."""
    finishing: bool = False
    """Whether nothing more is waited for but the end of files being written: the mosaic comes next."""


@dataclass(frozen=True)
class RunFinished:
    """The run ended with a mosaic."""

    mosaic: str
    preview: str
    report_html: str
    report_json: str
    frames_used: int
    frames_dropped: int
    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    mosaics: tuple[str, ...] = ()
    """Colour pictures made of several bands, the mosaics of all fields, and planes of lines; `mosaic` and `preview`
    are those of the main field."""


@dataclass(frozen=True)
class PreparationFinished:
    """A run that only prepares ended well; what it learnt is kept for the next run with the same output folder."""

    until: Preparation
    measured: int
    solved: int
    """0 where the run ended with measuring."""
    dropped: int
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class RunCancelled:
    """The user stopped the run; finished work is kept for the next one."""

    output_dir: str


@dataclass(frozen=True)
class RunFailed:
    """The run ended without a mosaic."""

    error: Message
    exit_code: int
    log_path: str


Event = (
    RunStarted
    | PhaseStarted
    | PhaseAdvanced
    | PhaseFinished
    | FramesFound
    | FrameMeasured
    | FrameSolved
    | FrameDropped
    | PlanReady
    | TileStacked
    | PreviewReady
    | ResourceSample
    | Warned
    | Logged
    | RunPaused
    | RunResumed
    | Watching
    | RunFinished
    | PreparationFinished
    | RunCancelled
    | RunFailed
)


def to_dict(event: Event) -> dict[str, Any]:
    """Return an event as plain JSON values; ``event`` holds its name."""
    plain: dict[str, Any] = {"event": type(event).__name__}
    for item in fields(event):
        value = getattr(event, item.name)
        if isinstance(value, Message):
            value = value.to_dict()
        elif isinstance(value, tuple):
            value = [item.to_dict() if isinstance(item, Message) else item for item in value]
        elif isinstance(value, float) and value != value:
            value = None
        plain[item.name] = value
    return plain
