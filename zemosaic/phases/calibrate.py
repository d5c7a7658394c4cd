"""Phase 4: transparency, vignetting and sky of all frames, each solved jointly; verdicts and weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s as Floats
from zemosaic.calibration.background import solve_sky
from zemosaic.calibration.background_cells import CellSamples
from zemosaic.calibration.detector import load_camera
from zemosaic.calibration.edge_offsets import edge_offsets
from zemosaic.calibration.frame_weights import price_of_weights
from zemosaic.calibration.obstructions import blocks_at, clear_cells, obstructed_blocks
from zemosaic.calibration.photometry import VIGNETTING_PRIOR, Photometry, solve_photometry
from zemosaic.calibration.sensor.level_jumps import level_jumps
from zemosaic.calibration.sensor.photon_transfer import BiasEstimate, estimate_bias
from zemosaic.calibration.sensor.stripes import left_stripes
from zemosaic.errors import NothingUsable, message
from zemosaic.frames.selection import Selection, read_selection
from zemosaic.model import CalibratedFrame, Dropped, FieldStars, FrameStatus, SolvedFrame
from zemosaic.phases.context import RunContext, camera_groups
from zemosaic.phases.measure import DetectorCalibration, DetectorCalibrations
from zemosaic.phases.parts.background_samples import sample_cells_of_frames, star_discs
from zemosaic.phases.parts.calibrated_frames import (
    calibrated_frames,
    field_stars,
    in_colours,
    merged_stars,
    weighted,
    without_joint_solution,
)
from zemosaic.phases.parts.judgement import frame_verdicts, log_cameras, warn_of_loose_pieces
from zemosaic.phases.previous_run.fixed_frames import (
    PriorFrames,
    consistent_prior_frames,
    fixed_parameters,
    frames_to_solve,
    prior_frames,
)
from zemosaic.phases.previous_run.state import CachedField

__all__ = ["Calibration", "calibrate_frames"]

FIXED_TRANSPARENCY_ERROR = 1e-4
"""Standard error of a transparency that the sky may not change."""
AFTER_FLAT = 0.01
"""Standard deviation of the coefficient of r**2 that a user's flat may leave."""
AFTER_DARK_ADU = 2.0
"""Standard deviation of the level without light that a user's dark or bias may leave."""

MAX_PRIOR_GAIN_ERROR = 0.02
"""A known frame whose stars differ more than this, as a part, is calibrated anew ..."""
MAX_PRIOR_SKY_ERROR = 0.1
"""... and one whose sky does, in noise of one of its pixels."""
MAX_RELEASES = 2
"""How often known frames may be found wrong before the rest is believed."""
OF_FRAMES = ("transparency", "transparency_sigma", "n_stars", "mean_residual")
OF_CAMERAS = ("vignetting", "vignetting_sigma", "stars_vignetting")


@dataclass(frozen=True)
class Calibration:
    """Calibrated frames and the stars they share."""

    frames: tuple[CalibratedFrame, ...]
    stars: FieldStars


def calibrate_frames(
    context: RunContext, solved: Sequence[SolvedFrame], defects: DetectorCalibrations, cached: CachedField | None = None
) -> Calibration:
    """Return the frames that are good enough, calibrated; the others are dropped with their reasons.

    Frames that an earlier night calibrated stay as they are, as far as the new ones agree.

    Parameters
    ----------
    context : RunContext
    solved : sequence of SolvedFrame
        The frames of one field.
    defects : DetectorCalibrations
    cached : CachedField, optional
        The field as the run before left it; by default every frame is calibrated anew.

    Raises
    ------
    NothingUsable
        When all frames are rejected.
    """
    channels = max(len(frame.measured.sky_adu) for frame in solved)
    solved = [in_colours(frame, channels) for frame in solved]
    prior = prior_frames(cached, solved, channels)
    with context.timer.phase("calibrate", len(solved)) as advance:
        solved, ids, photometry, prior = _photometry(context, solved, defects, prior)
        stars = field_stars(solved, ids, photometry)
        if context.settings.stacking_normalize_method != "linear_fit":
            frames = without_joint_solution(context.settings, solved)
        else:
            frames, prior, stars = _calibrated_with_prior(
                context, solved, ids, photometry, prior, stars, defects, advance
            )
        advance(len(solved))
        by_id = {frame.frame.frame_id: frame for frame in frames} | dict(prior)
        frames = [by_id[frame.frame.frame_id] for frame in solved]
        frames = weighted(frames, context.settings.stacking_weighting_method, prior)
        price = price_of_weights(frames)
        context.log(message("log.weights", pixel=price.pixel_noise - 1.0, star=price.star_noise - 1.0))
        return Calibration(tuple(frames), stars)


