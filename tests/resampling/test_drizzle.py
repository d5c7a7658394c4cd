"""Drops: exact overlaps, the sums of a plain reference, agreement with the `drizzle` package, no seams."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mosaic_frames import BENT, SCALE_DEG, calibrated_of, solved_of, wcs_of

from zemosaic.coadd.tile_task import pixel_area_ratio
from zemosaic.model import CalibratedFrame, detector_coordinates, sky_level
from zemosaic.resampling.drizzle import DropKernel, DropRules, _below, add_drops, drop_lattice, raw_cube
from zemosaic.wcs import FrameWcs

SIZE = (48, 40)
SUNS = DropRules(0.8)


def frame_at(bayer: str | None = "GRBG", bend_px: float = 0.005, **calibration: object) -> CalibratedFrame:
    wcs = wcs_of(40.0, 20.0, 13.0, size=SIZE, bend_px=bend_px)
    return calibrated_of(solved_of(wcs, 0, SIZE, bayer=bayer), **calibration)


def canvas(scale: float = 1.0, side: int = 60) -> FrameWcs:
    step = SCALE_DEG / scale
    return FrameWcs(40.0, 20.0, 0.5 * (side - 1) * scale, 0.5 * (side - 1) * scale, ((-step, 0.0), (0.0, step)))


def drizzled(
    pixels: np.ndarray,
    frame: CalibratedFrame,
    onto: FrameWcs,
    box,
    rules: DropRules,
    weights=None,
    channels: int = 3,
    model: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of one frame over a box."""
    shape = box[1] - box[0], box[3] - box[2]
    model = np.zeros((channels, *shape), np.float32) if model is None else model
    total, heavy = np.zeros((channels, *shape), np.float32), np.zeros((channels, *shape), np.float32)
    window = (0, SIZE[1], 0, SIZE[0])
    weights = np.ones(shape, np.float32) if weights is None else weights
    lattice = drop_lattice(frame.wcs, onto, window)
    ratio = pixel_area_ratio(onto, frame.wcs)
    add_drops(raw_cube(pixels), window, frame, lattice, box, rules, ratio, weights, model, (total, heavy))
    return total, heavy


def noise(seed: int = 2, planes: int = 0) -> np.ndarray:
    shape = (SIZE[1], SIZE[0]) + ((planes,) if planes else ())
    return np.random.default_rng(seed).uniform(100, 200, shape).astype(np.float32)


def clipped_area(corners: list[tuple[float, float]]) -> float:
    """Return the area of a polygon inside the unit square (Sutherland & Hodgman 1974)."""
    points = corners
    for axis, limit, sign in ((0, 0.0, 1), (0, 1.0, -1), (1, 0.0, 1), (1, 1.0, -1)):
        inside = [sign * (p[axis] - limit) >= 0 for p in points]
        kept = []
        for k, p in enumerate(points):
            before = points[k - 1]
            if inside[k] != inside[k - 1]:
                t = (limit - before[axis]) / (p[axis] - before[axis])
                kept.append(tuple(before[m] + t * (p[m] - before[m]) for m in (0, 1)))
            if inside[k]:
                kept.append(p)
        points = kept
        if not points:
            return 0.0
    x, y = np.array(points).T
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


numbers = st.floats(-2.0, 3.0)


@given(st.tuples(numbers, numbers), st.floats(0.05, 2.0), st.floats(0.05, 2.0), st.floats(0, 6.3))
def test_overlaps_are_exact(centre, width, height, angle):
    c, s = math.cos(angle), math.sin(angle)
    corners = [
        (centre[0] + u * width * c - v * height * s, centre[1] + u * width * s + v * height * c)
        for u, v in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
    ]
    area = sum(_below(*a, *b) for a, b in zip(corners, corners[1:] + corners[:1], strict=True))
    assert abs(area) == pytest.approx(clipped_area(corners), abs=1e-8)


