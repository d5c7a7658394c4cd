"""Choices of interpolation, Bayer frames, the hold against ringing, and the plain form of the warp."""

from __future__ import annotations

import math
from dataclasses import replace

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mosaic_frames import BENT, SCALE_DEG, calibrated_of, solved_of, wcs_of

from zemosaic.model import CalibratedFrame
from zemosaic.resampling.interpolation import STEPS, Interpolation, kernels_of
from zemosaic.resampling.radial import MIN_CORNER_WEIGHT, radial_weight
from zemosaic.resampling.resample import ALLOWANCE
from zemosaic.resampling.warp import BORDER, frame_lattice, warp, window_of
from zemosaic.resampling.warp_plain import warp_plain
from zemosaic.wcs import FrameWcs

SIZE = (300, 260)
CANVAS = FrameWcs(50.0, 30.0, 200.0, 200.0, ((-SCALE_DEG, 0.0), (0.0, SCALE_DEG)))
BOX = (0, 400, 0, 400)


def frame_of(turn: float = 0.0, bayer: str | None = "GRBG", scale: float = 1.0, **changes: object) -> CalibratedFrame:
    """Return a frame about the canvas's centre."""
    wcs = wcs_of(50.003, 30.002, turn, size=SIZE, bend_px=0.2, scale_deg=SCALE_DEG * scale)
    solved = solved_of(wcs, size=SIZE)
    solved = replace(solved, measured=replace(solved.measured, frame=replace(solved.frame, bayer=bayer)))
    return calibrated_of(solved, **changes)


def warped(
    raw: np.ndarray, frame: CalibratedFrame, interpolation=Interpolation.LANCZOS3, ratio: float = 1.0, canvas=CANVAS
):
    """Return a whole frame on the canvas, numba's way."""
    lattice = frame_lattice(canvas, frame.wcs, BOX)
    window = window_of(lattice, *SIZE)
    out = np.empty((3, 400, 400), np.float32)
    part = raw[window[0] : window[1], window[2] : window[3]]
    warp(part, window, frame, lattice, BOX, out, interpolation, ratio)
    return out


def star(x0: float, y0: float, fwhm: float, flux: float = 1000.0) -> np.ndarray:
    """Return a Gaussian star of a given flux on the detector."""
    sigma = fwhm / 2.3548
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    return flux / (2 * math.pi * sigma**2) * np.exp(-0.5 * ((x - x0) ** 2 + (y - y0) ** 2) / sigma**2)


def moments(image: np.ndarray) -> tuple[float, float, float, float]:
    """Return flux, centroid and the Gaussian width of a star on nothing."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    flux = image.sum()
    cx, cy = (image * x).sum() / flux, (image * y).sum() / flux
    width = (image * ((x - cx) ** 2 + (y - cy) ** 2)).sum() / flux / 2
    return float(flux), float(cx), float(cy), math.sqrt(max(width, 0.0))


@pytest.mark.parametrize("interpolation", list(Interpolation))
def test_weights_add_up_to_one_and_meet_the_pixels(interpolation):
    for table in kernels_of(interpolation):
        assert table.shape[0] == STEPS + 1 and table.dtype == np.float32
        np.testing.assert_allclose(table.sum(axis=1), 1.0, atol=1e-6)
        first = 2 if table.shape[1] == 8 else 1
        np.testing.assert_allclose(table[0], np.eye(table.shape[1])[first], atol=1e-7)
    nearest = kernels_of(Interpolation.NEAREST)[0]
    assert set(np.unique(nearest)) == {0.0, 1.0}


@given(
    turn=st.floats(0, 360),
    bayer=st.sampled_from(["GRBG", "RGGB", "BGGR", "GBRG", None]),
    interpolation=st.sampled_from(list(Interpolation)),
    scale=st.floats(0.6, 1.6),
    seed=st.integers(0, 1000),
)
@settings(max_examples=15)
def test_vectors_do_what_the_plain_form_says(turn, bayer, interpolation, scale, seed):
    rng = np.random.default_rng(seed)
    shape = (SIZE[1], SIZE[0]) if bayer else (SIZE[1], SIZE[0], 3)
    raw = rng.integers(0, 60000, shape).astype(np.uint16)
    frame = frame_of(
        turn, bayer, scale, transparency=(0.9, 1.1, 0.7), sky_adu=((900.0, 11.0, -7.0, *BENT),) * 3, bias_adu=201.0,
        illumination=(-0.2, 0.05),
    )  # fmt: skip
    lattice = frame_lattice(CANVAS, frame.wcs, BOX)
    window = window_of(lattice, *SIZE)
    part = raw[window[0] : window[1], window[2] : window[3]]
    ours = np.empty((3, 400, 400), np.float32)
    warp(part, window, frame, lattice, BOX, ours, interpolation, 1.3)
    plain = warp_plain(part, window, frame, lattice, BOX, interpolation, 1.3)
    assert np.isfinite(ours).any()
    np.testing.assert_array_equal(np.isnan(plain), np.isnan(ours))
    np.testing.assert_allclose(plain, ours, rtol=1e-5, atol=0.1)


@pytest.mark.parametrize("bayer", ["GRBG", None])
def test_plain_form_speaks_only_the_array_api(bayer):
    shape = (SIZE[1], SIZE[0]) if bayer else (SIZE[1], SIZE[0], 3)
    raw = np.random.default_rng(1).integers(0, 60000, shape).astype(np.uint16)
    frame = frame_of(20.0, bayer, illumination=(-0.1,))
    box = (150, 200, 160, 230)
    lattice = frame_lattice(CANVAS, frame.wcs, box)
    window = window_of(lattice, *SIZE)
    part = raw[window[0] : window[1], window[2] : window[3]]
    for interpolation in Interpolation:
        strict = warp_plain(part, window, frame, lattice, box, interpolation, 1.0, array_api_strict)
        plain = warp_plain(part, window, frame, lattice, box, interpolation, 1.0, np)
        np.testing.assert_array_equal(np.from_dlpack(strict), plain)


@pytest.mark.parametrize("fwhm", [2.8, 3.5])
@pytest.mark.parametrize("turn", [0.0, 27.0])
@pytest.mark.parametrize("interpolation", [Interpolation.BICUBIC, Interpolation.LANCZOS3])
def test_stars_of_a_bayer_frame_keep_place_width_and_light(fwhm, turn, interpolation):
    frame = frame_of(turn)
    for x0, y0 in np.random.default_rng(7).uniform((80, 80), (220, 180), (5, 2)):
        out = np.nan_to_num(warped(star(x0, y0, fwhm).astype(np.float32), frame, interpolation)).astype(float)
        tx, ty = CANVAS.sky_to_pixel(*frame.wcs.pixel_to_sky(x0, y0))
        x, y = round(float(tx)), round(float(ty))
        flux, cx, cy, width = moments(out[1, y - 15 : y + 16, x - 15 : x + 16])
        assert flux == pytest.approx(1000.0, rel=0.01)
        assert math.hypot(cx + x - 15 - tx, cy + y - 15 - ty) < 0.02
        assert width * 2.3548 == pytest.approx(fwhm, rel=0.03 if interpolation is Interpolation.LANCZOS3 else 0.08)


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7])
def test_flux_does_not_depend_on_the_scale(scale):
    """`scale` is the canvas pixel over the frame's."""
    canvas = replace(CANVAS, cd=((-SCALE_DEG * scale, 0.0), (0.0, SCALE_DEG * scale)))
    frame = frame_of(15.0, None)
    raw = np.repeat(star(150.3, 128.7, 4.5)[..., None], 3, axis=2)
    out = np.nan_to_num(warped(raw, frame, ratio=scale**2, canvas=canvas))
    assert float(out[1].sum(dtype=float)) == pytest.approx(1000.0, rel=0.005)


