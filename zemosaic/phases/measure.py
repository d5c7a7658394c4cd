"""Phase 2: one look at the pixels of every frame, after its camera's masters and defects are known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import green_channel
from zemosaic.calibration.calibration_frames import NO_CALIBRATION_FRAMES, CalibrationFrames
from zemosaic.calibration.defects import MAX_SAMPLE_FRAMES, find_defects, remove_spikes
from zemosaic.calibration.detector import calibrated, camera_fingerprint, load_camera, write_camera
from zemosaic.compute.executors import TaskKilled
from zemosaic.errors import FrameError, Message, NothingUsable, message
from zemosaic.events import FrameMeasured
from zemosaic.frames.bayer_pattern import corrected_frames, site_levels
from zemosaic.frames.damage import refuse_unusable
from zemosaic.frames.pixels import PixelSource, open_pixels, stack_pixels
from zemosaic.model import Dropped, FrameRef, FrameStatus, MeasuredFrame
from zemosaic.phases.context import RunContext, phase_digest
from zemosaic.phases.parts.calibration_files import CameraCalibrationFrames, Group, combine_calibration_frames
from zemosaic.store.codec import from_bytes, to_bytes
from zemosaic.zeanalyser.measure_frames import cut_off_level, measure

__all__ = ["DetectorCalibration", "DetectorCalibrations", "measure_frames", "read_defects", "spread_of_frames"]

MAX_DEFECT_CHANGE = 0.1
"""Earlier defects hold where those found in more frames than before differ in at most this part of them all."""
MAX_PAUSE_H = 6.0
"""After a longer pause a camera's defects are those of another night."""
MAX_TEMPERATURE_STEP_C = 4.0
"""Within so many degrees a sensor's hot pixels are about the same."""
MIN_PART_FRAMES = 8
"""Fewer frames of a night or temperature are looked at together with those before them."""
CONTENT_VERSION = 14
"""Raised when a change of the code makes stored measurements stale."""
GIVEN = ("frame",)
"""What the journal does not keep of a measured frame: the scan of this run has it."""


@dataclass(frozen=True)
class DetectorCalibration:
    """What the pixels of a camera need: defects to mend, and the user's masters."""

    path: Path
    """File of all that (`_Camera`), for `calibrated_pixels`."""
    fingerprint: str
    masters: CalibrationFrames = NO_CALIBRATION_FRAMES


DetectorCalibrations = dict[Group, DetectorCalibration]
"""By `FrameRef.camera_key`."""


@dataclass(frozen=True)
class _MeasureTask:
    frame: FrameRef
    defects: Path
    scratch: Path
    stack: bool
    """Whether the frame is a finished stack, with places that no frame reached."""


@dataclass(frozen=True)
class _DefectTask:
    parts: tuple[tuple[FrameRef, ...], ...]
    """A spread of frames of each night and temperature."""
    masters: CameraCalibrationFrames
    scratch: Path
    into: Path

    @property
    def frames(self) -> int:
        return sum(len(part) for part in self.parts)


def measure_frames(context: RunContext, frames: Sequence[FrameRef]) -> tuple[list[MeasuredFrame], DetectorCalibrations]:
    """Return the measured frames and the defect map of each camera.

    Parameters
    ----------
    context : RunContext
    frames : sequence of FrameRef
        All that the scan found.  Those that cannot be measured are dropped.

    Raises
    ------
    NothingUsable
        When no frame could be measured.
    """
    with context.timer.phase("measure", len(frames)) as advance:
        measured, defects = _measure(context, frames, advance)
        corrected = corrected_frames([(frame.frame, frame.sites) for frame in measured])
        if corrected:
            frames = [corrected.get(frame.frame.frame_id, frame.frame) for frame in measured]
            measured, defects = _measure(context, frames, advance)
    if not measured:
        raise NothingUsable(
            "error.no_usable_frames", folder=context.settings.input_dir, dropped=len(context.reporter.dropped)
        )
    return measured, defects


def _measure(
    context: RunContext, frames: Sequence[FrameRef], advance: Callable[[int], None]
) -> tuple[list[MeasuredFrame], DetectorCalibrations]:
    """Find the defects of the cameras and measure the frames; those that cannot be measured are dropped."""
    defects = _find_all_defects(context, frames)
    measured: list[MeasuredFrame] = []
    stored = {frame.frame_id: _stored_measurement(context, frame, defects[frame.camera_key]) for frame in frames}
    tasks = [
        _MeasureTask(frame, defects[frame.camera_key].path, context.scratch, context.settings.use_existing_master_tiles)
        for frame in frames
        if stored[frame.frame_id] is None
    ]
    fresh = context.workers.map_frames(measure_pixels, tasks, lambda task: task.frame)
    for done, frame in enumerate(frames, 1):
        result = stored[frame.frame_id] or next(fresh)
        if isinstance(result, Message):
            context.drop(Dropped(frame.path, frame.frame_id, "measure", FrameStatus.UNREADABLE, result))
        else:
            if stored[frame.frame_id] is None:
                depends_on = _measurement_digest(context, frame, defects[frame.camera_key])
                context.folder.journal.put("measure", frame.path, depends_on, to_bytes(result, GIVEN))
            measured.append(result)
            context.reporter.emit(_event(result))
        advance(done)
    return measured, defects


