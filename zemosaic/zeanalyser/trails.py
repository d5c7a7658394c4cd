"""Straight trails of satellites and planes: where they run, how wide and how bright they are.

Bright pixels of the star-free frame vote for all lines through them (Hough 1962; Duda and Hart 1972);
a line that gathers far more votes than chance is measured on the pixels themselves.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s, median
from zemosaic.model import Trail

__all__ = ["find_trails"]


SHRINK = 2
"""The votes are cast on an image this much smaller still: faint trails gain, and time is saved."""
BROAD_PX = 21
"""Light that fills a square of this side on that image is taken off first: the edges of nebulae draw lines enough."""
VOTING_SIGMA = 2.5
MAX_TRAILS = 4
CHANCE_SIGMA = 7.0
"""Votes above chance, in its standard deviations, from which a line is looked at."""
MIN_LENGTH_FRACTION = 0.25
"""Of the frame's shorter side."""
MIN_BRIGHTNESS_RATIO = 0.4
"""A piece of a trail has at least this part of the brightness of its brighter pieces."""
MIN_FILLED_FRACTION = 0.6
"""Part of a trail's length that must be bright."""
PROFILE_SIGMA = 8.0
"""Brightness along the whole line, in its error, from which it is a trail."""
ACROSS_PX = 10
"""Reach of the strip on which a trail is measured."""
MAX_WIDTH_FRACTION = 0.8
"""Of that reach: what is wider is a filament or a reflection."""
BLOCK_PX = 16
"""Pieces along the line that are looked at one by one."""


def find_trails(light: Float32s, noise: float, step: int) -> tuple[Trail, ...]:
    """Return the straight trails of a frame, brightest first.

    Parameters
    ----------
    light : ndarray, shape (h, w), float32
        Image less its sky; `step` raw pixels make one of its own.
    noise : float
        Of one of its pixels.
    step : int
    """
    light = np.nan_to_num(light)
    small = cv2.resize(light, None, fx=1 / SHRINK, fy=1 / SHRINK, interpolation=cv2.INTER_AREA)
    votes = _voters(small - cv2.blur(small, (BROAD_PX, BROAD_PX)), noise / SHRINK)
    found: list[Trail] = []
    for _ in range(MAX_TRAILS):
        line = _best_line(votes)
        if line is None:
            break
        trail = _measured(light, noise, step, line)
        _forget(votes, line)
        if trail is not None:
            found.append(trail)
    return tuple(sorted(found, key=lambda trail: -trail.peak_adu))


def _voters(small: Float32s, noise: float) -> NDArray[np.uint8]:
    """Return 255 where a pixel is bright but belongs to no compact spot."""
    bright = (small > VOTING_SIGMA * noise).astype(np.uint8)
    count, label, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    if count <= 1:
        return bright
    side = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    area = stats[:, cv2.CC_STAT_AREA]
    # Round spots of many pixels are stars and galaxies; crumbs may be pieces of a faint trail.
    round_spot = (area >= 6) & (area > 0.3 * side**2)
    round_spot[0] = True
    return np.where(round_spot[label], 0, 255).astype(np.uint8)


def _best_line(votes: NDArray[np.uint8]) -> tuple[float, float] | None:
    """Return (rho, theta) of the line with the most votes beyond chance, None if chance explains all."""
    number = int(np.count_nonzero(votes))
    if number < 20:
        return None
    height, width = votes.shape
    density = number / votes.size
    shortest = MIN_LENGTH_FRACTION * min(height, width)
    expected = density * math.hypot(height, width)
    least = max(expected + CHANCE_SIGMA * math.sqrt(expected + 1.0), 0.5 * shortest)
    lines = cv2.HoughLinesWithAccumulator(votes, 1.0, math.pi / 360.0, int(least))
    if lines is None:
        return None
    rho, theta = np.ravel(lines)[:2]
    return float(rho), float(theta)


def _forget(votes: NDArray[np.uint8], line: tuple[float, float]) -> None:
    y, x = np.nonzero(votes)
    distance = np.abs(x * math.cos(line[1]) + y * math.sin(line[1]) - line[0])
    votes[y[distance < 4], x[distance < 4]] = 0


