"""The demo's survey: the same frames every time, true to their headers."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from astropy.io import fits

from zemosaic import demo
from zemosaic.catalogue import load_bundled
from zemosaic.errors import OutputError
from zemosaic.wcs import separation_deg


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    told = []
    folder = demo.make_demo(tmp_path_factory.mktemp("demo"), lambda done, total: told.append((done, total)))
    assert told == [(n, 24) for n in range(1, 25)]
    return folder


def test_there_are_24_raw_frames_with_seestar_headers(frames):
    paths = sorted(frames.iterdir())
    assert len(paths) == 24
    for path, shot in zip(paths, demo.exposures(), strict=True):
        with fits.open(path) as hdus:
            hdus.verify("exception")
            header, shape = hdus[0].header, hdus[0].data.shape
            assert hdus[0].data.dtype == np.uint16
        assert shape == (demo.HEIGHT, demo.WIDTH)
        assert header["CREATOR"] == "ZWO Seestar S50"
        assert (header["BAYERPAT"], header["IMAGETYP"], header["EXPTIME"]) == ("GRBG", "Light", 10.0)
        assert 206.265 * header["XPIXSZ"] / header["FOCALLEN"] == pytest.approx(shot.wcs.scale_arcsec, rel=1e-4)
        off = separation_deg(header["RA"], header["DEC"], shot.wcs.ra_deg, shot.wcs.dec_deg)
        assert 0 < off < 0.2


def test_catalogue_stars_stand_where_the_truth_says(frames):
    shot = demo.exposures()[0]
    raw = fits.getdata(frames / shot.file_name).astype(float)
    stars = load_bundled().cone(shot.wcs.ra_deg, shot.wcs.dec_deg, 0.5)
    x, y = shot.wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg)
    inside = (x > 20) & (x < demo.WIDTH - 20) & (y > 20) & (y < demo.HEIGHT - 20)
    assert inside.sum() > 25
    offsets = []
    for px, py in zip(x[inside][3:25], y[inside][3:25], strict=True):
        cx, cy = round(px), round(py)
        window = raw[cy - 5 : cy + 6, cx - 5 : cx + 6]
        light = np.clip(window - np.median(window), 0, None)
        rows, columns = np.mgrid[cy - 5 : cy + 6, cx - 5 : cx + 6]
        offsets.append((np.average(columns, weights=light) - px, np.average(rows, weights=light) - py))
    assert np.abs(np.median(offsets, axis=0)).max() < 0.3


def test_frames_are_the_same_every_time_and_kept_when_they_exist(frames, tmp_path):
    shot = demo.exposures()[14]
    again = demo.render(shot, demo.true_sky())
    assert np.array_equal(again, fits.getdata(frames / shot.file_name))
    before = {path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest()) for path in frames.iterdir()}
    lost = frames / demo.exposures()[3].file_name
    lost.unlink()
    demo.make_demo(frames.parent)
    after = {path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest()) for path in frames.iterdir()}
    assert after[lost][1] == before[lost][1]
    del before[lost], after[lost]
    assert after == before


def test_the_survey_has_its_faults(frames):
    plan = demo.exposures()
    bright = []
    for shot in plan:
        raw = fits.getdata(frames / shot.file_name).astype(int)
        bright.append(int((raw > np.median(raw) + 1500).sum()) - demo.HOT_PIXELS)
    assert bright[demo.CLOUDED] < 0.6 * min(bright[demo.CLOUDED - 1], bright[demo.CLOUDED + 1])
    assert [shot.number for shot in plan if max(map(abs, shot.trail_px)) > 3] == [demo.TRAILED]
    assert [shot.number for shot in plan if shot.satellite] == list(demo.SATELLITES)
    stack = np.min([fits.getdata(frames / shot.file_name) for shot in plan], axis=0)
    assert (stack > 1400).sum() > 100, "hot pixels stay where they are in every frame"


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        demo.make_demo(tmp_path / "file")
