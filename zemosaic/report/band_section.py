"""The section of the HTML report on colour pictures made of several bands, and on lines of dual-band filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.model import CombinedProduct, LineProduct
from zemosaic.picture.preview import jpeg_bytes
from zemosaic.report.report_records import RunReport
from zemosaic.report.report_text import Words, data_uri

__all__ = ["BandSection", "band_section"]

PREVIEW_PX = 1600


@dataclass(frozen=True)
class ShownPicture:
    """A colour picture with what it is made of."""

    name: str
    note: str
    preview: str


@dataclass(frozen=True)
class BandSection:
    """What the page says of bands."""

    pictures: tuple[ShownPicture, ...]
    lines: tuple[str, ...]


def band_section(report: RunReport, pictures: Sequence[NDArray[np.uint8]], words: Words) -> BandSection | None:
    """Return what the page says of bands; None where nothing was made of them.

    Parameters
    ----------
    report : RunReport
    pictures : sequence of ndarray, shape (h, w, 3), uint8
        Previews of the combined mosaics, in their order.
    words : Words
    """
    if not report.combined and not report.lines:
        return None
    shown = [
        ShownPicture(product.mosaic, _note(product, words), data_uri("image/jpeg", jpeg_bytes(picture, PREVIEW_PX)))
        for product, picture in zip(report.combined, pictures, strict=True)
    ]
    return BandSection(tuple(shown), tuple(_line(line, words) for line in report.lines))


def _note(product: CombinedProduct, words: Words) -> str:
    red, green, blue = product.planes
    parts = [words.text("report.bands.planes", red=red, green=green, blue=blue)]
    if product.luminance and product.luminance_weight is not None:
        part = 100.0 * product.luminance_weight
        parts.append(words.text("report.bands.luminance", percent=part, file=product.luminance))
    if product.error_mag is not None:
        parts.append(words.text("report.bands.white", stars=product.white_stars, error=product.error_mag))
    elif product.palette in ("rgb", "lrgb"):
        parts.append(words.text("report.bands.no_white"))
    else:
        parts.append(words.text("report.bands.lines"))
    return " ".join(parts)


def _line(line: LineProduct, words: Words) -> str:
    key = "report.bands.from_data" if line.response_from_data else "report.bands.nominal"
    ha_green, ha_blue, oiii_red, oiii_blue = line.response
    made = words.text("report.bands.line", file=line.mosaic, source=line.source, left=100.0 * line.other_line)
    return made + " " + words.text(key, ha_green=ha_green, ha_blue=ha_blue, oiii_red=oiii_red, oiii_blue=oiii_blue)
