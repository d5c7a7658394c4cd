"""The compiled part of resampling: positions, weighted sums of pixels, calibration.

A row of the canvas is made in runs between two columns of the lattice: within a run positions are
linear, so that they are counted in whole numbers of 2**-16 px.  All of it is one module, since the
cache of compiled code on disk sees changes of its own file only.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

from zemosaic.model import sky_terms

__all__ = ["ALLOWANCE", "ONE", "RUN", "fill_radial", "resample", "sky_at"]

ALLOWANCE = 0.125
"""Part of the range of the four nearest pixels of its colour by which a sample may undercut them."""

RUN = 32
"""Canvas pixels from one column of the lattice to the next."""

_BITS = 16
ONE = 1 << _BITS
"""Parts of a pixel in which places are counted."""
_GROUP = 4
"""Samples that are made together."""

_INDEX, _WHOLE, _SINGLE = ir.IntType(32), ir.IntType(64), ir.FloatType()


def _sums(taps: int, lanes: int, signature: Any) -> Any:
    """Return the code of four sums over m, k of table[along + m] table[across + k] plane[offset + m width + k].

    A row of a sample's pixels is one vector, and four samples are added up together; left to itself the
    compiler takes the pixels one by one, at four times the time.  Lanes beyond the taps are read and set to
    zero, so that what lies there does not matter.
    """

    def code(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        plane, table, at, into = (
            context.make_array(signature.args[k])(context, builder, args[k]) for k in (0, 1, 2, 4)
        )
        vector = ir.VectorType(_SINGLE, lanes)
        width, columns = builder.extract_value(plane.shape, 1), builder.extract_value(at.shape, 1)

        def loaded(data: Any, index: Any, kind: Any) -> Any:
            pointer = builder.gep(data, [index])
            loaded_vector = builder.load(pointer if kind is None else builder.bitcast(pointer, kind.as_pointer()))
            loaded_vector.align = 4
            return loaded_vector

        def number(line: int, lane: int) -> Any:
            index = builder.add(builder.mul(ir.Constant(_WHOLE, line), columns), ir.Constant(_WHOLE, lane))
            return builder.sext(loaded(at.data, builder.add(index, args[3]), None), _WHOLE)

        totals, pairs = [], []
        for lane in range(_GROUP):
            place, along, across = (number(line, lane) for line in range(3))
            total, lines = None, []
            for m in range(taps):
                lines.append(loaded(plane.data, place, vector))
                factor = loaded(table.data, builder.add(along, ir.Constant(_WHOLE, m)), None)
                product = builder.fmul(lines[-1], _everywhere(builder, factor, lanes), flags=("contract",))
                total = product if total is None else builder.fadd(total, product, flags=("contract",))
                place = builder.add(place, width)
            if taps < lanes:
                mask = ir.Constant(ir.VectorType(ir.IntType(1), lanes), [k < taps for k in range(lanes)])
                total = builder.select(mask, total, ir.Constant(vector, [0.0] * lanes))
            total = builder.fmul(total, loaded(table.data, across, vector))
            totals.append(_folded(builder, total, lanes))
            pairs.append(lines[taps // 2 - 1 : taps // 2 + 1])
        value = _held(builder, _added_up(builder, totals), pairs, taps // 2 - 1)
        target = builder.bitcast(builder.gep(into.data, [args[3]]), ir.VectorType(_SINGLE, _GROUP).as_pointer())
        builder.store(value, target).align = 4
        return context.get_dummy_value()

    return code


def _shuffled(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INDEX, len(lanes)), lanes))


def _everywhere(builder: Any, value: Any, lanes: int) -> Any:
    empty = ir.Constant(ir.VectorType(_SINGLE, lanes), ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(_INDEX, 0))
    return _shuffled(builder, first, first, [0] * lanes)


def _folded(builder: Any, vector: Any, lanes: int) -> Any:
    """Return a vector of four lanes with the same sum."""
    if lanes == _GROUP:
        return vector
    return builder.fadd(*(_shuffled(builder, vector, vector, list(range(k, k + 4))) for k in (0, 4)))


def _paired(builder: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Return even and odd lanes of two vectors of four."""
    return _shuffled(builder, a, b, [0, 2, 4, 6]), _shuffled(builder, a, b, [1, 3, 5, 7])


