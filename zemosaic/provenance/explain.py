"""Explain a pixel of a finished mosaic: which frames contribute to it, which do not, and why.

Nothing is remembered of a pixel.  What the run left in its report (`zemosaic.store.pixel_record`) is enough to stack
the pixel once more, from the frames that cover it and by the run's own functions; the value comes out the same.
"""

from __future__ import annotations

import math
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from zemosaic.arrays import Box, Float32s
from zemosaic.calibration.detector import camera_fingerprint, patterned_fingerprint, write_camera
from zemosaic.calibration.sensor.fixed_pattern import NO_PATTERN, FixedPattern
from zemosaic.coadd.cutouts import CoaddInput, CoaddPlane, cutouts_of, scale_area_ratio
from zemosaic.coadd.incremental import merged_block
from zemosaic.coadd.inputs import TileCache
from zemosaic.coadd.master_tile import MasterTile
from zemosaic.coadd.reproject_method import coadded_block
from zemosaic.errors import FrameError, InputError, Message, OutputError, message
from zemosaic.frames.frame_files import read_frame
from zemosaic.phases.assemble import grid_pieces
from zemosaic.phases.parts.calibration_files import CameraCalibrationFrames, recombine_calibration_frames
from zemosaic.phases.stack import stack_rules
from zemosaic.provenance.pixel_frames import PixelOf, frames_here, frames_left_out
from zemosaic.provenance.pixel_story import FrameHere, PixelState, PixelStory, Place
from zemosaic.provenance.report_file import made_of_mosaics, read_report, records_in, settings_in
from zemosaic.provenance.restack import Restacked, RestackedMaster
from zemosaic.settings.schema import Settings
from zemosaic.store.canvas_store import TilePixels
from zemosaic.store.codec import from_bytes
from zemosaic.store.mosaic_file import MosaicFile
from zemosaic.store.pixel_record import MosaicRecord

__all__ = ["REPORT_NAME", "Explainer", "explain_pixel"]

REPORT_NAME = "run_report.json"
MIN_SHARE = 1e-6
"""Master tiles with a smaller share in a pixel are not listed."""
MAX_DETAIL_CHARS = 200
_OF_DAMAGE = (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError, zlib.error)
"""What a report whose values are not those of a run leads to."""
MAX_RELATIVE_DIFFERENCE = 1e-4
"""Part of a pixel by which it may differ from the file before the user is told."""


@dataclass
class _Opened:
    """One mosaic, ready to be made again."""

    record: MosaicRecord
    tiles: Restacked | None
    masters: list[MasterTile]
    defects: list[frozenset[int]]
    told: list[Message] = field(default_factory=list)

    @property
    def planes(self) -> Iterator[Restacked]:
        """All planes."""
        if self.tiles is not None:
            yield self.tiles
        for master in self.masters:
            assert isinstance(master.store, RestackedMaster)
            yield master.store


