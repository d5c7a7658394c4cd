"""What stars tell stands in the report, in the header, and in the files that are read again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from run_of_frames import records

from zemosaic.report.build_report import build_report
from zemosaic.report.report_html import ReportPictures, report_html
from zemosaic.report.report_json import write_report_json
from zemosaic.report.report_records import StarLight
from zemosaic.stars.response import USUAL
from zemosaic.stars.shallow_parts import ShallowPart
from zemosaic.stars.star_cards import star_cards
from zemosaic.stars.white import SUN_BP_RP, StarColoursMeasured, white_of_stars
from zemosaic.stars.zero_point import MosaicDepth, ZeroPoint
from zemosaic.store.mosaic_file import MosaicFile


def light() -> StarLight:
    bp_rp = np.linspace(0.2, 1.6, 15)
    small = np.full(15, 0.003)
    stars = StarColoursMeasured(bp_rp, 0.5 - 0.4 * (bp_rp - SUN_BP_RP), 0.3 + 0.6 * (bp_rp - SUN_BP_RP), small, small)
    zero = ZeroPoint(21.86, 0.01, 0.03, -0.1, 15, 5.9, 3.3)
    part = ShallowPart(314.0, 44.0, 30.0, 14.2, 7, 70)
    return StarLight(white_of_stars(stars, USUAL, "Gaia DR3"), zero, MosaicDepth(14.9, 100.0), (part,))


def test_the_report_for_programs(tmp_path, translators):
    path = tmp_path / "run_report.json"
    write_report_json(path, build_report(records(20, light=light())), translators["en"])
    told = json.loads(path.read_text(encoding="utf-8"))
    colour = told["colour"]
    assert set(colour) == {"gains", "error_mag", "stars", "method", "reference"}
    assert colour["gains"][1] == 1.0 and colour["gains"][0] == pytest.approx(10**0.2, rel=1e-3)
    assert colour["stars"] == 15 and colour["method"] == "stars"
    assert told["photometry"]["magzpt"] == 21.86 and told["photometry"]["limit_mag"] == 14.9
    assert told["shallow_parts"][0]["frames_to_gain"] == 7


def test_without_stars_the_report_says_nothing_of_them(tmp_path, translators):
    path = tmp_path / "run_report.json"
    report = build_report(records(20))
    write_report_json(path, report, translators["en"])
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["colour"] is None and told["photometry"] is None and told["shallow_parts"] == []
    title = translators["en"].text("report.light")
    assert title not in report_html(report, ReportPictures(), translators["en"])


def test_the_page_shows_the_stars_and_the_shallow_parts(translators):
    for translator in translators.values():
        page = report_html(build_report(records(20, light=light())), ReportPictures(), translator)
        for key in ("report.light", "report.light.red", "report.light.blue", "report.shallow"):
            assert translator.text(key) in page


@pytest.mark.parametrize("applied", [False, True])
def test_the_header_tells_the_gains_and_whether_they_are_applied(tmp_path, applied):
    told = light()
    cards = star_cards(told.white.colour, applied, told.zero, told.depth)
    header = fits.Header()
    for keyword, value, comment in cards:
        header[keyword] = (value, comment)
    fits.writeto(tmp_path / "m.fits", np.ones((3, 20, 30), np.float32), header)
    assert header["MAGZPT"] == 21.86 and header["MAGLIM5"] == 14.9
    file = MosaicFile(tmp_path / "m.fits")
    assert file.colour_gains == ((1.0, 1.0, 1.0) if applied else pytest.approx(told.white.colour.gains, rel=1e-5))
    file.close()


def test_a_header_without_gains_tells_none(tmp_path):
    fits.writeto(tmp_path / "m.fits", np.ones((3, 20, 30), np.float32))
    file = MosaicFile(tmp_path / "m.fits")
    assert file.colour_gains is None
    file.close()
