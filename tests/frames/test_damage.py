"""The reason of an unusable frame is what its pixels say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fits_files import DATA, noise, sentence, unsigned_bytes, write

from zemosaic.errors import FrameError
from zemosaic.frames.damage import refuse_unusable
from zemosaic.frames.frame_files import read_frame, scan_folder
from zemosaic.frames.pixels import open_pixels

RNG = np.random.default_rng(5)
SKY = RNG.normal(600.0, 20.0, (96, 80))


def reason_of(pixels: np.ndarray) -> str:
    try:
        refuse_unusable(pixels, "a.fit")
    except FrameError as problem:
        assert "a.fit" in sentence(problem.reason) and "a.fit" in sentence(problem.reason, "fr")
        return problem.reason.key
    return ""


@pytest.mark.parametrize(
    ("pixels", "key"),
    [
        (SKY.astype(np.uint16), ""),
        (np.where(RNG.random((96, 80)) < 0.3, 0, SKY), ""),
        (np.zeros((96, 80), np.uint16), "reason.one_value"),
        (np.full((96, 80), 65535, np.uint16), "reason.overexposed"),
        (np.clip(SKY - 610.0, 0.0, None), "reason.cut_off"),
        (np.full((96, 80), np.nan), "reason.no_numbers"),
    ],
)
def test_reasons(pixels: np.ndarray, key: str) -> None:
    assert reason_of(pixels) == key


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("blank_reason/jupiter.fits", "reason.one_value"),
        ("blank_reason/saturated_skyflat_crop.fits", "reason.overexposed"),
        ("clipped_zero/Light_NGC 7023_20.0s_IRCUT_20250630-023420.fit.fz", "reason.cut_off"),
        ("stack_among_subs/Light_M 94_10.0s_IRCUT_20250326-212057.fit.fz", ""),
    ],
)
def test_real_frames(name: str, key: str) -> None:
    frame = read_frame(DATA.parent / "cases" / "real" / name, light=False)
    pixels = open_pixels(frame, None).read_all()
    try:
        refuse_unusable(pixels, name)
    except FrameError as problem:
        assert problem.reason.key == key
    else:
        assert key == ""


def test_what_a_dwarf_writes_beside_its_frames(tmp_path: Path) -> None:
    cards = "RA      =                  0.0\nDEC     =                  0.0\nTELESCOP= 'DWARF II'"
    write(tmp_path / "0001.fits", unsigned_bytes(noise(), cards))
    told = {"RA": 21.65051251668246, "DEC": 57.487, "exp": "15", "gain": 60, "ir": "Duo-Band", "target": "IC 1396"}
    (tmp_path / "shotsInfo.json").write_text(json.dumps(told), encoding="utf-8")
    (frame,) = scan_folder(tmp_path).frames
    assert frame.ra_deg == pytest.approx(324.7577) and frame.dec_deg == 57.487
    assert (frame.exposure_s, frame.gain, frame.filter_name, frame.object_name) == (15.0, 60.0, "Duo-Band", "IC 1396")
    assert "note.no_pointing" not in [note.key for note in frame.notes]
    (tmp_path / "shotsInfo.json").write_text("[]", encoding="utf-8")
    assert scan_folder(tmp_path).frames[0].ra_deg is None
