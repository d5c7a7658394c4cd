"""Pixels come out as their file means them, whatever way it stores them."""

from __future__ import annotations

import gzip
import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fits_files import DATA, SEESTAR, fits_bytes, header_bytes, noise, sentence, unsigned_bytes, write
from hypothesis import given, settings
from hypothesis import strategies as st

from zemosaic.errors import FrameError, ResourceError
from zemosaic.frames.frame_files import read_frame
from zemosaic.frames.pixels import open_pixels

RAW = noise()


def read(path: Path) -> np.ndarray:
    return open_pixels(read_frame(path), None).read_all()


def test_unsigned_frame_is_exact_at_both_ends(tmp_path: Path) -> None:
    raw = RAW.copy()
    raw[0, :4] = 0, 32767, 32768, 65535
    source = open_pixels(read_frame(write(tmp_path / "a.fit", unsigned_bytes(raw, SEESTAR))), None)
    assert source.dtype == np.uint16 and source.shape == raw.shape
    got = source.read_all()
    assert got.dtype == np.uint16 and got.dtype.isnative and got.flags.c_contiguous and got.flags.writeable
    np.testing.assert_array_equal(got, raw)


@given(st.tuples(*[st.integers(0, 96)] * 2), st.tuples(*[st.integers(0, 80)] * 2))
@settings(max_examples=40)
def test_windows_are_cuts_of_the_whole(tmp_path_factory: pytest.TempPathFactory, rows: tuple, columns: tuple) -> None:
    (y0, y1), (x0, x1) = sorted(rows), sorted(columns)
    folder = tmp_path_factory.getbasetemp() / "windows"
    colour = noise((3, 96, 80), 2)
    layouts = {
        "mono.fits": (unsigned_bytes(RAW), RAW),
        "planes.fits": (unsigned_bytes(colour), np.moveaxis(colour, 0, -1)),
        "packed.fits": (unsigned_bytes(np.moveaxis(colour, 0, -1)), np.moveaxis(colour, 0, -1)),
    }
    for name, (content, truth) in layouts.items():
        path = folder / name
        if not path.exists():
            write(path, content)
        got = open_pixels(read_frame(path), None).read(y0, y1, x0, x1)
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(got, truth[y0:y1, x0:x1])


@pytest.mark.parametrize("window", [(-1, 5, 0, 5), (0, 97, 0, 5), (5, 4, 0, 5), (0, 5, 0, 81)])
def test_window_outside_the_picture(tmp_path: Path, window: tuple[int, int, int, int]) -> None:
    source = open_pixels(read_frame(write(tmp_path / "a.fit", unsigned_bytes(RAW))), None)
    with pytest.raises(ValueError, match="window"):
        source.read(*window)


@pytest.mark.parametrize("bitpix", [8, 16, 32, 64, -32, -64])
@pytest.mark.parametrize("cards", ["", "BSCALE  = 0.5\nBZERO   = 100.25"])
def test_numbers_agree_with_astropy(tmp_path: Path, bitpix: int, cards: str) -> None:
    stored = np.random.default_rng(bitpix % 7).integers(0, 120, (70, 66)).astype(float)
    if bitpix < 0:
        stored = stored / 120
    path = write(tmp_path / "a.fits", fits_bytes(stored, cards, bitpix))
    got = read(path)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, fits.getdata(path).astype(np.float32))


def test_float_colours_stay_between_0_and_1_and_nan_stays_nan(tmp_path: Path) -> None:
    stored = np.random.default_rng(3).random((3, 70, 66), np.float32)
    stored[0, 5, 6], stored[1, 7, 8], stored[2, 9, 10] = np.nan, np.inf, -np.inf
    got = read(write(tmp_path / "a.fits", fits_bytes(stored, bitpix=-32)))
    expected = np.where(np.isfinite(stored), stored, np.nan)
    np.testing.assert_array_equal(got, np.moveaxis(expected, 0, -1))


@pytest.mark.parametrize("scaling", ["", "BZERO   = 32768", "BSCALE  = 2.0"])
def test_blank_becomes_nan(tmp_path: Path, scaling: str) -> None:
    stored = np.arange(70 * 66).reshape(70, 66)
    path = write(tmp_path / "a.fits", fits_bytes(stored, f"BLANK   = 77\n{scaling}"))
    got = read(path)
    scale, zero = (2.0 if "BSCALE" in scaling else 1.0), (32768.0 if "BZERO" in scaling else 0.0)
    expected = (stored * scale + zero).astype(np.float32)
    expected[1, 11] = np.nan
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, expected)


def test_huge_doubles_become_nan_without_a_warning(tmp_path: Path) -> None:
    stored = np.full((64, 64), 1e300)
    assert np.isnan(read(write(tmp_path / "a.fits", fits_bytes(stored, bitpix=-64)))).all()


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"])
def test_tile_compressed(tmp_path: Path, kind: str) -> None:
    raw = (RAW % 4096).astype(np.int16 if kind == "PLIO_1" else np.uint16)
    path = tmp_path / "a.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(raw, compression_type=kind)]).writeto(path)
    frame = read_frame(path)
    assert frame.compressed and frame.hdu == 1
    scratch = tmp_path / "scratch"
    source = open_pixels(frame, scratch)
    np.testing.assert_array_equal(source.read(3, 50, 7, 60), raw[3:50, 7:60])
    np.testing.assert_array_equal(open_pixels(frame, None).read_all(), raw)
    assert source.dtype == (np.float32 if kind == "PLIO_1" else np.uint16)


