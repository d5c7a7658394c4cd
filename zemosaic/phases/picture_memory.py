"""Files whose pictures would break the memory limit are refused by their headers, before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from zemosaic.compute.budget import PICTURE_BYTES, largest_picture
from zemosaic.errors import FrameError, NothingUsable
from zemosaic.model import Dropped, FrameRef, FrameStatus
from zemosaic.phases.context import RunContext

__all__ = ["frames_within_memory", "refuse_beyond", "usual_picture"]

MIN_USUAL_PART = 0.02
"""Pictures of a size that fewer than this part of the frames have, or exceed, do not count as usual."""


def numbers_of(frame: FrameRef) -> int:
    """Return how many numbers a frame's picture has."""
    return frame.width * frame.height * frame.planes


def usual_picture(frames: Sequence[FrameRef]) -> int:
    """Return the numbers of the largest picture that is no exception among the frames; 0 without frames."""
    sizes = sorted(map(numbers_of, frames))
    return sizes[int((1.0 - MIN_USUAL_PART) * (len(sizes) - 1))] if sizes else 0


def refuse_beyond(memory_limit_gb: float) -> Callable[[FrameRef], None]:
    """Return what raises FrameError for a frame that not even a single worker could measure within the limit (GB)."""
    limit = largest_picture(memory_limit_gb)

    def refuse(frame: FrameRef) -> None:
        _refuse(frame, limit)

    return refuse


def frames_within_memory(context: RunContext, frames: Sequence[FrameRef]) -> Sequence[FrameRef]:
    """Return the frames that a worker can measure within its share; the others are dropped by name.

    Parameters
    ----------
    context : RunContext
        Its workers are open.
    frames : sequence of FrameRef

    Raises
    ------
    NothingUsable
        When no frame is left.
    """
    limit, kept = context.workers.budget.largest_picture, []
    for frame in frames:
        try:
            _refuse(frame, limit)
            kept.append(frame)
        except FrameError as refusal:
            context.drop(Dropped(frame.path, frame.frame_id, "scan", FrameStatus.REJECTED, refusal.reason))
    if not kept:
        dropped = len(context.reporter.dropped)
        raise NothingUsable("error.no_usable_frames", folder=context.settings.input_dir, dropped=dropped)
    return kept


def _refuse(frame: FrameRef, limit: int) -> None:
    if numbers_of(frame) <= limit:
        return
    raise FrameError(
        "reason.needs_memory",
        file=Path(frame.path).name,
        width=frame.width,
        height=frame.height,
        needed_gb=numbers_of(frame) * PICTURE_BYTES / 1e9,
        share_gb=limit * PICTURE_BYTES / 1e9,
    )
