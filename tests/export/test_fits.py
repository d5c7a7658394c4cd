"""FITS files: content, cards, bytes, atomicity, memory."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import subprocess
import tracemalloc
from contextlib import closing
from datetime import datetime
from functools import partial
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
from zemosaic.export.cards import ascii_text, map_cards, mosaic_cards, provenance_of
from zemosaic.export.fits import write_fits
from zemosaic.i18n import Translator
from zemosaic.qa.crop import coverage_box
from zemosaic.store import whole_files as files
from zemosaic.store.axis_order import BAND_BYTES, axis_layout
from zemosaic.store.mosaic_file import MosaicFile
from zemosaic.wcs import Distortion, FrameWcs

NOISE = np.random.default_rng(0).normal(100, 10, (3, 70, 53)).astype(np.float32)
NOISE[:, :5] = np.nan
write_planes = partial(write_fits, axis_order="CHW")


def origin():
    used = [
        frame_ref(0, datetime(2025, 3, 27, 1), date_obs="2025-03-27T01:00:00.5"),
        frame_ref(1, datetime(2025, 3, 27, 1), date_obs="2025-03-27T04:00:10+02:00", instrument="Œil étoilé"),
        frame_ref(2, datetime(2025, 3, 27, 1), date_obs="last night", exposure_s=None),
    ]
    return provenance_of(used, frames_found=5, tiles=4, settings_hash="abc123", rejection="none", combine="mean")


def test_colour_is_written_as_planes_and_read_back(tmp_path):
    path = tmp_path / "m.fits"
    write_planes(path, NOISE, wcs=CANVAS, cards=mosaic_cards(origin()))
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
    write_planes(tmp_path / "a.fits", NOISE, wcs=CANVAS)
    write_fits(tmp_path / "b.fits", source, wcs=CANVAS, axis_order=order)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


def test_mono_has_two_axes(tmp_path):
    write_planes(tmp_path / "flat.fits", NOISE[0])
    write_planes(tmp_path / "one.fits", NOISE[:1])
    assert fits.getheader(tmp_path / "flat.fits")["NAXIS"] == 2
    assert (tmp_path / "flat.fits").read_bytes() == (tmp_path / "one.fits").read_bytes()


def test_integers_are_rounded_and_clipped_and_nan_becomes_zero(tmp_path):
    source = np.array([[0.4, 1.6], [np.nan, 70000.0]])
    write_planes(tmp_path / "c.fits", source, dtype="int16", cards=map_cards(origin(), "coverage"))
    data = fits.getdata(tmp_path / "c.fits")
    assert data.tolist() == [[0, 2], [0, 32767]]
    assert data.dtype == np.dtype(">i2")


@pytest.mark.parametrize("compressed", [False, True])
def test_where_0_stands_for_no_data_a_pixel_of_0_is_told_from_it(tmp_path, compressed):
    source = np.array([[[np.nan, 0.0, -0.0, 5.0, -3.0, np.inf]]], np.float32)
    write_planes(tmp_path / "z.fits", source, empty="zero", compressed=compressed)
    pixels, header = fits.getdata(tmp_path / "z.fits", header=True)
    tiny = np.finfo(np.float32).tiny
    assert pixels.ravel().tolist() == [0, tiny, tiny, 5, -3, 0]
    assert header["ZMEMPTY"] == 0
    with closing(MosaicFile(tmp_path / "z.fits")) as file:
        read = file[:, :, :].ravel()
    assert np.array_equal(read, [np.nan, tiny, tiny, 5, -3, np.nan], equal_nan=True)
    write_planes(tmp_path / "w.fits", np.zeros((4, 4)), compressed=compressed)
    with closing(MosaicFile(tmp_path / "w.fits")) as file:
        assert not file[:, :, :].any(), "in a map 0 is a number"


@pytest.mark.parametrize("planes", [1, 3])
def test_the_celestial_wcs_is_ours_without_a_complaint(tmp_path, planes):
    # astropy takes SIP for two axes only; a mosaic's own grid has no distortion.
    bent = Distortion((1e-6,) * 7, (-2e-6,) * 7) if planes == 1 else None
    turned = FrameWcs(350.0, -62.0, 20.3, 11.7, ((-2e-4, 1e-4), (1e-4, 2e-4)), bent)
    write_planes(tmp_path / "w.fits", NOISE[:planes], wcs=turned, cards=mosaic_cards(origin()))
    read = WCS(fits.getheader(tmp_path / "w.fits")).celestial
    x, y = np.array([0.0, 50.0, 13.2]), np.array([3.0, 60.0, 69.0])
    assert np.allclose(read.all_pix2world(x, y, 0), turned.pixel_to_sky(x, y), rtol=0, atol=1e-9)


def test_the_box_is_cut_out_and_the_wcs_follows(tmp_path):
    write_planes(tmp_path / "b.fits", NOISE, wcs=CANVAS, box=(10, 40, 7, 50))
    data, header = fits.getdata(tmp_path / "b.fits", header=True)
    assert np.array_equal(data, NOISE[:, 10:40, 7:50])
    assert (header["CRPIX1"], header["CRPIX2"]) == (CANVAS.x_ref + 1 - 7, CANVAS.y_ref + 1 - 10)
    with pytest.raises(ValueError, match="does not fit"):
        write_planes(tmp_path / "b.fits", NOISE, box=(10, 71, 0, 5))


def test_wrong_shapes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="1 or 3 planes"):
        write_planes(tmp_path / "x.fits", np.zeros((2, 5, 5)))
    with pytest.raises(ValueError, match="HWC"):
        write_fits(tmp_path / "x.fits", NOISE)


def test_cards_tell_where_the_mosaic_comes_from(tmp_path):
    write_planes(tmp_path / "m.fits", NOISE, wcs=CANVAS, cards=mosaic_cards(origin()))
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
        write_planes(Path(names[-1]), NOISE[:planes], wcs=CANVAS, cards=mosaic_cards(origin()))
    told = subprocess.run([program, "-q", *names], capture_output=True, text=True, check=False).stdout
    assert told.count("verification OK") == 2, told


@pytest.mark.parametrize(
    ("number", "kind", "key"),
    [(errno.ENOSPC, ResourceError, "error.disk_full"), (errno.EIO, OutputError, "error.write_failed")],
)
def test_a_failed_write_leaves_the_old_file(number, kind, key, tmp_path, monkeypatch):
    path = tmp_path / "m.fits"
    write_planes(path, NOISE)
    before = path.read_bytes()

    def full(fd):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(kind) as caught:
        write_planes(path, NOISE + 1)
    assert caught.value.message.key == key
    assert str(tmp_path) in Translator("en").message(caught.value.message)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.fits"]


def test_a_missing_folder_and_a_full_disk_are_told(tmp_path, monkeypatch):
    with pytest.raises(OutputError):
        write_planes(tmp_path / "nowhere" / "m.fits", NOISE)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(ResourceError) as caught:
        write_planes(tmp_path / "m.fits", NOISE)
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
    write_planes(tmp_path / "big.fits", Endless(), dtype="int16")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "big.fits").stat().st_size > 280e6
    assert peak < 6 * BAND_BYTES


def test_no_band_ends_inside_a_chunk():
    class Chunked(Endless):
        chunks = (3, 512, 512)

    bands = list(axis_layout(Chunked(), "CHW").bands(700, 11000))
    assert bands[0][0] == 700
    assert bands[-1][1] == 11000
    assert all(stop % 512 == 0 for _, stop in bands[:-1])
    assert all(a[1] == b[0] for a, b in itertools.pairwise(bands))


@settings(max_examples=60)
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


def restored(path, extension=0):
    """Return pixels as the cards of a 16-bit file say, NaN where there is no data."""
    with fits.open(path, ignore_blank=True) as hdus:
        header = hdus[extension].header.copy()
        numbers = hdus[extension].data
    assert (header["BZERO"], header["BSCALE"]) == (32768, 1)
    return np.where(numbers == header["BLANK"] + 32768, np.nan, header["ZMZERO"] + header["ZMSCALE"] * numbers), header


def test_sixteen_bits_keep_all_colours_on_one_scale(tmp_path):
    source = NOISE * np.array([1.0, 40.0, 7.0], np.float32)[:, None, None] - 300
    write_planes(tmp_path / "u.fits", source, dtype="uint16", cards=mosaic_cards(origin(), scaled=True))
    pixels, header = restored(tmp_path / "u.fits")
    assert np.array_equal(np.isnan(pixels), np.isnan(source))
    assert np.nanmax(np.abs(pixels - source)) <= 0.501 * header["ZMSCALE"]
    assert header["ZMSCALE"] == pytest.approx((np.nanmax(source) - np.nanmin(source)) / 65534)
    assert "BUNIT" not in header
    assert "ZMZERO + ZMSCALE x value are camera counts" in " ".join(header["COMMENT"])
    assert "Pixels are camera counts" not in " ".join(header["COMMENT"])
    with fits.open(tmp_path / "u.fits", uint=False) as hdus:  # a reader that honours BLANK by itself
        assert np.array_equal(np.isnan(hdus[0].data), np.isnan(source))
        assert np.nanmin(hdus[0].data) == 1 and np.nanmax(hdus[0].data) == 65535


@pytest.mark.parametrize("value", [np.nan, 12.5])
def test_sixteen_bits_of_nothing_and_of_one_level(tmp_path, value):
    write_planes(tmp_path / "u.fits", np.full((1, 9, 9), value, np.float32), dtype="uint16")
    assert np.array_equal(restored(tmp_path / "u.fits")[0], np.full((9, 9), value), equal_nan=True)


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint16"])
@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("order", ["CHW", "HWC"])
def test_compression_loses_nothing(tmp_path, monkeypatch, dtype, planes, order):
    monkeypatch.setattr("zemosaic.store.axis_order.BAND_BYTES", 23 * planes * 53 * 4)  # bands that do not fit the tiles
    source = NOISE[:planes] if order == "CHW" else np.moveaxis(NOISE[:planes], 0, -1)
    for name, packed in (("p.fits", False), ("c.fits.fz", True)):
        kept = {"wcs": CANVAS, "cards": mosaic_cards(origin()), "dtype": dtype, "box": (3, 61, 2, 50)}
        write_fits(tmp_path / name, source, axis_order=order, compressed=packed, **kept)
    with fits.open(tmp_path / "p.fits") as plain, fits.open(tmp_path / "c.fits.fz") as hdus:
        hdus.verify("exception")
        assert hdus[1].compression_type == "GZIP_2"
        own = {"SIMPLE", "XTENSION", "COMMENT", "PCOUNT", "GCOUNT", "BSCALE", "BZERO"}  # astropy hides the last two
        for keyword in set(plain[0].header) - own:
            assert hdus[1].header[keyword] == plain[0].header[keyword], keyword
        assert np.array_equal(hdus[1].data, plain[0].data, equal_nan=True)
        assert hdus[1].data.dtype == plain[0].data.dtype.newbyteorder("=")


def test_compressed_files_are_the_same_each_time_and_smaller(tmp_path):
    for name in ("a.fits.fz", "b.fits.fz"):
        write_planes(tmp_path / name, NOISE, wcs=CANVAS, dtype="uint16", compressed=True)
    write_planes(tmp_path / "p.fits", np.zeros((400, 400), np.float32))
    write_planes(tmp_path / "p.fits.fz", np.zeros((400, 400), np.float32), compressed=True)
    assert (tmp_path / "a.fits.fz").read_bytes() == (tmp_path / "b.fits.fz").read_bytes()
    assert (tmp_path / "p.fits.fz").stat().st_size < 0.05 * (tmp_path / "p.fits").stat().st_size


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "uint16", "int32"])
def test_fitsverify_has_nothing_to_say_of_integers_and_compressed_files(tmp_path, dtype, compressed):
    program = shutil.which("fitsverify")
    if program is None:
        pytest.skip("fitsverify is not installed")
    for planes in (1, 3):
        path = tmp_path / f"{planes}.fits"
        cards = mosaic_cards(origin())
        write_planes(path, NOISE[:planes], wcs=CANVAS, cards=cards, dtype=dtype, compressed=compressed)
        told = subprocess.run([program, str(path)], capture_output=True, text=True, check=False).stdout
        assert "found 0 warning(s) and 0 error(s)" in told, told


def test_funpack_makes_the_plain_file(tmp_path):
    program = shutil.which("funpack")
    if program is None:
        pytest.skip("funpack is not installed")
    for dtype in ("float32", "uint16"):
        write_planes(tmp_path / "c.fits.fz", NOISE, wcs=CANVAS, dtype=dtype, compressed=True)
        write_planes(tmp_path / "p.fits", NOISE, wcs=CANVAS, dtype=dtype)
        subprocess.run([program, "-O", str(tmp_path / "out.fits"), str(tmp_path / "c.fits.fz")], check=True)
        assert np.array_equal(fits.getdata(tmp_path / "out.fits"), fits.getdata(tmp_path / "p.fits"), equal_nan=True)
        (tmp_path / "out.fits").unlink()


def test_memory_of_compression_does_not_grow_with_the_picture(tmp_path):
    class Shorter(Endless):
        shape = (3, 5000, 4000)

    tracemalloc.start()
    write_planes(tmp_path / "big.fits.fz", Shorter(), compressed=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * BAND_BYTES
