"""Headers of the capture programs say the same things in one language."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from fits_files import DATA, SEESTAR, header_bytes, noise, sentence, unsigned_bytes, write
from hypothesis import given
from hypothesis import strategies as st

from zemosaic.errors import FrameError
from zemosaic.frames.frame_files import read_frame
from zemosaic.frames.headers.dates import date_obs
from zemosaic.frames.headers.dialects import bayer_pattern, binning, exposure_s, is_seestar, temperature_c
from zemosaic.frames.headers.header import Header, layout, read_header
from zemosaic.frames.headers.optics import optics
from zemosaic.frames.headers.pointing import pointing, sexagesimal
from zemosaic.model import FrameRef


def cards(text: str) -> Header:
    found = read_header(io.BytesIO(header_bytes(f"SIMPLE  = T\n{text}")), "test", first=True)
    assert found is not None
    return found[0]


# name: what the header says, read off the cards by hand
TABLE = {
    "headers/app_rgb_float.header_only.fits.gz": {
        "width": 4009, "height": 2674, "planes": 1, "bayer": None, "exposure_s": 900.0, "date_obs": None,
        "instrument": "", "ra_deg": None, "scale_arcsec": None,
        "notes": ["note.no_optics", "note.no_pointing", "note.no_date"],
    },
    "headers/apt_asi294mc.header_only.fits.gz": {
        "bayer": None, "exposure_s": 240.0, "date_obs": "2018-09-17T21:04:46", "instrument": "ZWO ASI294MC Pro",
        "telescope": "EQMOD HEQ5/6", "object_name": "TEST", "gain": 120.0, "temperature_c": -15.0, "binning": 1,
        "ra_deg": 23.75, "dec_deg": 30 + 44 / 60 + 25 / 3600, "scale_arcsec": 206.265 * 4.63 / 400,
        "notes": ["note.bayer_missing"],
    },
    "headers/dwarf2.header_only.fits.gz": {
        "width": 1920, "height": 1080, "bayer": "GBRG", "exposure_s": 15.0, "date_obs": "2023-06-10T21:38:19.442000",
        "instrument": "DWARFII", "gain": 110.0, "temperature_c": None, "binning": 2, "ra_deg": None, "dec_deg": None,
        "scale_arcsec": None, "is_seestar": False, "notes": ["note.no_optics", "note.no_pointing"],
    },
    "headers/maxim_itelescope_t33.header_only.fits.gz": {
        "bayer": None, "exposure_s": 300.0, "date_obs": "2018-07-04T14:03:03", "instrument": "Apogee USB/Net",
        "telescope": "iTelescope 33", "filter_name": "SII", "object_name": "m17", "gain": None,
        "temperature_c": -34.99380225, "ra_deg": 15 * (18 + 20 / 60 + 48.12 / 3600), "dec_deg": -(16 + 10.98 / 60),
        "scale_arcsec": 206.265 * 7.4 / 1425, "notes": [],
    },
    "headers/nina_1102_asi294mc_osc.header_only.fits.gz": {
        "bayer": "RGGB", "exposure_s": 30.0, "date_obs": "2021-03-02T20:19:00.455000", "gain": 120.0,
        "temperature_c": -10.0, "object_name": "MarsM45", "ra_deg": None, "dec_deg": None, "scale_arcsec": None,
        "notes": ["note.no_optics", "note.no_pointing"],
    },
    "headers/nina_320_atr585m_astap_solved.header_only.fits.gz": {
        "bayer": None, "exposure_s": 300.0, "date_obs": "2026-07-28T11:12:39.962084", "instrument": "ATR585M",
        "telescope": "SV555", "filter_name": "S", "gain": 100.0, "temperature_c": -9.9,
        "ra_deg": 253.841369932903, "dec_deg": -41.1207840782912, "scale_arcsec": 206.265 * 2.9 / 243, "notes": [],
    },
    "headers/seestar_s50_stacked_rgb3.header_only.fits.gz": {
        "width": 1080, "height": 1920, "planes": 3, "colour_axis": 0, "bayer": None, "is_seestar": True,
        "exposure_s": 0.00999999977648258, "ra_deg": 118.87917, "dec_deg": -0.5, "temperature_c": 24.0625,
        "scale_arcsec": 206.265 * 2.9 / 250, "telescope": "S50_00000000", "notes": [],
    },
    "headers/sgp_asi294mc.header_only.fits.gz": {
        "bayer": None, "exposure_s": 30.0, "date_obs": "2020-05-30T00:22:49.096882", "filter_name": "HaOIII",
        "object_name": "M57", "gain": 120.0, "temperature_c": -17.5, "ra_deg": 283.395539831101,
        "dec_deg": 33.0340625, "scale_arcsec": 0.65415, "notes": ["note.bayer_missing"],
    },
    "headers/sharpcap_aij_asi290mm.header_only.fits.gz": {
        "bayer": None, "exposure_s": 2.0, "date_obs": "2019-04-29T20:25:29.821958", "instrument": "ZWO ASI290MM Mini",
        "temperature_c": 12.7, "gain": None, "scale_arcsec": 3.164, "notes": [],
    },
    "mono_hatp32/HATP-32171220013343.FITS": {
        "width": 650, "height": 500, "bayer": None, "compressed": False, "exposure_s": 60.0,
        "date_obs": "2017-12-20T01:33:43.317000", "instrument": "Main", "telescope": "Cecilia",
        "filter_name": "Clear", "object_name": "HATP-32", "temperature_c": -2.15, "ra_deg": 31.312099,
        "dec_deg": 46.769087, "scale_arcsec": 5.21, "notes": [],
    },
    "seestar_m94/night2/Light_M 94_10.0s_IRCUT_20250409-225435.fit.fz": {
        "hdu": 1, "width": 1080, "height": 1920, "planes": 1, "bayer": "GRBG", "compressed": True, "exposure_s": 10.0,
        "date_obs": "2025-04-09T20:54:22.790113", "instrument": "Seestar S50", "telescope": "S50_bbbbbbbb",
        "filter_name": "IRCUT", "object_name": "M 94", "gain": 80.0, "temperature_c": 23.375, "ra_deg": 192.995835,
        "dec_deg": 40.978611, "scale_arcsec": 206.265 * 2.9 / 250, "is_seestar": True, "notes": [],
    },
    "dialects/maxim_apogee_eso085-030-004.fit": {
        "binning": 3, "exposure_s": 60.0, "scale_arcsec": 206.265 * 27 / 7475, "temperature_c": -20.091654,
        "telescope": "", "instrument": "Apogee USB/Net", "notes": ["note.no_pointing"],
    },
    "dialects/panoptes_dslr_solved.fits.fz": {
        "hdu": 1, "bayer": "RGGB", "exposure_s": 120.4, "gain": 100.0, "temperature_c": 13.0, "ra_deg": 301.56439,
        "dec_deg": 44.456875, "scale_arcsec": 10.32, "notes": [],
    },
    "dialects/panoptes_noheader.fits": {
        "width": 200, "instrument": "", "exposure_s": None, "date_obs": None, "header_wcs": None,
        "notes": ["note.no_optics", "note.no_pointing", "note.no_date", "note.no_exposure"],
    },
    "dialects/panoptes_pole_crop.fits": {"ra_deg": 35.2, "dec_deg": 80.567, "scale_arcsec": 10.32, "notes": []},
    "dialects/saao_ste3_rawccd.fits": {
        "date_obs": "2013-07-13T00:57:33", "exposure_s": 150.04, "ra_deg": 15 * (22 + 4 / 60 + 8 / 3600),
        "dec_deg": -(55 / 60 + 31 / 3600), "temperature_c": 180.2 - 273.15, "notes": ["note.no_optics"],
    },
    "dialects/ystar_streak_iraf_wcs.fits": {
        "date_obs": "2002-07-26T19:36:37", "ra_deg": 15 * (15 + 28 / 60 + 35.7 / 3600), "dec_deg": 0.0,
        "temperature_c": -17.0, "scale_arcsec": 3.04, "notes": [],
    },
}  # fmt: skip


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
@pytest.mark.parametrize("name", TABLE)
def test_real_header(name: str) -> None:
    frame = read_frame(DATA / name)
    for field, expected in TABLE[name].items():
        got = [note.key for note in frame.notes] if field == "notes" else getattr(frame, field)
        if isinstance(expected, float):
            tolerance = 2e-3 if field == "scale_arcsec" or "pole" in name else 1e-9
            expected = pytest.approx(expected, rel=tolerance, abs=1e-9)
        assert got == expected, field


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_who_brings_a_wcs() -> None:
    files = [*DATA.glob("headers/*.gz"), *DATA.glob("dialects/*"), *DATA.glob("seestar_m94/night2/*")]
    with_wcs = set()
    for path in files:
        try:
            if read_frame(path).header_wcs is not None:
                with_wcs.add(path.name.split(".")[0])
        except FrameError as problem:
            assert problem.reason.key == "reason.too_small"
    assert with_wcs == {
        "nina_320_atr585m_astap_solved", "sgp_asi294mc", "sharpcap_aij_asi290mm", "panoptes_dslr_solved",
        "panoptes_pole_crop", "ystar_streak_iraf_wcs",
    }  # fmt: skip


def seestar(tmp_path: Path, old: str = "", new: str = "") -> FrameRef:
    assert old in SEESTAR
    return read_frame(write(tmp_path / "a.fit", unsigned_bytes(noise(), SEESTAR.replace(old, new, 1))), 7)


def test_seestar(tmp_path: Path) -> None:
    frame = seestar(tmp_path)
    assert (frame.frame_id, frame.width, frame.height, frame.planes, frame.colour_axis) == (7, 80, 96, 1, None)
    assert (frame.bayer, frame.is_seestar, frame.compressed, frame.hdu) == ("GRBG", True, False, 0)
    assert (frame.ra_deg, frame.dec_deg, frame.gain, frame.temperature_c) == (192.995835, 40.978611, 80.0, 23.375)
    assert frame.scale_arcsec == pytest.approx(2.3927, abs=1e-4) and frame.notes == () and frame.header_wcs is None
    assert frame.path == str(tmp_path / "a.fit") and frame.size_bytes == (tmp_path / "a.fit").stat().st_size


@pytest.mark.parametrize("kind", ["Dark", "FLAT    ", "Bias Frame", "Master Flat", "DarkFlat", "offset"])
def test_calibration_frames_are_no_frames(tmp_path: Path, kind: str) -> None:
    with pytest.raises(FrameError) as caught:
        seestar(tmp_path, "Light   ", kind)
    assert caught.value.reason.key == "reason.not_a_light" and kind.strip() in sentence(caught.value.reason)


@pytest.mark.parametrize("kind", ["Light Frame", "LIGHT", "object", "science", ""])
def test_light_frames_are_frames(tmp_path: Path, kind: str) -> None:
    assert seestar(tmp_path, "Light   ", kind).exposure_s == 10.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INSTRUME= 'Seestar S50'", True),
        ("CREATOR = 'ZWO Seestar S30'", True),
        ("INSTRUME= 'imx585'\nTELESCOP= 'S30 Pro_12ab'", True),
        ("TELESCOP= 'S50_aaaa'", True),
        ("INSTRUME= 'S30'", True),
        ("INSTRUME= 'ZWO ASI294MC Pro'\nTELESCOP= 'RS500'", False),
        ("INSTRUME= 'ATLAS500'\nCREATOR = 'ASIAIR'", False),
        ("OBJECT  = 'Seestar'", False),
    ],
)
def test_is_seestar(text: str, expected: bool) -> None:
    assert is_seestar(cards(text)) is expected


@pytest.mark.parametrize(
    ("text", "height", "expected"),
    [
        ("BAYERPAT= 'GRBG'", 1920, "GRBG"),
        ("BAYERPAT= 'rggb '\nROWORDER= 'TOP-DOWN'", 100, "RGGB"),
        ("BAYERPAT= 'RGGB'\nROWORDER= 'BOTTOM-UP'", 100, "GBRG"),
        ("BAYERPAT= 'RGGB'\nROWORDER= 'BOTTOM-UP'", 101, "RGGB"),
        ("BAYERPAT= 'RGGB'\nXBAYROFF= 1\nYBAYROFF= 0", 100, "GRBG"),
        ("BAYERPAT= 'RGGB'\nXBAYROFF= 0\nYBAYROFF= 1", 100, "GBRG"),
        ("BAYERPAT= 'RGGB'\nXBAYROFF= 1\nYBAYROFF= 3", 100, "BGGR"),
        ("BAYERPAT= 'RGGB'\nYBAYROFF= 1\nROWORDER= 'BOTTOM-UP'", 100, "RGGB"),
        ("COLORTYP= 'BGGR'", 100, "BGGR"),
        ("FILTER  = 'RGGB'", 100, "RGGB"),
        ("BAYERPAT= 'GR\\BG'", 100, "GRBG"),
        ("COLORTYP= 'COLOR'", 100, None),
        ("CFAIMAGE= 'no'", 100, None),
    ],
)
def test_bayer_pattern(text: str, height: int, expected: str | None) -> None:
    assert bayer_pattern(cards(text), height) == (expected, ())


def test_unknown_patterns_are_told() -> None:
    for text in ("BAYERPAT= 'CYGM'", "INSTRUME= 'ZWO ASI294MC Pro'", "INSTRUME= 'QHY268C'"):
        pattern, notes = bayer_pattern(cards(text), 100)
        assert pattern is None and len(notes) == 1 and sentence(notes[0])
    assert bayer_pattern(cards("INSTRUME= 'ZWO ASI290MM Mini'"), 100) == (None, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RA      = 10.5\nDEC     = -3.25", (10.5, -3.25)),
        ("RA      = 0.0\nDEC     = 0.0", None),
        ("OBJCTRA = '00 00 00'\nOBJCTDEC= '+00 00 00'", None),
        ("RA      = 0.0\nDEC     = 0.0\nOBJCTRA = '01 30 00'\nOBJCTDEC= '-00 30 00'", (22.5, -0.5)),
        ("RA      = '12:00:00'\nDEC     = '-12:30'", (180.0, -12.5)),
        ("RA      = '12h30m00.0s'\nDEC     = '+5d06m00s'", (187.5, 5.1)),
        ("RA      = '187.5'\nDEC     = '5.1'", (187.5, 5.1)),
        ("RA      = 12.5 / [h] right ascension\nDEC     = 5.1", (187.5, 5.1)),
        ("RA      = -10.0\nDEC     = 5", (350.0, 5.0)),
        ("RA      = 10.0\nDEC     = 95.0", None),
        ("RA      = 10.0", None),
        ("RA      = ''\nDEC     = ''", None),
        ("RA-MNT  = 301.5\nDEC-MNT = 44.5", (301.5, 44.5)),
    ],
)
def test_pointing(text: str, expected: tuple[float, float] | None) -> None:
    assert pointing(cards(text)) == (None if expected is None else pytest.approx(expected))


def test_sexagesimal_keeps_the_sign_of_zero() -> None:
    assert sexagesimal("-00 00 36") == pytest.approx(-0.01)
    assert sexagesimal("12.5") is None and sexagesimal("") is None and sexagesimal("12 x 5") is None


@given(st.floats(-1.2, 1.2) | st.floats(-89.9, 89.9), st.sampled_from(["{} {} {}", "{}:{}:{}", "{}d{}m{}s"]))
def test_sexagesimal_reads_what_programs_write(degrees: float, form: str) -> None:
    seconds = round(abs(degrees) * 36000)
    parts = seconds // 36000, seconds // 600 % 60, seconds % 600 / 10
    text = ("-" if degrees < 0 else "+") + form.format(f"{parts[0]:02d}", f"{parts[1]:02d}", f"{parts[2]:04.1f}")
    assert sexagesimal(text) == pytest.approx(degrees, abs=0.06 / 3600)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DATE-OBS= '2025-04-09T20:54:22.790113'", "2025-04-09T20:54:22.790113"),
        ("DATE-OBS= '2017-12-19T18:33:43.317-0700'", "2017-12-20T01:33:43.317000"),
        ("DATE-OBS= '2017-12-19T23:30:00+01:00'", "2017-12-19T22:30:00"),
        ("DATE-OBS= '2021-03-02T20:19:00Z'", "2021-03-02T20:19:00"),
        ("DATE-OBS= '2021-03-02T20:19:00.123456789'", "2021-03-02T20:19:00.123456"),
        ("DATE-OBS= '2013-07-13'\nUT      = '00:57:33'", "2013-07-13T00:57:33"),
        ("DATE-OBS= '2013-07-13'", "2013-07-13T00:00:00"),
        ("DATE-OBS= '26/07/98'\nTIME-OBS= '19:36:37'", "1998-07-26T19:36:37"),
        ("DATE-OBS= '26/07/102'\nTIME-OBS= '19:36:37'", "2002-07-26T19:36:37"),
        ("MJD-OBS = 60000.25", "2023-02-25T06:00:00"),
        ("JD      = 2460000.75", "2023-02-25T06:00:00"),
        ("DATE-OBS= '2025-13-45T99:00:00'", None),
        ("DATE-OBS= 'yesterday'", None),
        ("MJD-OBS = 0.0", None),
    ],
)
def test_date_obs(text: str, expected: str | None) -> None:
    assert date_obs(cards(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("XBINNING= 3", 3),
        ("BINNING = '2*2'", 2),
        ("BINNING = '2x2'", 2),
        ("BINNING = 2", 2),
        ("XBINNING= 0", 1),
        ("", 1),
    ],
)
def test_binning(text: str, expected: int) -> None:
    assert binning(cards(text)) == expected


BINNED = 206.265 * 7.6 / 400


@pytest.mark.parametrize(
    ("text", "bins", "expected"),
    [
        ("FOCALLEN= 400\nXPIXSZ  = 7.6", 2, BINNED),
        ("FOCALLEN= 400\nPIXSIZE1= 3.8", 2, BINNED),
        ("FOCALLEN= 400\nXPIXSZ  = 7.6\nPIXSIZE1= 3.8", 2, BINNED),
        ("FOCALLEN= 400\nXPIXSZ  = 3.8\nPIXSIZE1= 3.8", 2, BINNED),
        ("FOCALLEN= 400\nXPIXSZ  = 3.8 / unbinned pixel size", 2, BINNED),
        ("FOCALLEN= 0\nXPIXSZ  = 3.8", 1, None),
        ("FOCALLEN= 250", 1, None),
        ("IM_SCALE= 5.21", 1, 5.21),
        ("SECPIX  = 1.5", 1, 1.5),
        ("PIXSCALE= 0.0\nSCALE   = 2.0", 1, 2.0),
        ("SCALE   = 1E6", 1, None),
    ],
)
def test_optics(text: str, bins: int, expected: float | None) -> None:
    told = optics(cards(text), bins)
    assert told.notes == ()
    assert told.scale_arcsec == (None if expected is None else pytest.approx(expected, rel=1e-5))


def test_contradicting_optics_are_told() -> None:
    told = optics(cards("FOCALLEN= 400\nXPIXSZ  = 3.8\nPIXSCALE= 3.919"), 2)
    assert told.scale_arcsec == 3.919 and "3.919" in sentence(told.notes[0])


def test_exposure_and_temperature() -> None:
    assert exposure_s(cards("EXPTIME = 10.\nTOTALEXP= 300.\nSTACKCNT= 30")) == 300.0
    assert exposure_s(cards("EXPTIME = 10.\nTOTALEXP= 10.\nSTACKCNT= 1")) == 10.0
    assert exposure_s(cards("EXP     = 15.")) == 15.0 and exposure_s(cards("EXPTIME = 0.")) is None
    assert temperature_c(cards("CAMTEMP = '44 C'")) == 44.0
    assert temperature_c(cards("CAMTEMP = 271.0")) == pytest.approx(-2.15)
    assert temperature_c(cards("SET-TEMP= -15.")) == -15.0 and temperature_c(cards("CCD-TEMP= -999.")) is None


def test_card_values() -> None:
    header = cards(
        "A       = 'it''s / ok' / note\nB       =  1.5D3 / x\nC=   7\n"
        "D       =\nE       = T\nF       = 0,5\nA       = 2"
    )
    assert header.value("A") == "it's / ok" and header.comment("A") == "note"
    assert header.value("B") == 1500.0 and header.integer("B") is None and header.comment("B") == "x"
    assert header.value("D") is None and header.value("E") is True and header.number("E") is None
    assert header.number("F") == 0.5 and header.number("MISSING", "B") == 1500.0 and header.value("C=   7") is None


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ((80, 96), (80, 96, 1, None)),
        ((80, 96, 3), (80, 96, 3, 0)),
        ((3, 80, 96), (80, 96, 3, 2)),
        ((80, 96, 1), (80, 96, 1, None)),
        ((80, 96, 3, 1), (80, 96, 3, 0)),
        ((), "reason.no_image"),
        ((0, 96), "reason.no_image"),
        ((5000,), "reason.wrong_dimensions"),
        ((80, 96, 4), "reason.wrong_dimensions"),
        ((80, 96, 3, 2), "reason.wrong_dimensions"),
        ((63, 960), "reason.too_small"),
        ((99999, 99999), "reason.too_large"),
    ],
)
def test_layout(axes: tuple[int, ...], expected: tuple | str) -> None:
    if isinstance(expected, str):
        with pytest.raises(FrameError) as caught:
            layout(axes, "a.fit")
        assert caught.value.reason.key == expected
    else:
        got = layout(axes, "a.fit")
        assert (got.width, got.height, got.planes, got.colour_axis) == expected


@pytest.mark.parametrize(
    ("card", "seconds"),
    [
        ("EXPTIME =               3970.0 / [ms] exposure", 3.97),
        ("EXPOSURE= '4000 ms'", 4.0),
        ("EXP     =              2000000 / exposure in microseconds", 2.0),
        ("EXPTIME =                   10 / Exposure time in seconds", 10.0),
        ("EXPTIME =                   60 / [s] items", 60.0),
    ],
)
def test_units_of_the_exposure(tmp_path: Path, card: str, seconds: float) -> None:
    cards = "INSTRUME= 'IMX347'\nFOVRA   =                314.7\nFOVDEC  =                 44.3\n" + card
    frame = read_frame(write(tmp_path / "a.fit", unsigned_bytes(noise(), cards)))
    assert frame.exposure_s == pytest.approx(seconds)
    assert (frame.ra_deg, frame.dec_deg) == (314.7, 44.3)
