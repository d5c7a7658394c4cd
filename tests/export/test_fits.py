"""FITS files: content, cards, bytes, atomicity, memory."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import subprocess
import tracemalloc
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import zarr
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from run_of_frames import CANVAS, frame_ref

from zemosaic.errors import OutputError, ResourceError
from zemosaic.export import files
from zemosaic.export.cards import ascii_text, map_cards, mosaic_cards, provenance_of
from zemosaic.export.crop import coverage_box
from zemosaic.export.fits import BAND_BYTES, layout_of, write_fits
from zemosaic.sky import Distortion, FrameWcs

NOISE = np.random.default_rng(0).normal(100, 10, (3, 70, 53)).astype(np.float32)
NOISE[:, :5] = np.nan


def origin():
    used = [
        frame_ref(0, datetime(2025, 3, 27, 1), date_obs="2025-03-27T01:00:00.5"),
        frame_ref(1, datetime(2025, 3, 27, 1), date_obs="2025-03-27T04:00:10+02:00", instrument="Œil étoilé"),
        frame_ref(2, datetime(2025, 3, 27, 1), date_obs="last night", exposure_s=None),
    ]
    return provenance_of(used, frames_found=5, tiles=4, settings_hash="abc123", rejection="none", combine="mean")


def test_colour_is_written_as_planes_and_read_back(tmp_path):
    path = tmp_path / "m.fits"
    write_fits(path, NOISE, wcs=CANVAS, cards=mosaic_cards(origin()))
    with fits.open(path) as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert np.array_equal(hdus[0].data, NOISE, equal_nan=True)
    assert (header["BITPIX"], header["NAXIS3"], header["BSCALE"], header["BZERO"]) == (-32, 3, 1, 0)
    assert path.stat().st_size % 2880 == 0
    assert [p.name for p in tmp_path.iterdir()] == ["m.fits"]


@pytest.mark.parametrize("order", ["CHW", "HWC"])
@pytest.mark.parametrize("kind", ["numpy", "zarr"])
def test_every_way_an_array_may_lie_gives_the_same_bytes(tmp_path, order, kind):
    source = NOISE if order == "CHW" else np.moveaxis(NOISE, 0, -1)
    if kind == "zarr":
        chunks = (3, 16, 16) if order == "CHW" else (16, 16, 3)
        stored = zarr.create_array(store=str(tmp_path / "z"), shape=source.shape, chunks=chunks, dtype="float32")
        stored[:] = source
        source = stored
    write_fits(tmp_path / "a.fits", NOISE, wcs=CANVAS)
    write_fits(tmp_path / "b.fits", source, wcs=CANVAS, axis_order=order)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


def test_mono_has_two_axes(tmp_path):
    write_fits(tmp_path / "flat.fits", NOISE[0])
    write_fits(tmp_path / "one.fits", NOISE[:1])
    assert fits.getheader(tmp_path / "flat.fits")["NAXIS"] == 2
    assert (tmp_path / "flat.fits").read_bytes() == (tmp_path / "one.fits").read_bytes()


def test_integers_are_rounded_and_clipped_and_nan_becomes_zero(tmp_path):
    source = np.array([[0.4, 1.6], [np.nan, 70000.0]])
    write_fits(tmp_path / "c.fits", source, dtype="int16", cards=map_cards(origin(), "coverage"))
    data = fits.getdata(tmp_path / "c.fits")
    assert data.tolist() == [[0, 2], [0, 32767]]
    assert data.dtype == np.dtype(">i2")


@pytest.mark.parametrize("planes", [1, 3])
def test_the_celestial_wcs_is_ours_without_a_complaint(tmp_path, planes):
    # astropy takes SIP for two axes only; a mosaic's own grid has no distortion.
    bent = Distortion((1e-6,) * 7, (-2e-6,) * 7) if planes == 1 else None
    turned = FrameWcs(350.0, -62.0, 20.3, 11.7, ((-2e-4, 1e-4), (1e-4, 2e-4)), bent)
    write_fits(tmp_path / "w.fits", NOISE[:planes], wcs=turned, cards=mosaic_cards(origin()))
    read = WCS(fits.getheader(tmp_path / "w.fits")).celestial
    x, y = np.array([0.0, 50.0, 13.2]), np.array([3.0, 60.0, 69.0])
    assert np.allclose(read.all_pix2world(x, y, 0), turned.pixel_to_sky(x, y), rtol=0, atol=1e-9)


def test_the_box_is_cut_out_and_the_wcs_follows(tmp_path):
    write_fits(tmp_path / "b.fits", NOISE, wcs=CANVAS, box=(10, 40, 7, 50))
    data, header = fits.getdata(tmp_path / "b.fits", header=True)
    assert np.array_equal(data, NOISE[:, 10:40, 7:50])
    assert (header["CRPIX1"], header["CRPIX2"]) == (CANVAS.x_ref + 1 - 7, CANVAS.y_ref + 1 - 10)
    with pytest.raises(ValueError, match="does not fit"):
        write_fits(tmp_path / "b.fits", NOISE, box=(10, 71, 0, 5))


def test_wrong_shapes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="1 or 3 planes"):
        write_fits(tmp_path / "x.fits", np.zeros((2, 5, 5)))
    with pytest.raises(ValueError, match="HWC"):
        write_fits(tmp_path / "x.fits", NOISE, axis_order="HWC")


def test_cards_tell_where_the_mosaic_comes_from(tmp_path):
    write_fits(tmp_path / "m.fits", NOISE, wcs=CANVAS, cards=mosaic_cards(origin()))
    header = fits.getheader(tmp_path / "m.fits")
    told = {key: header[key] for key in ("NRAWINIT", "NRAWPROC", "NMASTILE", "EXPTOTAL", "ZMHASH", "BUNIT", "OBJECT")}
    assert told == {
        "NRAWINIT": 5,
        "NRAWPROC": 3,
        "NMASTILE": 4,
        "EXPTOTAL": 20.0,
        "ZMHASH": "abc123",
        "BUNIT": "adu",
        "OBJECT": "NGC 7000",
    }
    assert header["INSTRUME"] == "Seestar S50, ?il etoile"
    assert (header["DATE-OBS"], header["DATE-END"]) == ("2025-03-27T01:00:00.500", "2025-03-27T02:00:20.000")
    assert header["MJD-OBS"] == pytest.approx(60761.041672454, abs=1e-8)


@given(st.text())
def test_any_text_becomes_a_valid_card(text):
    card = fits.Card("OBJECT", ascii_text(text))
    card.verify("exception")
    assert len(str(card)) == 80


def test_fitsverify_has_nothing_to_say(tmp_path):
    program = shutil.which("fitsverify")
    if program is None:
        pytest.skip("fitsverify is not installed")
    names = []
    for planes in (1, 3):
        names.append(str(tmp_path / f"{planes}.fits"))
        write_fits(Path(names[-1]), NOISE[:planes], wcs=CANVAS, cards=mosaic_cards(origin()))
    told = subprocess.run([program, "-q", *names], capture_output=True, text=True, check=False).stdout
    assert told.count("verification OK") == 2, told


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.fits"
    write_fits(path, NOISE)
    before = path.read_bytes()

    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError) as caught:
        write_fits(path, NOISE + 1)
    assert caught.value.message.params == {"path": str(path), "detail": "No space left on device"}
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.fits"]


def test_a_missing_folder_and_a_full_disk_are_told(tmp_path, monkeypatch):
    with pytest.raises(OutputError):
        write_fits(tmp_path / "nowhere" / "m.fits", NOISE)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(ResourceError) as caught:
        write_fits(tmp_path / "m.fits", NOISE)
    assert caught.value.message.key == "error.disk_full_for_file"
    assert list(tmp_path.iterdir()) == []


class Endless:
    """Rows that exist only when they are asked for."""

    shape = (3, 12000, 4000)

    def __getitem__(self, key):
        rows, columns = key[1], key[2]
        return np.ones((3, rows.stop - rows.start, columns.stop - columns.start), np.float32)


def test_memory_does_not_grow_with_the_picture(tmp_path):
    tracemalloc.start()
    write_fits(tmp_path / "big.fits", Endless(), dtype="int16")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "big.fits").stat().st_size > 280e6
    assert peak < 6 * BAND_BYTES


def test_no_band_ends_inside_a_chunk():
    class Chunked(Endless):
        chunks = (3, 512, 512)

    bands = list(layout_of(Chunked(), "CHW").bands(700, 11000))
    assert bands[0][0] == 700
    assert bands[-1][1] == 11000
    assert all(stop % 512 == 0 for _, stop in bands[:-1])
    assert all(a[1] == b[0] for a, b in itertools.pairwise(bands))


@settings(max_examples=60, deadline=None)
@given(arrays(np.int16, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 1)), st.integers(0, 3))
def test_the_coverage_box_is_the_smallest_with_its_margin(coverage, margin):
    box = coverage_box(coverage, margin)
    if not coverage.any():
        assert box is None
        return
    rows, columns = np.nonzero(coverage)
    height, width = coverage.shape
    assert box == (
        max(0, rows.min() - margin),
        min(height, rows.max() + 1 + margin),
        max(0, columns.min() - margin),
        min(width, columns.max() + 1 + margin),
    )
