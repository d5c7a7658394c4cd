"""The maps beside a finished mosaic; its sigma map, measured against the sky and described in its header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zemosaic.arrays import Box, green_channel
from zemosaic.errors import message
from zemosaic.export.cards import Card, MapKind, Provenance, map_cards
from zemosaic.model import CalibratedFrame, GridPlan
from zemosaic.phases.assemble import pedestal
from zemosaic.phases.context import RunContext
from zemosaic.phases.outputs.proper_coadd import proper_cards
from zemosaic.qa.light_noise import smooth_light
from zemosaic.qa.sigma_map import STEP_PX, SigmaPixels, SkyNoise, measure_sky_noise, variance_of_unit_weight
from zemosaic.store.axis_order import Pixels
from zemosaic.store.canvas_store import CanvasStore

__all__ = ["MosaicSigma", "sigma_cards", "sigma_of_mosaic", "write_maps"]


@dataclass(frozen=True)
class MosaicSigma:
    """The sigma map, and what of it was measured."""

    pixels: SigmaPixels
    noise: SkyNoise | None


def write_maps(
    context: RunContext,
    stem: str,
    write: Callable[..., None],
    origin: Provenance,
    planned: tuple[GridPlan, Sequence[CalibratedFrame]],
    store: CanvasStore,
    box: Box,
    applied: tuple[float, ...] | None,
    proper: CanvasStore | None = None,
) -> dict[MapKind, str]:
    """Write the maps beside the mosaic that are asked for.

    Parameters
    ----------
    context : RunContext
    stem : str
        Of the names of the mosaic's files.
    write : callable(path, pixels, cards=, dtype=)
        `write_fits` for this mosaic.
    origin : Provenance
    planned : (GridPlan, sequence of CalibratedFrame)
        The canvas, and the frames that are in it.
    store : CanvasStore
    box : (y0, y1, x0, x1)
        Part of the canvas that is written.
    applied : tuple of float or None
        Gains that the written mosaic's channels are multiplied by.
    proper : CanvasStore, optional
        Holds the proper coadd where one was made.

    Returns
    -------
    dict of str to str
        Names of the files by kind.
    """
    settings, heavy = context.settings, store.canvas("weight")
    kinds: list[MapKind] = ["coverage", "weight"]
    kinds += ["sigma"] if settings.save_sigma_map else []
    kinds += ["rejected"] if settings.save_rejection_maps else []
    kinds += ["proper"] if proper is not None else []
    suffix = ".fits.fz" if settings.save_compressed_fits else ".fits"
    names: dict[MapKind, str] = {kind: f"{stem}_{kind}{suffix}" for kind in kinds}
    for kind, name in names.items():
        path, cards = context.output_dir / name, map_cards(origin, kind)
        if kind == "weight":
            write(path, heavy, cards=cards)
        elif kind == "sigma":
            made = sigma_of_mosaic(context, *planned, store.canvas("value"), heavy, box, applied)
            write(path, made.pixels, cards=[*cards, *sigma_cards(made)])
        elif kind == "proper" and proper is not None:
            pixels = proper.canvas("value")
            write(path, pixels, cards=[*cards, *proper_cards(*planned)], empty=settings.empty_pixels)
        else:
            write(path, store.canvas("kept" if kind == "coverage" else kind), cards=cards, dtype="int32")
    return names


def sigma_of_mosaic(
    context: RunContext,
    plan: GridPlan,
    frames: Sequence[CalibratedFrame],
    value: Pixels,
    weight: Pixels,
    box: Box,
    gains: tuple[float, ...] | None,
) -> MosaicSigma:
    """Return the sigma map of a mosaic; logs where too little bare sky tells how high its level is.

    Parameters
    ----------
    context : RunContext
    plan : GridPlan
    frames : sequence of CalibratedFrame
        Those in the mosaic.
    value : array-like, shape (channels, h, w)
    weight : array-like, shape (h, w)
    box : (y0, y1, x0, x1)
        Part of the canvas that is written.
    gains : tuple of float or None
        What the written mosaic's channels are multiplied by.
    """
    # How the numbers of stacks that others made grow with light is not known.
    light = None
    if not context.settings.use_existing_master_tiles:
        light = smooth_light(value, box, STEP_PX) - pedestal(frames, plan.channels)[:, None, None]
    unit_variance = variance_of_unit_weight(plan, frames, light)
    expected = SigmaPixels(weight, unit_variance, (1.0,) * plan.channels)
    noise = measure_sky_noise(value, expected, box)
    if noise is None:
        context.log(message("log.sigma_not_measured"))
    level = noise.level if noise is not None else expected.level
    if gains is not None:
        level = tuple(factor * gain for factor, gain in zip(level, gains, strict=True))
    return MosaicSigma(SigmaPixels(weight, unit_variance, level), noise)


def sigma_cards(sigma: MosaicSigma) -> list[Card]:
    """Return the cards that say what a sigma map's numbers are.

    Parameters
    ----------
    sigma : MosaicSigma
    """
    noise = sigma.noise
    lines = [
        "Standard deviation of the noise of one pixel of the mosaic, in counts",
        "of the mosaic before any scaling to 16 bits. Photon noise of the sky",
        "and of nebulae is in this map, that of the stars is not.",
    ]
    if noise is None:
        lines += ["Its level is that of samples without interpolation: too little bare", "sky was there to measure it."]
        return [("ZMSIGN", 0, "cells of sky that decided about the level"), *_comments(lines)]
    lines += [
        "Interpolation makes the noise of neighbouring pixels alike: the noise",
        "of a mean over n x n pixels is ZMSIGBLK sigma / n, for n of 8 or so.",
        "Both are those of green; red and blue have cards of their own.",
    ]
    own = green_channel(len(noise.level))
    cards: list[Card] = [
        ("ZMSIGN", noise.cells, "cells of sky that decided about the level"),
        ("ZMSIGCOR", round(noise.neighbour_correlation[own], 4), "correlation of neighbours' noise"),
        ("ZMSIGBLK", round(noise.block_ratio[own], 4), "noise of 8 x 8 means over independent pixels'"),
    ]
    if len(noise.level) == 1:
        return [*cards, *_comments(lines[:-1])]
    for name, channel in (("R", 0), ("B", 2)):
        cards.append((f"ZMSCOR{name}", round(noise.neighbour_correlation[channel], 4), f"as ZMSIGCOR, {name}"))
        cards.append((f"ZMSBLK{name}", round(noise.block_ratio[channel], 4), f"as ZMSIGBLK, {name}"))
    return [*cards, *_comments(lines)]


def _comments(lines: Sequence[str]) -> list[Card]:
    return [("COMMENT", line, "") for line in lines]
