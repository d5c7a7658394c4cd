"""A mosaic with its colours balanced by gains, cut-off star cores in the hue of their wings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s
from zemosaic.store.axis_order import Pixels

__all__ = ["BalancedPixels", "with_wing_hue"]

WING_PX = 9
"""How far around a cut-off core its hue is looked for."""
PASSES = 4
"""How often the hue is carried inward, so that cores of up to that many times `WING_PX` are filled."""
MARGIN_PX = WING_PX * (PASSES + 1)


@dataclass(frozen=True)
class BalancedPixels:
    """Pixels of a mosaic times the gains of their channels, read by slices like the mosaic itself."""

    source: Pixels
    """Shape (3, h, w)."""
    gains: tuple[float, ...]
    cut_off: tuple[float, ...] | None = None
    """Level per channel from which on pixels are cut off; None where no star is."""

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.source.shape)

    @property
    def chunks(self) -> Any:
        return getattr(self.source, "chunks", None)

    def __getitem__(self, key: Any, /) -> NDArray[np.float32]:
        channels, rows, columns = key
        y0, y1, _ = rows.indices(self.shape[1])
        x0, x1, _ = columns.indices(self.shape[2])
        if self.cut_off is None:
            balanced: NDArray[np.float32] = (np.asarray(self.source[:, y0:y1, x0:x1]) * _column(self.gains))[channels]
            return balanced
        top, left = max(0, y0 - MARGIN_PX), max(0, x0 - MARGIN_PX)
        part = np.asarray(self.source[:, top : y1 + MARGIN_PX, left : x1 + MARGIN_PX], np.float32)
        balanced = with_wing_hue(part, self.gains, self.cut_off)
        window: NDArray[np.float32] = balanced[:, y0 - top : y1 - top, x0 - left : x1 - left][channels]
        return window


def with_wing_hue(planes: Float32s, gains: Sequence[float], cut_off: Sequence[float]) -> Float32s:
    """Return planes times their gains; where a channel is cut off, all of them follow the hue of the star's wings.

    A cut-off core has the same number in all channels. Multiplied by gains it would become a disc in the gains' colour.

    Parameters
    ----------
    planes : ndarray, shape (3, h, w), float32
        NaN where no data is.
    gains : sequence of 3 float
    cut_off : sequence of 3 float
        Level per channel from which on pixels are cut off.
    """
    balanced = planes * _column(gains)
    with np.errstate(invalid="ignore"):
        cut = (planes >= _column(cut_off)).any(axis=0)
    if not cut.any():
        return balanced
    hue = np.where(cut, np.float32(0), np.nan_to_num(balanced))
    there = ~cut & np.isfinite(balanced).all(axis=0)
    # By the square of their light, so that the wings close to the core decide and not the sky around.
    share = np.where(there, (hue.max(axis=0) / np.float32(max(cut_off))) ** 2, np.float32(0)) + np.float32(1e-9) * there
    hue *= share
    window = (2 * WING_PX + 1, 2 * WING_PX + 1)
    for _ in range(PASSES):
        empty = cut & (share == 0)
        if not empty.any():
            break
        spread = np.stack([cv2.blur(np.ascontiguousarray(plane), window) for plane in hue])
        around = cv2.blur(share, window)
        fill = empty & (around > 0)
        hue[:, fill], share[fill] = spread[:, fill], around[fill]
    brightest = hue.max(axis=0)
    known = cut & (brightest > 0)
    balanced[:, known] = (balanced.max(axis=0)[known] / brightest[known]) * hue[:, known]
    return balanced


def _column(values: Sequence[float]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)[:, None, None]
