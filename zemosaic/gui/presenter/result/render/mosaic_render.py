"""An open mosaic as a view shows it: stretched as the user likes, with what is laid over it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.gui.presenter.result.render.frame_outlines import Outlines, draw_outlines
from zemosaic.gui.presenter.result.render.legend import draw_legend
from zemosaic.gui.presenter.result.render.tile_lines import TileBox, draw_tiles

if TYPE_CHECKING:
    from zemosaic.picture.annotation.drawing import Kind
    from zemosaic.picture.pyramid import MosaicView
    from zemosaic.stars.zero_point import MosaicDepth

__all__ = [
    "CHANNELS",
    "LAYERS",
    "Adjustment",
    "OpenMosaic",
    "available_layers",
    "plain_picture",
    "with_layers",
]

CHANNELS = ("colour", "grey", "red", "green", "blue")
LAYERS = ("objects", "stars", "grid", "figures", "scale", "coverage", "depth", "frames", "tiles")
"""What can be laid over the picture, in the order of the menu."""
ANNOTATIONS: dict[str, Kind] = {
    "objects": "object",
    "stars": "star",
    "grid": "grid",
    "figures": "figure",
    "scale": "frame",
}
"""The layers that are drawn from catalogues."""
OVERLAY = 0.45
"""How strongly coverage and depth cover the picture."""
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Adjustment:
    """What the user changed of the automatic stretch; positions of sliders from -1 to 1, 0 changes nothing."""

    sky: float = 0.0
    """Brightness of the empty sky: four times as bright at 1, a quarter at -1."""
    white: float = 0.0
    """Brightness that becomes white: a hundredth at 1, a hundred times as much at -1."""
    strength: float = 0.0
    """How strongly faint light is lifted: four times as much at 1, a quarter at -1."""
    linked: bool = True
    channel: str = "colour"
    layers: frozenset[str] = frozenset()
    """Which of `LAYERS` are laid over the picture."""


@dataclass(frozen=True)
class OpenMosaic:
    """A mosaic that is open, with what is known of it."""

    view: MosaicView
    stretches: tuple[Any, Any]
    """Linked, and each colour for itself."""
    tiles: tuple[TileBox, ...]
    outlines: Outlines
    depth: MosaicDepth | None = None
    """How faint a star it shows, as its header tells."""


def available_layers(mosaic: OpenMosaic) -> frozenset[str]:
    """Return what can be laid over a mosaic."""
    there = {
        "coverage": mosaic.view.has_coverage,
        "depth": mosaic.view.has_coverage and mosaic.depth is not None,
        "frames": len(mosaic.outlines) > 0,
        "tiles": bool(mosaic.tiles),
    }
    there |= dict.fromkeys(ANNOTATIONS, mosaic.view.wcs is not None)
    return frozenset(name for name, is_there in there.items() if is_there)


def plain_picture(
    mosaic: OpenMosaic, now: Adjustment, box: tuple[float, float, float, float], width: int, height: int
) -> Picture:
    """Return a part of a mosaic without anything over it, shape (height, width, 3), uint8.

    Parameters
    ----------
    mosaic : OpenMosaic
    now : Adjustment
    box : (left, top, right, bottom)
        In picture pixels.
    width, height : int
        Of the result.
    """
    from dataclasses import replace

    from zemosaic.picture.stretch import SKY_LEVEL

    stretch = mosaic.stretches[0 if now.linked else 1].adjusted(
        depth=4.0**-now.strength, white=100.0**-now.white, sky_level=min(SKY_LEVEL * 4.0**now.sky, 0.5)
    )
    if now.channel == "grey":
        stretch = replace(stretch, colour=0.0)
    single = mosaic.view.channels == 3 and now.channel in CHANNELS[2:]
    channel = CHANNELS.index(now.channel) - 2 if single else None
    seen = mosaic.view.window(*box, width, height, stretch, channel)
    if now.channel == "grey" and not now.linked:
        seen = np.repeat(np.rint(seen.mean(axis=2, keepdims=True)), 3, axis=2).astype(np.uint8)
    return seen


def with_layers(seen: Picture, mosaic: OpenMosaic, layers: Collection[str], view: Viewport) -> Picture:
    """Return a picture of a view with what is laid over it.

    Parameters
    ----------
    seen : ndarray, shape (h, w, 3), uint8
        What the view shows.
    mosaic : OpenMosaic
    layers : collection of str
        Of `available_layers`.
    view : Viewport

    Raises
    ------
    InputError
        The database of objects cannot be read.
    """
    for name in ("coverage", "depth"):
        if name in layers:
            seen = _with_colours(seen, mosaic, view, name == "depth")
    if "frames" in layers:
        draw_outlines(seen, view, mosaic.outlines)
    if "tiles" in layers:
        draw_tiles(seen, view, mosaic.tiles)
    kinds = [kind for name, kind in ANNOTATIONS.items() if name in layers]
    return _annotated(seen, mosaic, view, kinds) if kinds else seen


def _with_colours(seen: Picture, mosaic: OpenMosaic, view: Viewport, is_depth: bool) -> Picture:
    """Return a picture under the colours of the coverage or of the depth, with their legend."""
    from zemosaic.picture.preview import COVERAGE_COLOURS, coverage_colours

    height, width = seen.shape[:2]
    frames = mosaic.view.frames(*view.box(), width, height)
    most = max(mosaic.view.most_frames, 1.0)
    if frames is None:
        return seen
    if is_depth and mosaic.depth is not None:
        # Here, when it is asked for: it loads what the first window does not need.
        from zemosaic.stars.depth_picture import DEPTH_RANGE_MAG, depth_colours
        from zemosaic.stars.shallow_parts import limit_at

        depth = mosaic.depth
        deepest = float(limit_at(depth.limit_mag, depth.typical_frames, np.array([most]))[0])
        colours = depth_colours(frames, depth, deepest)
        marks = [(place, f"{deepest - DEPTH_RANGE_MAG * (1 - place):.1f} mag") for place in (0.0, 1.0)]
    else:
        colours = coverage_colours(frames, most)
        marks = [(0.0, "0"), (0.5, f"{most / 2:.0f}"), (1.0, f"{most:.0f}")]
    share = OVERLAY * (colours[..., 3:] / np.float32(255.0))
    seen = np.rint(seen * (1 - share) + colours[..., :3] * share).astype(np.uint8)
    steps = np.linspace(0, len(COVERAGE_COLOURS) - 1, 64)
    bar = [np.interp(steps, np.arange(len(COVERAGE_COLOURS)), COVERAGE_COLOURS[:, k]) for k in range(3)]
    return draw_legend(seen, np.stack(bar, axis=-1).astype(np.uint8), marks)


def _annotated(seen: Picture, mosaic: OpenMosaic, view: Viewport, kinds: Collection[Kind]) -> Picture:
    """Return what is seen with the annotation of that part of the sky."""
    # Here, when it is asked for: it loads what the first window does not need.
    from zemosaic.picture.annotation.annotate import annotate
    from zemosaic.picture.annotation.burnt import burnt_in
    from zemosaic.picture.annotation.projection import PictureWcs

    wcs = mosaic.view.wcs
    if wcs is None:
        return seen
    left, top, right, _ = view.box()
    height, width = seen.shape[:2]
    step = (right - left) / width
    sky = PictureWcs(wcs.shifted(left, 0.0), mosaic.view.size[1] - top, step, width, height)
    return burnt_in(seen, annotate(sky, kinds))
