"""The frames on one pixel: what became of each one's light, and of those that are not in the mosaic at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s
from zemosaic.calibration.obstructions import blocks_at
from zemosaic.coadd.trail_mask import on_trails
from zemosaic.errors import Message
from zemosaic.model import CalibratedFrame, Trail
from zemosaic.provenance.pixel_story import FrameHere, PixelState
from zemosaic.provenance.restack import REFUSED, Patch
from zemosaic.resampling.warp import BORDER
from zemosaic.stacking.rules import Combine, StackRules
from zemosaic.wcs import tangent_plane

__all__ = ["PixelOf", "frames_here", "frames_left_out"]

Entry = Mapping[str, Any]
"""A frame's entry in ``run_report.json``."""

NO_LIMIT = 1e30
"""Limits further from zero than this are none."""


@dataclass(frozen=True)
class PixelOf:
    """A pixel of a plane that was stacked again, and its part in the mosaic."""

    patch: Patch
    row: int
    column: int
    ra_deg: float
    dec_deg: float
    rules: StackRules
    in_mosaic: Callable[[Float32s], Float32s]
    """Turns values of the plane, shape (channels,), into numbers of the mosaic."""
    share: float = 1.0
    """Part of the mosaic's pixel that comes from this plane."""
    master: int | None = None


def frames_here(pixel: PixelOf, entries: Mapping[str, Entry], defects: Callable[[int], Set[int]]) -> list[FrameHere]:
    """Return the frames of a tile that cover a pixel, in their order.

    Parameters
    ----------
    pixel : PixelOf
    entries : mapping
        What the report says of the frames, by path.
    defects : callable
        Returns the flat indices of the defects of a frame, by frame_id.
    """
    patch, index = pixel.patch, pixel.patch.index(pixel.row, pixel.column)
    places = {k: n for n, k in enumerate(patch.present)}
    entries_here = []
    for k, frame in enumerate(patch.frames):
        x, y = (float(v) for v in frame.wcs.sky_to_pixel(pixel.ra_deg, pixel.dec_deg))
        if not _on(frame, x, y):
            continue
        sample = patch.samples[places[k], :, index] if k in places else None
        state = _state(patch, frame, sample, index, x, y)
        values: dict[str, Any] = {}
        if sample is not None and np.isfinite(sample).all():
            values["value"] = tuple(float(v) for v in pixel.in_mosaic(sample))
            values["sigmas"] = _sigmas(sample, patch.low[:, index], patch.high[:, index], pixel.rules)
        if state is PixelState.USED:
            values["share"] = pixel.share * _share(pixel, float(patch.weights[places[k], index]), index)
        entry = entries.get(frame.frame.path, {})
        entries_here.append(
            FrameHere(
                path=frame.frame.path,
                state=state,
                date_obs=entry.get("date_obs") or "",
                x_px=x,
                y_px=y,
                interpolated=_near_defect(frame, x, y, defects(frame.frame.frame_id)),
                trail=_on_trail(entry, x, y),
                master=pixel.master,
                reason=patch.failed.get(frame.frame.frame_id) if state is PixelState.UNREADABLE else None,
                **values,
            )
        )
    return entries_here


def _share(pixel: PixelOf, weight: float, index: int) -> float:
    """Return the part of a stacked pixel that a sample of some weight has; to a median all are equal."""
    result = pixel.patch.result
    if pixel.rules.combine is Combine.MEDIAN:
        return 1.0 / max(int(result.kept[index]), 1)
    return weight / float(result.weight[index]) if result.weight[index] > 0 else 0.0