def measure_pixels(task: _MeasureTask) -> MeasuredFrame | Message:
    """Measure one frame; the reason if it cannot be."""
    frame, camera = task.frame, load_camera(task.defects)
    try:
        raw = open_pixels(frame, task.scratch).read_all()
        refuse_unusable(stack_pixels(raw) if task.stack else raw, Path(frame.path).name)
        cut_off = camera.masters.least(cut_off_level(raw))
        pixels = calibrated(raw, (0, frame.height, 0, frame.width), camera, frame)
        measured = measure(frame, remove_spikes(stack_pixels(pixels)) if task.stack else pixels, cut_off)
        return replace(measured, sites=site_levels(raw)) if frame.bayer is not None else measured
    except FrameError as error:
        return error.reason


class _Watched:
    """The pixels of a frame that may go while a camera's defects are looked for."""

    def __init__(self, source: PixelSource) -> None:
        self.source, self.sound = source, True

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape

    def read(self, y0: int, y1: int, x0: int, x1: int) -> NDArray[Any]:
        """Return a window (y0, y1, x0, x1); remember where it could not be read."""
        try:
            return self.source.read(y0, y1, x0, x1)
        except FrameError:
            self.sound = False
            raise


def _defects_of_part(part: Sequence[FrameRef], scratch: Path) -> NDArray[np.int64]:
    """Return the defects that the frames of a night and temperature show, as far as they can be read."""
    sources = []
    for frame in part:
        try:
            source = _Watched(open_pixels(frame, scratch))
            source.read(0, 2, 0, 2)
        except FrameError:
            continue  # measuring that frame will say why
        sources.append(source)
    while True:
        try:
            # In raw pixels: a dark takes the level of a hot pixel off but leaves its noise.
            return find_defects(sources, part[0])
        except FrameError:
            sources = [source for source in sources if source.sound]


def find_group_defects(task: _DefectTask) -> tuple[int, str]:
    """Find and store the defects of a camera; returns their number and a fingerprint of the map."""
    defects = np.empty(0, np.int64)
    for part in task.parts:
        defects = np.union1d(defects, _defects_of_part(part, task.scratch))
    all_defects = np.union1d(defects, np.array(task.masters.dead, np.int64))
    write_camera(task.into, all_defects, task.masters.masters)
    return len(defects), camera_fingerprint(all_defects, task.masters.fingerprint)


def spread_of_frames(ordered: Sequence[FrameRef]) -> tuple[tuple[FrameRef, ...], ...]:
    """Return a spread of a camera's frames, which are in the order of time, for each night and temperature.

    A pixel that is hot in one warm night of many would be in too few frames of a spread over all.
    """
    parts: list[list[FrameRef]] = []
    for frame in ordered:
        if not parts or _another_part(parts[-1][0], parts[-1][-1], frame):
            parts.append([])
        parts[-1].append(frame)
    # A part too small to judge by itself goes with the one before it.
    joined: list[list[FrameRef]] = []
    for part in parts:
        if joined and min(len(part), len(joined[-1])) < MIN_PART_FRAMES:
            joined[-1].extend(part)
        else:
            joined.append(part)
    places = [np.unique(np.linspace(0, len(part) - 1, MAX_SAMPLE_FRAMES).astype(int)) for part in joined]
    return tuple(tuple(part[i] for i in chosen) for part, chosen in zip(joined, places, strict=True))


def _another_part(first: FrameRef, last: FrameRef, frame: FrameRef) -> bool:
    """Whether a frame is of another night than the frame before it, or of another temperature than its part."""
    if last.date_obs and frame.date_obs and _hours_between(last.date_obs, frame.date_obs) > MAX_PAUSE_H:
        return True
    if first.temperature_c is None or frame.temperature_c is None:
        return False
    return abs(frame.temperature_c - first.temperature_c) > MAX_TEMPERATURE_STEP_C


