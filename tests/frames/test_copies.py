"""One exposure in two files counts once, and other exposures of the same second are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fits_files import SEESTAR, noise, sentence, unsigned_bytes, write

from zemosaic.errors import InputError
from zemosaic.frames.frame_files import scan_folder
from zemosaic.model import FrameStatus


def test_copies_with_another_card_and_compressed_ones_count_once(tmp_path: Path) -> None:
    for second in (10, 20):
        write(tmp_path / f"{second}.fit", unsigned_bytes(noise(seed=second), SEESTAR.replace("54:22", f"54:{second}")))
    with fits.open(tmp_path / "10.fit") as hdus:
        hdus[0].header["COMMENT"] = "saved again"
        hdus.writeto(tmp_path / "again_10.fit")
    pixels, header = fits.getdata(tmp_path / "20.fit"), fits.getheader(tmp_path / "20.fit")
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, header)]).writeto(tmp_path / "20.fit.fz")
    scan = scan_folder(tmp_path)
    assert [(frame.frame_id, Path(frame.path).name) for frame in scan.frames] == [(0, "10.fit"), (1, "20.fit")]
    assert [item.reason.key for item in scan.dropped] == ["reason.same_exposure"] * 2
    assert {item.status for item in scan.dropped} == {FrameStatus.REJECTED}
    assert "20.fit" in sentence(scan.dropped[0].reason, "fr")


def test_other_exposures_of_the_same_moment_are_kept(tmp_path: Path) -> None:
    for name, seed in (("a.fit", 1), ("b.fit", 2)):
        write(tmp_path / name, unsigned_bytes(noise(seed=seed), SEESTAR))
    for name in ("black.fit", "black_too.fit"):
        write(tmp_path / name, unsigned_bytes(np.zeros((96, 80), np.uint16), SEESTAR + f"\nNOTE    = '{name}'"))
    assert len(scan_folder(tmp_path).frames) == 4


def test_a_folder_of_other_pictures_says_what_was_seen(tmp_path: Path) -> None:
    for name in ("a.CR2", "b.cr2", "c.xisf", "d.jpeg", "e.txt", ".f.ser"):
        write(tmp_path / "in" / name, b"x")
    with pytest.raises(InputError) as caught:
        scan_folder(tmp_path / "in")
    told = caught.value.message
    assert (told.key, told.params["kinds"]) == ("error.input_other_kinds", "2 CR2, 1 JPEG, 1 XISF")
    assert "CR2" in sentence(told, "fr")
