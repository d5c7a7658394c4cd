"""The sigma map: true per pixel, in thin parts and deep ones, whatever the weights are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from run_of_frames import CANVAS, calibrated_frame, frame_ref, measured_frame, solved_frame

from zemosaic.model import GridPlan
from zemosaic.phases.outputs.mosaic_maps import MosaicSigma, sigma_cards
from zemosaic.qa.light_noise import smooth_light
from zemosaic.qa.sigma_map import CELL_PX, SigmaPixels, SkyNoise, measure_sky_noise, variance_of_unit_weight

HEIGHT, WIDTH = 320, 480
WEIGHTS, NOISES = (1.0, 0.3, 0.6), (4.0, 5.0, 9.0)
EDGE = 256
"""The last frame ends at this column."""


def plan() -> GridPlan:
    return GridPlan(CANVAS, WIDTH, HEIGHT, 3, ())


def frames() -> list:
    """Return frames that cover the canvas, of different weights and noises, the last one its left part only."""
    rng = np.random.default_rng(1)
    made = []
    for k, (weight, noise) in enumerate(zip(WEIGHTS, NOISES, strict=True)):
        width = EDGE if k == 2 else WIDTH
        ref = replace(frame_ref(k, datetime(2025, 3, 27, 1)), width=width, height=HEIGHT)
        frame = calibrated_frame(solved_frame(measured_frame(ref, rng, 3.0), rng, 0.0), rng)
        solution = replace(frame.solved.solution, wcs=CANVAS)
        frame = replace(frame, solved=replace(frame.solved, solution=solution), weight=weight, illumination=(0.0,))
        made.append(replace(frame, noise=(noise, 0.5 * noise, 2.0 * noise), obstructed=()))
    return made


def test_noise_of_a_weighted_mean_where_frames_begin_and_end():
    unit = variance_of_unit_weight(plan(), frames())
    weight = np.full((HEIGHT, WIDTH), WEIGHTS[0] + WEIGHTS[1], np.float32)
    weight[:, :EDGE] += WEIGHTS[2]
    weight[0, 0] = 0
    sigma = SigmaPixels(weight, unit, (1.0, 1.0, 1.0))[:, 0:HEIGHT, 0:WIDTH]
    for part, members in ((slice(1, EDGE - CELL_PX), (0, 1, 2)), (slice(EDGE + CELL_PX, WIDTH), (0, 1))):
        w, s = np.array(WEIGHTS)[list(members)], np.array(NOISES)[list(members)]
        wanted = np.sqrt((w**2 * s**2).sum()) / w.sum()
        for plane, factor in zip(sigma, (1.0, 0.5, 2.0), strict=True):
            assert plane[:, part] == pytest.approx(factor * wanted, rel=1e-5)
    assert np.isnan(sigma[:, 0, 0]).all()


def test_the_level_is_that_of_the_sky_and_blind_to_stars_and_gradients():
    rng = np.random.default_rng(3)
    weight = np.ones((HEIGHT, WIDTH), np.float32)
    unit = np.full((3, HEIGHT // CELL_PX, WIDTH // CELL_PX), 4.0, np.float32)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    value = rng.normal(0, 3.0, (3, HEIGHT, WIDTH)) + 0.05 * rows + 0.02 * columns
    for y, x in rng.uniform(0, (HEIGHT, WIDTH), (40, 2)):
        value += 300.0 * np.exp(-0.5 * ((rows - y) ** 2 + (columns - x) ** 2) / 1.5**2)
    noise = measure_sky_noise(value.astype(np.float32), SigmaPixels(weight, unit, (1.0,) * 3), (0, HEIGHT, 0, WIDTH))
    assert noise is not None and noise.level == pytest.approx((1.5,) * 3, rel=0.03)
    assert noise.neighbour_correlation == pytest.approx((0.0,) * 3, abs=0.03)
    assert noise.block_ratio == pytest.approx((1.0,) * 3, abs=0.1)


def test_how_neighbours_correlate():
    rng = np.random.default_rng(4)
    fine = rng.normal(0, 1.0, (1, HEIGHT + 1, WIDTH + 1))
    value = 0.5 * (fine[:, 1:, 1:] + fine[:, :-1, 1:] + fine[:, 1:, :-1] + fine[:, :-1, :-1])
    unit = np.ones((1, HEIGHT // CELL_PX, WIDTH // CELL_PX), np.float32)
    expected = SigmaPixels(np.ones((HEIGHT, WIDTH), np.float32), unit, (1.0,))
    noise = measure_sky_noise(value.astype(np.float32), expected, (0, HEIGHT, 0, WIDTH))
    assert noise is not None
    assert noise.neighbour_correlation == pytest.approx((0.5,), abs=0.03)
    assert noise.block_ratio == pytest.approx((2.0,), abs=0.2)


def test_too_little_sky_tells_nothing():
    expected = SigmaPixels(np.ones((64, 64), np.float32), np.ones((1, 2, 2), np.float32), (1.0,))
    assert measure_sky_noise(np.ones((1, 64, 64), np.float32), expected, (0, 64, 0, 64)) is None


def test_bright_places_are_noisier_as_photons_are():
    """A nebula and a gradient change the variance in proportion to the light on the sensor."""
    gain, level, slope, nebula = 11.0, 400.0, 120.0, 300.0
    read = 1.5 * gain
    made = []
    for frame in frames():
        noise = float(np.sqrt(gain * level + read**2))
        measured = replace(frame.solved.measured, sky_adu=(level + 100.0,) * 3, noise_adu=(noise,) * 3)
        made.append(
            replace(
                frame,
                solved=replace(frame.solved, measured=measured),
                sky_adu=((level, 0.0, slope),) * 3,
                bias_adu=100.0,
                level_jump_adu=0.0,
                transparency=(0.8,) * 3,
                noise=(noise / 0.8,) * 3,
            )
        )
    light = np.zeros((3, HEIGHT // CELL_PX, WIDTH // CELL_PX), np.float32)
    light[:, :, 3:6] = nebula
    light[0, 0, 0] = np.nan
    plain, unit = variance_of_unit_weight(plan(), made), variance_of_unit_weight(plan(), made, light)
    v = ((np.arange(HEIGHT // CELL_PX) + 0.5) * CELL_PX - 0.5 - HEIGHT / 2) / HEIGHT
    seen = level + slope * v[:, None] + 0.8 * light[1]
    wanted = (gain * seen + read**2) / (gain * level + read**2)
    assert unit[1] == pytest.approx(plain[1] * wanted, rel=1e-4)
    assert unit[0, 0, 0] == pytest.approx(plain[0, 0, 0])


def test_light_without_stars_in_any_part_of_a_canvas():
    rng = np.random.default_rng(8)
    value = np.full((3, 100, 130), np.nan, np.float32)
    value[:, :, :100] = rng.normal(50.0, 1.0, (3, 100, 100)) * np.array([1.0, 2.0, 3.0])[:, None, None]
    value[:, 10:14, 10:14] = 5000.0
    light = smooth_light(value, (40, 100, 0, 130), CELL_PX)
    assert light.shape == (3, 4, 5)
    assert np.isnan(light[:, 0]).all() and np.isnan(light[:, :, 4]).all()
    assert light[:, 1:, :3] == pytest.approx(np.broadcast_to([[[50.0]], [[100.0]], [[150.0]]], (3, 3, 3)), rel=0.02)
    assert smooth_light(value, (0, 100, 0, 130), CELL_PX)[0, 0, 0] == pytest.approx(50.0, rel=0.02)


def test_the_header_tells_each_colour():
    noise = SkyNoise((1.0, 1.0, 1.0), (0.6, 0.3, 0.61), (2.0, 1.5, 2.1), 40)
    unit = np.ones((3, 2, 2), np.float32)
    pixels = SigmaPixels(np.ones((64, 64), np.float32), unit, noise.level)
    cards = {key: value for key, value, _ in sigma_cards(MosaicSigma(pixels, noise)) if key != "COMMENT"}
    assert cards == {
        "ZMSIGN": 40, "ZMSIGCOR": 0.3, "ZMSIGBLK": 1.5,
        "ZMSCORR": 0.6, "ZMSBLKR": 2.0, "ZMSCORB": 0.61, "ZMSBLKB": 2.1,
    }  # fmt: skip
    grey = SigmaPixels(np.ones((64, 64), np.float32), unit[:1], (1.0,))
    mono = sigma_cards(MosaicSigma(grey, SkyNoise((1.0,), (0.3,), (1.5,), 40)))
    assert {key for key, _, _ in mono} == {"ZMSIGN", "ZMSIGCOR", "ZMSIGBLK", "COMMENT"}
