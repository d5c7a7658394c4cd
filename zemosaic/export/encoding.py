"""Pixel values as they lie in a file: big-endian floats, or integers on one scale for all colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.export.cards import Card
from zemosaic.store.axis_order import AxisLayout

__all__ = ["DiskType", "Empty", "Encoder", "encoder_for"]

DiskType = Literal["float32", "int16", "int32", "uint16"]
Empty = Literal["zero", "nan"]

BITPIX = {"float32": -32, "int16": 16, "int32": 32, "uint16": 16}
UNSIGNED_ZERO = 32768
"""What FITS adds to signed 16-bit numbers so that they run from 0 to 65535."""
FULL = 65535
TINY = np.finfo(np.float32).tiny
"""What a pixel that is 0 by chance becomes where 0 stands for no data."""


@dataclass(frozen=True)
class Encoder:
    """Turns pixels into the bytes of a file.

    With ``uint16``, 0 is a pixel without data and ``pixel = zero + scale * number`` for the numbers 1 to 65535.
    With ``float32`` and ``empty="zero"``, 0 is a pixel without data too, and no other pixel is 0.
    """

    dtype: DiskType
    scale: float = 1.0
    zero: float = 0.0
    empty: Empty = "nan"

    @property
    def bitpix(self) -> int:
        return BITPIX[self.dtype]

    @property
    def itemsize(self) -> int:
        return abs(self.bitpix) // 8

    @property
    def bzero(self) -> float:
        return float(UNSIGNED_ZERO) if self.dtype == "uint16" else 0.0

    def cards(self) -> list[Card]:
        """Return the cards that tell how to come back from numbers to pixels."""
        if self.dtype == "float32" and self.empty == "zero":
            return [("ZMEMPTY", 0.0, "pixels that no frame reaches; no other is 0")]
        if self.dtype != "uint16":
            return []
        return [
            ("BLANK", -UNSIGNED_ZERO, "array value of pixels without data"),
            ("ZMSCALE", self.scale, "[adu] adu = ZMZERO + ZMSCALE x value"),
            ("ZMZERO", self.zero, "[adu] alike for all colours"),
        ]

    def __call__(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Return a plane, contiguous and big-endian, as it goes to disk."""
        if self.dtype == "float32" and self.empty == "zero":
            return np.where(np.isfinite(plane), np.where(plane == 0, TINY, plane), 0).astype(">f4", order="C")
        if self.dtype == "float32":
            return np.ascontiguousarray(plane, ">f4")
        if self.dtype == "uint16":
            known = np.isfinite(plane)
            steps = (np.where(known, plane, self.zero).astype(np.float64) - self.zero) / self.scale
            numbers = np.where(known, np.clip(np.rint(steps), 1, FULL), 0)
            return (numbers - UNSIGNED_ZERO).astype(">i2", order="C")
        limits = np.iinfo(self.dtype)
        whole = np.rint(np.nan_to_num(plane, nan=0.0))
        encoded: NDArray[Any] = np.clip(whole, limits.min, limits.max, out=whole).astype(
            np.dtype(self.dtype).newbyteorder(">"), order="C"
        )
        return encoded


def encoder_for(dtype: DiskType, layout: AxisLayout, box: Box, empty: Empty = "nan") -> Encoder:
    """Return the encoder of a type; for ``uint16`` the faintest and brightest pixels of all colours set the scale.

    Parameters
    ----------
    dtype : {"float32", "int16", "int32", "uint16"}
    layout : AxisLayout
        The pixels; read once for ``uint16``.
    box : (y0, y1, x0, x1)
        Part of them that is written.
    empty : {"nan", "zero"}
        What stands where there is no light.

    Returns
    -------
    Encoder
    """
    if dtype != "uint16":
        return Encoder(dtype, empty=empty)
    y0, y1, x0, x1 = box
    low, high = np.inf, -np.inf
    for start, stop in layout.bands(y0, y1):
        rows = layout.rows(start, stop, x0, x1)
        known = np.isfinite(rows)
        low = min(low, float(np.min(rows, where=known, initial=np.inf)))
        high = max(high, float(np.max(rows, where=known, initial=-np.inf)))
    if not low < high:
        return Encoder(dtype, 1.0, (low if np.isfinite(low) else 0.0) - 1.0)
    scale = (high - low) / (FULL - 1)
    return Encoder(dtype, scale, low - scale)