class Explainer:
    """Tells of the pixels of one run's mosaics.

    Parameters
    ----------
    report : Path
        ``run_report.json``, or the folder it lies in.
    scratch : Path
        A folder for files of the moment; whoever made it removes it.

    Raises
    ------
    InputError
        When there is no such report, or it holds no record of the pixels.
    """

    def __init__(self, report: Path, scratch: Path) -> None:
        self.path = report / REPORT_NAME if report.is_dir() else report
        report_values = read_report(self.path)
        self._records = {record.mosaic: record for record in records_in(report_values, self.path)}
        self._made_of_mosaics = made_of_mosaics(report_values)
        self._settings = settings_in(report_values, self.path)
        self._entries: dict[str, Mapping[str, Any]] = {entry["path"]: entry for entry in report_values["frames"]}
        self._common = _common_folder(self._entries)
        self._scratch = Path(tempfile.mkdtemp(dir=scratch))
        self._opened: dict[str, _Opened] = {}

    def size(self, mosaic: str = "") -> tuple[int, int]:
        """Return width and height of a mosaic's file."""
        record = self._record(mosaic)
        return _width(record), _height(record)

    def place_of(self, ra_deg: float, dec_deg: float, mosaic: str = "") -> tuple[int, int]:
        """Return column and row, counted from 0, of the pixel that a direction falls on; perhaps outside.

        Parameters
        ----------
        ra_deg, dec_deg : float
            The direction.
        mosaic : str
            Name of the mosaic's file, where the run made several.

        Raises
        ------
        InputError
            When the direction lies on the other side of the sky.
        """
        record = self._record(mosaic)
        x, y = (float(v) for v in record.canvas.wcs.sky_to_pixel(ra_deg, dec_deg))
        if not (math.isfinite(x) and math.isfinite(y)):
            raise InputError("error.pixel_outside", file=record.mosaic, width=_width(record), height=_height(record))
        return math.floor(x + 0.5) - record.box[2], math.floor(y + 0.5) - record.box[0]

    def explain(self, column: int, row: int, mosaic: str = "") -> PixelStory:
        """Return how a pixel came about.

        Parameters
        ----------
        column, row : int
            Pixel of the mosaic's file, counted from 0, rows from the bottom.
        mosaic : str
            Name of the file; empty for that of the main field.

        Raises
        ------
        InputError
            When the mosaic has no such pixel or is none of this run, or a master frame is gone.
        """
        record = self._record(mosaic)
        if not (0 <= column < _width(record) and 0 <= row < _height(record)):
            raise InputError("error.pixel_outside", file=record.mosaic, width=_width(record), height=_height(record))
        at = row + record.box[0], column + record.box[2]
        ra, dec = (float(v) for v in record.canvas.wcs.pixel_to_sky(at[1], at[0]))
        opened = self._open(record)
        try:
            value, pixels = self._grid(opened, at) if opened.tiles is not None else self._classic(opened, at)
            frames = [one for pixel in pixels for one in self._frames(opened, pixel)]
        finally:
            self._tidy(opened)
        explained = {frame.path for frame in frames}
        stored = _stored(self.path.parent / record.mosaic, column, row)
        settings = self._settings
        return PixelStory(
            mosaic=record.mosaic,
            column=column,
            row=row,
            ra_deg=ra,
            dec_deg=dec,
            value=value,
            stored=stored,
            kappa_low=settings.stacking_kappa_low,
            kappa_high=settings.stacking_kappa_high,
            rejection=settings.stacking_rejection_algorithm,
            combine=settings.stacking_final_combine_method,
            frames=(*frames, *frames_left_out(self._entries.values(), explained, ra, dec)),
            drizzled=settings.stacking_drizzle,
            placeless=sum(entry["status"] == "unsolved" for entry in self._entries.values()),
            folder=self._common,
            told=(*opened.told, *_caveats(value, stored, frames, settings)),
        )

    def _record(self, mosaic: str) -> MosaicRecord:
        name = mosaic or next(iter(self._records))
        if name in self._made_of_mosaics:
            raise InputError("error.pixel_of_bands", file=name, mosaics=", ".join(self._records))
        if name not in self._records:
            raise InputError("error.pixel_other_run", file=name, report=str(self.path))
        return self._records[name]

    def _grid(self, opened: _Opened, at: tuple[int, int]) -> tuple[tuple[float, ...], list[PixelOf]]:
        """Return a pixel of Grid mode, and it as the tile sees it that has it for its own."""
        plane, record, box = opened.tiles, opened.record, (at[0], at[0] + 1, at[1], at[1] + 1)
        assert plane is not None
        plane.look_at(box)
        inputs = grid_pieces(plane.stacked.plan, plane)
        pixel = self._assembled(record, box, [inputs[k] for k in plane.near(box)])
        level = np.array(record.level, np.float32)
        pixel_of_tile = self._pixel_of(plane, at, partial(_raised, level=level))
        value = np.full(len(level), np.nan) if pixel is None else pixel.value[:, 0, 0] + level
        return tuple(float(v) for v in value), [] if pixel_of_tile is None else [pixel_of_tile]

    def _classic(self, opened: _Opened, at: tuple[int, int]) -> tuple[tuple[float, ...], list[PixelOf]]:
        """Return a pixel of Classic mode, and that of each master tile that lies under it."""
        record, box = opened.record, (at[0], at[0] + 1, at[1], at[1] + 1)
        plane_of_mosaic, cache = CoaddPlane(record.canvas.wcs), TileCache()
        shares: dict[int, float] = {}
        for number, tile in enumerate(opened.masters):
            for part in cutouts_of(box, [tile], plane_of_mosaic, cache):
                shares[number] = float(part.share[0, 0])
        pixel = self._assembled(record, box, [opened.masters[number] for number in shares])
        total, pixels = sum(shares.values()), []
        ra, dec = record.canvas.wcs.pixel_to_sky(at[1], at[0])
        for number, share in shares.items():
            tile = opened.masters[number]
            plane = tile.store
            assert isinstance(plane, RestackedMaster)
            x, y = plane.stacked.plan.wcs.sky_to_pixel(ra, dec)
            one = self._pixel_of(
                plane, (round(float(y)), round(float(x))), partial(_matched, record=record, tile=tile),
                share=share / total, master=number + 1,
            )  # fmt: skip
            if one is not None and share > MIN_SHARE * total:
                pixels.append(one)
        value = np.full(record.canvas.channels, np.nan) if pixel is None else pixel.value[:, 0, 0]
        return tuple(float(v) for v in value), pixels

    def _pixel_of(self, plane: Restacked, at: tuple[int, int], in_mosaic: Any, **more: Any) -> PixelOf | None:
        owner = plane.owner(*at)
        patch = None if owner is None else plane.patches.get(owner)
        if patch is None:
            return None
        ra, dec = (float(v) for v in plane.stacked.plan.wcs.pixel_to_sky(at[1], at[0]))
        return PixelOf(patch, *at, ra, dec, stack_rules(self._settings), in_mosaic, **more)

    def _assembled(self, record: MosaicRecord, box: Box, inputs: Sequence[CoaddInput]) -> TilePixels | None:
        assemble = merged_block if self._settings.final_assembly_method == "incremental" else coadded_block
        return assemble(box, inputs, CoaddPlane(record.canvas.wcs), TileCache())

    def _frames(self, opened: _Opened, pixel: PixelOf) -> list[FrameHere]:
        record = opened.record
        return frames_here(pixel, self._entries, lambda number: opened.defects[record.frames.camera(number)])

    def _open(self, record: MosaicRecord) -> _Opened:
        """Return a mosaic with its cameras' files written and its planes laid out; kept for the next pixel."""
        if record.mosaic not in self._opened:
            number = len(self._opened)
            folder = self._scratch / f"cameras_{number}"
            folder.mkdir()
            caveats: list[Message] = []
            cameras = [self._camera_file(record, k, folder, caveats) for k in range(len(record.cameras))]
            tiles = None
            if record.tiles is not None:
                tiles = Restacked(record, record.tiles, self._settings, cameras, self._scratch)
            masters = []
            for master in record.masters:
                plane = RestackedMaster(record, master, self._settings, cameras, self._scratch)
                wcs = master.stacked.plan.wcs.shifted(master.box[2], master.box[0])
                masters.append(MasterTile(plane, wcs, master.box, record.canvas.channels, master.gain, master.offset))
            defects = [frozenset(camera.defects.tolist()) for camera in record.cameras]
            self._opened[record.mosaic] = _Opened(record, tiles, masters, defects, caveats)
        return self._opened[record.mosaic]

    def _camera_file(self, record: MosaicRecord, number: int, folder: Path, caveats: list[Message]) -> Path:
        """Write what the frames of a camera need before they are stacked; masters are combined anew."""
        camera, path = record.cameras[number], folder / f"camera_{number}.npz"
        masters = CameraCalibrationFrames()
        if any(getattr(self._settings, f"master_{kind}") for kind in ("bias", "dark", "flat")):
            for frame_id in record.frames.ids:
                if record.frames.camera(frame_id) == number:
                    with suppress(FrameError):
                        bayer = record.frames.frame(frame_id).frame.bayer
                        light = replace(read_frame(Path(record.frames.path(frame_id))), bayer=bayer)
                        masters = recombine_calibration_frames(self._settings, light, folder / f"masters_{number}")
                        break
        pattern = from_bytes(FixedPattern, camera.pattern.tobytes()) if camera.pattern.size else NO_PATTERN
        write_camera(path, camera.defects, masters.masters, pattern)
        fingerprint = patterned_fingerprint(camera_fingerprint(camera.defects, masters.fingerprint), pattern)
        if fingerprint != camera.fingerprint:
            caveats.append(message("pixel.masters_changed"))
        return path

    def _tidy(self, opened: _Opened) -> None:
        """Let go of the samples, and of the decoded copies of compressed frames."""
        for plane in opened.planes:
            plane.forget()
        for copy in self._scratch.glob("*.npy"):
            copy.unlink()


