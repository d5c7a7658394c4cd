"""Small measures that every room uses."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.arrays import median


@pytest.mark.parametrize("kind", ["f4", "f8", "u2", "i4"])
@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (8,), (1000,), (5, 64), (5, 63), (3, 4, 10)])
def test_the_median_is_that_of_numpy_bit_for_bit(kind: str, shape: tuple[int, ...]) -> None:
    values = (np.random.default_rng(len(shape)).normal(size=shape) * 1000 + 5000).astype(kind)
    for axis in (None, *range(-1, len(shape))):
        mine, theirs = median(values, axis=axis), np.median(values, axis=axis)
        assert np.asarray(mine).dtype == np.asarray(theirs).dtype
        assert np.array_equal(mine, theirs)


def test_the_median_of_values_with_a_nan_is_nan_and_infinite_ones_count() -> None:
    values = np.array([[1.0, 2.0, np.nan, 4.0], [1.0, 2.0, 3.0, np.inf], [-np.inf, 1.0, 5.0, np.inf]])
    assert np.array_equal(median(values, axis=1), [np.nan, 2.5, 3.0], equal_nan=True)
    assert np.isnan(median(values))


def test_the_median_leaves_its_values_as_they_were() -> None:
    values = np.array([3.0, 1.0, 2.0, 9.0])
    assert median(values) == 2.5 and values.tolist() == [3.0, 1.0, 2.0, 9.0]
