"""Both methods of assembly on the same master tiles: against each other, the truth and the reproject package."""

from __future__ import annotations

import numpy as np
import pytest
from mosaic_frames import wcs_of
from reproject import reproject_interp
from reproject.mosaicking import reproject_and_coadd

from zemosaic.coadd.background_matching import matched_inputs, solve_differences
from zemosaic.coadd.cutouts import CoaddPlane
from zemosaic.coadd.incremental import merged_block
from zemosaic.coadd.inputs import TileCache
from zemosaic.coadd.master_tile import MasterTile, feather_map, filled, trimmed_box
from zemosaic.coadd.reproject_method import coadded_block
from zemosaic.coadd.reproject_method import wcs_of as astropy_wcs
from zemosaic.store.canvas_store import CanvasStore, TilePixels

CANVAS = wcs_of(40.0, 25.0, size=(300, 260))
SHAPE = (260, 300)
NOISE = 1.0


def light(wcs, shape):
    """Return a smooth sky with stars, per pixel of a WCS, shape (3, h, w)."""
    rng = np.random.default_rng(3)
    ra, dec = wcs.pixel_to_sky(*np.meshgrid(np.arange(shape[1]), np.arange(shape[0])))
    x, y = CANVAS.sky_to_pixel(ra, dec)
    plane = 20.0 + 8.0 * np.sin(x / 60.0) * np.cos(y / 45.0)
    stars = np.column_stack([rng.uniform(0, 300, 150), rng.uniform(0, 260, 150), rng.uniform(100, 2500, 150)])
    for sx, sy, peak in stars:
        plane += peak * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / (2 * 2.2**2))
    return np.stack([plane, 0.8 * plane + 3.0, 0.6 * plane]).astype(np.float32)


def tile(folder, number, centre, turn, *, gain=1.0, level=0.0, noise=0.0):
    """Return a master tile with light, an invalid border and a weight of its own."""
    size = (190, 230)
    wcs = wcs_of(*CANVAS.pixel_to_sky(*centre), turn, size=size)
    shape = (size[1], size[0])
    rng = np.random.default_rng(number)
    value = gain * (light(wcs, shape) + noise * rng.normal(size=(3, *shape)).astype(np.float32)) + level
    valid = np.ones(shape, bool)
    valid[:3], valid[:, -4:] = False, False
    value = value.astype(np.float32)
    value[:, ~valid] = np.nan
    store = CanvasStore(folder / f"tile_{number}.zarr")
    store.create_canvas(3, *shape, 128, f"tile {number}")
    weight = np.where(valid, np.float32(1.0 + number), np.float32(0))
    kept = valid.astype(np.uint16) * (number + 2)
    store.write_canvas((0, shape[0], 0, shape[1]), TilePixels(value, weight, kept, np.zeros_like(kept)))
    box = trimmed_box(valid)
    store.write_feather(feather_map(valid[box[0] : box[1], box[2] : box[3]], "coverage", 0.8), box)
    return MasterTile(store, wcs.shifted(box[2], box[0]), box, 3)


PLACES = (((90, 120), 4.0), ((190, 130), -8.0), ((140, 90), 15.0))


def tiles(folder, **changes):
    return [tile(folder, k, centre, turn, **changes) for k, (centre, turn) in enumerate(PLACES)]


BLOCK = (40, 200, 60, 230)