def _added_up(builder: Any, totals: list[Any]) -> Any:
    """Return the sums over the lanes of four vectors."""
    halves = [builder.fadd(*_paired(builder, *totals[k : k + 2])) for k in (0, 2)]
    return builder.fadd(*_paired(builder, *halves))


def _held(builder: Any, value: Any, pairs: list[Any], first: int) -> Any:
    """Hold values against ringing: each may undercut the four pixels round it by a part of their range.

    There is no upper limit: between four pixels a star's peak truly is brighter than each of them.
    The four pixels are lanes `first` and `first` + 1 of a pair of rows.
    """

    def chosen(order: str, a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(order, a, b), a, b)

    def ends(order: str) -> Any:
        both = [chosen(order, *pair) for pair in pairs]
        size = both[0].type.count
        halves = [
            _shuffled(builder, both[k], both[k + 1], [first, first + 1, size + first, size + first + 1]) for k in (0, 2)
        ]
        return chosen(order, *_paired(builder, *halves))

    lowest, highest = ends("<"), ends(">")
    allowance = ir.Constant(ir.VectorType(_SINGLE, _GROUP), [ALLOWANCE] * _GROUP)
    least = builder.fsub(lowest, builder.fmul(builder.fsub(highest, lowest), allowance))
    return builder.select(builder.fcmp_ordered("<", value, least), least, value)


@intrinsic  # type: ignore[untyped-decorator]
def _sums_4(typing: Any, plane: Any, table: Any, at: Any, first: Any, into: Any) -> Any:
    """Fill into[first : first + 4] with weighted sums of 4 x 4 pixels."""
    signature = types.void(plane, table, at, types.intp, into)
    return signature, _sums(4, 4, signature)


@intrinsic  # type: ignore[untyped-decorator]
def _sums_6(typing: Any, plane: Any, table: Any, at: Any, first: Any, into: Any) -> Any:
    """Fill into[first : first + 4] with weighted sums of 6 x 6 pixels; 8 columns are read, two of them for nothing."""
    signature = types.void(plane, table, at, types.intp, into)
    return signature, _sums(6, 8, signature)


@njit(cache=True, error_model="numpy", nogil=True)
def _run(points, row, t, column):  # type: ignore[no-untyped-def]
    """Return a detector coordinate at a lattice column, and its step per canvas pixel to the next one."""
    left = (1 - t) * points[row, column] + t * points[row + 1, column]
    right = (1 - t) * points[row, column + 1] + t * points[row + 1, column + 1]
    return left, (right - left) / RUN


@njit(cache=True, error_model="numpy", nogil=True)
def _span(run, begin, end, rim):  # type: ignore[no-untyped-def]
    """Return from where to where the pixels of a run lie inside the detector's rim."""
    x, dx, y, dy = run
    left, right, bottom, top = rim
    for a, da, low, high in ((x, dx, left, right), (y, dy, bottom, top)):
        ends = a + begin * da, a + (end - 1) * da
        if not (max(ends) >= low and min(ends) <= high):
            return begin, begin
    while begin < end and not (left <= x + begin * dx <= right and bottom <= y + begin * dy <= top):
        begin += 1
    while begin < end and not (left <= x + (end - 1) * dx <= right and bottom <= y + (end - 1) * dy <= top):
        end -= 1
    return begin, end