def _calibrated_with_prior(
    context: RunContext,
    solved: Sequence[SolvedFrame],
    ids: Sequence[NDArray[np.int64]],
    photometry: Photometry,
    prior: PriorFrames,
    stars: FieldStars,
    defects: DetectorCalibrations,
    advance: Callable[[int], None],
) -> tuple[list[CalibratedFrame], PriorFrames, FieldStars]:
    """Return the frames that had to be calibrated, the known ones that still hold, and the stars.

    Each turn solves the frames that are not known and those beside them; known ones that these contradict are
    solved as well in the next.
    """
    for iteration in range(MAX_RELEASES + 1):
        rows = frames_to_solve(solved, prior)
        if not rows:
            return [], prior, stars
        part = _Part(
            [solved[k] for k in rows], [ids[k] for k in rows], *_photometry_of(photometry, solved, rows), prior
        )
        frames, clear_stars, mean_residual = _solve_part(context, part, stars, defects, advance)
        consistent = (
            consistent_prior_frames(context.reporter, part.solved, prior, mean_residual > MAX_PRIOR_SKY_ERROR)
            if iteration < MAX_RELEASES
            else prior
        )
        if len(consistent) == len(prior):
            break
        prior = consistent
        groups = np.array(camera_groups([frame.frame for frame in solved]))
        photometry = _zero_points(solved, ids, groups, defects, prior)
    return frames, prior, clear_stars


@dataclass(frozen=True)
class _Part:
    """Frames that are solved jointly: the new ones and the known ones beside them."""

    solved: Sequence[SolvedFrame]
    ids: Sequence[NDArray[np.int64]]
    photometry: Photometry
    groups: NDArray[np.int64]
    known: PriorFrames


def _photometry_of(
    photometry: Photometry, solved: Sequence[SolvedFrame], rows: Sequence[int]
) -> tuple[Photometry, NDArray[np.int64]]:
    """Return the photometry of some frames, and their camera groups counted anew."""
    group_of_frame = np.array(camera_groups([frame.frame for frame in solved]))[list(rows)]
    used, groups = (
        list(dict.fromkeys(group_of_frame.tolist())),
        np.array(camera_groups([solved[k].frame for k in rows])),
    )
    of_frames = {name: getattr(photometry, name)[list(rows)] for name in OF_FRAMES}
    of_cameras = {name: getattr(photometry, name)[used] for name in OF_CAMERAS}
    return replace(photometry, **of_frames, **of_cameras), groups


