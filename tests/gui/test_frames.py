"""The presenters of the Frames page, without any toolkit."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zemosaic.errors import message
from zemosaic.events import FrameDropped, FrameMeasured, FrameSolved, RunStarted
from zemosaic.frames.selection import left_out, same_file
from zemosaic.gui.presenter.analyser import find_analyser, start_analyser
from zemosaic.gui.presenter.footprints import Footprints, MapView
from zemosaic.gui.presenter.frame_table import COLUMNS, METRICS, FrameTable
from zemosaic.gui.presenter.frames_desk import FramesDesk
from zemosaic.gui.presenter.limits import rows_beyond
from zemosaic.gui.presenter.map_picture import COLOURINGS, MapPainter, legend
from zemosaic.gui.presenter.sky_map import SkyMap
from zemosaic.i18n import Translator
from zemosaic.model import Dropped, FrameRef, FrameStatus

WORDS = Translator("en")


def frame(i: int, ra: float | None = 80.0, dec: float | None = -5.0, night: int = 1) -> FrameRef:
    return FrameRef(
        i, f"/frames/light_{i}.fit", 4_147_200, 1, 0, 1080, 1920, 1, None, "GRBG", False, 10.0,
        f"2026-01-{night:02d}T21:00:00", "Seestar S50", "", "", "M42", 80.0, 10.0, 1, ra, dec, 2.4, None,
    )  # fmt: skip


def table_of(count: int = 6) -> FrameTable:
    broken = Dropped("/frames/broken.fit", None, "scan", FrameStatus.UNREADABLE, message("reason.no_pixels"))
    return FrameTable([frame(i, 80 + i * 0.2, -5, 1 + i % 2) for i in range(count)], [broken])


def test_sorting_and_filtering():
    table = table_of()
    for i, value in enumerate((3.0, np.nan, 1.0, 2.0)):
        table.metrics["fwhm"][i] = value
    table.sort("fwhm", False)
    assert table.shown[:3].tolist() == [2, 3, 0]
    table.sort("fwhm", True)
    assert table.shown[:3].tolist() == [0, 3, 2]
    table.filter("LIGHT 2026-01-02", "all")
    assert sorted(table.shown) == [1, 3, 5]
    table.set_keep(np.array([1]), False)
    table.filter("", "left_out")
    assert sorted(table.shown) == [1, 6]
    table.filter("", "kept")
    assert sorted(table.shown) == [0, 2, 3, 4, 5]


def test_choices_are_taken_back_one_by_one():
    table = table_of()
    table.set_keep(np.array([0, 1, 6]), False)
    assert table.left_out.tolist() == [0, 1], "a broken file cannot be left out"
    table.set_keep(np.array([1]), True)
    table.apply_selection([same_file("/frames/light_4.fit")])
    assert table.left_out.tolist() == [4]
    for expected in ([0], [0, 1], []):
        table.undo()
        assert table.left_out.tolist() == expected
    assert not table.can_undo


@given(st.lists(st.tuples(st.lists(st.integers(0, 5)), st.booleans()), max_size=8))
def test_undo_leads_back_to_the_beginning(choices):
    table = table_of()
    for rows, keep in choices:
        table.set_keep(np.array(sorted(set(rows)), np.intp), keep)
    while table.can_undo:
        table.undo()
    assert table.keep.tolist() == table.usable.tolist()


def test_a_run_fills_the_table():
    table = table_of()
    table.note(FrameMeasured(0, "/frames/light_0.fit", 120, 2.5, 0.3, 900.0, 12.0))
    wcs_corners = ((81.0, 80.0, 80.0, 81.0), (-5.5, -5.5, -4.5, -4.5))
    table.note(FrameSolved(0, "/frames/light_0.fit", "embedded", 40, 0.4, *wcs_corners))
    table.note(FrameDropped(1, "/frames/light_1.fit", "measure", "rejected", message("reason.no_pixels")))
    assert table.cell(0, "stars", WORDS) == "120"
    assert table.cell(0, "solved", WORDS) == "embedded"
    assert table.footprints.exact.tolist() == [True] + [False] * 6
    assert table.cell(1, "verdict", WORDS).startswith("⚠")
    desk = FramesDesk()
    desk.table = table
    desk.note(RunStarted("1", "a", "b", "c"))
    assert table.cell(1, "verdict", WORDS) == "✓ kept"
    assert table.cell(6, "verdict", WORDS).startswith("⚠"), "what is no frame stays none"
    for row in range(len(table)):
        assert all(isinstance(table.cell(row, column, WORDS), str) for column in COLUMNS)


def test_limits_find_what_lies_beyond():
    table = table_of()
    table.metrics["fwhm"][:3] = (2.0, 3.0, 4.0)
    assert rows_beyond(table, "fwhm", "2,5", "above").tolist() == [1, 2]
    assert rows_beyond(table, "fwhm", "3", "below").tolist() == [0]
    assert rows_beyond(table, "fwhm", "x", "below").tolist() == []
    assert table.spread("fwhm") == (2.0, 3.0, 4.0)
    counts, edges = table.histogram("fwhm", 2)
    assert (counts.tolist(), edges.tolist()) == ([1, 2], [2.0, 3.0, 4.0])
    assert table.spread("noise") is None


@pytest.mark.parametrize(("ra", "dec"), [(80.0, -5.0), (359.99, 10.0), (12.0, 89.7), (200.0, -89.9)])
def test_outlines_from_headers_have_the_frame_s_size(ra, dec):
    quad = Footprints.of([frame(0, ra, dec)]).quads[0]
    sides = np.hypot(*(np.roll(quad, -1, axis=0) - quad).T)
    assert sides[[0, 2]] == pytest.approx(1080 * 2.4 / 3600, rel=2e-3)
    assert sides[[1, 3]] == pytest.approx(1920 * 2.4 / 3600, rel=2e-3)


def test_east_is_left_and_north_is_up():
    outlines = Footprints.of([frame(0, 80, 0), frame(1, 81, 0), frame(2, 80, 1)])
    west, east, north = MapView(400, 300).to_window(outlines.quads.mean(axis=1))
    assert east[0] < west[0]
    assert north[1] < west[1]


def test_frames_without_a_place_do_no_harm():
    outlines = Footprints.of([frame(0, None, None)], 2)
    assert not outlines.placed.any()
    assert outlines.at(0, 0).tolist() == []
    assert outlines.coverage(outlines.placed, 8).sum() == 0
    outlines.place(0, (81.0, 80.0, 80.0, 81.0), (-5.5, -5.5, -4.5, -4.5))
    assert outlines.at(0, 0).tolist() == [0]


def test_hits_take_the_nearest_middle_and_rectangles_the_middles():
    table = table_of()
    at = table.footprints.quads[2].mean(axis=0)
    assert table.footprints.at(*at)[0] == 2
    assert table.footprints.inside(at[0] - 0.05, at[1] - 0.05, at[0] + 0.05, at[1] + 0.05).tolist() == [2]


def test_coverage_counts_frames():
    outlines = Footprints.of([frame(i) for i in range(5)])
    counted = outlines.coverage(np.array([True, True, True, False, True]), 32)
    assert counted.max() == 4
    assert np.median(counted) == 4


@given(st.floats(0, 400), st.floats(0, 300), st.integers(-8, 8))
def test_zoom_keeps_the_point_under_the_pointer(u, v, turns):
    view = MapView(400, 300, 1.0, 2.0, 200.0)
    assert view.zoomed(1.25**turns, u, v).to_map(u, v) == pytest.approx(view.to_map(u, v))


@pytest.mark.parametrize("colouring", COLOURINGS)
def test_the_map_shows_frames_and_says_what_colours_mean(colouring):
    table = table_of()
    view = MapView(300, 200).fitted(table.footprints.bounds())
    painter = MapPainter()
    plain = painter.paint(table, view, colouring)
    assert plain.shape == (200, 300, 3)
    assert len(np.unique(plain.reshape(-1, 3), axis=0)) > 2
    assert legend(table, colouring, painter.most(table), WORDS)
    table.select(np.array([0]))
    assert (painter.paint(table, view, colouring) == 255).all(axis=2).any()


def test_the_pointer_selects_on_the_map():
    desk = FramesDesk()
    desk.table = table_of()
    sky = SkyMap(desk)
    sky.resize(400, 300)
    assert sky.picture() is not None
    u, v = sky.view.to_window(desk.table.footprints.quads[3].mean(axis=0))
    sky.press(u, v, False)
    sky.release(u, v, False)
    assert np.flatnonzero(desk.table.selected).tolist() == [3]
    sky.press(0, 0, True)
    sky.drag(400, 300)
    assert sky.rectangle == (0, 0, 400, 300)
    sky.release(400, 300, False)
    assert desk.table.selected.sum() == 6
    before = sky.view
    sky.press(10, 10, False)
    sky.drag(60, 10)
    sky.release(60, 10, False)
    assert sky.view.x == pytest.approx(before.x - 50 / before.scale)
    assert desk.table.selected.sum() == 6, "dragging the map selects nothing"


def test_a_folder_is_scanned_in_the_background(tmp_path):
    desk = FramesDesk()
    desk.scan(str(tmp_path))
    until = time.monotonic() + 10
    while desk.problem is None:
        assert time.monotonic() < until
        desk.pump()
        time.sleep(0.005)
    assert desk.problem.key == "error.input_no_fits"
    assert desk.progress is None
    desk.close()


def test_the_choice_goes_to_the_run_as_a_table(tmp_path):
    desk = FramesDesk()
    desk.folder = "/frames"
    assert desk.table_for_run("/frames", str(tmp_path), "given.csv") == "given.csv"
    desk.table = table_of()
    assert desk.table_for_run("/frames", str(tmp_path), "given.csv") == ""
    assert desk.table_for_run("/others", str(tmp_path), "given.csv") == "given.csv"
    desk.table.set_keep(np.array([2]), False)
    made = desk.table_for_run("/frames", str(tmp_path), "")
    assert left_out(tmp_path / "zemosaic_selection.csv", tmp_path) == {same_file("/frames/light_2.fit")}
    desk.table.undo()
    desk.import_csv(tmp_path / "zemosaic_selection.csv")
    assert desk.table.left_out.tolist() == [2]
    assert made == str(tmp_path / "zemosaic_selection.csv")
    heading = (tmp_path / "zemosaic_selection.csv").read_text(encoding="utf-8").splitlines()[0]
    assert heading.split(",") == ["path", "keep", "night", "telescope", "solved", *METRICS]


def test_the_analyser_is_found_by_its_folder_and_really_starts(tmp_path):
    assert find_analyser(tmp_path) is None
    (tmp_path / "zeanalyser").mkdir()
    assert find_analyser(tmp_path) is None, "an empty folder is no program"
    other = tmp_path / "seestar" / "beforehand"
    other.mkdir(parents=True)
    (other / "analyse_gui.py").write_text("", encoding="utf-8")
    assert find_analyser(tmp_path).name == "Seestar Stacker"
    made = tmp_path / "made"
    code = f"import pathlib; pathlib.Path({str(made)!r}).write_text('x')"
    (tmp_path / "zeanalyser" / "__main__.py").write_text(code, encoding="utf-8")
    found = find_analyser(tmp_path)
    assert found.name == "ZeAnalyser"
    process = start_analyser(found)
    assert process is not None
    assert process.wait(20) == 0
    assert made.read_text() == "x"


def test_many_scopes_and_frames_far_apart():
    frames = [replace(frame(i, 30.0 * (i % 12), 0.0), instrument=f"scope {i}") for i in range(24)]
    table = FrameTable(frames)
    lines = legend(table, "telescope", 0, WORDS)
    assert len(lines) == 8
    assert "more" in lines[-1].text
    assert MapPainter().paint(table, MapView(200, 100).fitted(table.footprints.bounds()), "night").any()
