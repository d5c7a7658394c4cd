"""Which frames belong together: fields far apart in one folder become mosaics of their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from zemosaic.errors import NothingUsable, ResourceError, message
from zemosaic.export.cards import ascii_text
from zemosaic.export.grid_file import SavedGrid, grid_place, read_grids
from zemosaic.model import Dropped, FrameStatus, SolvedFrame
from zemosaic.mosaic.canvas import Canvas, canvas_reaches, connected_fields, extended_canvas, make_canvas
from zemosaic.phases.context import RunContext
from zemosaic.phases.previous_run.archive import cached_field
from zemosaic.phases.previous_run.state import CachedField
from zemosaic.wcs import mean_direction

__all__ = ["SkyField", "canvas_of", "divide_into_fields", "file_key"]

MAX_JOINED_GROWTH = 1.5
"""Fields share a mosaic while its canvas is at most this many times their own together: gaps between panels."""
MAX_STRAY_GROWTH = 3.0
"""A single frame that would make the canvas this many times larger is a stray solution."""
WHOLE_SKY_MEGAPIXELS = 1e6
"""Stands for a canvas that no plane can hold."""
MAX_KEY_LENGTH = 40
NO_FILTER = "nofilter"
"""What stands in names for frames that name no filter beside others that do."""


@dataclass(frozen=True)
class SkyField:
    """Frames that make one mosaic."""

    name: str
    """As people read it: the OBJECT of most of its frames, or where it lies."""
    key: str
    """The name as a file may bear it; no other field of the run has it."""
    frames: tuple[SolvedFrame, ...]
    saved: SavedGrid | None = None
    """The grid of an earlier run that the frames reach."""
    before: CachedField | None = None
    """The field as an earlier night left it."""
    sky: str = ""
    """Name of the part of the sky, which fields of several filters share; what OBJECT says."""
    sky_key: str = ""
    """The same as a file may bear it."""
    canvas: Canvas | None = None
    """The grid that the mosaics of all filters share; None where there is one filter."""


def divide_into_fields(context: RunContext, frames: Sequence[SolvedFrame]) -> list[SkyField]:
    """Divide the frames into fields, the one with the most frames first.

    Frames that overlap, directly or through others, make a field; fields with small gaps between them share one.  A
    single frame far from all others is a wrong solution rather than a field and is left out by name.  Where the
    settings name a place with saved grids, these are the fields, and frames beside all of them are left out by name.

    Parameters
    ----------
    context : RunContext
    frames : sequence of SolvedFrame
        All of the run, one at least.

    Raises
    ------
    SettingsError
        A saved grid cannot be read.
    NothingUsable
        No frame reaches a saved grid.
    """
    named = context.settings.global_wcs_output_path
    grids = read_grids(grid_place(named, context.settings.output_dir)) if named else []
    groups: list[tuple[SavedGrid | None, list[int]]]
    if grids:
        groups = _by_grid(context, frames, grids)
    else:
        groups = [(None, group) for group in _without_strays(context, frames, connected_fields(frames))]
    skies: list[SkyField] = []
    for saved, group in groups:
        members = tuple(frames[i] for i in sorted(group))
        name = (saved.name if saved else "") or _name(members)
        if file_key(name) in {field.key for field in skies}:
            name = f"{name} {_place(members)}"
        key = _unique(file_key(name), {field.key for field in skies})
        skies.append(SkyField(name, key, members, saved, sky=name, sky_key=key))
    fields: list[SkyField] = []
    for sky in skies:
        fields += _by_filter(context, sky, len(skies) > 1, fields)
    fields.sort(key=lambda field: -len(field.frames))
    if len(skies) > 1:
        names = ", ".join(f"{sky.name} ({len(sky.frames)})" for sky in skies)
        context.log(message("log.several_fields", fields=len(skies), names=names))
    return fields


def _by_filter(context: RunContext, sky: SkyField, several: bool, others: Sequence[SkyField]) -> list[SkyField]:
    """Return the fields of one part of the sky, one for each filter, that with the most frames first.

    They share one grid, so that their mosaics can be put on top of each other pixel by pixel.
    """
    taken = [field.before for field in others if field.before is not None]
    members: dict[str, list[SolvedFrame]] = {}
    for frame in sky.frames:
        members.setdefault(frame.frame.filter_name, []).append(frame)
    if len(members) == 1 or not context.settings.mosaic_per_filter:
        return [replace(sky, before=_earlier(context, sky.frames, taken))]
    order = sorted(members, key=lambda name: (-len(members[name]), name))
    told = ", ".join(f"{name or '-'} ({len(members[name])})" for name in order)
    context.log(message("log.several_filters", filters=len(order), names=told, field=sky.name))
    fields: list[SkyField] = []
    for name in order:
        frames = tuple(members[name])
        label = name or NO_FILTER
        key = _unique(file_key(f"{sky.key}_{label}" if several else label), {one.key for one in (*others, *fields)})
        before = _earlier(context, frames, taken)
        taken += [before] if before is not None else []
        fields.append(replace(sky, name=f"{sky.name} {label}", key=key, frames=frames, before=before))
    if sky.saved is not None:
        return fields
    canvas = canvas_of(context, sky.frames)
    known = next((field.before.canvas for field in fields if field.before is not None), None)
    if known is not None and known.wcs.projection == canvas.wcs.projection:
        canvas = extended_canvas(known, sky.frames)
    return [replace(field, canvas=canvas) for field in fields]


def _earlier(context: RunContext, frames: Sequence[SolvedFrame], taken: Sequence[CachedField]) -> CachedField | None:
    return cached_field(context.previous_run, frames, taken) if context.previous_run is not None else None


def canvas_of(context: RunContext, frames: Sequence[SolvedFrame]) -> Canvas:
    """Return the canvas that the settings ask for; raises ResourceError as `make_canvas`.

    Parameters
    ----------
    context : RunContext
    frames : sequence of SolvedFrame
        All of them lie on the canvas.
    """
    settings = context.settings
    return make_canvas(
        frames,
        settings.global_wcs_orientation,
        settings.global_wcs_pixelscale_mode,
        scale_arcsec=settings.global_wcs_pixelscale_arcsec,
        projection=settings.global_wcs_projection,
        finer=settings.drizzle_scale if settings.stacking_drizzle else 1.0,
    )


def file_key(name: str) -> str:
    """Return a name with only what every file system takes: letters, digits, ``-``, ``+`` and ``_``."""
    plain = re.sub(r"[^A-Za-z0-9+-]+", "_", ascii_text(name, 200)).strip("_")
    return plain[:MAX_KEY_LENGTH].rstrip("_") or "field"


def _without_strays(
    context: RunContext, frames: Sequence[SolvedFrame], groups: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Join fields that lie side by side and leave single frames out that lie far from everything."""
    fields = [list(groups[0])]
    for group in groups[1:]:
        neighbours = [k for k, field in enumerate(fields) if _side_by_side(context, frames, field, group)]
        if neighbours:
            fields[neighbours[0]] = sorted({i for k in neighbours for i in fields[k]} | set(group))
            fields = [field for k, field in enumerate(fields) if k not in neighbours[1:]]
        elif len(group) > 1:
            fields.append(list(group))
        else:
            _drop_stray(context, frames, fields[0], group[0])
    return sorted(fields, key=lambda field: (-len(field), field[0]))