def test_both_methods_agree_and_show_the_sky(tmp_path):
    pieces = tiles(tmp_path)
    one = merged_block(BLOCK, pieces, CoaddPlane(CANVAS), TileCache())
    other = coadded_block(BLOCK, pieces, CoaddPlane(CANVAS), TileCache())
    both = np.isfinite(one.value) & np.isfinite(other.value)
    assert both.mean() > 0.95
    assert np.abs(one.value - other.value)[both].max() < 0.02 * NOISE
    assert (np.isfinite(one.value) == np.isfinite(other.value)).mean() > 0.999
    for name in ("weight", "kept", "rejected"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    truth = light(CANVAS, SHAPE)[:, BLOCK[0] : BLOCK[1], BLOCK[2] : BLOCK[3]]
    assert np.nanmedian(np.abs(one.value - truth)) < 0.02
    assert np.nanpercentile(np.abs(one.value - truth) / truth, 99) < 0.02


def test_blocks_of_another_size_meet(tmp_path):
    pieces = tiles(tmp_path)
    whole = merged_block(BLOCK, pieces, CoaddPlane(CANVAS), TileCache())
    left = merged_block((*BLOCK[:2], BLOCK[2], 144), pieces, CoaddPlane(CANVAS), TileCache())
    assert np.allclose(whole.value[:, :, : 144 - BLOCK[2]], left.value, rtol=1e-5, equal_nan=True)
    assert np.array_equal(whole.kept[:, : 144 - BLOCK[2]], left.kept)


def test_the_package_called_plainly_says_the_same(tmp_path):
    pieces = tiles(tmp_path)
    ours = coadded_block(BLOCK, pieces, CoaddPlane(CANVAS), TileCache())
    inputs, shares = [], []
    for piece in pieces:
        pixels = piece.read((0, piece.height, 0, piece.width))
        inputs.append((filled(pixels.value)[1], astropy_wcs(piece.wcs)))
        shares.append(pixels.share)

    def interpolated(*arguments, **named):
        # Shares linearly, as they must not ring where a tile ends; the package asks for those without a footprint.
        return reproject_interp(
            *arguments, **named, order="bicubic" if named.get("return_footprint", True) else "bilinear"
        )

    plain, footprint = reproject_and_coadd(
        inputs,
        astropy_wcs(CANVAS.shifted(BLOCK[2], BLOCK[0])),
        shape_out=(BLOCK[1] - BLOCK[0], BLOCK[3] - BLOCK[2]),
        input_weights=shares,
        reproject_function=interpolated,
        combine_function="mean",
    )
    inner = (footprint > 0.5) & np.isfinite(ours.value[1])
    assert inner.mean() > 0.8
    assert np.abs(plain / ours.value[1] - 1.0)[inner].max() < 1e-4


@pytest.mark.parametrize("kind", ["coverage", "radial", "none"])
def test_feathers_are_zero_where_nothing_may_be_interpolated(kind):
    valid = np.ones((60, 80), bool)
    valid[20:24, 30:34] = False
    feather = feather_map(valid, kind, 0.7)
    assert (feather[19:25, 29:35] == 0).all() and (feather[0] == 0).all()
    assert feather[40, 40] > 0
    assert (feather.min() >= 0) and feather.max() <= 1
    if kind == "none":
        assert set(np.unique(feather)) == {0.0, 1.0}


def test_brightness_and_level_are_matched_over_all_tiles_at_once(tmp_path):
    gains, levels = (1.0, 0.7, 1.4), (0.0, 35.0, -12.0)
    pieces = [
        tile(tmp_path, k, centre, turn, gain=gains[k], level=levels[k], noise=0.3)
        for k, (centre, turn) in enumerate(PLACES)
    ]
    blocks = [(y, y + 130, x, x + 150) for y in (0, 130) for x in (0, 150)]
    matched = matched_inputs(pieces, blocks, CoaddPlane(CANVAS))
    found = np.array([piece.gain for piece in matched]) * np.array(gains)[:, None]
    assert np.allclose(found / found[0], 1.0, atol=0.02)
    level = np.array([piece.offset for piece in matched]) + np.array(levels)[:, None] * [p.gain for p in matched]
    assert np.abs(level - level[0]).max() < 0.5, "0.3 is the noise of one pixel"
    value = merged_block(BLOCK, matched, CoaddPlane(CANVAS), TileCache()).value
    raw = merged_block(BLOCK, pieces, CoaddPlane(CANVAS), TileCache()).value
    truth = light(CANVAS, SHAPE)[:, BLOCK[0] : BLOCK[1], BLOCK[2] : BLOCK[3]]

    def residual(got):
        seen = np.isfinite(got[0])
        slope, level = np.polyfit(truth[0][seen], got[0][seen], 1)
        return np.std((got[0][seen] - level) / slope - truth[0][seen])

    assert residual(value) < 0.2 * residual(raw)


def test_one_wrong_overlap_among_many_is_outvoted():
    rng = np.random.default_rng(1)
    true = rng.normal(0, 1, 12)
    true -= true.mean()
    edges = [(i, j) for i in range(12) for j in range(i + 1, 12) if (i + j) % 2]
    steps = np.array([true[j] - true[i] for i, j in edges]) + rng.normal(0, 0.01, len(edges))
    steps[5] += 3.0
    assert np.abs(solve_differences(edges, steps, np.ones(len(edges)), 12) - true).max() < 0.05
    assert solve_differences([], np.empty(0), np.empty(0), 3).tolist() == [0.0, 0.0, 0.0]
