"""What a run leaves of itself so that any pixel of its mosaics can be made again: numbers and names, as one text.

The text is a compressed archive of arrays in base64; it stands in ``run_report.json``.  Nothing in it could run.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.model import (
    CalibratedFrame,
    FieldStars,
    FrameRef,
    GridPlan,
    MeasuredFrame,
    Solution,
    SolvedFrame,
    StarList,
    TileProduct,
    TileSpec,
)
from zemosaic.sky import Distortion, FrameWcs

__all__ = [
    "CameraRecord",
    "FrameColumns",
    "MasterRecord",
    "MosaicRecord",
    "Stacked",
    "records_from_text",
    "records_to_text",
]

FORMAT = 1
Box = tuple[int, int, int, int]
Tree = Any
"""Dictionaries, lists and plain values with arrays among them."""

_NO_STARS = StarList(
    np.empty(0), np.empty(0), *(np.empty((0, 1), np.float32),) * 2, np.empty(0, np.float32), np.empty(0, np.bool_)
)
_SHAPE = ("size_bytes", "mtime_ns", "hdu", "width", "height", "planes")


@dataclass(frozen=True)
class CameraRecord:
    """What is mended in the frames of one camera."""

    defects: NDArray[np.int64]
    """Flat pixel indices."""
    fingerprint: str
    """Of the defects and the master dark, bias and flat."""


@dataclass(frozen=True)
class Stacked:
    """A plane on which frames were stacked, tile by tile."""

    plan: GridPlan
    products: tuple[TileProduct, ...]


@dataclass(frozen=True)
class MasterRecord:
    """A master tile and how it went into the mosaic."""

    stacked: Stacked
    box: Box
    """The part of its plane that counts."""
    valid: NDArray[np.bool_]
    """Pixels of that part that have light."""
    gain: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()


class FrameColumns:
    """Calibrated frames as columns; one of them becomes a `CalibratedFrame` when it is asked for."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = columns
        self._rows = {int(number): row for row, number in enumerate(columns["frame_id"])}

    @classmethod
    def of(cls, frames: Sequence[CalibratedFrame], cameras: Sequence[int]) -> FrameColumns:
        """Return the columns of frames, and of the number of each one's camera."""
        refs = [frame.frame for frame in frames]
        distortions = {frame.wcs.distortion: 0 for frame in frames}
        numbers = {one: k for k, one in enumerate(distortions)}
        return cls(
            {
                "frame_id": np.array([ref.frame_id for ref in refs], np.int32),
                "path": [ref.path for ref in refs],
                "bayer": [ref.bayer or "" for ref in refs],
                "shape": np.array([[getattr(ref, name) for name in _SHAPE] for ref in refs], np.int64),
                "stored": np.array([[-1 if r.colour_axis is None else r.colour_axis, r.compressed] for r in refs]),
                "camera": np.array(cameras, np.int32),
                "where": np.array([_wcs_numbers(frame.wcs) for frame in frames]),
                "projection": [frame.wcs.projection for frame in frames],
                "distortions": [None if one is None else asdict(one) for one in distortions],
                "distortion": np.array([numbers[frame.wcs.distortion] for frame in frames], np.int32),
                "light": np.array([[f.bias_adu, f.weight, *f.illumination, 0.0][:4] for f in frames]),
                "transparency": np.array([frame.transparency for frame in frames]),
                "sky": np.array([frame.sky_adu for frame in frames]),
                "noise": np.array([frame.noise for frame in frames]),
                "hidden": _ragged([frame.hidden for frame in frames]),
                "numbers": np.array([[ref.number_scale, ref.number_zero] for ref in refs]),
            }
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, frame_id: int) -> bool:
        return frame_id in self._rows

    @property
    def ids(self) -> tuple[int, ...]:
        """All frame_ids in their order."""
        return tuple(self._rows)

    @property
    def tree(self) -> Tree:
        """Columns as they are stored."""
        return dict(self._columns)

    def path(self, frame_id: int) -> str:
        """Return where a frame's file lay."""
        return str(self._columns["path"][self._rows[frame_id]])

    def camera(self, frame_id: int) -> int:
        """Return the number of a frame's camera."""
        return int(self._columns["camera"][self._rows[frame_id]])

    def frame(self, frame_id: int) -> CalibratedFrame:
        """Return a frame with all that stacking looks at; its stars and what its header tells are left out."""
        columns, row = self._columns, self._rows[frame_id]
        shape = dict(zip(_SHAPE, columns["shape"][row].tolist(), strict=True))
        axis, compressed = columns["stored"][row].tolist()
        number_scale, number_zero = columns["numbers"][row].tolist() if "numbers" in columns else (1.0, 0.0)
        ref = FrameRef(
            frame_id=frame_id, path=self.path(frame_id), **shape, colour_axis=None if axis < 0 else axis,
            bayer=columns["bayer"][row] or None, compressed=bool(compressed), exposure_s=None, date_obs=None,
            instrument="", telescope="", filter_name="", object_name="", gain=None, temperature_c=None, binning=1,
            ra_deg=None, dec_deg=None, scale_arcsec=None, header_wcs=None,
            number_scale=number_scale, number_zero=number_zero,
        )  # fmt: skip
        bend = columns["distortions"][int(columns["distortion"][row])]
        wcs = _wcs_of(columns["where"][row].tolist(), columns["projection"][row], bend)
        noise, transparency = (tuple(columns[name][row].tolist()) for name in ("noise", "transparency"))
        sky = columns["sky"][row]
        measured = MeasuredFrame(ref, _NO_STARS, tuple(sky[:, 0].tolist()), noise, np.nan, np.nan, 0.0)
        bias, weight, *illumination = columns["light"][row].tolist()
        return CalibratedFrame(
            solved=SolvedFrame(measured, Solution(wcs, "recorded", 0, np.nan)),
            transparency=transparency,
            sky_adu=tuple(map(tuple, sky.tolist())),
            bias_adu=bias,
            illumination=tuple(illumination),
            noise=noise,
            weight=weight,
            hidden=_part(columns["hidden"], row),
        )


