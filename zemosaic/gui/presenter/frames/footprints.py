"""Where frames lie on a map of the sky: outlines, hits, coverage; fast at 50,000 frames.

The map is the plane that touches the sky at the frames' mean direction; its points (x, y) are degrees,
x to the west and y to the north, as the sky is seen with east on the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zemosaic.arrays import Float64s
from zemosaic.model import FrameRef
from zemosaic.wcs import from_tangent_plane, mean_direction, ra_dec, tangent_plane, unit_vectors

__all__ = ["Corners", "Footprints", "MapView"]

Corners = tuple[Sequence[float], Sequence[float]]
"""RA and Dec of the four corners of a frame, deg."""

_MAX_RADIUS_DEG = 60.0
"""What is further from the middle is not drawn: the plane stretches it without bound."""
_MAX_FIELD_DISTANCE = 0.35
"""Frames whose middles are nearer than this part of a diagonal look at the same field."""
_CORNERS = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])


class Footprints:
    """Outlines of frames on the map.

    Parameters
    ----------
    ra_deg, dec_deg : ndarray, shape (n, 4)
        Corners; NaN for frames without a place.
    """

    def __init__(self, ra_deg: Float64s, dec_deg: Float64s) -> None:
        self.centre: tuple[float, float] | None = None
        self.quads = np.full((*ra_deg.shape, 2), np.nan)
        """Outlines on the map, shape (n, 4, 2)."""
        self.exact = np.zeros(len(ra_deg), bool)
        """Whether the outline comes from solving."""
        self.oriented = np.zeros(len(ra_deg), bool)
        """Whether the corners are those of the frame's pixels; a pointing alone tells no rotation."""
        self.boxes = np.full((*ra_deg.shape[:1], 2, 2), np.nan)
        """Smallest and largest (x, y) of each outline, shape (n, 2, 2); NaN without a place."""
        known = np.isfinite(ra_deg[:, 0])
        if known.any():
            self.centre = mean_direction(ra_deg[known], dec_deg[known])
            self.quads[known] = self._projected(ra_deg[known], dec_deg[known])
            self.boxes[:, 0], self.boxes[:, 1] = self.quads.min(axis=1), self.quads.max(axis=1)

    @classmethod
    def of(cls, frames: Sequence[FrameRef], more: int = 0) -> Footprints:
        """Return the outlines that the headers tell; `more` frames without any follow.

        Parameters
        ----------
        frames : sequence of FrameRef
            Those whose header tells a pointing alone have north up, and half a degree where it tells no scale.
        more : int
            How many outlines without a place follow.
        """
        count = len(frames) + more
        ra, dec = np.full((count, 4), np.nan), np.full((count, 4), np.nan)
        hinted = [i for i, frame in enumerate(frames) if frame.ra_deg is not None and frame.dec_deg is not None]
        if hinted:
            hints = [(frames[i].ra_deg, frames[i].dec_deg, *_size_deg(frames[i])) for i in hinted]
            ra[hinted], dec[hinted] = _hinted_corners(np.array(hints, float))
        for i, frame in enumerate(frames):
            if frame.header_wcs is not None:
                ra[i], dec[i] = frame.header_wcs.corners(frame.width, frame.height)
        made = cls(ra, dec)
        made.oriented[: len(frames)] = [frame.header_wcs is not None for frame in frames]
        made.oriented &= made.placed
        return made

    @property
    def placed(self) -> NDArray[np.bool_]:
        """Which frames have a place on the map."""
        return np.isfinite(self.boxes[:, 0, 0])

    def place(self, row: int, ra_deg: Sequence[float], dec_deg: Sequence[float]) -> None:
        """Set the exact outline of a frame by its four corners.

        Parameters
        ----------
        row : int
        ra_deg, dec_deg : sequence of float
            Each of length 4, as `FrameWcs.corners` gives them.
        """
        self.place_all(np.array([row]), np.array([ra_deg], float), np.array([dec_deg], float))

    def place_all(self, rows: NDArray[np.intp], ra_deg: Float64s, dec_deg: Float64s) -> None:
        """Set the exact outlines of some frames by their corners, each of shape (rows, 4).

        Parameters
        ----------
        rows : ndarray of int, shape (k,)
        ra_deg, dec_deg : ndarray, shape (k, 4)
            As `FrameWcs.corners` gives them.
        """
        if not len(rows):
            return
        if self.centre is None:
            self.centre = mean_direction(ra_deg, dec_deg)
        quads = self._projected(ra_deg, dec_deg)
        self.quads[rows] = quads
        self.boxes[rows, 0], self.boxes[rows, 1] = quads.min(axis=1), quads.max(axis=1)
        self.exact[rows] = True
        self.oriented[rows] = np.isfinite(quads).all(axis=(1, 2))

    def bounds(self, rows: NDArray[np.bool_] | None = None) -> tuple[float, float, float, float]:
        """Return (x0, y0, x1, y1) around all outlines, or some; a degree about the middle where there are none."""
        counted = self.placed if rows is None else self.placed & rows
        if not counted.any():
            return (-0.5, -0.5, 0.5, 0.5)
        x0, y0 = (float(self.boxes[counted, 0, axis].min()) for axis in (0, 1))
        x1, y1 = (float(self.boxes[counted, 1, axis].max()) for axis in (0, 1))
        return x0, y0, x1, y1

    def size_px(self, rows: NDArray[np.bool_], scale_arcsec: float) -> tuple[int, int] | None:
        """Return about the width and height of a mosaic of some frames, to two digits; None where none is placed.

        Parameters
        ----------
        rows : ndarray of bool, shape (n,)
            Frames that count.
        scale_arcsec : float
            Of the mosaic's pixels; north is up.
        """
        if not (rows & self.placed).any():
            return None
        x0, y0, x1, y1 = self.bounds(rows)
        across, up = ((high - low) * 3600 / scale_arcsec for low, high in ((x0, x1), (y0, y1)))
        return int(float(f"{across:.2g}")), int(float(f"{up:.2g}"))

    def centre_of(self, row: int) -> tuple[float, float] | None:
        """Return (ra_deg, dec_deg) of the middle of a frame; None without a place."""
        if self.centre is None or not np.isfinite(self.quads[row, 0, 0]):
            return None
        x, y = self.quads[row].mean(axis=0)
        return self.sky_of(float(x), float(y))

    def sky_of(self, x: float, y: float) -> tuple[float, float]:
        """Return (ra_deg, dec_deg) of a map point; the map must have a centre.

        Parameters
        ----------
        x, y : float
            Degrees on the map, x to the west and y to the north of its centre.
        """
        assert self.centre is not None
        ra, dec = from_tangent_plane(-x, y, *self.centre)
        return float(ra), float(dec)

    def outline_of(self, ra_deg: Float64s, dec_deg: Float64s) -> Float64s:
        """Return the map points, shape (n, 2), of directions; NaN far from the map's middle.

        Parameters
        ----------
        ra_deg, dec_deg : ndarray, shape (n,)
            Directions; one of them too far from the middle leaves none of the points.
        """
        outline: Float64s = self._projected(ra_deg[None], dec_deg[None])[0]
        return outline

    def fields(self, reach_deg: float = 0.0) -> NDArray[np.intp]:
        """Return which field each frame looks at, shape (n,), counted in the order of the frames; -1 without a place.

        The first frame that is in no field yet makes one of all whose middles are nearer to its own than `reach_deg`;
        0 for a third of a frame's diagonal.
        """
        fields = np.full(len(self.quads), -1, np.intp)
        left = np.flatnonzero(self.placed)
        x, y = self.quads[left].mean(axis=1).T.copy()
        across = (self.quads[left, 2] - self.quads[left, 0]).T
        reach2 = np.full(len(left), reach_deg**2) if reach_deg > 0 else _MAX_FIELD_DISTANCE**2 * (across**2).sum(axis=0)
        number = 0
        while len(left):
            near = (x - x[0]) ** 2 + (y - y[0]) ** 2 < max(float(reach2[0]), 1e-18)
            fields[left[near]] = number
            far = ~near
            left, x, y, reach2 = (values[far] for values in (left, x, y, reach2))
            number += 1
        return fields

    def at(self, x: float, y: float) -> NDArray[np.intp]:
        """Return the rows whose outline holds a point, that with the nearest middle first.

        Parameters
        ----------
        x, y : float
            Degrees on the map, x to the west and y to the north of its centre.
        """
        edges = np.roll(self.quads, -1, axis=1) - self.quads
        toward = np.array((x, y)) - self.quads
        side = edges[..., 0] * toward[..., 1] - edges[..., 1] * toward[..., 0]
        rows = np.flatnonzero((side >= 0).all(axis=1) | (side <= 0).all(axis=1))
        middle = self.quads[rows].mean(axis=1)
        return rows[np.argsort(np.hypot(middle[:, 0] - x, middle[:, 1] - y), kind="stable")]

    def inside(self, x0: float, y0: float, x1: float, y1: float) -> NDArray[np.intp]:
        """Return the rows whose middle lies in a rectangle.

        Parameters
        ----------
        x0, y0, x1, y1 : float
            Two opposite corners in either order, in degrees on the map.
        """
        middle = self.quads.mean(axis=1)
        within = (middle >= (min(x0, x1), min(y0, y1))) & (middle <= (max(x0, x1), max(y0, y1)))
        return np.flatnonzero(within.all(axis=1))

    def coverage(self, rows: NDArray[np.bool_], cells: int) -> NDArray[np.int32]:
        """Return how many of some frames cover each cell of a grid over `bounds`.

        Parameters
        ----------
        rows : ndarray of bool, shape (n,)
            Frames that count.
        cells : int
            Cells along the longer side.

        Returns
        -------
        ndarray of int32, shape (height, width)
            The first row is the southern one, the first column the eastern one.
        """
        x0, y0, x1, y1 = self.bounds()
        size = max(x1 - x0, y1 - y0, 1e-9) / cells
        width, height = (max(int(np.ceil(length / size)), 1) for length in (x1 - x0, y1 - y0))
        edges = _Edges.of((self.quads[rows & self.placed] - (x0, y0)) / size)
        steps = np.zeros((height, width + 1))
        for row in range(height):
            at, step = edges.crossed(row + 0.5)
            steps[row] = np.bincount((at + 0.5).astype(np.intp), step, minlength=width + 1)[: width + 1]
        return np.cumsum(steps, axis=1)[:, :width].astype(np.int32)

    def _projected(self, ra_deg: Float64s, dec_deg: Float64s) -> Float64s:
        assert self.centre is not None
        xi, eta = tangent_plane(ra_deg, dec_deg, *self.centre)
        quads = np.stack((-xi, eta), axis=-1)
        with np.errstate(invalid="ignore"):
            far = ~(np.hypot(xi, eta).max(axis=1) < np.degrees(np.tan(np.radians(_MAX_RADIUS_DEG))))
        quads[far] = np.nan
        return quads


