"""Colours land where the pattern says, without a shift."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.frames.debayer import colour_sites, debayer, green_image, half_size

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")


def mosaic(colours: np.ndarray, pattern: str) -> np.ndarray:
    """Return the raw frame that a camera with this pattern takes of a colour picture."""
    raw = np.empty(colours.shape[:2], colours.dtype)
    for i, colour in enumerate(pattern):
        y, x = divmod(i, 2)
        raw[y::2, x::2] = colours[y::2, x::2, "RGB".index(colour)]
    return raw


def ramp(height: int = 24, width: int = 32) -> np.ndarray:
    """Return a picture whose colours are different planes, exact in whole numbers after averaging."""
    y, x = np.mgrid[:height, :width]
    return np.stack([1000 + 40 * x + 8 * y, 30000 - 16 * x + 24 * y, 5000 + 4 * x + 80 * y], -1).astype(np.uint16)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_debayer_reproduces_a_ramp(pattern: str) -> None:
    truth = ramp()
    got = debayer(mosaic(truth, pattern), pattern)
    assert got.dtype == np.uint16 and got.shape == truth.shape
    np.testing.assert_array_equal(got[2:-2, 2:-2], truth[2:-2, 2:-2])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_debayer_keeps_flat_colours_to_the_edge(pattern: str) -> None:
    truth = np.broadcast_to(np.array([60000, 20000, 300], np.uint16), (10, 12, 3))
    np.testing.assert_array_equal(debayer(mosaic(truth, pattern), pattern), truth)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_half_size_is_the_ramp_at_cell_centres(pattern: str, kind: type) -> None:
    truth = ramp(25, 33)
    got = half_size(mosaic(truth, pattern).astype(kind), pattern)
    assert got.dtype == np.float32 and got.shape == (3, 12, 16)
    for c, sites in enumerate(zip(*[((s[0],), (s[1], s[2]), (s[3],)) for s in [colour_sites(pattern)]], strict=True)):
        expected = np.mean([truth[y : y + 23 : 2, x : x + 31 : 2, c] for y, x in sites[0]], axis=0)
        np.testing.assert_array_equal(got[c, : expected.shape[0], : expected.shape[1]], expected)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_green_image_reproduces_a_ramp(pattern: str, kind: type) -> None:
    truth = ramp()
    got = green_image(mosaic(truth, pattern).astype(kind), pattern)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[1:-1, 1:-1], truth[1:-1, 1:-1, 1])


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("shape", [(9, 11), (8, 10), (1, 6), (6, 1), (2, 2)])
def test_green_image_uses_green_only(pattern: str, shape: tuple[int, int]) -> None:
    colours = np.empty((*shape, 3), np.float32)
    colours[...] = np.nan, 7.0, np.nan
    np.testing.assert_array_equal(green_image(mosaic(colours, pattern), pattern), np.full(shape, 7.0))


@pytest.mark.parametrize("function", [debayer, half_size, green_image])
def test_unknown_pattern(function: object) -> None:
    with pytest.raises(KeyError):
        function(np.zeros((8, 8), np.uint16), "RGBG")  # type: ignore[operator]
