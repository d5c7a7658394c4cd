"""The proper coadd: as deep as the frames together, true in light and sky, whatever ends or is masked where."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from run_of_frames import CANVAS, calibrated_frame, frame_ref, measured_frame, solved_frame
from scipy import fft
from small_survey import CROPPED

from zemosaic.coadd.proper.proper_tile import MARGIN_PX, grown_box, proper_pixels
from zemosaic.coadd.proper.transfer import ShapeOnCanvas, half_maximum_width, shape_on_canvas, transfer_function
from zemosaic.mosaic.star_model import TileStars
from zemosaic.stacking.rules import StackRules

SIDE = 192
SHARP, SOFT = 2.2, 5.0
SKY = 40.0
NO_STARS = TileStars(np.empty(0), np.empty(0), np.empty((0, 1)), 3.0, (1.0, 1.0))


def shape_of(fwhm: float) -> ShapeOnCanvas:
    alpha = fwhm / (2.0 * math.sqrt(2.0 ** (1.0 / 3.0) - 1.0))
    return ShapeOnCanvas(alpha**-2, 0.0, alpha**-2)


def blurred(picture: np.ndarray, fwhm: float) -> np.ndarray:
    return fft.irfft2(fft.rfft2(picture) * transfer_function(shape_of(fwhm), picture.shape), picture.shape)


class Frames:
    """Frames of one channel that are on the canvas already, as `proper_pixels` asks for them."""

    def __init__(self, planes: list[np.ndarray], noise: list[float]) -> None:
        self.planes, self.noises = [plane[None].astype(np.float32) for plane in planes], np.array(noise)[:, None]
        frame = SimpleNamespace(transparency=(1.0,), sky_adu=((1e9, 0.0, 0.0),))
        self.task = SimpleNamespace(
            tile=SimpleNamespace(outer=(0, SIDE, 0, SIDE)),
            rules=StackRules(kappa_low=5.0, kappa_high=5.0),
            stars=NO_STARS,
            channels=1,
            frames=[frame] * len(planes),
            task_bytes=1 << 30,
        )

    def passing(self, box, order):
        return ((k, self.planes[k].copy()) for k in order)


def coadd(planes: list[np.ndarray], noise: list[float], widths: list[float], middle: np.ndarray | None = None):
    middle = np.nanmedian(planes, axis=0) if middle is None else middle
    frames = Frames(planes, noise)
    value, number = proper_pixels(frames, tuple(map(shape_of, widths)), middle[None].astype(np.float32))
    return value[0].astype(float), number


def depth(picture: np.ndarray, profile: np.ndarray) -> float:
    """Return the information of a matched filter on a picture of noise."""
    found = fft.irfft2(fft.rfft2(picture - picture.mean()) * np.conj(fft.rfft2(profile)), picture.shape)
    return float((profile**2).sum() ** 2 / found[24:-24, 24:-24].var())


def test_a_matched_filter_is_as_deep_as_all_frames_together():
    rng = np.random.default_rng(5)
    widths, noise = [SHARP] * 2 + [SOFT] * 6, [1.2] * 2 + [1.0] * 6
    planes = [SKY + rng.normal(0.0, sigma, (SIDE, SIDE)) for sigma in noise]
    point = np.zeros((SIDE, SIDE))
    point[0, 0] = 1.0
    profiles = [blurred(point, width) for width in widths]
    bound = sum((profile**2).sum() / sigma**2 for profile, sigma in zip(profiles, noise, strict=True))
    value, number = coadd(planes, noise, widths, np.full((SIDE, SIDE), SKY))
    precision = np.array(noise) ** -2.0
    transfers = np.array([transfer_function(shape_of(width), (SIDE, SIDE)) for width in widths])
    own = fft.irfft2(np.sqrt(np.tensordot(precision, transfers**2, 1) / precision.sum()), (SIDE, SIDE))
    mean = np.tensordot(precision / precision.sum(), planes, 1)
    of_mean = np.tensordot(precision / precision.sum(), profiles, 1)
    assert (number == len(widths)).all()
    assert depth(value, own) == pytest.approx(bound, rel=0.1)
    assert depth(mean, of_mean) < 0.8 * bound, "the plain mean is what it has to beat"
    inside = (value - SKY)[32:-32, 32:-32]
    assert inside.std() == pytest.approx(precision.sum() ** -0.5, rel=0.05)
    beside = (inside[:, 1:] * inside[:, :-1]).mean() / inside.var()
    assert abs(beside) < 0.05, "its noise is white"


def test_stars_keep_their_light_and_the_sky_its_level_where_a_frame_ends():
    sky = np.zeros((SIDE, SIDE))
    places = ((60, 40), (60, 150), (130, 96))
    for y, x in places:
        sky[y, x] = 1000.0
    planes = [SKY + blurred(sky, SHARP), SKY + blurred(sky, SOFT), SKY + blurred(sky, SOFT)]
    planes[0][:, 96:] = np.nan
    value, number = coadd(planes, [1e3, 1e3, 2e3], [SHARP, SOFT, SOFT], np.full((SIDE, SIDE), SKY))
    assert number[0, 0] == 3 and number[0, -1] == 2
    far = np.ones((SIDE, SIDE), bool)
    for y, x in places:
        far[max(0, y - 30) : y + 31, max(0, x - 30) : x + 31] = False
    assert np.abs(value[far] - SKY).max() < 0.02 * 1000.0 / 30**2
    for y, x in places[:2]:
        assert (value - SKY)[y - 28 : y + 29, x - 28 : x + 29].sum() == pytest.approx(1000.0, rel=0.03)
    peaks = [value[y, x] for y, x in places[:2]]
    assert peaks[0] > 1.3 * peaks[1], "the sharp frame shows where it is"


def test_less_memory_makes_the_same_pixels():
    rng = np.random.default_rng(9)
    planes, middle = [rng.normal(SKY, 1.0, (SIDE, SIDE)) for _ in range(3)], np.full((1, SIDE, SIDE), SKY, np.float32)
    made = []
    for task_bytes in (1 << 30, 1 << 10):
        frames = Frames(planes, [1.0] * 3)
        frames.task.task_bytes = task_bytes
        made.append(proper_pixels(frames, tuple(map(shape_of, (SHARP, SOFT, SOFT))), middle)[0])
    assert (made[0] == made[1]).all()


def test_what_a_frame_alone_shows_is_left_out_and_empty_pixels_stay_empty():
    rng = np.random.default_rng(6)
    noise = [1.0] * 5
    planes = [SKY + rng.normal(0.0, 1.0, (SIDE, SIDE)) for _ in noise]
    clean, _ = coadd(planes, noise, [3.0] * 5)
    planes[2][:, 80:84] += 60.0
    planes[0][20, 20] = planes[1][20, 20] = np.nan
    middle = np.nanmedian(planes, axis=0)
    middle[:, 180:] = np.nan
    middle[100, 30] = SKY + 500.0
    value, number = coadd(planes, noise, [3.0] * 5, middle)
    assert (number[:, 80:84] == 4).mean() > 0.99 and number[20, 20] == 3
    assert np.abs((value - clean)[:, 60:100]).max() < 2.0 and abs((value - clean)[:, 80:84].mean()) < 0.1
    assert np.isnan(value[:, 180:]).all() and np.isfinite(value[:, :180]).all()
    assert value[100, 30] == pytest.approx(SKY + 500.0) and number[100, 30] == 0, "the mosaic's value stands"


def test_the_shape_of_stars_turns_and_scales_with_the_frame():
    rng = np.random.default_rng(7)
    ref = frame_ref(0, datetime(2025, 3, 27, 1))
    frame = calibrated_frame(solved_frame(measured_frame(ref, rng, 3.0), rng, 0.0), rng)
    cd = np.array(CANVAS.cd)
    quarter = cd @ np.array([[0.0, -1.0], [1.0, 0.0]]) * 2.0
    wcs = replace(CANVAS, cd=tuple(map(tuple, quarter.tolist())))
    measured = replace(frame.solved.measured, fwhm_px=3.0, eccentricity=0.6, position_angle_deg=0.0)
    solution = replace(frame.solved.solution, wcs=wcs)
    frame = replace(frame, solved=replace(frame.solved, measured=measured, solution=solution))
    shape = shape_on_canvas(CANVAS, frame, 2.5)
    # Along the frame's x, which is the canvas's y here, and twice as wide in its pixels.
    assert shape.xy == pytest.approx(0.0, abs=1e-9)
    assert shape.xx / shape.yy == pytest.approx(1.0 / (1.0 - 0.6**2))
    alpha = 6.0 / (2.0 * math.sqrt(2.0 ** (1.0 / 3.0) - 1.0))
    assert shape.xx * shape.yy == pytest.approx(alpha**-4)
    unknown = replace(measured, fwhm_px=math.nan, eccentricity=math.nan)
    frame = replace(frame, solved=replace(frame.solved, measured=unknown))
    assert shape_on_canvas(CANVAS, frame, 3.0).xx == pytest.approx(alpha**-2)


def test_the_transfer_is_that_of_a_profile_and_its_width_is_found_again():
    transfer = transfer_function(shape_of(4.0), (128, 100))
    assert transfer.shape == (128, 51) and transfer[0, 0] == pytest.approx(1.0)
    assert (np.diff(transfer[0, :20]) < 0).all()
    assert half_maximum_width(transfer, (128, 100)) == pytest.approx(math.hypot(4.0, 0.7), rel=0.05)


def test_tiles_grow_within_the_canvas():
    assert grown_box((0, 100, 500, 700), 1000, 720) == (0, 100 + MARGIN_PX, 500 - MARGIN_PX, 720)


def proper_of(output: Path) -> tuple[np.ndarray, fits.Header]:
    (path,) = output.glob("*_proper.fits")
    with fits.open(path) as file:
        return np.array(file[0].data), file[0].header.copy()


def test_a_run_writes_it_on_the_pixels_of_the_mosaic(explained_run):
    mosaic = fits.getdata(explained_run.mosaic)
    value, header = proper_of(explained_run.output)
    assert value.shape == mosaic.shape and ((value == 0) == (mosaic == 0)).all()
    assert header["IMAGETYP"] == "proper map" and header["BUNIT"] == "adu"
    there = mosaic[1] != 0
    sigma = fits.getdata(explained_run.mosaic.with_name(f"{explained_run.mosaic.stem}_sigma.fits"))[1]
    change = ((value - mosaic)[1] / sigma)[there]
    assert abs(np.median(change)) < 0.05, "the level is the mosaic's"
    assert np.percentile(np.abs(change), 50) < 1.0 and np.abs(change).max() > 3.0, "and stars differ"
    report = json.loads((explained_run.output / "run_report.json").read_text(encoding="utf-8"))
    widths = [frame["metrics"]["fwhm_arcsec"] for frame in report["frames"] if frame["status"] == "used"]
    assert min(widths) < header["ZMPFWHM"] < 1.3 * max(widths)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["grid", "classic"])
def test_the_same_bytes_whatever_the_workers_and_after_another_mode(explained_run, tmp_path, mode):
    first = explained_run.run(tmp_path / "one", num_processing_workers=1, mosaic_mode=mode, **CROPPED)
    second = explained_run.run(tmp_path / "two", num_processing_workers=2, mosaic_mode=mode, **CROPPED)
    assert proper_of(first)[0].tobytes() == proper_of(second)[0].tobytes()
