"""Phase 2: one look at the pixels of every frame, after its camera's masters and defects are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.calibration.defects import MAX_SAMPLE, find_defects, mend, without_spikes
from zemosaic.calibration.masters import NO_MASTERS, Masters
from zemosaic.errors import FrameError, Message, NothingUsable, message
from zemosaic.events import FrameMeasured
from zemosaic.frames.damage import refuse_unusable
from zemosaic.frames.pixels import open_pixels, stack_pixels
from zemosaic.model import Dropped, FrameRef, FrameStatus, MeasuredFrame
from zemosaic.phases.context import RunContext, identity
from zemosaic.phases.masters import CameraMasters, Group, make_masters
from zemosaic.store.codec import measured_from_bytes, measured_to_bytes
from zemosaic.store.journal import digest
from zemosaic.zeanalyser.measure import cut_off_level, measure

__all__ = ["DefectMaps", "Defects", "camera_mark", "measure_frames", "mended_pixels", "write_camera"]

SETTLED = 0.1
"""Earlier defects hold where those found in more frames than before differ in at most this part of them all."""
CONTENT_VERSION = 8
"""Raised when a change of the code makes stored measurements stale."""


@dataclass(frozen=True)
class Defects:
    """What the pixels of a camera need: defects to mend, and the user's masters."""

    path: Path
    """File of all that (`_Camera`), for `mended_pixels`."""
    fingerprint: str
    masters: Masters = NO_MASTERS


DefectMaps = dict[Group, Defects]
"""By `FrameRef.group`."""


@dataclass(frozen=True)
class _Camera:
    defects: NDArray[np.int64]
    masters: Masters


@dataclass(frozen=True)
class _MeasureTask:
    frame: FrameRef
    defects: Path
    scratch: Path
    stack: bool
    """Whether the frame is a finished stack, with places that no frame reached."""


@dataclass(frozen=True)
class _DefectTask:
    sample: tuple[FrameRef, ...]
    masters: CameraMasters
    scratch: Path
    into: Path


def measure_frames(context: RunContext, frames: Sequence[FrameRef]) -> tuple[list[MeasuredFrame], DefectMaps]:
    """Return the measured frames and the defect map of each camera.

    Raises
    ------
    NothingUsable
        When no frame could be measured.
    """
    with context.phase("measure", len(frames)) as advance:
        defects = _find_all_defects(context, frames)
        measured: list[MeasuredFrame] = []
        known = {frame.frame_id: _recall(context, frame, defects[frame.group]) for frame in frames}
        tasks = [
            _MeasureTask(frame, defects[frame.group].path, context.scratch, context.settings.use_existing_master_tiles)
            for frame in frames
            if known[frame.frame_id] is None
        ]
        fresh = context.map(measure_one, tasks)
        for done, frame in enumerate(frames, 1):
            result = known[frame.frame_id] or next(fresh)
            if isinstance(result, Message):
                context.drop(Dropped(frame.path, frame.frame_id, "measure", FrameStatus.UNREADABLE, result))
            else:
                if known[frame.frame_id] is None:
                    wanted = _wanted(context, frame, defects[frame.group])
                    context.journal.put("measure", frame.path, wanted, measured_to_bytes(result))
                measured.append(result)
                context.emit(_event(result))
            advance(done)
    if not measured:
        raise NothingUsable("error.no_usable_frames", folder=context.settings.input_dir, dropped=len(context.dropped))
    return measured, defects


def measure_one(task: _MeasureTask) -> MeasuredFrame | Message:
    """Measure one frame; the reason if it cannot be."""
    frame, camera = task.frame, _load(task.defects)
    try:
        raw = open_pixels(frame, task.scratch).read_all()
        refuse_unusable(stack_pixels(raw) if task.stack else raw, Path(frame.path).name)
        cut_off = camera.masters.least(cut_off_level(raw))
        pixels = _mended(raw, (0, frame.height, 0, frame.width), camera, frame)
        return measure(frame, without_spikes(stack_pixels(pixels)) if task.stack else pixels, cut_off)
    except FrameError as error:
        return error.reason


def mended_pixels(
    frame: FrameRef, defects: Path, scratch: Path, window: tuple[int, int, int, int] | None = None
) -> NDArray[Any]:
    """Return the pixels of a frame or of a window (y0, y1, x0, x1) of it, calibrated and mended.

    Without masters they keep their type; with a master dark, bias or flat they are float32.
    """
    window = window or (0, frame.height, 0, frame.width)
    return _mended(open_pixels(frame, scratch).read(*window), window, _load(defects), frame)


def _mended(raw: NDArray[Any], window: tuple[int, int, int, int], camera: _Camera, frame: FrameRef) -> NDArray[Any]:
    return mend(camera.masters.applied(raw, window), window, camera.defects, frame)


