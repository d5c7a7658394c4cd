"""Mosaics of single bands as one colour picture, read by slices so that no picture is ever held whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zemosaic.arrays import Box, Float32s
from zemosaic.store.axis_order import Pixels

__all__ = ["BandPlanes", "BandSource", "LeastCovered", "LuminancePlanes", "LuminanceRule", "with_luminance"]


@dataclass(frozen=True)
class BandSource:
    """The part of a mosaic of one band that goes into a picture."""

    pixels: Pixels
    """Shape (1, h, w) or (h, w); NaN where no data is."""
    box: Box

    @property
    def shape(self) -> tuple[int, int]:
        y0, y1, x0, x1 = self.box
        return y1 - y0, x1 - x0

    def part(self, y0: int, y1: int, x0: int, x1: int) -> Float32s:
        """Return rows and columns of the part, shape (y1 - y0, x1 - x0), float32.

        Parameters
        ----------
        y0, y1, x0, x1 : int
            Rows and columns, counted from the corner of the part.
        """
        top, left = self.box[0], self.box[2]
        rows, columns = slice(top + y0, top + y1), slice(left + x0, left + x1)
        flat = len(self.pixels.shape) == 2
        return np.asarray(self.pixels[rows, columns] if flat else self.pixels[:, rows, columns][0], np.float32)


@dataclass(frozen=True)
class BandPlanes:
    """Red, green and blue of bands and their shares, read by slices like a mosaic; NaN where a band has no data."""

    planes: Sequence[Sequence[tuple[BandSource, float]]]
    """Of each plane: the bands, and by how much each is multiplied."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return (len(self.planes), *self.planes[0][0][0].shape)

    def __getitem__(self, key: Any, /) -> Float32s:
        channels, window = key[0], _window(key, self.shape)
        read: dict[int, Float32s] = {}
        made = []
        for parts in self.planes:
            for source, _ in parts:
                if id(source) not in read:
                    read[id(source)] = source.part(*window)
            first, *others = (np.float32(share) * read[id(source)] for source, share in parts)
            made.append(sum(others, first))
        # A pixel is a colour only where all of its bands have data.
        there = np.logical_and.reduce([np.isfinite(plane) for plane in made])
        colours: Float32s = np.where(there, np.stack(made), np.float32(np.nan))[channels]
        return colours


@dataclass(frozen=True)
class LuminanceRule:
    """How a luminance joins the mean of three colours; light is above the sky."""

    gains: tuple[float, float, float]
    """Factors that make white white."""
    sky: tuple[float, float, float]
    """Level of the sky of red, green and blue, before the gains."""
    luminance_sky: float
    luminance_scale: float
    """Light of the luminance for one of the mean of the balanced colours."""
    colour_sigma: tuple[float, float, float]
    """Noise of a pixel of red, green and blue, before the gains."""
    luminance_sigma: float
    pedestal: float
    """Level of the sky of the result, the same for all colours."""

    @property
    def luminance_variance(self) -> float:
        """Of the luminance, brought to the scale of the colours' mean."""
        return (self.luminance_sigma / self.luminance_scale) ** 2

    @property
    def colour_variance(self) -> float:
        """Of the mean of the balanced colours."""
        terms = zip(self.gains, self.colour_sigma, strict=True)
        return sum((gain * sigma) ** 2 for gain, sigma in terms) / 9.0

    @property
    def luminance_weight(self) -> float:
        """Part of the brightness that comes from the luminance: by inverse variance."""
        return self.colour_variance / (self.colour_variance + self.luminance_variance)


def with_luminance(colours: Float32s, luminance: Float32s, rule: LuminanceRule) -> Float32s:
    """Return balanced colours whose brightness comes from them and from a luminance, each at its weight.

    The mean of the three planes becomes the mean of both measures of the light, weighted by inverse variance.  What
    the planes differ by keeps its direction, and so the hue; it grows or shrinks with the brightness where that is
    well above the noise, and is left alone on the sky, where a ratio would be one of noise.

    Parameters
    ----------
    colours : ndarray, shape (3, h, w), float32
        Red, green and blue as their mosaics hold them.
    luminance : ndarray, shape (h, w), float32
        NaN where it has no data: the colours alone decide there.
    rule : LuminanceRule

    Returns
    -------
    ndarray, shape (3, h, w), float32
        On one scale, the sky at `LuminanceRule.pedestal`.
    """
    gains, sky = (np.asarray(values, np.float32)[:, None, None] for values in (rule.gains, rule.sky))
    light = (colours - sky) * gains
    mean = light.mean(axis=0)
    weight = np.float32(rule.luminance_weight)
    measured = (luminance - np.float32(rule.luminance_sky)) / np.float32(rule.luminance_scale)
    bright = np.where(np.isfinite(measured), weight * measured + (1 - weight) * mean, mean)
    noise = np.float32(rule.colour_variance)
    # A Wiener-like ratio: that of the two brightnesses where they are light, 1 where they are noise.
    ratio = (np.maximum(bright, 0) * np.maximum(mean, 0) + noise) / (np.maximum(mean, 0) ** 2 + noise)
    return np.asarray(bright + ratio * (light - mean) + np.float32(rule.pedestal), np.float32)


@dataclass(frozen=True)
class LuminancePlanes:
    """Colours with a luminance, read by slices like a mosaic."""

    colours: BandPlanes
    luminance: BandSource
    rule: LuminanceRule

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.colours.shape

    def __getitem__(self, key: Any, /) -> Float32s:
        window = _window(key, self.shape)
        y0, y1, x0, x1 = window
        colours = self.colours[:, y0:y1, x0:x1]
        lit: Float32s = with_luminance(colours, self.luminance.part(*window), self.rule)[key[0]]
        return lit


@dataclass(frozen=True)
class LeastCovered:
    """Frames per pixel of the band that has the fewest, shape (h, w)."""

    sources: Sequence[BandSource]

    @property
    def shape(self) -> tuple[int, int]:
        return self.sources[0].shape

    def __getitem__(self, key: Any, /) -> Float32s:
        y0, y1, x0, x1 = _window((slice(None), *key), (1, *self.shape))
        parts = [np.nan_to_num(source.part(y0, y1, x0, x1)) for source in self.sources]
        return np.asarray(np.minimum.reduce(parts), np.float32)


def _window(key: Any, shape: tuple[int, int, int]) -> Box:
    _, rows, columns = key
    y0, y1, _ = rows.indices(shape[1])
    x0, x1, _ = columns.indices(shape[2])
    return y0, y1, x0, x1
