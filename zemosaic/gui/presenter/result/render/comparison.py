"""Two results over each other: the one on the left of a line that can be moved, the other on its right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.gui.presenter.result.render.mosaic_render import Adjustment, OpenMosaic, plain_picture

__all__ = ["draw_wipe", "matched_picture"]

Picture = NDArray[np.uint8]

STEP_PX = 16
"""Places on the sky are computed at every so many pixels of the screen, and interpolated between."""
MAX_SIDE_PX = 4096
_INK = (245, 245, 245)


def matched_picture(first: OpenMosaic, other: OpenMosaic, now: Adjustment, view: Viewport) -> Picture:
    """Return the other mosaic as if it lay on the pixels of the first one.

    Where both know their place on the sky, the same direction is shown at the same pixel of the screen; else the same
    pixel counted from the top left corner.

    Parameters
    ----------
    first, other : OpenMosaic
    now : Adjustment
    view : Viewport
        Of the first one.

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        As large as the view on the screen; black where the other has no pixels.
    """
    import cv2

    width, height = view.size_on_screen()
    left, top, right, bottom = view.box()
    columns, rows = (np.arange(0, side + STEP_PX, STEP_PX) for side in (width, height))
    x, y = np.meshgrid(left + (columns + 0.5) * (right - left) / width, top + (rows + 0.5) * (bottom - top) / height)
    x, y = _places(first, other, x, y)
    # Bilinear between the nodes, which stand at every STEP_PX-th pixel.
    i, j = np.meshgrid(np.arange(width) / np.float32(STEP_PX), np.arange(height) / np.float32(STEP_PX))
    i, j = i.astype(np.float32), j.astype(np.float32)
    x, y = (cv2.remap(grid.astype(np.float32), i, j, cv2.INTER_LINEAR) for grid in (x, y))
    inside = np.isfinite(x + y)
    size = other.view.size
    inside &= (x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])
    if not inside.any():
        return np.zeros((height, width, 3), np.uint8)
    box = (float(x[inside].min()), float(y[inside].min()), float(x[inside].max()) + 1, float(y[inside].max()) + 1)
    scale = min(view.scale * _area_ratio(first, other), MAX_SIDE_PX / max(box[2] - box[0], box[3] - box[1]))
    out = [max(round(scale * side), 1) for side in (box[2] - box[0], box[3] - box[1])]
    drawn = plain_picture(other, now, box, *out)
    across = ((x - box[0]) * out[0] / (box[2] - box[0]) - 0.5).astype(np.float32)
    down = ((y - box[1]) * out[1] / (box[3] - box[1]) - 0.5).astype(np.float32)
    shown = cv2.remap(drawn, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.where(inside[..., None], shown, np.uint8(0))


def draw_wipe(seen: Picture, other: Picture, split: float, names: tuple[str, str]) -> Picture:
    """Return the left of one picture and the right of another of the same size, with a line between them.

    Parameters
    ----------
    seen, other : ndarray, shape (h, w, 3), uint8
    split : float
        Where the line stands, 0 to 1.
    names : (str, str)
        Written at the top of each side.
    """
    from PIL import Image, ImageDraw

    from zemosaic.picture.annotation.drawing import font_of

    height, width = seen.shape[:2]
    column = min(max(round(split * width), 0), width - 1)
    shown = seen.copy()
    shown[:, column:] = other[:, column:]
    shown[:, max(column - 1, 0) : column + 1] = _INK
    image = Image.fromarray(shown)
    draw, font = ImageDraw.Draw(image), font_of(12)
    for name, x in ((names[0], column - 8 - font.getbbox(names[0])[2]), (names[1], column + 8)):
        draw.text((x, height - 20), name, _INK, font, stroke_width=2, stroke_fill=(0, 0, 0))
    return np.array(image)


def _places(
    first: OpenMosaic, other: OpenMosaic, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the places of the other mosaic at those of the first one."""
    one, two = first.view.wcs, other.view.wcs
    if one is None or two is None:
        return x, y
    ra, dec = one.pixel_to_sky(x - 0.5, first.view.size[1] - 0.5 - y)
    column, row = two.sky_to_pixel(ra, dec)
    return np.asarray(column) + 0.5, other.view.size[1] - 0.5 - np.asarray(row)


def _area_ratio(first: OpenMosaic, other: OpenMosaic) -> float:
    """Return how many pixels of the first mosaic lie along one of the other."""
    one, two = first.view.wcs, other.view.wcs
    return 1.0 if one is None or two is None else two.scale_arcsec / one.scale_arcsec
