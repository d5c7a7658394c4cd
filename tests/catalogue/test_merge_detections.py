"""Which detections of which frames are one star."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zemosaic.catalogue.merged_detections import merge_detections
from zemosaic.wcs import from_tangent_plane

ARCSEC = 1.0 / 3600.0


@given(
    centre=st.sampled_from([(0.0, 0.0), (359.9999, 44.0), (17.0, 90.0), (200.0, -89.9)]),
    n=st.integers(0, 30),
    frames=st.integers(1, 6),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=40)
def test_stars_that_stand_apart_are_told_apart(centre, n, frames, seed):
    rng = np.random.default_rng(seed)
    place = rng.permutation(36)[:n]
    xi, eta = (place % 6) * 20 * ARCSEC, (place // 6) * 20 * ARCSEC
    positions, truth = [], []
    for _ in range(frames):
        seen = np.flatnonzero(rng.random(n) < 0.7)
        noise = rng.uniform(-0.8, 0.8, (2, len(seen))) * ARCSEC
        positions.append(from_tangent_plane(xi[seen] + noise[0], eta[seen] + noise[1], *centre))
        truth.append(seen)
    numbers = merge_detections(positions, 5.0)
    given_to: dict[int, int] = {}
    for seen, got in zip(truth, numbers, strict=True):
        assert len(got) == len(seen) and (got >= 0).all()
        for star, number in zip(seen.tolist(), got.tolist(), strict=True):
            assert given_to.setdefault(star, number) == number
    used = sorted(given_to.values())
    assert used == list(range(len(used)))


def test_no_star_twice_in_a_frame():
    first = (np.array([10.0]), np.array([20.0]))
    double = (np.array([10.0, 10.0]), np.array([20.0 + 1.5 * ARCSEC, 20.0 + 0.5 * ARCSEC]))
    one, two = merge_detections([first, double], 3.0)
    assert one.tolist() == [0] and two.tolist() == [-1, 0], "the nearer one has it"


@pytest.mark.parametrize("positions", [[], [(np.empty(0), np.empty(0))] * 3])
def test_nothing_to_merge(positions):
    assert [len(ids) for ids in merge_detections(positions, 3.0)] == [0] * len(positions)


def test_the_radius_is_honoured_and_the_order_fixed():
    ra = np.zeros(3)
    frames = [(ra[:1], np.array([0.0])), (ra[:1], np.array([2.9 * ARCSEC])), (ra[:1], np.array([3.1 * ARCSEC]))]
    assert [int(ids[0]) for ids in merge_detections(frames, 3.0)] == [0, 0, 1]
