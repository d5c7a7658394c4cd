"""Plate scales of cameras: what the header's optics say, and what the stars say where that is wrong."""

from __future__ import annotations

import math
from pathlib import Path

from zemosaic.errors import FrameError, message
from zemosaic.frames.headers.header import find_image
from zemosaic.model import FrameRef
from zemosaic.phases.run.reporter import Reporter

__all__ = ["Scales"]

MAX_SCALE_ERROR = 0.03
"""A header's scale that the stars contradict by more is called wrong."""

_Optics = tuple[object, ...]


class Scales:
    """The scale of each camera as far as it is known: the header's until stars say otherwise."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._known: dict[_Optics, float] = {}

    def of(self, frame: FrameRef) -> float | None:
        """Return the scale of a frame's pixels in arcsec, None where nothing tells it."""
        return self._known.get(_optics(frame), frame.scale_arcsec)

    def others(self, frame: FrameRef) -> list[float | None]:
        """Return the scales worth trying once the header's has led nowhere; None stands for any scale.

        Empty where stars have told the camera's scale, or where the header's scale is open anyway.  A pixel size
        that is the sensor's although pixels were binned is a common mistake, and so is the opposite.
        """
        scale = frame.scale_arcsec
        if scale is None or _optics(frame) in self._known:
            return []
        binned = [scale * frame.binning, scale / frame.binning] if frame.binning > 1 else []
        return [*binned, None]

    def learn(self, frame: FrameRef, scale_arcsec: float) -> None:
        """Keep the scale that the stars of a solved frame say; warn, once, where it is not the header's.

        Parameters
        ----------
        frame : FrameRef
        scale_arcsec : float
            Side of a pixel on the sky.  Where it is within `MAX_SCALE_ERROR` of the header's, the header's is kept, so
            that all frames of a camera are judged by one number.
        """
        optics = _optics(frame)
        if optics in self._known:
            return
        said = frame.scale_arcsec
        if said is None or abs(scale_arcsec / said - 1.0) <= MAX_SCALE_ERROR:
            # What the header says is near enough, and all frames are judged by the same number.
            if said is not None:
                self._known[optics] = said
            return
        self._known[optics] = scale_arcsec
        card, value = _card(frame, scale_arcsec / said)
        self._reporter.warn(
            message(
                "warning.scale_card_wrong",
                camera=frame.instrument or frame.telescope or "?",
                file=Path(frame.path).name,
                card=card,
                value=value,
                said=round(said, 3),
                scale=round(scale_arcsec, 3),
            )
        )


def _optics(frame: FrameRef) -> _Optics:
    """Return what frames of one camera behind one telescope share, the scale of their headers included."""
    said = None if frame.scale_arcsec is None else round(100.0 * math.log(frame.scale_arcsec))
    return frame.instrument, frame.telescope, frame.width, frame.height, frame.binning, said


def _card(frame: FrameRef, ratio: float) -> tuple[str, str]:
    """Return the card that is probably wrong, and what it says."""
    try:
        header = find_image(Path(frame.path)).header
    except FrameError:
        return "FOCALLEN", "?"
    binned = frame.binning > 1 and any(
        abs(r / ratio - 1.0) < MAX_SCALE_ERROR for r in (frame.binning, 1 / frame.binning)
    )
    keys = ("XPIXSZ", "PIXSIZE1") if binned else ("FOCALLEN", "FOCAL", "XPIXSZ", "PIXSCALE", "SECPIX", "SCALE")
    for key in keys:
        number = header.number(key)
        if number is not None:
            return key, f"{number:g}"
    return keys[0], "?"
