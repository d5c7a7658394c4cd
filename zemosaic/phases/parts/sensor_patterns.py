"""What stands still on each camera's sensor, learnt from a spread of its solved frames and kept for the next run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s, Float64s, green_channel, median
from zemosaic.calibration.background_cells import bare_sky, mask_radius_px
from zemosaic.calibration.detector import calibrated, load_camera, patterned_fingerprint, write_camera
from zemosaic.calibration.sensor.corner_glow import corner_glow
from zemosaic.calibration.sensor.fixed_pattern import BLOCK_PX, NO_PATTERN, FixedPattern, glow_and_shadow
from zemosaic.calibration.sensor.photon_transfer import estimate_bias
from zemosaic.calibration.sensor.pixel_pattern import PixelPattern, PixelPatternSums
from zemosaic.calibration.sensor.smooth_pattern import Look, area_mean, smooth_map
from zemosaic.errors import FrameError, Message, message
from zemosaic.frames.pixels import open_pixels
from zemosaic.model import SolvedFrame
from zemosaic.phases.context import RunContext
from zemosaic.phases.measure import DetectorCalibration, DetectorCalibrations
from zemosaic.phases.parts.calibration_files import Group
from zemosaic.wcs import FrameWcs

__all__ = ["LearntPattern", "block_means", "in_blocks", "learn_pattern", "learn_sensor_patterns"]

MAX_PATTERN_FRAMES = 24
"""Frames looked at per camera."""
MIN_PATTERN_FRAMES = 6
FAR_FWHM = 4.0
"""Between two frames a pixel sees another sky when it moved by so many widths of a star ..."""
MIN_FAR_PX = 12.0
"""... and by so many pixels at least."""
MAX_SKY_BLOCKS = 1_500_000
"""Blocks of the common sky at most; frames far from the others are left out."""
STEPS_PER_SIGMA = 16
"""Steps in which offsets are stored, in the standard deviation of the pattern."""
LATTICE_POINTS = 5
STAR_CELL_PX = 3.0
"""Stars of several frames nearer than this are one."""
MIN_RESPONSE = 0.5
"""Shadows are no deeper."""
MIN_LEARN_AGAIN = 2
"""An earlier pattern holds until so many times as many frames can tell."""


@dataclass(frozen=True)
class LearntPattern:
    """What the frames of a camera told."""

    pattern: FixedPattern
    frames: int
    pixel_adu: float = 0.0
    column_adu: float = 0.0
    row_adu: float = 0.0
    glow_adu: float = 0.0
    """Brightest part of the smooth additive map."""
    shadow: float = 0.0
    """Deepest part of the smooth multiplicative map."""


@dataclass(frozen=True)
class _Task:
    frames: tuple[SolvedFrame, ...]
    camera: Path
    scratch: Path


def learn_sensor_patterns(
    context: RunContext, solved: Sequence[SolvedFrame], defects: DetectorCalibrations
) -> DetectorCalibrations:
    """Return the cameras with what stands still on their sensors; their files in the scratch folder are written anew.

    Parameters
    ----------
    context : RunContext
    solved : sequence of SolvedFrame
    defects : DetectorCalibrations
        As measuring found them.
    """
    members: dict[Group, list[SolvedFrame]] = {}
    for frame in solved:
        members.setdefault(frame.frame.camera_key, []).append(frame)
    tasks: dict[Group, _Task] = {}
    patterns: dict[Group, LearntPattern] = {}
    for group, camera in defects.items():
        chosen = _spread(members.get(group, []))
        earlier = context.previous_run and context.previous_run.pattern(group, camera.fingerprint)
        if earlier and len(chosen) < MIN_LEARN_AGAIN * max(earlier[1], MIN_PATTERN_FRAMES):
            patterns[group] = LearntPattern(*earlier)
        elif len(chosen) >= MIN_PATTERN_FRAMES and chosen[0].frame.planes == 1:
            tasks[group] = _Task(chosen, camera.path, context.scratch)
    for (group, task), learnt in zip(tasks.items(), context.workers.map(learn_pattern, tasks.values()), strict=True):
        patterns[group] = learnt
        if learnt.pattern:
            context.log(_told(task.frames[0], learnt))
    return {group: _with_pattern(context, group, camera, patterns) for group, camera in defects.items()}


def _with_pattern(
    context: RunContext, group: Group, camera: DetectorCalibration, patterns: Mapping[Group, LearntPattern]
) -> DetectorCalibration:
    """Return a camera with its pattern, in a file beside the one that measuring used."""
    learnt = patterns.get(group, LearntPattern(NO_PATTERN, 0))
    if context.previous_run is not None:
        context.previous_run.record_pattern(group, learnt.pattern, learnt.frames, camera.fingerprint)
    if not learnt.pattern:
        return camera
    data, path = load_camera(camera.path), camera.path.with_suffix(".pattern.npz")
    write_camera(path, data.defects, data.masters, learnt.pattern)
    return replace(camera, path=path, fingerprint=patterned_fingerprint(camera.fingerprint, learnt.pattern))


def _told(frame: SolvedFrame, learnt: LearntPattern) -> Message:
    return message(
        "log.sensor_pattern",
        camera=frame.frame.instrument or frame.frame.telescope or "?",
        frames=learnt.frames,
        pixels=round(learnt.pixel_adu, 1),
        columns=round(learnt.column_adu, 1),
        rows=round(learnt.row_adu, 1),
        glow=round(learnt.glow_adu, 1),
        shadow=round(100.0 * learnt.shadow, 1),
    )


def _spread(frames: Sequence[SolvedFrame]) -> tuple[SolvedFrame, ...]:
    """Return a spread of a camera's frames over time."""
    ordered = sorted(frames, key=lambda frame: (frame.frame.date_obs or "", frame.frame.frame_id))
    places = np.unique(np.linspace(0, len(ordered) - 1, min(len(ordered), MAX_PATTERN_FRAMES)).astype(int))
    return tuple(ordered[k] for k in places) if ordered else ()


