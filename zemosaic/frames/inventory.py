"""What the input folder holds, in a few lines: telescopes, filters, exposures, nights, temperatures, odd cards."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from zemosaic.errors import Message, message
from zemosaic.model import Dropped, FrameRef

__all__ = ["camera_names", "inventory", "is_copy", "is_remark", "night_of", "nights_of", "start_times_s"]

_HALF_DAY = timedelta(hours=12)
"""Frames of one night bear two dates; half a day earlier they bear one."""
_DESCRIBED = ("inventory.frames", "inventory.frames_minutes", "inventory.made_with", "inventory.temperatures")
_MAX_NAMES = 6
COPY_REASONS = ("reason.duplicate", "reason.same_exposure")
_KINDS_LEFT_OUT = (
    (
        "inventory.stacks",
        (
            "reason.stack_own",
            "reason.stack_card",
            "reason.stack_history",
            "reason.stack_name",
            "reason.stack_planes",
        ),
    ),
    ("inventory.copies", COPY_REASONS),
    ("inventory.calibration", ("reason.not_a_light",)),
)


def is_copy(reason: Message) -> bool:
    """Return whether a file is refused because it holds the same exposure as another one."""
    return reason.key in COPY_REASONS


def inventory(frames: Sequence[FrameRef], dropped: Sequence[Dropped]) -> list[Message]:
    """Return the lines, those that have nothing to tell left out.

    Parameters
    ----------
    frames : sequence of FrameRef
        The usable frames.
    dropped : sequence of Dropped
        Files that were left out when the folder was read.
    """
    lines = [_exposed(frames)]
    if frames:
        told = {
            "telescopes": _counted(frame.telescope or frame.instrument or "?" for frame in frames),
            "filters": _counted(frame.filter_name or "-" for frame in frames),
            "exposures": _counted("?" if frame.exposure_s is None else f"{frame.exposure_s:g} s" for frame in frames),
            "sizes": _counted(f"{frame.width} × {frame.height} {_colour(frame)}" for frame in frames),
        }
        lines.append(message("inventory.made_with", **told))
    temperatures = [frame.temperature_c for frame in frames if frame.temperature_c is not None]
    if temperatures:
        coldest, warmest = round(min(temperatures)), round(max(temperatures))
        lines.append(message("inventory.temperatures", coldest=coldest, warmest=warmest))
    return lines + _left_out(dropped) + _odd_cards(frames)


def _exposed(frames: Sequence[FrameRef]) -> Message:
    """Return how many frames there are, and for how long they were exposed: in minutes where that is below an hour."""
    minutes = sum(frame.exposure_s or 0.0 for frame in frames) / 60.0
    told = {"frames": len(frames), "nights": len(nights_of(frames))}
    if 0.0 < minutes < 60.0:
        return message("inventory.frames_minutes", minutes=round(minutes, 1), **told)
    return message("inventory.frames", hours=round(minutes / 60.0, 2), **told)


def _left_out(dropped: Sequence[Dropped]) -> list[Message]:
    lines, rest = [], list(dropped)
    for key, keys in _KINDS_LEFT_OUT:
        some = [item for item in rest if item.reason.key in keys]
        if some:
            lines.append(message(key, files=len(some)))
            rest = [item for item in rest if item not in some]
    return [*lines, message("inventory.other_files", files=len(rest))] if rest else lines


def _odd_cards(frames: Sequence[FrameRef]) -> list[Message]:
    """Return what headers lack or contradict: a heading, then each kind once, with the values of its first frame."""
    first: dict[str, Message] = {}
    for frame in frames:
        for note in frame.notes:
            first.setdefault(note.key, note)
    if not first:
        return []
    return [message("inventory.cards", frames=sum(bool(frame.notes) for frame in frames)), *first.values()]


def is_remark(line: Message) -> bool:
    """Whether a line tells of files left out or of odd headers, not just what the frames are."""
    return line.key not in _DESCRIBED


def nights_of(frames: Iterable[FrameRef]) -> set[str]:
    """Return the dates of the evenings on which the frames' nights began; frames without a date have none."""
    return {night_of(frame) for frame in frames} - {""}


def night_of(frame: FrameRef) -> str:
    """Return the date of the evening on which a frame's night began; empty where its date is not known."""
    return (datetime.fromisoformat(frame.date_obs) - _HALF_DAY).date().isoformat() if frame.date_obs else ""


def camera_names(frames: Sequence[FrameRef]) -> list[str]:
    """Return each frame's camera, or its telescope where several have the same camera."""
    names = {(frame.instrument, frame.telescope) for frame in frames if frame.telescope}
    seen = Counter(instrument for instrument, _ in names)
    return [
        (frame.telescope if seen[frame.instrument] > 1 else "") or frame.instrument or frame.telescope
        for frame in frames
    ]


def start_times_s(frames: Iterable[FrameRef]) -> list[float]:
    """Return when each frame's exposure began, seconds since 1970 (UTC); NaN where that is not known."""
    return [math.nan if not frame.date_obs else _seconds(frame.date_obs) for frame in frames]


def _seconds(date: str) -> float:
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _colour(frame: FrameRef) -> str:
    return frame.bayer or ("RGB" if frame.planes == 3 else "mono")


def _counted(names: Iterable[str]) -> str:
    counts = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"{name} ({count})" for name, count in counts[:_MAX_NAMES])
    return told + (" ..." if len(counts) > _MAX_NAMES else "")