def frames_left_out(entries: Iterable[Entry], known: Set[str], ra_deg: float, dec_deg: float) -> Iterator[FrameHere]:
    """Yield the frames that cover a place on the sky and are in no mosaic, as far as their places are known.

    Parameters
    ----------
    entries : iterable of Entry
        Frames of the report.
    known : set of str
        Paths of the frames that are told already.
    ra_deg, dec_deg : float
        The place.
    """
    for entry in entries:
        corners = entry.get("corners_ra_deg") or (), entry.get("corners_dec_deg") or ()
        if entry["status"] == "used" or entry["path"] in known or len(corners[0]) != 4:
            continue
        if _inside(*tangent_plane(*corners, ra_deg, dec_deg)):
            stored_reason = entry.get("reason")
            reason = Message(stored_reason["key"], stored_reason["params"]) if stored_reason else None
            yield FrameHere(entry["path"], PixelState.LEFT_OUT, entry.get("date_obs") or "", reason=reason)


def _on(frame: CalibratedFrame, x: float, y: float) -> bool:
    return -0.5 <= x < frame.frame.width - 0.5 and -0.5 <= y < frame.frame.height - 0.5


def _state(patch: Patch, frame: CalibratedFrame, sample: Float32s | None, index: int, x: float, y: float) -> PixelState:
    failed = patch.failed.get(frame.frame.frame_id)
    if failed is not None and failed != REFUSED:
        return PixelState.UNREADABLE
    if sample is not None and np.isfinite(sample).all():
        over, under = sample - patch.high[:, index], patch.low[:, index] - sample
        if max(over.max(), under.max()) <= 0:
            return PixelState.USED
        return PixelState.HIGH if over.max() >= under.max() else PixelState.LOW
    if _hidden(frame, x, y):
        return PixelState.HIDDEN
    edge = min(x, y, frame.frame.width - 1 - x, frame.frame.height - 1 - y)
    if edge < BORDER:
        return PixelState.EDGE
    if failed is None and on_trails(frame.solved.measured.trails, np.array([x]), np.array([y])).any():
        return PixelState.HIGH  # kept out as a trail of its own (`zemosaic.coadd.trail_mask`)
    return PixelState.EMPTY if failed is None else PixelState.TILE


def _sigmas(sample: Float32s, low: Float32s, high: Float32s, rules: StackRules) -> tuple[float, ...]:
    """Return how far a sample is from the middle between the limits, in units in which these are the kappas.

    Two samples have an upper limit alone, one has none: where a limit is missing nothing is said.
    """
    known = (low > -NO_LIMIT) & (high < NO_LIMIT)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        unit = (high - low) / np.float32(rules.kappa_low + rules.kappa_high)
        middle = low + np.float32(rules.kappa_low) * unit
        sigmas = np.where(known & (unit > 0), (sample - middle) / unit, np.nan)
    return tuple(float(v) for v in sigmas)


def _hidden(frame: CalibratedFrame, x: float, y: float) -> bool:
    """Whether a hidden block lies within the reach of the interpolation."""
    if not frame.obstructed:
        return False
    reach = np.array([-BORDER, 0.0, BORDER])
    dx, dy = (part.ravel() for part in np.meshgrid(reach, reach))
    return bool(np.isin(blocks_at(frame.frame, x + dx, y + dy), frame.obstructed).any())


def _near_defect(frame: CalibratedFrame, x: float, y: float, defects: Set[int]) -> bool:
    """Whether one of the nine detector pixels round a place is a defect."""
    width, height = frame.frame.width, frame.frame.height
    rows, columns = (range(max(0, round(at) - 1), min(size, round(at) + 2)) for at, size in ((y, height), (x, width)))
    return any(row * width + column in defects for row in rows for column in columns)


def _on_trail(entry: Entry, x: float, y: float) -> bool:
    trails = (entry.get("metrics") or {}).get("trails") or ()
    return any(bool(Trail(**trail).reaches(np.array(x), np.array(y))) for trail in trails)


def _inside(x: Sequence[float] | NDArray[np.float64], y: Sequence[float] | NDArray[np.float64]) -> bool:
    """Whether the origin lies in a convex quadrilateral."""
    px, py = np.asarray(x, float), np.asarray(y, float)
    if not (np.isfinite(px).all() and np.isfinite(py).all()):
        return False
    cross = px * np.roll(py, -1) - py * np.roll(px, -1)
    return bool((cross > 0).all() or (cross < 0).all())
