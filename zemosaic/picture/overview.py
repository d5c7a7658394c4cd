"""A finished mosaic as it looks from afar: reduced, and with its noise faded as in the preview."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from zemosaic.arrays import Float32s
from zemosaic.picture.denoise import denoise
from zemosaic.picture.downsample import block_size, downsampled, sampled
from zemosaic.picture.pyramid_kernel import Raster, halved
from zemosaic.picture.star_cores import clipped_levels, with_hue_of_wings
from zemosaic.picture.stretch import AUTOMATIC_LOOK, DisplayStretch, PictureLook, fit_display_stretch
from zemosaic.store.axis_order import Pixels, axis_layout

__all__ = ["Overview"]


MAX_SIDE_PX = 2000
MIN_LEVEL_PX = 256
"""Longest side of the last level."""
MIN_OVERVIEW_STEP = 1.5
"""From so many of the mosaic's pixels per pixel of the screen on single ones are not looked for."""


@dataclass(frozen=True)
class Overview:
    """Reduced pixels, and the stretches for them."""

    levels: tuple[Float32s, ...]
    """Linear, shape (channels, h, w), rows from the bottom, NaN without data; each half as large as that before."""
    side: int
    """Pixels of the mosaic along a pixel of the first level."""
    height: int
    """Rows of the mosaic."""
    views: tuple[DisplayStretch, DisplayStretch]
    """One stretch for all colours, and one for each."""
    grain: tuple[tuple[float, ...], tuple[float, ...]]
    """For each stretch of these, how much deeper black must lie below the sky for single pixels."""
    clipped: tuple[float, ...] | None
    """`DisplayStretch.clipped` of single pixels."""

    @classmethod
    def of(
        cls,
        mosaic: Pixels,
        coverage: Pixels | None,
        max_px: int = MAX_SIDE_PX,
        look: PictureLook = AUTOMATIC_LOOK,
    ) -> Overview:
        """Return the overview of a mosaic.

        Parameters
        ----------
        mosaic : array-like, shape (channels, height, width)
            Row 0 at the bottom; NaN where there is no data.
        coverage : array-like, shape (1, height, width), or None
            Frames per pixel.
        max_px : int
            Longest side of the first level.
        look : PictureLook
            What is wanted of the stretch; both kinds are made, linked and not.
        """
        layout = axis_layout(mosaic, "CHW")
        planes = downsampled(mosaic, max_px, axis_order="CHW")
        inside = np.asarray(np.isfinite(planes).all(axis=0))
        frames = np.ones(inside.shape, np.float32)
        if coverage is not None:
            frames = downsampled(coverage, max_px, axis_order="CHW", empty=0.0)[0]
        look = replace(look, gains=look.gains or getattr(mosaic, "colour_gains", None))
        skies = [fit_display_stretch(planes, inside, replace(look, linked=linked)) for linked in (True, False)]
        denoise(planes, frames, inside)
        linked, each = (sky.fitted(planes, inside) for sky in skies)
        single = sampled(mosaic, max_px, axis_order="CHW")
        there = np.asarray(np.isfinite(single).all(axis=0))
        clipped = clipped_levels(single, linked.sky, there)
        grain = [
            tuple(max(one.black / calmed.black, 1.0) for one, calmed in zip(noisy, view.stretches, strict=True))
            for view in (linked, each)
            for noisy in [view.fitted(single, there).stretches]
        ]
        planes = with_hue_of_wings(planes, linked.sky, linked.clipped)
        planes[:, ~inside] = np.nan
        levels = [planes]
        while max(levels[-1].shape) > MIN_LEVEL_PX:
            levels.append(halved(levels[-1]))
        side = block_size(layout.height, layout.width, max_px)
        return cls(tuple(levels), side, layout.height, (linked, each), (grain[0], grain[1]), clipped)

    def part(
        self, x0: float, y0: float, x1: float, y1: float, out_w: int, out_h: int
    ) -> tuple[Float32s, Raster] | None:
        """Return pixels that show a window, and where its pixels lie among them; None where it shows single pixels.

        Parameters
        ----------
        x0, y0, x1, y1 : float
            The window, in pixels of the mosaic from its top left corner, y downwards.
        out_w, out_h : int
            Pixels that it is shown with.
        """
        step = max((x1 - x0) / out_w, (y1 - y0) / out_h)
        if step < max(self.side, MIN_OVERVIEW_STEP):
            return None
        level = min(int(np.log2(step / self.side)), len(self.levels) - 1)
        unit = self.side * 2.0**level
        dx, dy = (x1 - x0) / out_w, (y1 - y0) / out_h
        x, y = (x0 + 0.5 * dx) / unit - 0.5, (self.height - y0 - 0.5 * dy) / unit - 0.5
        return self.levels[level], Raster(x, y, dx / unit, -dy / unit)

    def near(self, view: DisplayStretch, step: float) -> DisplayStretch:
        """Return the stretch for single pixels that goes with one of `views`: black lies lower, since they are noisier.

        Parameters
        ----------
        view : DisplayStretch
            One of `views`, perhaps adjusted.
        step : float
            Pixels of the mosaic along a pixel of the screen; means of `step` x `step` ones have less noise.
        """
        grain = self.grain[0 if len(view.stretches) == 1 else 1]
        view = replace(view, clipped=self.clipped)
        return view.deeper([max(one / max(step, 1.0), 1.0) for one in grain])