@dataclass(frozen=True)
class MapView:
    """A window of some size looking at the map; (u, v) are window pixels, v downwards."""

    width: int
    height: int
    x: float = 0.0
    """Map point in the middle of the window."""
    y: float = 0.0
    scale: float = 100.0
    """Window pixels per degree."""

    def to_window(self, points: ArrayLike) -> Float64s:
        """Return (u, v) of map points, shape (..., 2)."""
        offset = (np.asarray(points, float) - (self.x, self.y)) * (self.scale, -self.scale)
        positions: Float64s = offset + np.array((self.width / 2, self.height / 2))
        return positions

    def to_map(self, u: float, v: float) -> tuple[float, float]:
        """Return the map point under a window point.

        Parameters
        ----------
        u, v : float
            Window pixels from the top left corner, v downwards.
        """
        return self.x + (u - self.width / 2) / self.scale, self.y - (v - self.height / 2) / self.scale

    def fitted(self, bounds: tuple[float, float, float, float]) -> MapView:
        """Return the view that shows a rectangle (x0, y0, x1, y1) with a margin."""
        x0, y0, x1, y1 = bounds
        scale = 0.88 * min(self.width / max(x1 - x0, 1e-3), self.height / max(y1 - y0, 1e-3))
        return replace(self, x=(x0 + x1) / 2, y=(y0 + y1) / 2, scale=scale)

    def zoomed(self, factor: float, u: float, v: float) -> MapView:
        """Return the view zoomed about a window point.

        Parameters
        ----------
        factor : float
            How much larger the map becomes; the scale stays between 1 and 100,000 pixels per degree.
        u, v : float
            Window pixels from the top left corner, v downwards; what is seen there stays there.
        """
        x, y = self.to_map(u, v)
        scale = min(max(self.scale * factor, 1.0), 1e5)
        return replace(self, x=x - (u - self.width / 2) / scale, y=y + (v - self.height / 2) / scale, scale=scale)

    def panned(self, du: float, dv: float) -> MapView:
        """Return the view after the map was dragged by so many window pixels.

        Parameters
        ----------
        du, dv : float
            Window pixels, dv downwards.
        """
        return replace(self, x=self.x - du / self.scale, y=self.y + dv / self.scale)