def _load(path: Path) -> _Camera:
    """Return what is stored of a camera; read anew only when the file changed."""
    return _load_once(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _load_once(path: Path, _mtime_ns: int) -> _Camera:
    with np.load(path, allow_pickle=False) as stored:
        offset, flat = (Path(name) if name else None for name in stored["masters"].tolist())
        return _Camera(stored["defects"], Masters(offset, flat))


def find_group_defects(task: _DefectTask) -> tuple[int, str]:
    """Find and store the defects of a camera; returns their number and a fingerprint of the map."""
    sources = []
    for frame in task.sample:
        try:
            source = open_pixels(frame, task.scratch)
            source.read(0, 2, 0, 2)
        except FrameError:
            continue  # measuring that frame will say why
        sources.append(source)
    # In raw pixels: a dark takes the level of a hot pixel off but leaves its noise.
    found = find_defects(sources, task.sample[0])
    mended = np.union1d(found, np.array(task.masters.dead, np.int64))
    write_camera(task.into, mended, task.masters.masters)
    return len(found), camera_mark(mended, task.masters.fingerprint)


def write_camera(path: Path, defects: NDArray[np.int64], masters: Masters) -> None:
    """Write the file of a camera that `mended_pixels` takes."""
    with path.open("wb") as stream:
        np.savez(stream, defects=defects, masters=[str(path or "") for path in (masters.offset, masters.flat)])


def camera_mark(defects: NDArray[np.int64], masters: str) -> str:
    """Return the fingerprint of a camera: of its defects and of its masters' fingerprint."""
    return digest(defects.tolist(), masters)


def _find_all_defects(context: RunContext, frames: Sequence[FrameRef]) -> DefectMaps:
    context.scratch.mkdir(parents=True, exist_ok=True)
    masters = make_masters(context, frames)
    members: dict[Group, list[FrameRef]] = {}
    for frame in frames:
        members.setdefault(frame.group, []).append(frame)
    tasks: dict[Group, _DefectTask] = {}
    found: DefectMaps = {}
    for number, (group, group_frames) in enumerate(members.items()):
        ordered = sorted(group_frames, key=lambda frame: (frame.date_obs or "", frame.frame_id))
        chosen = np.unique(np.linspace(0, len(ordered) - 1, MAX_SAMPLE).astype(int))
        into = context.scratch / f"camera_{number}.npz"
        own = masters.get(group, CameraMasters())
        tasks[group] = _DefectTask(tuple(ordered[i] for i in chosen), own, context.scratch, into)
        known = context.nights and context.nights.camera(group, own.fingerprint)
        if known and known[1] >= len(chosen):
            found[group] = _held(tasks.pop(group), known[0])
            _learn(context, group, found[group], own, known[1])
    answers = context.map(find_group_defects, tasks.values())
    for (group, task), (number, fingerprint) in zip(tasks.items(), answers, strict=True):
        found[group] = Defects(task.into, fingerprint, task.masters.masters)
        known = context.nights and context.nights.camera(group, task.masters.fingerprint)
        if known and _alike(known[0], _load(task.into).defects):
            found[group] = _held(task, known[0])
        _learn(context, group, found[group], task.masters, len(task.sample))
        camera = task.sample[0].instrument or task.sample[0].telescope or "?"
        context.log(message("log.defects_found", number=number, camera=camera, frames=len(task.sample)))
    return {group: found[group] for group in members}


def _held(task: _DefectTask, defects: NDArray[np.int64]) -> Defects:
    """Return a camera with the defects that an earlier night found."""
    write_camera(task.into, defects, task.masters.masters)
    return Defects(task.into, camera_mark(defects, task.masters.fingerprint), task.masters.masters)


def _learn(context: RunContext, group: Group, found: Defects, masters: CameraMasters, frames: int) -> None:
    if context.nights is not None:
        context.nights.learn_camera(group, _load(found.path).defects, masters.fingerprint, frames)


def _alike(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    return len(np.setxor1d(one, other)) <= SETTLED * len(np.union1d(one, other))


def _wanted(context: RunContext, frame: FrameRef, defects: Defects) -> str:
    return context.depends("measure", CONTENT_VERSION, identity(frame), defects.fingerprint)


def _recall(context: RunContext, frame: FrameRef, defects: Defects) -> MeasuredFrame | None:
    stored = context.journal.get("measure", frame.path, _wanted(context, frame, defects))
    return None if stored is None else measured_from_bytes(frame, stored)


def _event(measured: MeasuredFrame) -> FrameMeasured:
    green = min(1, len(measured.sky_adu) - 1)
    return FrameMeasured(
        frame_id=measured.frame.frame_id,
        path=measured.frame.path,
        stars=len(measured.stars),
        fwhm_px=measured.fwhm_px,
        eccentricity=measured.eccentricity,
        sky_adu=measured.sky_adu[green],
        noise_adu=measured.noise_adu[green],
        snr=measured.snr,
    )
