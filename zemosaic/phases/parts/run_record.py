"""What the run leaves for `zemosaic.provenance.explain`: by which numbers each pixel of a mosaic came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zemosaic.calibration.detector import load_camera
from zemosaic.coadd.master_tile import MasterTile
from zemosaic.model import FieldStars, MosaicProduct, TileProduct
from zemosaic.phases.assemble import pedestal
from zemosaic.phases.measure import DetectorCalibration, DetectorCalibrations
from zemosaic.phases.plan import FieldPlan
from zemosaic.store.canvas_store import CanvasStore
from zemosaic.store.codec import to_bytes
from zemosaic.store.pixel_record import CameraRecord, FrameColumns, MasterRecord, MosaicRecord, Stacked

__all__ = ["StackedGroup", "record_of"]

StackedGroup = tuple[FieldPlan, CanvasStore, Sequence[TileProduct]]
"""A group of Classic mode: its plan, the store with its pixels, what became of its tiles."""


def record_of(
    grid: FieldPlan,
    product: MosaicProduct,
    stars: FieldStars,
    defects: DetectorCalibrations,
    tiles: Sequence[TileProduct] = (),
    groups: Sequence[StackedGroup] = (),
    pieces: Sequence[MasterTile] = (),
) -> MosaicRecord:
    """Return the record of one mosaic.

    Parameters
    ----------
    grid : Grid
        Its canvas and its frames.
    product : MosaicProduct
        The files that were made of it.
    stars : FieldStars
    defects : DefectMaps
    tiles : sequence of TileProduct
        Of Grid mode, in the order of the plan's tiles.
    groups : sequence of StackedGroup
        Of Classic mode.
    pieces : sequence of MasterTile
        The master tiles as they went into the mosaic; each lies in the store of its group.
    """
    cameras = list(dict.fromkeys(frame.frame.camera_key for frame in grid.frames))
    numbers = {group: number for number, group in enumerate(cameras)}
    canvas = replace(grid.plan, tiles=())
    return MosaicRecord(
        mosaic=product.mosaic,
        canvas=canvas,
        box=product.box or (0, canvas.height, 0, canvas.width),
        level=tuple(float(value) for value in pedestal(grid.frames, canvas.channels)),
        frames=FrameColumns.of(grid.frames, [numbers[frame.frame.camera_key] for frame in grid.frames]),
        cameras=tuple(_camera_record(defects[group]) for group in cameras),
        stars=stars,
        tiles=Stacked(grid.plan, tuple(tiles)) if tiles else None,
        masters=_masters(groups, pieces),
    )


def _camera_record(calibration: DetectorCalibration) -> CameraRecord:
    camera = load_camera(calibration.path)
    pattern = to_bytes(camera.pattern) if camera.pattern else b""
    return CameraRecord(camera.defects, calibration.fingerprint, np.frombuffer(pattern, np.uint8))


def _masters(groups: Sequence[StackedGroup], pieces: Sequence[MasterTile]) -> tuple[MasterRecord, ...]:
    records = []
    for piece in pieces:
        y0, y1, x0, x1 = piece.box
        valid = np.asarray(piece.store.canvas("kept")[y0:y1, x0:x1]) > 0
        grid, _, products = next(group for group in groups if group[1] is piece.store)
        records.append(MasterRecord(Stacked(grid.plan, tuple(products)), piece.box, valid, piece.gain, piece.offset))
    return tuple(records)
