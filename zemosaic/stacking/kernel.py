"""The fast CPU form of `zemosaic.stacking.reference`; see `zemosaic.stacking.compiled`."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.stacking import compiled
from zemosaic.stacking.compiled import BIG, stack_pixels
from zemosaic.stacking.rules import (
    LINE_FLOOR,
    MIN_SAMPLES_FOR_SCATTER,
    NOISE_FLOOR,
    SIGNAL_TOLERANCE,
    WINSOR_BIAS,
    WINSOR_CUT,
    Combine,
    Rejection,
    StackResult,
    StackRules,
    sorting_network,
)

__all__ = ["is_compiled", "limits", "stack"]

# Numbers of other modules are arguments of the compiled code: its cache on disk would not see them change.
_NUMBERS = tuple(np.float32(number) for number in (NOISE_FLOOR, SIGNAL_TOLERANCE, WINSOR_CUT, WINSOR_BIAS))
_LINE_NUMBERS = (np.float32(LINE_FLOOR), *_NUMBERS[1:])
_NO_LIMITS = np.empty((0, 0), np.float32)


@lru_cache(maxsize=64)
def _network(n: int) -> NDArray[np.int32]:
    return sorting_network(n)


def is_compiled() -> bool:
    """Whether an earlier process left the compiled kernel, by far the largest, on disk."""
    source = Path(compiled.__file__)
    # A built program carries no sources; there numba dates its cache by the program file, and so does this.
    dated_by = Path(sys.executable) if getattr(sys, "frozen", False) else source
    indices = Path(stack_pixels.stats.cache_path).glob(f"{source.stem}.{stack_pixels.__name__}-*.nbi")
    try:
        return any(index.stat().st_mtime_ns >= dated_by.stat().st_mtime_ns for index in indices)
    except OSError:  # another process is writing the cache anew: then this one compiles at worst once more
        return False


def stack(
    cube: NDArray[np.float32],
    weights: NDArray[np.float32],
    noise: NDArray[np.float32],
    rules: StackRules,
    tolerance: NDArray[np.float32] | None = None,
) -> StackResult:
    """Reject and combine, as `zemosaic.stacking.reference.stack_reference` defines it.

    Parameters
    ----------
    cube : ndarray, shape (frames, channels, pixels), float32
        Calibrated samples; NaN where a frame has none.
    weights : ndarray, shape (frames,) or (frames, pixels), float32
    noise : ndarray, shape (channels,) or (channels, pixels), float32
        Expected noise of one sample.
    rules : StackRules
    tolerance : ndarray, shape (channels, pixels), float32, optional
        Scatter that seeing brings to stars; none by default.

    Returns
    -------
    StackResult
        All zero, and the values NaN, where there are no frames.
    """
    frames, channels, pixels = cube.shape
    if tolerance is None:
        tolerance = np.zeros((channels, pixels), np.float32)
    result = StackResult(
        np.empty((channels, pixels), np.float32),
        np.empty(pixels, np.float32),
        np.empty(pixels, np.uint16),
        np.empty(pixels, np.uint16),
    )
    if frames == 0:
        result.value.fill(np.nan)
        for plane in (result.weight, result.kept, result.rejected):
            plane.fill(0)
        return result
    wide = weights.astype(np.float32).reshape(frames, -1)
    stack_pixels(
        cube,
        wide,
        *_arguments(frames, noise, tolerance, rules),
        result.value,
        result.weight,
        result.kept,
        result.rejected,
        _NO_LIMITS,
        _NO_LIMITS,
    )
    return result


def limits(
    cube: NDArray[np.float32], noise: NDArray[np.float32], rules: StackRules, tolerance: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and the highest value that stays, shapes (channels, pixels): all where there are no samples.

    Parameters
    ----------
    cube : ndarray, shape (frames, channels, pixels), float32
        Calibrated samples; NaN where a frame has none.
    noise : ndarray, shape (channels,) or (channels, pixels), float32
        Expected noise of one sample.
    rules : StackRules
    tolerance : ndarray, shape (channels, pixels), float32
        Scatter that seeing brings to stars.

    Returns
    -------
    low, high : ndarray, shape (channels, pixels), float32
    """
    frames, channels, pixels = cube.shape
    low = np.full((channels, pixels), -BIG)
    high = np.full((channels, pixels), BIG)
    if frames:
        value, weight = np.empty((channels, pixels), np.float32), np.empty(pixels, np.float32)
        counts = np.empty((2, pixels), np.uint16)
        ones = np.ones((frames, 1), np.float32)
        stack_pixels(
            cube, ones, *_arguments(frames, noise, tolerance, rules), value, weight, counts[0], counts[1], low, high
        )
    return low, high


def _arguments(
    frames: int, noise: NDArray[np.float32], tolerance: NDArray[np.float32], rules: StackRules
) -> tuple[Any, ...]:
    return (
        np.ascontiguousarray(np.broadcast_to(noise.astype(np.float32).reshape(len(noise), -1), tolerance.shape)),
        tolerance,
        _network(frames),
        int(rules.rejection),
        rules.combine is Combine.MEDIAN,
        (np.float32(rules.kappa_low), np.float32(rules.kappa_high)),
        rules.max_rounds,
        rules.winsor_rounds if rules.rejection is Rejection.WINSORIZED else 1,
        _LINE_NUMBERS if rules.rejection is Rejection.LINEAR_FIT else _NUMBERS,
        MIN_SAMPLES_FOR_SCATTER,
    )
