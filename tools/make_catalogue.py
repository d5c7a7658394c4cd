"""Make zemosaic/data/tycho2.bin from Debian's package astrometry-data-tycho2-07.

usage: python tools/make_catalogue.py [INDEX.fits] [OUTPUT.bin]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from zemosaic.catalogue.sky_cells import CellCatalogue, encode
from zemosaic.wcs import ra_dec

INDEX = "/usr/share/astrometry/index-tycho2-07.littleendian.fits"
OUTPUT = Path(__file__).resolve().parents[1] / "zemosaic" / "data" / "tycho2.bin"


def _table(path: str, column: str) -> bytes:
    """Return the bytes of the index's table that holds `column`, as they lie in the file."""
    with fits.open(path) as hdus, Path(path).open("rb") as stream:
        for hdu in hdus[1:]:
            if hdu.header["TTYPE1"].strip() == column:
                stream.seek(hdu.fileinfo()["datLoc"])
                return stream.read(hdu.header["NAXIS1"] * hdu.header["NAXIS2"])
    raise SystemExit(f"{path} has no table {column}: this is not the Tycho-2 index of astrometry.net")


def read_index(path: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (ra_deg, dec_deg, VT magnitude) of all stars of an astrometry.net index file, shape (n,)."""
    ranges = np.frombuffer(_table(path, "kdtree_range_stars"), "<f8")
    low, scale = ranges[:3], ranges[6]
    vectors = np.frombuffer(_table(path, "kdtree_data_stars"), "<u4").reshape(-1, 3) / scale + low
    ra, dec = ra_dec(vectors)
    # Tag-along columns are ordinary FITS (big endian), unlike the tree, which is dumped as it lay in memory.
    return ra, dec, np.frombuffer(_table(path, "MAG_VT"), ">f4").astype(float)


def main() -> None:
    index = sys.argv[1] if len(sys.argv) > 1 else INDEX
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else OUTPUT
    ra, dec, mag = read_index(index)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(encode(ra, dec, mag))
    print(f"{output}: {len(CellCatalogue.open(output, 'check'))} stars, {output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
