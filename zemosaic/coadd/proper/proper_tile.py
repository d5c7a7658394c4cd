"""One tile of the proper coadd: the sum of frames that keeps all that they know of the stars.

A mean of frames of different seeing blurs the sharp ones by the others. In Fourier space each frame j with a point
spread function P_j and noise of variance v_j can count at each frequency by what it shows there (Zackay and Ofek 2017,
ApJ 836, 188, equation 7)::

    R = sum(conj(P_j) M_j / v_j) / sqrt(sum(|P_j|**2 / v_j))

The noise of R is white, its point spread function is ``sqrt(sum(|P_j|**2 / v_j))``, and a matched filter on it measures
stars as well as all frames together can. Here it is scaled so that the light of a star and the level of the sky are
those of the mosaic. Where frames begin, end or are masked, a sample's share ``1 / v_j`` of that pixel's sum goes
before its frame is filtered, so that what does not cover a pixel does not enter there and neither light nor sky change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from zemosaic.arrays import Box, Float32s, Float64s
from zemosaic.coadd.proper.transfer import ShapeOnCanvas, transfer_function
from zemosaic.coadd.tile_samples import TileSamples
from zemosaic.coadd.tile_stacker import STAR_SHAPE_TOLERANCE
from zemosaic.coadd.tile_task import TileTask
from zemosaic.errors import Message
from zemosaic.model import TileSpec
from zemosaic.mosaic.star_model import seeing_tolerance
from zemosaic.store.canvas_store import CanvasStore, TilePixels

__all__ = ["MARGIN_PX", "ProperTask", "grown_box", "proper_pixels", "proper_tile"]

MARGIN_PX = 48
"""Pixels round a tile that are transformed with it: what is filtered reaches this far."""
KEPT_FRACTION = 0.5
"""Of a task's memory that the samples of a tile may take to be resampled once only."""
LEAST_TRANSFER = 1e-5
"""Of the root of the mean squared transfer; no frame shows anything at frequencies where it is less."""


@dataclass(frozen=True, kw_only=True)
class ProperTask:
    """All that a worker needs for one tile of the proper coadd."""

    stacking: TileTask
    """The tile's outer box is that of the plan and `MARGIN_PX` more on each side, within the canvas."""
    tile: TileSpec
    """As the plan has it."""
    shapes: tuple[ShapeOnCanvas, ...]
    """Of the stars of each frame."""
    mosaic: CanvasStore
    """The finished mosaic, by which samples are judged."""
    level: tuple[float, ...]
    """Sky level that was added to each channel of it."""


@dataclass
class _Sums:
    """Sums over the frames of a tile."""

    precision: Float64s
    """Of the samples of each pixel, shape (channels, h, w)."""
    light: list[NDArray[np.complex64]] = field(default_factory=list)
    """Transform of the filtered light, per channel."""
    power: list[Float32s] = field(default_factory=list)
    """Mean squared transfer, per channel."""


def grown_box(outer: Box, height: int, width: int) -> Box:
    """Return a tile's box with `MARGIN_PX` more on each side, as far as the canvas reaches.

    Parameters
    ----------
    outer : (y0, y1, x0, x1)
    height, width : int
        Of the canvas.
    """
    y0, y1, x0, x1 = outer
    return max(0, y0 - MARGIN_PX), min(height, y1 + MARGIN_PX), max(0, x0 - MARGIN_PX), min(width, x1 + MARGIN_PX)


def proper_tile(task: ProperTask) -> tuple[tuple[int, Message], ...]:
    """Make one tile and store it; returns the frames that could not be read, with the reasons.

    Parameters
    ----------
    task : ProperTask
    """
    box, outer = task.stacking.tile.outer, task.tile.outer
    y0, y1, x0, x1 = box
    middle = np.array(task.mosaic.canvas("value")[:, y0:y1, x0:x1], np.float32)
    middle -= np.array(task.level, np.float32)[:, None, None]
    samples = TileSamples(task.stacking)
    value, number = proper_pixels(samples, task.shapes, middle)
    rows, columns = slice(outer[0] - y0, outer[1] - y0), slice(outer[2] - x0, outer[3] - x0)
    value, number = value[:, rows, columns], number[rows, columns]
    weight = np.asarray(np.isfinite(value).all(axis=0), np.float32)
    if task.stacking.store is not None:
        pixels = TilePixels(value, weight, number, np.zeros_like(number))
        task.stacking.store.write_tile(task.tile, task.stacking.row, pixels)
    return tuple(sorted(samples.failed.items()))