def plain(pixels: np.ndarray, frame: CalibratedFrame, onto: FrameWcs, shape, rules: DropRules, channel_of) -> tuple:
    """Return what `add_drops` adds, drop by drop, corners through the exact WCS."""
    total, heavy = np.zeros((3, *shape)), np.zeros((3, *shape))
    ratio = pixel_area_ratio(onto, frame.wcs)
    half = 0.5 * rules.pixfrac
    for y in range(SIZE[1]):
        for x in range(SIZE[0]):
            at = np.array([(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)])
            px, py = onto.sky_to_pixel(*frame.wcs.pixel_to_sky(at[:, 0], at[:, 1]))
            whole = 0.5 * abs(np.dot(px, np.roll(py, -1)) - np.dot(py, np.roll(px, -1)))
            for m in range(max(0, int(py.min())), min(shape[0], int(py.max()) + 2)):
                for n in range(max(0, int(px.min())), min(shape[1], int(px.max()) + 2)):
                    corners = [(a - n + 0.5, b - m + 0.5) for a, b in zip(px, py, strict=True)]
                    part = clipped_area(corners) / whole
                    c = channel_of(y, x)
                    total[c, m, n] += part * ratio * pixels[y, x]
                    heavy[c, m, n] += part
    return total, heavy


def test_each_colour_falls_from_its_own_pixels_as_in_the_plain_reference():
    frame, onto, pixels = frame_at(), canvas(1.5), noise()
    box = (20, 70, 15, 70)
    total, heavy = drizzled(pixels, frame, onto, (0, 90, 0, 90), SUNS)
    wanted = plain(pixels, frame, onto, (90, 90), SUNS, lambda y, x: "RGB".index("GRBG"[y % 2 * 2 + x % 2]))
    # The lattice of exact places, 32 px apart, leaves some thousandths of a pixel.
    assert np.abs(heavy - wanted[1]).max() < 0.01
    assert np.abs(total - wanted[0]).max() < 0.01 * 200
    assert heavy.sum() == pytest.approx(SIZE[0] * SIZE[1], rel=1e-4)
    part = drizzled(pixels, frame, onto, box, SUNS)
    # Nothing falls from outside of the outermost pixels but one, where the model is not known.
    inside, same = np.s_[:, 3:-3, 3:-3], np.s_[:, box[0] + 3 : box[1] - 3, box[2] + 3 : box[3] - 3]
    assert np.array_equal(part[0][inside], total[same])
    assert np.array_equal(part[1][inside], heavy[same])


@pytest.mark.filterwarnings("ignore:Kernel 'gaussian'")
@pytest.mark.parametrize("kernel", list(DropKernel))
@pytest.mark.parametrize(("scale", "pixfrac"), [(1.0, 1.0), (2.0, 0.6)])
def test_agreement_with_the_drizzle_package(kernel, scale, pixfrac):
    resample = pytest.importorskip("drizzle.resample")
    frame, onto, pixels = frame_at(bayer=None, bend_px=0.0), canvas(scale), noise()
    side = int(60 * scale)
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    pixmap = np.stack(onto.sky_to_pixel(*frame.wcs.pixel_to_sky(x, y)), axis=-1)
    theirs = resample.Drizzle(kernel=kernel.name.lower(), out_shape=(side, side), fillval="NaN", disable_ctx=True)
    theirs.add_image(pixels, 1.0, pixmap, pixel_scale_ratio=1.0 / scale, pixfrac=pixfrac, in_units="cps")
    total, heavy = drizzled(pixels, frame, onto, (0, side, 0, side), DropRules(pixfrac, kernel), channels=1)
    inside = heavy[0] > 0.05
    assert inside.sum() > 1500 * scale**2
    assert np.abs(theirs.out_wht - heavy[0]).max() < 0.012 * heavy.max()
    ratio = pixel_area_ratio(onto, frame.wcs)
    assert np.abs(total[0][inside] / heavy[0][inside] / ratio - theirs.out_img[inside]).max() < 0.5


