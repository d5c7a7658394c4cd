"""The kernels that read between pixels, as tables, and the vector instructions that apply them."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = [
    "ALLOWANCE",
    "STEPS",
    "Interpolation",
    "Kernels",
    "cubic_table",
    "kernels_of",
    "lanczos_table",
    "weighted_4",
    "weighted_6",
]

STEPS = 2048
"""Fractions of a pixel that the tables tell apart."""

ALLOWANCE = 0.125
"""Part of the range of the four nearest pixels of its colour by which a sample may undercut them."""

Kernels = tuple[NDArray[np.float32], NDArray[np.float32]]


class Interpolation(StrEnum):
    """How a sample between the pixels is made of those round it."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    LANCZOS3 = "lanczos3"


@lru_cache(maxsize=4)
def kernels_of(interpolation: Interpolation) -> Kernels:
    """Return the table for pixels that lie side by side and the one for red and blue of a Bayer frame.

    Tables have STEPS + 1 rows and 4 columns (pixels -1 to 2 round the place) or 8 (pixels -2 to 3 and
    two zeros).  Red and blue pixels lie too far apart for Lanczos-3, which rings: they get the cubic.
    """
    if interpolation is Interpolation.LANCZOS3:
        return np.pad(lanczos_table(), ((0, 0), (0, 2))), cubic_table()
    if interpolation is Interpolation.BICUBIC:
        return cubic_table(), cubic_table()
    fraction = np.arange(STEPS + 1) / STEPS
    if interpolation is Interpolation.NEAREST:
        fraction = np.round(fraction)
    table = np.zeros((STEPS + 1, 4), np.float32)
    table[:, 1], table[:, 2] = 1.0 - fraction, fraction
    return table, table


def lanczos_table(steps: int = STEPS, reach: int = 3) -> NDArray[np.float32]:
    """Return Lanczos-3 weights by fraction of a pixel, shape (steps + 1, 6), rows summing to 1.

    Duchon 1979, J. Appl. Meteor. 18, 1016.
    """
    fraction = np.arange(steps + 1)[:, None] / steps
    offset = fraction - np.arange(1 - reach, reach + 1)[None, :]
    kernel = np.where(np.abs(offset) < reach, np.sinc(offset) * np.sinc(offset / reach), 0.0)
    return (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)


def cubic_table(steps: int = STEPS) -> NDArray[np.float32]:
    """Return cubic convolution weights by fraction of a pixel, shape (steps + 1, 4), rows summing to 1.

    Keys 1981, IEEE Trans. ASSP 29, 1153, with a = -1/2.
    """
    t = np.arange(steps + 1)[:, None] / steps
    d = np.abs(t - np.arange(-1, 3)[None, :])
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d < 1.0, near, far).astype(np.float32)


def _weighted_sum(taps: int, lanes: int, signature: Any) -> Any:
    """Return the code of sum over m, k of table[sy, m] table[sx, k] plane[row + m, column + k].

    A row of pixels is one vector; left to itself the compiler does them one by one, at twice the time.
    Lanes beyond the taps are read and set to zero, so that what lies there does not matter.
    """

    def code(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        plane = context.make_array(signature.args[0])(context, builder, args[0])
        table = context.make_array(signature.args[3])(context, builder, args[3])
        index, vector, single = ir.IntType(32), ir.VectorType(ir.FloatType(), lanes), ir.IntType(64)
        width = builder.extract_value(plane.shape, 1)
        columns = builder.extract_value(table.shape, 1)

        def loaded(pointer: Any) -> Any:
            found = builder.load(builder.bitcast(pointer, vector.as_pointer()))
            found.align = 4
            return found

        def line_of(data: Any, line: Any, length: Any, begin: Any) -> Any:
            return builder.gep(data, [builder.add(builder.mul(line, length), begin)])

        none = ir.Constant(single, 0)
        along_y = line_of(table.data, args[4], columns, none)
        total = ir.Constant(vector, [0.0] * lanes)
        everywhere = ir.Constant(ir.VectorType(index, lanes), [0] * lanes)
        lines = []
        for m in range(taps):
            line = loaded(line_of(plane.data, builder.add(args[1], ir.Constant(single, m)), width, args[2]))
            factor = builder.load(builder.gep(along_y, [ir.Constant(single, m)]))
            first = builder.insert_element(ir.Constant(vector, ir.Undefined), factor, ir.Constant(index, 0))
            product = builder.fmul(line, builder.shuffle_vector(first, first, everywhere), flags=("contract",))
            total = builder.fadd(total, product, flags=("contract",))
            lines.append(line)
        if taps < lanes:
            wanted = ir.Constant(ir.VectorType(ir.IntType(1), lanes), [k < taps for k in range(lanes)])
            total = builder.select(wanted, total, ir.Constant(vector, [0.0] * lanes))
        total = builder.fmul(total, loaded(line_of(table.data, args[5], columns, none)))
        return _held(builder, _added_up(builder, total, lanes), lines, taps)

    return code


def _held(builder: Any, value: Any, lines: Any, taps: int) -> Any:
    """Hold a value against ringing: it may undercut the four pixels round it by a part of their range.

    There is no upper limit: between four pixels a star's peak truly is brighter than each of them.
    """
    pair = lines[taps // 2 - 1 : taps // 2 + 1]

    def chosen(order: str, a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(order, a, b), a, b)

    def ends(order: str) -> Any:
        both = chosen(order, *pair)
        sides = [builder.extract_element(both, ir.Constant(ir.IntType(32), taps // 2 - k)) for k in (1, 0)]
        return chosen(order, *sides)

    lowest, highest = ends("<"), ends(">")
    range_ = builder.fsub(highest, lowest)
    least = builder.fsub(lowest, builder.fmul(range_, ir.Constant(ir.FloatType(), ALLOWANCE)))
    return builder.select(builder.fcmp_ordered("<", value, least), least, value)


def _added_up(builder: Any, vector: Any, lanes: int) -> Any:
    index = ir.IntType(32)
    while lanes > 1:
        lanes //= 2
        halves = [
            builder.shuffle_vector(
                vector, vector, ir.Constant(ir.VectorType(index, lanes), [begin + k for k in range(lanes)])
            )
            for begin in (0, lanes)
        ]
        vector = builder.fadd(*halves)
    return builder.extract_element(vector, ir.Constant(index, 0))


@intrinsic
def weighted_4(typing: Any, plane: Any, row: Any, column: Any, table: Any, sy: Any, sx: Any) -> Any:
    """Return the weighted sum of 4 x 4 pixels from (row, column) on, weights from rows sy and sx of the table."""
    place = types.intp
    signature = types.float32(plane, place, place, table, place, place)
    return signature, _weighted_sum(4, 4, signature)


@intrinsic
def weighted_6(typing: Any, plane: Any, row: Any, column: Any, table: Any, sy: Any, sx: Any) -> Any:
    """Return the weighted sum of 6 x 6 pixels; 8 columns must lie in the plane's memory and in the table."""
    place = types.intp
    signature = types.float32(plane, place, place, table, place, place)
    return signature, _weighted_sum(6, 8, signature)
