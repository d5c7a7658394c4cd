"""Means of the sky over cells: what passes clipping must not get in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from frames_of_sky import frame_of, measured_of

from zemosaic.calibration.background_cells import CellSamples, sample_cells
from zemosaic.calibration.sensor.fixed_pattern import BLOCK_PX, NO_PATTERN
from zemosaic.model import Trail
from zemosaic.wcs import FrameWcs

WIDTH, HEIGHT, CELL = 640, 480, 96
SCALE = 4.0 / 3600.0
WCS = FrameWcs(80.0, 20.0, WIDTH / 2, HEIGHT / 2, ((-SCALE, 0.0), (0.0, SCALE)))
SKY, NOISE = 1000.0, 10.0


def cells_of(light: np.ndarray, trails: tuple[Trail, ...] = ()) -> CellSamples:
    """Return the cells of a mono frame that sees this light upon its sky."""
    raw = SKY + light + np.random.default_rng(4).normal(0.0, NOISE, (HEIGHT, WIDTH))
    frame = frame_of(width=WIDTH, height=HEIGHT, bayer=None)
    measured = replace(measured_of(frame, sky=(SKY,), noise=(NOISE,)), trails=trails)
    nothing = (np.empty(0), np.empty(0), np.empty(0))
    return sample_cells(measured, [raw.astype(np.float32)], 1, WCS, WCS, CELL, nothing)


def test_the_faint_flanks_of_a_trail_are_left_out_beyond_its_known_end_too():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    trail = Trail(x_px=320.0, y_px=240.0, angle_deg=30.0, length_px=300.0, width_px=6.0, peak_adu=400.0)
    angle = np.radians(trail.angle_deg)
    across = np.abs((x - trail.x_px) * np.sin(angle) - (y - trail.y_px) * np.cos(angle))
    light = np.where(across < 3.0, 400.0, 0.0) + 15.0 * np.exp(-0.5 * (across / 6.0) ** 2)
    known, unknown, clean = cells_of(light, (trail,)), cells_of(light), cells_of(0.0 * light)
    assert len(known.row) == len(clean.row)
    error = NOISE / np.sqrt(known.count)
    assert np.abs(known.mean_adu[:, 0] - SKY).max() < 4.5 * error.max()
    assert (unknown.mean_adu[:, 0] - SKY).max() > 0.8, "the flanks pass the clipping"


def test_cells_lie_on_the_sky_and_keep_their_mean():
    y = np.mgrid[0:HEIGHT, 0:WIDTH][0]
    cells = cells_of(0.1 * (y - HEIGHT / 2))
    expected = SKY + 0.1 * cells.v * HEIGHT
    whole = cells.count > 0.9 * CELL**2
    assert whole.sum() >= 12
    assert np.abs(cells.mean_adu[whole, 0] - expected[whole]).max() < 0.6


def test_noise_of_glow_that_was_taken_off_is_told_with_the_light_that_made_it():
    bias, gain = 200.0, 0.5
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    glow = 800.0 * np.exp(-np.hypot(x - WIDTH, y - HEIGHT) / 100.0)
    sky = 500.0 + 300.0 * x / WIDTH
    noise = np.random.default_rng(6).normal(0.0, 1.0, glow.shape) * np.sqrt(gain * (sky + glow))
    blocks = glow.reshape(HEIGHT // BLOCK_PX, BLOCK_PX, WIDTH // BLOCK_PX, BLOCK_PX).mean(axis=(1, 3))
    pattern = replace(NO_PATTERN, glow_adu=blocks.astype(np.float32))
    measured = measured_of(frame_of(width=WIDTH, height=HEIGHT, bayer=None), sky=(bias + 600.0,), noise=(18.0,))
    nothing = (np.empty(0), np.empty(0), np.empty(0))
    plane = (bias + sky + noise).astype(np.float32)
    noise_per_light = []
    for known in (pattern, NO_PATTERN):
        level, variance, _ = sample_cells(measured, [plane], 1, WCS, WCS, 32, nothing, known).transfer.T
        noise_per_light.append(variance / (gain * (level - bias)))
    assert np.abs(noise_per_light[0] - 1.0).max() < 0.06
    assert np.abs(noise_per_light[1] - 1.0).max() > 0.12


def test_clipping_leaves_brightness_proportional_to_light():
    """The limits lie closer above than below, and noise grows with light: uncorrected, bright cells lose more."""
    up = np.mgrid[0:HEIGHT, 0:WIDTH][0] / HEIGHT
    rng = np.random.default_rng(8)
    nothing = (np.empty(0), np.empty(0), np.empty(0))
    measured = measured_of(frame_of(width=WIDTH, height=HEIGHT, bayer=None), sky=(SKY,), noise=(NOISE,))
    errors = []
    for _ in range(8):
        raw = SKY + 20.0 * up + rng.normal(0.0, 1.0, up.shape) * NOISE * (0.6 + up)
        cells = sample_cells(measured, [raw.astype(np.float32)], 1, WCS, WCS, CELL, nothing)
        whole = cells.count > 0.9 * CELL**2
        expected = SKY + 20.0 * (cells.v[whole] + 0.5)
        errors.append(20.0 * np.polyfit(expected, cells.mean_adu[whole, 0] - expected, 1)[0])
    assert abs(np.mean(errors)) < 0.2, "ADU from the dark to the bright end"
