"""How a linear mosaic is shown: neutral sky, balanced colour, faint light lifted, stars kept small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, median, median_sigma
from zemosaic.picture.downsample import MaskedPixels, downsampled, sampled
from zemosaic.picture.star_cores import clipped_levels
from zemosaic.store.axis_order import AxisOrder, Pixels

__all__ = [
    "AUTOMATIC_LOOK",
    "ChannelStretch",
    "DisplayStretch",
    "PictureLook",
    "display_stretch",
    "fit_display_stretch",
    "inside_of",
    "midtones",
    "sky_levels",
]

Planes = NDArray[np.float32]

SKY_LEVEL = 0.14
"""Brightness of the empty sky in the picture, 0 to 1."""
SHADOW_SIGMAS = 2.8
"""How far below the sky black lies at least, in standard deviations of the sky."""
BROAD_LIGHT = 9.0
"""Brightness of nebulae and galaxies that the stretch leaves room for, in units of that depth."""
COLOUR_KEPT = 0.85
"""Part of a pixel's colour that the stretch keeps unless asked otherwise: 0 is grey, 1 is all."""
MIN_LEVEL = 1e-6
"""Light from which on a pixel has a colour, as a part of the distance from black to white."""
GAIN_LIMIT = 3.0
DARKEST_PERCENT = 2.0
"""Part of the picture that may be darker than the sky: thin borders, gradients."""
MIN_SKY_CELLS = 20
"""Fewer cells that are dark in all channels are no sky."""


@dataclass(frozen=True)
class PictureLook:
    """What is wanted of a stretch."""

    linked: bool = True
    """Whether one stretch serves all channels, so that colours stay; or each channel has its own."""
    strength: float = 1.0
    """How strongly faint light is lifted, relative to what the sky's noise suggests."""
    sky_level: float = SKY_LEVEL
    """Brightness of the empty sky in the picture, 0 to 1."""
    gains: tuple[float, ...] | None = None
    """Factors per channel that make white stars white, where they were measured; None: the median star is white."""


AUTOMATIC_LOOK = PictureLook()
"""Of who asks for nothing."""


@dataclass(frozen=True)
class DisplayStretch:
    """How linear pixels become a picture: the sky taken off, colours balanced, the range stretched."""

    sky: tuple[float, ...]
    """Level of the sky per channel."""
    gains: tuple[float, ...]
    """Factors per channel that make white white: those from stars of known colour, or those of the median star."""
    stretches: tuple[ChannelStretch, ...]
    """One for all channels, or one for each."""
    colour: float = COLOUR_KEPT
    """Part of a bright pixel's colour that the stretch keeps, 0 to 1; of no effect with one stretch per channel."""
    look: PictureLook = AUTOMATIC_LOOK
    clipped: tuple[float, ...] | None = None
    """Levels above the sky from which on a star's core takes the hue of its wings; None where no star is clipped."""

    def __call__(self, planes: Planes, inside: NDArray[np.bool_]) -> Planes:
        """Return values from 0 to 1, shape (channels, h, w); 0 outside."""
        clear = (planes - _column(self.sky)) * _column(self.gains)
        if len(self.stretches) == 1:
            shown = self.stretches[0](clear, self.colour)
        else:
            shown = np.concatenate([stretch(plane[None]) for stretch, plane in zip(self.stretches, clear, strict=True)])
        return np.where(inside, shown, np.float32(0))

    def adjusted(self, *, depth: float = 1.0, white: float = 1.0, sky_level: float = SKY_LEVEL) -> DisplayStretch:
        """Return the view with another stretch; the arguments' defaults change nothing.

        Parameters
        ----------
        depth : float
            Factor of the distance from the sky down to black: less than 1 darkens the sky's noise.
        white : float
            Factor of the brightness that becomes white.
        sky_level : float
            Brightness of the empty sky in the picture, 0 to 1.
        """
        return replace(self, stretches=tuple(stretch.adjusted(depth, white, sky_level) for stretch in self.stretches))

    def deeper(self, factors: Sequence[float]) -> DisplayStretch:
        """Return the view with black farther below a sky that stays as bright, by a factor for each stretch."""
        return replace(
            self, stretches=tuple(stretch.deeper(by) for stretch, by in zip(self.stretches, factors, strict=True))
        )

    def fitted(self, planes: Planes, inside: NDArray[np.bool_]) -> DisplayStretch:
        """Return the view with the stretch that pixels of this sky want, be they single, averaged or calmed.

        Parameters
        ----------
        planes : ndarray, shape (channels, h, w), float32
        inside : ndarray of bool, shape (h, w)
            Where they have data.
        """
        if not inside.any():
            return self
        clear = _above_sky(planes, self.sky, inside)
        clear *= _column(self.gains)
        parts = [clear] if len(self.stretches) == 1 else [plane[None] for plane in clear]
        look = self.look
        stretches = [
            ChannelStretch.of(part, inside).adjusted(1.0 / look.strength, 1.0, look.sky_level) for part in parts
        ]
        return replace(self, stretches=tuple(stretches), clipped=clipped_levels(planes, self.sky, inside))


