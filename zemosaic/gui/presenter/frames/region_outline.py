"""The part of the sky that is made: the setting ``region_of_interest`` and its outline on the map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.frames.footprints import Footprints
from zemosaic.wcs import from_tangent_plane

__all__ = ["REGION_KEY", "region_outline", "region_text"]

REGION_KEY = "region_of_interest"
_CORNERS = np.array([(0.5, -0.5), (-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)])


def region_text(footprints: Footprints, x0: float, y0: float, x1: float, y1: float) -> str:
    """Return the setting for a rectangle on the map: ``RA,Dec,width,height`` in degrees; empty for none.

    Parameters
    ----------
    footprints : Footprints
        The map; while it has no centre there is no region.
    x0, y0, x1, y1 : float
        Two opposite corners in either order, in degrees on the map, x to the west and y to the north.  A rectangle
        that is less than 0.0001 degrees wide or high counts as none.
    """
    if footprints.centre is None or abs(x1 - x0) < 1e-4 or abs(y1 - y0) < 1e-4:
        return ""
    ra, dec = footprints.sky_of((x0 + x1) / 2, (y0 + y1) / 2)
    return f"{ra:.5f},{dec:.5f},{abs(x1 - x0):.4f},{abs(y1 - y0):.4f}"


def region_outline(footprints: Footprints, text: str) -> NDArray[np.float64] | None:
    """Return the corners on the map, shape (4, 2), of a region; None where there is none or it is no region.

    Parameters
    ----------
    footprints : Footprints
    text : str
        The region as the setting spells it.
    """
    try:
        ra, dec, width, height = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if footprints.centre is None or not (width > 0 and height > 0 and -90 <= dec <= 90):
        return None
    corners = from_tangent_plane(_CORNERS[:, 0] * width, _CORNERS[:, 1] * height, ra, dec)
    outline = footprints.outline_of(*corners)
    return outline if np.isfinite(outline).all() else None
