"""Small FITS files for tests, written byte by byte so that they can be as odd as real ones."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from zemosaic.errors import Message
from zemosaic.i18n import Translator

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / ".." / "shared" / "data"

SEESTAR = """\
CREATOR = 'ZWO Seestar S50'    / Capture software
FOCALLEN=                  250 / Focal length of telescope in mm
XBINNING=                    1 / Camera X Bin
XPIXSZ  =     2.90000009536743 / pixel size in microns (with binning)
IMAGETYP= 'Light   '           / Type of image
EXPTIME =                  10. / Exposure time in seconds
CCD-TEMP=               23.375 / sensor temperature in C
RA      =           192.995835 / Object Right Ascension in degrees
DEC     =            40.978611 / Object Declination in degrees
DATE-OBS= '2025-04-09T20:54:22.790113' / Image created time
FILTER  = 'IRCUT   '           / Filter used when taking image
INSTRUME= 'Seestar S50'        / Camera model
BAYERPAT= 'GRBG    '           / Bayer pattern
GAIN    =                   80 / Gain Value
TELESCOP= 'S50_bbbbbbbb'       / Telescope name
OBJECT  = 'M 94    '           / name or catalog number of object being imaged"""

STORED = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


def header_bytes(cards: str) -> bytes:
    """Return a padded header; lines are cards."""
    text = "".join(line[:80].ljust(80) for line in [*cards.splitlines(), "END"])
    return text.encode("latin-1").ljust(-(-len(text) // 2880) * 2880)


def fits_bytes(stored: np.ndarray, cards: str = "", bitpix: int = 16) -> bytes:
    """Return a FITS file of the numbers as stored (no scaling is done)."""
    axes = "\n".join(f"NAXIS{i}  = {n:20d}" for i, n in enumerate(reversed(stored.shape), 1))
    start = f"SIMPLE  =                    T\nBITPIX  = {bitpix:20d}\nNAXIS   = {stored.ndim:20d}\n{axes}\n"
    data = stored.astype(STORED[bitpix]).tobytes()
    return header_bytes(start + cards) + data.ljust(-(-len(data) // 2880) * 2880, b"\0")


def unsigned_bytes(values: np.ndarray, cards: str = "") -> bytes:
    """Return a FITS file of 16-bit unsigned numbers, stored as capture programs do."""
    scaling = "BZERO   =                32768\nBSCALE  =                    1\n"
    return fits_bytes(values.astype(np.int32) - 32768, scaling + cards)


def write(path: Path, content: bytes) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def noise(shape: tuple[int, ...] = (96, 80), seed: int = 1) -> np.ndarray:
    """Return uint16 noise over the whole range."""
    return np.random.default_rng(seed).integers(0, 65536, shape, dtype=np.uint16)


def sentence(text: Message, language: str = "en") -> str:
    """Return the sentence of a message; fails when there is none or a value is missing."""
    texts = Translator(language)
    assert texts.has(text.key)
    told = texts.message(text)
    assert not re.search(r"\{\w+\}", told), told
    return told
