"""The command that measures the seams of any mosaic."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from astropy.io import fits

from zemosaic.errors import InputError
from zemosaic.qa.seam_files import measure_seams_of_file
from zemosaic.wcs import FrameWcs

SIZE = 1100
SCALE = 3e-4
CANVAS = FrameWcs(40.0, 30.0, SIZE / 2, SIZE / 2, ((-SCALE, 0.0), (0.0, SCALE)))
FRAME = FrameWcs(40.0, 30.0, 350.0, 350.0, ((-SCALE, 0.0), (0.0, SCALE)))
"""700 pixels square, in the middle of the canvas."""
NOISE = 20.0


def mosaic(folder: Path, step: float, name: str = "zemosaic_MT1_R9.fits", planes: int = 3) -> Path:
    """Write a mosaic of noise with a square that is brighter by `step` of a frame's noise; depth 4 inside and 0 out."""
    rng = np.random.default_rng(2)
    data = rng.normal(1000.0, NOISE / 2.0, (planes, SIZE, SIZE)).astype(np.float32)
    data[:, 200:900, 200:900] += step * NOISE
    header = fits.Header(CANVAS.to_cards())
    folder.mkdir(exist_ok=True)
    fits.PrimaryHDU(data if planes == 3 else data[0], header).writeto(folder / name)
    return folder / name


def report(folder: Path, name: str = "zemosaic_MT1_R9.fits") -> Path:
    ra, dec = FRAME.corners(700, 700)
    frame = {
        "status": "used",
        "corners_ra_deg": ra.tolist(),
        "corners_dec_deg": dec.tolist(),
        "metrics": {"noise_adu": [NOISE] * 3, "transparency": [1.0] * 3},
    }
    others = [{"status": "rejected", "corners_ra_deg": [], "corners_dec_deg": [], "metrics": {}}]
    (folder / "run_report.json").write_text(json.dumps({"mosaic": name, "frames": [frame] * 4 + others}))
    return folder / "run_report.json"


@pytest.mark.parametrize(("step", "verdict"), [(0.5, "visible"), (0.0, "none")])
def test_the_report_beside_the_mosaic_tells_footprints_and_noise(tmp_path, step, verdict):
    path = mosaic(tmp_path, step)
    report(tmp_path)
    found = measure_seams_of_file(path)
    assert found.frames == 4 and len(found.report.trusted) > 20
    assert np.mean([seam.level for seam in found.report.seams]) == pytest.approx(step, abs=0.02)
    assert found.report.verdict == verdict
    drawn = cv2.imread(str(found.map))
    assert drawn.shape == (SIZE, SIZE, 3)
    red = (drawn[..., 2] > 150) & (drawn[..., 0] < 60)
    assert red.any() == (verdict == "visible")


def test_a_foreign_mosaic_is_measured_in_its_own_noise(tmp_path):
    path = mosaic(tmp_path / "siril", 0.5, "other.fit", planes=1)
    given = report(tmp_path)
    found = measure_seams_of_file(path, given)
    assert np.mean([seam.level for seam in found.report.seams]) == pytest.approx(0.5, rel=0.1), (
        "depth 4 halves the noise"
    )


def test_frames_with_a_wcs_tell_footprints(tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    header = fits.Header(FRAME.to_cards())
    for k in range(4):
        fits.PrimaryHDU(np.full((700, 700), k, np.uint16), header).writeto(frames / f"f{k}.fit")
    (frames / "broken.fit").write_text("nothing")
    found = measure_seams_of_file(mosaic(tmp_path, 0.5), frames)
    assert found.frames == 4 and found.report.verdict == "visible"


def test_what_is_missing_is_told(tmp_path):
    path = mosaic(tmp_path, 0.0)
    with pytest.raises(InputError) as caught:
        measure_seams_of_file(path)
    assert caught.value.message.key == "error.seams_no_footprints"
    with pytest.raises(InputError) as caught:
        measure_seams_of_file(tmp_path / "nowhere.fits")
    assert caught.value.message.key == "error.seams_unreadable"
    fits.PrimaryHDU(np.zeros((200, 200), np.float32)).writeto(tmp_path / "plain.fits")
    with pytest.raises(InputError) as caught:
        measure_seams_of_file(tmp_path / "plain.fits", report(tmp_path))
    assert caught.value.message.key == "error.seams_no_wcs"


def test_the_command_line_prints_the_figures(tmp_path, zemosaic):
    path = mosaic(tmp_path, 0.5)
    report(tmp_path)
    ran = zemosaic("--measure-seams", path)
    assert ran.returncode == 0, ran.stderr
    assert "4 frames" in ran.stdout and "Seams can be seen" in ran.stdout and "_seams.png" in ran.stdout
    lost = zemosaic("--measure-seams", tmp_path / "nowhere.fits")
    assert lost.returncode == InputError.exit_code and "nowhere.fits" in lost.stderr
