"""Solutions of an earlier run, taken over where everything they depend on is the same to the last bit.

A frame's place depends on all the others, which it was fitted together with.  So all solutions are kept as one entry,
which counts for the very same frames, measured alike, with the same settings and the same solvers at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zemosaic.errors import Message, message
from zemosaic.model import Dropped, MeasuredFrame, Solution, SolvedFrame
from zemosaic.phases.context import RunContext, phase_digest
from zemosaic.store.codec import content_of, from_bytes, to_bytes
from zemosaic.store.journal import digest

__all__ = ["SolveCheckpoint", "cached_solutions"]

CONTENT_VERSION = 7
KIND, KEY = "solve", "all"
GIVEN = ("frame",)
"""What of a measured frame counts by its identity alone."""


@dataclass(frozen=True)
class _Solutions:
    """The journal's entry: the solutions, and what was said on the way to them."""

    solved: tuple[tuple[int, Solution], ...]
    """With the frame_id of each."""
    dropped: tuple[Dropped, ...]
    warned: tuple[Message, ...]


@dataclass(frozen=True)
class SolveCheckpoint:
    """How much was told before solving began, and what the solutions will depend on."""

    depends_on: str
    dropped: int
    warned: int

    @classmethod
    def of(cls, context: RunContext, measured: Sequence[MeasuredFrame], solvers: Sequence[object]) -> SolveCheckpoint:
        """Return the checkpoint of a run that is about to solve.

        Parameters
        ----------
        context : RunContext
        measured : sequence of MeasuredFrame
            All that are to be solved.
        solvers : sequence
            Plain values that tell which solvers and stars there are, and which solutions are held.
        """
        content = [digest(frame.frame.frame_id, frame.frame.identity, content_of(frame, GIVEN)) for frame in measured]
        wanted = phase_digest(context.settings, "solve", CONTENT_VERSION, content, list(solvers))
        return cls(wanted, len(context.reporter.dropped), len(context.reporter.warnings))

    def keep(self, context: RunContext, solved: Sequence[SolvedFrame]) -> None:
        """Put the solutions, and what was told since the checkpoint was made, into the journal.

        Parameters
        ----------
        context : RunContext
        solved : sequence of SolvedFrame
        """
        solutions = _Solutions(
            solved=tuple((frame.frame.frame_id, frame.solution) for frame in solved),
            dropped=tuple(context.reporter.dropped[self.dropped :]),
            warned=tuple(context.reporter.warnings[self.warned :]),
        )
        context.folder.journal.put(KIND, KEY, self.depends_on, to_bytes(solutions))


def cached_solutions(
    context: RunContext, measured: Sequence[MeasuredFrame], checkpoint: SolveCheckpoint
) -> list[SolvedFrame] | None:
    """Return what an earlier run found, and tell again what it told; None where it has to be found.

    Parameters
    ----------
    context : RunContext
    measured : sequence of MeasuredFrame
        Those that `checkpoint` was made of.
    checkpoint : SolveCheckpoint
    """
    stored = context.folder.journal.get(KIND, KEY, checkpoint.depends_on)
    if stored is None:
        return None
    solutions, by_id = from_bytes(_Solutions, stored), {frame.frame.frame_id: frame for frame in measured}
    for stored_values in solutions.warned:
        context.warn(stored_values)
    for entry in solutions.dropped:
        context.drop(entry)
    context.log(message("log.solved_before", frames=len(solutions.solved)))
    return [SolvedFrame(by_id[frame_id], solution) for frame_id, solution in solutions.solved]
