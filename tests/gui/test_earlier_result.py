"""What lies in the output folder is shown before anything is run; what a failed run left, after it."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import get_args

from fake_worker import FakeRun, make_demo
from waiting import wait_until

from zemosaic.errors import message
from zemosaic.events import RunFailed
from zemosaic.export.cards import MapKind
from zemosaic.gui.presenter.frames.frame_cells import cell_text, short_reason, verdict_text
from zemosaic.gui.presenter.frames.frame_table import FrameTable
from zemosaic.gui.presenter.result.earlier_result import find_earlier_result
from zemosaic.gui.presenter.result.picture_control import PictureControl
from zemosaic.gui.presenter.result.result_page import ResultPage
from zemosaic.gui.presenter.run.problem_report import problem_text
from zemosaic.gui.presenter.run.run_state import advanced
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator
from zemosaic.model import Dropped, FrameStatus

WORDS = Translator("en")


class Widgets:
    """The widgets of a Result page that only remember what they were told."""

    def __init__(self):
        self.told = {}
        self.picture = PictureControl(str)
        self.picture.redraw = lambda: None

    def __getattr__(self, name):
        return lambda *values: self.told.__setitem__(name, values)


def page_of(environ, folder):
    session = Session(WORDS, environ, FakeRun, make_demo)
    session.edit("output_dir", str(folder))
    widgets = Widgets()
    return session, ResultPage(session, widgets), widgets.told


def touch(path, at):
    path.touch()
    os.utime(path, (at, at))


def test_the_newest_mosaic_is_found_and_no_map_is_taken_for_one(tmp_path):
    assert find_earlier_result(tmp_path) is None and find_earlier_result(tmp_path / "none") is None
    for at, name in enumerate(("MT1_R2", "MT4_R9"), 1000):
        for later, suffix in enumerate(("", *(f"_{kind}" for kind in get_args(MapKind)), "_crop")):
            touch(tmp_path / f"zemosaic_{name}{suffix}.fits", at + 2 * later)
    touch(tmp_path / "zemosaic_MT9_R9_stretched.tif", 2000)
    result = find_earlier_result(tmp_path)
    assert result.mosaics == (str(tmp_path / "zemosaic_MT4_R9.fits"),) and result.report_html == ""
    head = {"mosaic": "zemosaic_MT1_R2.fits", "frames_found": 12, "frames_used": 9, "frames": [{"path": "a"}]}
    (tmp_path / "run_report.json").write_text(json.dumps(head, indent=1))
    (tmp_path / "run_report.html").touch()
    result = find_earlier_result(tmp_path)
    assert result.mosaic.endswith("MT1_R2.fits") and (result.frames_used, result.frames_found) == (9, 12)
    assert any("9" in line and "3" in line for line in result.lines(WORDS))


def test_the_fields_of_one_run_belong_together(tmp_path):
    for name, at in (("MT1_R2_f80_10", 5000), ("MT1_R2_f200_-30", 5001), ("MT2_R4_f80_10", 1000)):
        touch(tmp_path / f"zemosaic_{name}.fits", at)
        touch(tmp_path / f"zemosaic_{name}_coverage.fits", at)
    names = [re.sub(r".*zemosaic_", "", path) for path in find_earlier_result(tmp_path).mosaics]
    assert names == ["MT1_R2_f200_-30.fits", "MT1_R2_f80_10.fits"]


def test_the_result_page_opens_what_lies_in_the_output_folder(environ, tmp_path):
    touch(tmp_path / "zemosaic_MT1_R2.fits", 1000)
    _, page, told = page_of(environ, tmp_path)
    wait_until(lambda: page.files().mosaic, page.pump)
    assert told["show_summary"][0].startswith("The newest mosaic of the output folder")
    assert page.desk.path.endswith("zemosaic_MT1_R2.fits")
    page.close()


def test_a_failed_run_leaves_its_reason_and_live_buttons(environ, tmp_path):
    session, page, told = page_of(environ, tmp_path)
    (tmp_path / "run_report.html").touch()
    log = str(tmp_path / "zemosaic_worker.log")
    failed = RunFailed(message("error.memory"), 5, log)
    session.state = advanced(replace(session.state, output_dir=str(tmp_path)), failed, 1.0)
    page.update_state()
    text, files = told["show_summary"]
    assert "lower “Memory limit”" in text and log in text
    assert (files.report, files.folder, files.log, files.has_failed) == (
        str(tmp_path / "run_report.html"),
        str(tmp_path),
        log,
        True,
    )
    report = problem_text(session, tmp_path.parent)
    assert WORDS.text("error.memory") in report and "ZeMosaic" in report and str(tmp_path) not in report
    assert "output_dir = <output_dir>" in report


def test_reasons_are_short_in_the_table_and_whole_below_it():
    reason = message("reason.trailed", eccentricity=0.8, limit=0.6)
    copy = message("reason.duplicate", file="a.fit", first="/x/b.fit")
    table = FrameTable([], [Dropped("/a/t.fit", None, "measure", FrameStatus.REJECTED, reason)])
    assert cell_text(table, 0, "verdict", WORDS) == "⚠ Trailed"
    assert "eccentricity 0.8" in verdict_text(table, 0, WORDS)
    assert short_reason(copy, WORDS) == "Copy of b.fit"
    assert short_reason(message("reason.unknown"), WORDS) == WORDS.text("reason.unknown")
