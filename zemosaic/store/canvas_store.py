"""The pixels of a run on disk: tiles as they were stacked, and the canvas they make.

One zarr group, uncompressed, one chunk per tile, so that workers write side by side; chunks are
written whole (zarr's local store renames a finished temporary file).  Works with zarr 2 and 3.
What lies on the disk is believed only as far as checksums agree: disks and people damage files.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from zemosaic.atomic import sync_file, write_atomic
from zemosaic.errors import OutputError, TileDamaged
from zemosaic.model import GridPlan, TileSpec
from zemosaic.store.plain_arrays import holds_plain_numbers
from zemosaic.store.store_size import largest_box

__all__ = ["CanvasStore", "TilePixels"]

LAYOUT_NAME = "layout"
"""The file that says which plan a store is of, and what its arrays are described by."""
MAX_LAYOUT_BYTES = 4096
_NO_PLAN = "none"
_DESCRIPTIONS = ("zarr.json", ".zgroup", ".zattrs", ".zarray", ".zmetadata")
"""Files by which zarr 2 and 3 describe groups and arrays."""
_ZARR_2 = zarr.__version__.startswith("2.")

_PLANES: Mapping[str, tuple[str, float]] = {
    "value": ("f4", np.nan),
    "weight": ("f4", 0.0),
    "kept": ("u2", 0),
    "rejected": ("u2", 0),
}

_MAPS = tuple(name for name in _PLANES if name != "value")


@dataclass(frozen=True)
class TilePixels:
    """The arrays of one tile or of one box of the canvas, (channels, h, w) and (h, w)."""

    value: NDArray[np.float32]
    weight: NDArray[np.float32]
    kept: NDArray[np.uint16]
    rejected: NDArray[np.uint16]


class _Mark:
    """Lengths and checksum of a tile's chunks."""

    def __init__(self) -> None:
        self._seen = hashlib.sha256()
        self._lengths: list[int] = []

    def add(self, chunk: bytes) -> None:
        """Take in the next chunk."""
        self._lengths.append(len(chunk))
        self._seen.update(chunk)

    def text(self) -> str:
        """Return the mark of what was taken in."""
        return f"{'+'.join(map(str, self._lengths))}:{self._seen.hexdigest()}"


