"""How fast the Frames page's presenters are: ``python benchmarks/frames_view.py [FRAMES]``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from zemosaic.gui.presenter.footprints import MapView
from zemosaic.gui.presenter.frame_table import COLUMNS, FrameTable
from zemosaic.gui.presenter.map_picture import COLOURINGS, MapPainter
from zemosaic.i18n import Translator
from zemosaic.model import FrameRef


def frames(count: int) -> list[FrameRef]:
    """Return made-up frames of a survey of forty nights."""
    rng = np.random.default_rng(1)
    ra, dec = 80 + rng.normal(0, 3, count), -5 + rng.normal(0, 2, count)
    return [
        FrameRef(
            i, f"/frames/night_{i % 40:02d}/light_{i:06d}.fit", 4_147_200, 1, 0, 1080, 1920, 1, None, "GRBG", False,
            10.0, f"2026-01-{1 + i % 28:02d}T21:00:00", "Seestar S50", "", "", "M42", 80.0, 10.0, 1,
            float(ra[i]), float(dec[i]), 2.37, None,
        )
        for i in range(count)
    ]  # fmt: skip


def timed(name: str, act: Callable[[], object]) -> None:
    """Print the best of three."""
    best = np.inf
    for _ in range(3):
        begun = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - begun)
    print(f"{name:28} {1000 * best:8.1f} ms")


if __name__ == "__main__":
    made = frames(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
    timed("table made", lambda: FrameTable(made))
    table, painter, words = FrameTable(made), MapPainter(), Translator("en")
    view = MapView(900, 650).fitted(table.footprints.bounds())
    for column in COLUMNS:
        timed(f"sort by {column}", lambda column=column: table.sort(column, True))
    timed("filter by words", lambda: table.filter("night_07 light", "all"))
    table.filter("", "all")
    timed("fifty rows of text", lambda: [table.cell(row, name, words) for row in range(50) for name in COLUMNS])
    timed("frames at a point", lambda: table.footprints.at(0.1, 0.2))
    timed("frames in a rectangle", lambda: table.footprints.inside(-1, -1, 1, 1))
    timed("coverage", lambda: table.footprints.coverage(table.keep, 256))
    for colouring in COLOURINGS:
        timed(f"map by {colouring}", lambda colouring=colouring: painter.paint(table, view, colouring))
    timed("map, zoomed", lambda: painter.paint(table, view.zoomed(8, 450, 325), "night"))
