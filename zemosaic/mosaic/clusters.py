"""Frames into groups: by hand, or by where they point and how they lie; every frame is in exactly one.

Groups do not depend on the order of the frames, nor on where on the sky they are: distances are those of unit
vectors, angles are taken on the tangent plane of the group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.model import SolvedFrame
from zemosaic.wcs import FrameWcs, ra_dec, unit_vectors

__all__ = ["AUTO_MAX_FRAMES", "GroupRules", "frame_groups"]

AUTO_RADIUS = 0.25
"""Radius of a group, in parts of a frame's shorter side."""
AUTO_SPLIT_DEG = 25.0
"""Frames of a group that lie further apart in angle than this are divided."""
AUTO_MAX_FRAMES = 500
"""Most frames of a group where the program may limit them."""
MIN_GROUP_FRAMES = 5
"""A group of fewer frames cannot tell outliers by itself, and joins a larger one within twice the radius."""
MIN_RADIUS_RAD = 1e-6
"""A fifth of an arcsecond, in radian."""
CELLS_PER_RADIUS = 6
"""Places are told apart to this part of the radius."""

Vectors = NDArray[np.float64]


@dataclass(frozen=True)
class GroupRules:
    """How frames are grouped; 0 leaves a number to the program."""

    radius_deg: float = 0.0
    """Greatest distance from the middle of the group."""
    split_deg: float = 0.0
    """Greatest difference in orientation within a group; half a turn is none."""
    cap: int = 0
    """Most frames in a group; 0 means no limit."""


def frame_groups(frames: Sequence[SolvedFrame], rules: GroupRules) -> list[list[int]]:
    """Return the places of the frames of each group, every place exactly once.

    A group by hand is one wherever its frames lie, and is divided by the cap alone.
    Groups and their members come in an order of their own: by time, then by path.

    Parameters
    ----------
    frames : sequence of SolvedFrame
    rules : GroupRules

    Returns
    -------
    list of list of int
        Indices into `frames`.
    """
    by_name: dict[str, list[int]] = {}
    for k, frame in enumerate(frames):
        by_name.setdefault(frame.frame.group_name, []).append(k)
    ungrouped = by_name.pop("", [])
    groups = [[ungrouped[k] for k in group] for group in _automatic([frames[k] for k in ungrouped], rules)]
    groups += by_name.values()
    groups = [
        part for group in groups for part in _capped(sorted(group, key=lambda k: _time_key(frames[k])), rules.cap)
    ]
    return sorted(groups, key=lambda group: _time_key(frames[group[0]]))


def _automatic(frames: Sequence[SolvedFrame], rules: GroupRules) -> list[list[int]]:
    """Group frames by place and orientation."""
    if not frames:
        return []
    centres = np.array(
        [unit_vectors(*frame.wcs.pixel_to_sky(0.5 * frame.frame.width, 0.5 * frame.frame.height)) for frame in frames]
    )
    radius = max(math.radians(rules.radius_deg or _auto_radius_deg(frames)), MIN_RADIUS_RAD)
    groups: list[list[int]] = []
    for members in _by_place(centres, radius):
        groups += _by_orientation(frames, centres, members, rules.split_deg or AUTO_SPLIT_DEG)
    return groups


def _auto_radius_deg(frames: Sequence[SolvedFrame]) -> float:
    sides = [min(frame.frame.width, frame.frame.height) * frame.wcs.scale_arcsec / 3600.0 for frame in frames]
    return AUTO_RADIUS * float(np.median(sides))


def _time_key(solved: SolvedFrame) -> tuple[str, str]:
    return solved.frame.date_obs or "", solved.frame.path


