"""Small mosaics of a filter wheel and of a dual-band filter, written as a run writes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from zemosaic.catalogue.star_colours import load_colours
from zemosaic.errors import Message
from zemosaic.events import Logged, Warned
from zemosaic.export.fits import write_fits
from zemosaic.phases.context import RunContext, make_context
from zemosaic.phases.run.workers import Workers
from zemosaic.settings.schema import Settings
from zemosaic.stars.colour_stars import known_stars
from zemosaic.wcs import FrameWcs

HEIGHT, WIDTH = 420, 560
SCALE = 6.0 / 3600
WCS = FrameWcs(83.8, -5.4, 0.5 * (WIDTH - 1), 0.5 * (HEIGHT - 1), ((-SCALE, 0.0), (0.0, SCALE)))
SUN = 0.82
SKY = {"L": 900.0, "R": 300.0, "G": 280.0, "B": 260.0, "Ha": 60.0, "OIII": 55.0, "SII": 50.0}
NOISE = {"L": 4.0, "R": 3.0, "G": 3.0, "B": 3.0, "Ha": 1.0, "OIII": 1.0, "SII": 1.0}
COUNTS = {"L": 3.0, "R": 0.8, "G": 1.0, "B": 0.7, "Ha": 0.05, "OIII": 0.04, "SII": 0.04}
"""Counts of a star like the Sun against those in green."""
SLOPES = {"R": -0.45, "G": 0.0, "B": 0.62}
"""Magnitudes against green per magnitude of BP - RP."""


def glow() -> dict[str, np.ndarray]:
    """Return the nebula in each line, shape (h, w): H alpha wide, OIII a core beside it, SII a rim."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    wide = np.hypot((rows - 200) / 110, (columns - 270) / 150)
    core = np.hypot((rows - 220) / 60, (columns - 320) / 75)
    return {
        "Ha": 60 * np.exp(-(wide**2)),
        "OIII": 22 * np.exp(-(core**2)),
        "SII": 14 * np.exp(-(((wide - 0.8) / 0.3) ** 2)),
    }


def stars_in(band: str) -> np.ndarray:
    """Return the light of the catalogue's stars through a filter, shape (h, w)."""
    known = known_stars(load_colours(), WCS, (0, HEIGHT, 0, WIDTH))
    plane, sigma = np.zeros((HEIGHT, WIDTH)), 1.3
    for x, y, mag, bp_rp in zip(known.x_px, known.y_px, known.stars.g_mag, known.stars.bp_rp, strict=True):
        colour = float(np.clip(bp_rp, -0.5, 4.0)) - SUN if np.isfinite(bp_rp) else 0.0
        flux = COUNTS[band] * 10 ** (-0.4 * (mag - 17.5 + SLOPES.get(band, 0.0) * colour))
        rows = slice(max(0, round(y) - 9), round(y) + 10)
        columns = slice(max(0, round(x) - 9), round(x) + 10)
        down, across = np.mgrid[:HEIGHT, :WIDTH][:, rows, columns]
        profile = np.exp(-((down - y) ** 2 + (across - x) ** 2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
        plane[rows, columns] += flux * profile
    return plane


def put_mosaic(
    folder: Path, name: str, pixels: np.ndarray, *, filter_name: str, wcs: FrameWcs = WCS, frames: int = 20
) -> Path:
    """Write a mosaic, shape (channels, h, w), with its maps as a run leaves them."""
    cards = [
        ("OBJECT", "Orion", "field"),
        ("INSTRUME", "Wheel", "camera"),
        ("FILTER", filter_name, "filter"),
        ("EXPTIME", 60.0 * frames, "[s] exposure of all frames used"),
        ("NCOMBINE", frames, "frames used"),
        ("NMASTILE", 4, "tiles assembled"),
        ("BUNIT", "adu", "counts of one exposure"),
    ]
    path = folder / f"{name}.fits"
    write_fits(path, pixels.astype(np.float32), wcs=wcs, cards=cards, axis_order="CHW", empty="zero")
    depth = np.full(pixels.shape[1:], frames, np.int32)
    told = [*cards[:-1], ("IMAGETYP", "coverage map", "what the pixels are")]
    write_fits(folder / f"{name}_coverage.fits", depth, wcs=wcs, cards=told, dtype="int32")
    weight = np.full(pixels.shape[1:], float(frames), np.float32)
    write_fits(folder / f"{name}_weight.fits", weight, wcs=wcs, cards=[*told[:-1], ("IMAGETYP", "weight map", "")])
    return path


def put_wheel(folder: Path, bands: Iterable[str], seed: int = 0, nebula: bool = True) -> dict[str, Path]:
    """Write a mosaic of each band; returns their files."""
    paths, lines = {}, glow()
    for band in bands:
        rng = np.random.default_rng([seed, list(SKY).index(band)])
        light = stars_in(band) + (lines.get(band, 0.0) if nebula else 0.0)
        if nebula and band in ("L", "R"):
            # The line lies in the red filter, and a luminance sees it as bright as that one does.
            light = light + 0.3 * (0.9 if band == "L" else COUNTS["R"]) * lines["Ha"]
        plane = SKY[band] + light + rng.normal(0, NOISE[band], (HEIGHT, WIDTH))
        paths[band] = put_mosaic(folder, f"zemosaic_MT4_R20_{band}", plane[None], filter_name=band)
    return paths


def context_of(folder: Path, **changes: object) -> tuple[RunContext, list[Message]]:
    """Return a run's context whose output folder is `folder`, and a list that takes what it tells."""
    told: list[Message] = []

    def emit(event: object) -> None:
        if isinstance(event, Logged | Warned):
            told.append(event.text)

    context = make_context(
        settings=Settings(input_dir="in", output_dir=str(folder), **changes),
        emit=emit,
        workers=Workers(None, SimpleNamespace(limit_bytes=4 << 30), lambda: False, folder),
        journal=None,
        monitor=SimpleNamespace(cpu_s=lambda: 0.0),
    )
    return context, told
