"""How much light each frame let through, recovered from star tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from frames_of_sky import frame_of, measured_of

from zemosaic.calibration.fixed_parameters import FixedParameters
from zemosaic.calibration.photometry import solve_photometry
from zemosaic.calibration.solver.grey_prior import grey_prior
from zemosaic.model import MeasuredFrame, detector_coordinates

WIDTH, HEIGHT = 1080, 1920


def survey(
    transparency: np.ndarray,
    vignetting: tuple[float, ...] = (-0.25,),
    *,
    groups: np.ndarray | None = None,
    stars: int = 160,
    outliers: float = 0.03,
    seed: int = 0,
) -> tuple[list[MeasuredFrame], list[np.ndarray], np.ndarray, np.ndarray]:
    """Return frames that see one star field at other places of their detector, with star numbers and true fluxes."""
    rng = np.random.default_rng(seed)
    n, channels = transparency.shape
    groups = np.zeros(n, int) if groups is None else groups
    x0, y0 = rng.uniform(-200, WIDTH + 200, stars), rng.uniform(-200, HEIGHT + 200, stars)
    flux0 = 10 ** rng.uniform(3.3, 5.0, (stars, 1)) * rng.uniform(0.6, 1.4, (stars, channels))
    frames, ids = [], []
    for k in range(n):
        x, y = x0 + rng.uniform(-300, 300), y0 + rng.uniform(-400, 400)
        on = (x > 0) & (x < WIDTH) & (y > 0) & (y < HEIGHT)
        u, v = detector_coordinates(x[on], y[on], WIDTH, HEIGHT)
        fall = 1.0 + vignetting[groups[k]] * (u * u + v * v)
        flux = flux0[on] * transparency[k] * fall[:, None]
        error = np.hypot(15.0, 0.01 * flux)
        flux = flux + rng.normal(0, 1, flux.shape) * error
        wild = rng.random(len(flux)) < outliers
        flux[wild] *= rng.uniform(1.3, 4.0, (wild.sum(), 1))
        saturated = flux0[on, 0] > 8e4
        flux[saturated] *= 0.6
        frames.append(
            measured_of(
                frame_of(WIDTH, HEIGHT, frame_id=k),
                x[on],
                y[on],
                flux,
                error,
                saturated=saturated,
                sky=(1000.0,) * channels,
                noise=(10.0,) * channels,
            )
        )
        ids.append(np.where(rng.random(on.sum()) < 0.02, -1, np.flatnonzero(on)))
    return frames, ids, groups, flux0


def test_of_many_frames_the_brightest_stars_are_enough(monkeypatch):
    rng = np.random.default_rng(9)
    truth = rng.uniform(0.5, 1.1, (30, 1)) * np.ones(3)
    truth /= np.median(truth, axis=0)
    frames, ids, groups, _ = survey(truth, stars=400)
    everything = solve_photometry(frames, ids, groups)
    monkeypatch.setattr("zemosaic.calibration.photometry.MAX_OBSERVATIONS", 1000)
    monkeypatch.setattr("zemosaic.calibration.photometry.MIN_STARS_PER_FRAME", 60)
    got = solve_photometry(frames, ids, groups)
    assert np.isfinite(got.star_flux[:, 1]).sum() < 0.8 * np.isfinite(everything.star_flux[:, 1]).sum()
    assert np.abs(got.transparency / truth - 1.0).max() < 0.015
    np.testing.assert_array_equal(got.n_stars, everything.n_stars, "clouds are told by all stars")


@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_and_vignetting_come_back(channels):
    rng = np.random.default_rng(9)
    truth = rng.uniform(0.5, 1.1, (30, 1)) * rng.uniform(0.9, 1.1, (30, channels))
    truth /= np.median(truth, axis=0)
    frames, ids, groups, flux0 = survey(truth)
    got = solve_photometry(frames, ids, groups)
    assert np.abs(got.transparency / truth - 1.0).max() < 0.01
    np.testing.assert_allclose(np.median(got.transparency, axis=0), 1.0, atol=0.002)
    assert got.vignetting[0] == pytest.approx(-0.25, abs=0.012)
    assert abs(got.vignetting[0] + 0.25) < 4 * got.vignetting_sigma[0] < 0.05
    assert (got.n_stars > 40).all()
    green = min(1, channels - 1)
    seen = np.isfinite(got.star_flux[:, green]) & (flux0[: len(got.star_flux), 0] < 8e4)
    ratio = got.star_flux[seen, green] / flux0[: len(got.star_flux)][seen, green]
    assert abs(np.median(ratio) - 1) < 0.01 and seen.sum() > 80


def test_stars_that_are_cut_off_do_not_count():
    truth = np.where(np.arange(17) % 2 == 0, 1.0, 0.6)[:, None]
    frames, ids, groups, _ = survey(truth, outliers=0.0)
    cut = []
    for frame in frames:
        stars = frame.stars
        over = stars.flux_adu[:, 0] > 9000.0
        capped = np.where(over[:, None], np.float32(9000.0), stars.flux_adu)
        cut.append(replace(frame, stars=replace(stars, flux_adu=capped, saturated=over)))
    got = solve_photometry(cut, ids, groups)
    assert np.abs(got.transparency / truth - 1.0).max() < 0.015


def test_cameras_have_their_own_vignetting():
    groups = np.arange(24) % 2
    truth = np.where(groups == 0, 1.0, 0.7)[:, None]
    frames, ids, groups, _ = survey(truth, (-0.35, 0.0), groups=groups)
    got = solve_photometry(frames, ids, groups)
    assert got.vignetting == pytest.approx([-0.35, 0.0], abs=0.02)
    ratio = np.median(got.transparency[groups == 1]) / np.median(got.transparency[groups == 0])
    assert ratio == pytest.approx(0.7, rel=0.01)


def test_a_clouded_frame_does_not_move_the_others():
    truth = np.ones((12, 1))
    truth[5] = 0.15
    frames, ids, groups, _ = survey(truth)
    got = solve_photometry(frames, ids, groups)
    assert got.transparency[5, 0] == pytest.approx(0.15, rel=0.02)
    assert np.abs(np.delete(got.transparency[:, 0], 5) - 1).max() < 0.01


def test_frames_without_stars_or_company_are_as_clear_as_the_others():
    truth = np.ones((5, 3))
    frames, ids, *_ = survey(truth)
    blind = measured_of(frame_of(WIDTH, HEIGHT), sky=(1000.0,) * 3, noise=(10.0,) * 3)
    frames, ids = [*frames, blind], [*ids, np.empty(0, int)]
    got = solve_photometry(frames, ids, np.zeros(6, int))
    assert got.n_stars[5] == 0
    assert np.isfinite(got.transparency).all() and 0.2 < got.transparency[5, 0] < 5
    alone = solve_photometry([blind], [np.empty(0, int)], np.zeros(1, int))
    np.testing.assert_array_equal(alone.transparency, 1.0)
    single = solve_photometry(frames[:1], ids[:1], np.zeros(1, int))
    np.testing.assert_array_equal(single.transparency, 1.0)
    assert single.vignetting[0] == 0 and single.vignetting_sigma[0] == 0.5


def test_a_flat_leaves_no_vignetting_to_be_found_in_the_noise():
    frames, ids, groups, _ = survey(np.ones((6, 1)), vignetting=(0.0,), stars=40)
    free = solve_photometry(frames, ids, groups)
    held = solve_photometry(frames, ids, groups, np.array([0.01]))
    assert abs(held.vignetting[0]) < 0.01 < free.vignetting_sigma[0]
    assert held.vignetting_sigma[0] <= 0.01


@pytest.mark.parametrize("colour", [0.0, 0.03])
def test_channels_learn_from_each_other_as_far_as_clouds_are_grey(colour):
    rng = np.random.default_rng(5)
    grey = rng.normal(0.0, 0.2, (40, 1))
    truth = grey + rng.normal(0.0, colour, (40, 3)) + np.array([0.1, 0.0, -0.2])
    sigma = np.tile([0.03, 0.01, 0.02], (40, 1))
    seen = truth + rng.normal(0.0, 1.0, truth.shape) * sigma
    centre, spread = grey_prior(seen, sigma, np.zeros(40, int))
    assert 0.6 * colour < spread[0] < max(1.5 * colour, 0.01)
    pulled = (seen / sigma**2 + centre / spread[:, None] ** 2) / (sigma**-2 + spread[:, None] ** -2)
    better = (pulled - truth).std(axis=0) / (seen - truth).std(axis=0)
    assert (better < (1.1 if colour else 0.9)).all() and better[0] < (0.95 if colour else 0.5)


def test_few_blue_stars_do_not_colour_a_chain_of_frames():
    """Faint stars alone would let the blue of a long strip drift."""
    rng = np.random.default_rng(11)
    truth = rng.uniform(0.6, 1.1, (24, 1)) * np.ones(3)
    truth /= np.median(truth, axis=0)
    frames, ids, groups, _ = survey(truth, stars=300)
    for k, measured in enumerate(frames):
        flux, error = measured.stars.flux_adu.copy(), measured.stars.flux_error_adu.copy()
        error[:, 2] = 0.15 * flux[:, 2]
        flux[:, 2] *= 1.0 + rng.normal(0.0, 0.15, len(flux))
        stars = replace(measured.stars, flux_adu=flux, flux_error_adu=error)
        frames[k] = replace(measured, stars=stars)
    got = solve_photometry(frames, ids, groups)
    off = np.abs(np.log(got.transparency / truth))
    assert np.sqrt((off[:, 2] ** 2).mean()) < 0.006, "alone, 60 stars of 15 % tell blue to 2 %"


def test_new_frames_are_put_onto_the_scale_of_held_ones():
    rng = np.random.default_rng(4)
    truth = rng.uniform(0.5, 1.1, (20, 1))
    frames, ids, groups, _ = survey(truth)
    known = np.arange(20) < 12
    held = FixedParameters.none(20, 1, 1)
    held.frames[:], held.transparency[:], held.cameras[:], held.vignetting[:] = known, 0.5 * truth, True, -0.25
    got = solve_photometry(frames, ids, groups, fixed=held)
    np.testing.assert_array_equal(got.transparency[known], held.transparency[known])
    np.testing.assert_allclose(got.transparency[~known] / truth[~known], 0.5, rtol=0.02)
    assert got.vignetting[0] == -0.25 and np.abs(got.mean_residual).max() < 0.02
    held.transparency[3] *= 0.9
    pull = solve_photometry(frames, ids, groups, fixed=held).mean_residual
    assert pull[3] > 0.05 and int(np.argmax(np.abs(pull))) == 3
