"""What is left of gradients over the whole mosaic, taken off the pictures and a second file where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zemosaic.arrays import Box
from zemosaic.errors import message
from zemosaic.export.cards import Card
from zemosaic.export.encoding import DiskType
from zemosaic.phases.context import RunContext
from zemosaic.qa.residual_background import ResidualBackground, residual_background
from zemosaic.store.axis_order import Pixels

__all__ = ["flat_sky_cards", "flat_sky_of", "write_flattened"]

CHANNELS = {1: ("",), 3: ("R", "G", "B")}


def flat_sky_of(context: RunContext, value: Pixels, box: Box) -> ResidualBackground | None:
    """Return the residual background that is to be taken off; None where none is asked for, and where none is known.

    The user is told how large it is, or why there is none.

    Parameters
    ----------
    context : RunContext
    value : array-like, shape (channels, h, w)
        The canvas; NaN where no data is.
    box : (y0, y1, x0, x1)
        The part that goes into the files.
    """
    if context.settings.flatten_background == "off":
        return None
    found = residual_background(value, box)
    if not isinstance(found, ResidualBackground):
        context.warn(message(f"warning.flat_sky_{found}"))
        return None
    context.log(
        message("log.flat_sky", amplitude=round(max(found.amplitude), 2), percent=round(100.0 * found.empty_part))
    )
    return found


def write_flattened(
    context: RunContext,
    name: str,
    write: Callable[..., None],
    pixels: Pixels,
    cards: Sequence[Card],
    sky: ResidualBackground,
) -> None:
    """Write the mosaic once more, without its residual background.

    Parameters
    ----------
    context : RunContext
    name : str
        Of the file.
    write : callable(path, pixels, cards=, dtype=, empty=)
        `write_fits` for this mosaic.
    pixels : array-like, shape (channels, h, w)
        The canvas without the background.
    cards : sequence of Card
        Those of the mosaic.
    sky : ResidualBackground
        What was taken off.

    Raises
    ------
    OutputError, ResourceError
        The file cannot be written.
    """
    settings = context.settings
    kind: DiskType = "uint16" if settings.save_final_as_uint16 else "float32"
    told = [*cards, *flat_sky_cards(sky)]
    write(context.output_dir / name, pixels, cards=told, dtype=kind, empty=settings.empty_pixels)


def flat_sky_cards(sky: ResidualBackground) -> list[Card]:
    """Return the cards that say what was taken off a file.

    Parameters
    ----------
    sky : ResidualBackground
    """
    names = CHANNELS[len(sky.amplitude)]
    return [
        *(
            (f"ZMFLAT{name}", round(value, 4), "[adu] background taken off, lowest to highest")
            for name, value in zip(names, sky.amplitude, strict=True)
        ),
        *(
            (f"ZMFLTE{name}", round(value, 4), "[adu] standard error of that background")
            for name, value in zip(names, sky.error, strict=True)
        ),
        ("ZMFLATP", round(sky.empty_part, 3), "part of the sky that was empty and decided"),
        ("COMMENT", "A polynomial of degree 2 through the empty sky was taken off; its mean", ""),
        ("COMMENT", "was not. The mosaic beside this file has it still.", ""),
    ]
