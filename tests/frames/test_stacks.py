"""A finished stack among single frames is left out by name, and single frames never are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fits_files import DATA, SEESTAR, fits_bytes, sentence, unsigned_bytes, write

from zemosaic.frames.frame_files import ScanResult, scan_folder
from zemosaic.model import FrameStatus

SHAPE = (96, 80)
COLOUR = (3, 96, 80)
NO_BAYER = SEESTAR.replace("BAYERPAT= 'GRBG    '           / Bayer pattern\n", "")


def pixels(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(500, 900, shape, dtype=np.uint16)


def with_subs(folder: Path, name: str, content: bytes, sub_cards: str = SEESTAR) -> ScanResult:
    """Return the scan of a folder that holds two single frames and one file more."""
    for second in (10, 20):
        cards = sub_cards.replace("20:54:22", f"20:54:{second}")
        write(folder / f"Light_{second}.fit", unsigned_bytes(pixels(SHAPE, second), cards))
    write(folder / name, content)
    return scan_folder(folder)


@pytest.mark.parametrize(
    ("cards", "key"),
    [
        ("STACKCNT=                   33", "reason.stack_card"),
        ("NCOMBINE=                   12", "reason.stack_card"),
        ("IMAGETYP= 'Master Light'", "reason.stack_card"),
        ("INTEGRAT= 'Integration'", "reason.stack_card"),
        ("SOFTWARE= 'DeepSkyStacker 5.1.6'", "reason.stack_card"),
        ("HISTORY Stacking result", "reason.stack_history"),
        ("HISTORY mean stacking with winsorized sigma clipping rejection", "reason.stack_history"),
        ("HISTORY 1  Stacking method SIGMA CLIP AVERAGE", "reason.stack_history"),
        ("HISTORY ImageIntegration.numberOfImages: 24", "reason.stack_history"),
        ("CREATOR = 'ZeMosaic 5.0'\nZMHASH  = 'abc'", "reason.stack_own"),
        ("", "reason.stack_planes"),
    ],
)
def test_what_shows_a_stack(tmp_path: Path, cards: str, key: str) -> None:
    scan = with_subs(tmp_path, "picture.fit", unsigned_bytes(pixels(COLOUR), f"{cards}\n{NO_BAYER}"))
    assert [Path(frame.path).name for frame in scan.frames] == ["Light_10.fit", "Light_20.fit"]
    assert [frame.frame_id for frame in scan.frames] == [0, 1]
    (item,) = scan.dropped
    assert (item.reason.key, item.status) == (key, FrameStatus.REJECTED)
    for language in ("en", "fr"):
        assert "picture.fit" in sentence(item.reason, language)


@pytest.mark.parametrize(
    "name", ["Stacked_7_M 94_10.0s.fit", "DSO_Stacked_7_M 94.fit", "result_70s.fit", "DSO_M94.fit"]
)
def test_names_of_stacks(tmp_path: Path, name: str) -> None:
    cards = NO_BAYER.replace("RA      =           192", "RA      =           100")
    scan = with_subs(tmp_path, name, unsigned_bytes(pixels(COLOUR), cards))
    assert [item.reason.key for item in scan.dropped] == ["reason.stack_name"]


@pytest.mark.parametrize(
    ("name", "cards"),
    [
        ("DSO_0001.fit", ""),
        ("result_1.fit", ""),
        ("a.fit", "STACKCNT=                    1"),
        ("pp_light.fit", "HISTORY Calibrated with a master dark: mean stacking of 20 darks"),
        ("r_pp_light.fit", "HISTORY Registered with 2 stars"),
    ],
)
def test_single_frames_are_kept(tmp_path: Path, name: str, cards: str) -> None:
    scan = with_subs(tmp_path, name, unsigned_bytes(pixels(SHAPE), f"{cards}\n{SEESTAR}"))
    assert (len(scan.frames), scan.dropped) == (3, ())


def test_a_stack_of_a_mono_camera_is_told_by_its_name(tmp_path: Path) -> None:
    mono = pixels(SHAPE).astype(np.float32) / 65535
    scan = with_subs(tmp_path, "result_3600s.fit", fits_bytes(mono, NO_BAYER, -32), NO_BAYER)
    assert [item.reason.key for item in scan.dropped] == ["reason.stack_name"]


def test_stacks_that_are_asked_for_or_alone_are_used(tmp_path: Path) -> None:
    stack = unsigned_bytes(pixels(COLOUR), "STACKCNT=                   33\n" + SEESTAR)
    assert len(with_subs(tmp_path / "mixed", "a.fit", stack).frames) == 2
    assert len(scan_folder(tmp_path / "mixed", stacks=True).frames) == 3
    write(tmp_path / "alone/Stacked_33_M 94.fit", stack)
    assert len(scan_folder(tmp_path / "alone").frames) == 1


def test_the_folders_of_a_seestar(tmp_path: Path) -> None:
    stack = unsigned_bytes(pixels(COLOUR), "STACKCNT=                   33\n" + SEESTAR)
    write(tmp_path / "M 94/Stacked_33_M 94_10.0s_IRCUT_20250326-212710.fit", stack)
    for second in (10, 20):
        cards = SEESTAR.replace("20:54:22", f"20:54:{second}")
        write(tmp_path / f"M 94_sub/Light_{second}.fit", unsigned_bytes(pixels(SHAPE, second), cards))
    scan = scan_folder(tmp_path)
    assert [Path(frame.path).parent.name for frame in scan.frames] == ["M 94_sub", "M 94_sub"]
    assert [item.reason.key for item in scan.dropped] == ["reason.stack_card"]


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_a_real_stack_of_a_seestar() -> None:
    scan = scan_folder(DATA.parent / "cases" / "real" / "stack_among_subs")
    assert (len(scan.frames), [item.reason.params.get("value") for item in scan.dropped]) == (3, ["33"])
