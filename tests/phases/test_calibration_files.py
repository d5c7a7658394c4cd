"""Master dark, bias and flat: combined, checked, applied wherever pixels are read; the truth is known."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from zemosaic.calibration.calibration_frames import CalibrationFrames, combine_frames, dead_pixels, flat_response
from zemosaic.calibration.detector import calibrated_pixels
from zemosaic.compute.budget import make_budget
from zemosaic.compute.executors import SerialExecutor
from zemosaic.compute.machine_resources import ResourceMonitor
from zemosaic.errors import InputError
from zemosaic.events import Event, Warned
from zemosaic.frames.frame_files import read_frame
from zemosaic.i18n import Translator
from zemosaic.model import FrameRef
from zemosaic.phases.context import RunContext, make_context
from zemosaic.phases.live_preview import quick_look
from zemosaic.phases.measure import measure_frames
from zemosaic.phases.parts.calibration_files import combine_calibration_frames
from zemosaic.phases.run.workers import Workers
from zemosaic.settings.schema import Settings
from zemosaic.store.journal import Journal

HEIGHT, WIDTH = 128, 160
BIAS, DARK = 200.0, 30.0
LIGHT_S = 10.0
COLOURS = np.where(np.arange(HEIGHT)[:, None] % 2 == np.arange(WIDTH) % 2, 1.0, 0.6)
"""GRBG: green twice, red and blue less."""


def true_response() -> np.ndarray:
    """Return vignetting and the shadow of a speck of dust, 20 % deep."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    r2 = ((x - WIDTH / 2) ** 2 + (y - HEIGHT / 2) ** 2) / HEIGHT**2
    dust = 0.2 * np.exp(-0.5 * ((x - 40) ** 2 + (y - 90) ** 2) / 6.0**2)
    return (1.0 - 0.2 * r2) * (1.0 - dust)


