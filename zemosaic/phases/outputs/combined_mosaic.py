"""Mosaics of single bands as one colour picture: its linear file, its coverage and what is to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s
from zemosaic.bands.combined import BandPlanes, BandSource, LeastCovered, LuminancePlanes, LuminanceRule
from zemosaic.bands.lattice import common_part
from zemosaic.bands.measures import line_gains, luminance_scale, pixel_noise
from zemosaic.bands.palettes import Band, Palette
from zemosaic.errors import message
from zemosaic.events import PreviewReady
from zemosaic.export.cards import Card
from zemosaic.export.fits import write_fits
from zemosaic.model import CombinedProduct
from zemosaic.phases.context import RunContext
from zemosaic.phases.outputs.band_mosaics import (
    PALETTE_CARD,
    FolderMosaic,
    fits_suffix,
    origin_of,
    sibling,
    source_cards,
)
from zemosaic.phases.outputs.line_planes import SOURCE_CARD
from zemosaic.phases.outputs.shared_pictures import CanvasPixels, look_of, write_shared_pictures
from zemosaic.phases.outputs.wheel_white import white_of_bands
from zemosaic.picture.downsample import downsampled, sampled
from zemosaic.picture.preview import stretched_preview, write_png
from zemosaic.picture.stretch import sky_levels
from zemosaic.stars.applied_gains import BalancedPixels
from zemosaic.stars.star_cards import star_cards
from zemosaic.store.axis_order import Pixels
from zemosaic.store.colour_gains import ColourGains
from zemosaic.store.mosaic_file import GAIN_CARDS, MosaicFile
from zemosaic.wcs import FrameWcs

__all__ = ["CombinedMosaic", "combine_bands"]

LOOK_PX = 1600
"""Longest side of what sky, noise and brightness of the bands are measured on."""
COLOURS = ("red", "green", "blue")
MAX_NAME_BESIDE_COMMENT = 52
"""A card of a longer name has no room for a comment."""
PLANE_CARDS = ("ZMPLANER", "ZMPLANEG", "ZMPLANEB")


@dataclass(frozen=True)
class CombinedMosaic:
    """A combined mosaic's files, and what is to look at."""

    product: CombinedProduct
    picture: NDArray[np.uint8]
    """Preview, shape (h, w, 3), rows from the top."""


@dataclass(frozen=True)
class _Measured:
    """What the bands tell of themselves, by band."""

    sky: Mapping[Band, float]
    noise: Mapping[Band, float]
    averaged: Mapping[Band, Float32s]


@dataclass(frozen=True)
class _Made:
    """The pixels of a combined mosaic and what is told of them."""

    pixels: Pixels
    cards: list[Card]
    gains: tuple[float, ...] | None
    """Of the picture."""
    colour: ColourGains | None = None
    luminance_weight: float | None = None


def combine_bands(
    context: RunContext, palette: Palette, chosen: Mapping[Band, FolderMosaic], key: str
) -> CombinedMosaic:
    """Write the combined mosaic, its coverage, preview and picture.

    Parameters
    ----------
    context : RunContext
    palette : Palette
    chosen : mapping of Band to FolderMosaic
        Of every band that the palette needs; all on one lattice.
    key : str
        What the names of the files end with.

    Raises
    ------
    OutputError, ResourceError
        A file cannot be read or written.
    ValueError
        The mosaics have no pixel in common.
    """
    bands = palette.bands
    boxes = common_part([chosen[band].placed for band in bands])
    if boxes is None:
        raise ValueError("the mosaics lie on different lattices or have no pixel in common")
    first, corner = chosen[bands[0]], boxes[0]
    wcs = first.placed.wcs.shifted(corner[2], corner[0])
    with ExitStack() as files:
        sources, depths = {}, []
        for band, box in zip(bands, boxes, strict=True):
            mosaic = chosen[band]
            sources[band] = BandSource(files.enter_context(closing(MosaicFile(mosaic.path))), box)
            if (depth := _coverage_of(mosaic)) is not None:
                depths.append(BandSource(files.enter_context(closing(MosaicFile(depth))), box))
        coverage = LeastCovered(depths) if len(depths) == len(bands) else None
        made = _made(context, palette, sources, wcs)
        # Two lines of one colour mosaic are made of the same frames, which count once.
        by_frames = {str(one.header.get(SOURCE_CARD, one.path.name)): one.header for one in chosen.values()}
        headers = list(by_frames.values())
        cards = [*source_cards(headers), *_plane_cards(palette, chosen), *made.cards]
        stem, suffix = _stem(headers, key), fits_suffix(first.path)
        path = context.output_dir / f"{stem}{suffix}"
        return _write(context, palette, chosen, made, (path, cards, wcs), coverage)