def learn_pattern(task: _Task) -> LearntPattern:
    """Return what stands still on the sensor in the frames of a task."""
    frames, first = task.frames, task.frames[0].frame
    step = 2 if first.bayer is not None else 1
    far = _displacements(frames)
    limit = max(MIN_FAR_PX, FAR_FWHM * float(np.nanmedian([_fwhm(frame) for frame in frames])))
    if (far > limit).sum() < 2:
        return LearntPattern(NO_PATTERN, len(frames))
    stars = _stars(frames)
    sums = PixelPatternSums(first.height, first.width, step)
    blocks: list[tuple[Float32s, Float32s]] = []
    points: list[Float64s] = []
    used: list[int] = []
    for k, frame in enumerate(frames):
        try:
            pixels = _pixels(frame, task)
        except FrameError:
            continue  # calibrating that frame will say why
        shape = first.height // step, first.width // step
        free = bare_sky(frame.measured, frame.wcs, stars, step, shape)
        points.append(sums.add(pixels, free))
        blocks.append(in_blocks(pixels, free, step))
        used.append(k)
    far = far[np.ix_(used, used)]
    pixel = sums.pattern(far > limit) if used else None
    if pixel is not None:
        # The smooth map is what is left beside the levels of single pixels and columns; else they came off twice.
        level = block_means(pixel.offset_adu, step)
        blocks = [(value - level, weight) for value, weight in blocks]
    smooth = _smooth([frames[k] for k in used], blocks, far)
    return _combined(pixel, smooth, np.concatenate(points) if points else np.empty((0, 3)), frames, task)


def _fwhm(frame: SolvedFrame) -> float:
    return frame.measured.fwhm_px if np.isfinite(frame.measured.fwhm_px) else 3.0


def _pixels(frame: SolvedFrame, task: _Task) -> Float32s:
    ref = frame.frame
    window = (0, ref.height, 0, ref.width)
    raw = open_pixels(ref, task.scratch).read(*window)
    return np.asarray(calibrated(raw, window, load_camera(task.camera), ref), np.float32)


def _displacements(frames: Sequence[SolvedFrame]) -> Float64s:
    """Return by how many pixels the sky moved between frames, median over the sensor, shape (frames, frames)."""
    ref = frames[0].frame
    x, y = (
        part.ravel()
        for part in np.meshgrid(np.linspace(0.1, 0.9, 3) * ref.width, np.linspace(0.1, 0.9, 3) * ref.height)
    )
    out = np.zeros((len(frames), len(frames)))
    ra, dec = (np.stack(part) for part in zip(*(frame.wcs.pixel_to_sky(x, y) for frame in frames), strict=True))
    for k, partner in enumerate(frames):
        px, py = partner.wcs.sky_to_pixel(ra, dec)
        out[:, k] = median(np.nan_to_num(np.hypot(px - x, py - y), nan=1e6), axis=1)
    return np.minimum(out, out.T)