def display_stretch(
    source: Pixels,
    coverage: Pixels | None = None,
    max_px: int = 3200,
    *,
    axis_order: AxisOrder = "HWC",
    box: Box | None = None,
    look: PictureLook = AUTOMATIC_LOOK,
    full_size: bool = False,
) -> DisplayStretch:
    """Return how to show a linear image.

    Parameters
    ----------
    source, coverage, axis_order, box
        As for `stretched_preview`.
    max_px : int
        Longest side of the reduced picture that the view is found on.
    look : PictureLook
        What is wanted of it.
    full_size : bool
        Whether the view is for single pixels, whose noise is larger than that of averaged ones.
    """
    planes = downsampled(source, max_px, axis_order=axis_order, box=box)
    inside = inside_of(planes, coverage, max_px, box)
    view = fit_display_stretch(planes, inside, look)
    if full_size:
        planes = sampled(source, max_px, axis_order=axis_order, box=box)
        inside = np.asarray(np.isfinite(planes).all(axis=0))
    return view.fitted(planes, inside)


def midtones(x: NDArray[np.float32] | float, balance: float) -> NDArray[np.float32]:
    """Return the midtones transfer function: 0 to 0, `balance` to 1/2, 1 to 1.

    Parameters
    ----------
    x : ndarray or float
        0 to 1.
    balance : float
        The brightness that becomes 1/2.
    """
    values = np.asarray(x, np.float32)
    return (balance - 1.0) * values / ((2.0 * balance - 1.0) * values - balance)


def inside_of(planes: Planes, coverage: Pixels | None, max_px: int, box: Box | None) -> NDArray[np.bool_]:
    """Return where shrunk planes show data.

    Parameters
    ----------
    planes : ndarray, shape (channels, h, w), float32
        Shrunk to `max_px`.
    coverage : Pixels or None
        In full size, shape (h, w).
    max_px : int
        As for the planes.
    box : (y0, y1, x0, x1) or None
        Part of the coverage that the planes show; None for all.

    Returns
    -------
    ndarray of bool, shape (h, w)
    """
    inside = np.asarray(np.isfinite(planes).all(axis=0))
    if coverage is not None:
        inside &= downsampled(coverage, max_px, axis_order="HW", box=box, empty=0.0)[0] > 0
    return inside


def fit_display_stretch(planes: Planes, inside: NDArray[np.bool_], look: PictureLook) -> DisplayStretch:
    """Return sky and colours of an averaged picture; `DisplayStretch.fitted` adapts its stretch.

    Parameters
    ----------
    planes : ndarray, shape (channels, h, w), float32
        Linear.
    inside : ndarray, shape (h, w), bool
        Where there is data.
    look : PictureLook
        What is wanted.
    """
    channels = len(planes)
    stretches = (ChannelStretch.between(-1.0, 10.0, SKY_LEVEL),) * (1 if look.linked else channels)
    plain = DisplayStretch((0.0,) * channels, (1.0,) * channels, stretches, look=look)
    if not inside.any():
        return plain
    sky = sky_levels(planes, inside)
    return replace(plain, sky=tuple(map(float, sky)), gains=_gains(planes, sky, inside, look))


def _gains(planes: Planes, sky: NDArray[np.float32], inside: NDArray[np.bool_], look: PictureLook) -> tuple[float, ...]:
    """Return the factors per channel of a picture: as measured, else such that the median star is white."""
    if not look.linked:
        return (1.0,) * len(planes)
    if look.gains is not None and len(look.gains) == len(planes):
        return look.gains
    return tuple(map(float, _star_gains(_above_sky(planes, sky, inside), inside)))


def _above_sky(planes: Planes, sky: Sequence[float] | NDArray[np.float32], inside: NDArray[np.bool_]) -> Planes:
    """Return what planes hold beyond the level of the sky; 0 outside."""
    clear = planes - _column(sky)
    np.copyto(clear, np.float32(0), where=~inside)
    return clear


def _column(values: Sequence[float] | NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)[:, None, None]