def _write(
    context: RunContext,
    palette: Palette,
    chosen: Mapping[Band, FolderMosaic],
    made: _Made,
    described: tuple[Path, list[Card], FrameWcs],
    coverage: LeastCovered | None,
) -> CombinedMosaic:
    settings, (path, cards, wcs) = context.settings, described
    packed = settings.save_compressed_fits
    write_fits(
        path,
        made.pixels,
        wcs=wcs,
        cards=cards,
        axis_order="CHW",
        dtype="uint16" if settings.save_final_as_uint16 else "float32",
        compressed=packed,
        empty=settings.empty_pixels,
    )
    depth = sibling(path, "coverage")
    if coverage is not None:
        about = [("IMAGETYP", "coverage map", ""), ("BUNIT", "frame", "frames used, of the band that has the fewest")]
        told = [*(card for card in cards if card[0] != "BUNIT"), *about]
        write_fits(depth, coverage, wcs=wcs, cards=told, dtype="int32", compressed=packed)
    _, height, width = (int(n) for n in made.pixels.shape)
    box: Box = (0, height, 0, width)
    look = look_of(settings, made.gains)
    with closing(MosaicFile(path)) as file:
        kept: Pixels = coverage if coverage is not None else _Covered(file)
        preview = path.with_name(f"{path.name.removesuffix(fits_suffix(path))}_preview.png")
        picture = stretched_preview(file, kept, settings.preview_max_px, axis_order="CHW", box=box, look=look)
        write_png(preview, picture)
        context.reporter.emit(PreviewReady(str(preview), picture.shape[1], picture.shape[0], final=True))
        stem = path.name.removesuffix(fits_suffix(path))
        origin = origin_of([file.header])
        shared = write_shared_pictures(context, stem, origin, CanvasPixels(file, kept, wcs, box), look)
    planes = [_plane_text(parts, chosen) for parts in palette.planes]
    product = CombinedProduct(
        palette.name,
        path.name,
        preview.name,
        shared,
        depth.name if coverage is not None else "",
        width,
        height,
        wcs,
        (planes[0], planes[1], planes[2]),
        chosen[palette.luminance].path.name if palette.luminance else "",
        made.luminance_weight,
        made.gains,
        made.colour.error_mag if made.colour else None,
        made.colour.stars if made.colour else 0,
    )
    return CombinedMosaic(product, picture)


def _made(context: RunContext, palette: Palette, sources: Mapping[Band, BandSource], wcs: FrameWcs) -> _Made:
    """Return the pixels of a combined mosaic."""
    if not palette.is_broad_band:
        return _made_of_lines(palette, sources, _measured(sources))
    planes = BandPlanes([[(sources[band], 1.0)] for band in ("R", "G", "B")])
    colour = white_of_bands(planes, wcs)
    if colour is None:
        context.warn(message("warning.bands_without_white"))
    else:
        context.log(
            message(
                "log.white",
                stars=colour.stars,
                red=colour.gains[0],
                blue=colour.gains[2],
                error=colour.error_mag,
            )
        )
    if palette.luminance is not None:
        return _made_with_luminance(context, planes, sources["L"], colour, _measured(sources))
    applied = context.settings.apply_colour_gains and colour is not None
    pixels: Pixels = BalancedPixels(planes, colour.gains) if applied and colour is not None else planes
    gains = None if colour is None else ((1.0, 1.0, 1.0) if applied else colour.gains)
    return _Made(pixels, [_unit(), *star_cards(colour, applied, None, None)], gains, colour)


def _made_of_lines(palette: Palette, sources: Mapping[Band, BandSource], measured: _Measured) -> _Made:
    """Return planes of lines; a plane of several holds them at one brightness, any other its line's own numbers."""
    bands = palette.bands
    found = line_gains(np.stack([measured.averaged[band] for band in bands]), [measured.sky[band] for band in bands])
    of_band = dict(zip(bands, found, strict=True))
    planes, gains, cards = [], [], []
    for name, parts in zip("RGB", palette.planes, strict=True):
        is_mixed = len(parts) > 1
        shares = [(band, share * of_band[band] if is_mixed else share) for band, share in parts]
        planes.append([(sources[band], share) for band, share in shares])
        gains.append(1.0 if is_mixed else of_band[parts[0][0]])
        if is_mixed:
            told = " + ".join(f"{share:.4f} {band}" for band, share in shares)
            cards.append((f"ZMMIX{name}", told, "how this plane is mixed"))
    shown = tuple(gain / gains[1] for gain in gains)
    gain_cards: list[Card] = [
        (key, round(gain, 6), f"factor of {colour} in the picture")
        for key, gain, colour in zip(GAIN_CARDS, shown, COLOURS, strict=True)
    ]
    gain_cards.append(("ZMWHMET", "lines", "lines brought to one brightness"))
    return _Made(BandPlanes(planes), [_unit(), *cards, *gain_cards], shown)