def proper_pixels(
    samples: TileSamples, shapes: tuple[ShapeOnCanvas, ...], middle: Float32s
) -> tuple[Float32s, NDArray[np.uint16]]:
    """Return the proper coadd of a tile's box and the number of its frames per pixel.

    Parameters
    ----------
    samples : TileSamples
    shapes : tuple of ShapeOnCanvas
        Of the stars of each of its frames.
    middle : ndarray, shape (channels, h, w), float32
        The mosaic there, without the level that it keeps; NaN where no data is.

    Returns
    -------
    value : ndarray, shape (channels, h, w), float32
        NaN where the mosaic holds no data.
    number : ndarray, shape (h, w), uint16
    """
    channels, height, width = middle.shape
    size = tuple(fft.next_fast_len(n + MARGIN_PX, real=True) for n in (height, width))
    covered = np.isfinite(middle).all(axis=0)
    base = np.median(middle[:, covered], axis=1) if covered.any() else np.zeros(channels, np.float32)
    sums, number = _Sums(np.zeros((channels, height, width))), np.zeros((height, width), np.uint16)
    precision = samples.noises.astype(np.float64) ** -2
    passing = _Passing(samples, middle)
    for k, _, valid in passing:
        sums.precision += precision[k][:, None, None] * valid
        number += valid
    transform_size = (size[0], size[1] // 2 + 1)
    for _ in range(channels):
        sums.light.append(np.zeros(transform_size, np.complex64))
        sums.power.append(np.zeros(transform_size, np.float32))
    pixels = max(int((number > 0).sum()), 1)
    with np.errstate(divide="ignore"):
        part = np.where(number > 0, 1.0 / sums.precision, 0.0).astype(np.float32)
    for k, planes, valid in passing:
        transfer = transfer_function(shapes[k], (size[0], size[1])).astype(np.float32)
        square = transfer**2
        for c in range(channels):
            share = np.where(valid, part[c] * np.float32(precision[k, c]), np.float32(0))
            deviation = np.where(valid, planes[c] - base[c], np.float32(0)) * share
            sums.light[c] += transfer * fft.rfft2(deviation, size)
            sums.power[c] += np.float32(share.sum(dtype=np.float64) / pixels) * square
    value = np.empty_like(middle)
    for c in range(channels):
        root = np.sqrt(np.maximum(sums.power[c], LEAST_TRANSFER**2))
        value[c] = base[c] + fft.irfft2(sums.light[c] / root, size)[:height, :width]
    # Where every sample was out, as in cut-off cores, the mosaic's own value stands.
    return np.asarray(np.where(number > 0, value, middle), np.float32), number


class _Passing:
    """The frames of a tile, judged, as often as they are asked for: from memory if they fit, else resampled again."""

    def __init__(self, samples: TileSamples, middle: Float32s) -> None:
        self._samples, self._middle = samples, middle
        bytes_of_all = len(samples.task.frames) * (middle.nbytes + middle[0].size)
        self._keeps = bytes_of_all <= samples.task.task_bytes * KEPT_FRACTION
        self._kept: list[tuple[int, Float32s, NDArray[np.bool_]]] = []

    def __iter__(self) -> Iterator[tuple[int, Float32s, NDArray[np.bool_]]]:
        """Yield what `_judged` does."""
        if self._kept:
            yield from self._kept
            return
        for k, planes, valid in _judged(self._samples, self._middle):
            if self._keeps:
                self._kept.append((k, planes.copy(), valid))
            yield k, planes, valid


def _judged(samples: TileSamples, middle: Float32s) -> Iterator[tuple[int, Float32s, NDArray[np.bool_]]]:
    """Yield the frames of a tile, their planes, and where these agree with the mosaic in all channels.

    A sample's limits are the task's kappas times the noise of the frame, which grows with the light, and on stars what
    seeing makes of their light.

    Parameters
    ----------
    samples : TileSamples
    middle : ndarray, shape (channels, h, w), float32

    Yields
    ------
    k : int
    planes : ndarray, shape (channels, h, w), float32
    valid : ndarray of bool, shape (h, w)
    """
    task, box = samples.task, samples.task.tile.outer
    rules = task.rules
    seeing = 1.0 / min(rules.kappa_low, rules.kappa_high)
    tolerance = seeing_tolerance(task.stars, box, task.channels, STAR_SHAPE_TOLERANCE, seeing)
    for k, all_planes in samples.passing(box, range(len(task.frames))):
        planes, frame = all_planes[: task.channels], task.frames[k]
        valid: NDArray[np.bool_] = np.asarray(np.isfinite(planes).all(axis=0) & np.isfinite(middle).all(axis=0))
        for c, plane in enumerate(planes):
            own = min(c, len(frame.transparency) - 1)
            sky = frame.sky_adu[own][0] / max(frame.transparency[own], 1e-6)
            photons = np.sqrt(1.0 + np.maximum(middle[c], 0.0) / sky) if sky > 0 else np.float32(1.0)
            spread = samples.noises[k, c] * photons + tolerance[c]
            above = plane - middle[c]
            valid &= (above <= rules.kappa_high * spread) & (above >= -rules.kappa_low * spread)
        yield k, planes, valid