@njit(cache=True, error_model="numpy", nogil=True)
def _places(run, turn, origin, shape, taps, steps, columns, at):  # type: ignore[no-untyped-def]
    """Fill at with the offset of each sample's first pixel and the offsets of its weights.

    Places are held inside the plane, so that lanes which do not count read nothing beyond it.
    """
    x, dx, y, dy = run
    height, width = shape
    a = _fixed(turn[0, 0] * x + turn[0, 1] * y + turn[0, 2], origin[0])
    b = _fixed(turn[1, 0] * x + turn[1, 1] * y + turn[1, 2], origin[1])
    da = np.int32(round((turn[0, 0] * dx + turn[0, 1] * dy) * ONE))
    db = np.int32(round((turn[1, 0] * dx + turn[1, 1] * dy) * ONE))
    reach = taps // 2 - 1
    least, most_a, most_b = reach * ONE, (width - columns + reach) * ONE, (height - taps + reach) * ONE
    down = _BITS - steps
    half = (1 << down) >> 1
    for i in range(RUN):
        across = np.int32(min(max(a + i * da, least), most_a))
        along = np.int32(min(max(b + i * db, least), most_b))
        at[0, i] = np.int32(((along >> _BITS) - reach) * width + (across >> _BITS) - reach)
        at[1, i] = np.int32((((along & (ONE - 1)) + half) >> down) * columns)
        at[2, i] = np.int32((((across & (ONE - 1)) + half) >> down) * columns)


@njit(cache=True, error_model="numpy", nogil=True)
def _fixed(place, origin):  # type: ignore[no-untyped-def]
    """Return a place from an origin on in 2**-16 px; the origin does not change the fraction."""
    return np.int32(np.int64(np.floor(place * ONE + 0.5)) - origin * ONE)


_terms = njit(cache=True, error_model="numpy", nogil=True)(sky_terms)


@njit(cache=True, error_model="numpy", nogil=True)
def sky_at(sky, u, v):  # type: ignore[no-untyped-def]
    """Return the sky of one channel at a place of the detector.

    Parameters
    ----------
    sky : ndarray, shape (terms,), float32
        Coefficients of the sky of one channel (`CalibratedFrame.sky_adu`), ADU.
    u, v : float
        Place in units of the detector's height, from its centre.

    Returns
    -------
    float
        ADU.
    """
    terms = _terms(np.float64(u), np.float64(v))
    level = 0.0
    for k in range(sky.size):
        level += sky[k] * terms[k]
    return level


@njit(cache=True, fastmath={"nsz", "contract"}, error_model="numpy", nogil=True)
def _calibrate(raw, run, size, light, u, v, flat):  # type: ignore[no-untyped-def]
    """Turn a run of raw samples, shape (channels, RUN), into mosaic units."""
    x, dx, y, dy = run
    height, width = size
    bias, illumination, sky, gain = light
    unity = np.float32(1)
    bowl, rim = illumination[0], illumination[1]
    left, top = (x - 0.5 * width) / height, (y - 0.5 * height) / height
    u0, du = np.float32(left), np.float32(dx / height)
    v0, dv = np.float32(top), np.float32(dy / height)
    for i in range(RUN):
        u[i] = u0 + np.float32(i) * du
        v[i] = v0 + np.float32(i) * dv
        r2 = u[i] * u[i] + v[i] * v[i]
        flat[i] = unity / (unity + r2 * (bowl + r2 * rim))
    for c in range(raw.shape[0]):
        begin = sky_at(sky[c], left, top)
        end = sky_at(sky[c], left + RUN * dx / height, top + RUN * dy / height)
        level, slope, factor = np.float32(begin), np.float32((end - begin) / RUN), gain[c]
        row = raw[c]
        for i in range(RUN):
            row[i] = ((row[i] - bias) * flat[i] - (level + slope * np.float32(i))) * factor