@lru_cache(maxsize=1)
def _explainer(report: Path, scratch: Path, _mtime_ns: int) -> Explainer:
    return Explainer(report, scratch)


def explain_pixel(source: Path, scratch: Path, place: Place) -> PixelStory:
    """Return how a pixel came about; the run's report is kept for the next call.

    Parameters
    ----------
    source : Path
        A mosaic, its run's report, or the folder that holds them.
    scratch : Path
        See `Explainer`.
    place : Place

    Raises
    ------
    InputError
        As `Explainer` and its `explain`.
    """
    mosaic = "" if source.is_dir() or source.suffix == ".json" else source.name
    report = source.parent if mosaic else source
    report = report / REPORT_NAME if report.suffix != ".json" else report
    try:
        explainer = _explainer(report, scratch, report.stat().st_mtime_ns if report.exists() else 0)
        if place.on_sky:
            return explainer.explain(*explainer.place_of(place.x, place.y, mosaic), mosaic)
        return explainer.explain(math.floor(place.x + 0.5), math.floor(place.y + 0.5), mosaic)
    except _OF_DAMAGE as fault:
        # A report that was edited or damaged can say anything of any frame, and what it says is used everywhere here.
        detail = f"{type(fault).__name__}: {fault}".splitlines()[0][:MAX_DETAIL_CHARS]
        raise InputError("error.pixel_report", path=str(report), detail=detail) from fault


