"""The finished mosaic at full resolution, without any toolkit."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from waiting import wait_until

from zemosaic.export.fits import write_fits
from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.gui.presenter.result.result_presenter import Adjustment, ResultPresenter
from zemosaic.i18n import Translator
from zemosaic.wcs import FrameWcs

WORDS = Translator("en")
WCS = FrameWcs(83.8, -5.4, 300.0, 200.0, ((-6.6e-4, 0.0), (0.0, 6.6e-4)))


def mosaic(folder: Path, name: str = "zemosaic_MT1_R9") -> Path:
    """Write a small colour mosaic with a bright square, and its coverage."""
    rng = np.random.default_rng(5)
    data = rng.normal(1000.0, 5.0, (3, 400, 600)).astype(np.float32)
    data[:, 300:320, 100:120] += np.array([900.0, 500.0, 100.0], np.float32)[:, None, None]
    path = folder / f"{name}.fits"
    write_fits(path, data, wcs=WCS, axis_order="CHW")
    write_fits(folder / f"{name}_coverage.fits", np.full((400, 600), 9, np.int32), dtype="int32")
    return path


def opened(path: Path) -> ResultPresenter:
    desk = ResultPresenter()
    desk.open(str(path))
    wait_until(lambda: (desk.pump() and desk.size is not None) or desk.problem is not None)
    assert desk.problem is None
    return desk


def test_any_part_is_shown_at_any_zoom_and_read(tmp_path):
    desk = opened(mosaic(tmp_path))
    assert desk.size == (600, 400) and desk.has_coverage and len(desk.channels) == 4
    view = Viewport(600, 400, 300, 200).fit()
    whole = desk.picture(view)
    assert whole.shape == (200, 300, 3) and whole.dtype == np.uint8
    near = desk.picture(view.zoomed(8.0, 110 / 2, (400 - 310) / 2))
    assert near.mean() > 1.4 * whole.mean(), "the bright square is in the middle"
    told = desk.read_out(110.5, 400 - 310.5, WORDS)
    assert told.startswith("RA 05h35m") and "9 frames" in told
    assert any(float(number) > 1800 for number in told.split("·")[1].split())
    assert desk.read_out(-50, 10, WORDS).count("·") == 0
    desk.close()


def test_the_stretch_is_changed_and_put_back(tmp_path):
    desk = opened(mosaic(tmp_path))
    view = Viewport(600, 400, 300, 200).fit()
    plain = desk.picture(view)
    for changes in (
        {"sky": 0.6},
        {"white": -0.5},
        {"strength": 0.5},
        {"linked": False},
        {"channel": "blue"},
        {"coverage": True},
        {"annotation": True},
    ):
        desk.adjust(**changes)
        assert not np.array_equal(desk.picture(view), plain), changes
        desk.adjust(**asdict(Adjustment()))
        assert np.array_equal(desk.picture(view), plain)
    desk.adjust(sky=0.8)
    assert np.median(desk.picture(view)) > np.median(plain)
    desk.close()


def test_the_tiles_of_the_report_are_drawn_where_they_lie(tmp_path):
    path = mosaic(tmp_path)
    tile = {"tile_id": 7, "inner": [110, 210, 50, 350], "outer": [100, 220, 40, 360], "empty": False}
    hollow = tile | {"tile_id": 8, "inner": [10, 30, 10, 30], "empty": True}
    told = {"mosaic": path.name, "height": 400, "width": 600, "canvas_box": [10, 410, 20, 620]}
    report = {"mosaic": "another.fits", "other_fields": [told | {"tiles": [tile, hollow]}]}
    (tmp_path / "run_report.json").write_text(json.dumps(report), encoding="utf-8")
    desk = opened(path)
    assert desk.has_tiles
    view = Viewport(600, 400, 300, 200).fit()
    plain = desk.picture(view)
    desk.adjust(tiles=True)
    changed = (desk.picture(view) != plain).any(axis=2)
    # Columns 30 to 330 and, from the top, rows 200 to 300 of the picture, at half the size.
    assert changed[100, 15:166].all() and changed[150, 15:166].all()
    assert changed[100:151, 15].all() and changed[100:151, 165].all()
    assert not changed[:99].any() and not changed[152:].any() and not changed[:, 167:].any()
    assert changed[101:118, 16:40].any(), "its number is written into it"
    desk.close()
    (tmp_path / "run_report.json").write_text("{", encoding="utf-8")
    desk = opened(path)
    assert not desk.has_tiles
    desk.close()


def test_what_cannot_be_opened_is_said_and_nothing_stays_behind(tmp_path):
    before = threading.active_count()
    desk = ResultPresenter()
    broken = tmp_path / "broken.fits"
    broken.write_bytes(b"no picture")
    desk.open(str(broken))
    wait_until(lambda: desk.problem is not None, desk.pump)
    assert desk.size is None and desk.picture(Viewport(10, 10, 10, 10)) is None
    desk.open(str(mosaic(tmp_path)))
    desk.open("")
    desk.close()
    wait_until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize(("width", "height"), [(1200, 800), (300, 200)])
def test_another_picture_of_the_same_sky_keeps_the_part_in_sight(width, height):
    view = Viewport(600, 400, 300, 200).fit().zoomed(4.0, 200.0, 50.0)
    other = view.of_picture(width, height)
    factor = width / 600
    assert other.box() == pytest.approx(tuple(edge * factor for edge in view.box()), abs=1.0)
    fitted = Viewport(600, 400, 300, 200).fit().of_picture(width, height)
    assert fitted.fitted
