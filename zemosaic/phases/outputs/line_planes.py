"""The H alpha and OIII planes of mosaics behind a dual-band filter, with noise and weight maps, on request."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zemosaic.arrays import Box
from zemosaic.bands.dual_band import (
    NOMINAL,
    DualBandResponse,
    LinePlane,
    LineSigma,
    LineWeights,
    cell_levels,
    line_weights,
    refined_response,
)
from zemosaic.bands.measures import pixel_noise
from zemosaic.bands.palettes import is_dual_band
from zemosaic.errors import message
from zemosaic.export.cards import Card
from zemosaic.export.fits import write_fits
from zemosaic.model import LineProduct
from zemosaic.phases.context import RunContext
from zemosaic.phases.outputs.band_mosaics import BAND_CARD, FolderMosaic, sibling, source_cards
from zemosaic.picture.downsample import downsampled, sampled
from zemosaic.picture.stretch import sky_levels
from zemosaic.store.axis_order import Pixels
from zemosaic.store.mosaic_file import GAIN_CARDS, MosaicFile

__all__ = ["SOURCE_CARD", "make_line_planes"]

SOURCE_CARD = "ZMDBFILE"
"""Which colour mosaic a line's plane was taken out of."""
LOOK_PX = 1600
"""Longest side of what sky and noise are measured on."""
MAX_NAME_BESIDE_COMMENT = 46
"""A card of a longer name has no room for a comment."""
LINES = ("Ha", "OIII")


@dataclass(frozen=True)
class _Light:
    """What a colour mosaic tells of itself; its file's numbers divided by gains that are applied to them."""

    pixels: Pixels
    sky: tuple[float, float, float]
    sigma: tuple[float, float, float]
    gains: tuple[float, float, float]
    """Ones where the file's numbers are as measured."""


def make_line_planes(context: RunContext, mosaics: Sequence[FolderMosaic]) -> list[LineProduct]:
    """Write the lines of the mosaics that the settings ask for; tells what was assumed.

    Parameters
    ----------
    context : RunContext
    mosaics : sequence of FolderMosaic
        Those that lie in the output folder.

    Returns
    -------
    list of LineProduct
        Two for each mosaic, H alpha first.

    Raises
    ------
    OutputError, ResourceError
        A file cannot be written.
    """
    wanted = context.settings.dual_band_planes
    if wanted == "none":
        return []
    colours = [mosaic for mosaic in mosaics if mosaic.channels == 3 and mosaic.made_now]
    chosen = [mosaic for mosaic in colours if wanted == "all" or is_dual_band(mosaic.filter_name)]
    if not chosen:
        filters = ", ".join(sorted({mosaic.filter_name or "-" for mosaic in mosaics}))
        context.warn(message("warning.no_dual_band", filters=filters))
    made: list[LineProduct] = []
    for mosaic in chosen:
        with closing(MosaicFile(mosaic.path)) as file:
            made += _lines_of(context, mosaic, file)
    return made


def _lines_of(context: RunContext, mosaic: FolderMosaic, file: MosaicFile) -> list[LineProduct]:
    light = _light_of(file)
    box: Box = (0, mosaic.placed.height, 0, mosaic.placed.width)
    response = refined_response(NOMINAL, cell_levels(file, box) / np.array(light.gains), light.sigma)
    weights = line_weights(response, light.sigma)
    context.log(
        message(
            "log.dual_band_data" if response.from_data else "log.dual_band_nominal",
            file=mosaic.path.name,
            ha_green=response.ha_green,
            ha_blue=response.ha_blue,
            oiii_red=response.oiii_red,
            oiii_blue=response.oiii_blue,
            ha_left=100.0 * weights.ha_in_oiii,
            oiii_left=100.0 * weights.oiii_in_ha,
        )
    )
    return [_write_line(context, mosaic, line, light, response, weights) for line in LINES]


def _light_of(file: MosaicFile) -> _Light:
    planes = downsampled(file, LOOK_PX, axis_order="CHW")
    inside = np.asarray(np.isfinite(planes).all(axis=0))
    single = sampled(file, LOOK_PX, axis_order="CHW")
    gains = tuple(float(file.header[key]) for key in GAIN_CARDS) if file.header.get("ZMWHAPP") is True else (1.0,) * 3
    sky = sky_levels(planes, inside) if inside.any() else np.zeros(3)
    noise = [max(pixel_noise(plane), 1e-30) for plane in single]
    red, green, blue = (float(level) / gain for level, gain in zip(sky, gains, strict=True))
    sigma = tuple(level / gain for level, gain in zip(noise, gains, strict=True))
    return _Light(file, (red, green, blue), (sigma[0], sigma[1], sigma[2]), (gains[0], gains[1], gains[2]))