@dataclass(frozen=True)
class MosaicRecord:
    """One mosaic: everything but the frames' pixels."""

    mosaic: str
    """Name of its file."""
    canvas: GridPlan
    """Its plane, without tiles."""
    box: Box
    """The part of the canvas that the file holds."""
    level: tuple[float, ...]
    """Sky level that was added to each channel."""
    frames: FrameColumns
    cameras: tuple[CameraRecord, ...]
    stars: FieldStars
    tiles: Stacked | None = None
    """Of Grid mode."""
    masters: tuple[MasterRecord, ...] = ()
    """Of Classic mode."""


def records_to_text(records: Iterable[MosaicRecord]) -> str:
    """Return the records of a run as text."""
    arrays: dict[str, NDArray[Any]] = {}

    def plain(value: Tree) -> Tree:
        if isinstance(value, np.ndarray):
            arrays[f"a{len(arrays)}"] = value
            return {"array": f"a{len(arrays) - 1}"}
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    meta = json.dumps({"format": FORMAT, "mosaics": [plain(_tree(record)) for record in records]})
    stream = io.BytesIO()
    np.savez_compressed(stream, meta=np.frombuffer(meta.encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    return base64.b64encode(stream.getvalue()).decode("ascii")


def records_from_text(text: str) -> list[MosaicRecord]:
    """Return what `records_to_text` wrote; raises ValueError for anything else."""
    try:
        with np.load(io.BytesIO(base64.b64decode(text, validate=True)), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        told = json.loads(arrays.pop("meta").tobytes())
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']}")

        def full(value: Tree) -> Tree:
            if isinstance(value, dict):
                return arrays[value["array"]] if "array" in value else {key: full(item) for key, item in value.items()}
            return [full(item) for item in value] if isinstance(value, list) else value

        return [_record(full(tree)) for tree in told["mosaics"]]
    except (KeyError, TypeError, EOFError, binascii.Error, zipfile.BadZipFile, zlib.error) as fault:
        raise ValueError(str(fault)) from fault


def _tree(record: MosaicRecord) -> Tree:
    stars = record.stars
    return {
        "mosaic": record.mosaic,
        "canvas": _plan_tree(record.canvas),
        "box": record.box,
        "level": record.level,
        "frames": record.frames.tree,
        "cameras": [{"defects": one.defects, "fingerprint": one.fingerprint} for one in record.cameras],
        "stars": {
            "ra": stars.ra_deg,
            "dec": stars.dec_deg,
            "flux": stars.flux,
            "widths": [stars.fwhm_px, stars.fwhm_arcsec, *stars.seeing],
        },
        "tiles": None if record.tiles is None else _stacked_tree(record.tiles),
        "masters": [
            {
                "stacked": _stacked_tree(one.stacked),
                "box": one.box,
                "valid": np.packbits(one.valid),
                "gain": one.gain,
                "offset": one.offset,
            }
            for one in record.masters
        ],
    }


def _record(tree: Tree) -> MosaicRecord:
    masters = []
    for one in tree["masters"]:
        y0, y1, x0, x1 = box = _box(one["box"])
        valid = np.unpackbits(one["valid"], count=(y1 - y0) * (x1 - x0)).reshape(y1 - y0, x1 - x0).astype(bool)
        masters.append(MasterRecord(_stacked(one["stacked"]), box, valid, tuple(one["gain"]), tuple(one["offset"])))
    return MosaicRecord(
        mosaic=tree["mosaic"],
        canvas=_plan(tree["canvas"]),
        box=_box(tree["box"]),
        level=tuple(tree["level"]),
        frames=FrameColumns(tree["frames"]),
        cameras=tuple(CameraRecord(one["defects"], one["fingerprint"]) for one in tree["cameras"]),
        stars=_stars(tree["stars"]),
        tiles=None if tree["tiles"] is None else _stacked(tree["tiles"]),
        masters=tuple(masters),
    )


def _stars(tree: Tree) -> FieldStars:
    width_px, width_arcsec, sharpest, softest = tree["widths"]
    return FieldStars(tree["ra"], tree["dec"], tree["flux"], width_px, width_arcsec, (sharpest, softest))


def _plan_tree(plan: GridPlan) -> Tree:
    wcs = {"numbers": _wcs_numbers(plan.wcs), "projection": plan.wcs.projection}
    return {"wcs": wcs, "width": plan.width, "height": plan.height, "channels": plan.channels}


def _plan(tree: Tree, tiles: tuple[TileSpec, ...] = ()) -> GridPlan:
    wcs = _wcs_of(tree["wcs"]["numbers"], tree["wcs"]["projection"], None)
    return GridPlan(wcs, tree["width"], tree["height"], tree["channels"], tiles)


def _stacked_tree(stacked: Stacked) -> Tree:
    tiles, products = stacked.plan.tiles, stacked.products
    return {
        "plan": _plan_tree(stacked.plan),
        "ids": np.array([tile.tile_id for tile in tiles], np.int32),
        "boxes": np.array([[*tile.inner, *tile.outer] for tile in tiles], np.int32),
        "members": _ragged([tile.frame_ids for tile in tiles]),
        "used": _ragged([product.frames_used for product in products]),
        "modes": [product.mode for product in products],
        "rejected": np.array([product.rejected_fraction for product in products]),
        "empty": np.array([product.empty for product in products], np.bool_),
    }


def _stacked(tree: Tree) -> Stacked:
    ids, boxes = tree["ids"].tolist(), tree["boxes"].tolist()
    specs = tuple(
        TileSpec(number, _box(box[:4]), _box(box[4:]), _part(tree["members"], k))
        for k, (number, box) in enumerate(zip(ids, boxes, strict=True))
    )
    rest = zip(tree["modes"], tree["rejected"].tolist(), tree["empty"].tolist(), strict=True)
    products = tuple(
        TileProduct(spec.tile_id, _part(tree["used"], k), fraction, mode, empty)
        for k, (spec, (mode, fraction, empty)) in enumerate(zip(specs, rest, strict=True))
    )
    return Stacked(_plan(tree["plan"], specs), products)


def _ragged(rows: Sequence[Sequence[int]]) -> Tree:
    """Return rows of numbers of different length as one array and where each row ends."""
    flat = np.array([number for row in rows for number in row], np.int32)
    return {"flat": flat, "ends": np.cumsum([0, *map(len, rows)], dtype=np.int64)}


def _part(ragged: Tree, row: int) -> tuple[int, ...]:
    first, last = ragged["ends"][row : row + 2].tolist()
    return tuple(ragged["flat"][first:last].tolist())


def _box(numbers: Sequence[int]) -> Box:
    y0, y1, x0, x1 = (int(number) for number in numbers)
    return y0, y1, x0, x1


def _wcs_numbers(wcs: FrameWcs) -> list[float]:
    return [wcs.ra_deg, wcs.dec_deg, wcs.x_ref, wcs.y_ref, *wcs.cd[0], *wcs.cd[1]]


def _wcs_of(numbers: Sequence[float], projection: Any, bend: Mapping[str, Sequence[float]] | None) -> FrameWcs:
    ra, dec, x, y, *cd = numbers
    distortion = None if bend is None else Distortion(tuple(bend["a"]), tuple(bend["b"]))
    return FrameWcs(ra, dec, x, y, ((cd[0], cd[1]), (cd[2], cd[3])), distortion, projection)
