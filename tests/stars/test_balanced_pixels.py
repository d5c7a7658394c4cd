"""A mosaic with balanced colours: gains everywhere, star cores in the hue of their wings."""

from __future__ import annotations

import numpy as np
from star_fields import star_image

from zemosaic.stars.applied_gains import BalancedPixels

GAINS = (1.6, 1.0, 1.4)


def cut_star(level: float) -> np.ndarray:
    planes = star_image([100.0], [100.0], [[0.7e6, 1e6, 0.4e6]], shape=(200, 200), noise=0.0)
    return np.minimum(planes, np.float32(level))


def test_pixels_are_multiplied_and_nothing_else():
    source = np.random.default_rng(1).normal(100, 5, (3, 40, 50)).astype(np.float32)
    balanced = BalancedPixels(source, GAINS)
    assert balanced.shape == source.shape
    wanted = source * np.array(GAINS, np.float32)[:, None, None]
    assert np.array_equal(balanced[:, 5:20, 3:30], wanted[:, 5:20, 3:30])
    assert np.array_equal(balanced[1:2, 5:20, 3:30], wanted[1:2, 5:20, 3:30])


def test_a_cut_off_core_has_the_hue_of_its_wings():
    source = cut_star(20000.0)
    balanced = BalancedPixels(source, GAINS, (18000.0,) * 3)[:, 0:200, 0:200]
    core, plain = balanced[:, 100, 100], source[:, 100, 100] * np.array(GAINS)
    light = np.array([0.7, 1.0, 0.4]) * GAINS
    assert np.allclose(core / core[1], light / light[1], rtol=0.2)
    assert not np.allclose(plain / plain[1], light / light[1], rtol=0.2)
    assert core.max() >= plain.max() * 0.999


def test_parts_are_those_of_the_whole():
    source = cut_star(20000.0)
    balanced = BalancedPixels(source, GAINS, (18000.0,) * 3)
    assert np.allclose(balanced[:, 90:110, 80:105], balanced[:, 0:200, 0:200][:, 90:110, 80:105], rtol=1e-4)
