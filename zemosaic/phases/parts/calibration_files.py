"""The user's master dark, bias and flat: read, checked against the lights, combined; before any pixel is measured."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.calibration.calibration_frames import (
    NO_CALIBRATION_FRAMES,
    CalibrationFrames,
    combine_frames,
    dead_pixels,
    flat_response,
)
from zemosaic.errors import FrameError, InputError, message
from zemosaic.frames.frame_files import fits_files, read_frame
from zemosaic.frames.pixels import PixelSource, open_pixels
from zemosaic.model import CameraKey, FrameRef
from zemosaic.phases.context import RunContext
from zemosaic.settings.schema import Settings

__all__ = ["CameraCalibrationFrames", "Group", "combine_calibration_frames", "recombine_calibration_frames"]

Group = CameraKey
"""`FrameRef.camera_key`."""

KINDS = ("master_bias", "master_dark", "master_flat")
"""Settings, in the order in which one may need another."""
MAX_EXPOSURE_DIFFERENCE = 0.02
MAX_TEMPERATURE_DIFFERENCE_C = 5.0
"""Darks taken further from the lights' temperature are used with a warning."""
LEFT_OUT = "error.master_left_out", "warning.master_left_out"
"""Texts of a calibration frame that fits no camera, or not all of them."""
FLAT_WITHOUT_OFFSET = "error.flat_without_offset", "warning.flat_without_offset"
"""Texts of a flat without the dark or bias that it needs, for all cameras or for some."""


@dataclass(frozen=True)
class CameraCalibrationFrames:
    """Masters of one camera and what changes with their content."""

    masters: CalibrationFrames = NO_CALIBRATION_FRAMES
    dead: tuple[int, ...] = ()
    """Flat indices of pixels that the flat shows to be blind."""
    fingerprint: str = ""


@dataclass(frozen=True)
class _UserFrames:
    """Frames of one setting, checked against each other."""

    kind: str
    frames: tuple[FrameRef, ...]

    @property
    def first(self) -> FrameRef:
        return self.frames[0]


@dataclass(frozen=True)
class _CombineTask:
    given: _UserFrames
    scratch: Path
    offset: Path | None
    """Of the same detector, for flats."""
    into: Path


def combine_calibration_frames(context: RunContext, frames: Sequence[FrameRef]) -> dict[Group, CameraCalibrationFrames]:
    """Return the masters of each camera; those without have no entry.

    Parameters
    ----------
    context : RunContext
    frames : sequence of FrameRef
        The lights, which say what cameras there are.

    Raises
    ------
    InputError
        When a setting names nothing usable, frames of one folder do not belong together, a master fits no
        light, or a flat comes without the dark or bias that it needs.
    """
    user_frames = _user_frames(context.settings)
    if not user_frames:
        return {}
    if user_frames[-1].kind == "master_flat" and len(user_frames) == 1:
        raise InputError("error.flat_needs_offset", file=user_frames[-1].first.path)
    lights: dict[Group, list[FrameRef]] = {}
    for frame in frames:
        lights.setdefault(frame.camera_key, []).append(frame)
    fitting = {group: _checked_frames(context, user_frames, members) for group, members in lights.items()}
    _warn_of_unused(context, user_frames, fitting, lights)
    return {
        group: _combine_for_camera(context, number, fits)
        for number, (group, fits) in enumerate(fitting.items())
        if fits
    }


def recombine_calibration_frames(settings: Settings, light: FrameRef, folder: Path) -> CameraCalibrationFrames:
    """Return the masters of a light's camera, combined once more into a folder; none where the settings name none.

    Parameters
    ----------
    settings : Settings
        Those of the run that is repeated.
    light : FrameRef
    folder : Path
        Takes the combined frames; is made where it is not there.

    Raises
    ------
    InputError
        As `combine_calibration_frames`.
    """
    fits = _fitting_frames(_user_frames(settings), light)
    return _combine(fits, folder, map) if fits else CameraCalibrationFrames()


def _user_frames(settings: Settings) -> list[_UserFrames]:
    return [_read(kind, Path(path)) for kind in KINDS if (path := getattr(settings, kind))]


