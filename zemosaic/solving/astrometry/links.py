"""Which detections of all frames are the same star, and which catalogue star that is."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from zemosaic.arrays import Float64s, Indices
from zemosaic.catalogue import Catalogue
from zemosaic.wcs import ra_dec, unit_vectors

__all__ = ["link_detections", "nearest_reference", "reference_directions"]


def reference_directions(
    catalogue: Catalogue, pointings: Float64s, radii_deg: Float64s, per_cone: int = 4000
) -> Float64s:
    """Return the catalogue's stars round all pointings as unit vectors, shape (m, 3), each once.

    Parameters
    ----------
    catalogue : Catalogue
    pointings : ndarray
        Unit vectors, shape (frames, 3).
    radii_deg : ndarray
        Half diagonals of the frames, shape (frames,).
    per_cone : int
        Most stars, the brightest, of the surroundings of a pointing.
    """
    cell = 0.25
    reach = float(radii_deg.max()) + np.degrees(np.sqrt(3.0)) * 0.5 * np.radians(cell)
    corners = np.unique(np.round(pointings / np.radians(cell)).astype(np.int64), axis=0)
    ra, dec = ra_dec(corners.astype(float))
    cones = [catalogue.cone(float(a), float(d), reach, per_cone) for a, d in zip(ra, dec, strict=True)]
    places = np.concatenate([np.column_stack([c.ra_deg, c.dec_deg]) for c in cones])
    places = np.unique(places, axis=0)
    return unit_vectors(places[:, 0], places[:, 1])


def nearest_reference(
    directions: Float64s, anchors: Float64s, radius_rad: float | Float64s
) -> tuple[Float64s, Indices]:
    """Return distance (radians, inf where none) and index of each direction's nearest anchor within the radius.

    Parameters
    ----------
    directions : ndarray, shape (n, 3)
        Unit vectors.
    anchors : ndarray, shape (m, 3)
        Unit vectors.
    radius_rad : float or ndarray, shape (n,)

    Returns
    -------
    distance : ndarray, shape (n,)
        Radians.
    index : ndarray of int, shape (n,)
        0 where there is none.
    """
    if len(anchors) == 0 or len(directions) == 0:
        return np.full(len(directions), np.inf), np.zeros(len(directions), np.intp)
    distance, index = cKDTree(anchors).query(directions, distance_upper_bound=float(np.max(radius_rad)))
    distance = np.where(distance <= radius_rad, distance, np.inf)
    return distance, np.where(np.isfinite(distance), index, 0)


def link_detections(directions: Float64s, frame: Indices, rank: Float64s, radius_rad: float) -> Indices:
    """Return the star of each detection, shape (n,), -1 for a frame's second detection of the same star.

    Detections are binned into cubes as wide as the radius; cubes whose means lie within the radius are one
    star.  Far fewer cubes than detections hold a star, so that the cost does not grow with the depth squared.

    Parameters
    ----------
    directions : ndarray
        Unit vectors, shape (n, 3).
    frame : ndarray
        Frame of each detection.
    rank : ndarray
        Of two detections in a frame the one with the smaller rank is kept.
    radius_rad : float
        Greatest distance of detections of one star.
    """
    if len(directions) == 0:
        return np.empty(0, np.intp)
    bits = np.floor((directions + 1.0) / radius_rad).astype(np.int64)
    span = int(bits.max()) + 1
    _, cube = np.unique((bits[:, 0] * span + bits[:, 1]) * span + bits[:, 2], return_inverse=True)
    count = np.bincount(cube)
    means = np.stack([np.bincount(cube, directions[:, k]) / count for k in range(3)], axis=1)
    pairs = cKDTree(means).query_pairs(radius_rad, output_type="ndarray")
    graph = coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(means), len(means)))
    star: Indices = connected_components(graph, directed=False)[1].astype(np.intp)[cube]
    order = np.lexsort((rank, frame, star))
    again = (np.diff(star[order]) == 0) & (np.diff(frame[order]) == 0)
    star[order[1:][again]] = -1
    return star
