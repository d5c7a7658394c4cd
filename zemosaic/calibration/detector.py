"""The pixels of a camera as the phases use them: calibrated by its calibration frames, its defects interpolated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.calibration.calibration_frames import CalibrationFrames
from zemosaic.calibration.defects import interpolate_defects
from zemosaic.frames.pixels import open_pixels
from zemosaic.model import FrameRef
from zemosaic.store.codec import from_bytes, to_bytes
from zemosaic.store.journal import digest

__all__ = ["CameraData", "calibrated", "calibrated_pixels", "camera_fingerprint", "load_camera", "write_camera"]


@dataclass(frozen=True)
class CameraData:
    """What is stored of a camera: its defects as flat pixel indices, and its calibration frames."""

    defects: NDArray[np.int64]
    masters: CalibrationFrames


def calibrated_pixels(
    frame: FrameRef, defects: Path, scratch: Path, window: tuple[int, int, int, int] | None = None
) -> NDArray[Any]:
    """Return the pixels of a frame or of a window (y0, y1, x0, x1) of it, calibrated and mended.

    Without masters they keep their type; with a master dark, bias or flat they are float32.
    """
    window = window or (0, frame.height, 0, frame.width)
    return calibrated(open_pixels(frame, scratch).read(*window), window, load_camera(defects), frame)


def calibrated(
    raw: NDArray[Any], window: tuple[int, int, int, int], camera: CameraData, frame: FrameRef
) -> NDArray[Any]:
    """Return pixels with their calibration frames applied and their defects interpolated.

    Parameters
    ----------
    raw : ndarray, shape (y1 - y0, x1 - x0) or (planes, y1 - y0, x1 - x0)
        Pixels of the window as the file has them, ADU.
    window : tuple of int
        Rows and columns y0, y1, x0, x1 of the frame.
    camera : CameraData
    frame : FrameRef
        Size and Bayer pattern.
    """
    return interpolate_defects(camera.masters.applied(raw, window), window, camera.defects, frame)


def load_camera(path: Path) -> CameraData:
    """Return what is stored of a camera; read anew only when the file changed."""
    return _load_once(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _load_once(path: Path, _mtime_ns: int) -> CameraData:
    return from_bytes(CameraData, path.read_bytes())


def write_camera(path: Path, defects: NDArray[np.int64], masters: CalibrationFrames) -> None:
    """Write the file of a camera that `calibrated_pixels` takes."""
    path.write_bytes(to_bytes(CameraData(defects, masters)))


def camera_fingerprint(defects: NDArray[np.int64], masters: str) -> str:
    """Return the fingerprint of a camera: of its defects and of its masters' fingerprint."""
    return digest(defects.tolist(), masters)
