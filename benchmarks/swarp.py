"""SWarp on the frames of `benchmarks.synthetic`: three colour planes per frame, Lanczos-3, to the same canvas."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

from benchmarks.pipeline import children_cpu_s
from benchmarks.synthetic import CANVAS, astropy_wcs, frame
from zemosaic.frames.planes import colour_planes

__all__ = ["swarp_ms"]

OPTIONS = {
    "CENTER_TYPE": "MANUAL",
    "CENTER": f"{CANVAS.ra_deg},{CANVAS.dec_deg}",
    "PIXELSCALE_TYPE": "MANUAL",
    "PIXEL_SCALE": f"{CANVAS.scale_arcsec}",
    "IMAGE_SIZE": f"{int(2 * CANVAS.x_ref)},{int(2 * CANVAS.y_ref)}",
    "RESAMPLING_TYPE": "LANCZOS3",
    "COMBINE_TYPE": "CLIPPED",
    "SUBTRACT_BACK": "N",
    "DELETE_TMPFILES": "N",
    "NTHREADS": "1",
    "WRITE_XML": "N",
    "VERBOSE_TYPE": "QUIET",
}


def swarp_ms(turns_deg: tuple[float, ...]) -> tuple[float, float] | None:
    """Return CPU ms per frame of resampling, and of resampling and clipped coaddition; None without SWarp."""
    program = shutil.which("SWarp") or shutil.which("swarp")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        names: dict[str, list[str]] = {colour: [] for colour in "RGB"}
        for k, turn in enumerate(turns_deg):
            raw, seen = frame(turn)
            for colour, plane in zip("RGB", colour_planes(raw, seen.frame.bayer), strict=True):
                names[colour].append(f"{colour}{k}.fits")
                fits.writeto(Path(folder, names[colour][-1]), np.ascontiguousarray(plane), astropy_wcs(seen.wcs))

        def run(combine: str) -> None:
            options = [word for key, value in OPTIONS.items() for word in (f"-{key}", value)]
            for colour, files in names.items():
                given = [*options, "-COMBINE", combine, "-IMAGEOUT_NAME", f"{colour}.fits"]
                subprocess.run([program, *files, *given], cwd=folder, check=True, capture_output=True)

        alone, whole = (children_cpu_s(lambda combine=combine: run(combine)) for combine in "NY")  # type: ignore[misc]
    return 1e3 * alone / len(turns_deg), 1e3 * whole / len(turns_deg)
