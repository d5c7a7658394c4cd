"""The mosaic's grid as files, so that a later run makes a mosaic on the very same pixels.

``global_mosaic_wcs.json`` is what runs read; ``global_mosaic_wcs.fits``, a header without data, says the same to
other programs.  Where a run made several mosaics, each has its own pair, with its name at the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits
from pydantic import TypeAdapter, ValidationError

from zemosaic.errors import SettingsError
from zemosaic.export.files import write_whole
from zemosaic.sky import FrameWcs
from zemosaic.store.codec import to_plain

__all__ = ["FITS_NAME", "JSON_NAME", "SavedGrid", "read_grids", "write_grid"]

JSON_NAME = "global_mosaic_wcs.json"
FITS_NAME = "global_mosaic_wcs.fits"


@dataclass(frozen=True)
class SavedGrid:
    """A mosaic's pixels: where they lie on the sky and how many there are."""

    wcs: FrameWcs
    width: int
    height: int
    name: str = ""
    """Name of the field, empty where there was only one."""


def write_grid(folder: Path, grid: SavedGrid, key: str = "") -> None:
    """Write both files, with a key at the end of their names where there are several; raises OutputError."""
    end = f"_{key}" if key else ""
    content = {"format": 1, **to_plain(grid)}
    write_whole(_with_end(folder / JSON_NAME, end), (json.dumps(content, indent=2) + "\n").encode())
    header = fits.Header()
    header["SIMPLE"] = (True, "conforms to FITS standard")
    header["BITPIX"] = (8, "no data here")
    header["NAXIS"] = (0, "only a header: the grid of a mosaic")
    header["WCSAXES"] = (2, "celestial axes only")
    header.update(grid.wcs.to_cards())
    header["IMAGEW"] = (grid.width, "columns of the mosaic")
    header["IMAGEH"] = (grid.height, "rows of the mosaic")
    write_whole(_with_end(folder / FITS_NAME, end), header.tostring().encode("ascii"))


def read_grids(folder: Path) -> list[SavedGrid]:
    """Return the grids that a folder holds, in the order of their files' names.

    Raises
    ------
    SettingsError
        A file is there but cannot be read or is not of this kind.
    """
    stem = Path(JSON_NAME).stem
    paths = sorted(path for path in folder.glob(f"{stem}*.json") if path.stem == stem or path.stem[len(stem)] == "_")
    return [_read(path) for path in paths]


def _with_end(path: Path, end: str) -> Path:
    return path.with_name(path.stem + end + path.suffix)


def _read(path: Path) -> SavedGrid:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content.pop("format")
        grid = TypeAdapter(SavedGrid).validate_python(content)
        if grid.width < 1 or grid.height < 1 or not grid.wcs.scale_arcsec > 0:
            raise ValueError("no pixels")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, ValidationError) as failure:
        raise SettingsError("error.grid_file_broken", path=str(path), detail=str(failure)) from failure
    return grid
