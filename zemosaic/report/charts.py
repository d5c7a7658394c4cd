"""Small drawings for the report as SVG text: series over time and footprints on the sky.

Colours are CSS variables of the page, so that the drawings follow its light and dark looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.wcs import from_tangent_plane, mean_direction, separation_deg, tangent_plane

__all__ = [
    "GROUP_COLOURS",
    "STEP_LIMITS",
    "EdgedFrame",
    "Footprint",
    "Series",
    "dec_text",
    "ra_text",
    "seam_map",
    "series_chart",
    "sky_map",
    "svg_element",
    "ticks",
]


WIDTH, HEIGHT = 760.0, 170.0
MAX_DISTANCE_DEG = 60.0
"""Frames farther than this from the mosaic would shrink the map to a point."""
LEFT, RIGHT, TOP, BOTTOM = 80.0, 8.0, 10.0, 22.0
MAX_POINTS = 3000
MAX_FOOTPRINTS = 300
STEP_LIMITS = (0.1, 0.3, 1.0)
"""Steps, in noise of a pixel, at which the colour of an edge changes; the page defines four."""
GROUP_COLOURS = 8
"""Number of ``--group-N`` colours the page defines."""


@dataclass(frozen=True)
class Series:
    """One quantity frame by frame, in order of time."""

    values: Float64s
    """NaN where it was not measured."""
    used: NDArray[np.bool_]
    """Whether the frame is in the mosaic."""
    nights: tuple[str, ...]
    """Date of each frame's night."""


@dataclass(frozen=True)
class Footprint:
    """Outline of one frame on the sky."""

    ra_deg: tuple[float, ...]
    dec_deg: tuple[float, ...]
    used: bool
    group: int
    """Index of its night or telescope; chooses the colour."""