def _measured(light: Float32s, noise: float, step: int, line: tuple[float, float]) -> Trail | None:
    """Measure what lies along a line of the small image; None if it is no trail."""
    normal = np.array([math.cos(line[1]), math.sin(line[1])])
    along = np.array([-normal[1], normal[0]])
    # Pixel centres: small pixel k is the middle of SHRINK larger ones.
    foot = (normal * line[0] + 0.5) * SHRINK - 0.5
    for reach in (2 * ACROSS_PX, ACROSS_PX):
        strip, ends = _strip(light, foot, along, normal, reach)
        if strip is None:
            return None
        blocks = _block_profiles(strip)
        offset, slope = _straightened(blocks, noise, strip.shape[1])
        middle = foot + along * ends.mean() + normal * offset
        turned = along + normal * slope
        along = turned / np.linalg.norm(turned)
        normal = np.array([along[1], -along[0]]) * math.copysign(1.0, float(normal @ [along[1], -along[0]]))
        foot = middle
    strip, ends = _strip(light, foot, along, normal, ACROSS_PX)
    if strip is None:
        return None
    profile = median(strip, axis=1)
    profile -= median(np.r_[profile[:3], profile[-3:]])
    peak, width = float(profile[ACROSS_PX - 1 : ACROSS_PX + 2].max()), _width(profile)
    if width > MAX_WIDTH_FRACTION * ACROSS_PX:
        return None  # no narrow line but a broad light
    core = np.abs(np.arange(-ACROSS_PX, ACROSS_PX + 1)) <= max(1.0, 0.5 * width)
    every = _block_profiles(strip)
    blocks = every[core].mean(axis=0) - every[~core].mean(axis=0)
    error = noise / math.sqrt(core.sum() * BLOCK_PX)
    lit = np.flatnonzero(blocks > max(2.0 * error, MIN_BRIGHTNESS_RATIO * float(np.quantile(blocks, 0.9))))
    if len(lit) < 3:
        return None
    length = (lit[-1] - lit[0] + 1) * BLOCK_PX
    whole = float(median(blocks[lit])) / error * math.sqrt(len(lit))
    if (
        length < MIN_LENGTH_FRACTION * min(light.shape)
        or len(lit) < MIN_FILLED_FRACTION * (lit[-1] - lit[0] + 1)
        or whole < PROFILE_SIGMA
    ):
        return None
    centre = foot + along * (ends[0] + 0.5 * (lit[0] + lit[-1] + 1) * BLOCK_PX)
    return Trail(
        x_px=float((centre[0] + 0.5) * step - 0.5),
        y_px=float((centre[1] + 0.5) * step - 0.5),
        angle_deg=math.degrees(math.atan2(along[1], along[0])) % 180.0,
        length_px=float(length * step),
        width_px=width * step,
        peak_adu=peak,
    )


def _strip(
    light: Float32s, foot: NDArray[np.float64], along: NDArray[np.float64], normal: NDArray[np.float64], reach: int
) -> tuple[Float32s | None, NDArray[np.float64]]:
    """Return the pixels within `reach` of a line, shape (2 reach + 1, length), and its ends along the line."""
    height, width = light.shape
    low, high = -math.inf, math.inf
    for place, direction, size in ((foot[0], along[0], width), (foot[1], along[1], height)):
        if abs(direction) > 1e-9:
            a, b = sorted(((1.0 - place) / direction, (size - 2.0 - place) / direction))
            low, high = max(low, a), min(high, b)
    length = int((high - low) // BLOCK_PX) * BLOCK_PX if high > low else 0
    ends = np.array([low, low + length])
    if length < 4 * BLOCK_PX:
        return None, ends
    s = low + np.arange(length)
    d = np.arange(-reach, reach + 1)
    x = foot[0] + along[0] * s[None, :] + normal[0] * d[:, None]
    y = foot[1] + along[1] * s[None, :] + normal[1] * d[:, None]
    strip = cv2.remap(
        light, x.astype(np.float32), y.astype(np.float32), cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    return strip, ends


def _block_profiles(strip: Float32s) -> NDArray[np.float64]:
    """Return medians over blocks along the line, shape (across, blocks)."""
    across, length = strip.shape
    # Several times faster than `np.median`, which looks for NaN; here there is none.
    ordered = np.sort(strip.reshape(across, length // BLOCK_PX, BLOCK_PX), axis=2)
    profiles: NDArray[np.float64] = ordered[:, :, BLOCK_PX // 2 - 1 : BLOCK_PX // 2 + 1].mean(axis=2, dtype=np.float64)
    return profiles


def _straightened(blocks: NDArray[np.float64], noise: float, length: int) -> tuple[float, float]:
    """Return offset at the middle and slope of the bright ridge within a strip."""
    across, number = blocks.shape
    d = np.arange(across) - across // 2
    signal = np.clip(blocks - median(blocks, axis=0) - 1.5 * noise / math.sqrt(BLOCK_PX), 0.0, None)
    total = signal.sum(axis=0)
    # A star in one block must not outweigh the trail in all.
    light = np.minimum(total, 2.0 * median(total) + noise)
    ridge = d @ signal / np.maximum(total, 1e-9)
    s = (np.arange(number) + 0.5) * BLOCK_PX - 0.5 * length
    keep = light > 0
    offset = slope = 0.0
    for _ in range(4):
        if keep.sum() < 3:
            break
        slope, offset = _weighted_line(s[keep], ridge[keep], light[keep])
        rest = np.abs(ridge - slope * s - offset)
        keep = (light > 0) & (rest < max(1.0, 2.5 * float(median(rest[keep]))))
    return offset, slope


def _weighted_line(x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[float, float]:
    """Return slope and offset of the weighted least-squares line through three points or more."""
    total = weight.sum()
    x0, y0 = weight @ x / total, weight @ y / total
    slope = weight @ ((x - x0) * (y - y0)) / (weight @ (x - x0) ** 2)
    return float(slope), float(y0 - slope * x0)


def _width(profile: NDArray[np.floating]) -> float:
    """Return the full width at half maximum of a profile whose ridge is in the middle."""
    middle = len(profile) // 2
    top = middle - 1 + int(np.argmax(profile[middle - 1 : middle + 2]))
    half = 0.5 * float(profile[top])
    sides = []
    for side in (profile[top:], profile[top::-1]):
        below = np.flatnonzero(side <= half)
        if not len(below):
            sides.append(float(len(side)))
            continue
        k = int(below[0])
        sides.append(k - 1 + float((side[k - 1] - half) / max(side[k - 1] - side[k], 1e-9)))
    return max(sum(sides), 0.5)