def _made_with_luminance(
    context: RunContext, planes: BandPlanes, luminance: BandSource, colour: ColourGains | None, measured: _Measured
) -> _Made:
    """Return balanced colours with the luminance; without stars in it, the colours alone."""
    gains = colour.gains if colour is not None else (1.0, 1.0, 1.0)
    sky = (measured.sky["R"], measured.sky["G"], measured.sky["B"])
    noise = (measured.noise["R"], measured.noise["G"], measured.noise["B"])
    averaged = (measured.averaged["R"], measured.averaged["G"], measured.averaged["B"])
    balanced = [gain * (plane - np.float32(level)) for gain, plane, level in zip(gains, averaged, sky, strict=True)]
    pedestal = float(np.mean([gain * level for gain, level in zip(gains, sky, strict=True)]))
    scale = luminance_scale(np.mean(balanced, axis=0), measured.averaged["L"] - np.float32(measured.sky["L"]))
    if scale is None:
        context.warn(message("warning.luminance_unscaled"))
        applied = star_cards(colour, False, None, None)
        return _Made(planes, [_unit(), *applied], colour.gains if colour else None, colour, 0.0)
    rule = LuminanceRule(gains, sky, measured.sky["L"], scale, noise, measured.noise["L"], pedestal)
    context.log(message("log.luminance", percent=100.0 * rule.luminance_weight, scale=scale))
    cards: list[Card] = [
        _unit(),
        ("ZMLUMWGT", round(rule.luminance_weight, 4), "part of the brightness from the luminance"),
        ("ZMLUMFAC", round(scale, 6), "luminance for one of the colours' mean"),
        ("ZMPED", round(pedestal, 4), "[adu] level of the sky, the same in all planes"),
        *star_cards(colour, True, None, None),
        ("COMMENT", "Planes are balanced by the factors above; their mean is that of the", ""),
        ("COMMENT", "colours and of the luminance, weighted by inverse variance; what the", ""),
        ("COMMENT", "planes differ by has the hue of the colours.", ""),
    ]
    shown = (1.0, 1.0, 1.0) if colour is not None else None
    return _Made(LuminancePlanes(planes, luminance, rule), cards, shown, colour, rule.luminance_weight)


def _measured(sources: Mapping[Band, BandSource]) -> _Measured:
    sky, noise, averaged = {}, {}, {}
    for band, source in sources.items():
        pixels = BandPlanes([[(source, 1.0)]])
        planes = downsampled(pixels, LOOK_PX, axis_order="CHW")
        inside = np.asarray(np.isfinite(planes[0]))
        averaged[band] = planes[0]
        sky[band] = float(sky_levels(planes, inside)[0]) if inside.any() else 0.0
        noise[band] = max(pixel_noise(sampled(pixels, LOOK_PX, axis_order="CHW")[0]), 1e-30)
    return _Measured(sky, noise, averaged)


@dataclass(frozen=True)
class _Covered:
    """1 where a mosaic has data, shape (h, w): its coverage where no map tells it."""

    pixels: Pixels

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.pixels.shape[1:])

    def __getitem__(self, key: tuple[slice, slice], /) -> Float32s:
        part = np.asarray(self.pixels[:, key[0], key[1]])
        return np.asarray(np.isfinite(part).all(axis=0), np.float32)


def _coverage_of(mosaic: FolderMosaic) -> Path | None:
    """Return where the map of a mosaic's coverage lies; that of a line's plane is its colour mosaic's."""
    of = mosaic.path.with_name(str(mosaic.header[SOURCE_CARD])) if mosaic.is_line_plane else mosaic.path
    path = sibling(of, "coverage")
    return path if path.is_file() else None


def _plane_cards(palette: Palette, chosen: Mapping[Band, FolderMosaic]) -> list[Card]:
    """Return the cards that name the palette and what each plane is made of."""
    cards: list[Card] = [(PALETTE_CARD, palette.name.upper(), "palette of bands")]
    for key, parts, colour in zip(PLANE_CARDS, palette.planes, COLOURS, strict=True):
        cards.append((key, " + ".join(band for band, _ in parts), f"band of {colour}"))
        for number, (band, _) in enumerate(parts):
            cards.append(_file_card(f"ZMFILE{key[-1]}{number or ''}", chosen[band]))
    if palette.luminance is not None:
        cards += [
            ("ZMPLANEL", palette.luminance, "band of the luminance"),
            _file_card("ZMFILEL", chosen[palette.luminance]),
        ]
    return cards


def _file_card(key: str, mosaic: FolderMosaic) -> Card:
    name = mosaic.path.name
    return key, name, "its mosaic" if len(name) <= MAX_NAME_BESIDE_COMMENT else ""


def _plane_text(parts: Sequence[tuple[Band, float]], chosen: Mapping[Band, FolderMosaic]) -> str:
    return " + ".join(chosen[band].path.name for band, _ in parts)


def _stem(headers: Sequence[fits.Header], key: str) -> str:
    values = {name: value for name, value, _ in source_cards(headers)}
    return f"zemosaic_MT{int(values.get('NMASTILE', 0))}_R{int(values.get('NCOMBINE', 0))}_{key}"


def _unit() -> Card:
    return "BUNIT", "adu", "counts of one exposure"
