"""A card that names another Bayer pattern than the pixels have is noticed, and the pattern comes from the pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fits_files import DATA, SEESTAR, unsigned_bytes, write

from zemosaic.frames.bayer_pattern import corrected_frames, site_levels
from zemosaic.frames.frame_files import read_frame, scan_folder
from zemosaic.frames.pixels import open_pixels

SKY = {"R": 900.0, "G": 1000.0, "B": 850.0}
STARS = {"R": 0.76, "G": 1.0, "B": 0.55}


def raw(pattern: str, seed: int, sky: dict[str, float] = SKY) -> np.ndarray:
    """Return a frame of 320 x 256 pixels with stars; red sky and blue sky may be alike."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:320, :256]
    light = np.zeros((320, 256))
    for row, column in random.uniform((10, 10), (310, 246), (40, 2)):
        light += 6000 * np.exp(-0.5 * ((y - row) ** 2 + (x - column) ** 2) / 1.6**2)
    frame = np.empty((320, 256))
    for k, colour in enumerate(pattern):
        at = (slice(k // 2, None, 2), slice(k % 2, None, 2))
        frame[at] = sky[colour] + STARS[colour] * light[at]
    return (frame + random.normal(0, 40, frame.shape)).astype(np.uint16)


def seestar(pattern: str, second: int) -> str:
    return SEESTAR.replace("GRBG", pattern).replace("54:22", f"54:{second}")


@pytest.mark.parametrize("card", ["GRBG", "RGGB", "GBRG", "BGGR"])
@pytest.mark.parametrize("pattern", ["GRBG", "RGGB", "GBRG", "BGGR"])
def test_camera_whose_card_is_wrong(tmp_path: Path, card: str, pattern: str) -> None:
    for second in (10, 20, 30):
        write(tmp_path / f"{second}.fit", unsigned_bytes(raw(pattern, second), seestar(card, second)))
    frames = scan_folder(tmp_path).frames
    seen = {frame.bayer for frame in frames}
    noted = all(any(note.key == "note.bayer_wrong" for note in frame.notes) for frame in frames)
    greens_agree = card.index("G") == pattern.index("G")
    assert (seen, noted) == (({card}, False) if greens_agree else ({pattern}, True))


def test_few_frames_read_off_by_a_column_or_row(tmp_path: Path) -> None:
    """Red and blue of such a frame are told by the other frames, also where the sky is bluer than it is red."""
    sky = SKY | {"R": 850.0, "B": 900.0}
    levels = []
    for second in range(10, 18):
        pixels = raw("GRBG", second, sky)
        pixels = np.roll(pixels, 1, axis=1) if second == 13 else np.roll(pixels, 1, axis=0) if second == 16 else pixels
        path = write(tmp_path / f"{second}.fit", unsigned_bytes(pixels, seestar("GRBG", second)))
        levels.append((read_frame(path, second), site_levels(pixels)))
    corrected = corrected_frames(levels)
    assert {number: frame.bayer for number, frame in corrected.items()} == {13: "RGGB", 16: "BGGR"}


@pytest.mark.parametrize("sky", [{"R": 900.0, "G": 1000.0, "B": 899.0}, dict.fromkeys("RGB", 900.0)])
def test_what_the_pixels_do_not_tell_stays_as_the_card_says(tmp_path: Path, sky: dict[str, float]) -> None:
    pixels = raw("GRBG", 5, sky)
    pixels[1::2, 1::2] += 4  # the greens of real sensors differ a little
    path = write(tmp_path / "a.fit", unsigned_bytes(pixels, seestar("GRBG", 10)))
    assert corrected_frames([(read_frame(path), site_levels(pixels))]) == {}


def test_levels_of_too_little_are_none() -> None:
    assert site_levels(raw("GRBG", 1)[:64, :64]) is None
    assert site_levels(np.full((320, 256), np.nan, np.float32)) is None


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared is not there")
def test_real_frames() -> None:
    """The pattern of real frames agrees with their cards; with another card it is found again."""
    path = next(iter(sorted((DATA / "seestar_m94" / "night2").glob("*.fit*"))))
    frame = read_frame(path)
    levels = site_levels(open_pixels(frame, None).read_all())
    assert corrected_frames([(frame, levels)]) == {}
    corrected = corrected_frames([(replace(frame, bayer="BGGR"), levels)])
    assert corrected[frame.frame_id].bayer == "GRBG"
