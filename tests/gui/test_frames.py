"""The presenters of the Frames page, without any toolkit."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import PATIENCE_S, wait_until

from zemosaic.errors import message
from zemosaic.events import FrameDropped, FrameMeasured, FrameSolved, RunStarted
from zemosaic.frames.selection import Selection, read_selection, same_file
from zemosaic.gui.presenter.frames.analyser import find_analyser, start_analyser
from zemosaic.gui.presenter.frames.footprints import Footprints, MapView
from zemosaic.gui.presenter.frames.frame_cells import cell_text, verdict_text
from zemosaic.gui.presenter.frames.frame_table import COLUMNS, METRICS, FrameTable
from zemosaic.gui.presenter.frames.frames_files import Reported, read_report
from zemosaic.gui.presenter.frames.frames_presenter import FramesPresenter, Scanned
from zemosaic.gui.presenter.frames.histograms import Histogram
from zemosaic.gui.presenter.frames.map_picture import COLOURINGS, MapPainter, legend
from zemosaic.gui.presenter.frames.region_outline import region_outline, region_text
from zemosaic.gui.presenter.frames.sky_map import SkyMap
from zemosaic.gui.presenter.settings.form import with_labels
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
    table.apply_selection(Selection(unwanted=frozenset([same_file("/frames/light_4.fit")])))
    assert table.left_out.tolist() == [4]
    for expected in ([0], [0, 1], []):
        table.undo()
        assert table.left_out.tolist() == expected
    assert not table.keeping.can_undo
    for expected in ([0, 1], [0], [4]):
        table.redo()
        assert table.left_out.tolist() == expected
    assert not table.keeping.can_redo


@given(st.lists(st.tuples(st.lists(st.integers(0, 5)), st.booleans()), max_size=8))
def test_undo_leads_back_to_the_beginning(choices):
    table = table_of()
    for rows, keep in choices:
        table.set_keep(np.array(sorted(set(rows)), np.intp), keep)
    last = table.keep.tolist()
    while table.keeping.can_undo:
        table.undo()
    assert table.keep.tolist() == table.usable.tolist()
    while table.keeping.can_redo:
        table.redo()
    assert table.keep.tolist() == last


def test_a_run_fills_the_table():
    table = table_of()
    table.note(FrameMeasured(0, "/frames/light_0.fit", 120, 2.5, 0.3, 900.0, 12.0))
    wcs_corners = ((81.0, 80.0, 80.0, 81.0), (-5.5, -5.5, -4.5, -4.5))
    table.note(FrameSolved(0, "/frames/light_0.fit", "embedded", 40, 0.4, *wcs_corners))
    table.note(FrameDropped(1, "/frames/light_1.fit", "measure", "rejected", message("reason.no_pixels")))
    assert cell_text(table, 0, "stars", WORDS) == "120"
    assert cell_text(table, 0, "solved", WORDS) == "built-in"
    assert table.footprints.exact.tolist() == [True] + [False] * 6
    assert cell_text(table, 1, "verdict", WORDS).startswith("⚠")
    desk = FramesPresenter()
    desk.table = table
    desk.note(RunStarted("1", "a", "b", "c"))
    assert cell_text(table, 1, "verdict", WORDS) == "✓ included"
    assert cell_text(table, 6, "verdict", WORDS).startswith("⚠"), "what is no frame stays none"
    for row in range(len(table)):
        assert all(isinstance(cell_text(table, row, column, WORDS), str) for column in COLUMNS)


def desk_of(table: FrameTable) -> FramesPresenter:
    desk = FramesPresenter()
    desk.table = table
    return desk


def test_limits_leave_out_what_lies_beyond_and_what_is_measured_later():
    table = table_of()
    table.metrics["fwhm"][:3] = (2.0, 3.0, 4.0)
    fwhm = Histogram(desk_of(table), "fwhm")
    assert fwhm.type_limits("", "2,5")
    assert table.left_out.tolist() == [1, 2]
    assert cell_text(table, 1, "verdict", WORDS) == WORDS.text(
        "frames.verdict.beyond", metric=WORDS.text("frames.column.fwhm")
    )
    assert fwhm.type_limits("3", "")
    assert table.left_out.tolist() == [0]
    assert not fwhm.type_limits("x", ""), "what is no number changes nothing"
    assert table.left_out.tolist() == [0]
    table.note(FrameMeasured(4, "/frames/light_4.fit", 120, 2.5, 0.3, 900.0, 12.0))
    assert table.left_out.tolist() == [0, 4]
    table.set_keep(np.array([4]), True)
    assert table.left_out.tolist() == [0], "a hand goes before a limit"
    table.undo()
    fwhm.clear()
    assert table.left_out.tolist() == []
    assert table.spread("fwhm") == (2.0, 2.75, 4.0)
    assert table.spread("noise") == (12.0, 12.0, 12.0) and table.spread("weight") is None


def test_the_lines_of_a_histogram_are_dragged_and_leave_out_frames():
    table = table_of(40)
    table.metrics["fwhm"][:40] = np.linspace(2.0, 6.0, 40)
    fwhm = Histogram(desk_of(table), "fwhm")
    fwhm.resize(360, 80)
    assert fwhm.lines == (0.0, 360.0) and len(fwhm.bars()) > 40
    assert not fwhm.press(180.0), "no line is near"
    assert fwhm.press(358.0)
    fwhm.drag(180.0)
    assert not len(table.left_out), "nothing is decided while the line is held"
    assert sum(bar.kept for bar in fwhm.bars()) < sum(not bar.kept for bar in fwhm.bars())
    fwhm.release()
    assert table.left_out.tolist() == list(range(20, 40))
    assert fwhm.lines == pytest.approx((0.0, 180.0), abs=1.0)
    assert "20" in fwhm.told(WORDS)
    fwhm.nudge(-9, lower=False)
    assert len(table.left_out) > 25
    table.undo()
    table.undo()
    assert not len(table.left_out)


def test_a_region_drawn_on_the_map_is_found_again_by_its_setting():
    outlines = Footprints.of([frame(0, 359.9, 60.0), frame(1, 0.1, 60.0)])
    text = region_text(outlines, -0.3, -0.2, 0.3, 0.4)
    ra, dec, width, height = (float(part) for part in text.split(","))
    assert (width, height) == pytest.approx((0.6, 0.6)) and dec == pytest.approx(60.1, abs=0.01)
    assert ra < 1 or ra > 359
    corners = region_outline(outlines, text)
    assert corners.min(axis=0) == pytest.approx((-0.3, -0.2), abs=0.01)
    assert corners.max(axis=0) == pytest.approx((0.3, 0.4), abs=0.01)
    assert region_outline(outlines, "1,2,3") is None and region_text(outlines, 0, 0, 0, 1) == ""


def test_reasons_name_settings_by_their_labels_and_leave_plain_words_alone():
    table = table_of()
    params = {"file": "light_1.fit", "width": 9, "height": 9, "needed_gb": 2.0, "share_gb": 1.0}
    table.take_reasons({1: message("reason.needs_memory", **params), 2: message("reason.unsolved_pointing")})
    told = verdict_text(table, 1, WORDS)
    assert f"“{WORDS.text('setting.memory_limit_gb.label')}”" in told
    assert "memory_limit_gb" not in told
    assert verdict_text(table, 2, WORDS) == "⚠ No frame with this pointing could be located."
    assert with_labels("the built-in solver is used", WORDS) == "the built-in solver is used"


def test_limits_are_limits_again_after_reopening(tmp_path):
    desk = FramesPresenter()
    desk.table, desk.folder = table_of(), "/frames"
    desk.table.metrics["fwhm"][:6] = (2.0, 3.0, 4.0, 5.0, 6.0, 2.5)
    desk.table.set_limit("fwhm", (None, 3.5))
    desk.table.set_keep(np.array([0]), False)
    desk.table.set_keep(np.array([4]), True)
    assert desk.table.left_out.tolist() == [0, 2, 3]
    desk.export(tmp_path / "choice.csv")
    chosen = read_selection(tmp_path / "choice.csv", tmp_path)

    again = FrameTable(desk.table.frames, (), chosen)
    assert again.keeping.limits == {"fwhm": (None, 3.5)}
    assert again.left_out.tolist() == [0, 2, 3]
    told = [cell_text(again, row, "verdict", WORDS) for row in (0, 2)]
    assert told == [WORDS.text("frames.verdict.left_out"), WORDS.text("frames.verdict.beyond", metric="FWHM (px)")]
    again.take_numbers({"fwhm": desk.table.metrics["fwhm"][:6]})
    assert again.left_out.tolist() == [0, 2, 3], "exact numbers change nothing"
    again.set_limit("fwhm", (None, None))
    assert again.left_out.tolist() == [0], "the limit is taken away, the choice by hand stays"
    desk.table.set_limit("fwhm", (None, None))
    desk.table.apply_selection(chosen)
    assert desk.table.keeping.limits == {"fwhm": (None, 3.5)}, "as it does from a table that is imported"


def test_places_come_back_with_the_report(tmp_path):
    table, report = table_of(), tmp_path / "run_report.json"
    entry = {
        "path": table.paths[1],
        "status": "used",
        "metrics": {"how": "embedded"},
        "corners_ra_deg": [80.0, 80.5, 80.5, 80.0],
        "corners_dec_deg": [-5.0, -5.0, -4.0, -4.0],
    }
    broken = {"path": table.paths[2], "status": "used", "corners_ra_deg": [1.0, None], "corners_dec_deg": "x"}
    report.write_text(json.dumps({"frames": [entry, broken]}))
    reported = read_report(table, report)
    table.take_places(reported.corners, reported.how)
    assert np.flatnonzero(table.footprints.exact).tolist() == [1]
    assert table.footprints.oriented[1]
    assert cell_text(table, 1, "solved", WORDS) == WORDS.text("frames.solved.embedded")
    assert table.footprints.centre_of(1) == pytest.approx((80.25, -4.5), abs=0.01)


def test_an_earlier_report_fills_the_table(tmp_path):
    file = tmp_path / "light.fit"
    file.touch()
    table = FrameTable([replace(frame(0), path=str(file), mtime_ns=0), frame(1)])
    report = tmp_path / "run_report.json"
    metrics = {"stars": 70, "fwhm_px": 2.5, "sky_adu": [900.0, 950.0, 980.0]}
    report.write_text(json.dumps({"frames": [{"path": str(file), "weight": 0.8, "metrics": metrics}]}))
    table.take_numbers(read_report(table, report).numbers)
    assert [cell_text(table, 0, name, WORDS) for name in ("stars", "fwhm", "background")] == ["70", "2.50", "950.0"]
    assert cell_text(table, 1, "stars", WORDS) == ""
    report.write_text("[]")
    assert read_report(table, report).numbers == {}


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


def test_coverage_of_turned_outlines_counts_the_middles_of_the_cells_within():
    rng = np.random.default_rng(4)
    middle, turn = rng.uniform((79, -6), (81, -4), (40, 2))[:, None], rng.uniform(0, 2 * np.pi, 40)
    corners = np.array([(-0.4, -0.3), (0.4, -0.3), (0.4, 0.3), (-0.4, 0.3)])
    turns = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).transpose(2, 0, 1)
    corners = middle + corners @ turns
    corners[::2] = corners[::2, ::-1]
    outlines = Footprints(corners[..., 0], corners[..., 1])
    kept = rng.random(40) < 0.7
    counted = outlines.coverage(kept, 60)
    x0, y0, x1, y1 = outlines.bounds()
    size = max(x1 - x0, y1 - y0) / 60
    wanted = [
        [kept[outlines.at(x0 + (u + 0.5) * size, y0 + (v + 0.5) * size)].sum() for u in range(counted.shape[1])]
        for v in range(counted.shape[0])
    ]
    assert counted.max() > 5
    np.testing.assert_array_equal(counted, wanted)


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
    desk = FramesPresenter()
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
    desk = FramesPresenter()
    desk.scan(str(tmp_path))
    wait_until(lambda: desk.problem is not None, desk.pump)
    assert desk.problem.key == "error.input_no_fits"
    assert desk.progress is None
    desk.close()


def scanned(desk):
    """Let a scan end with frames."""
    desk._thread.join()
    while not desk._news.empty():
        desk._news.get()
    desk._news.put(Scanned(desk._number, table=table_of()))
    desk.pump()


def test_what_a_run_tells_during_the_scan_is_in_the_table(tmp_path):
    desk, corners = FramesPresenter(), ((81.0, 80.0, 80.0, 81.0), (-5.5, -5.5, -4.5, -4.5))
    desk.scan(str(tmp_path))
    desk.note(RunStarted("1", "a", "b", "c"))
    desk.note(FrameMeasured(0, "/frames/light_0.fit", 120, 2.5, 0.3, 900.0, 12.0))
    scanned(desk)
    desk.note(FrameSolved(0, "/frames/light_0.fit", "embedded", 40, 0.4, *corners))
    assert cell_text(desk.table, 0, "stars", WORDS) == "120"
    assert cell_text(desk.table, 0, "solved", WORDS) == "built-in"
    desk.scan(str(tmp_path))
    scanned(desk)
    assert cell_text(desk.table, 0, "stars", WORDS) == "", "a table that was scanned later knows nothing of it"
    desk.close()


def test_numbers_of_a_run_do_not_come_into_the_next_one():
    desk = FramesPresenter()
    desk.table = table_of()
    for late in (False, True):
        desk.note(RunStarted("1", "a", "b", "c"))
        numbers = {"fwhm": np.full(len(desk.table), 3.0 + late)}
        told = Scanned(desk._number, reported=Reported(numbers), run=desk._run)
        if late:
            desk.note(RunStarted("1", "a", "b", "c"))
        desk._news.put(told)
        desk.pump()
        assert desk.table.metrics["fwhm"][0] == 3.0
    desk.close()


def test_the_choice_goes_to_the_run_as_a_table(tmp_path):
    desk = FramesPresenter()
    desk.folder = "/frames"
    assert desk.table_for_run("/frames", str(tmp_path), "given.csv") == "given.csv"
    desk.table = table_of()
    assert desk.table_for_run("/frames", str(tmp_path), "given.csv") == ""
    assert desk.table_for_run("/others", str(tmp_path), "given.csv") == "given.csv"
    desk.table.set_keep(np.array([2]), False)
    made = desk.table_for_run("/frames", str(tmp_path), "")
    assert read_selection(tmp_path / "zemosaic_selection.csv", tmp_path).unwanted == {same_file("/frames/light_2.fit")}
    desk.table.undo()
    desk.import_csv(tmp_path / "zemosaic_selection.csv")
    assert desk.table.left_out.tolist() == [2]
    assert made == str(tmp_path / "zemosaic_selection.csv")
    heading = (tmp_path / "zemosaic_selection.csv").read_text(encoding="utf-8").splitlines()[0]
    plan = ["order", "batch_id", "mount", "bortle", "telescope", "session_date", "filter", "exposure", "file_path"]
    assert heading.split(",") == [*plan, "ra", "dec", "keep", "group", "solved", *METRICS[:-1], "beyond_limit"]


def test_frames_are_put_into_groups_by_hand(tmp_path):
    table = table_of()
    fields = table.fields().tolist()
    table.put_together(np.array([4, 1, 6]), "  North   pier ")
    table.put_together(np.array([0]), "édredon")
    assert table.fields().tolist() == fields, "the others keep their fields"
    texts = [cell_text(table, row, "field", WORDS) for row in range(7)]
    assert texts[1] == texts[4] == "North pier" and texts[0] == "édredon"
    assert texts[2:4] == [f"Field {fields[row] + 1}" for row in (2, 3)] and texts[6] == "", "a broken file has none"
    assert table.group_names == ["North pier", "édredon"]
    table.sort("field", False)
    assert table.shown.tolist() == [2, 3, 5, 1, 4, 0, 6]
    table.sort("field", True)
    assert table.shown.tolist()[-1] == 6, "what has no place stands last"
    table.filter("PIER light_4", "all")
    assert table.shown.tolist() == [4]
    told = {line.text: line.ink for line in legend(table, "field", 0, WORDS)}
    assert "North pier · 2" in told and "édredon · 1" in told
    picture = MapPainter().paint(table, MapView(300, 200).fitted(table.footprints.bounds()), "field")
    table.put_together(np.array([1, 4]), "")
    table.put_together(np.array([0]), "")
    plain = MapPainter().paint(table, MapView(300, 200).fitted(table.footprints.bounds()), "field")
    assert (picture != plain).any() and len(set(told.values())) == len(told), "the map shows them"
    assert cell_text(table, 1, "field", WORDS) == texts[1].replace("North pier", f"Field {fields[1] + 1}")


def test_a_group_is_undone_exported_and_reaches_the_run(tmp_path):
    desk = desk_of(table_of())
    desk.folder = "/frames"
    table = desk.table
    table.set_keep(np.array([5]), False)
    table.put_together(np.array([1, 5]), "pier")
    table.set_limit("fwhm", (None, 3.0))
    assert table.group_names == ["pier"], "a limit leaves groups alone"
    table.undo()
    table.undo()
    assert table.group_names == [] and table.left_out.tolist() == [5]
    table.redo()
    assert table.group_names == ["pier"]
    path = desk.table_for_run("/frames", str(tmp_path), "")
    assert read_selection(tmp_path / "zemosaic_selection.csv", tmp_path).groups == {
        same_file(f"/frames/light_{n}.fit"): "pier" for n in (1, 5)
    }
    again = FrameTable(table.frames, chosen=read_selection(tmp_path / "zemosaic_selection.csv", tmp_path))
    assert again.group_of(5) == "pier" and not again.keeping.can_undo, "remembered as what is left out"
    table.undo()
    table.undo()
    assert desk.table_for_run("/frames", str(tmp_path), "") == ""
    table.put_together(np.array([0]), "other")
    table.apply_selection(Selection(unwanted=frozenset([same_file("/frames/light_2.fit")])))
    assert table.group_names == ["other"], "a table without the column says nothing of groups"
    desk.import_csv(tmp_path / "zemosaic_selection.csv")
    assert table.group_names == ["pier"] and table.left_out.tolist() == [5]
    table.undo()
    assert table.group_names == ["other"] and table.left_out.tolist() == [2]
    assert path == str(tmp_path / "zemosaic_selection.csv")


def test_the_analyser_is_found_by_its_folder_and_really_starts(tmp_path):
    assert find_analyser(tmp_path) is None
    other = tmp_path / "seestar" / "beforehand"
    other.mkdir(parents=True)
    assert start_analyser(find_analyser(tmp_path)) is None, "nothing in it to start"
    (other / "analyse_gui.py").write_text("", encoding="utf-8")
    assert find_analyser(tmp_path).name == "Seestar Stacker"
    made = tmp_path / "made"
    code = f"import pathlib; pathlib.Path({str(made)!r}).write_text('x')"
    (tmp_path / "zeanalyser").mkdir()
    (tmp_path / "zeanalyser" / "__main__.py").write_text(code, encoding="utf-8")
    found = find_analyser(tmp_path)
    assert found.name == "ZeAnalyser"
    process = start_analyser(found)
    assert process is not None
    assert process.wait(PATIENCE_S) == 0
    assert made.read_text() == "x"


def test_many_scopes_and_frames_far_apart():
    frames = [replace(frame(i, 30.0 * (i % 12), 0.0), instrument=f"scope {i}") for i in range(24)]
    table = FrameTable(frames)
    lines = legend(table, "telescope", 0, WORDS)
    assert len(lines) == 8
    assert "more" in lines[-1].text
    assert MapPainter().paint(table, MapView(200, 100).fitted(table.footprints.bounds()), "night").any()


def test_the_summary_tells_about_how_large_the_mosaic_will_be():
    desk = FramesPresenter()
    desk.table = table_of()
    # Frames of 1080 x 1920 px of 2.4", spread over a degree of right ascension at -5 degrees of declination.
    assert desk.table.mosaic_px() == (2600, 1900)
    assert "2,600 × 1,900 px" in desk.summary(WORDS)
    desk.table.set_keep(np.arange(1, 6), False)
    assert "1,100 × 1,900 px" in desk.summary(WORDS)


def test_the_summary_tells_what_was_left_out_and_which_cards_are_odd():
    desk = FramesPresenter()
    desk.table = table_of()
    desk.given = (message("inventory.frames", frames=7, hours=1.0, nights=1), message("inventory.copies", files=8))
    first, *remarks = desk.summary(WORDS).split("\n")
    assert first and remarks == [WORDS.text("inventory.copies", files=8)]
    assert desk.given_text(WORDS).count("\n") == 1
