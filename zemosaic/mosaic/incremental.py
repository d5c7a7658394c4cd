"""Assembly one piece at a time into a block of the canvas: memory is that of the block, whatever the mosaic's size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zemosaic.mosaic.feather import blend
from zemosaic.mosaic.pieces import Box, Piece, PiecePixels, cropped, overlap
from zemosaic.store.canvas import TilePixels

__all__ = ["block_maps", "merged_block", "parts_of"]


def merged_block(box: Box, pieces: Sequence[Piece]) -> TilePixels | None:
    """Return a block (y0, y1, x0, x1) of the canvas made from the pieces that reach it; None where none does.

    Values are means weighted by the pieces' shares, in the order of the pieces; what one piece alone covers is
    passed on bit for bit.
    """
    parts = parts_of(box, pieces)
    if not parts:
        return None
    value = blend([(part.value, part.share) for part in parts])
    return TilePixels(value, *block_maps(parts))


def parts_of(box: Box, pieces: Sequence[Piece]) -> list[PiecePixels]:
    """Return what each piece has in a block of the canvas, in the order of the pieces; those that do not reach it left out."""
    return [part for piece in pieces if (part := _laid(box, piece)) is not None]


def block_maps(
    parts: Sequence[PiecePixels],
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


def _laid(box: Box, piece: Piece) -> PiecePixels | None:
    """Return a piece that lies on the canvas's pixels over a block; NaN and 0 beyond the piece."""
    top, left = piece.place
    whole = (top, top + piece.height, left, left + piece.width)
    common = overlap(box, whole)
    if common is None:
        return None
    pixels = piece.read((common[0] - top, common[1] - top, common[2] - left, common[3] - left))
    if common == box:
        return pixels
    size, into = (box[1] - box[0], box[3] - box[2]), cropped(common, box)
    value = np.full((len(pixels.value), *size), np.nan, np.float32)
    value[:, *into] = pixels.value
    maps = []
    for given in (pixels.share, pixels.weight, pixels.feather, pixels.kept, pixels.rejected):
        placed = np.zeros(size, given.dtype)
        placed[into] = given
        maps.append(placed)
    return PiecePixels(value, *maps)