@dataclass(frozen=True)
class EdgedFrame:
    """Outline of a frame and the size of the step along each edge."""

    ra_deg: tuple[float, ...]
    dec_deg: tuple[float, ...]
    steps: tuple[float, ...]
    """Edge k runs from corner k to the next; NaN where no other frame is."""


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Return at most `most` + 1 round numbers from `low` to `high`.

    Parameters
    ----------
    low, high : float
    most : int
        Steps at the most.
    """
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [low]
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1.0, 2.0, 2.5, 5.0, 10.0) if power * nice >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def series_chart(series: Series, label: str, number: Callable[[float, int], str]) -> Markup | None:
    """Return a chart of a quantity over the frames, dots for used and crosses for dropped ones.

    Parameters
    ----------
    series : Series
        The frames in order of time; a long series is thinned evenly, dropped frames first kept.
    label : str
        Name of the chart for screen readers.
    number : callable(value, digits)
        Writes a number with so many digits after the decimal sign.

    Returns
    -------
    Markup or None
        None where nothing was measured.
    """
    known = np.isfinite(series.values)
    if not known.any():
        return None
    low, high = _range(series.values[known])
    count = len(series.values)

    def place(index: Float64s, value: Float64s) -> tuple[Float64s, Float64s]:
        x = LEFT + (index + 0.5) / count * (WIDTH - LEFT - RIGHT)
        share = np.clip((value - low) / (high - low), 0.0, 1.0)
        return x, HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [_value_lines(low, high, number), _night_lines(series.nights)]
    for used, shape, kind in ((True, "h0", "used"), (False, "m-3-3l6 6m0-6l-6 6", "dropped")):
        chosen = _thinned(np.flatnonzero(known & (series.used == used)), MAX_POINTS)
        x, y = place(chosen.astype(float), series.values[chosen])
        marks = "".join(f"M{a:.1f} {b:.1f}{shape}" for a, b in zip(x, y, strict=True))
        parts.append(f'<path class="dot {kind}" d="{marks}"/>' if marks else "")
    return svg_element(WIDTH, HEIGHT, label, parts)


def _range(values: Float64s) -> tuple[float, float]:
    """Return limits that show nearly all values; the few beyond are drawn at the border."""
    low, high = (float(v) for v in np.percentile(values, [0.5, 99.5]))
    low, high = (float(values.min()), float(values.max())) if len(values) < 200 else (low, high)
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _value_lines(low: float, high: float, number: Callable[[float, int], str]) -> str:
    lines = []
    values = ticks(low, high)
    step = values[1] - values[0] if len(values) > 1 else 1.0
    digits = next((n for n in range(3) if math.isclose(round(step, n), step, rel_tol=1e-6)), 3)
    for value in values:
        y = HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
        lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        lines.append(f'<text class="end" x="{LEFT - 6}" y="{y + 4:.1f}">{escape(number(value, digits))}</text>')
    return "".join(lines)


def _night_lines(nights: Sequence[str]) -> str:
    """Draw where a new night begins, with as many dates as there is room for."""
    count = len(nights)
    begins = [n for n in range(count) if n == 0 or nights[n] != nights[n - 1]]
    lines, free_from = [], 0.0
    for begin in begins:
        x = LEFT + begin / count * (WIDTH - LEFT - RIGHT)
        if begin:
            lines.append(f'<path class="night" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        if x >= free_from and x < WIDTH - 70:
            lines.append(f'<text x="{x + 2:.1f}" y="{HEIGHT - 6}">{escape(nights[begin])}</text>')
            free_from = x + 78
    return "".join(lines)


def _thinned(indices: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    if len(indices) <= most:
        return indices
    thinned: NDArray[np.intp] = indices[np.linspace(0, len(indices) - 1, most).astype(int)]
    return thinned


def sky_map(footprints: Sequence[Footprint], label: str, north: str, east: str) -> Markup | None:
    """Return a map of the frames' outlines, north up and east left, with a grid of RA and Dec.

    Parameters
    ----------
    footprints : sequence of Footprint
        Outlines; those far from the used ones are left out; of more than 300 used ones an even choice
        is drawn, and as many dropped ones at most.
    label : str
        Name of the drawing for screen readers.
    north, east : str
        Letters for the compass.
    """
    if not footprints:
        return None
    ra0, dec0 = _middle(footprints)
    near = [item for item in footprints if _reach_deg(item, ra0, dec0) < MAX_DISTANCE_DEG]
    shown = [near[n] for n in _choice(near)]
    planes = [tangent_plane(item.ra_deg, item.dec_deg, ra0, dec0) for item in shown]
    xi, eta = np.concatenate([p[0] for p in planes]), np.concatenate([p[1] for p in planes])
    view = _View.around(xi, eta, ra0, dec0)
    lost = sum(not item.used for item in shown)
    fill = max(0.02, min(0.35, 2.5 / len(shown)))
    looks = f"--fill:{fill:.4f};--line-opacity:{_faded(len(shown) - lost):.2f};--lost:{_faded(lost):.2f}"
    outlines = [
        f'<polygon class="{"" if item.used else "lost "}g{item.group % GROUP_COLOURS}" points="{view.points(*plane)}"/>'
        for item, plane in sorted(zip(shown, planes, strict=True), key=lambda pair: pair[0].used)
    ]
    parts = [
        *_graticule(view),
        f'<g class="prints" style="{looks}">',
        *outlines,
        "</g>",
        _compass(view, str(escape(north)), str(escape(east))),
    ]
    return svg_element(view.width, view.height, label, parts)


def seam_map(frames: Sequence[EdgedFrame], label: str) -> Markup | None:
    """Return a map of the frames' edges, north up and east left, coloured by the size of their steps.

    The largest steps are drawn last; of more than 300 frames an even choice is drawn.

    Parameters
    ----------
    frames : sequence of EdgedFrame
    label : str
        What the drawing shows, for readers of the screen.
    """
    chosen = [frames[k] for k in _thinned(np.arange(len(frames)), MAX_FOOTPRINTS)]
    if not chosen:
        return None
    ra0, dec0 = mean_direction(
        [v for edged in chosen for v in edged.ra_deg], [v for edged in chosen for v in edged.dec_deg]
    )
    planes = [tangent_plane(edged.ra_deg, edged.dec_deg, ra0, dec0) for edged in chosen]
    xi, eta = np.concatenate([p[0] for p in planes]), np.concatenate([p[1] for p in planes])
    view = _View.around(xi, eta, ra0, dec0)
    edges: list[tuple[float, str]] = []
    for edged, plane in zip(chosen, planes, strict=True):
        x, y = view.paper(*plane)
        for k, step in enumerate(edged.steps):
            end = (k + 1) % len(x)
            if math.isfinite(step):
                edges.append((abs(step), f"M{x[k]:.1f} {y[k]:.1f}L{x[end]:.1f} {y[end]:.1f}"))
    lines = [
        f'<path class="step e{int(np.searchsorted(STEP_LIMITS, size))}" d="{track}"/>' for size, track in sorted(edges)
    ]
    return svg_element(view.width, view.height, label, [*_graticule(view), *lines])


def _middle(footprints: Sequence[Footprint]) -> tuple[float, float]:
    """Return the centre of the used frames, of all where none is used."""
    shown = [item for item in footprints if item.used] or footprints
    return mean_direction([ra for item in shown for ra in item.ra_deg], [dec for item in shown for dec in item.dec_deg])


def _reach_deg(item: Footprint, ra0: float, dec0: float) -> float:
    return float(separation_deg(item.ra_deg, item.dec_deg, ra0, dec0).max())


def _faded(count: int) -> float:
    """Return the opacity of outlines so that many of them do not cover the map."""
    return max(0.1, min(0.8, 30.0 / max(count, 1)))


def _choice(footprints: Sequence[Footprint]) -> list[int]:
    used = np.array([item.used for item in footprints], bool)
    kept = [_thinned(np.flatnonzero(used == is_used), MAX_FOOTPRINTS) for is_used in (True, False)]
    return sorted(int(n) for n in np.concatenate(kept))


@dataclass(frozen=True)
class _View:
    """A piece of the tangent plane at (ra0, dec0) on paper."""

    ra0: float
    dec0: float
    east: float
    """xi of the left edge, degrees."""
    south: float
    """eta of the bottom edge, degrees."""
    wide: float
    """Degrees from edge to edge."""
    high: float
    height: float
    """Pixels of paper."""
    width: float = WIDTH
    left: float = LEFT
    bottom: float = BOTTOM

    @classmethod
    def around(cls, xi: Float64s, eta: Float64s, ra0: float, dec0: float) -> _View:
        pad = 0.06 * max(float(np.ptp(xi)), float(np.ptp(eta)), 1e-3)
        wide, high = float(np.ptp(xi)) + 2 * pad, float(np.ptp(eta)) + 2 * pad
        paper = WIDTH - LEFT - RIGHT
        # Tall fields are widened to keep the map lower than it is wide.
        room = max(wide, high / 0.85, 1e-6)
        middle = float(xi.max() + xi.min()) / 2
        return cls(ra0, dec0, middle + room / 2, float(eta.min()) - pad, room, high, paper * high / room + TOP + BOTTOM)

    def paper(self, xi: Float64s, eta: Float64s) -> tuple[Float64s, Float64s]:
        scale = (self.width - self.left - RIGHT) / self.wide
        return self.left + (self.east - xi) * scale, self.height - self.bottom - (eta - self.south) * scale

    def points(self, xi: Float64s, eta: Float64s) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(*self.paper(xi, eta), strict=True))

    def inside(self, xi: Float64s, eta: Float64s) -> NDArray[np.bool_]:
        across, up = self.east - xi, eta - self.south
        return (across >= 0) & (across <= self.wide) & (up >= 0) & (up <= self.high)


def _graticule(view: _View) -> Iterable[str]:
    """Yield lines of equal RA and Dec and their labels at the left and bottom edges."""
    side = np.linspace(0.0, 1.0, 41)
    across, up = np.meshgrid(view.east - side * view.wide, view.south + side * view.high)
    ra, dec = from_tangent_plane(across, up, view.ra0, view.dec0)
    turn = (ra - view.ra0 + 180.0) % 360.0 - 180.0
    dec_low, dec_high = float(dec.min()), float(dec.max())
    for value in _grid_values(dec_low, dec_high, DEC_STEPS):
        if abs(value) < 90:
            line = tangent_plane(view.ra0 + np.linspace(turn.min(), turn.max(), 361), value, view.ra0, view.dec0)
            yield from _grid_line(view, *line, dec_text(value), "left")
    for value in _grid_values(view.ra0 + float(turn.min()), view.ra0 + float(turn.max()), RA_STEPS):
        line = tangent_plane(value, np.linspace(dec_low, dec_high, 121), view.ra0, view.dec0)
        yield from _grid_line(view, *line, ra_text(value), "bottom")


DEC_STEPS = (20.0, 10.0, 5.0, 2.0, 1.0, 1 / 2, 1 / 3, 1 / 6, 1 / 12, 1 / 30, 1 / 60)
RA_STEPS = tuple(15.0 * hours for hours in (6, 3, 2, 1, 1 / 2, 1 / 3, 1 / 6, 1 / 12, 1 / 30, 1 / 60, 1 / 120, 1 / 360))


def _grid_values(low: float, high: float, steps: Sequence[float]) -> list[float]:
    step = next((step for step in steps if (high - low) / step >= 3.0), steps[-1])
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _grid_line(view: _View, xi: Float64s, eta: Float64s, text: str, edge: str) -> Iterable[str]:
    seen = np.isfinite(xi) & np.isfinite(eta)
    seen[seen] = view.inside(xi[seen], eta[seen])
    if seen.sum() < 2:
        return
    x, y = view.paper(xi, eta)
    runs = np.split(np.flatnonzero(seen), np.flatnonzero(np.diff(np.flatnonzero(seen)) > 1) + 1)
    for run in runs:
        track = "L".join(f"{x[n]:.1f} {y[n]:.1f}" for n in run)
        yield f'<path class="grid" d="M{track}"/>'
    if edge == "left":
        end = int(np.flatnonzero(seen)[np.argmin(x[seen])])
        yield f'<text class="end" x="{view.left - 4}" y="{y[end] + 4:.1f}">{text}</text>'
    else:
        end = int(np.flatnonzero(seen)[np.argmax(y[seen])])
        if view.left + 10 < x[end] < view.width - 30 and y[end] > view.height - view.bottom - 0.2 * view.height:
            yield f'<text class="mid" x="{x[end]:.1f}" y="{view.height - 6:.1f}">{text}</text>'


def _compass(view: _View, north: str, east: str) -> str:
    x, y = view.width - RIGHT - 16, TOP + 46
    return (
        f'<path class="compass" d="M{x} {y}v-30m-3 5l3-5l3 5M{x} {y}h-30m5-3l-5 3l5 3"/>'
        f'<text class="mid" x="{x}" y="{y - 34}">{north}</text><text class="end" x="{x - 33}" y="{y + 4}">{east}</text>'
    )


def ra_text(ra_deg: float) -> str:
    """Return a right ascension as hours, minutes and, where needed, seconds."""
    seconds = round((ra_deg % 360.0) * 240.0) % 86400
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}h{minutes:02d}m" + (f"{seconds:02d}s" if seconds else "")


def dec_text(dec_deg: float) -> str:
    """Return a declination as degrees and arc minutes."""
    minutes = round(abs(dec_deg) * 60.0)
    return f"{'−' if dec_deg < 0 and minutes else '+'}{minutes // 60}°{minutes % 60:02d}′"


def svg_element(width: float, height: float, label: str, parts: Iterable[str]) -> Markup:
    """Return an SVG drawing with its parts, as text.

    Parameters
    ----------
    width, height : float
        Of the view box.
    label : str
        What the drawing shows, for readers of the screen.
    parts : iterable of str
        SVG, escaped already.
    """
    head = f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}">'
    return Markup(head + "".join(parts) + "</svg>")
