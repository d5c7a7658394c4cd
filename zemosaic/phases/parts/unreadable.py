"""What goes while a phase needs all of it: the phase is done again without the frames, or with the tiles made anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from zemosaic.errors import Message, NothingUsable, TileDamaged
from zemosaic.model import Dropped, FrameStatus, SolvedFrame
from zemosaic.phases.context import RunContext

__all__ = ["all_read", "while_readable", "while_whole"]

R = TypeVar("R")

MAX_REPAIRS = 3
"""A disk on which stacked tiles are damaged more often than this is not to be relied upon."""


class _Unreadable(Exception):
    """Frames whose pixels cannot be read any more."""

    def __init__(self, frames: Sequence[Dropped]) -> None:
        super().__init__(f"{len(frames)} frames")
        self.frames = frames


def all_read(phase: str, solved: Sequence[SolvedFrame], answers: Iterable[R | Message]) -> Iterable[R]:
    """Yield what was read of the frames, as long as all can be read.

    Parameters
    ----------
    phase : str
        In which they are read.
    solved : sequence of SolvedFrame
    answers : iterable
        One for each frame, in their order: what was read, or why it could not be (`RunContext.map_frames`).  All of
        them are looked at, so that each frame that is gone is named.
    """
    gone: list[Dropped] = []
    for frame, answer in zip(solved, answers, strict=True):
        if isinstance(answer, Message):
            gone.append(Dropped(frame.frame.path, frame.frame.frame_id, phase, FrameStatus.UNREADABLE, answer))
        else:
            yield answer
    if gone:
        raise _Unreadable(gone)


def while_readable(
    context: RunContext, solved: Sequence[SolvedFrame], solve: Callable[[Sequence[SolvedFrame]], R]
) -> R:
    """Return what a joint solution makes of the frames; without those that go meanwhile, which are dropped by name.

    Parameters
    ----------
    context : RunContext
    solved : sequence of SolvedFrame
    solve : callable
        Takes frames; reads them through `all_read`.

    Raises
    ------
    NothingUsable
        When no frame is left.
    """
    while True:
        try:
            return solve(solved)
        except _Unreadable as unreadable:
            for dropped in unreadable.frames:
                context.drop(dropped)
            out = {dropped.frame_id for dropped in context.reporter.dropped}
            solved = [frame for frame in solved if frame.frame.frame_id not in out]
            if not solved:
                raise NothingUsable("error.all_unreadable", frames=len(unreadable.frames)) from None


def while_whole(assemble: Callable[[], R], stack_again: Callable[[], None]) -> R:
    """Return what is assembled of the stacked tiles; those that are damaged on the disk are stacked again first.

    Parameters
    ----------
    assemble : callable
        Reads the tiles.
    stack_again : callable
        Stacks those that are not on the disk as they were written.

    Raises
    ------
    TileDamaged
        When tiles are damaged once more after `MAX_REPAIRS` repairs.
    """
    for _ in range(MAX_REPAIRS):
        try:
            return assemble()
        except TileDamaged:
            stack_again()
    return assemble()
