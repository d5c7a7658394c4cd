"""The stars of the run itself: which detections of which frames are one star."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.wcs import unit_vectors

__all__ = ["merge_detections"]


def merge_detections(
    positions: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], radius_arcsec: float
) -> list[NDArray[np.int64]]:
    """Give detections at the same place of the sky the same number.

    Parameters
    ----------
    positions : sequence of (ra_deg, dec_deg)
        One pair of arrays per frame.
    radius_arcsec : float
        Largest distance from the first detection of a star.

    Returns
    -------
    list of ndarray, int
        Star numbers per frame, counted from 0 in the order of first appearance; no number stands
        twice in a frame (of two detections the nearer one has it, the other is -1).
    """
    counts = [len(ra) for ra, _ in positions]
    if sum(counts) == 0:
        return [np.empty(0, np.int64) for _ in positions]
    vectors = np.concatenate([unit_vectors(ra, dec) for ra, dec in positions if len(ra)])
    tree = cKDTree(vectors)
    chord = 2.0 * np.sin(np.radians(radius_arcsec / 3600.0) / 2.0)
    star = np.full(len(vectors), -1, np.int64)
    distance = np.full(len(vectors), np.inf)
    edges = np.concatenate([[0], np.cumsum(counts)])
    n_stars = 0
    for first, last in pairwise(edges):
        seeds = first + np.flatnonzero(star[first:last] < 0)
        for seed, near in zip(seeds, tree.query_ball_point(vectors[seeds], chord, return_sorted=True), strict=True):
            if star[seed] >= 0:
                continue
            members = np.asarray(near)
            members = members[star[members] < 0]
            star[members] = n_stars
            distance[members] = np.linalg.norm(vectors[members] - vectors[seed], axis=1)
            n_stars += 1
    return [_unique(star[a:b], distance[a:b]) for a, b in pairwise(edges)]


def _unique(star: NDArray[np.int64], distance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Keep each number only at its nearest detection."""
    order = np.lexsort((distance, star))
    repeated = np.zeros(len(star), bool)
    repeated[order[1:]] = star[order[1:]] == star[order[:-1]]
    return np.where(repeated, -1, star)