def _hours_between(start: str, end: str) -> float:
    return abs((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()) / 3600.0


def read_defects(path: Path) -> NDArray[np.int64]:
    """Return the flat indices of the pixels that are mended, from the file of a camera."""
    return load_camera(path).defects


def _find_all_defects(context: RunContext, frames: Sequence[FrameRef]) -> DetectorCalibrations:
    context.scratch.mkdir(parents=True, exist_ok=True)
    masters = combine_calibration_frames(context, frames)
    members: dict[Group, list[FrameRef]] = {}
    for frame in frames:
        members.setdefault(frame.camera_key, []).append(frame)
    tasks: dict[Group, _DefectTask] = {}
    calibrations: DetectorCalibrations = {}
    for number, (group, group_frames) in enumerate(members.items()):
        ordered = sorted(group_frames, key=lambda frame: (frame.date_obs or "", frame.frame_id))
        chosen = spread_of_frames(ordered)
        into = context.scratch / f"camera_{number}.npz"
        frames_of_camera = masters.get(group, CameraCalibrationFrames())
        tasks[group] = _DefectTask(chosen, frames_of_camera, context.scratch, into)
        earlier = context.previous_run and context.previous_run.camera(group, frames_of_camera.fingerprint)
        if earlier and earlier[1] >= tasks[group].frames:
            calibrations[group] = _prior_calibration(tasks.pop(group), earlier[0])
            _record_camera(context, group, calibrations[group], frames_of_camera, earlier[1])
    answers = _answers(context, tasks.values())
    for (group, task), (number, fingerprint) in zip(tasks.items(), answers, strict=True):
        calibrations[group] = DetectorCalibration(task.into, fingerprint, task.masters.masters)
        earlier = context.previous_run and context.previous_run.camera(group, task.masters.fingerprint)
        if earlier and _similar_defects(earlier[0], load_camera(task.into).defects):
            calibrations[group] = _prior_calibration(task, earlier[0])
        _record_camera(context, group, calibrations[group], task.masters, task.frames)
        camera = task.parts[0][0].instrument or task.parts[0][0].telescope or "?"
        context.log(message("log.defects_found", number=number, camera=camera, frames=task.frames))
    return {group: calibrations[group] for group in members}


def _answers(context: RunContext, tasks: Iterable[_DefectTask]) -> Iterator[tuple[int, str]]:
    """Yield what `find_group_defects` returns; a camera is looked at again without frames that kill its workers."""
    waiting = list(tasks)

    def lost(_: _DefectTask, fault: BaseException) -> None:
        if not isinstance(fault, TaskKilled):
            raise fault

    answers = context.workers.map(find_group_defects, waiting, lost=lost)
    for task, answer in zip(waiting, answers, strict=True):
        if answer is None:
            looks = [(frame, task.scratch) for part in task.parts for frame in part]
            reasons = context.workers.map_frames(_look_at, looks, lambda look: look[0])
            sound = {frame.frame_id for (frame, _), reason in zip(looks, reasons, strict=True) if reason is None}
            parts = tuple(tuple(frame for frame in part if frame.frame_id in sound) for part in task.parts)
            readable = tuple(part for part in parts if part) or (task.parts[0][:1],)
            (answer,) = context.workers.map(find_group_defects, [replace(task, parts=readable)])
        yield answer


def _look_at(look: tuple[FrameRef, Path]) -> None:
    """Read a frame as looking for defects does."""
    with contextlib.suppress(FrameError):  # measuring that frame will say why
        open_pixels(*look).read_all()


def _prior_calibration(task: _DefectTask, defects: NDArray[np.int64]) -> DetectorCalibration:
    """Return a camera with the defects that an earlier night found."""
    write_camera(task.into, defects, task.masters.masters)
    return DetectorCalibration(task.into, camera_fingerprint(defects, task.masters.fingerprint), task.masters.masters)


def _record_camera(
    context: RunContext, group: Group, calibration: DetectorCalibration, masters: CameraCalibrationFrames, frames: int
) -> None:
    if context.previous_run is not None:
        context.previous_run.record_camera(group, load_camera(calibration.path).defects, masters.fingerprint, frames)


def _similar_defects(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    return len(np.setxor1d(first, second)) <= MAX_DEFECT_CHANGE * len(np.union1d(first, second))


def _measurement_digest(context: RunContext, frame: FrameRef, defects: DetectorCalibration) -> str:
    return phase_digest(context.settings, "measure", CONTENT_VERSION, frame.identity, defects.fingerprint)


def _stored_measurement(context: RunContext, frame: FrameRef, defects: DetectorCalibration) -> MeasuredFrame | None:
    stored = context.folder.journal.get("measure", frame.path, _measurement_digest(context, frame, defects))
    return None if stored is None else from_bytes(MeasuredFrame, stored, frame=frame)


def _event(measured: MeasuredFrame) -> FrameMeasured:
    green = green_channel(len(measured.sky_adu))
    return FrameMeasured(
        frame_id=measured.frame.frame_id,
        path=measured.frame.path,
        stars=measured.star_count,
        fwhm_px=measured.fwhm_px,
        eccentricity=measured.eccentricity,
        sky_adu=measured.sky_adu[green],
        noise_adu=measured.noise_adu[green],
        snr=measured.snr,
    )
