"""One frame as a picture in full size: colours interpolated, stretched as all frames beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import FrameError, Message, ZeMosaicError, message
from zemosaic.model import FrameRef

__all__ = ["MAX_SIDE_PX", "FramePicture", "FrameStretch", "frame_picture", "linear_colours", "stretch_of"]

MAX_SIDE_PX = 2600
"""Longest side of a picture; frames of larger detectors are reduced by a whole number."""
SKY_LEVEL = 0.2
"""Brightness, 0 to 1, at which the sky of the frame that set the stretch is shown."""
_SHADOWS = 2.8
"""Black lies so many sigmas below the sky."""
_SIGMA_OF_MAD = 1.4826
_SMALLEST_SIDE_PX = 300
_UINT16_MAX = 65535.0
_SAMPLES = 4
"""The stretch is fitted to every so manieth row and column."""

Planes = NDArray[Any]


@dataclass(frozen=True)
class FramePicture:
    """A frame's picture and smaller copies of it, or why there is none."""

    path: str
    levels: tuple[NDArray[np.uint8], ...]
    """Each of shape (h, w, 3), RGB, rows as stored; each half the size of the one before."""
    problem: Message | None = None

    @property
    def size_bytes(self) -> int:
        """Memory that the pictures take."""
        return sum(level.nbytes for level in self.levels)


@dataclass(frozen=True)
class FrameStretch:
    """From linear values to brightness: the midtones transfer function with limits for each colour."""

    black: tuple[float, ...]
    """Value shown black, by colour, ADU."""
    white: tuple[float, ...]
    """Value shown white, by colour, ADU."""
    balance: tuple[float, ...]
    """Part of the way from black to white that is shown half as bright as white, by colour."""

    def __call__(self, planes: Planes) -> NDArray[np.uint8]:
        """Return linear colours, shape (h, w, 1 or 3), as a picture of shape (h, w, 3).

        A grey frame is shown grey by the limits of the green channel, whichever frame set the stretch.
        """
        channels = planes.shape[2]
        of = range(3) if channels == 3 else [1]
        shown = [self._channel(planes[..., place], colour) for place, colour in enumerate(of)]
        return np.stack(shown if channels == 3 else shown * 3, axis=-1)

    def _channel(self, plane: Planes, colour: int) -> NDArray[np.uint8]:
        if plane.dtype == np.uint16:
            return self._curve(np.arange(_UINT16_MAX + 1, dtype=np.float32), colour)[plane]
        return self._curve(plane, colour)

    def _curve(self, values: Planes, colour: int) -> NDArray[np.uint8]:
        # Here, in a thread: the module loads what the first window does not need.
        from zemosaic.picture.stretch import midtones

        black, white = self.black[colour], self.white[colour]
        share = np.clip((np.nan_to_num(values, nan=black) - black) / (white - black), 0.0, 1.0)
        level = 255.0 * midtones(share.astype(np.float32), self.balance[colour])
        return np.asarray(np.rint(level), np.uint8)


def stretch_of(planes: Planes, darker_adu: float = 0.0) -> FrameStretch:
    """Return the stretch that shows the sky of a frame neutral and dark.

    Parameters
    ----------
    planes : ndarray, shape (h, w, 1 or 3)
        Linear colours, NaN where nothing is known.
    darker_adu : float
        How much darker the sky of other frames is that shall not be black.
    """
    some = planes[::_SAMPLES, ::_SAMPLES].astype(np.float32)
    limits = [_limits(some[..., place], planes.dtype == np.uint16, darker_adu) for place in range(planes.shape[2])]
    black, white, balance = zip(*(limits if len(limits) == 3 else limits * 3), strict=True)
    return FrameStretch(black, white, balance)


def frame_picture(
    frame: FrameRef, stretch: FrameStretch | None = None, darker_adu: float = 0.0
) -> tuple[FramePicture, FrameStretch | None]:
    """Return the picture of a frame, and the stretch it is shown with.

    Parameters
    ----------
    frame : FrameRef
    stretch : FrameStretch, optional
        That of the frames beside it; without one this frame sets it.
    darker_adu : float
        For `stretch_of`.

    Returns
    -------
    picture : FramePicture
        With a `problem` and without levels where the file cannot be read.
    stretch : FrameStretch or None
        None where no frame has set one yet.
    """
    try:
        planes = linear_colours(frame)
    except FrameError as fault:
        return FramePicture(frame.path, (), fault.reason), stretch
    except ZeMosaicError as fault:
        return FramePicture(frame.path, (), fault.message), stretch
    except OSError as fault:
        told = message("error.input_unreadable", path=frame.path, detail=str(fault))
        return FramePicture(frame.path, (), told), stretch
    stretch = stretch or stretch_of(planes, darker_adu)
    return FramePicture(frame.path, _halved(stretch(planes))), stretch


def linear_colours(frame: FrameRef) -> Planes:
    """Return the linear values of a frame, shape (h, w, 1 or 3), uint16 or float32, no longer than `MAX_SIDE_PX`.

    Raises
    ------
    FrameError
        When the file is gone, has changed since the scan or cannot be decoded.
    """
    import cv2

    from zemosaic.frames.debayer import debayer, half_size
    from zemosaic.frames.pixels import open_pixels, stack_pixels

    pixels = open_pixels(frame, None, borders=True).read_all()
    if frame.bayer and pixels.ndim == 2:
        whole = pixels.dtype == np.uint16
        planes: Planes = debayer(pixels, frame.bayer) if whole else half_size(pixels, frame.bayer)
    else:
        planes = pixels if pixels.dtype == np.uint16 else stack_pixels(pixels)
    factor = -(-max(planes.shape[:2]) // MAX_SIDE_PX)
    if factor > 1:
        size = (planes.shape[1] // factor, planes.shape[0] // factor)
        planes = cv2.resize(planes, size, interpolation=cv2.INTER_AREA)
    return planes if planes.ndim == 3 else planes[..., None]


def _limits(plane: NDArray[np.float32], is_integer: bool, darker_adu: float) -> tuple[float, float, float]:
    """Return black, white and balance of one colour."""
    known = plane[np.isfinite(plane)]
    if not known.size:
        return 0.0, 1.0, 0.5
    sky = float(np.median(known))
    sigma = _SIGMA_OF_MAD * float(np.median(np.abs(known - sky)))
    black = sky - _SHADOWS * sigma - darker_adu
    white = _UINT16_MAX if is_integer else float(known.max())
    if not black < sky < white:
        return black, max(white, black + 1.0), 0.5
    share = (sky - black) / (white - black)
    # The balance at which the midtones transfer function takes `share` to SKY_LEVEL.
    return black, white, share * (SKY_LEVEL - 1.0) / (2.0 * SKY_LEVEL * share - SKY_LEVEL - share)


def _halved(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """Return a picture and smaller copies of it."""
    import cv2

    levels = [np.ascontiguousarray(picture)]
    while max(levels[-1].shape) > 2 * _SMALLEST_SIDE_PX:
        height, width = levels[-1].shape[:2]
        levels.append(np.asarray(cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)))
    return tuple(levels)
