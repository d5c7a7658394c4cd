"""How an array of pixels lies, and reading it a band of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["BAND_BYTES", "AxisLayout", "AxisOrder", "Pixels", "axis_layout"]

AxisOrder = Literal["CHW", "HWC", "HW"]

BAND_BYTES = 48 << 20


class Pixels(Protocol):
    """What is asked of an array: a shape and slices of it (NumPy, zarr, a memory map)."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, key: Any, /) -> Any: ...


@dataclass(frozen=True)
class AxisLayout:
    """How a source lies: its numbers of planes, rows and columns, and how to read some rows."""

    source: Pixels
    axis_order: AxisOrder
    planes: int
    height: int
    width: int

    def rows(self, y0: int, y1: int, x0: int, x1: int) -> NDArray[Any]:
        """Return shape (planes, y1 - y0, x1 - x0).

        Parameters
        ----------
        y0, y1 : int
            First row, and the row after the last.
        x0, x1 : int
            First column, and the column after the last.

        Returns
        -------
        ndarray, shape (planes, y1 - y0, x1 - x0)
        """
        if self.axis_order == "HW":
            return np.asarray(self.source[y0:y1, x0:x1])[None]
        if self.axis_order == "HWC":
            return np.moveaxis(np.asarray(self.source[y0:y1, x0:x1, :]), -1, 0)
        return np.asarray(self.source[:, y0:y1, x0:x1])

    def bands(self, y0: int, y1: int) -> Iterator[tuple[int, int]]:
        """Yield (start, stop) of the rows from `y0` to `y1`, little memory at a time.

        No band ends inside a chunk of a zarr array, so that each chunk is decoded once.

        Parameters
        ----------
        y0, y1 : int
            First row, and the row after the last.
        """
        chunks: tuple[int, ...] | None = getattr(self.source, "chunks", None)
        whole = chunks[self.axis_order.index("H")] if chunks else 1
        step = whole * max(1, BAND_BYTES // (whole * self.planes * self.width * 4))
        for start in range(y0 // step * step, y1, step):
            yield max(y0, start), min(y1, start + step)


def axis_layout(source: Pixels, axis_order: AxisOrder) -> AxisLayout:
    """Return how `source` lies; ValueError where it has neither 1 nor 3 planes.

    Parameters
    ----------
    source : Pixels
        Array, memory map or zarr array of 2 or 3 axes.
    axis_order : {"HW", "HWC", "CHW"}
        Order of 3 axes.

    Returns
    -------
    AxisLayout
    """
    shape = tuple(int(n) for n in source.shape)
    if len(shape) == 2:
        return AxisLayout(source, "HW", 1, *shape)
    if len(shape) == 3 and axis_order == "HWC" and shape[2] in (1, 3):
        return AxisLayout(source, "HWC", shape[2], shape[0], shape[1])
    if len(shape) == 3 and axis_order == "CHW" and shape[0] in (1, 3):
        return AxisLayout(source, "CHW", *shape)
    raise ValueError(f"expected 1 or 3 planes in order {axis_order}, got shape {shape}")
