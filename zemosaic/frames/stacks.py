"""Finished stacks that lie among the frames of which they were made, told by cards, history, name and planes.

A stack weighs as much as all its frames together, so that one among them would be most of the mosaic, with its own
stretch and borders.  Capture programs put theirs beside the frames, or into the folder next to theirs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from zemosaic.errors import Message, message
from zemosaic.frames.headers.header import FitsImage, Header
from zemosaic.model import FrameRef
from zemosaic.wcs import separation_deg

__all__ = ["colour_among_raw", "finished_stack"]

_COUNT_CARDS = ("STACKCNT", "NCOMBINE", "STACKNUM", "NSTACK", "NUMFRAME", "LIGH_CNT")
_MAX_HISTORY_SHOWN = 60
_OWN_CARDS = ("ZMHASH", "ZMREJECT", "ZMCOMBIN", "NMASTILE")
_STACKED_TYPE = re.compile(r"master\s*light|\bstack(?:ed)?\b|\bintegration\b|\bmosaic\b", re.IGNORECASE)
_STACKING_HISTORY = re.compile(
    r"stacking result|\bstack(?:ing|ed)\b.*\b(?:mean|average|median|sum|sigma|rejection|method|frames|images)\b"
    r"|\b(?:mean|average|median|sum|min|max)\w*\s+stack(?:ing|ed)\b|ImageIntegration|DrizzleIntegration"
    r"|\bintegration of \d+|deep\s?sky\s?stacker.*stack",
    re.IGNORECASE,
)
"""Siril, ASTAP, PixInsight, DeepSkyStacker; calibrating and registering single frames leave other words."""
_CALIBRATION_MASTER = re.compile(r"\b(?:master|super)?\s?(?:dark|flat|bias|offset)s?\b", re.IGNORECASE)
"""A frame that was calibrated tells how its masters were stacked."""
_INTEGRATING_PROGRAM = re.compile(r"deep\s?sky\s?stacker|astro\s?pixel\s?processor", re.IGNORECASE)
_TELESCOPE_NAME = re.compile(r"^(?:DSO_)?stacked[-_ ]?\d+[-_ ]", re.IGNORECASE)
"""Seestar: ``Stacked_33_M 94_...``, earlier ``DSO_Stacked_33_...``; DWARF: ``stacked-16_M 42_...``."""
_RESULT_NAME = re.compile(r"^(?:DSO|stacked|stack|result|autosave)(?:[-_ .]|$)", re.IGNORECASE)
"""Siril: ``result_3600s.fit``; DeepSkyStacker: ``Autosave.fit``.  Single frames bear such names, too."""
_MAX_SAME_SKY_DEG = 1.0
"""How far apart two pictures of one sky point where their size on the sky is not known."""


def finished_stack(image: FitsImage, frame: FrameRef) -> Message | None:
    """Return what shows that a picture is a finished stack, None where nothing does.

    Parameters
    ----------
    image : FitsImage
        Header and place of the picture.
    frame : FrameRef
        What its header says.
    """
    header, name = image.header, Path(image.path).name
    if header.text("CREATOR").startswith("ZeMosaic") and any(key in header.cards for key in _OWN_CARDS):
        return message("reason.stack_own", file=name)
    card = _telling_card(header, frame)
    if card is not None:
        return message("reason.stack_card", file=name, card=card, value=str(header.value(card)))
    line = next((line for line in header.history if _tells_stacking(line)), None)
    if line is not None:
        return message("reason.stack_history", file=name, line=line[:_MAX_HISTORY_SHOWN])
    made = frame.planes == 3 or image.bitpix < 0
    if _TELESCOPE_NAME.match(name) or (made and _RESULT_NAME.match(name)):
        return message("reason.stack_name", file=name)
    return None


def colour_among_raw(frame: FrameRef, raw: Sequence[FrameRef]) -> Message | None:
    """Return why a picture of three planes is left out where raw Bayer frames of the same sky are, None where not.

    Parameters
    ----------
    frame : FrameRef
        Any frame.
    raw : sequence of FrameRef
        The raw Bayer frames beside it.
    """
    if frame.planes != 3:
        return None
    subs = sum(_same_sky(frame, sub) for sub in raw)
    return message("reason.stack_planes", file=Path(frame.path).name, frames=subs) if subs else None


def _telling_card(header: Header, frame: FrameRef) -> str | None:
    """Return the card that counts stacked frames or names an integration."""
    for key in _COUNT_CARDS:
        count = header.number(key)
        if count is not None and count > 1:
            return key
    if _STACKED_TYPE.search(header.text("IMAGETYP", "FRAMETYP", "FRAME")):
        return next(key for key in ("IMAGETYP", "FRAMETYP", "FRAME") if header.text(key))
    if header.text("INTEGRAT"):
        return "INTEGRAT"
    if frame.bayer is None and _INTEGRATING_PROGRAM.search(header.text("SOFTWARE")):
        return "SOFTWARE"
    return None


def _tells_stacking(line: str) -> bool:
    return _STACKING_HISTORY.search(line) is not None and _CALIBRATION_MASTER.search(line) is None


def _same_sky(frame: FrameRef, sub: FrameRef) -> bool:
    """Whether two pictures may show the same sky; one without a place is taken for that of its folder."""
    places = (frame.ra_deg, frame.dec_deg, sub.ra_deg, sub.dec_deg)
    if any(place is None for place in places):
        return True
    sizes = [_diagonal_deg(picture) for picture in (frame, sub)]
    reach = max(_MAX_SAME_SKY_DEG, 0.5 * sum(sizes))
    return float(separation_deg(*places)) < reach  # type: ignore[arg-type]


def _diagonal_deg(frame: FrameRef) -> float:
    return (frame.scale_arcsec or 0.0) * float((frame.width**2 + frame.height**2) ** 0.5) / 3600.0
