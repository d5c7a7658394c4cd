"""Records of calibration: the stars of a field, and frames with sky, illumination, noise and weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import green_channel
from zemosaic.calibration.background import SkySolution
from zemosaic.calibration.frame_weights import faint_star_weights, noise_and_width
from zemosaic.calibration.photometry import Photometry
from zemosaic.catalogue.merged_detections import merge_detections
from zemosaic.model import CalibratedFrame, FieldStars, SolvedFrame
from zemosaic.phases.previous_run.fixed_frames import (
    PriorFrames,
)
from zemosaic.settings.schema import Settings

__all__ = [
    "calibrated_frames",
    "field_stars",
    "in_colours",
    "merged_stars",
    "weighted",
    "without_joint_solution",
]

MERGE_PX = 2.0
"""Detections this near to each other on the sky are one star."""


def in_colours(solved: SolvedFrame, channels: int) -> SolvedFrame:
    """Return a frame with all channels; a mono frame among colour ones stands for each of them.

    Parameters
    ----------
    solved : SolvedFrame
    channels : int
    """
    measured = solved.measured
    if len(measured.sky_adu) == channels:
        return solved
    stars = replace(
        measured.stars,
        flux_adu=np.repeat(measured.stars.flux_adu, channels, axis=1),
        flux_error_adu=np.repeat(measured.stars.flux_error_adu, channels, axis=1),
    )
    sky, noise = measured.sky_adu * channels, measured.noise_adu * channels
    return replace(solved, measured=replace(measured, stars=stars, sky_adu=sky, noise_adu=noise))


def merged_stars(solved: Sequence[SolvedFrame]) -> list[NDArray[np.int64]]:
    """Return the number of the star that each detection belongs to, -1 for none, per frame shape (stars,)."""
    radius = MERGE_PX * float(np.median([frame.wcs.scale_arcsec for frame in solved]))
    positions = [frame.wcs.pixel_to_sky(frame.measured.stars.x_px, frame.measured.stars.y_px) for frame in solved]
    return merge_detections(positions, radius)


def field_stars(solved: Sequence[SolvedFrame], ids: Sequence[NDArray[np.int64]], photometry: Photometry) -> FieldStars:
    """Return all stars that any frame saw, those seen once or cut off with the light that was measured.

    Parameters
    ----------
    solved : sequence of SolvedFrame
    ids : sequence of ndarray of int, shape (stars,)
        See `merged_stars`.
    photometry : Photometry
    """
    n, channels = photometry.star_flux.shape
    ra, dec, flux = np.full(n, np.nan), np.full(n, np.nan), np.zeros((n, channels))
    for frame, star in zip(solved, ids, strict=True):
        stars = frame.measured.stars
        first_seen = (star >= 0) & np.isnan(ra[star])
        ra[star[first_seen]], dec[star[first_seen]] = frame.wcs.pixel_to_sky(
            stars.x_px[first_seen], stars.y_px[first_seen]
        )
        numbered = star >= 0
        np.maximum.at(flux, star[numbered], stars.flux_adu[numbered])
    fwhm, scale = np.array([(frame.measured.fwhm_px, frame.wcs.scale_arcsec) for frame in solved]).T
    fwhm = fwhm if np.isfinite(fwhm).any() else np.full(len(solved), 3.0)
    width, seeing = float(np.nanmedian(fwhm * scale)), (np.nanmin(fwhm * scale), np.nanmax(fwhm * scale))
    return FieldStars(
        ra_deg=ra,
        dec_deg=dec,
        flux=np.where(np.isfinite(photometry.star_flux), photometry.star_flux, flux),
        fwhm_px=float(np.nanmedian(fwhm)),
        fwhm_arcsec=width,
        seeing=(float(seeing[0]) / width, float(seeing[1]) / width),
    )


def calibrated_frames(
    solved: Sequence[SolvedFrame],
    sky: SkySolution,
    groups: NDArray[np.int64],
    obstructed: Sequence[tuple[int, ...]],
) -> list[CalibratedFrame]:
    """Return the frames with the sky, illumination and noise of the joint solution; all weights are 1.

    Parameters
    ----------
    solved : sequence of SolvedFrame
    sky : SkySolution
    groups : ndarray of int, shape (frames,)
        Camera of each frame.
    obstructed : sequence of tuple of int
        Per frame the blocks that a roof, a tree or a cloud edge hides.
    """
    return [
        CalibratedFrame(
            solved=frame,
            transparency=tuple(float(t) for t in sky.transparency[k]),
            sky_adu=tuple(map(tuple, sky.sky_adu[k].tolist())),
            bias_adu=float(sky.bias_adu[groups[k]]),
            illumination=(float(sky.vignetting[groups[k]]),),
            noise=tuple(n / t for n, t in zip(frame.measured.noise_adu, sky.transparency[k], strict=True)),
            weight=1.0,
            obstructed=obstructed[k],
        )
        for k, frame in enumerate(solved)
    ]


def without_joint_solution(settings: Settings, solved: Sequence[SolvedFrame]) -> list[CalibratedFrame]:
    """Return frames brought to a common sky level at most, as the settings ask.

    Parameters
    ----------
    settings : Settings
    solved : sequence of SolvedFrame
    """
    level = settings.stacking_normalize_method == "sky_mean"
    return [
        CalibratedFrame(
            solved=frame,
            transparency=tuple(1.0 for _ in frame.measured.sky_adu),
            sky_adu=tuple((value if level else 0.0, 0.0, 0.0) for value in frame.measured.sky_adu),
            bias_adu=0.0,
            illumination=(0.0,),
            noise=frame.measured.noise_adu,
            weight=1.0,
        )
        for frame in solved
    ]


def weighted(frames: Sequence[CalibratedFrame], method: str, prior: PriorFrames) -> list[CalibratedFrame]:
    """Return the frames with their weights, as the settings ask.

    Relative to the best frame; where some are known, as theirs are, so that a new one may weigh more than 1.

    Parameters
    ----------
    frames : sequence of CalibratedFrame
    method : {"none", "noise_variance", "noise_fwhm", "faint_stars"}
        Equal weights, inverse variance, that over the square of the stars' width, the optimum for faint stars.
    prior : mapping of int to CalibratedFrame
        Frames that keep their weights.
    """
    weight = np.ones(len(frames))
    if method == "faint_stars":
        weight = faint_star_weights(*noise_and_width(frames))
    elif method != "none":
        weight = np.array([frame.noise[green_channel(len(frame.noise))] ** -2 for frame in frames])
    if method == "noise_fwhm":
        fwhm = np.array([frame.solved.measured.fwhm_px for frame in frames])
        usual = float(np.nanmedian(fwhm)) if np.isfinite(fwhm).any() else 1.0
        weight *= (usual / np.nan_to_num(fwhm, nan=usual)) ** 2
    row = next((k for k, frame in enumerate(frames) if frame.frame.frame_id in prior), None)
    weight /= weight.max() if row is None else weight[row] / frames[row].weight
    return [
        frame if frame.frame.frame_id in prior else replace(frame, weight=float(w))
        for frame, w in zip(frames, weight, strict=True)
    ]
