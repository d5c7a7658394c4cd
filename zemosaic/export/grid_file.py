"""The mosaic's grid as files, so that a later run makes a mosaic on the very same pixels.

``global_mosaic_wcs.json`` is what runs read; ``global_mosaic_wcs.fits``, a header without data, says the same to
other programs.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from astropy.io import fits
from pydantic import TypeAdapter, ValidationError

from zemosaic.errors import SettingsError
from zemosaic.export.files import write_whole
from zemosaic.sky import FrameWcs

__all__ = ["FITS_NAME", "JSON_NAME", "SavedGrid", "read_grid", "write_grid"]

JSON_NAME = "global_mosaic_wcs.json"
FITS_NAME = "global_mosaic_wcs.fits"


@dataclass(frozen=True)
class SavedGrid:
    """A mosaic's pixels: where they lie on the sky and how many there are."""

    wcs: FrameWcs
    width: int
    height: int


def write_grid(folder: Path, grid: SavedGrid) -> None:
    """Write both files; raises OutputError."""
    content = {"format": 1, **asdict(grid)}
    write_whole(folder / JSON_NAME, (json.dumps(content, indent=2) + "\n").encode())
    header = fits.Header()
    header["SIMPLE"] = (True, "conforms to FITS standard")
    header["BITPIX"] = (8, "no data here")
    header["NAXIS"] = (0, "only a header: the grid of a mosaic")
    header["WCSAXES"] = (2, "celestial axes only")
    header.update(grid.wcs.to_cards())
    header["IMAGEW"] = (grid.width, "columns of the mosaic")
    header["IMAGEH"] = (grid.height, "rows of the mosaic")
    write_whole(folder / FITS_NAME, header.tostring().encode("ascii"))


def read_grid(folder: Path) -> SavedGrid | None:
    """Return the grid that a folder holds, None where it holds none.

    Raises
    ------
    SettingsError
        The file is there but cannot be read or is not of this kind.
    """
    path = folder / JSON_NAME
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content.pop("format")
        grid = TypeAdapter(SavedGrid).validate_python(content)
        if grid.width < 1 or grid.height < 1 or not grid.wcs.scale_arcsec > 0:
            raise ValueError("no pixels")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, ValidationError) as failure:
        raise SettingsError("error.grid_file_broken", path=str(path), detail=str(failure)) from failure
    return grid
