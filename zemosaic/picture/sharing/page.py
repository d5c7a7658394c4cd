"""A mosaic as a page for a browser: tiles of several sizes and one HTML file that needs no server and no network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from zemosaic.errors import write_refused
from zemosaic.i18n import Translator
from zemosaic.picture.annotation.drawing import Annotation
from zemosaic.picture.annotation.svg import KINDS, svg_text
from zemosaic.picture.sharing.shared_file import encoded
from zemosaic.store.whole_files import write_whole
from zemosaic.wcs import FrameWcs

__all__ = ["TILE_PX", "PageTexts", "level_count", "write_page", "write_tiles"]

TILE_PX = 512
TILE_QUALITY = 88
Rows = NDArray[np.uint8]


@dataclass(frozen=True)
class PageTexts:
    """What stands on the page."""

    title: str
    wcs: FrameWcs
    """Of the mosaic's pixels, rows from the bottom."""
    annotation: Annotation | None = None
    annotation_step: float = 1.0
    """Pixels of the mosaic along one of the annotation."""


def level_count(width: int, height: int) -> int:
    """Return how many levels of tiles a picture has: the last one is a single tile.

    Parameters
    ----------
    width, height : int
        Of the picture, in pixels.
    """
    levels = 1
    while max(width, height) > TILE_PX << (levels - 1):
        levels += 1
    return levels


def write_page(path: Path, bands: Iterable[Rows], width: int, height: int, texts: PageTexts, words: Translator) -> Path:
    """Write the page and, in a folder of its name beside it, its tiles; returns the folder.

    Parameters
    ----------
    path : Path
        The HTML file. It is written last, so that it shows a whole mosaic or is not there.
    bands : iterable of ndarray, shape (rows, width, 3), uint8
        The picture in full size from its top to its bottom.
    width, height : int
        Of the picture.
    texts : PageTexts
    words : Translator
        The language of the page.

    Raises
    ------
    OutputError, ResourceError
        The files cannot be written.
    """
    folder = path.with_name(f"{path.stem}_tiles")
    unfinished = folder.with_name(f"{folder.name}.part")
    try:
        path.unlink(missing_ok=True)
        for stale in (folder, unfinished):
            shutil.rmtree(stale, ignore_errors=True)
        write_tiles(unfinished, bands, width, height)
        unfinished.rename(folder)
    except OSError as failure:
        raise write_refused(failure, str(path.parent), str(path)) from failure
    wcs = {key: value for key, value in asdict(texts.wcs).items() if key != "distortion"}
    data = {
        "width": width,
        "height": height,
        "tile": TILE_PX,
        "levels": level_count(width, height),
        "folder": folder.name,
        "annotation_step": texts.annotation_step,
        "wcs": wcs,
    }
    template = jinja2.Environment(autoescape=True).from_string(_template())
    html = template.render(
        language=words.language,
        title=texts.title,
        annotation=Markup(svg_text(texts.annotation)) if texts.annotation else "",
        layers=[(kind, words.text(f"page.layer.{kind}")) for kind in KINDS] if texts.annotation else [],
        data=Markup(json.dumps(data).replace("<", "\\u003c")),
        zoom_in=words.text("page.zoom_in"),
        zoom_out=words.text("page.zoom_out"),
        fit=words.text("page.fit"),
    )
    write_whole(path, html.encode("utf-8"))
    return folder


def write_tiles(folder: Path, bands: Iterable[Rows], width: int, height: int) -> None:
    """Write the tiles of all levels, ``LEVEL/COLUMN_ROW.jpg``; each level is half as large as that before.

    Of each level no more than two rows of tiles are held in memory.

    Parameters
    ----------
    folder : Path
        Where the levels' folders go.
    bands : iterable of ndarray, shape (rows, width, 3), uint8
        From the top to the bottom.
    width, height : int
        Of level 0.
    """
    strips: Iterable[Rows] = _strips(bands)
    levels = level_count(width, height)
    halves = _Level(folder, 0, levels)
    for strip in strips:
        halves.add(strip)
    halves.finish()


class _Level:
    """One level of tiles, and through it the smaller ones."""

    def __init__(self, folder: Path, number: int, levels: int) -> None:
        self._folder = folder / str(number)
        self._folder.mkdir(parents=True)
        self._next = _Level(folder, number + 1, levels) if number + 1 < levels else None
        self._row = 0
        self._waiting: Rows | None = None

    def add(self, strip: Rows) -> None:
        """Write a row of tiles, and give each pair of rows at half the size to the next level."""
        for column in range(-(-strip.shape[1] // TILE_PX)):
            part = np.ascontiguousarray(strip[:, column * TILE_PX : (column + 1) * TILE_PX])
            (self._folder / f"{column}_{self._row}.jpg").write_bytes(encoded(part, "jpg", quality=TILE_QUALITY))
        self._row += 1
        if self._next is None:
            return
        half = _halved(strip)
        if self._waiting is None:
            self._waiting = half
        else:
            self._next.add(np.concatenate([self._waiting, half]))
            self._waiting = None

    def finish(self) -> None:
        """Write what is left of the smaller levels."""
        if self._next is None:
            return
        if self._waiting is not None:
            self._next.add(self._waiting)
        self._next.finish()


def _strips(bands: Iterable[Rows]) -> Iterator[Rows]:
    """Yield the rows of bands in strips as high as a tile; the last one may be lower."""
    held: list[Rows] = []
    rows = 0
    for band in bands:
        held.append(np.asarray(band))
        rows += len(band)
        if rows >= TILE_PX:
            together = np.concatenate(held)
            whole = rows // TILE_PX * TILE_PX
            for top in range(0, whole, TILE_PX):
                yield together[top : top + TILE_PX]
            held, rows = [together[whole:]], rows - whole
    if rows:
        yield np.concatenate(held)


def _halved(strip: Rows) -> Rows:
    """Return means of 2 x 2 pixels; a last odd row or column stands for itself."""
    height, width = strip.shape[:2]
    even = np.pad(strip, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge").astype(np.uint16)
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


def _template() -> str:
    return (Path(__file__).parent / "templates" / "page.html.j2").read_text(encoding="utf-8")