def _read(kind: str, path: Path) -> _UserFrames:
    """Return the frames of a file or folder."""
    files = fits_files(path) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise InputError("error.master_missing", setting=kind, path=str(path))
    frames: list[FrameRef] = []
    for file in files:
        try:
            frame = read_frame(file, light=False)
        except FrameError as fault:
            raise InputError(fault.reason.key, **fault.reason.params) from fault
        if frames and (difference := _header_difference(frame, frames[0], exposure=kind == "master_dark")) is not None:
            raise InputError("error.masters_differ", file=str(file), other=frames[0].path, **difference)
        frames.append(frame)
    return _UserFrames(kind, tuple(frames))


def _header_difference(
    checked: FrameRef, reference: FrameRef, *, exposure: bool, gain: bool = True
) -> dict[str, str] | None:
    """Return in what two frames differ that must not; what a header does not say may be right."""
    size = [
        f"{frame.width} x {frame.height} x {frame.planes} {_pattern_of_card(frame) or ''}".strip()
        for frame in (checked, reference)
    ]
    if size[0] != size[1]:
        return {"what": "NAXIS", "found": size[0], "wanted": size[1]}
    for keyword, value, reference_value, allowed in (
        ("GAIN", checked.gain if gain else None, reference.gain, 0.0),
        ("EXPTIME", checked.exposure_s if exposure else None, reference.exposure_s, MAX_EXPOSURE_DIFFERENCE),
    ):
        if (
            value is not None
            and reference_value is not None
            and abs(value - reference_value) > allowed * abs(reference_value)
        ):
            return {"what": keyword, "found": f"{value:g}", "wanted": f"{reference_value:g}"}
    return None


def _pattern_of_card(frame: FrameRef) -> str | None:
    """Return the Bayer pattern of a frame's header: masters bear the same card as lights whose pixels contradict it."""
    cards = [str(note.params["card"]) for note in frame.notes if note.key == "note.bayer_wrong"]
    return cards[0] if cards else frame.bayer


def _checked_frames(
    context: RunContext, user_frames: Sequence[_UserFrames], lights: Sequence[FrameRef]
) -> dict[str, _UserFrames]:
    """Return the masters that fit a camera's lights, by setting; a dark serves as offset before a bias."""
    fits = _fitting_frames(user_frames, lights[0])
    if "master_dark" in fits:
        _compare_temperatures(context, fits["master_dark"], lights)
    return fits


def _fitting_frames(user_frames: Sequence[_UserFrames], light: FrameRef) -> dict[str, _UserFrames]:
    """Return the masters that fit a light, by setting, with the light's Bayer pattern."""
    fits = {
        kind_frames.kind: replace(
            kind_frames, frames=tuple(replace(frame, bayer=light.bayer) for frame in kind_frames.frames)
        )
        for kind_frames in user_frames
        if _misfit(kind_frames, light) is None
    }
    if not fits.keys() & {"master_bias", "master_dark"}:
        fits.pop("master_flat", None)
    return fits


def _misfit(user_frames: _UserFrames, light: FrameRef) -> dict[str, str] | None:
    return _header_difference(
        user_frames.first, light, exposure=user_frames.kind == "master_dark", gain=user_frames.kind != "master_flat"
    )


def _warn_of_unused(
    context: RunContext,
    user_frames: Sequence[_UserFrames],
    fitting: Mapping[Group, Mapping[str, _UserFrames]],
    lights: Mapping[Group, Sequence[FrameRef]],
) -> None:
    """Warn of the cameras that a master does not fit; refuse a master that fits none."""
    for kind_frames in user_frames:
        without = [group for group, fits in fitting.items() if kind_frames.kind not in fits]
        for group in without:
            light = lights[group][0]
            difference = _misfit(kind_frames, light)
            error, warning = FLAT_WITHOUT_OFFSET if difference is None else LEFT_OUT
            values = {"file": kind_frames.first.path, "light": light.path} | (difference or {})
            if len(without) == len(fitting):
                raise InputError(error, **values)
            context.warn(message(warning, **values))