def _raised(value: Float32s, level: Float32s) -> Float32s:
    return value + level


def _matched(value: Float32s, record: MosaicRecord, tile: MasterTile) -> Float32s:
    """Return values of a master tile's plane as the mosaic has them."""
    matched = value + np.array(record.level, np.float32)
    if tile.gain:
        matched = matched * np.array(tile.gain, np.float32) + np.array(tile.offset, np.float32)
    return matched * np.float32(scale_area_ratio(record.canvas.wcs, tile.wcs))


def _common_folder(paths: Iterable[str]) -> str:
    """Return the folder that holds all paths; empty where they have none in common."""
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])  # noqa: PTH120 - 50,000 of them
    except ValueError:
        return ""  # on several drives


def _width(record: MosaicRecord) -> int:
    return record.box[3] - record.box[2]


def _height(record: MosaicRecord) -> int:
    return record.box[1] - record.box[0]


def _stored(mosaic: Path, column: int, row: int) -> tuple[float, ...]:
    """Return a pixel as it stands in the file; nothing where that is gone."""
    try:
        file = MosaicFile(mosaic)
    except OutputError:
        return ()
    try:
        return tuple(float(v) for v in file[:, row : row + 1, column : column + 1].ravel())
    finally:
        file.close()


def _caveats(
    value: Sequence[float], stored: Sequence[float], frames: Sequence[FrameHere], settings: Settings
) -> Iterator[Message]:
    """Yield why the pixel made again may not be that of the file."""
    if not stored:
        yield message("pixel.file_gone")
    missing = sum(frame.state is PixelState.UNREADABLE for frame in frames)
    if missing:
        yield message("pixel.frames_gone", count=missing)
    elif stored and not settings.save_final_as_uint16:
        is_different = np.abs(np.subtract(value, stored)) > MAX_RELATIVE_DIFFERENCE * np.maximum(np.abs(stored), 1.0)
        if is_different.any() or (np.isnan(value) != np.isnan(stored)).any():
            yield message("pixel.differs")