def _stars(frames: Sequence[SolvedFrame]) -> tuple[Float64s, Float64s, Float64s]:
    """Return the discs of all stars that any of the frames shows: ra_deg, dec_deg, radius_px."""
    reference = frames[0].wcs
    parts = []
    for frame in frames:
        stars, measured = frame.measured.stars, frame.measured
        flux = stars.flux_adu[:, green_channel(stars.flux_adu.shape[1])].astype(np.float64)
        radius = mask_radius_px(flux, _fwhm(frame), measured.noise_adu[green_channel(len(measured.noise_adu))])
        parts.append(np.stack([*frame.wcs.pixel_to_sky(stars.x_px, stars.y_px), radius]))
    ra, dec, radius = np.concatenate(parts, axis=1)
    x, y = reference.sky_to_pixel(ra, dec)
    order = np.argsort(-radius, kind="stable")
    cell = np.round(np.stack([np.nan_to_num(x, nan=-1e7), np.nan_to_num(y, nan=-1e7)])[:, order] / STAR_CELL_PX)
    _, brightest = np.unique(cell.astype(np.int64), axis=1, return_index=True)
    kept = order[np.sort(brightest)]
    return ra[kept], dec[kept], radius[kept]


def in_blocks(pixels: Float32s, free: NDArray[np.uint8], step: int) -> tuple[Float32s, Float32s]:
    """Return the mean of each block of `BLOCK_PX` less the frame's level, all colours together, and its bare part.

    Parameters
    ----------
    pixels : ndarray, shape (height, width), float32
        In ADU.
    free : ndarray of uint8, shape (height // step, width // step)
        1 where there is bare sky.
    step : int
        2 for Bayer frames, 1 for mono.
    """
    rows, columns = free.shape
    grey = np.zeros((rows, columns), np.float32)
    good = free > 0
    for y in range(step):
        for x in range(step):
            plane = pixels[y : rows * step : step, x : columns * step : step]
            known = good & np.isfinite(plane)
            level = median(plane[::4, ::4][known[::4, ::4]]) if known[::4, ::4].any() else 0.0
            grey += plane - np.float32(level)
    grey /= np.float32(step * step)
    good &= np.isfinite(grey)
    grey[~good] = 0
    return area_mean(grey, good.astype(np.float32), BLOCK_PX // step)


def block_means(offset: Float32s, step: int) -> Float32s:
    """Return the mean of each block of `BLOCK_PX` of a map of the sensor, all colours together.

    Parameters
    ----------
    offset : ndarray, shape (height, width), float32
        In ADU.
    step : int
        2 for Bayer frames, 1 for mono.
    """
    rows, columns = (side // step for side in offset.shape)
    sites = offset[: rows * step, : columns * step].reshape(rows, step, columns, step)
    grey = np.ascontiguousarray(sites.mean(axis=(1, 3)), np.float32)
    return area_mean(grey, np.ones_like(grey), BLOCK_PX // step)[0]


def _smooth(
    frames: Sequence[SolvedFrame], blocks: Sequence[tuple[Float32s, Float32s]], displacement: Float64s
) -> tuple[Float32s | None, Float32s | None]:
    """Return the glow of the sensor's corners and what else is smooth on it; None where the frames tell of none."""
    if len(frames) < MIN_PATTERN_FRAMES:
        return None, None
    ways = [_way_to_sky(frame, frames[0].wcs, blocks[0][0].shape) for frame in frames]
    kept, shape, shift = _common_sky(ways, blocks[0][0].shape)
    if len(kept) < MIN_PATTERN_FRAMES:
        return None, None
    looks = [Look(*blocks[k], ways[k] - np.outer(shift, (0.0, 0.0, 1.0))) for k in kept]
    corners = corner_glow(looks, np.array([np.mean(frames[k].measured.sky_adu) for k in kept]))
    if corners is not None:
        looks = [
            replace(look, value=look.value - np.float32(share) * corners.adu)
            for look, share in zip(looks, corners.share, strict=True)
        ]
    rest = smooth_map(looks, shape, displacement[np.ix_(kept, kept)], BLOCK_PX)
    return None if corners is None else corners.adu, rest


def _way_to_sky(frame: SolvedFrame, reference: FrameWcs, shape: tuple[int, ...]) -> Float64s:
    """Return the affine way from a frame's blocks to blocks of the reference plane; NaN where there is none."""
    rows, columns = shape
    column, row = (
        part.ravel()
        for part in np.meshgrid(np.linspace(0, columns - 1, LATTICE_POINTS), np.linspace(0, rows - 1, LATTICE_POINTS))
    )
    x, y = ((index + 0.5) * BLOCK_PX - 0.5 for index in (column, row))
    px, py = reference.sky_to_pixel(*frame.wcs.pixel_to_sky(x, y))
    target = (np.stack([px, py], axis=1) + 0.5) / BLOCK_PX - 0.5
    if not np.isfinite(target).all():
        return np.full((2, 3), np.nan)
    design = np.stack([column, row, np.ones_like(column)], axis=1)
    return np.asarray(np.linalg.lstsq(design, target, rcond=None)[0].T)


def _common_sky(ways: Sequence[Float64s], shape: tuple[int, ...]) -> tuple[list[int], tuple[int, int], Float64s]:
    """Return the frames that lie on a sky of bearable size, its shape, and where it begins."""
    rows, columns = shape
    corners = np.array([[0, 0, 1], [columns - 1, 0, 1], [0, rows - 1, 1], [columns - 1, rows - 1, 1]], float).T
    boxes = np.array([way @ corners for way in ways])
    known = [k for k in range(len(ways)) if np.isfinite(boxes[k]).all()]
    middle = np.median(boxes[known].mean(axis=2), axis=0) if known else np.zeros(2)
    known.sort(key=lambda k: (float(np.hypot(*(boxes[k].mean(axis=1) - middle))), k))
    while known:
        low = np.floor(boxes[known].min(axis=(0, 2))) - 1
        high = np.ceil(boxes[known].max(axis=(0, 2))) + 2
        width, height = (high - low).astype(int)
        if width * height <= MAX_SKY_BLOCKS:
            return sorted(known), (int(height), int(width)), low
        known.pop()
    return [], (0, 0), np.zeros(2)


def _combined(
    pixel: PixelPattern | None,
    smooth: tuple[Float32s | None, Float32s | None],
    points: Float64s,
    frames: Sequence[SolvedFrame],
    task: _Task,
) -> LearntPattern:
    """Return the maps in the form in which they are stored."""
    pattern, learnt = NO_PATTERN, LearntPattern(NO_PATTERN, len(frames))
    if pixel is not None:
        size = max(pixel.pixel_adu, pixel.column_adu, pixel.row_adu)
        step = size / STEPS_PER_SIGMA
        codes = np.clip(np.rint(pixel.offset_adu / np.float32(step)), -32767, 32767).astype(np.int16)
        pattern = replace(pattern, pixel_codes=codes, pixel_step_adu=step)
        learnt = replace(learnt, pixel_adu=pixel.pixel_adu, column_adu=pixel.column_adu, row_adu=pixel.row_adu)
    corners, rest = smooth
    if corners is not None or rest is not None:
        levels = np.concatenate([frame.measured.sky_adu for frame in frames])
        points = points - np.array([0.0, pixel.pixel_adu**2 if pixel else 0.0, 0.0])
        masters = load_camera(task.camera).masters
        bias = 0.0 if masters.offset is not None else estimate_bias(points, levels).bias_adu
        sky = max(float(np.mean([np.mean(frame.measured.sky_adu) for frame in frames])) - bias, 1e-6)
        # Nothing on a sensor makes light less but what stands before it, and nothing before it more.
        glow, passed = glow_and_shadow(corners, rest, sky)
        response = np.clip(passed, MIN_RESPONSE, 1.0).astype(np.float32)
        if (glow > 0).any():
            pattern = replace(pattern, glow_adu=glow.astype(np.float32))
        if (response < 1).any():
            pattern = replace(pattern, response=response, bias_adu=bias)
        learnt = replace(learnt, glow_adu=float(glow.max()), shadow=1.0 - float(response.min()))
    return replace(learnt, pattern=pattern)
