"""Measured frames as bytes for the journal: numbers and arrays only, nothing that could run."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, fields

import numpy as np

from zemosaic.model import FrameRef, MeasuredFrame, StarList, Trail

__all__ = ["measured_from_bytes", "measured_to_bytes"]

_STAR_FIELDS = tuple(item.name for item in fields(StarList))
_SCALARS = ("sky_adu", "noise_adu", "fwhm_px", "eccentricity", "elongation_deg", "sharpness", "gradient_adu", "snr")


def measured_to_bytes(measured: MeasuredFrame) -> bytes:
    """Return all of a measured frame but its `FrameRef`."""
    values = {name: getattr(measured, name) for name in _SCALARS}
    scalars = json.dumps({**values, "trails": [asdict(trail) for trail in measured.trails]})
    stream = io.BytesIO()
    arrays = {name: getattr(measured.stars, name) for name in _STAR_FIELDS}
    np.savez(stream, scalars=np.frombuffer(scalars.encode(), np.uint8), **arrays)
    return stream.getvalue()


def measured_from_bytes(frame: FrameRef, data: bytes) -> MeasuredFrame:
    """Return the measured frame that `measured_to_bytes` stored."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        scalars = json.loads(arrays["scalars"].tobytes())
        stars = StarList(**{name: arrays[name] for name in _STAR_FIELDS})
    return MeasuredFrame(
        frame=frame,
        stars=stars,
        sky_adu=tuple(scalars["sky_adu"]),
        noise_adu=tuple(scalars["noise_adu"]),
        fwhm_px=scalars["fwhm_px"],
        eccentricity=scalars["eccentricity"],
        elongation_deg=scalars["elongation_deg"],
        sharpness=scalars["sharpness"],
        gradient_adu=scalars["gradient_adu"],
        snr=scalars["snr"],
        trails=tuple(Trail(**trail) for trail in scalars["trails"]),
    )