def _by_place(centres: Vectors, radius: float) -> list[list[int]]:
    """Group directions: the densest place first, with all within the radius; then each goes to the nearest middle.

    Directions are first gathered in cells, since thousands of frames of one pointing need not be told apart.
    """
    keys, cell_of, counts = np.unique(
        np.round(centres * (CELLS_PER_RADIUS / radius)).astype(np.int64),
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    cell_of = cell_of.reshape(-1)
    cells = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    chord = 2.0 * math.sin(min(radius, math.pi) / 2.0)
    near = cKDTree(cells).query_ball_point(cells, chord, return_sorted=True)
    density = np.array([counts[members].sum() for members in near])
    group_of = np.full(len(cells), -1)
    middles: list[Vectors] = []
    while (group_of < 0).any():
        # The first of equals: cells are sorted by their place, not by when they came.
        densest = int(np.argmax(np.where(group_of < 0, density, -1)))
        members = [k for k in near[densest] if group_of[k] < 0]
        group_of[members] = len(middles)
        middles.append(_middle(cells[members], counts[members]))
        for k in members:
            density[near[k]] -= counts[k]
    group_of = cKDTree(np.array(middles)).query(cells)[1]
    group_of = _joined(cells, counts, group_of, 2.0 * chord)
    frame_group = group_of[cell_of]
    return [np.flatnonzero(frame_group == g).tolist() for g in np.unique(frame_group)]


def _middle(cells: Vectors, counts: NDArray[np.int64]) -> Vectors:
    total = (cells * counts[:, None]).sum(axis=0)
    return np.asarray(total / np.linalg.norm(total))


def _joined(
    cells: Vectors, counts: NDArray[np.int64], group_of: NDArray[np.int64], max_distance: float
) -> NDArray[np.int64]:
    """Let the cells of small groups join the nearest group that is none, if that is within reach."""
    names = np.unique(group_of)
    sizes = np.array([counts[group_of == g].sum() for g in names])
    large = names[sizes >= MIN_GROUP_FRAMES]
    if not len(large) or len(large) == len(names):
        return group_of
    tree = cKDTree(np.array([_middle(cells[group_of == g], counts[group_of == g]) for g in large]))
    distance, nearest = tree.query(cells)
    small = ~np.isin(group_of, large) & (distance <= max_distance)
    return np.where(small, large[nearest], group_of)


def _by_orientation(
    frames: Sequence[SolvedFrame], centres: Vectors, members: list[int], split_deg: float
) -> list[list[int]]:
    """Divide a group where its frames lie turned by more than `split_deg`; upside down is not turned."""
    ra, dec = (float(v) for v in ra_dec(np.sort(centres[members], axis=0).sum(axis=0)))
    angle = np.array([_orientation_deg(frames[k], ra, dec) for k in members])
    order = np.sort(angle)
    gaps = np.diff(np.append(order, order[0] + 180.0))
    begin = order[(int(np.argmax(gaps)) + 1) % len(order)]
    turned = (angle - begin) % 180.0
    # Rounding must not take the first frame for the last.
    turned[turned > 180.0 - 1e-9] = 0.0
    parts = max(1, math.ceil(float(turned.max()) / split_deg - 1e-9))
    width = float(turned.max()) / parts or 1.0
    part = np.minimum((turned / width).astype(int), parts - 1)
    return [[k for k, p in zip(members, part, strict=True) if p == number] for number in np.unique(part)]


def _orientation_deg(solved: SolvedFrame, ra: float, dec: float) -> float:
    """Return the angle of a frame's columns on the tangent plane about (ra, dec), in [0, 180)."""
    plane = FrameWcs(ra, dec, 0.0, 0.0, ((1.0, 0.0), (0.0, 1.0)))
    x, y = 0.5 * solved.frame.width, 0.5 * solved.frame.height
    sky = solved.wcs.pixel_to_sky(np.array([x, x]), np.array([y - 50.0, y + 50.0]))
    px, py = plane.sky_to_pixel(*sky)
    return round(math.degrees(math.atan2(py[1] - py[0], px[1] - px[0])), 6) % 180.0


def _capped(members: list[int], cap: int) -> list[list[int]]:
    """Divide a group in the order of time so that every part has frames of the whole time."""
    parts = math.ceil(len(members) / cap) if cap else 1
    return [members[k::parts] for k in range(parts)]
