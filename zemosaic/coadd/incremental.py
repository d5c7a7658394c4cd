"""Assembly one piece at a time into a block of the canvas: memory is that of the block, whatever the mosaic's size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.coadd.cutouts import CoaddInput, CoaddPlane, cutouts_of
from zemosaic.coadd.inputs import Cutout, TileCache, cropped
from zemosaic.mosaic.feather import blend
from zemosaic.store.canvas_store import TilePixels

__all__ = ["block_maps", "merged_block"]


def merged_block(box: Box, sources: Sequence[CoaddInput], plane: CoaddPlane, cache: TileCache) -> TilePixels | None:
    """Return a block (y0, y1, x0, x1) of the canvas made from the pieces that reach it; None where none does.

    Values are means weighted by the pieces' shares, in the order of the pieces; what one piece alone covers is
    passed on bit for bit.

    Parameters
    ----------
    box : (y0, y1, x0, x1)
        Of the canvas, in pixels.
    sources : sequence of CoaddInput
    plane : CoaddPlane
    cache : TileCache
        Keeps tiles that several blocks read.

    Returns
    -------
    TilePixels or None
    """
    fields = _fields(box, sources)
    merged_parts = [
        (field, merged) for field in fields if (merged := _merged(field, sources, plane, cache)) is not None
    ]
    if len(fields) == 1 or not merged_parts:
        return merged_parts[0][1] if merged_parts else None
    size = (box[1] - box[0], box[3] - box[2])
    value = np.full((len(merged_parts[0][1].value), *size), np.nan, np.float32)
    block = TilePixels(value, np.zeros(size, np.float32), np.zeros(size, np.uint16), np.zeros(size, np.uint16))
    for field, merged in merged_parts:
        into = cropped(field, box)
        block.value[:, *into] = merged.value
        for name in ("weight", "kept", "rejected"):
            getattr(block, name)[into] = getattr(merged, name)
    return block


def _fields(box: Box, sources: Sequence[CoaddInput]) -> list[Box]:
    """Divide a block where pieces on the canvas's pixels begin and end: most of a block belongs to one of them."""
    rows, columns = {box[0], box[1]}, {box[2], box[3]}
    for source in sources:
        if source.place is not None:
            top, left = source.place
            rows |= {edge for edge in (top, top + source.height) if box[0] < edge < box[1]}
            columns |= {edge for edge in (left, left + source.width) if box[2] < edge < box[3]}
    return [(*y, *x) for y in pairwise(sorted(rows)) for x in pairwise(sorted(columns))]


def _merged(box: Box, sources: Sequence[CoaddInput], plane: CoaddPlane, cache: TileCache) -> TilePixels | None:
    parts = cutouts_of(box, sources, plane, cache)
    if not parts:
        return None
    value = blend([(part.value, part.share) for part in parts])
    return TilePixels(value, *block_maps(parts))


def block_maps(
    parts: Sequence[Cutout],
) -> tuple[NDArray[np.float32], NDArray[np.uint16], NDArray[np.uint16]]:
    """Return weight, kept and rejected of a block.

    Samples are counted in all pieces.  The weight is the inverse variance of the mean: for shares f w of pieces with
    weights w it is (sum f w)^2 / sum f^2 w, which is w itself where a piece is alone.
    """
    shape = parts[0].share.shape
    once, twice = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    kept, rejected = np.zeros(shape, np.uint32), np.zeros(shape, np.uint32)
    for part in parts:
        share = part.feather * part.weight
        once += share
        twice += share * part.feather
        kept += part.kept
        rejected += part.rejected
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(twice > 0, once * (once / twice), np.float32(0))
    most = np.iinfo(np.uint16).max
    return weight, np.minimum(kept, most).astype(np.uint16), np.minimum(rejected, most).astype(np.uint16)