def _solve_part(
    context: RunContext, part: _Part, stars: FieldStars, defects: DetectorCalibrations, advance: Callable[[int], None]
) -> tuple[list[CalibratedFrame], FieldStars, Floats]:
    """Return calibrated frames, the stars where nothing hides them, and what pulls on the known frames' skies."""
    solved, ids, photometry, groups, prior = part.solved, part.ids, part.photometry, part.groups, part.known
    discs = star_discs(solved, stars, photometry.transparency)
    cells, cell_px = sample_cells_of_frames(context, solved, defects, discs, advance)
    obstructed: list[tuple[int, ...]] = [()] * len(solved)
    if context.settings.quality_partial_frames:
        obstructed = obstructed_blocks(solved, ids, (stars.ra_deg, stars.dec_deg), photometry, groups, cells)
        obstructed = [
            prior[frame.frame.frame_id].obstructed if frame.frame.frame_id in prior else blocks
            for frame, blocks in zip(solved, obstructed, strict=True)
        ]
    if any(obstructed):
        ids, cells = _only_clear(solved, ids, cells, obstructed)
        photometry = _zero_points(solved, ids, groups, defects, prior)
        if len(prior) == 0:
            stars = field_stars(solved, ids, photometry)
        context.log(message("log.frames_half_hidden", frames=sum(map(bool, obstructed))))
    jumps = _jumps(context, solved, cells, groups, prior)
    cells = [sample.lowered(jump) for sample, jump in zip(cells, jumps, strict=True)]
    bias = _biases(solved, groups, cells, defects)
    sky = solve_sky(
        cells,
        photometry.transparency,
        groups,
        photometry.stars_vignetting,
        photometry.vignetting_sigma,
        bias,
        # Of a frame half hidden the sky near the edge is not to be trusted with more than a plane.
        np.where([[bool(blocks)] for blocks in obstructed], FIXED_TRANSPARENCY_ERROR, photometry.transparency_sigma),
        fixed_parameters(prior, solved, groups, photometry.transparency.shape[1]),
        [left_stripes(load_camera(camera.path).pattern) for camera in _cameras(solved, groups, defects)],
    )
    log_cameras(context, sky, photometry)
    warn_of_loose_pieces(context, sky)
    offsets = edge_offsets([frame.measured for frame in solved], cells, sky, groups, cell_px)
    frames = calibrated_frames(solved, sky, groups, obstructed)
    return (
        [
            replace(frame, edge_offsets=edges, level_jump_adu=float(jump))
            for frame, edges, jump in zip(frames, offsets, jumps, strict=True)
        ],
        stars,
        sky.mean_residual_sigma,
    )


def _jumps(
    context: RunContext,
    solved: Sequence[SolvedFrame],
    cells: Sequence[CellSamples],
    groups: NDArray[np.int64],
    prior: PriorFrames,
) -> Floats:
    """Return the frames' levels without light beyond those of their cameras; known frames keep theirs."""
    jumps = level_jumps(cells, groups)
    for k, frame in enumerate(solved):
        if frame.frame.frame_id in prior:
            jumps[k] = prior[frame.frame.frame_id].level_jump_adu
    jumped = int(np.count_nonzero(jumps))
    if jumped:
        size = float(np.abs(jumps).max())
        context.log(message("log.level_jumps", frames=jumped, largest=round(size)))
    return jumps


def _by_camera(solved: Sequence[SolvedFrame], groups: NDArray[np.int64]) -> list[list[SolvedFrame]]:
    return [
        [frame for frame, group in zip(solved, groups, strict=True) if group == g] for g in range(int(groups.max()) + 1)
    ]


def _cameras(
    solved: Sequence[SolvedFrame], groups: NDArray[np.int64], defects: DetectorCalibrations
) -> list[DetectorCalibration]:
    return [defects[members[0].frame.camera_key] for members in _by_camera(solved, groups)]


def _vignetting_prior(
    solved: Sequence[SolvedFrame], groups: NDArray[np.int64], defects: DetectorCalibrations
) -> Floats:
    """Return per camera how far its illumination may fall; a flat leaves nothing to correct twice."""
    flat = [camera.masters.flat is not None for camera in _cameras(solved, groups, defects)]
    return np.where(flat, AFTER_FLAT, VIGNETTING_PRIOR)


def _biases(
    solved: Sequence[SolvedFrame],
    groups: NDArray[np.int64],
    cells: Sequence[CellSamples],
    defects: DetectorCalibrations,
) -> list[BiasEstimate]:
    """Return per camera the level without light: none after a dark or bias was taken off."""
    biases = []
    for g, members in enumerate(_by_camera(solved, groups)):
        if defects[members[0].frame.camera_key].masters.offset is not None:
            biases.append(BiasEstimate(0.0, AFTER_DARK_ADU))
        else:
            points = [sample.transfer for sample, group in zip(cells, groups, strict=True) if group == g]
            levels = np.concatenate([frame.measured.sky_adu for frame in members])
            biases.append(estimate_bias(np.concatenate(points), levels))
    return biases


