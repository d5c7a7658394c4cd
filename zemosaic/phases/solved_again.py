"""Solutions of an earlier run, taken over where everything they depend on is the same to the last bit.

A frame's place depends on all the others, which it was fitted together with.  So all solutions are kept as one entry,
which counts for the very same frames, measured alike, with the same settings and the same solvers at hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zemosaic.errors import Message, message
from zemosaic.model import Dropped, FrameStatus, MeasuredFrame, Solution, SolvedFrame
from zemosaic.phases.context import RunContext, identity
from zemosaic.sky import Distortion, FrameWcs
from zemosaic.store.codec import measured_to_bytes

__all__ = ["Before", "solution_from", "solved_before", "wcs_from"]

CONTENT_VERSION = 3
KIND, KEY = "solve", "all"


@dataclass(frozen=True)
class Before:
    """How much was told before solving began, and what the solutions will depend on."""

    wanted: str
    dropped: int
    warned: int

    @classmethod
    def of(cls, context: RunContext, measured: Sequence[MeasuredFrame], solvers: Sequence[object]) -> Before:
        """Return it; `solvers` are plain values that tell which solvers there are."""
        seen = hashlib.sha256()
        for one in measured:
            seen.update(json.dumps([one.frame.frame_id, identity(one.frame)]).encode("utf-8", "surrogateescape"))
            seen.update(measured_to_bytes(one))
        wanted = context.depends("solve", CONTENT_VERSION, seen.hexdigest(), list(solvers))
        return cls(wanted, len(context.dropped), len(context.warnings))

    def keep(self, context: RunContext, solved: Sequence[SolvedFrame]) -> None:
        """Put the solutions, and what was said on the way to them, into the journal."""
        values = {
            "solved": [[one.frame.frame_id, asdict(one.solution)] for one in solved],
            "dropped": [_of_dropped(one) for one in context.dropped[self.dropped :]],
            "warned": [told.to_dict() for told in context.warnings[self.warned :]],
        }
        context.journal.put(KIND, KEY, self.wanted, json.dumps(values, default=lambda number: number.item()).encode())


def solved_before(context: RunContext, measured: Sequence[MeasuredFrame], before: Before) -> list[SolvedFrame] | None:
    """Return what an earlier run found, and tell again what it told; None where it has to be found."""
    stored = context.journal.get(KIND, KEY, before.wanted)
    if stored is None:
        return None
    values, by_id = json.loads(stored), {one.frame.frame_id: one for one in measured}
    for told in values["warned"]:
        context.warn(Message(**told))
    for lost in values["dropped"]:
        frame_id, phase, status, reason = lost
        path = by_id[frame_id].frame.path
        context.drop(Dropped(path, frame_id, phase, FrameStatus(status), Message(**reason)))
    context.log(message("log.solved_before", frames=len(values["solved"])))
    return [SolvedFrame(by_id[frame_id], solution_from(told)) for frame_id, told in values["solved"]]


def _of_dropped(one: Dropped) -> list[Any]:
    return [one.frame_id, one.phase, one.status.value, one.reason.to_dict()]


def solution_from(told: dict[str, Any]) -> Solution:
    """Return the solution whose `asdict` went through JSON."""
    return Solution(**told | {"wcs": wcs_from(told["wcs"])})


def wcs_from(told: dict[str, Any]) -> FrameWcs:
    """Return the WCS whose `asdict` went through JSON."""
    bent = told["distortion"]
    distortion = None if bent is None else Distortion(tuple(bent["a"]), tuple(bent["b"]))
    cd = tuple(tuple(row) for row in told["cd"])
    return FrameWcs(**told | {"cd": cd, "distortion": distortion})
