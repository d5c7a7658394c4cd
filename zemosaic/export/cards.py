"""Header cards that say where a mosaic comes from."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from zemosaic import __version__
from zemosaic.model import FrameRef

__all__ = ["Card", "MapKind", "Provenance", "ascii_text", "map_cards", "mosaic_cards", "provenance_of"]

Card = tuple[str, str | int | float | bool, str]
MapKind = Literal["coverage", "weight", "rejected", "sigma", "proper"]

MAX_TEXT_LENGTH = 68
MJD_EPOCH = datetime(1858, 11, 17)


@dataclass(frozen=True)
class Provenance:
    """What a mosaic was made of; names are joined where the frames differ."""

    frames_found: int
    frames_used: int
    tiles: int
    exposure_s: float
    """Sum over the used frames."""
    first_start: datetime | None
    """Start of the first used exposure, UTC without zone."""
    last_end: datetime | None
    """End of the last used exposure, UTC without zone."""
    instrument: str
    telescope: str
    filter_name: str
    object_name: str
    settings_hash: str
    rejection: str
    combine: str
    group: str = ""
    """Name of the group by hand that all frames are of."""


def provenance_of(
    used: Sequence[FrameRef],
    *,
    frames_found: int,
    tiles: int,
    settings_hash: str,
    rejection: str,
    combine: str,
    name: str = "",
    group: str = "",
) -> Provenance:
    """Sum up the used frames.

    Parameters
    ----------
    used : sequence of FrameRef
        The frames whose pixels are in the mosaic.
    frames_found : int
        Frames found in the input folder.
    tiles : int
        Tiles the mosaic was assembled from.
    settings_hash : str
        Hash of the settings that decide about pixels.
    rejection, combine : str
        Names of the algorithms.
    name : str
        Name of the field; the frames' own OBJECT where empty.
    group : str
        Name of the group by hand that all frames are of; empty where there is none.
    """
    starts = [(moment, frame.exposure_s or 0.0) for frame in used if (moment := _moment(frame.date_obs)) is not None]
    return Provenance(
        frames_found=frames_found,
        frames_used=len(used),
        tiles=tiles,
        exposure_s=float(sum(frame.exposure_s or 0.0 for frame in used)),
        first_start=min((moment for moment, _ in starts), default=None),
        last_end=max((moment + timedelta(seconds=exposure) for moment, exposure in starts), default=None),
        instrument=_joined(frame.instrument for frame in used),
        telescope=_joined(frame.telescope for frame in used),
        filter_name=_joined(frame.filter_name for frame in used),
        object_name=name or _joined(frame.object_name for frame in used),
        settings_hash=settings_hash,
        rejection=rejection,
        combine=combine,
        group=group,
    )


def mosaic_cards(origin: Provenance, *, scaled: bool = False) -> list[Card]:
    """Return the cards of the mosaic itself.

    Parameters
    ----------
    origin : Provenance
    scaled : bool
        Whether the file holds whole numbers on a scale of their own, as 16-bit mosaics do, instead of counts.
    """
    if scaled:
        unit: list[Card] = []
        lines: tuple[str, ...] = (
            "Values are whole numbers from 1 to 65535 on one scale for all colours:",
            "ZMZERO + ZMSCALE x value are camera counts of one exposure of the",
            "median frame; the gradients of the sky are taken off, its median level",
            "is kept as a pedestal. 0 where no frame reaches.",
        )
    else:
        unit = [("BUNIT", "adu", "counts of one exposure")]
        lines = (
            "Pixels are camera counts of one exposure of the median frame; the",
            "gradients of the sky are taken off, its median level is kept as a",
            "pedestal; 0 or NaN where no frame reaches.",
        )
    return [*_origin_cards(origin), *unit, *(("COMMENT", line, "") for line in lines)]


def map_cards(origin: Provenance, kind: MapKind) -> list[Card]:
    """Return the cards of a map that accompanies the mosaic, on the same pixels.

    Parameters
    ----------
    origin : Provenance
    kind : {"coverage", "weight", "rejected", "sigma", "proper"}

    Returns
    -------
    list of Card
    """
    units = {
        "coverage": ("BUNIT", "frame", "frames used at the pixel"),
        "rejected": ("BUNIT", "frame", "frames rejected at the pixel"),
        "weight": ("BUNIT", "frame", "sum of the weights; the best frame counts 1"),
        "sigma": ("BUNIT", "adu", "standard deviation of the noise of one pixel"),
        "proper": ("BUNIT", "adu", "counts of one exposure"),
    }
    # By its type a scan tells a map from a picture of the sky.
    return [*_origin_cards(origin), ("IMAGETYP", f"{kind} map", "what the pixels are"), units[kind]]


def ascii_text(text: str, longest: int = MAX_TEXT_LENGTH) -> str:
    """Return text as a FITS header can hold it: printable ASCII, accents dropped, cut to `longest`.

    Parameters
    ----------
    text : str
    longest : int
        Most characters.

    Returns
    -------
    str
    """
    plain = unicodedata.normalize("NFKD", text)
    kept = (c for c in plain if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in kept)[:longest].rstrip()


def _origin_cards(origin: Provenance) -> list[Card]:
    cards: list[Card] = [
        ("CREATOR", f"ZeMosaic {__version__}", "program and version"),
        ("OBJECT", origin.object_name, "field"),
        ("INSTRUME", origin.instrument, "camera"),
        ("TELESCOP", origin.telescope, "telescope"),
        ("FILTER", origin.filter_name, "filter"),
        ("ZMGROUP", origin.group, "group of frames put together by hand"),
    ]
    cards = [card for card in cards if card[1]]
    cards += _time_cards(origin)
    return [
        *cards,
        ("EXPTIME", origin.exposure_s, "[s] exposure of all frames used"),
        ("EXPTOTAL", origin.exposure_s, "[s] exposure of all frames used"),
        ("NCOMBINE", origin.frames_used, "frames used"),
        ("NRAWINIT", origin.frames_found, "frames found"),
        ("NRAWPROC", origin.frames_used, "frames used"),
        ("NMASTILE", origin.tiles, "tiles assembled"),
        ("ZMREJECT", origin.rejection, "rejection algorithm"),
        ("ZMCOMBIN", origin.combine, "combination"),
        ("ZMHASH", origin.settings_hash, "hash of the settings"),
    ]


def _time_cards(origin: Provenance) -> list[Card]:
    if origin.first_start is None or origin.last_end is None:
        return []
    return [
        ("TIMESYS", "UTC", "time scale"),
        ("DATE-OBS", _iso(origin.first_start), "start of the first exposure"),
        ("MJD-OBS", _mjd(origin.first_start), "[d] start of the first exposure"),
        ("DATE-END", _iso(origin.last_end), "end of the last exposure"),
        ("MJD-END", _mjd(origin.last_end), "[d] end of the last exposure"),
    ]


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _mjd(moment: datetime) -> float:
    return (moment - MJD_EPOCH) / timedelta(days=1)


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _joined(names: Iterable[str]) -> str:
    return ", ".join(sorted({name.strip() for name in names if name.strip()}))
