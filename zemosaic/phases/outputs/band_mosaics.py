"""The mosaics of an output folder: those of this run and of earlier ones, what they show, and where they lie."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from astropy.io import fits

from zemosaic import __version__
from zemosaic.bands.lattice import Placed, offset_between
from zemosaic.bands.palettes import Band, band_of_filter
from zemosaic.errors import OutputError
from zemosaic.export.cards import Card, Provenance
from zemosaic.store.mosaic_file import MosaicFile

__all__ = [
    "BAND_CARD",
    "PALETTE_CARD",
    "FolderMosaic",
    "best_of_bands",
    "fits_suffix",
    "mosaics_in",
    "of_one_lattice",
    "origin_of",
    "sibling",
    "source_cards",
]

BAND_CARD, PALETTE_CARD = "ZMBAND", "ZMPALETT"
"""Which band a plane of a dual-band mosaic holds; which palette a combined mosaic follows."""
_SUFFIXES = (".fits.fz", ".fits")
_SAME_FOR_ALL = ("OBJECT", "INSTRUME", "TELESCOP", "FILTER", "ZMGROUP", "TIMESYS", "ZMREJECT", "ZMCOMBIN", "ZMHASH")
_SUMMED = ("EXPTIME", "EXPTOTAL", "NCOMBINE", "NRAWINIT", "NRAWPROC", "NMASTILE")
_FIRST, _LAST = ("DATE-OBS", "MJD-OBS"), ("DATE-END", "MJD-END")


@dataclass(frozen=True)
class FolderMosaic:
    """A finished mosaic on the disk."""

    path: Path
    channels: int
    placed: Placed
    header: fits.Header = field(compare=False)
    band: Band | None
    """The band that it shows; None of one that shows several."""
    made_now: bool
    """Whether this run made it."""
    mtime_ns: int

    @property
    def filter_name(self) -> str:
        return str(self.header.get("FILTER", ""))

    @property
    def is_line_plane(self) -> bool:
        """Whether it was taken out of a dual-band mosaic."""
        return BAND_CARD in self.header


def mosaics_in(folder: Path, made_now: Collection[str]) -> list[FolderMosaic]:
    """Return the mosaics of a folder in the order of their names; maps, combined ones and foreign files are none.

    Parameters
    ----------
    folder : Path
    made_now : collection of str
        Names of the files that this run made.
    """
    found = []
    for path in sorted(folder.glob("zemosaic_MT*")):
        if not path.name.endswith(_SUFFIXES):
            continue
        try:
            file = MosaicFile(path)
        except OutputError:
            continue  # A file of that name which is no mosaic is none that could be combined.
        file.close()
        header = file.header
        if file.wcs is None or PALETTE_CARD in header or str(header.get("IMAGETYP", "")).endswith("map"):
            continue
        channels, height, width = file.shape
        named = str(header.get(BAND_CARD) or header.get("FILTER", ""))
        band = band_of_filter(named) if channels == 1 else None
        placed = Placed(file.wcs, height, width)
        found.append(FolderMosaic(path, channels, placed, header, band, path.name in made_now, path.stat().st_mtime_ns))
    return [mosaic for mosaic in found if not any(_is_version_of(mosaic, other) for other in found)]


def _is_version_of(mosaic: FolderMosaic, other: FolderMosaic) -> bool:
    """Return whether a file is another version of a mosaic, named after it: a crop, or one without its background."""
    if mosaic.made_now or mosaic.is_line_plane:
        return False
    if (mosaic.filter_name, mosaic.channels) != (other.filter_name, other.channels):
        return False
    stems = [path.name.removesuffix(fits_suffix(path)) for path in (mosaic.path, other.path)]
    return stems[0].startswith(f"{stems[1]}_")


def of_one_lattice(mosaics: Sequence[FolderMosaic]) -> list[list[FolderMosaic]]:
    """Return the mosaics in groups that lie on one lattice of pixels each, in their order."""
    groups: list[list[FolderMosaic]] = []
    for mosaic in mosaics:
        home = next((group for group in groups if offset_between(group[0].placed, mosaic.placed) is not None), None)
        if home is None:
            groups.append([mosaic])
        else:
            home.append(mosaic)
    return groups


def best_of_bands(mosaics: Sequence[FolderMosaic]) -> dict[Band, FolderMosaic]:
    """Return the mosaic of each band that counts: this run's before an earlier one's, and the newest of these.

    A filter of its own counts before a line that was taken out of a colour camera's light.
    """
    best: dict[Band, FolderMosaic] = {}
    for mosaic in sorted(mosaics, key=lambda one: (one.made_now, not one.is_line_plane, one.mtime_ns, one.path.name)):
        if mosaic.band is not None:
            best[mosaic.band] = mosaic
    return best


def fits_suffix(path: Path) -> str:
    """Return the ending of a mosaic's name, ``.fits`` or ``.fits.fz``."""
    return next(suffix for suffix in _SUFFIXES if path.name.endswith(suffix))


def sibling(path: Path, kind: str) -> Path:
    """Return where a file lies that is named after a mosaic.

    Parameters
    ----------
    path : Path
        The mosaic.
    kind : str
        What follows an underscore: ``weight``, ``sigma`` ...
    """
    suffix = fits_suffix(path)
    return path.with_name(f"{path.name.removesuffix(suffix)}_{kind}{suffix}")


def source_cards(headers: Sequence[fits.Header]) -> list[Card]:
    """Return the cards that mosaics made of others take over: names that are joined, sums, first and last dates.

    Parameters
    ----------
    headers : sequence of Header
        Of the mosaics, each once.
    """
    cards: list[Card] = [("CREATOR", f"ZeMosaic {__version__}", "program and version")]
    for key in (*_SAME_FOR_ALL, *_FIRST, *_LAST, *_SUMMED):
        there = [header for header in headers if key in header]
        if not there:
            continue
        values, comment = [header[key] for header in there], there[0].comments[key]
        if key in _SUMMED:
            cards.append((key, sum(values), comment))
        elif key in _FIRST or key in _LAST:
            cards.append((key, (min if key in _FIRST else max)(values), comment))
        else:
            cards.append((key, ", ".join(dict.fromkeys(str(value) for value in values)), comment))
    return cards


def origin_of(headers: Sequence[fits.Header]) -> Provenance:
    """Return what mosaics are made of together, as captions of pictures tell it.

    Parameters
    ----------
    headers : sequence of Header
    """
    values = {key: value for key, value, _ in source_cards(headers)}

    def text(key: str) -> str:
        return str(values.get(key, ""))

    first, last = _moment(text("DATE-OBS")), _moment(text("DATE-END"))
    return Provenance(
        frames_found=int(values.get("NRAWINIT", 0)),
        frames_used=int(values.get("NCOMBINE", 0)),
        tiles=int(values.get("NMASTILE", 0)),
        exposure_s=float(values.get("EXPTIME", 0.0)),
        first_start=first,
        last_end=last or (first + timedelta(seconds=float(values.get("EXPTIME", 0.0))) if first else None),
        instrument=text("INSTRUME"),
        telescope=text("TELESCOP"),
        filter_name=text("FILTER"),
        object_name=text("OBJECT"),
        settings_hash=text("ZMHASH"),
        rejection=text("ZMREJECT"),
        combine=text("ZMCOMBIN"),
        group=text("ZMGROUP"),
    )


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