def sky_levels(planes: Planes, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the level of the sky per channel: nebulae only add light, so that it is the darkest there is.

    Cells decide that are as dark as the darkest ones in all channels at once, within a pixel's noise: else a dark
    cloud of some colour would be taken for sky, and the sky would come out in the opposite colour.

    Parameters
    ----------
    planes : ndarray, shape (channels, h, w), float32
        Averaged pixels.
    inside : ndarray of bool, shape (h, w)
        Where they have data.

    Returns
    -------
    ndarray, shape (channels,), float32
    """
    cells = downsampled(MaskedPixels(planes, inside), max(24, max(inside.shape) // 16), axis_order="CHW")
    levels = cells[:, np.isfinite(cells).all(axis=0)]
    low = np.percentile(levels, DARKEST_PERCENT, axis=1)[:, None]
    noise = np.array([_noise(plane) for plane in planes])[:, None]
    dark = (levels <= low + noise).all(axis=0)
    sky = median(levels[:, dark], axis=1) if dark.sum() >= MIN_SKY_CELLS else (low + 0.5 * noise)[:, 0]
    return sky.astype(np.float32)


def _noise(plane: NDArray[np.float32]) -> float:
    """Return the noise of a plane's pixels, blind to stars and nebulae; 0 of a plane without neighbours."""
    steps = plane[:, 2:] - plane[:, :-2]
    steps = steps[np.isfinite(steps)]
    return median_sigma(steps) / 2**0.5 if steps.size else 0.0


def _star_gains(clear: Planes, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return factors that make the median star white; ones where there are too few stars."""
    ones = np.ones(len(clear), np.float32)
    if len(clear) == 1:
        return ones
    height = _peaks(clear[0])
    for plane in clear[1:]:
        np.minimum(height, _peaks(plane), out=height)
    low, high = np.percentile(height[inside], [99.7, 99.97])
    stars = inside & (height > max(low, 0.0)) & (height < high)
    if stars.sum() < 30:
        return ones
    chosen = np.stack([_peaks(plane)[stars] for plane in clear])
    ratios = median(chosen[1] / chosen, axis=1)
    gains: NDArray[np.float32] = np.clip(ratios, 1.0 / GAIN_LIMIT, GAIN_LIMIT).astype(np.float32)
    return gains


def _peaks(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a plane without its broad light."""
    return np.asarray(plane - cv2.blur(plane, (15, 15)), np.float32)


@dataclass(frozen=True)
class ChannelStretch:
    """The stretch of a picture: sky at `SKY_LEVEL`, the brightest stars at 1.  Levels are above the sky."""

    black: float
    """What becomes 0; below the sky, so negative."""
    white: float
    """What becomes 1."""
    balance: float
    """What part of the way from black to white becomes 1/2."""

    @classmethod
    def of(cls, clear: Planes, inside: NDArray[np.bool_]) -> ChannelStretch:
        """Return the stretch of planes whose sky is 0.

        Parameters
        ----------
        clear : ndarray, shape (channels, h, w), float32
            Planes whose sky is 0.
        inside : ndarray of bool, shape (h, w)
            Where they have data.
        """
        light = clear.mean(axis=0)
        levels = light[inside]
        depth = _shadow_depth(clear, levels, inside)
        # Where white lies far above, the curve hardly depends on it, and cores of galaxies keep their shape.
        return cls.between(-depth, max(float(levels.max()), 10.0 * depth), SKY_LEVEL)

    @classmethod
    def between(cls, black: float, white: float, sky_level: float) -> ChannelStretch:
        """Return the stretch that shows 0 as `sky_level`.

        Parameters
        ----------
        black, white : float
            Light shown as 0 and as 1, the sky being 0.
        sky_level : float
            Brightness of the empty sky in the picture, 0 to 1.
        """
        return cls(black, white, float(midtones(-black / (white - black), sky_level)))

    def adjusted(self, depth: float, white: float, sky_level: float) -> ChannelStretch:
        """Return another stretch; see `DisplayStretch.adjusted`.

        Parameters
        ----------
        depth, white, sky_level : float
            See `DisplayStretch.adjusted`.
        """
        return ChannelStretch.between(self.black * depth, self.white * white, sky_level)

    def deeper(self, factor: float) -> ChannelStretch:
        """Return another stretch that shows 0 as brightly; see `DisplayStretch.deeper`."""
        sky_level = float(midtones(-self.black / (self.white - self.black), self.balance))
        return ChannelStretch.between(self.black * factor, self.white, sky_level)

    def __call__(self, clear: Planes, colour: float = COLOUR_KEPT) -> Planes:
        """Return values from 0 to 1 of the same hue: grey of the stretched mean and the colour in proportion to it.

        What would be brighter than 1 in a channel is dimmed in all of them, so that the cores of stars keep their
        colour; what would be darker than 0 in a channel loses colour.
        """
        scaled = (clear - self.black) / (self.white - self.black)
        level = scaled.mean(axis=0)
        bright = midtones(np.clip(level, 0.0, 1.0), self.balance)
        if len(clear) == 1:
            return bright[None]
        away = scaled - level
        # All channels stay in their order and in proportion, so that the hue stays whatever happens to the brightness.
        strength = colour * bright / np.maximum(level, np.float32(MIN_LEVEL))
        strength = np.minimum(strength, bright / np.maximum(-away.min(axis=0), np.float32(MIN_LEVEL**2)))
        stretched = bright + strength * away
        return np.asarray(np.maximum(stretched, 0.0) / np.maximum(stretched.max(axis=0), 1.0), np.float32)


def _shadow_depth(clear: Planes, levels: Planes, inside: NDArray[np.bool_]) -> float:
    """Return how far below the sky black lies: beyond the noise, and so that broad light stays below white."""
    below = levels[levels < 0]
    noise = 1.4826 * float(median(-below)) if below.size else 0.0
    broad = downsampled(MaskedPixels(clear, inside), max(inside.shape) // 8 or 1, axis_order="CHW")
    brightest = float(np.nanpercentile(broad, 99.0, axis=(1, 2)).max())
    return max(SHADOW_SIGMAS * noise, brightest / BROAD_LIGHT, 1e-6 * float(max(levels.max(), -levels.min())), 1e-30)
