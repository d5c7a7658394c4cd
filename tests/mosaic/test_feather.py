"""Where tiles meet, nobody sees it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from zemosaic.model import TileSpec
from zemosaic.mosaic.feather import blend, tile_weight


def tiles_of(height: int, width: int, tile: int, overlap: int) -> list[TileSpec]:
    tiles = []
    for y0 in range(0, height, tile):
        for x0 in range(0, width, tile):
            inner = (y0, min(y0 + tile, height), x0, min(x0 + tile, width))
            outer = (
                max(0, inner[0] - overlap),
                min(height, inner[1] + overlap),
                max(0, inner[2] - overlap),
                min(width, inner[3] + overlap),
            )
            tiles.append(TileSpec(len(tiles), inner, outer, (0,)))
    return tiles


@given(height=st.integers(20, 90), width=st.integers(20, 90), tile=st.integers(20, 50), overlap=st.integers(0, 9))
@settings(max_examples=60)
def test_weights_sum_to_one_everywhere(height, width, tile, overlap):
    # A last tile narrower than two overlaps has no room for its ramp; `blend` divides by the sum then.
    assume(all((size - 1) % tile + 1 >= 2 * overlap for size in (height, width)))
    total = np.zeros((height, width))
    for spec in tiles_of(height, width, tile, overlap):
        weight = tile_weight(spec, height, width)
        y0, y1, x0, x1 = spec.outer
        assert weight.shape == (y1 - y0, x1 - x0) and weight.min() > 0 and weight.max() <= 1
        total[y0:y1, x0:x1] += weight
    np.testing.assert_allclose(total, 1.0, atol=1e-6)


def test_identical_parts_blend_to_themselves():
    rng = np.random.default_rng(0)
    value = rng.normal(0, 1000, (3, 20, 30)).astype(np.float32)
    weight = rng.uniform(0.1, 0.9, (20, 30)).astype(np.float32)
    np.testing.assert_allclose(blend([(value, weight), (value, np.float32(1) - weight)]), value, rtol=3e-7)


def test_what_one_part_alone_covers_passes_bit_for_bit():
    rng = np.random.default_rng(1)
    one, two = rng.normal(0, 1000, (2, 3, 20, 30)).astype(np.float32)
    one[:, :, 20:], two[:, :, :10] = np.nan, np.nan
    weight = rng.uniform(0.01, 0.99, (20, 30)).astype(np.float32)
    mixed = blend([(one, weight), (two, np.float32(1) - weight)])
    assert mixed[:, :, :10].tobytes() == one[:, :, :10].tobytes()
    assert mixed[:, :, 20:].tobytes() == two[:, :, 20:].tobytes()
    middle = np.s_[:, :, 10:20]
    expected = weight * one.astype(float) + (1 - weight.astype(float)) * two
    np.testing.assert_allclose(mixed[middle], expected[middle], rtol=1e-4, atol=1e-3)
    one[:, 5], two[:, 5] = np.nan, np.nan
    assert np.isnan(blend([(one, weight), (two, weight)])[:, 5]).all()


def test_the_ramp_is_straight_and_ends_at_the_canvas_edge():
    left = TileSpec(0, (0, 10, 0, 20), (0, 10, 0, 24), (0,))
    weight = tile_weight(left, 10, 40)[0]
    assert (weight[:16] == 1).all(), "no fading where the canvas ends"
    np.testing.assert_allclose(weight[16:24], (np.arange(8)[::-1] + 0.5) / 8.0, rtol=1e-6)
    assert weight[19] + weight[20] == pytest.approx(1.0)


def test_parts_are_weighed_and_holes_are_not_counted():
    nan = np.nan
    one, two = np.array([[[2.0, nan, nan]]], np.float32), np.array([[[6.0, 6.0, nan]]], np.float32)
    weights = np.array([[0.25, 0.5, 0.5]], np.float32), np.array([[0.75, 0.5, 0.5]], np.float32)
    np.testing.assert_allclose(blend([(one, weights[0]), (two, weights[1])])[0, 0], [5.0, 6.0, nan])
    np.testing.assert_array_equal(blend([(one, weights[0])])[0, 0], [2.0, nan, nan])


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_fall_linearly_over_twice_the_half_overlap(axis):
    outer, inner = [0, 12, 0, 12], [0, 12, 0, 12]
    outer[2 * axis : 2 * axis + 2], inner[2 * axis : 2 * axis + 2] = (8, 24), (10, 20)
    weight = tile_weight(TileSpec(0, tuple(inner), tuple(outer), (0,)), 40, 40)
    profile = weight[:, 3] if axis == 0 else weight[3]
    falling = [0.125, 0.375, 0.625, 0.875]
    np.testing.assert_allclose(profile[:4], falling)
    np.testing.assert_allclose(profile[4:8], 1.0)
    np.testing.assert_allclose(profile[8:], (np.arange(8)[::-1] + 0.5) / 8.0)
    outer[2 * axis : 2 * axis + 2], inner[2 * axis : 2 * axis + 2] = (30, 40), (30, 40)
    assert (tile_weight(TileSpec(0, tuple(inner), tuple(outer), (0,)), 40, 40) == 1.0).all()
