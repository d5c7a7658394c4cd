"""Assembly by the reproject package: `reproject_and_coadd` over a block of the canvas, weighted by the pieces' shares.

Only windows of the pieces are handed over, so that memory is that of the block.  Pieces on the canvas's own pixels are
moved by whole pixels, which costs nothing and changes nothing; the others go through `reproject_interp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s
from zemosaic.coadd.cutouts import CoaddInput, CoaddPlane, cutouts_of, may_reach, scale_area_ratio, window_around
from zemosaic.coadd.incremental import block_maps
from zemosaic.coadd.inputs import GridTile, TileCache, overlap
from zemosaic.coadd.master_tile import MasterTile, filled
from zemosaic.store.canvas_store import TilePixels
from zemosaic.wcs import FrameWcs

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["coadded_block", "wcs_of"]

EDGE_POINTS = 65
"""Positions along each edge of a block by which the window of a piece is found."""


def wcs_of(wcs: FrameWcs) -> WCS:
    """Return the same WCS as astropy's."""
    from astropy.wcs import WCS  # slow to import, and not every run comes here

    cards = wcs.to_cards()
    astropy_wcs = WCS(naxis=2)
    astropy_wcs.wcs.ctype = [cards["CTYPE1"], cards["CTYPE2"]]
    astropy_wcs.wcs.cunit = ["deg", "deg"]
    astropy_wcs.wcs.crval = [cards["CRVAL1"], cards["CRVAL2"]]
    astropy_wcs.wcs.crpix = [cards["CRPIX1"], cards["CRPIX2"]]
    astropy_wcs.wcs.cd = wcs.cd
    astropy_wcs.wcs.lonpole = cards["LONPOLE"]
    astropy_wcs.wcs.radesys = cards["RADESYS"]
    astropy_wcs.wcs.set()
    return astropy_wcs


def coadded_block(
    box: Box,
    sources: Sequence[CoaddInput],
    plane: CoaddPlane,
    cache: TileCache,
    sums: tuple[Float32s, Float32s] | None = None,
) -> TilePixels | None:
    """Return a block (y0, y1, x0, x1) of the canvas; None where no piece reaches it.

    Parameters
    ----------
    box : (y0, y1, x0, x1)
        Of the canvas, in pixels.
    sources : sequence of CoaddInput
    plane : CoaddPlane
    cache : TileCache
        Keeps tiles that several blocks read.
    sums : pair of ndarray, shape (channels, h, w), float32, optional
        Where the package adds up values and weights, such as windows of memory-mapped files; zero at first.
    """
    from reproject.mosaicking import reproject_and_coadd

    inputs = [one for source in sources if (one := _input(box, source, plane, cache)) is not None]
    if not inputs:
        return None
    shape = (len(inputs[0][0]), box[1] - box[0], box[3] - box[2])
    value, weight = sums or (np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    with np.errstate(invalid="ignore", divide="ignore"):
        reproject_and_coadd(
            [(pixels, wcs) for pixels, _, wcs in inputs],
            wcs_of(plane.canvas.shifted(box[2], box[0])),
            shape_out=shape,
            input_weights=[np.broadcast_to(share, pixels.shape) for pixels, share, _ in inputs],
            reproject_function=_onto,
            combine_function="mean",
            output_array=value,
            output_footprint=weight,
            blank_pixel_value=np.nan,
        )
    return TilePixels(np.array(value), *block_maps(cutouts_of(box, sources, plane, cache, values=False)))


def _input(box: Box, source: CoaddInput, plane: CoaddPlane, cache: TileCache) -> tuple[Float32s, Float32s, WCS] | None:
    """Return the values, shares and WCS of the window of a piece that a block draws on."""
    if isinstance(source, GridTile):
        top, left = source.place
        common = overlap(box, (top, top + source.height, left, left + source.width))
        if common is None:
            return None
        window = common[0] - top, common[1] - top, common[2] - left, common[3] - left
        pixels = source.read(window, cache)
        return pixels.value, pixels.share, wcs_of(source.wcs.shifted(window[2], window[0]))
    reached = _window(box, source, plane.canvas) if may_reach(box, source, plane.canvas) else None
    if reached is None:
        return None
    pixels = source.read(reached)
    if not (pixels.share > 0).any():
        return None
    value = filled(pixels.value) * np.float32(scale_area_ratio(plane.canvas, source.wcs))
    return value, pixels.share, wcs_of(source.wcs.shifted(reached[2], reached[0]))


def _window(box: Box, source: MasterTile, canvas: FrameWcs) -> Box | None:
    rows, columns = np.linspace(box[0], box[1], EDGE_POINTS), np.linspace(box[2], box[3], EDGE_POINTS)
    x, y = source.wcs.sky_to_pixel(*canvas.pixel_to_sky(columns[None, :], rows[:, None]))
    return window_around(x, y, source)


def _onto(
    source: tuple[NDArray[Any], WCS],
    output_projection: WCS,
    shape_out: tuple[int, ...],
    return_footprint: bool = True,
    **_unused: Any,
) -> Any:
    """Put one input onto its part of the block, as `reproject_and_coadd` asks; shares are interpolated linearly."""
    from reproject import reproject_interp

    array, wcs = source
    shift = np.array(wcs.wcs.crpix) - output_projection.wcs.crpix
    whole_shift = np.rint(shift)
    same_plane = np.array_equal(wcs.wcs.cd, output_projection.wcs.cd) and np.array_equal(
        wcs.wcs.crval, output_projection.wcs.crval
    )
    if same_plane and np.abs(shift - whole_shift).max() < 1e-6 and wcs.wcs.ctype[0] == output_projection.wcs.ctype[0]:
        resampled = _moved(array, -int(whole_shift[1]), -int(whole_shift[0]), shape_out)
    elif return_footprint:
        resampled = reproject_interp(
            (array, wcs), output_projection, shape_out=shape_out, order="bicubic", return_footprint=False,
            roundtrip_coords=False,
        )  # fmt: skip
    else:
        plane = reproject_interp(
            (array[0], wcs), output_projection, shape_out=shape_out[1:], return_footprint=False, roundtrip_coords=False
        )
        resampled = np.broadcast_to(plane, shape_out).copy()
    return (resampled, np.isfinite(resampled).astype(np.float64)) if return_footprint else resampled


def _moved(array: NDArray[Any], down: int, right: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return an array moved by whole pixels into another shape; NaN where nothing came to lie."""
    placed = np.full(shape, np.nan)
    _, height, width = array.shape
    y0, y1, x0, x1 = max(0, down), min(shape[1], down + height), max(0, right), min(shape[2], right + width)
    if y1 > y0 and x1 > x0:
        placed[:, y0:y1, x0:x1] = array[:, y0 - down : y1 - down, x0 - right : x1 - right]
    return placed
