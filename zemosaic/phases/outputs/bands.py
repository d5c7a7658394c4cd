"""What is made of a run's mosaics when all of them are written: lines of dual-band filters, and colour pictures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from zemosaic.bands.palettes import Band, Palette, missing_bands, palette_named
from zemosaic.errors import message
from zemosaic.model import CombinedProduct, LineProduct
from zemosaic.phases.context import RunContext
from zemosaic.phases.outputs.band_mosaics import FolderMosaic, best_of_bands, mosaics_in, of_one_lattice
from zemosaic.phases.outputs.combined_mosaic import CombinedMosaic, combine_bands
from zemosaic.phases.outputs.line_planes import make_line_planes
from zemosaic.settings.schema import Settings

__all__ = ["BandOutputs", "make_bands", "wants_bands"]


@dataclass(frozen=True)
class BandOutputs:
    """What was made of the mosaics of a folder."""

    combined: tuple[CombinedMosaic, ...] = ()
    lines: tuple[LineProduct, ...] = ()


def wants_bands(settings: Settings) -> bool:
    """Return whether the settings ask for planes of lines or for a colour picture of bands."""
    return settings.combine_filters != "none" or settings.dual_band_planes != "none"


def make_bands(context: RunContext, made_now: Collection[str]) -> BandOutputs:
    """Make the planes of lines and the colour pictures that the settings ask for.

    Bands that this run did not make are taken from earlier mosaics in the output folder, if these lie on the same
    pixels; each is told.

    Parameters
    ----------
    context : RunContext
    made_now : collection of str
        Names of the mosaics that this run made.

    Raises
    ------
    OutputError, ResourceError
        A file cannot be written.
    """
    settings = context.settings
    lines = make_line_planes(context, mosaics_in(context.output_dir, made_now))
    if settings.combine_filters == "none":
        return BandOutputs(lines=tuple(lines))
    palette = palette_named(settings.combine_filters)
    everything = mosaics_in(context.output_dir, {*made_now, *(line.mosaic for line in lines)})
    groups = [group for group in of_one_lattice(everything) if any(mosaic.made_now for mosaic in group)]
    combined: list[CombinedMosaic] = []
    keys: list[str] = []
    for group in groups:
        best = best_of_bands(group)
        lacking = missing_bands(palette, best)
        if lacking:
            _tell_lacking(context, palette, lacking, group, everything)
            continue
        chosen = {band: best[band] for band in palette.bands}
        for band, mosaic in chosen.items():
            if not mosaic.made_now:
                context.log(message("log.band_of_earlier_run", band=band, file=mosaic.path.name))
        key = _key(palette, chosen, len(groups) > 1)
        key += f"_{len(combined) + 1}" if key in keys else ""
        keys.append(key)
        combined.append(combine_bands(context, palette, chosen, key))
        _tell(context, palette, combined[-1].product)
    return BandOutputs(tuple(combined), tuple(lines))


def _tell(context: RunContext, palette: Palette, product: CombinedProduct) -> None:
    red, green, blue = product.planes
    context.log(
        message(
            "log.bands_combined",
            palette=palette.name.upper(),
            file=product.mosaic,
            red=red,
            green=green,
            blue=blue,
        )
    )


def _tell_lacking(
    context: RunContext,
    palette: Palette,
    lacking: Sequence[Band],
    group: Sequence[FolderMosaic],
    everything: Sequence[FolderMosaic],
) -> None:
    """Warn which bands lack, and what would help."""
    there = ", ".join(dict.fromkeys(mosaic.band or mosaic.filter_name or "-" for mosaic in group))
    context.warn(message("warning.bands_lacking", palette=palette.name.upper(), bands=", ".join(lacking), there=there))
    elsewhere = [mosaic for mosaic in everything if mosaic.band in lacking]
    if elsewhere:
        files = ", ".join(mosaic.path.name for mosaic in elsewhere)
        context.warn(message("warning.bands_other_grid", files=files))
    colour = any(mosaic.channels == 3 for mosaic in group)
    if colour and set(lacking) <= {"Ha", "OIII"} and context.settings.dual_band_planes == "none":
        context.warn(message("warning.bands_in_colour", palette=palette.name.upper()))


def _key(palette: Palette, chosen: dict[Band, FolderMosaic], several: bool) -> str:
    """Return what a combined mosaic's name ends with: the palette, and its field where there are several."""
    key = palette.name.upper()
    if not several:
        return key
    # The mosaics of a field share the beginning of their names' ends: M31_R, M31_G, M31_B.
    fields = [mosaic.path.name.split("_", 3)[-1].partition(".fits")[0] for mosaic in chosen.values()]
    shared = fields[0].rpartition("_")[0]
    return f"{shared}_{key}" if shared and all(field.startswith(f"{shared}_") for field in fields) else key
