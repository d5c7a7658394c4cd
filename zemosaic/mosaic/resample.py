"""The compiled part of resampling: positions, weighted sums of pixels, calibration.

All of it is one module, since the cache of compiled code on disk sees changes of its own file only.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["ALLOWANCE", "fill_radial", "resample"]

ALLOWANCE = 0.125
"""Part of the range of the four nearest pixels of its colour by which a sample may undercut them."""


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
def _weighted_4(typing: Any, plane: Any, row: Any, column: Any, table: Any, sy: Any, sx: Any) -> Any:
    """Return the weighted sum of 4 x 4 pixels from (row, column) on, weights from rows sy and sx of the table."""
    place = types.intp
    signature = types.float32(plane, place, place, table, place, place)
    return signature, _weighted_sum(4, 4, signature)


@intrinsic
def _weighted_6(typing: Any, plane: Any, row: Any, column: Any, table: Any, sy: Any, sx: Any) -> Any:
    """Return the weighted sum of 6 x 6 pixels; 8 columns must lie in the plane's memory and in the table."""
    place = types.intp
    signature = types.float32(plane, place, place, table, place, place)
    return signature, _weighted_sum(6, 8, signature)


@njit(cache=True, error_model="numpy", nogil=True)
def _positions(geometry, y, x0, px, py):  # type: ignore[no-untyped-def]
    """Fill px, py with the detector positions of a row of canvas pixels."""
    lx, ly, row0, column0, step = geometry
    row = (y - row0) // step
    t = (y - row0) / step - row
    done = 0
    while done < px.size:
        column = (x0 + done - column0) // step
        begin = x0 + done - column0 - column * step
        number = min(step - begin, px.size - done)
        left = (1 - t) * lx[row, column] + t * lx[row + 1, column]
        right = (1 - t) * lx[row, column + 1] + t * lx[row + 1, column + 1]
        low = (1 - t) * ly[row, column] + t * ly[row + 1, column]
        high = (1 - t) * ly[row, column + 1] + t * ly[row + 1, column + 1]
        for i in range(number):
            s = (begin + i) / step
            px[done + i] = (1 - s) * left + s * right
            py[done + i] = (1 - s) * low + s * high
        done += number


@njit(cache=True, fastmath={"nsz", "contract"}, error_model="numpy", nogil=True)
def _calibrate(out, px, py, height, width, light):  # type: ignore[no-untyped-def]
    """Turn a row of raw samples, shape (channels, n), into mosaic units."""
    bias, illumination, sky, gain = light
    one, per_height = np.float32(1), 1.0 / height
    bowl, rim = illumination[0], illumination[1]
    u, v, flat = np.empty(px.size, np.float32), np.empty(px.size, np.float32), np.empty(px.size, np.float32)
    for i in range(px.size):
        u[i] = (px[i] - 0.5 * width) * per_height
        v[i] = (py[i] - 0.5 * height) * per_height
        r2 = u[i] * u[i] + v[i] * v[i]
        flat[i] = one / (one + r2 * (bowl + r2 * rim))
    for c in range(out.shape[0]):
        level, along_u, along_v, factor = sky[c, 0], sky[c, 1], sky[c, 2], gain[c]
        row = out[c]
        for i in range(px.size):
            row[i] = ((row[i] - bias) * flat[i] - (level + along_u * u[i] + along_v * v[i])) * factor


@njit(cache=True, fastmath={"nsz", "contract"}, error_model="numpy", nogil=True)
def resample(planes, maps, origins, tables, steps, geometry, places, light, out):  # type: ignore[no-untyped-def]
    """Fill out, shape (channels, rows, columns), with samples of the planes in mosaic units."""
    height, width, border, y0, x0 = places
    size = out.shape[2]
    px, py, inside = np.empty(size), np.empty(size), np.empty(size, np.bool_)
    at = np.empty((4, size), np.int32)
    for j in range(out.shape[1]):
        _positions(geometry, y0 + j, x0, px, py)
        begin, end = size, 0
        for i in range(size):
            inside[i] = (
                (px[i] >= border) & (px[i] <= width - 1 - border) & (py[i] >= border) & (py[i] <= height - 1 - border)
            )
            begin = min(begin, i) if inside[i] else begin
            end = i + 1 if inside[i] else end
        out[:, j] = np.nan
        if begin >= end:
            continue
        row = slice(begin, end)
        for c in range(len(planes)):
            _places(maps[c], origins[c], steps, px[row], py[row], inside[row], at[:, : end - begin])
            if tables[c].shape[1] == 4:
                _row_4(planes[c], tables[c], at, inside[row], out[c, j, row])
            else:
                _row_6(planes[c], tables[c], at, inside[row], out[c, j, row])
        _calibrate(out[: len(planes), j, row], px[row], py[row], height, width, light)


@njit(cache=True, error_model="numpy", nogil=True)
def _places(turn, origin, steps, px, py, inside, at):  # type: ignore[no-untyped-def]
    """Fill at with column, row and the fractions' table rows; with a harmless place where nothing is inside."""
    a, b, c = turn[0, 0], turn[0, 1], turn[0, 2]
    d, e, f = turn[1, 0], turn[1, 1], turn[1, 2]
    left, top = origin[0], origin[1]
    columns, rows, across, along = at[0], at[1], at[2], at[3]
    for i in range(px.size):
        x = a * px[i] + b * py[i] + c if inside[i] else left + 3.0
        y = d * px[i] + e * py[i] + f if inside[i] else top + 3.0
        ix, iy = np.floor(x), np.floor(y)
        columns[i] = np.int32(ix - left)
        rows[i] = np.int32(iy - top)
        across[i] = np.int32((x - ix) * steps + 0.5)
        along[i] = np.int32((y - iy) * steps + 0.5)


@njit(cache=True, error_model="numpy", nogil=True)
def _row_4(plane, table, at, inside, out):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        if inside[i]:
            out[i] = _weighted_4(plane, at[1, i] - 1, at[0, i] - 1, table, at[3, i], at[2, i])


@njit(cache=True, error_model="numpy", nogil=True)
def _row_6(plane, table, at, inside, out):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        if inside[i]:
            out[i] = _weighted_6(plane, at[1, i] - 2, at[0, i] - 2, table, at[3, i], at[2, i])


@njit(cache=True, error_model="numpy", nogil=True)
def fill_radial(geometry, y0, x0, middle, corner, fraction, least, into):  # type: ignore[no-untyped-def]
    """Fill into, shape (rows, columns), with weights that fall from a fraction of the way to the corners."""
    px, py = np.empty(into.shape[1]), np.empty(into.shape[1])
    for j in range(into.shape[0]):
        _positions(geometry, y0 + j, x0, px, py)
        for i in range(into.shape[1]):
            r = math.sqrt((px[i] - middle[0]) ** 2 + (py[i] - middle[1]) ** 2) / corner
            fall = min(max((r - fraction) / max(1.0 - fraction, 1e-6), 0.0), 1.0)
            into[j, i] = least + (1.0 - least) * math.cos(0.5 * math.pi * fall) ** 2
