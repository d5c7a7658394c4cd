"""Phase 1: which frames are there, by their headers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zemosaic.errors import NothingUsable, message
from zemosaic.events import FramesFound, PhaseAdvanced
from zemosaic.frames.frame_files import scan_folder
from zemosaic.frames.inventory import inventory, nights_of
from zemosaic.frames.selection import read_selection
from zemosaic.model import Dropped, FrameRef, FrameStatus
from zemosaic.phases.context import RunContext
from zemosaic.phases.parts.given import with_given_optics
from zemosaic.phases.picture_memory import refuse_beyond
from zemosaic.settings.schema import Settings
from zemosaic.stacking.rules import MIN_SAMPLES_FOR_SCATTER

__all__ = ["scan", "wants_stacks"]


def scan(context: RunContext) -> tuple[FrameRef, ...]:
    """Return the frames of the input folder; files that are none are dropped with their reasons.

    Raises
    ------
    InputError
        When the folder is missing, unreadable or empty, or the table of frames cannot be read.
    NothingUsable
        When none of its files is a usable frame.
    """

    def progress(done: int, total: int | None) -> None:
        context.reporter.emit(PhaseAdvanced("scan", done, total))
        context.workers.check_cancelled()

    with context.timer.phase("scan", None):
        exclude = [Path(context.settings.output_dir)]
        folder, stacks = Path(context.settings.input_dir), wants_stacks(context.settings)
        only = context.only
        refuse = refuse_beyond(context.settings.memory_limit_gb)
        result = scan_folder(folder, exclude=exclude, progress=progress, stacks=stacks, refuse=refuse, only=only)
        for dropped in result.dropped:
            context.drop(dropped)
        frames = _of_one_kind(context, _chosen(context, result.frames))
        frames = with_given_optics(frames, context.settings)
        _tell_groups(context, frames)
        given = tuple(inventory(frames, context.reporter.dropped))
        for line in given:
            context.log(line)
        context.reporter.emit(
            FramesFound(
                frames=len(frames),
                dropped=len(context.reporter.dropped),
                total_exposure_s=sum(frame.exposure_s or 0.0 for frame in frames),
                nights=len(nights_of(frames)),
                instruments=tuple(sorted({frame.instrument or frame.telescope for frame in frames})),
                given=given,
            )
        )
    if not frames:
        raise NothingUsable(
            "error.no_usable_frames", folder=context.settings.input_dir, dropped=len(context.reporter.dropped)
        )
    return frames


def _chosen(context: RunContext, frames: tuple[FrameRef, ...]) -> tuple[FrameRef, ...]:
    """Return the frames that the user's table does not leave out, numbered anew and in the groups that it names."""
    table = context.settings.excluded_frames
    if not table:
        return frames
    selection = read_selection(Path(table), Path(context.settings.input_dir))
    kept: list[FrameRef] = []
    for frame in frames:
        if selection.leaves_out(frame.path):
            reason = message("reason.left_out_by_hand", table=Path(table).name)
            context.drop(Dropped(frame.path, None, "scan", FrameStatus.REJECTED, reason, by_hand=True))
        else:
            kept.append(replace(frame, frame_id=len(kept), group_name=selection.group_of(frame.path)))
    return tuple(kept)


def _tell_groups(context: RunContext, frames: Sequence[FrameRef]) -> None:
    """Say which groups were put together by hand, and which have too few frames to learn from."""
    sizes = Counter(frame.group_name for frame in frames if frame.group_name)
    if not sizes:
        return
    sizes_text = ", ".join(f"{name} ({size})" for name, size in sorted(sizes.items()))
    context.log(message("log.groups_by_hand", groups=len(sizes), frames=sum(sizes.values()), sizes=sizes_text))
    alike = Counter((frame.group_name, frame.camera_key) for frame in frames if frame.group_name)
    fewest: dict[str, int] = {}
    for (name, _), size in alike.items():
        fewest[name] = min(size, fewest.get(name, size))
    for name, size in sorted(fewest.items()):
        if size < MIN_SAMPLES_FOR_SCATTER:
            context.warn(message("warning.group_by_hand_small", group=name, frames=size, least=MIN_SAMPLES_FOR_SCATTER))


def _of_one_kind(context: RunContext, frames: tuple[FrameRef, ...]) -> tuple[FrameRef, ...]:
    """Return the frames; warn where colour and mono frames lie in one folder."""
    coloured = [frame for frame in frames if frame.bayer is not None or frame.planes == 3]
    if coloured and len(coloured) != len(frames):
        context.warn(message("warning.mono_among_colour", mono=len(frames) - len(coloured), colour=len(coloured)))
    return frames


def wants_stacks(settings: Settings) -> bool:
    """Return whether finished stacks in the input folder are used, whatever lies beside them."""
    return settings.use_stacks_among_frames or settings.use_existing_master_tiles
