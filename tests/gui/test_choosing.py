"""What chooses frames and settings, without any toolkit: limits, redo, presets, small pictures, regions."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_frames import WORDS, frame, table_of
from waiting import wait_until

import zemosaic
from zemosaic.frames.frame_files import scan_folder
from zemosaic.gui.presenter.desktop import system_desktop as desktop
from zemosaic.gui.presenter.frames.footprints import Footprints
from zemosaic.gui.presenter.frames.frame_cells import cell_text
from zemosaic.gui.presenter.frames.frames_page import FramesPage
from zemosaic.gui.presenter.frames.frames_presenter import FramesPresenter
from zemosaic.gui.presenter.frames.histograms import Histogram
from zemosaic.gui.presenter.frames.region_outline import region_outline, region_text
from zemosaic.gui.presenter.frames.thumbnails import ThumbnailLoader
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.equipment import Equipment
from zemosaic.gui.presenter.settings.form import Form
from zemosaic.gui.presenter.settings.presets import BUILT_IN, KEPT, Presets
from zemosaic.i18n import Translator
from zemosaic.settings.load import check_value
from zemosaic.settings.schema import Settings, specs


@pytest.fixture
def histogram():
    """FWHM from 1 to 6 in a picture 360 pixels wide."""
    desk = FramesPresenter()
    desk.table = table_of()
    desk.table.metrics["fwhm"][:6] = np.arange(1.0, 7.0)
    made = Histogram(desk, "fwhm")
    made.resize(360, 60)
    return made


def test_a_dragged_line_leaves_out_what_lies_beyond(histogram):
    table = histogram._desk.table
    assert not histogram.press(180), "there is no line in the middle"
    assert histogram.press(358)
    histogram.drag(200)
    assert table.left_out.tolist() == [], "nothing is left out while the line is held"
    assert any(not bar.kept for bar in histogram.bars())
    histogram.release()
    limit = table.keeping.limits["fwhm"][1]
    assert table.left_out.tolist() == [row for row in range(6) if row + 1 > limit]
    assert "FWHM" in cell_text(table, 5, "verdict", WORDS)
    assert histogram.press(200)
    histogram.drag(400)
    histogram.release()
    assert table.left_out.tolist() == []
    table.undo()
    assert table.left_out.tolist()
    table.undo()
    table.redo()
    assert table.left_out.tolist()


def test_limits_by_keys_and_typed(histogram):
    table = histogram._desk.table
    histogram.nudge(-9, lower=False)
    assert 5 in table.left_out
    histogram.nudge(9, lower=True)
    assert 0 in table.left_out
    histogram.clear()
    assert not len(table.left_out)
    assert histogram.type_limits("2,5", "")
    assert table.left_out.tolist() == [0, 1]
    assert histogram.typed(Translator("en")) == ("2.5", "")
    assert not histogram.type_limits("x", "")


def test_what_was_said_last_holds(histogram):
    table = histogram._desk.table
    histogram.type_limits("", "4.5")
    table.set_keep(np.array([5]), True)
    assert table.left_out.tolist() == [4], "kept by hand though beyond the limit"
    histogram.type_limits("", "3.5")
    assert table.left_out.tolist() == [3, 4, 5]


def test_a_frame_measured_later_meets_the_limit(histogram):
    from zemosaic.events import FrameMeasured

    table = histogram._desk.table
    histogram.type_limits("", "4.5")
    table.note(FrameMeasured(0, "/frames/light_0.fit", 120, 9.0, 0.3, 900.0, 12.0, 33.0))
    assert 0 in table.left_out
    assert cell_text(table, 0, "snr", WORDS) == "33.0"


ACTS = st.sampled_from(["keep", "out", "limit", "group", "undo", "redo"])


@given(st.lists(st.tuples(ACTS, st.integers(0, 5)), max_size=12))
def test_redo_leads_back_to_where_undo_began(acts):
    table = table_of()
    table.metrics["fwhm"][:6] = np.arange(1.0, 7.0)
    for act, number in acts:
        if act == "limit":
            table.set_limit("fwhm", (None, float(number)))
        elif act in ("undo", "redo"):
            getattr(table, act)()
        elif act == "group":
            table.put_together(np.array([number]), "ab"[number % 2])
        else:
            table.set_keep(np.array([number]), act == "keep")
    while table.keeping.can_redo:
        table.redo()
    last, groups = table.keep.tolist(), [table.group_of(row) for row in range(7)]
    while table.keeping.can_undo:
        table.undo()
    assert table.keep.tolist() == table.usable.tolist() and table.group_names == []
    while table.keeping.can_redo:
        table.redo()
    assert table.keep.tolist() == last and [table.group_of(row) for row in range(7)] == groups


def test_fields_are_the_pointings():
    table = Footprints.of([frame(i, 80.0 + (i % 2) * 0.8 + i * 0.01, -5.0) for i in range(6)], 1)
    assert table.fields().tolist() == [0, 1, 0, 1, 0, 1, -1]
    assert table.fields(5.0).tolist() == [0, 0, 0, 0, 0, 0, -1]


def test_a_region_is_where_it_was_drawn():
    footprints = Footprints.of([frame(i, 80 + i * 0.2, -5) for i in range(4)])
    text = region_text(footprints, -0.2, -0.1, 0.4, 0.3)
    outline = region_outline(footprints, text)
    assert outline.min(axis=0) == pytest.approx((-0.2, -0.1), abs=2e-3)
    assert outline.max(axis=0) == pytest.approx((0.4, 0.3), abs=2e-3)
    assert region_outline(footprints, "nonsense") is None
    assert check_value("region_of_interest", text) == text


def test_small_pictures_come_from_the_frames(demo_frames, tmp_path):
    frames = scan_folder(demo_frames(tmp_path, [0])).frames
    desk = ThumbnailLoader()
    desk.ask(frames[0])
    wait_until(desk.pump)
    picture = desk.shown.picture
    assert max(picture.shape) <= 360
    assert picture.std() > 5, "stars on a dark sky"
    desk.ask(None)
    assert desk.shown is None
    desk.close()


def test_presets_change_settings_and_come_back(tmp_path):
    presets = Presets(tmp_path)
    form = Form.of(Settings(input_dir="/a"))
    for name, values in BUILT_IN.items():
        chosen = presets.applied(name, form)
        assert presets.current(chosen) == name
        assert not set(values) & set(KEPT)
        assert {row.key for row in chosen.rows if row.changed} == {"input_dir", *values}, name
    mine = form.edited("stacking_kappa_low", "2")
    assert presets.current(mine) == ""
    assert presets.save("Mine", mine) is None
    assert presets.save("default", mine).key == "error.preset_name"
    again = Presets(tmp_path)
    assert again.current(mine) == "Mine"
    assert again.applied("Mine", form).row("stacking_kappa_low").value == 2.0
    assert not again.notes
    (tmp_path / "presets.json").write_text('{"Old": {"winsor_min_frames_per_pass": 4}}', encoding="utf-8")
    old = Presets(tmp_path)
    assert old.applied("Old", form).row("winsor_min_frames_per_pass").value == 5
    assert [note.params["setting"] for note in old.notes] == ["winsor_min_frames_per_pass"]
    again.delete("Mine")
    assert "Mine" not in Presets(tmp_path).names


def test_equipment_is_looked_for_and_tested(environ, tmp_path):
    session = Session(WORDS, environ, lambda settings, until=None: None, lambda folder, told=None: folder)
    session.form = session.form.edited("astap_executable_path", str(tmp_path / "none"))
    equipment = Equipment(session)
    equipment.look(test=True)
    wait_until(lambda: not equipment.busy)  # every package is loaded in a process of its own
    assert equipment.pump()
    assert equipment.finding("gpu").text.key in ("error.gpu_unusable", "equipment.gpu_works")
    assert equipment.finding("astap").text.key.startswith("equipment.astap_")


def test_the_page_proposes_a_place_for_the_mosaic(environ, tmp_path):
    session = Session(WORDS, environ, lambda settings, until=None: None, lambda folder, told=None: folder)
    page = FramesPage(session)
    (tmp_path / "lights").mkdir()
    page.open_folder(str(tmp_path / "lights"))
    assert session.form.row("output_dir").value == str(tmp_path / "lights_mosaic")
    session.form = session.form.edited("output_dir", "/elsewhere")
    page.open_folder(str(tmp_path / "lights"))
    assert session.form.row("output_dir").value == "/elsewhere"
    session.frames.close()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_setting_has_words(language):

    words = Translator(language)
    for spec in specs():
        for part in ("label", "help"):
            assert words.has(f"setting.{spec.key}.{part}"), spec.key
    for name in BUILT_IN:
        assert words.has(f"preset.{name}")


def test_no_setting_is_without_effect():
    """Each is read, as an attribute or by name, somewhere beyond the settings and the windows, which only show it."""
    root = Path(zemosaic.__file__).parent
    told = [path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in ("settings", "gui")]
    told += (root / "gui" / "presenter" / "unattended").glob("*.py")  # what watches a folder acts by settings too
    nodes = [node for path in told for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}
    read |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert [spec.key for spec in specs() if spec.key not in read] == []


@pytest.mark.parametrize(("answer", "dark"), [(b"'prefer-dark'", True), (b"'default'", False), (b"", True)])
def test_the_desktop_says_whether_it_is_dark(answer, dark, monkeypatch):
    monkeypatch.setattr(desktop.sys, "platform", "linux")
    done = subprocess.CompletedProcess([], 0, answer)
    monkeypatch.setattr(desktop.subprocess, "run", lambda *argv, **told: done)
    assert desktop.system_is_dark() is dark
