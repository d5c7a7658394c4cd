"""Seams and depth in the reports: figures, maps, verdicts and the frames used in part."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from run_of_frames import records

from zemosaic.model import OBSTRUCTION_BLOCK_PX, EdgeOffsets, FrameStatus
from zemosaic.qa.noise_against_depth import DepthNoise, noise_by_depth
from zemosaic.qa.seam_summary import summarise_seams
from zemosaic.qa.seam_verdict import Seam, pooled_edges
from zemosaic.qa.seams import SeamReport
from zemosaic.report.build_report import build_report
from zemosaic.report.charts import EdgedFrame, seam_map
from zemosaic.report.depth_chart import depth_chart
from zemosaic.report.report_html import ReportPictures, report_html
from zemosaic.report.report_json import report_dict, write_report_json
from zemosaic.report.report_records import RunRecords

NONE = (math.nan,) * 3
STEPS = EdgeOffsets(
    before=((3.0, 2.0, 1.0), (-1.0, -2.0, -3.0), NONE, (0.0, 0.0, 0.0)),
    after=((0.02, 0.03, 0.01), (0.0, -0.2, 0.0), NONE, (0.01, 0.01, 0.01)),
)


def seams(step: float) -> SeamReport:
    pieces = tuple(Seam(k, (0.0, 400.0), (5.0, 5.0), (step,) * 3, (0.01,) * 3, (0.1,) * 3) for k in range(20))
    return SeamReport(pieces, tuple(pooled_edges(pieces)))


def with_steps(found: SeamReport | None = None, **changes: object) -> RunRecords:
    given = records(20)
    return replace(
        given, calibrated=[replace(frame, edge_offsets=STEPS) for frame in given.calibrated], seams=found, **changes
    )


def test_steps_are_summed_up_before_and_after():
    given = with_steps(seams(0.04))
    summary = summarise_seams(given.calibrated, given.seams)
    assert summary is not None
    assert summary.edges == 3 * len(given.calibrated)
    assert summary.level_before == pytest.approx(math.sqrt((4 + 4 + 0) / 3))
    assert summary.level_after == pytest.approx(math.sqrt((0.03**2 + 0.2**2 + 0.01**2) / 3))
    assert summary.colour_before == pytest.approx(math.sqrt((4 + 4 + 0) / 3))
    assert summary.below_limit == pytest.approx(2 / 3)


@pytest.mark.parametrize(("step", "verdict"), [(0.04, "invisible"), (0.3, "visible"), (None, "unknown")])
def test_the_verdict_is_that_of_the_finished_mosaic(tmp_path, translators, step, verdict):
    given = with_steps(None if step is None else seams(step))
    write_report_json(tmp_path / "r.json", build_report(given), translators["en"])
    told = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert told["seams"]["verdict"] == verdict
    used = next(frame for frame in told["frames"] if frame["status"] == "used")
    assert used["seams"]["before"][0] == [3.0, 2.0, 1.0] and used["seams"]["after"][2] == [None] * 3
    page = report_html(build_report(given), ReportPictures(), translators["fr"])
    assert translators["fr"].text(f"report.seams.{verdict}").split(":")[0].replace("'", "’") in page
    assert page.count('class="step e3"') >= 1, "steps as taken are drawn in red"


def test_without_a_joint_solution_nothing_is_said(translators):
    told = report_dict(build_report(records(20)), translators["en"])
    assert told["seams"] is None and told["noise_by_depth"] is None
    page = report_html(build_report(records(20)), ReportPictures(), translators["en"])
    assert translators["en"].text("report.seams") not in page and translators["en"].text("report.depth") not in page


def test_edges_take_the_colour_of_their_step():
    square = ((10.0, 10.5, 10.5, 10.0), (40.0, 40.0, 40.5, 40.5))
    drawn = seam_map([EdgedFrame(*square, (0.05, -0.2, 0.5, 4.0)), EdgedFrame(*square, (math.nan,) * 4)], "map")
    assert drawn is not None
    assert [drawn.count(f'class="step e{k}"') for k in range(4)] == [1, 1, 1, 1]
    assert seam_map([], "map") is None


def test_noise_is_measured_by_depth_without_minding_light():
    rng = np.random.default_rng(4)
    height, width = 900, 600
    kept = np.full((height, width), 4)
    kept[:, 200:400] = 16
    kept[:, 400:] = 64
    kept[:, :30] = 0
    y, x = np.mgrid[0:height, 0:width]
    light = 60.0 * np.exp(-(((x - 300) / 150.0) ** 2)) + 0.2 * y
    value = light + rng.normal(0, 1, kept.shape) * 40.0 / np.sqrt(np.maximum(kept, 1))
    value[::53, ::47] += 5000.0
    value[:, :30] = np.nan
    found = noise_by_depth(np.stack([value] * 3), kept, (0, height, 0, width))
    assert found is not None
    assert found.frames.tolist() == [4.0, 16.0, 64.0]
    assert found.noise_adu == pytest.approx([20.0, 10.0, 5.0], rel=0.04)
    assert found.typical_frames == 16.0
    assert noise_by_depth(np.stack([value] * 3), kept, (0, 20, 0, 20)) is None


def test_the_page_shows_noise_by_depth_and_what_an_hour_would_bring(translators):
    depth = DepthNoise(np.array([4.0, 16.0, 64.0]), np.array([11.0, 5.2, 2.6]), 16.0)
    given = replace(records(20), depth=depth)
    page = report_html(build_report(given), ReportPictures(), translators["en"])
    used = sum(row.status is FrameStatus.USED for row in build_report(given).frames)
    percent = 100 * (1 - math.sqrt(10 * used / (10 * used + 3600)))
    assert f"lower the noise by {percent:.0f}%" in page
    chart = depth_chart(depth.frames, depth.noise_adu, 21.0, "depth", lambda value, digits: f"{value:.{digits}f}")
    assert chart.count("h0") == 3 and ">5<" in chart and ">50<" in chart


def test_a_frame_half_hidden_is_told_with_its_area(translators):
    given = records(20)
    first = given.calibrated[0]
    columns = -(-first.frame.width // OBSTRUCTION_BLOCK_PX)
    half = replace(first, obstructed=tuple(range(columns * 15)))
    report = build_report(replace(given, calibrated=[half, *given.calibrated[1:]]))
    assert report.frames[0].area_used == pytest.approx(0.5)
    assert report.frames[1].area_used == 1.0 and not report.frames[1].in_part
    told = report_dict(report, translators["en"])["frames"]
    assert told[0]["area_used"] == pytest.approx(0.5) and "area_used" not in told[1]
    page = report_html(report, ReportPictures(), translators["en"])
    assert translators["en"].text("report.in_part", n=1) in page and '<td class="n">50%</td>' in page
