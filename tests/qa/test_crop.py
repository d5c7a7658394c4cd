"""The quality crop: every rule has its effect, good borders stay, nothing is cut by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zemosaic.qa.crop import QualityCrop, coverage_box, merged_box, quality_box, widened

RULES = QualityCrop()
HEIGHT, WIDTH = 700, 600
BOX = (0, HEIGHT, 0, WIDTH)


def weights(left: int = 0, depth: float = 0.2, seed: int = 0) -> np.ndarray:
    """Return an even weight map with some thin columns at the left."""
    weight = np.random.default_rng(seed).uniform(0.9, 1.1, (HEIGHT, WIDTH)).astype(np.float32)
    weight[:, :left] *= depth
    return weight


def test_an_even_mosaic_is_left_alone():
    assert quality_box(weights(), BOX, RULES) == BOX


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_thin_border_is_cut_at_its_edge(turns):
    weight = np.rot90(weights(64), turns)
    height, width = weight.shape
    cut = 64 + RULES.margin_px
    wanted = [
        (0, HEIGHT, cut, WIDTH),
        (0, WIDTH - cut, 0, HEIGHT),
        (0, HEIGHT, 0, WIDTH - cut),
        (cut, WIDTH, 0, HEIGHT),
    ]
    # A turn by 90 degrees brings the left columns to the last rows, counted upwards from the first row.
    expected = wanted if turns % 2 == 0 else [wanted[0], (0, height, 0, width), wanted[2], (0, height, 0, width)]
    found = quality_box(weight, (0, height, 0, width), RULES)
    if turns % 2 == 0:
        assert found == expected[turns]
    else:
        assert found == ((0, height - cut, 0, width) if turns == 1 else (cut, height, 0, width))


def test_the_width_of_the_strips_sets_the_steps():
    weight = weights(64)
    assert quality_box(weight, BOX, replace(RULES, band_px=16, margin_px=0))[2] == 64
    assert quality_box(weight, BOX, replace(RULES, band_px=60, margin_px=0, min_run=1))[2] == 60


def test_the_limit_decides_what_is_noisy():
    weight = weights(64, 0.7)  # 20 per cent more noise, 3.6 spreads of 0.05
    assert quality_box(weight, BOX, RULES)[2] == 72
    assert quality_box(weight, BOX, replace(RULES, k_sigma=4.0)) == BOX


def test_a_bad_stretch_shorter_than_the_run_stays():
    weight = weights(96)
    weight[:, 32:64] = 1.0
    assert quality_box(weight, BOX, replace(RULES, min_run=1))[2] == 32 + 8, "up to the first good strip"
    assert quality_box(weight, BOX, RULES)[2] == 0, "one bad strip is shorter than two"
    assert quality_box(weights(64), BOX, RULES)[2] == 64 + 8
    assert quality_box(weights(64), BOX, replace(RULES, min_run=3))[2] == 0


def test_the_margin_is_cut_too_but_only_where_something_is_cut():
    weight = weights(64)
    assert quality_box(weight, BOX, replace(RULES, margin_px=0)) == (0, HEIGHT, 64, WIDTH)
    assert quality_box(weight, BOX, replace(RULES, margin_px=20)) == (0, HEIGHT, 84, WIDTH)


def test_uncovered_corners_do_not_count_as_noise():
    weight = weights()
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    weight[x + y < 300] = 0
    weight[x - y > 350] = np.nan
    assert quality_box(weight, BOX, RULES) == BOX


def test_nothing_remains_where_no_run_is_long_enough():
    weight = weights()
    weight[:, ::2] = 0
    assert quality_box(np.zeros((HEIGHT, WIDTH), np.float32), BOX, RULES) is None
    assert quality_box(weights(64), BOX, replace(RULES, margin_px=5000)) is None


@given(
    st.integers(0, 60), st.integers(0, 60), st.integers(1, 40), st.integers(1, 5), st.integers(0, 30), st.integers(0, 9)
)
def test_the_result_lies_in_the_box_or_is_none(y, x, band, run, margin, seed):
    weight = np.random.default_rng(seed).exponential(size=(90, 80)).astype(np.float32)
    box = (y, 90, x, 80)
    found = quality_box(weight, box, QualityCrop(band, 1.0, run, margin))
    if found is not None:
        assert y <= found[0] < found[1] <= 90
        assert x <= found[2] < found[3] <= 80


def test_edges_that_quality_does_not_cut_keep_their_empty_margin():
    canvas, covered = (0, 100, 0, 200), (10, 90, 20, 170)
    assert merged_box(canvas, covered, covered) == canvas
    assert merged_box(canvas, covered, (30, 90, 20, 150)) == (30, 100, 0, 150)
    margin = widened(covered, 15, canvas)
    assert margin == (0, 100, 5, 185)
    assert merged_box(margin, covered, (30, 90, 20, 170)) == (30, 100, 5, 185)


def test_a_box_inside_a_larger_map(tmp_path):
    weight = np.zeros((HEIGHT + 100, WIDTH + 50), np.float32)
    weight[60 : 60 + HEIGHT, 30 : 30 + WIDTH] = weights(64)
    covered = coverage_box(weight, 0)
    assert covered == (60, 60 + HEIGHT, 30, 30 + WIDTH)
    assert quality_box(weight, covered, RULES) == (60, 60 + HEIGHT, 30 + 72, 30 + WIDTH)