@njit(cache=True, error_model="numpy", nogil=True)
def resample(planes, maps, origins, tables, steps, geometry, places, light, out):  # type: ignore[no-untyped-def]
    """Fill out, shape (channels, rows, columns), with samples of the planes in mosaic units.

    Parameters
    ----------
    planes, maps, origins : tuple of ndarray, ndarray, ndarray
        The frame's window, as in `zemosaic.resampling.warp.Planes`.
    tables : tuple of ndarray, shape (2**steps + 1, taps), float32
        Weights of the pixels round a place, for each plane.
    steps : int
        Logarithm to base 2 of the fractions of a pixel that the tables tell apart.
    geometry : (x, y, row0, column0)
        Of the `Lattice`.
    places : (height, width, border, y0, x0)
        Size of the detector, the border in which nothing is sampled, and the first row and column of the box.
    light : tuple
        From `zemosaic.resampling.warp.light_of`.
    out : ndarray, shape (channels, rows, columns), float32
        Receives the samples; NaN where the frame has no light.
    """
    lx, ly, row0, column0 = geometry
    height, width, border, y0, x0 = places
    rim = (float(border), float(width - 1 - border), float(border), float(height - 1 - border))
    at, raw = np.empty((3, RUN), np.int32), np.empty((len(planes), RUN), np.float32)
    u, v, flat = np.empty(RUN, np.float32), np.empty(RUN, np.float32), np.empty(RUN, np.float32)
    for j in range(out.shape[1]):
        row = (y0 + j - row0) // RUN
        t = (y0 + j - row0) / RUN - row
        column, shift = (x0 - column0) // RUN, (column0 - x0) % RUN
        shift = shift - RUN if shift > 0 else 0
        while shift < out.shape[2]:
            begin, end = max(0, -shift), min(RUN, out.shape[2] - shift)
            x, dx = _run(lx, row, t, column)
            y, dy = _run(ly, row, t, column)
            run = (x, dx, y, dy)
            first, last = _span(run, begin, end, rim)
            if first < last:
                for c in range(len(planes)):
                    taps = 4 if tables[c].shape[1] == 4 else 6
                    _places(run, maps[c], origins[c], planes[c].shape, taps, steps, tables[c].shape[1], at)
                    if taps == 4:
                        for i in range(first // 4 * 4, last, 4):
                            _sums_4(planes[c], tables[c], at, i, raw[c])
                    else:
                        for i in range(first // 4 * 4, last, 4):
                            _sums_6(planes[c], tables[c], at, i, raw[c])
                _calibrate(raw, run, (height, width), light, u, v, flat)
            for c in range(len(planes)):
                into = out[c, j]
                into[shift + begin : shift + first] = np.nan
                into[shift + first : shift + last] = raw[c, first:last]
                into[shift + last : shift + end] = np.nan
            shift += RUN
            column += 1


@njit(cache=True, error_model="numpy", nogil=True)
def fill_radial(geometry, y0, x0, middle, corner, fraction, least, into):  # type: ignore[no-untyped-def]
    """Fill into, shape (rows, columns), with weights that fall from a fraction of the way to the corners.

    Parameters
    ----------
    geometry : (x, y, row0, column0)
        Of the `Lattice`.
    y0, x0 : int
        First row and column of the box on the canvas.
    middle : (float, float)
        Column and row of the detector's centre.
    corner : float
        Distance of the corners from the centre, in pixels.
    fraction : float
        Part of that distance within which the weight is 1.
    least : float
        Weight in the corners.
    into : ndarray, shape (rows, columns), float32
        Receives the weights.
    """
    lx, ly, row0, column0 = geometry
    for j in range(into.shape[0]):
        row = (y0 + j - row0) // RUN
        t = (y0 + j - row0) / RUN - row
        for i in range(into.shape[1]):
            column, offset = divmod(x0 + i - column0, RUN)
            x, dx = _run(lx, row, t, column)
            y, dy = _run(ly, row, t, column)
            r = math.sqrt((x + offset * dx - middle[0]) ** 2 + (y + offset * dy - middle[1]) ** 2) / corner
            fall = min(max((r - fraction) / max(1.0 - fraction, 1e-6), 0.0), 1.0)
            into[j, i] = least + (1.0 - least) * math.cos(0.5 * math.pi * fall) ** 2
