"""The user's master dark, bias and flat: read, checked against the lights, combined; before any pixel is measured."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.calibration.masters import NO_MASTERS, Masters, combined, dead_pixels, response
from zemosaic.errors import FrameError, InputError, message
from zemosaic.frames.pixels import PixelSource, open_pixels
from zemosaic.frames.scan import fits_files, read_frame
from zemosaic.model import CameraKey, FrameRef
from zemosaic.phases.context import RunContext
from zemosaic.settings.schema import Settings

__all__ = ["CameraMasters", "Group", "make_masters", "masters_again"]

Group = CameraKey
"""`FrameRef.camera_key`."""

KINDS = ("master_bias", "master_dark", "master_flat")
"""Settings, in the order in which one may need another."""
SAME_EXPOSURE = 0.02
SAME_TEMPERATURE_C = 5.0
"""Darks taken further from the lights' temperature are used with a warning."""


@dataclass(frozen=True)
class CameraMasters:
    """Masters of one camera and what changes with their content."""

    masters: Masters = NO_MASTERS
    dead: tuple[int, ...] = ()
    """Flat indices of pixels that the flat shows to be blind."""
    fingerprint: str = ""


@dataclass(frozen=True)
class _Given:
    """Frames of one setting, checked against each other."""

    kind: str
    frames: tuple[FrameRef, ...]

    @property
    def first(self) -> FrameRef:
        return self.frames[0]


@dataclass(frozen=True)
class _CombineTask:
    given: _Given
    scratch: Path
    offset: Path | None
    """Of the same detector, for flats."""
    into: Path


def make_masters(context: RunContext, frames: Sequence[FrameRef]) -> dict[Group, CameraMasters]:
    """Return the masters of each camera; those without have no entry.

    Raises
    ------
    InputError
        When a setting names nothing usable, frames of one folder do not belong together, a master fits no
        light, or a flat comes without the dark or bias that it needs.
    """
    given = _given(context.settings)
    if not given:
        return {}
    if given[-1].kind == "master_flat" and len(given) == 1:
        raise InputError("error.flat_needs_offset", file=given[-1].first.path)
    lights: dict[Group, list[FrameRef]] = {}
    for frame in frames:
        lights.setdefault(frame.camera_key, []).append(frame)
    fitting = {group: _fitting(context, given, members) for group, members in lights.items()}
    _tell_left_out(context, given, fitting, lights)
    return {group: _made(context, number, fits) for number, (group, fits) in enumerate(fitting.items()) if fits}


def masters_again(settings: Settings, light: FrameRef, folder: Path) -> CameraMasters:
    """Return the masters of a light's camera, combined once more into a folder; none where the settings name none.

    Raises
    ------
    InputError
        As `make_masters`.
    """
    fits = _fits(_given(settings), light)
    return _combined(fits, folder, map) if fits else CameraMasters()


def _given(settings: Settings) -> list[_Given]:
    return [_read(kind, Path(path)) for kind in KINDS if (path := getattr(settings, kind))]


def _read(kind: str, path: Path) -> _Given:
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
        if frames and (differs := _unlike(frame, frames[0], exposure=kind == "master_dark")) is not None:
            raise InputError("error.masters_differ", file=str(file), other=frames[0].path, **differs)
        frames.append(frame)
    return _Given(kind, tuple(frames))


def _unlike(one: FrameRef, other: FrameRef, *, exposure: bool, gain: bool = True) -> dict[str, str] | None:
    """Return in what two frames differ that must not; what a header does not say may be right."""
    size = [f"{frame.width} x {frame.height} x {frame.planes} {frame.bayer or ''}".strip() for frame in (one, other)]
    if size[0] != size[1]:
        return {"what": "NAXIS", "found": size[0], "wanted": size[1]}
    for what, found, wanted, allowed in (
        ("GAIN", one.gain if gain else None, other.gain, 0.0),
        ("EXPTIME", one.exposure_s if exposure else None, other.exposure_s, SAME_EXPOSURE),
    ):
        if found is not None and wanted is not None and abs(found - wanted) > allowed * abs(wanted):
            return {"what": what, "found": f"{found:g}", "wanted": f"{wanted:g}"}
    return None


def _fitting(context: RunContext, given: Sequence[_Given], lights: Sequence[FrameRef]) -> dict[str, _Given]:
    """Return the masters that fit a camera's lights, by setting; a dark serves as offset before a bias."""
    fits = _fits(given, lights[0])
    if "master_dark" in fits:
        _compare_temperatures(context, fits["master_dark"], lights)
    return fits


def _fits(given: Sequence[_Given], light: FrameRef) -> dict[str, _Given]:
    fits = {one.kind: one for one in given if _misfit(one, light) is None}
    if not fits.keys() & {"master_bias", "master_dark"}:
        fits.pop("master_flat", None)
    return fits