def _compare_temperatures(context: RunContext, dark: _UserFrames, lights: Sequence[FrameRef]) -> None:
    light_temperatures = [frame.temperature_c for frame in lights if frame.temperature_c is not None]
    dark_temperatures = [frame.temperature_c for frame in dark.frames if frame.temperature_c is not None]
    if not light_temperatures or not dark_temperatures:
        return
    light_median, dark_median = float(np.median(light_temperatures)), float(np.median(dark_temperatures))
    if abs(light_median - dark_median) > MAX_TEMPERATURE_DIFFERENCE_C:
        context.warn(
            message(
                "warning.dark_temperature",
                file=dark.first.path,
                dark=round(dark_median, 1),
                lights=round(light_median, 1),
            )
        )


def _combine_for_camera(context: RunContext, number: int, fits: Mapping[str, _UserFrames]) -> CameraCalibrationFrames:
    """Combine the masters of one camera."""
    combined = _combine(fits, context.scratch / f"masters_{number}", context.workers.map)
    for kind, one in fits.items():
        context.log(message("log.master_made", setting=kind, frames=len(one.frames), file=one.first.path))
    return combined


def _combine(
    fits: Mapping[str, _UserFrames], folder: Path, apply: Callable[..., Iterable[tuple[str, tuple[int, ...]]]]
) -> CameraCalibrationFrames:
    """Combine masters into a folder; `apply` maps a function over tasks."""
    folder.mkdir(parents=True, exist_ok=True)
    levels = [kind for kind in ("master_dark", "master_bias") if kind in fits]
    files = {kind: folder / f"{kind}.npy" for kind in levels}
    tasks = [_CombineTask(fits[kind], folder, None, files[kind]) for kind in levels]
    marks = [mark for mark, _ in apply(combine_master, tasks)]
    masters = CalibrationFrames(offset=files[levels[0]])
    dead: tuple[int, ...] = ()
    if "master_flat" in fits:
        into = folder / "master_flat.npy"
        # A flat is much shorter than the lights: its own level without light is the bias, where there is one.
        task = _CombineTask(fits["master_flat"], folder, files[levels[-1]], into)
        mark, dead = next(iter(apply(combine_master, [task])))
        masters = replace(masters, flat=into)
        marks.append(mark)
    return CameraCalibrationFrames(masters, dead, " ".join(marks))


def combine_master(task: _CombineTask) -> tuple[str, tuple[int, ...]]:
    """Combine and store one master; returns the digest of its content and, of a flat, its blind pixels.

    Raises
    ------
    InputError
        When one of its frames cannot be read.
    """
    first = task.given.first
    window = (0, first.height, 0, first.width)
    offset = CalibrationFrames(offset=task.offset)
    dead: tuple[int, ...] = ()
    try:
        sources = [_Offset(open_pixels(frame, task.scratch, borders=True), offset) for frame in task.given.frames]
        shape = sources[0].source.shape
        levels = [float(np.nanmedian(source.read(*window))) for source in sources] if task.offset is not None else None
        if levels is not None and min(levels) <= 0:
            raise InputError("error.flat_dark", file=task.given.frames[int(np.argmin(levels))].path)
        master = combine_frames(sources, shape, levels)
    except FrameError as fault:
        raise InputError(fault.reason.key, **fault.reason.params) from fault
    if task.offset is not None:
        dead = tuple(int(k) for k in dead_pixels(master, first.bayer))
        master = flat_response(master, first.bayer)
    else:
        master = np.nan_to_num(master)
    with task.into.open("wb") as stream:
        np.save(stream, master)
    return hashlib.blake2b(master.tobytes(), digest_size=12).hexdigest(), dead


@dataclass(frozen=True)
class _Offset:
    """A frame read less its level without light."""

    source: PixelSource
    masters: CalibrationFrames

    def read(self, y0: int, y1: int, x0: int, x1: int) -> NDArray[Any]:
        return self.masters.applied(self.source.read(y0, y1, x0, x1), (y0, y1, x0, x1))