def _write_line(
    context: RunContext,
    mosaic: FolderMosaic,
    line: str,
    light: _Light,
    response: DualBandResponse,
    weights: LineWeights,
) -> LineProduct:
    settings, is_ha = context.settings, line == "Ha"
    own = weights.ha if is_ha else weights.oiii
    left = weights.oiii_in_ha if is_ha else weights.ha_in_oiii
    on_file = tuple(weight / gain for weight, gain in zip(own, light.gains, strict=True))
    sky = tuple(level * gain for level, gain in zip(light.sky, light.gains, strict=True))
    factors, levels = (on_file[0], on_file[1], on_file[2]), (sky[0], sky[1], sky[2])
    pedestal = light.sky[0 if is_ha else 1]
    plane = LinePlane(light.pixels, factors, levels, pedestal)
    path = sibling(mosaic.path, line)
    cards = [*source_cards([mosaic.header]), *_line_cards(line, mosaic.path.name, response, factors, left, pedestal)]
    packed = settings.save_compressed_fits
    write_fits(
        path,
        plane,
        wcs=mosaic.placed.wcs,
        cards=cards,
        axis_order="CHW",
        dtype="uint16" if settings.save_final_as_uint16 else "float32",
        compressed=packed,
        empty=settings.empty_pixels,
    )
    for kind in ("weight", "sigma"):
        _write_map(mosaic, path, kind, factors, cards, packed)
    sigma = sibling(path, "sigma")
    return LineProduct(
        line,
        path.name,
        mosaic.path.name,
        sibling(path, "weight").name,
        sigma.name if sibling(mosaic.path, "sigma").is_file() else "",
        factors,
        left,
        (response.ha_green, response.ha_blue, response.oiii_red, response.oiii_blue),
        (response.errors[0], response.errors[1], response.errors[2], response.errors[3]),
        response.from_data,
    )


def _write_map(
    mosaic: FolderMosaic,
    path: Path,
    kind: str,
    factors: tuple[float, float, float],
    cards: Sequence[Card],
    packed: bool,
) -> None:
    """Write the map of a line that belongs to a map of the colour mosaic, where that is there."""
    source = sibling(mosaic.path, kind)
    if not source.is_file():
        return
    told = [card for card in cards if card[0] != "BUNIT"]
    units = {
        "weight": ("BUNIT", "frame", "sum of the weights; the best frame counts 1"),
        "sigma": ("BUNIT", "adu", "standard deviation of the noise of one pixel"),
    }
    told += [("IMAGETYP", f"{kind} map", "what the pixels are"), units[kind]]
    with closing(MosaicFile(source)) as file:
        pixels = LineSigma(file, factors) if kind == "sigma" and file.shape[0] == 3 else file
        write_fits(sibling(path, kind), pixels, wcs=mosaic.placed.wcs, cards=told, axis_order="CHW", compressed=packed)


def _line_cards(
    line: str,
    source: str,
    response: DualBandResponse,
    factors: tuple[float, float, float],
    left: float,
    pedestal: float,
) -> list[Card]:
    """Return the cards that say how a line's plane was made and what was assumed."""
    numbers = (response.ha_green, response.ha_blue, response.oiii_red, response.oiii_blue)
    names = (("ZMHAG", "Ha in green"), ("ZMHAB", "Ha in blue"), ("ZMO3R", "OIII in red"), ("ZMO3B", "OIII in blue"))
    cards: list[Card] = [
        (BAND_CARD, line, "emission line of this plane"),
        (SOURCE_CARD, source, "its colour mosaic" if len(source) <= MAX_NAME_BESIDE_COMMENT else ""),
        ("BUNIT", "adu", "counts of the line in " + ("red" if line == "Ha" else "green")),
    ]
    cards += [
        (key, round(weight, 6), f"factor of {colour}")
        for key, weight, colour in zip(("ZMFACR", "ZMFACG", "ZMFACB"), factors, ("red", "green", "blue"), strict=True)
    ]
    for (key, words), value, error in zip(names, numbers, response.errors, strict=True):
        main = "red" if words.startswith("Ha") else "green"
        cards += [(key, round(value, 4), f"{words} where {main} sees 1"), (f"{key}E", round(error, 4), "its error")]
    cards += [
        ("ZMRESP", "nominal and data" if response.from_data else "nominal", "where these four numbers come from"),
        ("ZMXTALK", round(left, 4), "standard error of the other line's part left"),
        ("ZMPED", round(pedestal, 4), "[adu] level of the sky"),
    ]
    lines = [
        "The plane is a sum of red, green and blue above their sky, with the",
        "factors ZMFACR, ZMFACG, ZMFACB: least squares weighted by their noise.",
        "Assumed: the filter passes these two lines only; the camera's response",
        "is that of common colour sensors within the errors given here."
        if not response.from_data
        else "is that of common colour sensors, bettered by the light of the mosaic.",
        "Starlight that passes the two windows stays in the planes.",
    ]
    return [*cards, *(("COMMENT", text, "") for text in lines)]
