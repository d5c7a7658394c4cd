"""Pixels of a finished mosaic made again from its frames, and what the record for that takes.

usage: python -m benchmarks.pixels OUTPUT_FOLDER [--pixels 200] [--frames 50000] [--stars 400000]

Random pixels of the folder's mosaic are compared with its file; then a made-up record of many frames is written and
read.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

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
from zemosaic.provenance.explain import Explainer
from zemosaic.store.pixel_record import (
    CameraRecord,
    FrameColumns,
    MosaicRecord,
    Stacked,
    records_from_text,
    records_to_text,
)
from zemosaic.wcs import FrameWcs

T = TypeVar("T")
TILES, MEMBERS = 900, 500
SEED = 8


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pixels", type=int, default=200)
    parser.add_argument("--frames", type=int, default=50_000)
    parser.add_argument("--stars", type=int, default=400_000)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        explainer, opening = timed(lambda: Explainer(told.output, Path(scratch)))
        width, height = explainer.size()
        rng = np.random.default_rng(SEED)
        places = [(int(rng.integers(width)), int(rng.integers(height))) for _ in range(told.pixels)]
        stories, taken = timed(lambda: [explainer.explain(*place) for place in places])
    same = sum(np.array_equal(np.float32(one.value), np.float32(one.stored), equal_nan=True) for one in stories)
    print(f"pixels with the very bits of the file: {same} of {len(stories)}")
    print(f"report read: {1000 * opening:.0f} ms CPU; a pixel: {1000 * taken / len(stories):.1f} ms CPU")
    record = made_up(told.frames, told.stars)
    text, writing = timed(lambda: records_to_text([record]))
    _, reading = timed(lambda: records_from_text(text))
    print(f"{told.frames:,} frames, {told.stars:,} stars: {len(text) / 1e6:.1f} MB", end="")
    print(f", written in {writing:.1f} s and read in {reading:.1f} s CPU")


def timed(act: Callable[[], T]) -> tuple[T, float]:
    """Return a result and the CPU seconds it took."""
    began = time.process_time()
    return act(), time.process_time() - began


def made_up(number: int, stars: int) -> MosaicRecord:
    """Return a record of frames that never were, each with numbers of its own."""
    rng = np.random.default_rng(SEED)
    plan = GridPlan(FrameWcs(10.0, 20.0, 0.0, 0.0, ((-1e-3, 0.0), (0.0, 1e-3))), 15_000, 15_000, 3, ())
    starts = np.linspace(0, max(number - MEMBERS, 0), TILES).astype(int)
    tiles = tuple(
        TileSpec(k, (0, 512, 0, 512), (0, 544, 0, 544), tuple(range(first, min(first + MEMBERS, number))))
        for k, first in enumerate(starts.tolist())
    )
    products = tuple(TileProduct(tile.tile_id, tile.frame_ids, 0.01, "exact") for tile in tiles)
    return MosaicRecord(
        mosaic="zemosaic.fits",
        canvas=plan,
        box=(0, 15_000, 0, 15_000),
        level=(1.0, 1.0, 1.0),
        frames=FrameColumns.of([frame(k, rng) for k in range(number)], [0] * number),
        cameras=(CameraRecord(np.sort(rng.integers(0, 1080 * 1920, 300)), ""),),
        stars=FieldStars(rng.random(stars), rng.random(stars), rng.random((stars, 3)), 2.5, 6.0),
        tiles=Stacked(GridPlan(plan.wcs, plan.width, plan.height, 3, tiles), products),
    )


def frame(number: int, rng: np.random.Generator) -> CalibratedFrame:
    """Return one such frame."""
    ref = FrameRef(
        frame_id=number, path=f"/lights/night_{number // 2000}/Light_NGC_7000_10.0s_IRCUT_20250812-{number:06d}.fit",
        size_bytes=4_150_080, mtime_ns=int(rng.integers(2**60)), hdu=0, width=1080, height=1920, planes=1,
        colour_axis=None, bayer="GRBG", compressed=False, exposure_s=10.0, date_obs=None, instrument="", telescope="",
        filter_name="", object_name="", gain=None, temperature_c=None, binning=1, ra_deg=None, dec_deg=None,
        scale_arcsec=None, header_wcs=None,
    )  # fmt: skip
    a, b, c, d, *rest = rng.normal(size=8).tolist()
    none = np.empty((0, 3), np.float32)
    measured = MeasuredFrame(
        ref,
        StarList(none[:, 0], none[:, 0], none, none, none[:, 0], np.empty(0, np.bool_)),
        (1.0,) * 3,
        (1.0,) * 3,
        2.5,
        0.3,
        0.0,
    )
    wcs = FrameWcs(rest[0], rest[1], rest[2], rest[3], ((a, b), (c, d)))
    sky = tuple(tuple(row) for row in rng.random((3, 3)).tolist())
    return CalibratedFrame(
        SolvedFrame(measured, Solution(wcs, "header", 99, 0.2)),
        tuple(rng.random(3).tolist()),
        sky,
        200.0,
        (0.1,),
        tuple(rng.random(3).tolist()),
        rng.random(),
    )


if __name__ == "__main__":
    main()
