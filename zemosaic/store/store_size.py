"""How large the store of a plan is: its tiles, and what it takes on the disk."""

from __future__ import annotations

from collections.abc import Iterable

from zemosaic.arrays import Box
from zemosaic.model import GridPlan

__all__ = ["bytes_needed", "largest_box"]


def bytes_needed(plan: GridPlan) -> int:
    """Return the disk space of a plan's store: the tiles with their overlaps and the canvas."""
    per_pixel = 4 * plan.channels + 4 + 2 + 2
    height, width = largest_box(tile.outer for tile in plan.tiles)
    return per_pixel * (plan.width * plan.height + len(plan.tiles) * height * width)


def largest_box(boxes: Iterable[Box]) -> tuple[int, int]:
    """Return the height and the width, in pixels, that hold each of some boxes (y0, y1, x0, x1), one at least."""
    sizes = [(y1 - y0, x1 - x0) for y0, y1, x0, x1 in boxes]
    return max(size[0] for size in sizes), max(size[1] for size in sizes)