class CanvasStore:
    """Tiles and canvas of one plan; picklable by its path.

    Beside the arrays lies a file with the plan's fingerprint and a checksum of all that describes the arrays.
    What does not agree with it is never opened: the store is begun anew.  Every tile has a mark, the checksum
    and the lengths of its chunks, by which a run can tell whether they still are what was written.

    Parameters
    ----------
    path : Path
    marks : mapping, optional
        Marks of tiles, by their place in the plan, that reading has to agree with.
    """

    def __init__(self, path: Path, marks: Mapping[int, str] | None = None) -> None:
        self.path = path
        self.marks: dict[int, str] = dict(marks or {})
        self._opened: Any = None
        self._arrays: dict[str, Any] = {}
        """Those in use: opening one takes as long as reading a tile."""

    def __reduce__(self) -> tuple[Any, ...]:
        return CanvasStore, (self.path, self.marks)

    @property
    def _group(self) -> Any:
        if self._opened is None:
            self._opened = zarr.open_group(str(self.path), mode="a")
        return self._opened

    def create(self, plan: GridPlan, fingerprint: str) -> bool:
        """Make the arrays for a plan; those of another plan (by fingerprint), or damaged ones, are replaced.

        Parameters
        ----------
        plan : GridPlan
        fingerprint : str

        Returns
        -------
        bool
            Whether there was a store of this plan that was damaged.
        """
        if self._agrees(fingerprint):
            return False
        damaged = self._plan_on_disk() == fingerprint
        self._begin_anew()
        outer = largest_box(tile.outer for tile in plan.tiles)
        inner = largest_box(tile.inner for tile in plan.tiles)
        for name, (dtype, fill) in _PLANES.items():
            lead = (plan.channels,) if name == "value" else ()
            self._make(f"tile_{name}", (len(plan.tiles), *lead, *outer), (1, *lead, *outer), dtype, fill)
        self._make_canvas(plan.channels, plan.height, plan.width, inner)
        self._finish(fingerprint)
        return damaged

    def create_canvas(self, channels: int, height: int, width: int, block_px: int, fingerprint: str) -> None:
        """Make a canvas in square blocks, without tiles; one of another fingerprint, or a damaged one, is replaced.

        Parameters
        ----------
        channels, height, width, block_px : int
        fingerprint : str
            Of what the canvas shows.
        """
        if self._agrees(fingerprint):
            return
        self._begin_anew()
        self._make_canvas(channels, height, width, (min(block_px, height), min(block_px, width)))
        self._finish(fingerprint)

    def drop_canvas(self) -> None:
        """Remove the canvas; the tiles stay.  What is made for a plan begins anew."""
        if not self.sound():
            return  # its tiles count for nothing either, and what is begun here next replaces it
        self._arrays = {}
        for folder in self.path.glob("canvas_*"):
            shutil.rmtree(folder)
        self._finish(_NO_PLAN)

    def sound(self) -> bool:
        """Whether what describes the arrays is what was written, so that they can be opened."""
        return self._agrees(self._plan_on_disk())

    def holds_tile(self, row: int, mark: str) -> bool:
        """Whether the chunks of a tile on the disk agree with its mark.

        Parameters
        ----------
        row : int
            The tile's place in the plan.
        mark : str
            What `write_tile` returned.
        """
        return bool(mark) and bool(self._chunks_of(row, mark))

    def forget_tile(self, row: int) -> None:
        """Remove the chunks of a tile, whatever they are: writing a part of a damaged one would read it first."""
        self.marks.pop(row, None)
        for file in self._chunk_files(row):
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)

    def _plan_on_disk(self) -> str:
        """Return the fingerprint of the plan that the store was made for; empty where nobody can tell."""
        try:
            return (self.path / LAYOUT_NAME).read_bytes()[:MAX_LAYOUT_BYTES].decode("ascii").split("\n")[0]
        except (OSError, UnicodeDecodeError):
            return ""

    def _agrees(self, fingerprint: str) -> bool:
        try:
            written = (self.path / LAYOUT_NAME).read_bytes()[:MAX_LAYOUT_BYTES]
            return bool(fingerprint) and written == self._layout(fingerprint) and holds_plain_numbers(self.path)
        except OSError:
            return False

    def _layout(self, fingerprint: str) -> bytes:
        """Return what the file beside the arrays says of them as they are."""
        seen = hashlib.sha256(zarr.__version__.split(".")[0].encode())
        for folder in (
            self.path,
            *sorted(self.path.glob("tile_*")),
            *(self.path / f"canvas_{name}" for name in _PLANES),
        ):
            for file in sorted(folder / name for name in _DESCRIPTIONS):
                if file.exists():
                    content = file.read_bytes()
                    seen.update(f"{file.relative_to(self.path).as_posix()} {len(content)} ".encode() + content)
        return f"{fingerprint}\n{seen.hexdigest()}\n".encode("ascii")

    def _finish(self, fingerprint: str) -> None:
        """Say that the arrays are made, once they are on the disk for certain."""
        for folder in (self.path, *self.path.glob("*/")):
            for file in (folder / name for name in _DESCRIPTIONS):
                if file.is_file():
                    sync_file(file)
        write_atomic(self.path / LAYOUT_NAME, self._layout(fingerprint))

    def _begin_anew(self) -> None:
        if self.path.is_symlink() or self.path.is_file():
            self.path.unlink()
        elif self.path.is_dir():
            shutil.rmtree(self.path)
        self._opened = zarr.open_group(str(self.path), mode="w")
        self._arrays, self.marks = {}, {}

    def _array(self, name: str) -> Any:
        if name not in self._arrays:
            if not holds_plain_numbers(self.path):
                raise OutputError("error.store_foreign", folder=str(self.path))
            self._arrays[name] = self._group[name]
        return self._arrays[name]

    def _make_canvas(self, channels: int, height: int, width: int, block: tuple[int, int]) -> None:
        for name, (dtype, fill) in _PLANES.items():
            lead = (channels,) if name == "value" else ()
            self._make(f"canvas_{name}", (*lead, height, width), (*lead, *block), dtype, fill)

    def _make(self, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str, fill: float) -> None:
        if _ZARR_2:
            self._group.create_dataset(name, shape=shape, chunks=chunks, dtype=dtype, fill_value=fill, compressor=None)
        else:
            self._group.create_array(
                name,
                shape=shape,
                chunks=chunks,
                dtype=dtype,
                fill_value=fill,
                compressors=None,
                filters=None,
                # Nothing empty is written; looking for it takes as long as the writing.
                config={"write_empty_chunks": True},
            )

    def write_tile(self, tile: TileSpec, row: int, pixels: TilePixels) -> str:
        """Store a stacked tile so that it outlives a power cut.

        Parameters
        ----------
        tile : TileSpec
        row : int
            Its place in the plan.
        pixels : TilePixels
            Shapes (channels, h, w) and (h, w) of its outer box.

        Returns
        -------
        str
            The tile's mark: lengths and checksum of its chunks.
        """
        y0, y1, x0, x1 = tile.outer
        mark = _Mark()
        for (name, (dtype, fill)), file in zip(_PLANES.items(), self._chunk_files(row), strict=True):
            # The whole chunk, as zarr would write it, but synced, and also where it holds nothing but the fill value.
            chunk = np.full((1, *self._array(f"tile_{name}").shape[1:]), fill, f"<{dtype}")
            chunk[_tile_place(name, 0, y1 - y0, x1 - x0)] = getattr(pixels, name)[None]
            content = chunk.tobytes()
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(file, content)
            mark.add(content)
        self.marks[row] = mark.text()
        return self.marks[row]

    def read_tile(self, tile: TileSpec, row: int) -> TilePixels:
        """Return a stacked tile, with shapes (channels, h, w) and (h, w) of its outer box.

        Parameters
        ----------
        tile : TileSpec
        row : int
            Its place in the plan.

        Raises
        ------
        TileDamaged
            When it does not agree with its mark any more.
        """
        return TilePixels(**self._tile_planes(tile, row, list(_PLANES)))

    def read_tile_value(self, tile: TileSpec, row: int) -> NDArray[np.float32]:
        """Return the values alone of a stacked tile, shape (channels, h, w) of its outer box, float32.

        Parameters
        ----------
        tile : TileSpec
        row : int
            Its place in the plan.

        Raises
        ------
        TileDamaged
            As `read_tile`.
        """
        return np.asarray(self._tile_planes(tile, row, ["value"])["value"])

    def _tile_planes(self, tile: TileSpec, row: int, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return planes of a tile by name; what has a mark is read once, and is what was compared with it."""
        y0, y1, x0, x1 = tile.outer
        size = y1 - y0, x1 - x0
        if row not in self.marks:
            return {name: np.asarray(self._array(f"tile_{name}")[_tile_place(name, row, *size)][0]) for name in names}
        chunks = dict(zip(_PLANES, self._chunks_of(row, self.marks[row]), strict=False))
        if not chunks:
            raise TileDamaged("error.tile_damaged", tile=tile.tile_id, folder=str(self.path))
        planes = {}
        for name in names:
            dtype, shape = _PLANES[name][0], (1, *self._array(f"tile_{name}").shape[1:])
            chunk = np.frombuffer(chunks[name], f"<{dtype}").reshape(shape)
            planes[name] = chunk[_tile_place(name, 0, *size)][0].astype(dtype)
        return planes

    def _chunk_files(self, row: int) -> list[Path]:
        """Return the files of a tile's chunks, in the order of the planes."""
        files = []
        for name in _PLANES:
            array = self._array(f"tile_{name}")
            place = (row, *(0 for _ in array.shape[1:]))
            key = array._chunk_key(place).rpartition("/")[2] if _ZARR_2 else array.metadata.encode_chunk_key(place)
            files.append(self.path / f"tile_{name}" / key)
        return files

    def _chunks_of(self, row: int, mark: str) -> list[bytes]:
        """Return the chunks of a tile, in the order of the planes; none where they do not agree with a mark."""
        if not self.sound():
            return []
        seen, chunks = _Mark(), []
        try:
            for file in self._chunk_files(row):
                chunks.append(file.read_bytes())
                seen.add(chunks[-1])
        except OSError:
            return []
        return chunks if seen.text() == mark else []

    def write_canvas(self, box: tuple[int, int, int, int], pixels: TilePixels) -> None:
        """Store one box (y0, y1, x0, x1) of the canvas.

        Parameters
        ----------
        box : (y0, y1, x0, x1)
        pixels : TilePixels
        """
        y0, y1, x0, x1 = box
        for name in _PLANES:
            place = (slice(y0, y1), slice(x0, x1))
            self._array(f"canvas_{name}")[(slice(None), *place) if name == "value" else place] = getattr(pixels, name)

    def read_canvas(self, box: tuple[int, int, int, int]) -> TilePixels:
        """Return one box (y0, y1, x0, x1) of the canvas."""
        y0, y1, x0, x1 = box
        value = np.asarray(self._array("canvas_value")[:, y0:y1, x0:x1])
        return TilePixels(value, *(np.asarray(self._array(f"canvas_{name}")[y0:y1, x0:x1]) for name in _MAPS))

    def write_feather(self, feather: NDArray[np.float32], box: tuple[int, int, int, int]) -> None:
        """Store what the weights are multiplied with where the canvas becomes part of another.

        Parameters
        ----------
        feather : ndarray, shape (y1 - y0, x1 - x0)
        box : (y0, y1, x0, x1)
            The part of the canvas that it is of; beyond it nothing counts.
        """
        # Always made anew: it came after the other arrays, and what an earlier run left of it may be damaged.
        if (self.path / "canvas_feather").exists():
            shutil.rmtree(self.path / "canvas_feather")
        self._arrays.pop("canvas_feather", None)
        weight = self._array("canvas_weight")
        self._make("canvas_feather", weight.shape, weight.chunks, "f4", 0.0)
        y0, y1, x0, x1 = box
        self._array("canvas_feather")[:] = np.float32(0)
        self._array("canvas_feather")[y0:y1, x0:x1] = feather

    def canvas(self, name: str) -> Any:
        """Return the array ``value`` (channels, H, W), or ``weight``, ``kept``, ``rejected``, ``feather`` (H, W)."""
        return self._array(f"canvas_{name}")


def _tile_place(name: str, row: int, height: int, width: int) -> tuple[slice, ...]:
    """Return the slices of a tile; zarr 2 and 3 read an ellipsis beside a number differently."""
    lead = (slice(None),) if name == "value" else ()
    return (slice(row, row + 1), *lead, slice(0, height), slice(0, width))