def _misfit(given: _Given, light: FrameRef) -> dict[str, str] | None:
    return _unlike(given.first, light, exposure=given.kind == "master_dark", gain=given.kind != "master_flat")


def _tell_left_out(
    context: RunContext,
    given: Sequence[_Given],
    fitting: Mapping[Group, Mapping[str, _Given]],
    lights: Mapping[Group, Sequence[FrameRef]],
) -> None:
    """Warn of the cameras that a master does not fit; refuse a master that fits none."""
    for one in given:
        without = [group for group, fits in fitting.items() if one.kind not in fits]
        for group in without:
            light = lights[group][0]
            differs = _misfit(one, light)
            if differs is None:
                told = message("warning.flat_without_offset", file=one.first.path, light=light.path)
            else:
                told = message("warning.master_left_out", file=one.first.path, light=light.path, **differs)
            if len(without) == len(fitting):
                raise InputError(told.key.replace("warning.", "error."), **told.params)
            context.warn(told)


def _compare_temperatures(context: RunContext, dark: _Given, lights: Sequence[FrameRef]) -> None:
    known = [frame.temperature_c for frame in lights if frame.temperature_c is not None]
    cold = [frame.temperature_c for frame in dark.frames if frame.temperature_c is not None]
    if not known or not cold:
        return
    ours, theirs = float(np.median(known)), float(np.median(cold))
    if abs(ours - theirs) > SAME_TEMPERATURE_C:
        context.warn(
            message("warning.dark_temperature", file=dark.first.path, dark=round(theirs, 1), lights=round(ours, 1))
        )


def _made(context: RunContext, number: int, fits: Mapping[str, _Given]) -> CameraMasters:
    """Combine the masters of one camera."""
    made = _combined(fits, context.scratch / f"masters_{number}", context.map)
    for kind, one in fits.items():
        context.log(message("log.master_made", setting=kind, frames=len(one.frames), file=one.first.path))
    return made


def _combined(
    fits: Mapping[str, _Given], folder: Path, apply: Callable[..., Iterable[tuple[str, tuple[int, ...]]]]
) -> CameraMasters:
    """Combine masters into a folder; `apply` maps a function over tasks."""
    folder.mkdir(parents=True, exist_ok=True)
    levels = [kind for kind in ("master_dark", "master_bias") if kind in fits]
    files = {kind: folder / f"{kind}.npy" for kind in levels}
    tasks = [_CombineTask(fits[kind], folder, None, files[kind]) for kind in levels]
    marks = [mark for mark, _ in apply(combine_master, tasks)]
    masters = Masters(offset=files[levels[0]])
    dead: tuple[int, ...] = ()
    if "master_flat" in fits:
        into = folder / "master_flat.npy"
        # A flat is much shorter than the lights: its own level without light is the bias, where there is one.
        task = _CombineTask(fits["master_flat"], folder, files[levels[-1]], into)
        mark, dead = next(iter(apply(combine_master, [task])))
        masters = replace(masters, flat=into)
        marks.append(mark)
    return CameraMasters(masters, dead, " ".join(marks))


def combine_master(task: _CombineTask) -> tuple[str, tuple[int, ...]]:
    """Combine and store one master; returns the digest of its content and, of a flat, its blind pixels.

    Raises
    ------
    InputError
        When one of its frames cannot be read.
    """
    first = task.given.first
    window = (0, first.height, 0, first.width)
    offset = Masters(offset=task.offset)
    dead: tuple[int, ...] = ()
    try:
        sources = [_Offset(open_pixels(frame, task.scratch, borders=True), offset) for frame in task.given.frames]
        shape = sources[0].source.shape
        levels = [float(np.nanmedian(one.read(*window))) for one in sources] if task.offset is not None else None
        if levels is not None and min(levels) <= 0:
            raise InputError("error.flat_dark", file=task.given.frames[int(np.argmin(levels))].path)
        master = combined(sources, shape, levels)
    except FrameError as fault:
        raise InputError(fault.reason.key, **fault.reason.params) from fault
    if task.offset is not None:
        dead = tuple(int(k) for k in dead_pixels(master, first.bayer))
        master = response(master, first.bayer)
    else:
        master = np.nan_to_num(master)
    with task.into.open("wb") as stream:
        np.save(stream, master)
    return hashlib.blake2b(master.tobytes(), digest_size=12).hexdigest(), dead


@dataclass(frozen=True)
class _Offset:
    """A frame read less its level without light."""

    source: PixelSource
    masters: Masters

    def read(self, y0: int, y1: int, x0: int, x1: int) -> NDArray[Any]:
        return self.masters.applied(self.source.read(y0, y1, x0, x1), (y0, y1, x0, x1))
