"""What a run leaves of itself so that any pixel of its mosaics can be made again: numbers and names, as one text.

The text is a compressed archive of arrays in base64; it stands in ``run_report.json``.  Nothing in it could run.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.model import (
    CalibratedFrame,
    FieldStars,
    FrameRef,
    GridPlan,
    MeasuredFrame,
    Solution,
    SolvedFrame,
    StarList,
    TileProduct,
)
from zemosaic.store.codec import Tree, from_plain, pack, to_plain, unpack
from zemosaic.store.columns import as_columns, compacted, expanded, row_of

__all__ = [
    "CameraRecord",
    "FrameColumns",
    "MasterRecord",
    "MosaicRecord",
    "Stacked",
    "records_from_text",
    "records_to_text",
]

FORMAT = 3

_NO_STARS = StarList(
    np.empty(0), np.empty(0), *(np.empty((0, 1), np.float32),) * 2, np.empty(0, np.float32), np.empty(0, np.bool_)
)
_LEFT_OUT: Mapping[type, Mapping[str, Any]] = {
    FrameRef: {
        "exposure_s": None, "date_obs": None, "instrument": "", "telescope": "", "filter_name": "", "object_name": "",
        "gain": None, "temperature_c": None, "binning": 1, "ra_deg": None, "dec_deg": None, "scale_arcsec": None,
        "header_wcs": None, "is_seestar": False, "group_name": "", "notes": (),
    },
    MeasuredFrame: {
        "stars": _NO_STARS, "sky_adu": (), "noise_adu": (), "fwhm_px": np.nan, "eccentricity": np.nan,
        "position_angle_deg": 0.0, "sharpness": np.nan, "gradient_adu": 0.0, "snr": np.nan, "more_stars": 0,
    },
    Solution: {"how": "recorded", "n_matched": 0, "rms_arcsec": np.nan},
    CalibratedFrame: {"edge_offsets": None},
}  # fmt: skip
"""What stacking does not look at, and what stands for it; every other field of a frame is recorded."""
_PLACES = {
    FrameRef: "solved.measured.frame.",
    MeasuredFrame: "solved.measured.",
    Solution: "solved.solution.",
    CalibratedFrame: "",
}
_WITHOUT = tuple(_PLACES[kind] + name for kind, names in _LEFT_OUT.items() for name in names)


@dataclass(frozen=True)
class CameraRecord:
    """What is mended in the frames of one camera."""

    defects: NDArray[np.int64]
    """Flat pixel indices."""
    fingerprint: str
    """Of the defects, the master dark, bias and flat, and the fixed pattern."""
    pattern: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    """The camera's fixed pattern as bytes of the codec; empty where there is none."""


@dataclass(frozen=True)
class Stacked:
    """A plane on which frames were stacked, tile by tile."""

    plan: GridPlan
    products: tuple[TileProduct, ...]


@dataclass(frozen=True)
class MasterRecord:
    """A master tile and how it went into the mosaic."""

    stacked: Stacked
    box: Box
    """The part of its plane that counts."""
    valid: NDArray[np.bool_]
    """Pixels of that part that have light."""
    gain: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class FrameColumns:
    """Calibrated frames as columns; one of them becomes a `CalibratedFrame` when it is asked for."""

    columns: Tree
    """See `zemosaic.store.columns`."""
    cameras: NDArray[np.int32]
    """Number of each frame's camera."""

    @classmethod
    def of(cls, frames: Sequence[CalibratedFrame], cameras: Sequence[int]) -> FrameColumns:
        """Return the columns of frames, and of the number of each one's camera.

        Parameters
        ----------
        frames : sequence of CalibratedFrame
        cameras : sequence of int
            Number of each frame's camera.

        Returns
        -------
        FrameColumns
        """
        return cls(as_columns([to_plain(frame, _WITHOUT) for frame in frames]), np.array(cameras, np.int32))

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {frame_id: row for row, frame_id in enumerate(self._of_refs("frame_id"))}

    @cached_property
    def _paths(self) -> list[str]:
        return self._of_refs("path")

    def _of_refs(self, name: str) -> list[Any]:
        """Return a field of all frames' `FrameRef`."""
        if not len(self.cameras):
            return []
        column = self.columns
        for step in ("solved", "measured", "frame", name):
            column = column["fields"][step]
        return [row_of(column, row) for row in range(len(self.cameras))]

    def __len__(self) -> int:
        return len(self.cameras)

    def __contains__(self, frame_id: int) -> bool:
        return frame_id in self._rows

    @property
    def ids(self) -> tuple[int, ...]:
        """All frame_ids in their order."""
        return tuple(self._rows)

    def path(self, frame_id: int) -> str:
        """Return where a frame's file lay."""
        return self._paths[self._rows[frame_id]]

    def camera(self, frame_id: int) -> int:
        """Return the number of a frame's camera."""
        return int(self.cameras[self._rows[frame_id]])

    def frame(self, frame_id: int) -> CalibratedFrame:
        """Return a frame with all that stacking looks at; its stars and what its header tells are left out."""
        values = row_of(self.columns, self._rows[frame_id])
        solved = values["solved"]
        ref = from_plain(FrameRef, solved["measured"].pop("frame"), **_LEFT_OUT[FrameRef])
        measured = from_plain(MeasuredFrame, solved["measured"], frame=ref, **_LEFT_OUT[MeasuredFrame])
        solution = from_plain(Solution, solved["solution"], **_LEFT_OUT[Solution])
        whole = from_plain(SolvedFrame, values.pop("solved"), measured=measured, solution=solution)
        return from_plain(CalibratedFrame, values, solved=whole, **_LEFT_OUT[CalibratedFrame])


@dataclass(frozen=True)
class MosaicRecord:
    """One mosaic: everything but the frames' pixels."""

    mosaic: str
    """Name of its file."""
    canvas: GridPlan
    """Its plane, without tiles."""
    box: Box
    """The part of the canvas that the file holds."""
    level: tuple[float, ...]
    """Sky level that was added to each channel."""
    frames: FrameColumns
    cameras: tuple[CameraRecord, ...]
    stars: FieldStars
    tiles: Stacked | None = None
    """Of Grid mode."""
    masters: tuple[MasterRecord, ...] = ()
    """Of Classic mode."""


def records_to_text(records: Iterable[MosaicRecord]) -> str:
    """Return the records of a run as text."""
    values = {"format": FORMAT, "mosaics": [compacted(to_plain(record)) for record in records]}
    return base64.b64encode(pack(values, compressed=True)).decode("ascii")


def records_from_text(text: str) -> list[MosaicRecord]:
    """Return what `records_to_text` wrote; raises ValueError for anything else."""
    try:
        values = unpack(base64.b64decode(text, validate=True))
        if values["format"] != FORMAT:
            raise ValueError(f"format {values['format']}")
        return [from_plain(MosaicRecord, expanded(record)) for record in values["mosaics"]]
    except (KeyError, TypeError, IndexError, EOFError, binascii.Error, zlib.error) as fault:
        raise ValueError(str(fault)) from fault