def _only_clear(
    solved: Sequence[SolvedFrame],
    ids: Sequence[NDArray[np.int64]],
    cells: Sequence[CellSamples],
    obstructed: Sequence[tuple[int, ...]],
) -> tuple[list[NDArray[np.int64]], list[CellSamples]]:
    """Return star numbers and cells without those in hidden blocks."""
    clear_ids = []
    for frame, numbers, blocks in zip(solved, ids, obstructed, strict=True):
        stars = frame.measured.stars
        is_obstructed = np.isin(blocks_at(frame.frame, stars.x_px, stars.y_px), blocks)
        clear_ids.append(np.where(is_obstructed, -1, numbers))
    clear = [
        clear_cells(sample, frame.frame, blocks)
        for sample, frame, blocks in zip(cells, solved, obstructed, strict=True)
    ]
    return clear_ids, clear


def _photometry(
    context: RunContext, solved: Sequence[SolvedFrame], defects: DetectorCalibrations, prior: PriorFrames
) -> tuple[list[SolvedFrame], list[NDArray[np.int64]], Photometry, PriorFrames]:
    """Solve zero points, reject what is unusable, and solve again without it."""
    solved = list(solved)
    # Without a joint calibration nothing is known of what frames let through.
    gains = prior if context.settings.stacking_normalize_method == "linear_fit" else {}
    for iteration in range(2):
        ids = merged_stars(solved)
        groups = np.array(camera_groups([frame.frame for frame in solved]))
        photometry = _zero_points(solved, ids, groups, defects, gains)
        if iteration == 1:
            break
        accepted = _accepted(context, solved, ids, photometry, groups, prior)
        if len(accepted) == len(solved):
            break
        solved = accepted
    consistent = consistent_prior_frames(
        context.reporter, solved, prior, np.abs(photometry.mean_residual) > MAX_PRIOR_GAIN_ERROR
    )
    if len(consistent) < len(prior) and gains:
        photometry = _zero_points(solved, ids, groups, defects, consistent)
    return solved, ids, photometry, consistent


def _zero_points(
    solved: Sequence[SolvedFrame],
    ids: Sequence[NDArray[np.int64]],
    groups: NDArray[np.int64],
    defects: DetectorCalibrations,
    prior_frames: PriorFrames,
) -> Photometry:
    channels = len(solved[0].measured.sky_adu)
    prior, fixed = _vignetting_prior(solved, groups, defects), fixed_parameters(prior_frames, solved, groups, channels)
    return solve_photometry([frame.measured for frame in solved], ids, groups, prior, fixed)


def _accepted(
    context: RunContext,
    solved: list[SolvedFrame],
    ids: Sequence[NDArray[np.int64]],
    photometry: Photometry,
    groups: NDArray[np.int64],
    prior: PriorFrames,
) -> list[SolvedFrame]:
    """Return the frames that are good enough, as known ones are; what the user picked by hand wins over all else."""
    settings = context.settings
    file = settings.quality_picks_file
    picks = read_selection(Path(file), Path(settings.input_dir)) if file else Selection()
    verdicts = (
        frame_verdicts(settings, solved, ids, photometry, groups)
        if settings.quality_reject_enabled
        else [None] * len(solved)
    )
    accepted = []
    for frame, reason in zip(solved, verdicts, strict=True):
        pick = picks.of(frame.frame.path)
        sound = pick or frame.frame.frame_id in prior
        reason = message("reason.picked_out") if pick is False else None if sound else reason
        if reason is None:
            accepted.append(frame)
        else:
            told = (frame.frame.path, frame.frame.frame_id, "calibrate", FrameStatus.REJECTED, reason)
            context.drop(Dropped(*told, by_hand=pick is False))
    if not accepted:
        raise NothingUsable("error.all_rejected", frames=len(solved))
    return accepted
