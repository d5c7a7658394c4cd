"""Cubic splines onto other pixels: against SciPy, polynomials and plain linear interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from zemosaic.resampling.interpolation import Interpolation, cubic_table, kernels_of, lanczos_table
from zemosaic.resampling.spline import placed
from zemosaic.resampling.warp import Lattice

SHAPE, SIZE, STEP = (17, 23), (14, 19), 4


def lattice_of(scale: float, turn: float, corner: tuple[int, int], away: tuple[float, float]):
    """Return a lattice of a linear map about a box, and where that map takes the pixels of the box."""
    row0, column0 = (side // STEP * STEP for side in corner)

    def mapped(rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y, x = rows - corner[0], columns - corner[1]
        return (
            away[0] + scale * (np.cos(turn) * x - np.sin(turn) * y),
            away[1] + scale * (np.sin(turn) * x + np.cos(turn) * y),
        )

    rows = row0 + STEP * np.arange((SIZE[0] + STEP) // STEP + 3)
    columns = column0 + STEP * np.arange((SIZE[1] + STEP) // STEP + 3)
    x, y = mapped(rows[:, None].astype(float), columns[None, :].astype(float))
    box = mapped(np.arange(SIZE[0])[:, None] + corner[0], np.arange(SIZE[1])[None, :] + corner[1])
    return x, y, row0, column0, box


@pytest.mark.parametrize("corner", [(0, 0), (7, 10)])
@pytest.mark.parametrize(
    ("scale", "turn", "away"), [(0.7, 0.3, (4.0, 0.3)), (1.3, -0.4, (-1.0, 6.0)), (1.0, 0.0, (0.0, 0.0))]
)
def test_it_is_scipys_spline_with_linear_shares(corner, scale, turn, away):
    rng = np.random.default_rng(2)
    value = rng.uniform(0.0, 100.0, (2, *SHAPE)).astype(np.float32)
    share = rng.uniform(0.1, 1.0, SHAPE).astype(np.float32)
    share[12:, :5] = 0.0
    x, y, row0, column0, (bx, by) = lattice_of(scale, turn, corner, away)
    got, shares, nearest = placed(value, share, Lattice(x, y, row0, column0), STEP, corner, SIZE)
    inside = (bx >= 0) & (by >= 0) & (bx <= SHAPE[1] - 1) & (by <= SHAPE[0] - 1)
    linear = np.where(inside, map_coordinates(share, [by, bx], order=1, mode="nearest"), 0.0)
    edge = np.minimum.reduce([np.abs(bx), np.abs(by), np.abs(bx - SHAPE[1] + 1), np.abs(by - SHAPE[0] + 1)]) < 1e-9
    # Rounding decides on the very edge, but where places are whole numbers.
    judged = ~edge | (turn == 0.0)
    np.testing.assert_allclose(shares[judged], linear[judged], atol=1e-5)
    lit = judged & (linear > 1e-5)
    assert lit.sum() > 60 and np.isnan(got[:, judged & ~inside]).all() and (nearest[judged & ~inside] == -1).all()
    for plane, resampled in zip(value, got, strict=True):
        expected = map_coordinates(plane.astype(float), [by, bx], order=3, mode="mirror")
        np.testing.assert_allclose(resampled[lit], expected[lit], atol=2e-3)
    flat = np.rint(by) * SHAPE[1] + np.rint(bx)
    assert (nearest[lit] == flat[lit]).mean() > 0.99


def test_kernels_reproduce_polynomials_and_add_up():
    t = np.arange(65) / 64
    cubic, offset = cubic_table(64), np.arange(-1, 3)
    for power in range(3):
        np.testing.assert_allclose(cubic @ offset.astype(float) ** power, t**power, atol=1e-6)
    lanczos = lanczos_table(64)
    np.testing.assert_allclose(lanczos.sum(axis=1), 1.0, atol=1e-6)
    place = np.arange(-2, 4)
    apart = t[:, None] - place
    plain = np.where(np.abs(apart) < 3, np.sinc(apart) * np.sinc(apart / 3.0), 0.0)
    np.testing.assert_allclose(lanczos, plain / plain.sum(axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(lanczos[0], [0, 0, 1, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(lanczos[-1], [0, 0, 0, 1, 0, 0], atol=1e-6)


def test_nearest_and_bilinear_weights():
    nearest, _ = kernels_of(Interpolation.NEAREST)
    bilinear, _ = kernels_of(Interpolation.BILINEAR)
    quarter = (len(bilinear) - 1) // 4
    np.testing.assert_array_equal(bilinear[quarter], [0.0, 0.75, 0.25, 0.0])
    np.testing.assert_array_equal(nearest[quarter], [0.0, 1.0, 0.0, 0.0])
    np.testing.assert_array_equal(nearest[3 * quarter], [0.0, 0.0, 1.0, 0.0])
    wide, sparse = kernels_of(Interpolation.LANCZOS3)
    assert wide.shape[1] == 8 and not wide[:, 6:].any()
    np.testing.assert_array_equal(sparse, cubic_table())
