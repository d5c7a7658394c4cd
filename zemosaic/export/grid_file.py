"""The mosaic's grid as files, so that a later run makes a mosaic on the very same pixels.

By default ``global_mosaic_wcs.json`` is what runs read; ``global_mosaic_wcs.fits``, a header without data, says the
same to other programs.  Where a run made several mosaics, each has its own pair, with its name at the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits
from pydantic import TypeAdapter, ValidationError

from zemosaic.errors import SettingsError
from zemosaic.store.codec import to_plain
from zemosaic.store.whole_files import write_whole
from zemosaic.text.plain_text import json_value
from zemosaic.wcs import FrameWcs

__all__ = ["FITS_NAME", "JSON_NAME", "GridPlace", "SavedGrid", "grid_place", "read_grids", "write_grid"]

JSON_NAME = "global_mosaic_wcs.json"
FITS_NAME = "global_mosaic_wcs.fits"
FILE_SUFFIXES = (".fits", ".fit", ".fts", ".json")
"""A path that ends so is meant as a file; any other as a folder."""


@dataclass(frozen=True)
class GridPlace:
    """Where the files of a grid lie."""

    folder: Path
    stem: str = Path(JSON_NAME).stem
    """What the names of both files begin with."""


def grid_place(named: str, output_dir: str) -> GridPlace:
    """Return where the grid of the setting ``global_wcs_output_path`` lies.

    Parameters
    ----------
    named : str
        A folder or a file, absolute or relative to the output folder.
    output_dir : str
        The run's output folder.
    """
    path = Path(output_dir) / Path(named).expanduser()
    return GridPlace(path.parent, path.stem) if path.suffix.lower() in FILE_SUFFIXES else GridPlace(path)


@dataclass(frozen=True)
class SavedGrid:
    """A mosaic's pixels: where they lie on the sky and how many there are."""

    wcs: FrameWcs
    width: int
    height: int
    name: str = ""
    """Name of the field, empty where there was only one."""


def write_grid(place: GridPlace, grid: SavedGrid, key: str = "") -> None:
    """Write both files, with a key at the end of their names where there are several; raises OutputError.

    Parameters
    ----------
    place : GridPlace
        Folder and stem of the files.
    grid : SavedGrid
    key : str
        Of the grid, where there are several.
    """
    base = place.folder / (f"{place.stem}_{key}" if key else place.stem)
    content = {"format": 1, **to_plain(grid)}
    write_whole(base.with_name(base.name + ".json"), (json.dumps(content, indent=2) + "\n").encode())
    header = fits.Header()
    header["SIMPLE"] = (True, "conforms to FITS standard")
    header["BITPIX"] = (8, "no data here")
    header["NAXIS"] = (0, "only a header: the grid of a mosaic")
    header["WCSAXES"] = (2, "celestial axes only")
    header.update(grid.wcs.to_cards())
    header["IMAGEW"] = (grid.width, "columns of the mosaic")
    header["IMAGEH"] = (grid.height, "rows of the mosaic")
    write_whole(base.with_name(base.name + ".fits"), header.tostring().encode("ascii"))


def read_grids(place: GridPlace) -> list[SavedGrid]:
    """Return the grids that lie at a place, in the order of their files' names.

    Raises
    ------
    SettingsError
        A file is there but cannot be read or is not of this kind.
    """
    stem = place.stem
    found = (path for path in place.folder.glob("*.json") if path.stem == stem or path.stem.startswith(f"{stem}_"))
    paths = sorted(found)
    return [_read(path) for path in paths]


def _read(path: Path) -> SavedGrid:
    try:
        content = json_value(path.read_text(encoding="utf-8"))
        content.pop("format")
        grid = TypeAdapter(SavedGrid).validate_python(content)
        if grid.width < 1 or grid.height < 1 or not grid.wcs.scale_arcsec > 0:
            raise ValueError("no pixels")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, ValidationError) as failure:
        raise SettingsError("error.grid_file_broken", path=str(path), detail=str(failure)) from failure
    return grid
