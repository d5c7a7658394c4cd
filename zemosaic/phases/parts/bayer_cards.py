"""Frames whose pixels showed another Bayer pattern than their headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from zemosaic.errors import message
from zemosaic.model import FrameRef, MeasuredFrame
from zemosaic.phases.context import RunContext

__all__ = ["with_patterns_of_pixels"]


def with_patterns_of_pixels(
    context: RunContext, frames: Sequence[FrameRef], measured: Sequence[MeasuredFrame]
) -> tuple[FrameRef, ...]:
    """Return the run's frames as they were measured; warn of those whose card for the Bayer pattern is wrong.

    Parameters
    ----------
    context : RunContext
    frames : sequence of FrameRef
        All frames, those included that could not be measured.
    measured : sequence of MeasuredFrame
    """
    as_measured = {frame.frame.frame_id: frame.frame for frame in measured}
    frames = tuple(as_measured.get(frame.frame_id, frame) for frame in frames)
    wrong = [note for frame in frames for note in frame.notes if note.key == "note.bayer_wrong"]
    if wrong:
        counts = Counter(f"{note.params['card']} → {note.params['pattern']}" for note in wrong)
        patterns = ", ".join(f"{change} ({count})" for change, count in sorted(counts.items()))
        context.warn(message("warning.bayer_wrong", frames=len(wrong), patterns=patterns))
    return frames
