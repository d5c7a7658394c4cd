"""The finished mosaic at full resolution, without any toolkit."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from waiting import wait_until

from zemosaic.export.fits import write_fits
from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.gui.presenter.result.render.mosaic_render import CHANNELS, Adjustment
from zemosaic.gui.presenter.result.result_presenter import ResultPresenter
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
    assert desk.size == (600, 400) and "coverage" in desk.layers and desk.channels == CHANNELS
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
        {"channel": "grey"},
        {"channel": "grey", "linked": False},
        *({"layers": frozenset({name})} for name in ("coverage", "grid", "scale")),
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
    assert "tiles" in desk.layers
    view = Viewport(600, 400, 300, 200).fit()
    plain = desk.picture(view)
    desk.adjust(layers=frozenset({"tiles"}))
    changed = (desk.picture(view) != plain).any(axis=2)
    # Columns 30 to 330 and, from the top, rows 200 to 300 of the picture, at half the size.
    assert changed[100, 15:166].all() and changed[150, 15:166].all()
    assert changed[100:151, 15].all() and changed[100:151, 165].all()
    assert not changed[:99].any() and not changed[152:].any() and not changed[:, 167:].any()
    assert changed[101:118, 16:40].any(), "its number is written into it"
    desk.close()
    (tmp_path / "run_report.json").write_text("{", encoding="utf-8")
    desk = opened(path)
    assert "tiles" not in desk.layers
    desk.close()


def test_the_outlines_of_the_used_frames_are_drawn_where_they_lie(tmp_path):
    path = mosaic(tmp_path)
    # Columns 100 to 300 and, from the top, rows 100 to 250: the sky at their corners is what the report tells.
    x, y = np.array([100, 300, 300, 100]) - 0.5, 399.5 - np.array([100, 100, 250, 250])
    ra, dec = (values.tolist() for values in WCS.pixel_to_sky(x, y))
    used = {"status": "used", "corners_ra_deg": ra, "corners_dec_deg": dec}
    frames = [used, used | {"status": "rejected", "corners_dec_deg": [value + 0.1 for value in dec]}]
    (tmp_path / "run_report.json").write_text(json.dumps({"frames": frames}), encoding="utf-8")
    desk = opened(path)
    view = Viewport(600, 400, 300, 200).fit()
    plain = desk.picture(view)
    desk.adjust(layers=frozenset({"frames"}))
    changed = (desk.picture(view) != plain).any(axis=2)
    assert changed[50, 52:148].all() and changed[125, 52:148].all()
    assert changed[52:123, 50].all() and changed[52:123, 150].all()
    assert not changed[:48].any() and not changed[128:].any() and not changed[54:120, 54:146].any()
    desk.close()


def test_the_depth_is_shown_in_magnitudes_and_read_by_pointing(tmp_path):
    path = mosaic(tmp_path)
    frames = np.full((400, 600), 16, np.int32)
    frames[:, 300:] = 4
    frames[:, 550:] = 0
    write_fits(tmp_path / "zemosaic_MT1_R9_coverage.fits", frames, dtype="int32")
    desk = opened(path)
    assert "depth" not in desk.layers, "the header does not tell it"
    desk.close()
    data = fits.getdata(path)
    write_fits(path, data, wcs=WCS, axis_order="CHW", cards=[("MAGLIM5", 17.0, ""), ("MAGLIMN", 16.0, "")])
    desk = opened(path)
    assert "stars down to 17.0 mag" in desk.read_out(10.5, 10.5, WORDS)
    # A quarter of the frames: 1.25 log10(4) magnitudes less deep.
    assert "stars down to 16.2 mag" in desk.read_out(310.5, 10.5, WORDS)
    assert "mag" not in desk.read_out(590.5, 10.5, WORDS)
    view = Viewport(600, 400, 600, 400).fit()
    plain = desk.picture(view).astype(int)
    desk.adjust(layers=frozenset({"depth"}))
    over = desk.picture(view).astype(int) - plain
    deep, shallow, empty = (
        over[200:390, columns].mean(axis=(0, 1)) for columns in (np.s_[:290], np.s_[310:540], np.s_[560:])
    )
    assert deep.sum() > shallow.sum() + 60 > 60 and (empty == 0).all()
    legend = desk.picture(view)[12:50, 12:200]
    assert (legend == 235).any(), "what the colours mean is written beside them"
    desk.close()


def test_another_mosaic_is_shown_at_the_same_directions_beyond_the_line(tmp_path):
    first = mosaic(tmp_path)
    # The same sky, turned by 180 degrees and with pixels half as large.
    (tmp_path / "other").mkdir()
    data = np.repeat(np.repeat(fits.getdata(first)[:, ::-1, ::-1], 2, axis=1), 2, axis=2)
    turned = FrameWcs(83.8, -5.4, 597.5, 397.5, ((3.3e-4, 0.0), (0.0, -3.3e-4)))
    other = tmp_path / "other" / "zemosaic_MT1_R9.fits"
    write_fits(other, data, wcs=turned, axis_order="CHW")
    desk = opened(first)
    view = Viewport(600, 400, 600, 400).fit()
    plain = desk.picture(view).astype(int)
    desk.compare(str(other))
    wait_until(lambda: desk.pump() and desk.is_compared)
    desk.split = 0.0
    swapped = desk.picture(view).astype(int)
    bright, there = (picture.max(axis=2) > 200 for picture in (plain, swapped))
    assert bright[82:98, 102:118].all() and (bright[70:110, 90:130] == there[70:110, 90:130]).mean() > 0.95
    inner = np.s_[20:360, 20:580]
    assert np.corrcoef(swapped[inner].ravel(), plain[inner].ravel())[0, 1] > 0.4, "the noise is that of the same pixels"
    desk.split = 1.0
    assert np.array_equal(desk.picture(view)[:360, :590], plain[:360, :590])
    desk.compare("")
    assert np.array_equal(desk.picture(view), plain)
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
