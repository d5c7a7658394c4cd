"""The quick look: few frames that cover the canvas, calibrated and made small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mosaic_frames import calibrated_of, solved_of, wcs_of

from zemosaic.model import GridPlan
from zemosaic.mosaic.canvas import make_canvas
from zemosaic.phases.live_preview.quick_look import covering, reduced


def survey(each: int = 6) -> tuple[GridPlan, list]:
    rng = np.random.default_rng(8)
    frames = [
        calibrated_of(solved_of(wcs_of(80 + ra + dither[0], dec + dither[1], turn), 4 * k + n))
        for n, (ra, dec) in enumerate([(0, 10), (0.6, 10), (0, 11.1), (0.6, 11.1)])
        for k, (dither, turn) in enumerate(zip(rng.normal(0, 0.01, (each, 2)), rng.normal(0, 2, each), strict=True))
    ]
    canvas = make_canvas([frame.solved for frame in frames], "north_up", "median")
    return GridPlan(canvas.wcs, canvas.width, canvas.height, 3, ()), frames


def seen_by(plan, frames):
    x, y = np.meshgrid(np.arange(20, plan.width, 40), np.arange(20, plan.height, 40))
    sky = plan.wcs.pixel_to_sky(x, y)
    within = np.zeros(x.shape, bool)
    for frame in frames:
        u, v = frame.wcs.sky_to_pixel(*sky)
        within |= (u > 0) & (u < frame.frame.width - 1) & (v > 0) & (v < frame.frame.height - 1)
    return within


def test_few_frames_cover_what_all_cover_and_hidden_ones_are_passed_over():
    plan, frames = survey()
    frames[0] = replace(frames[0], obstructed=(3, 4))
    chosen = covering(plan, frames)
    assert 4 <= len(chosen) <= 16 and frames[0] not in chosen
    assert seen_by(plan, chosen).sum() > 0.97 * seen_by(plan, frames).sum()
    assert covering(plan, chosen) == chosen, "the same answer for the same frames"
    assert covering(plan, [frames[0]]) == [frames[0]]
    assert covering(plan, []) == []


@pytest.mark.parametrize(("bayer", "channels", "block"), [("GRBG", 3, 8), (None, 1, 5)])
def test_blocks_are_calibrated_as_the_mosaic_is(bayer, channels, block):
    frame = calibrated_of(solved_of(wcs_of(80, 10), channels=channels, bayer=bayer))
    sky = ((300.0, 20.0, -10.0), (400.0, 5.0, 0.0), (350.0, 0.0, 15.0))[:channels]
    passed = (0.8, 0.9, 1.1)[:channels]
    frame = replace(frame, sky_adu=sky, transparency=passed, bias_adu=256.0, illumination=(-0.2, -0.05))
    height, width = frame.frame.height, frame.frame.width
    y, x = np.mgrid[:height, :width]
    u, v = (x - width / 2) / height, (y - height / 2) / height
    r2 = u * u + v * v
    signal = np.array([100.0, 200.0, 50.0])[:channels]
    light = [t * s + a + b * u + c * v for s, t, (a, b, c) in zip(signal, passed, sky, strict=True)]
    raw = [256.0 + (1 - 0.2 * r2 - 0.05 * r2**2) * plane for plane in light]
    pixels = raw[0] if bayer is None else mosaicked(raw, bayer)
    small = reduced(frame, pixels.astype(np.float32), block)
    assert small.shape == (channels, height // block, width // block)
    assert small == pytest.approx(np.broadcast_to(signal[:, None, None], small.shape), abs=0.5)


def test_a_mono_frame_among_colour_ones_is_in_all_colours():
    mono = calibrated_of(solved_of(wcs_of(80, 10), channels=1, bayer=None))
    pixels = np.random.default_rng(2).normal(1000.0, 9.0, (mono.frame.height, mono.frame.width)).astype(np.float32)
    alone = reduced(mono, pixels, 5)
    among = reduced(replace(mono, sky_adu=mono.sky_adu * 3, transparency=mono.transparency * 3), pixels, 5)
    assert alone.shape[0] == 1
    np.testing.assert_array_equal(among, np.repeat(alone, 3, axis=0))


def mosaicked(planes, bayer):
    raw = np.empty_like(planes[0])
    for place, colour in enumerate(bayer):
        row, column = divmod(place, 2)
        raw[row::2, column::2] = planes["RGB".index(colour)][row::2, column::2]
    return raw