def test_decoded_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits.gz", gzip.compress(unsigned_bytes(RAW)))
    scratch = tmp_path / "scratch"
    frame = read_frame(path)
    np.testing.assert_array_equal(open_pixels(frame, scratch).read_all(), RAW)
    (copy,) = scratch.iterdir()
    written = copy.stat().st_mtime_ns
    got = open_pixels(frame, scratch).read(0, 5, 0, 6)
    assert copy.stat().st_mtime_ns == written and list(scratch.iterdir()) == [copy]
    got[:] = 0
    np.testing.assert_array_equal(open_pixels(frame, scratch).read_all(), RAW)


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("counts descriptors the Linux way")
    plain = write(tmp_path / "a.fits", unsigned_bytes(RAW))
    zipped = write(tmp_path / "b.fits.gz", gzip.compress(unsigned_bytes(RAW)))
    before = open_descriptors()
    kept = [open_pixels(read_frame(path), tmp_path / "scratch") for path in [plain, zipped] * 20]
    windows = [source.read(0, 4, 0, 4) for source in kept]
    assert len(windows) == 40 and open_descriptors() == before


def failing(path: Path, key: str) -> None:
    frame = read_frame(path)
    with pytest.raises(FrameError) as caught:
        open_pixels(frame, None).read_all()
    assert caught.value.reason.key == key
    assert path.name in sentence(caught.value.reason) and path.name in sentence(caught.value.reason, "fr")


def test_truncated_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(unsigned_bytes(RAW, SEESTAR))
    failing(write(tmp_path / "a.fit.gz", whole[: len(whole) // 2]), "reason.corrupt_compression")


def test_gzip_of_a_truncated_file(tmp_path: Path) -> None:
    failing(write(tmp_path / "a.fit.gz", gzip.compress(unsigned_bytes(RAW)[:9000])), "reason.short_read")


def test_damaged_tiles(tmp_path: Path) -> None:
    path = tmp_path / "a.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(RAW, compression_type="GZIP_1")]).writeto(path)
    content = bytearray(path.read_bytes())
    content[-20000:-15000] = b"\x55" * 5000
    failing(write(path, bytes(content)), "reason.corrupt_compression")


def test_changed_since_the_scan(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", unsigned_bytes(RAW))
    frame = read_frame(path)
    source = open_pixels(frame, None)
    os.utime(path, ns=(1, 1))
    with pytest.raises(FrameError, match=r"reason\.changed"):
        source.read_all()
    with pytest.raises(FrameError, match=r"reason\.changed"):
        open_pixels(frame, None)
    path.unlink()
    with pytest.raises(FrameError, match=r"reason\.vanished"):
        source.read_all()
    with pytest.raises(FrameError, match=r"reason\.vanished"):
        open_pixels(replace(frame), None)


def test_lost_scratch_copy_drops_the_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits.gz", gzip.compress(unsigned_bytes(RAW)))
    source = open_pixels(read_frame(path), tmp_path / "scratch")
    next((tmp_path / "scratch").iterdir()).write_bytes(b"\x93NUMPY")
    with pytest.raises(FrameError, match=r"reason\.scratch_lost"):
        source.read_all()


def test_scratch_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits.gz", gzip.compress(unsigned_bytes(RAW)))
    in_the_way = write(tmp_path / "scratch", b"")
    with pytest.raises(ResourceError) as caught:
        open_pixels(read_frame(path), in_the_way)
    assert str(in_the_way) in sentence(caught.value.message)


def test_second_extension(tmp_path: Path) -> None:
    image = fits_bytes(RAW.astype(np.int32) - 32768, "BZERO   = 32768").replace(
        b"SIMPLE  =                    T", b"XTENSION= 'IMAGE   '          ", 1
    )
    primary = header_bytes("SIMPLE  = T\nBITPIX  = 8\nNAXIS   = 0\nEXPTIME = 7.5\nBZERO   = 5")
    path = write(tmp_path / "a.fits", primary + image)
    frame = read_frame(path)
    assert frame.hdu == 1 and frame.exposure_s == 7.5
    np.testing.assert_array_equal(read(path), RAW)


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_real_files_agree_with_astropy() -> None:
    names = [*DATA.glob("seestar_m94/night2/*225435*"), *DATA.glob("mono_hatp32/*013343*"), *DATA.glob("odd_*/**/m13*")]
    names += [*DATA.glob("dialects/panoptes*"), DATA / "odd_astropy/io_fits/comp.fits"]
    assert len(names) > 15
    for path in names:
        frame = read_frame(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            truth = np.asarray(fits.getdata(path, frame.hdu)).astype(np.float32)
        np.testing.assert_array_equal(read(path).astype(np.float32), truth, err_msg=path.name)
