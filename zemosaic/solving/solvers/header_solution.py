"""A WCS found in the header is used when the stars agree with it."""

from __future__ import annotations

from zemosaic.catalogue import Catalogue
from zemosaic.model import Solution
from zemosaic.solving.base import NotSolved, StarField, not_solved
from zemosaic.solving.verify import confirm
from zemosaic.wcs import FrameWcs

__all__ = ["verify"]

_MAX_SHIFT_PX = 40.0
_SCALE_ERROR = 0.02


def verify(wcs: FrameWcs, field: StarField, catalogue: Catalogue) -> Solution | NotSolved:
    """Return the header's WCS, refined by an affine fit, or why it is not believed.

    A shift of up to 40 pixels is put right; the header's distortion is kept unless there are stars
    enough to measure one.

    Parameters
    ----------
    wcs : FrameWcs
        As found in the header.
    field : Field
        The frame's stars; where `scale_arcsec` is known the WCS has to agree to 2 %.
    catalogue : Catalogue
        Stars to compare with.
    """
    if field.scale_arcsec is not None and abs(wcs.scale_arcsec / field.scale_arcsec - 1.0) > _SCALE_ERROR:
        return not_solved(
            "reason.unsolved_header_scale",
            scale=round(wcs.scale_arcsec, 3),
            expected=round(field.scale_arcsec, 3),
        )
    return confirm(wcs, field, catalogue, "header", _MAX_SHIFT_PX)