def test_calibration_and_rejection():
    frame = frame_at(bayer=None, bias_adu=10.0, transparency=(0.5,) * 3, sky_adu=((20.0, 4.0, -6.0),) * 3)
    onto, pixels = canvas(), noise()
    weights = np.full((60, 60), 2.0, np.float32)
    weights[30:, :] = 0.0
    total, heavy = drizzled(pixels, frame, onto, (0, 60, 0, 60), SUNS, weights)
    assert not heavy[:, 30:].any() and heavy[:, 20:30, 20:40].all()
    flat = frame_at(bayer=None)
    plain_total, plain_heavy = drizzled(pixels, flat, onto, (0, 60, 0, 60), SUNS)
    seen = np.s_[:, 20:30, 20:40]
    assert np.allclose(heavy[seen], 2 * plain_heavy[seen], rtol=1e-5)
    value, before = total[seen] / heavy[seen], plain_total[seen] / plain_heavy[seen]
    assert np.abs(value - 2 * (before - 30.0)).max() < 12.0
    assert np.abs(np.mean(value - 2 * (before - 30.0))) < 3.0


def test_a_bent_sky_goes_from_every_raw_pixel():
    sky = (20.0, 4.0, -6.0, *(40.0 * bend for bend in BENT))
    pixels = np.full(SIZE[::-1], 500.0, np.float32)
    total, heavy = drizzled(pixels, frame_at(sky_adu=(sky,) * 3), canvas(), (0, 60, 0, 60), SUNS)
    plain, _ = drizzled(pixels - 20.0, frame_at(), canvas(), (0, 60, 0, 60), SUNS)
    px, py = frame_at().wcs.sky_to_pixel(*canvas().pixel_to_sky(*np.meshgrid(np.arange(60), np.arange(60))))
    bent = sky_level((0.0, *sky[1:]), *detector_coordinates(px, py, *SIZE))
    seen = np.s_[:, 20:40, 20:40]
    off = ((plain - total) / np.where(heavy > 0, heavy, np.nan))[seen] - bent[20:40, 20:40]
    assert np.nanmax(np.abs(off)) < 0.2 * np.ptp(bent[20:40, 20:40])


def test_drops_carry_what_the_model_lacks():
    """A frame of a smooth sky adds nothing to that sky, however unevenly its drops fall, and nothing beside holes."""
    frame, onto = frame_at(), canvas(1.5)
    y, x = np.mgrid[0:90, 0:90]
    sky = np.stack([100 + level * np.sin(x / 15) * np.cos(y / 12) for level in (40, 60, 80)]).astype(np.float32)
    columns, rows = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    px, py = onto.sky_to_pixel(*frame.wcs.pixel_to_sky(columns, rows))
    level = np.array([[60, 40], [80, 60]])[rows % 2, columns % 2]
    pixels = (100 + level * np.sin(px / 15) * np.cos(py / 12)) / pixel_area_ratio(onto, frame.wcs)
    model = sky.copy()
    model[:, 40:44, 50:54] = np.nan
    box = (0, 90, 0, 90)
    total, heavy = drizzled(pixels.astype(np.float32), frame, onto, box, SUNS, model=model)
    assert (heavy > 0.05).mean() > 0.1 and not heavy[:, 41:43, 51:53].any()
    assert np.abs(total).max() < 0.1, "0.01 px of place make 0.05"
    plain, _ = drizzled(pixels.astype(np.float32), frame, onto, box, SUNS)
    assert np.abs(plain).max() > 50
    brighter, again = drizzled(pixels.astype(np.float32), frame, onto, box, SUNS, model=model - np.float32(7.0))
    assert np.array_equal(again, heavy)
    assert np.allclose(brighter - total, 7.0 * heavy, atol=1e-2)


def test_light_that_is_none_is_left_out_and_colour_planes_stay_apart():
    frame, onto, pixels = frame_at(bayer=None), canvas(), noise(planes=3)
    pixels[:20] = np.nan
    pixels[..., 2] = 7.0
    total, heavy = drizzled(pixels, frame, onto, (0, 60, 0, 60), SUNS)
    assert heavy.sum() == pytest.approx((2 * (SIZE[1] - 20) + SIZE[1]) * SIZE[0], rel=1e-4)
    ratio = pixel_area_ratio(onto, frame.wcs)
    assert np.allclose((total[2] / ratio)[heavy[2] > 0.01] / heavy[2][heavy[2] > 0.01], 7.0, rtol=1e-4)
