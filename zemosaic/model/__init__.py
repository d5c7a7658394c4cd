"""The records that cross the phases: frozen, units in the names, pixels behind handles.

`FrameRef` -> `MeasuredFrame` -> `SolvedFrame` -> `CalibratedFrame` -> `TileSpec` -> `TileProduct`
-> `MosaicProduct`.  A frame that falls out on the way is a value, `Dropped`, never an exception.
"""

from __future__ import annotations

from zemosaic.model.frame_records import (
    N_HIGHER_ORDER_TERMS,
    OBSTRUCTION_BLOCK_PX,
    UNCHECKED_PLACE,
    CalibratedFrame,
    CameraKey,
    Dropped,
    EdgeOffsets,
    FieldStars,
    FileIdentity,
    FrameRef,
    FrameStatus,
    MeasuredFrame,
    SiteLevels,
    Solution,
    SolvedFrame,
    StarList,
    Trail,
    detector_coordinates,
    sky_level,
    sky_terms,
)
from zemosaic.model.mosaic_records import CombinedProduct, GridPlan, LineProduct, MosaicProduct, TileProduct, TileSpec

__all__ = [
    "N_HIGHER_ORDER_TERMS",
    "OBSTRUCTION_BLOCK_PX",
    "UNCHECKED_PLACE",
    "CalibratedFrame",
    "CameraKey",
    "CombinedProduct",
    "Dropped",
    "EdgeOffsets",
    "FieldStars",
    "FileIdentity",
    "FrameRef",
    "FrameStatus",
    "GridPlan",
    "LineProduct",
    "MeasuredFrame",
    "MosaicProduct",
    "SiteLevels",
    "Solution",
    "SolvedFrame",
    "StarList",
    "TileProduct",
    "TileSpec",
    "Trail",
    "detector_coordinates",
    "sky_level",
    "sky_terms",
]