@pytest.mark.parametrize("bayer", ["GRBG", None])
@pytest.mark.parametrize(("size", "least"), [(1, 0.0), (4, -ALLOWANCE * 59000.0)])
def test_a_bright_pixel_leaves_no_dark_ring(bayer, size, least):
    """Beside it the sky stays the sky; beside a plateau it falls by no more than the allowance."""
    rng = np.random.default_rng(3)
    raw = rng.normal(1000.0, 5.0, (SIZE[1], SIZE[0]))
    raw[100 : 100 + size, 140 : 140 + size] = 60000.0
    raw = raw if bayer else np.repeat(raw[..., None], 3, axis=2)
    out = warped(raw, frame_of(12.0, bayer))
    assert np.nanmin(out) > 1000.0 - 8 * 5.0 + least


def test_the_hold_does_not_shift_the_sky():
    raw = np.random.default_rng(4).normal(1000.0, 10.0, (SIZE[1], SIZE[0]))
    out = warped(raw, frame_of(33.0))
    assert np.abs(np.nanmean(out, axis=(1, 2)) - 1000.0).max() < 0.3


def test_missing_pixels_make_no_values():
    raw = np.full((SIZE[1], SIZE[0], 3), 500.0, np.float32)
    raw[120, 150, 1] = np.nan
    out = warped(raw, frame_of(10.0, None))
    holes = np.isnan(out[1]) & np.isfinite(out[0])
    assert 25 <= holes.sum() <= 49
    assert np.nanmin(out) == pytest.approx(500.0) and np.nanmax(out) == pytest.approx(500.0)


def test_radial_weights_fall_to_the_corners():
    frame = frame_of(0.0)
    lattice = frame_lattice(CANVAS, frame.wcs, BOX)
    weights = {f: np.empty((400, 400), np.float32) for f in (0.1, 0.6, 1.0)}
    for fraction, into in weights.items():
        radial_weight(frame.frame, lattice, BOX, fraction, into)
    x, y = frame.wcs.sky_to_pixel(*CANVAS.pixel_to_sky(np.arange(400)[None, :], np.arange(400)[:, None]))
    on = (x > BORDER) & (x < SIZE[0] - BORDER) & (y > BORDER) & (y < SIZE[1] - BORDER)
    r = np.hypot(x - 149.5, y - 129.5) / math.hypot(149.5, 129.5)
    assert (weights[1.0][on & (r < 1)] == 1.0).all()
    assert (weights[0.6][on & (r < 0.599)] == 1.0).all()
    fall = np.clip((r - 0.6) / 0.4, 0, 1)
    expected = MIN_CORNER_WEIGHT + (1 - MIN_CORNER_WEIGHT) * np.cos(0.5 * np.pi * fall) ** 2
    np.testing.assert_allclose(weights[0.6][on], expected[on], atol=1e-3)
    assert (weights[0.1] <= weights[0.6]).all() and weights[0.1][on].min() < 0.2