def _side_by_side(
    context: RunContext, frames: Sequence[SolvedFrame], field: Sequence[int], group: Sequence[int]
) -> bool:
    """Whether two fields would share a mosaic without making it mostly empty."""
    field_megapixels, group_megapixels = (_megapixels(context, [frames[i] for i in part]) for part in (field, group))
    joint_megapixels = _megapixels(context, [frames[i] for i in (*field, *group)])
    if joint_megapixels > context.settings.max_canvas_megapixels:
        return False
    return joint_megapixels <= (
        MAX_STRAY_GROWTH * field_megapixels
        if len(group) == 1
        else MAX_JOINED_GROWTH * (field_megapixels + group_megapixels)
    )


def _drop_stray(context: RunContext, frames: Sequence[SolvedFrame], main: Sequence[int], stray: int) -> None:
    frame = frames[stray].frame
    without = _megapixels(context, [frames[i] for i in main])
    with_frame = _megapixels(context, [frames[i] for i in (*main, stray)])
    reason = message("reason.blows_canvas_up", with_frame=round(with_frame), without=round(without))
    context.drop(Dropped(frame.path, frame.frame_id, "plan", FrameStatus.REJECTED, reason))


def _by_grid(
    context: RunContext, frames: Sequence[SolvedFrame], grids: Sequence[SavedGrid]
) -> list[tuple[SavedGrid | None, list[int]]]:
    """Give each frame to the first saved grid that it reaches."""
    folder = context.settings.global_wcs_output_path
    canvases = [Canvas(grid.wcs, grid.width, grid.height) for grid in grids]
    groups: list[list[int]] = [[] for _ in grids]
    beside: list[int] = []
    for i, frame in enumerate(frames):
        reached = next((k for k, canvas in enumerate(canvases) if canvas_reaches(canvas, frame)), None)
        (beside if reached is None else groups[reached]).append(i)
    if len(beside) == len(frames):
        raise NothingUsable("error.nothing_in_grid", folder=folder)
    for frame_beside in (frames[i].frame for i in beside):
        reason = message("reason.beside_grid", folder=folder)
        context.drop(Dropped(frame_beside.path, frame_beside.frame_id, "plan", FrameStatus.REJECTED, reason))
    occupied: list[tuple[SavedGrid | None, list[int]]] = [
        (grid, group) for grid, group in zip(grids, groups, strict=True) if group
    ]
    return sorted(occupied, key=lambda one: (-len(one[1]), one[1][0]))


def _megapixels(context: RunContext, frames: Sequence[SolvedFrame]) -> float:
    try:
        return canvas_of(context, frames).megapixels
    except ResourceError:
        return WHOLE_SKY_MEGAPIXELS


def _name(frames: Sequence[SolvedFrame]) -> str:
    """Return the OBJECT that most frames bear, or where they lie."""
    names = Counter(name for frame in frames if (name := " ".join(frame.frame.object_name.split())))
    if not names:
        return _place(frames)
    most = max(names.values())
    return min(name for name, count in names.items() if count == most)


def _place(frames: Sequence[SolvedFrame]) -> str:
    """Return where frames lie, to the minute of arc: ``J1250+4107``."""
    centres = [frame.wcs.pixel_to_sky(frame.frame.width / 2, frame.frame.height / 2) for frame in frames]
    ra, dec = mean_direction([float(ra) for ra, _ in centres], [float(dec) for _, dec in centres])
    minutes, arcmin = round(ra * 4.0) % 1440, round(abs(dec) * 60.0)
    sign = "-" if dec < 0 else "+"
    return f"J{minutes // 60:02d}{minutes % 60:02d}{sign}{arcmin // 60:02d}{arcmin % 60:02d}"


def _unique(key: str, taken: set[str]) -> str:
    number = 2
    candidate = key
    while candidate in taken:
        candidate, number = f"{key}_{number}", number + 1
    return candidate
