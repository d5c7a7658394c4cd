"""What a run leaves of its pixels comes back as it was, bit for bit, and nothing else is taken for it."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pytest

from zemosaic.model import (
    CalibratedFrame,
    FieldStars,
    FrameRef,
    GridPlan,
    MeasuredFrame,
    Solution,
    SolvedFrame,
    StarList,
    TileProduct,
    TileSpec,
)
from zemosaic.store.pixel_record import (
    CameraRecord,
    FrameColumns,
    MasterRecord,
    MosaicRecord,
    Stacked,
    records_from_text,
    records_to_text,
)
from zemosaic.wcs import Distortion, FrameWcs

NO_STARS = StarList(np.empty(0), np.empty(0), np.empty((0, 3)), np.empty((0, 3)), np.empty(0), np.empty(0, np.bool_))
CANVAS = FrameWcs(180.1, -89.9, 10.5, 7.25, ((-1e-3, 1e-5), (1e-5, 1e-3)), projection="ZEA")


def frame(number: int, rng: np.random.Generator, **changes: object) -> CalibratedFrame:
    """Return a frame of odd numbers."""
    ref = FrameRef(
        frame_id=number, path=f"/lights/ünd\udcff_{number}.fit", size_bytes=5_000_000_000 + number,
        mtime_ns=1_700_000_000_123_456_789 + number, hdu=number % 2, width=1080, height=1920,
        planes=3 - 2 * (number % 2),
        colour_axis=None if number % 2 else 0, bayer="GRBG" if number % 2 else None, compressed=number % 3 == 0,
        exposure_s=None, date_obs=None, instrument="", telescope="", filter_name="", object_name="", gain=None,
        temperature_c=None, binning=1, ra_deg=None, dec_deg=None, scale_arcsec=None, header_wcs=None,
    )  # fmt: skip
    bend = None if number % 2 else Distortion(tuple(rng.normal(size=7)), tuple(rng.normal(size=7)))
    ra, dec, x, y = rng.normal(size=4).tolist()
    wcs = FrameWcs(ra, dec, x, y, ((rng.normal(), rng.normal()), (rng.normal(), rng.normal())), bend)
    noise = tuple(rng.random(3).tolist())
    sky = tuple(tuple(row) for row in rng.normal(size=(3, 3)).tolist())
    measured = MeasuredFrame(ref, NO_STARS, tuple(row[0] for row in sky), noise, np.nan, np.nan, 0.0)
    made = CalibratedFrame(
        solved=SolvedFrame(measured, Solution(wcs, "header", 9, 0.1)),
        transparency=tuple(rng.random(3).tolist()),
        sky_adu=sky,
        bias_adu=rng.normal(),
        illumination=(rng.normal(),),
        noise=noise,
        weight=rng.random(),
        obstructed=tuple(range(number)),
    )
    return replace(made, **changes)


def record(frames: list[CalibratedFrame]) -> MosaicRecord:
    rng = np.random.default_rng(4)
    ids = tuple(solved_frame.frame.frame_id for solved_frame in frames)
    tiles = (TileSpec(0, (0, 5, 0, 6), (0, 6, 0, 7), ids), TileSpec(1, (5, 9, 0, 6), (4, 9, 0, 7), ids[1:]))
    products = (TileProduct(0, ids[:2], 0.125, "exact"), TileProduct(1, (), 0.0, "streaming", empty=True))
    stacked = Stacked(GridPlan(CANVAS, 7, 9, 3, tiles), products)
    valid = rng.random((5, 3)) > 0.4
    return MosaicRecord(
        mosaic="m.fits",
        canvas=GridPlan(CANVAS, 7, 9, 3, ()),
        box=(1, 9, 0, 7),
        level=(1.5, 2.5, float(np.float32(0.1))),
        frames=FrameColumns.of(frames, [k % 2 for k in range(len(frames))]),
        cameras=(
            CameraRecord(np.array([3, 99]), "a", np.arange(7, dtype=np.uint8)),
            CameraRecord(np.empty(0, np.int64), "b"),
        ),
        stars=FieldStars(rng.random(4), rng.random(4), rng.random((4, 3)), 2.5, 6.0, (0.75, 1.5)),
        tiles=stacked,
        masters=(MasterRecord(stacked, (1, 6, 2, 5), valid, (1.0, 2.0, 3.0), (0.5, 0.0, 0.0)),),
    )


def test_all_that_stacking_looks_at_comes_back():
    rng = np.random.default_rng(2)
    frames = [frame(number, rng) for number in (0, 3, 4, 7)]
    before = record(frames)
    (after,) = records_from_text(records_to_text([before]))
    for name in ("mosaic", "canvas", "box", "level", "tiles"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.frames.ids == (0, 3, 4, 7) and [after.frames.camera(n) for n in after.frames.ids] == [0, 1, 0, 1]
    for one in frames:
        same = after.frames.frame(one.frame.frame_id)
        assert same.frame == one.frame and same.wcs == one.wcs
        for name in ("transparency", "sky_adu", "bias_adu", "noise", "weight", "obstructed", "illumination"):
            assert getattr(same, name) == getattr(one, name), name
    for one, same in zip(before.cameras, after.cameras, strict=True):
        assert np.array_equal(one.defects, same.defects) and one.fingerprint == same.fingerprint
    for name in ("ra_deg", "dec_deg", "flux"):
        assert np.array_equal(getattr(before.stars, name), getattr(after.stars, name))
    (master,) = after.masters
    assert np.array_equal(master.valid, before.masters[0].valid)
    # Python 3.13 compares every field of a record, arrays too, even where they are the same object.
    assert replace(master, valid=None) == replace(before.masters[0], valid=None)


@pytest.mark.parametrize("text", ["", "no base64!", "bm90aGluZw==", base64.b64encode(b"PK\x03\x04 broken").decode()])
def test_what_is_no_record_is_refused(text):
    with pytest.raises(ValueError):
        records_from_text(text)


def test_a_damaged_record_is_refused():
    text = records_to_text([record([frame(1, np.random.default_rng(1))])])
    with pytest.raises(ValueError):
        records_from_text(text[: len(text) // 2 // 4 * 4])