def fixed_pattern() -> np.ndarray:
    """Return what the sensor adds without light, with a glow in a corner and warm pixels."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    glow = 60.0 * np.exp(-(x + y) / 40.0)
    return DARK * rng.uniform(0.5, 1.5, (HEIGHT, WIDTH)) + glow


def write(path: Path, values: np.ndarray, kind: str, seed: int, noise: float = 3.0, **cards: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noisy = values + np.random.default_rng(seed).normal(0, noise, values.shape)
    told = {"IMAGETYP": kind, "INSTRUME": "Test", "GAIN": 80, "EXPTIME": LIGHT_S, "BAYERPAT": "GRBG", "CCD-TEMP": 20.0}
    header = fits.Header([(key, value) for key, value in (told | cards).items() if value is not None])
    fits.PrimaryHDU(np.clip(np.rint(noisy), 0, 65535).astype(np.uint16), header).writeto(path)
    return path


def true_scene() -> np.ndarray:
    """Return an even sky with twelve stars."""
    rng = np.random.default_rng(9)
    scene = np.full((HEIGHT, WIDTH), 2000.0) * COLOURS
    for x, y in zip(rng.uniform(15, WIDTH - 15, 12), rng.uniform(15, HEIGHT - 15, 12), strict=True):
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
        scene += 9000.0 * COLOURS * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / 1.5**2)
    return scene


def write_lights(folder: Path, number: int = 2, **cards: object) -> list[FrameRef]:
    raw = true_scene() * true_response() + fixed_pattern() + BIAS
    return [read_frame(write(folder / f"l{k}.fit", raw, "Light", 50 + k, 8.0, **cards), k) for k in range(number)]


def write_darks(folder: Path, number: int = 9, **cards: object) -> Path:
    for k in range(number):
        write(folder / f"d{k}.fit", fixed_pattern() + BIAS, "Dark", 100 + k, **cards)
    return folder


def write_flats(folder: Path, number: int = 9) -> Path:
    for k in range(number):
        level = 20000.0 * (1.0 + 0.1 * k)
        write(folder / f"f{k}.fit", level * true_response() * COLOURS + BIAS, "Flat", 200 + k, 60.0, EXPTIME=0.02)
    return folder


def write_biases(folder: Path, number: int = 9) -> Path:
    for k in range(number):
        write(folder / f"b{k}.fit", np.full((HEIGHT, WIDTH), BIAS), "Bias", 300 + k, EXPTIME=0.001)
    return folder


@contextlib.contextmanager
def run(tmp_path: Path, **settings: object) -> Iterator[tuple[RunContext, list[Event]]]:
    """Yield the context of a run and the events it will have told."""
    events: list[Event] = []
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    with ResourceMonitor(5.0) as monitor:
        context = make_context(
            settings=Settings(input_dir=str(tmp_path), output_dir=str(out), **settings),
            emit=events.append,
            workers=Workers(SerialExecutor(), make_budget(0.0, 1), lambda: False, out),
            journal=Journal(out / "journal.sqlite"),
            monitor=monitor,
        )
        try:
            yield context, events
        finally:
            context.folder.journal.close()


def refused(tmp_path: Path, lights: list[FrameRef], **settings: object) -> InputError:
    """Return the error that ends the run; it can be told in both languages."""
    with run(tmp_path, **settings) as (context, _), pytest.raises(InputError) as caught:
        combine_calibration_frames(context, lights)
    for language in ("en", "fr"):
        assert "{" not in Translator(language).message(caught.value.message)
    return caught.value


class Memory:
    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        return self.pixels[y0:y1, x0:x1]


def test_calibrated_frames_show_neither_pattern_nor_dust(tmp_path):
    lights = write_lights(tmp_path / "lights")
    darks, flats, biases = (
        write_darks(tmp_path / "darks"),
        write_flats(tmp_path / "flats"),
        write_biases(tmp_path / "biases"),
    )
    given = {"master_dark": str(darks), "master_flat": str(flats), "master_bias": str(biases)}
    with run(tmp_path, **given) as (context, events):
        measured, cameras = measure_frames(context, lights)
        camera = cameras[lights[0].camera_key]
        pixels = calibrated_pixels(lights[0], camera.path, context.scratch)
        window = calibrated_pixels(lights[0], camera.path, context.scratch, (70, 110, 20, 60))
        plain = SimpleNamespace(
            frame=lights[0],
            illumination=(),
            bias_adu=0.0,
            level_jump_adu=0.0,
            sky_adu=((0.0,) * 3,) * 3,
            transparency=(1.0,) * 3,
        )
        quick = quick_look.read_reduced(quick_look.Task(plain, 8, camera.path, context.scratch))
    np.testing.assert_array_equal(quick, quick_look.reduced(plain, pixels, 8), "the quick look is calibrated too")
    assert not [event for event in events if isinstance(event, Warned)]
    np.testing.assert_array_equal(window, pixels[70:110, 20:60])
    sky = pixels / true_scene()
    dust, clean = np.median(sky[86:95, 36:45]), np.median(sky[86:95, 60:80])
    assert dust == pytest.approx(clean, rel=0.005), "the dust's shadow is gone"
    corner, middle = np.median(sky[:20, :20]), np.median(sky[54:74, 70:90])
    assert corner == pytest.approx(middle, rel=0.005), "so are vignetting and glow"
    assert measured[0].sky_adu[1] == pytest.approx(2000.0, rel=0.12), "a flat keeps the level of the median pixel"
    assert measured[0].sky_adu[0] / measured[0].sky_adu[1] == pytest.approx(0.6, rel=0.01), "and the colours"


@pytest.mark.parametrize("empty", [0.0, np.nan])
def test_places_of_a_stack_that_no_frame_reached_count_for_nothing(tmp_path, empty):
    rng = np.random.default_rng(4)
    stack = (true_scene() / COLOURS + rng.normal(0, 8, (3, HEIGHT, WIDTH))).astype(np.float32)
    stack[:, :, : 2 * WIDTH // 3] = empty
    fits.PrimaryHDU(stack).writeto(tmp_path / "stack.fits")
    with run(tmp_path, use_existing_master_tiles=True) as (context, _):
        measured, _ = measure_frames(context, [read_frame(tmp_path / "stack.fits", 0)])
    assert measured[0].sky_adu == pytest.approx([2000.0] * 3, abs=3.0)
    assert measured[0].noise_adu == pytest.approx([8.0] * 3, rel=0.05)
    assert len(measured[0].stars) > 0 and measured[0].stars.x_px.min() > 2 * WIDTH / 3


def test_a_bias_serves_where_no_dark_is_given(tmp_path):
    lights = write_lights(tmp_path / "lights")
    biases = write_biases(tmp_path / "biases")
    with run(tmp_path, master_bias=str(biases)) as (context, _):
        measured, cameras = measure_frames(context, lights)
    with run(tmp_path / "out") as (context, _):
        raw, _ = measure_frames(context, lights)
    assert raw[0].sky_adu[1] - measured[0].sky_adu[1] == pytest.approx(BIAS, abs=2.0)
    assert cameras[lights[0].camera_key].masters.flat is None


def test_a_dark_that_changes_makes_the_measurement_stale(tmp_path):
    lights = write_lights(tmp_path / "lights")
    dark = write(tmp_path / "dark.fit", fixed_pattern() + BIAS, "Dark", 1)
    prints = []
    for seed in (1, 1, 2):
        dark.unlink()
        write(dark, fixed_pattern() + BIAS, "Dark", seed)
        with run(tmp_path, master_dark=str(dark)) as (context, _):
            _, cameras = measure_frames(context, lights)
        prints.append(cameras[lights[0].camera_key].fingerprint)
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    ("cards", "what"),
    [({"GAIN": 120}, "GAIN"), ({"EXPTIME": 20.0}, "EXPTIME"), ({"BAYERPAT": "RGGB"}, "NAXIS")],
)
def test_a_dark_that_does_not_fit_stops_the_run_by_name(tmp_path, cards, what):
    lights = write_lights(tmp_path / "lights", 1)
    dark = write(tmp_path / "dark.fit", fixed_pattern() + BIAS, "Dark", 1, **cards)
    fault = refused(tmp_path, lights, master_dark=str(dark))
    assert fault.message.key == "error.master_left_out"
    assert fault.message.params["what"] == what
    assert fault.message.params["file"] == str(dark)


def test_a_dark_of_another_size_stops_the_run(tmp_path):
    lights = write_lights(tmp_path / "lights", 1)
    dark = write(tmp_path / "dark.fit", np.full((HEIGHT, WIDTH - 2), BIAS), "Dark", 1)
    assert refused(tmp_path, lights, master_dark=str(dark)).message.params["what"] == "NAXIS"


def test_a_master_that_fits_one_of_two_cameras_is_left_out_for_the_other(tmp_path):
    lights = write_lights(tmp_path / "lights", 1) + write_lights(tmp_path / "others", 1, GAIN=120, INSTRUME="Other")
    dark = write(tmp_path / "dark.fit", fixed_pattern() + BIAS, "Dark", 1)
    with run(tmp_path, master_dark=str(dark)) as (context, events):
        made = combine_calibration_frames(context, lights)
    assert list(made) == [lights[0].camera_key]
    (told,) = [event.text for event in events if isinstance(event, Warned)]
    assert told.key == "warning.master_left_out"
    assert told.params["light"] == lights[1].path


def test_a_warm_dark_is_used_and_told(tmp_path):
    lights = write_lights(tmp_path / "lights", 1)
    for degrees, told in ((23.0, []), (31.0, ["warning.dark_temperature"])):
        dark = write(tmp_path / f"dark{degrees}.fit", fixed_pattern() + BIAS, "Dark", 1, **{"CCD-TEMP": degrees})
        with run(tmp_path, master_dark=str(dark)) as (context, events):
            assert combine_calibration_frames(context, lights)
        assert [event.text.key for event in events if isinstance(event, Warned)] == told


def test_frames_of_one_folder_must_belong_together(tmp_path):
    lights = write_lights(tmp_path / "lights", 1)
    darks = write_darks(tmp_path / "darks", 2)
    odd = write(darks / "odd.fit", fixed_pattern(), "Dark", 7, EXPTIME=20.0)
    fault = refused(tmp_path, lights, master_dark=str(darks))
    assert fault.message.key == "error.masters_differ"
    assert fault.message.params["file"] == str(odd)


def test_a_flat_alone_is_refused_and_so_is_one_without_light(tmp_path):
    lights = write_lights(tmp_path / "lights", 1)
    flats = write_flats(tmp_path / "flats", 2)
    assert refused(tmp_path, lights, master_flat=str(flats)).message.key == "error.flat_needs_offset"
    black = write(tmp_path / "black.fit", np.full((HEIGHT, WIDTH), BIAS - 20.0), "Flat", 7)
    biases = write_biases(tmp_path / "biases", 3)
    fault = refused(tmp_path, lights, master_flat=str(black), master_bias=str(biases))
    assert fault.message.key == "error.flat_dark"


def test_what_is_not_there_or_no_picture_is_told(tmp_path):
    lights = write_lights(tmp_path / "lights", 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.fit").write_text("no picture")
    for name in ("nowhere.fit", "empty"):
        assert refused(tmp_path, lights, master_dark=str(tmp_path / name)).message.key == "error.master_missing"
    assert "text.fit" in Translator("en").message(
        refused(tmp_path, lights, master_dark=str(tmp_path / "text.fit")).message
    )


def test_combining_leaves_outliers_out_and_is_the_mean_otherwise():
    rng = np.random.default_rng(5)
    frames = [rng.normal(1000.0, 10.0, (130, 70)).astype(np.float32) for _ in range(12)]
    plain = combine_frames([Memory(frame) for frame in frames], (130, 70), None)
    assert np.mean(np.abs(plain - np.mean(frames, axis=0)) < 1e-3) > 0.98
    frames[4][100:110, 20:40] = 60000.0
    hit = combine_frames([Memory(frame) for frame in frames], (130, 70), None)
    others = np.mean([frame for k, frame in enumerate(frames) if k != 4], axis=0)
    np.testing.assert_allclose(hit[100:110, 20:40], others[100:110, 20:40], atol=8.0)


def test_response_is_one_in_each_colour_and_blind_pixels_are_named():
    flat = (5000.0 * true_response() * COLOURS).astype(np.float32)
    flat[7, 9] = flat[8, 8] = 20.0
    even = flat_response(flat, "GRBG")
    assert np.median(even[0::2, 1::2]) == pytest.approx(1.0)
    assert even[7, 9] == even[8, 8] == 1.0
    assert dead_pixels(flat, "GRBG").tolist() == [7 * WIDTH + 9, 8 * WIDTH + 8]
    assert dead_pixels(flat, None).tolist() == [7 * WIDTH + 9, 8 * WIDTH + 8]


def test_without_masters_pixels_keep_their_type_and_a_cut_off_level_follows_the_calibration(tmp_path):
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    assert CalibrationFrames().applied(pixels, (0, 3, 0, 4)) is pixels
    np.save(tmp_path / "offset.npy", np.full((3, 4), 100.0, np.float32))
    np.save(tmp_path / "flat.npy", np.full((3, 4), 0.5, np.float32))
    masters = CalibrationFrames(tmp_path / "offset.npy", tmp_path / "flat.npy")
    np.testing.assert_allclose(masters.applied(pixels[1:], (1, 3, 0, 4)), (pixels[1:] - 100.0) / 0.5)
    assert masters.least(60100.0) == pytest.approx(120000.0)
