"""The pixels of a camera as the phases use them: calibrated, without the fixed pattern, defects interpolated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.calibration.calibration_frames import CalibrationFrames
from zemosaic.calibration.defects import interpolate_defects
from zemosaic.calibration.sensor.fixed_pattern import NO_PATTERN, FixedPattern, SensorMaps, sensor_maps
from zemosaic.frames.pixels import open_pixels
from zemosaic.model import FrameRef
from zemosaic.store.codec import from_bytes, to_bytes
from zemosaic.store.journal import digest

__all__ = [
    "CameraData",
    "calibrated",
    "calibrated_pixels",
    "camera_fingerprint",
    "load_camera",
    "patterned_fingerprint",
    "write_camera",
]

MAX_MAPS_HELD = 2
"""Cameras whose maps a process keeps in memory."""


@dataclass(frozen=True)
class CameraData:
    """What is stored of a camera: its defects as flat pixel indices, its calibration frames, and its fixed pattern."""

    defects: NDArray[np.int64]
    masters: CalibrationFrames
    pattern: FixedPattern = NO_PATTERN


def calibrated_pixels(
    frame: FrameRef, defects: Path, scratch: Path, window: tuple[int, int, int, int] | None = None
) -> NDArray[Any]:
    """Return the pixels of a frame or of a window (y0, y1, x0, x1) of it, calibrated and mended.

    Without masters they keep their type; with a master dark, bias or flat they are float32.

    Parameters
    ----------
    frame : FrameRef
    defects : Path
        File of the camera, from `write_camera`.
    scratch : Path
        Folder of decoded frames.
    window : (y0, y1, x0, x1), optional
        All of the frame by default.

    Returns
    -------
    ndarray, shape (h, w) or (h, w, 3)
    """
    window = window or (0, frame.height, 0, frame.width)
    raw = open_pixels(frame, scratch).read(*window)
    maps = _enlarged_maps(defects, _version(defects), frame.height, frame.width)
    return calibrated(raw, window, load_camera(defects), frame, maps)


def calibrated(
    raw: NDArray[Any],
    window: tuple[int, int, int, int],
    camera: CameraData,
    frame: FrameRef,
    maps: SensorMaps | None = None,
) -> NDArray[Any]:
    """Return pixels with their calibration frames applied, the fixed pattern taken off and their defects interpolated.

    Parameters
    ----------
    raw : ndarray, shape (y1 - y0, x1 - x0) or (planes, y1 - y0, x1 - x0)
        Pixels of the window as the file has them, ADU.
    window : tuple of int
        Rows and columns y0, y1, x0, x1 of the frame.
    camera : CameraData
    frame : FrameRef
        Size and Bayer pattern.
    maps : SensorMaps, optional
        Of the camera's fixed pattern; without them it stays in the pixels.
    """
    pixels = camera.masters.applied(raw, window)
    if maps is not None:
        pixels = maps.applied(pixels, window)
    return interpolate_defects(pixels, window, camera.defects, frame)


def load_camera(path: Path) -> CameraData:
    """Return what is stored of a camera; read anew only when the file changed."""
    return _load_once(path, _version(path))


def _version(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=16)
def _load_once(path: Path, _version: tuple[int, int]) -> CameraData:
    return from_bytes(CameraData, path.read_bytes())


@lru_cache(maxsize=MAX_MAPS_HELD)
def _enlarged_maps(path: Path, version: tuple[int, int], height: int, width: int) -> SensorMaps:
    return sensor_maps(_load_once(path, version).pattern, height, width)


def write_camera(
    path: Path, defects: NDArray[np.int64], masters: CalibrationFrames, pattern: FixedPattern = NO_PATTERN
) -> None:
    """Write the file of a camera that `calibrated_pixels` takes.

    Parameters
    ----------
    path : Path
    defects : ndarray, shape (n,), int64
        Flat indices of the pixels that are mended.
    masters : CalibrationFrames
        Of the user.
    pattern : FixedPattern
        What was learnt from the light frames.
    """
    path.write_bytes(to_bytes(CameraData(defects, masters, pattern)))


def camera_fingerprint(defects: NDArray[np.int64], masters: str) -> str:
    """Return the fingerprint of a camera: of its defects and of its masters' fingerprint.

    Parameters
    ----------
    defects : ndarray, shape (n,), int64
        Flat indices of the pixels that are mended.
    masters : str
        Fingerprint of the user's calibration frames.
    """
    return digest(defects.tolist(), masters)


def patterned_fingerprint(camera: str, pattern: FixedPattern) -> str:
    """Return the fingerprint of a camera and its fixed pattern; that of the camera where there is none.

    Parameters
    ----------
    camera : str
        From `camera_fingerprint`.
    pattern : FixedPattern
    """
    return digest(camera, to_bytes(pattern).hex()) if pattern else camera
