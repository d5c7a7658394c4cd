"""A light star detector for raw frames, for tests only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sep
from astropy.io import fits
from numpy.typing import NDArray

from zemosaic.solving.base import StarField


def read(path: Path) -> tuple[NDArray[np.float32], fits.Header]:
    with fits.open(path) as hdus:
        hdu = next(h for h in hdus if h.data is not None)
        return hdu.data.astype(np.float32), hdu.header.copy()


def without_hot_pixels(raw: NDArray[np.float32], bayer: bool) -> NDArray[np.float32]:
    """Return the frame less its sky (per colour), bright pixels whose neighbours are dark set to zero."""
    step = 2 if bayer else 1
    flat = raw.copy()
    for r in range(step):
        for c in range(step):
            flat[r::step, c::step] -= np.median(flat[r::step, c::step][::4, ::4])
    sigma = 1.4826 * np.median(np.abs(flat[::7, ::5]))
    y, x = np.nonzero(flat[1:-1, 1:-1] > 6.0 * sigma)
    y, x = y + 1, x + 1
    around = flat[y - 1, x] + flat[y + 1, x] + flat[y, x - 1] + flat[y, x + 1]
    hot = around < 0.33 * flat[y, x]
    flat[y[hot], x[hot]] = 0.0
    return flat


def detect(raw: NDArray[np.float32], bayer: bool, most: int = 200) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (x, y) of the brightest stars, brightest first."""
    flat = without_hot_pixels(raw, bayer)
    image = 0.5 * (flat[0::2, 0::2] + flat[1::2, 1::2]) if bayer else flat
    image = np.ascontiguousarray(image)
    background = sep.Background(image, bw=64, bh=64)
    image = image - background.back()
    objects = sep.extract(image, 4.0, err=background.globalrms, minarea=3)
    objects = objects[np.argsort(-objects["flux"])][:most]
    x, y, _ = sep.winpos(image, objects["x"], objects["y"], np.full(len(objects), 1.2))
    scale = 2.0 if bayer else 1.0
    return (x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5


def green_image(raw: NDArray[np.float32], bayer: bool) -> NDArray[np.float32]:
    """Return the green image in full size: green pixels as they are, the others the mean of their four neighbours."""
    flat = without_hot_pixels(raw, bayer)
    if not bayer:
        return flat
    padded = np.pad(flat, 1, mode="reflect")
    mean = 0.25 * (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:])
    mean[0::2, 0::2], mean[1::2, 1::2] = flat[0::2, 0::2], flat[1::2, 1::2]
    return mean


def field_of(path: Path, scale_arcsec: float | None = None) -> StarField:
    """Return the `Field` of a raw frame with the hint its header gives."""
    raw, header = read(path)
    bayer = "BAYERPAT" in header
    x, y = detect(raw, bayer)
    if scale_arcsec is None and "FOCALLEN" in header and "XPIXSZ" in header:
        scale_arcsec = 206.265 * header["XPIXSZ"] / header["FOCALLEN"]
    return StarField(
        x,
        y,
        raw.shape[1],
        raw.shape[0],
        header.get("RA"),
        header.get("DEC"),
        scale_arcsec,
        green=lambda: green_image(raw, bayer),
    )
