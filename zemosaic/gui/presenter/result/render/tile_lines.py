"""The grid of tiles drawn over a finished mosaic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.frames.frames_files import REPORT_NAME
from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.text.plain_text import json_value

__all__ = ["TileBox", "draw_tiles", "tile_boxes"]

TileBox = tuple[int, float, float, float, float]
"""A tile's number and its left, top, right and bottom edge in picture places."""

_INK = (110, 210, 255)
_MIN_TILE_PX = 44
"""Tiles smaller than this on the screen have no number written into them."""


def tile_boxes(mosaic: Path) -> tuple[TileBox, ...]:
    """Return the tiles that the report beside a mosaic tells of; none where there is no such report.

    Each box is the part of the picture that is the tile's alone.
    """
    try:
        report = json_value(mosaic.with_name(REPORT_NAME).read_text(encoding="utf-8", errors="replace"))
        field_report = next(entry for entry in (report, *report["other_fields"]) if entry["mosaic"] == mosaic.name)
        _south, north, west, _ = field_report["canvas_box"] or (0, field_report["height"], 0, field_report["width"])
        return tuple(
            (int(tile["tile_id"]), x0 - west, north - y1, x1 - west, north - y0)
            for tile in field_report["tiles"]
            if not tile["empty"]
            for y0, y1, x0, x1 in [tile["inner"]]
        )
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return ()


def draw_tiles(picture: NDArray[np.uint8], view: Viewport, tiles: tuple[TileBox, ...]) -> None:
    """Draw the tiles' edges and numbers into what a view shows, shape (h, w, 3).

    Parameters
    ----------
    picture : ndarray, shape (h, w, 3), uint8
        What the view shows; it is drawn into.
    view : Viewport
    tiles : sequence of TileBox
        From `tile_boxes`.
    """
    import cv2

    left, top, _, _ = view.box()
    for number, *edges in tiles:
        x0, y0, x1, y1 = (
            round((edge - first) * view.scale) for edge, first in zip(edges, (left, top, left, top), strict=True)
        )
        if x1 < 0 or y1 < 0 or x0 > picture.shape[1] or y0 > picture.shape[0]:
            continue
        cv2.rectangle(picture, (x0, y0), (x1, y1), _INK, 1)
        if min(x1 - x0, y1 - y0) >= _MIN_TILE_PX:
            place = (max(x0, 0) + 6, max(y0, 0) + 17)
            cv2.putText(picture, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
            cv2.putText(picture, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