def _size_deg(frame: FrameRef) -> tuple[float, float]:
    """Width and height; half a degree where the header tells no scale."""
    if frame.scale_arcsec is None:
        return 0.5, 0.5
    return frame.width * frame.scale_arcsec / 3600, frame.height * frame.scale_arcsec / 3600


def _hinted_corners(hints: Float64s) -> tuple[Float64s, Float64s]:
    """Return the corners, each of shape (n, 4), of frames (ra, dec, width, height) with north up."""
    ra, dec = np.radians(hints[:, 0]), np.radians(hints[:, 1])
    zero = np.zeros_like(ra)
    east = np.stack((-np.sin(ra), np.cos(ra), zero), axis=-1)
    north = np.stack((-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)), axis=-1)
    across = np.radians(hints[:, 2, None] * _CORNERS[:, 0])
    up = np.radians(hints[:, 3, None] * _CORNERS[:, 1])
    corners = unit_vectors(hints[:, 0], hints[:, 1])[:, None] + across[..., None] * east[:, None]
    return ra_dec(corners + up[..., None] * north[:, None])


@dataclass(frozen=True)
class _Edges:
    """Edges of convex outlines that are not level, the lowest first; each array has the shape (n,)."""

    low: Float64s
    high: Float64s
    x: Float64s
    """Where the edge crosses y = 0, as it goes on beyond its ends."""
    slope: Float64s
    step: Float64s
    """1 for the edges on the left of their outlines, -1 for those on the right."""
    tallest: float

    @classmethod
    def of(cls, quads: Float64s) -> _Edges:
        """Return the edges of outlines of the shape (n, 4, 2)."""
        x0, y0 = np.moveaxis(quads, -1, 0)
        x1, y1 = np.roll(x0, -1, axis=1), np.roll(y0, -1, axis=1)
        # Anticlockwise round an outline the inside is on the left: an edge that goes down is the left one.
        turn = np.sign((x0 * y1 - x1 * y0).sum(axis=1))[:, None]
        sloping = y0 != y1
        step = (turn * np.sign(y0 - y1))[sloping]
        x0, y0, x1, y1 = (part[sloping] for part in (x0, y0, x1, y1))
        slope = (x1 - x0) / (y1 - y0)
        low = np.minimum(y0, y1)
        order = np.argsort(low)
        low, high, x, slope, step = (side[order] for side in (low, np.maximum(y0, y1), x0 - y0 * slope, slope, step))
        return cls(low, high, x, slope, step, float(np.max(high - low, initial=0.0)))

    def crossed(self, y: float) -> tuple[Float64s, Float64s]:
        """Return where a line of equal y crosses edges, and the steps of these."""
        some = slice(*np.searchsorted(self.low, (y - self.tallest, y), side="right"))
        crosses = np.flatnonzero(self.high[some] > y)
        return self.x[some][crosses] + y * self.slope[some][crosses], self.step[some][crosses]
