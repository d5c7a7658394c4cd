"""The list of frames can be read by a spreadsheet, edited, and given back."""

from __future__ import annotations

import csv
import io

import pytest
from run_of_frames import records

from zemosaic.frames.selection import read_selection
from zemosaic.report.build_report import build_report
from zemosaic.report.frames_csv import COLUMNS, write_frames_csv


def test_one_line_per_frame_with_its_numbers_and_fate(tmp_path, translators):
    report = build_report(records(60))
    write_frames_csv(tmp_path / "frames.csv", report, translators["en"])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "frames.csv").read_text("utf-8"))))
    assert tuple(rows[0]) == COLUMNS and len(rows) == len(report.frames)
    assert [row["file_path"] for row in rows] == [row.path for row in report.frames]
    assert [row["status"] for row in rows] == [row.status.value for row in report.frames]
    used, rejected = rows[0], rows[3]
    assert float(used["fwhm_arcsec"]) == pytest.approx(report.frames[0].metrics.fwhm_arcsec, rel=1e-4)
    assert used["session_date"] == report.frames[0].date_obs[:10]
    assert min(report.frames[0].corners_dec_deg) < float(used["dec"]) < max(report.frames[0].corners_dec_deg)
    assert rejected["reason"] == "Stars are 11.7 arcsec wide; the limit is 9.9."
    assert all(row["pick"] == "" for row in rows)


def test_an_edited_list_comes_back_as_picks(tmp_path, translators):
    report = build_report(records(10))
    path = tmp_path / "frames.csv"
    write_frames_csv(path, report, translators["fr"])
    assert read_selection(path, tmp_path).of(report.frames[0].path) is None
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    rows[0]["pick"], rows[1]["pick"] = "no", "yes"
    with path.open("w", newline="", encoding="utf-8") as stream:
        out = csv.DictWriter(stream, COLUMNS, delimiter=";")
        out.writeheader()
        out.writerows(rows)
    picks = read_selection(path, tmp_path)
    assert [picks.of(row.path) for row in report.frames[:3]] == [False, True, None]
