"""The report: every frame once, true numbers, a page that stays readable and safe."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser

import numpy as np
import pytest
from run_of_frames import FOLDER, frame_ref, records

from zemosaic.errors import OutputError, message
from zemosaic.frames.selection import read_selection
from zemosaic.i18n import Translator
from zemosaic.model import Dropped, FrameStatus
from zemosaic.qa.residual_background import ResidualBackground
from zemosaic.report.build_report import build_report
from zemosaic.report.charts import Footprint, Series, dec_text, ra_text, series_chart, sky_map, ticks
from zemosaic.report.frames_csv import write_frames_csv
from zemosaic.report.report_html import ROWS_PER_GROUP, ReportPictures, report_html, write_report_html
from zemosaic.report.report_json import write_report_json
from zemosaic.report.report_records import RunRecords, StarLight

PICTURES = ReportPictures(np.full((40, 60, 3), 30, np.uint8), np.zeros((40, 60, 4), np.uint8), 12.0)


def read_json(tmp_path, report, translator):
    write_report_json(tmp_path / "run_report.json", report, translator)
    return json.loads(
        (tmp_path / "run_report.json").read_text(encoding="utf-8"),
        parse_constant=lambda name: pytest.fail(f"{name} is no JSON"),
    )


def test_every_file_appears_once_with_its_fate(tmp_path, translators):
    told = read_json(tmp_path, build_report(records(60)), translators["en"])
    assert len(told["frames"]) == 61
    assert len({frame["path"] for frame in told["frames"]}) == 61
    fates = [frame["status"] for frame in told["frames"]]
    assert [fates[n] for n in (0, 3, 5, 60)] == ["used", "rejected", "unsolved", "unreadable"]
    assert told["frames_used"] == fates.count("used") == 43
    assert told["mosaic"] == "zemosaic_MT2_R60.fits"
    assert told["timings"]["stack"] == {"wall_s": 4000.0, "cpu_s": 7900.0}
    assert told["settings"]["solver"] == "astap"
    assert told["peak_rss_bytes"] == 1_900_000_000


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_failed_run_says_in_its_headline_that_there_is_no_mosaic_and_why(language, tmp_path, translators):
    why = message("error.no_usable_frames", folder=FOLDER, dropped=61)
    report, words = build_report(records(60, mosaic=None, failure=why)), Translator(language)
    page = report_html(report, ReportPictures(), words)
    headline = page[page.index("<h1") : page.index("</header>")]
    assert words.text("report.no_mosaic") in headline and FOLDER in headline
    told = read_json(tmp_path, report, words)
    assert told["mosaic"] is None and told["failure"]["text"] == words.message(why)
    made = report_html(build_report(records(60)), PICTURES, words)
    assert words.text("report.no_mosaic") not in made
    assert read_json(tmp_path, build_report(records(60)), words)["failure"] is None


def test_a_frame_has_the_numbers_its_phases_found(tmp_path, translators):
    frames = read_json(tmp_path, build_report(records(60)), translators["en"])["frames"]
    used, rejected, unsolved, broken = (frames[n] for n in (0, 3, 5, 60))
    assert used["reason"] is None
    assert 0 < used["weight"] <= 1.2
    assert used["metrics"]["fwhm_arcsec"] == pytest.approx(used["metrics"]["fwhm_px"] * 2.39)
    assert len(used["corners_ra_deg"]) == 4
    assert rejected["reason"] == {
        "text": "Stars are 11.7 arcsec wide; the limit is 9.9.",
        "key": "reason.test_fwhm",
        "params": {"fwhm": 11.73, "limit": 9.9},
    }
    assert rejected["weight"] is None
    assert rejected["metrics"]["how"] == "propagated"
    assert unsolved["corners_ra_deg"] == []
    assert unsolved["metrics"]["stars"] > 0
    assert broken["metrics"]["stars"] is None


def test_tiles_that_disagree_about_a_frame_are_told(tmp_path, translators):
    given = records(60)
    whole = read_json(tmp_path, build_report(given), translators["en"])["frames"]
    assert "tile_verdicts" not in whole[0], "nothing hides the frame: it only touches that tile's corner"
    behind = [replace(frame, obstructed=(0, 1)) if frame.frame.frame_id == 0 else frame for frame in given.calibrated]
    frames = read_json(tmp_path, build_report(replace(given, calibrated=behind)), translators["en"])["frames"]
    assert frames[0]["tile_verdicts"] == {"used": [0], "rejected": [1]}
    assert all("tile_verdicts" not in frame for frame in frames[1:])


def test_a_frame_that_no_tile_took_is_not_called_used():
    given = records(20)
    rest = given.tiles[0].frames_used[1:]
    report = build_report(replace(given, tiles=[replace(tile, frames_used=rest) for tile in given.tiles]))
    assert report.frames[0].status is FrameStatus.REJECTED
    assert report.frames[0].reason == message("reason.used_in_no_tile")


def test_a_program_reads_the_frames_line_by_line(tmp_path, translators):
    told = read_json(tmp_path, build_report(records(60)), translators["en"])
    lines = (tmp_path / "run_report.json").read_text(encoding="utf-8").splitlines()
    first = lines.index(' "frames": [') + 1
    assert [json.loads(line.rstrip(",")) for line in lines[first : lines.index(" ],", first)]] == told["frames"]


def test_the_report_says_which_way_was_taken_and_why(tmp_path, translators):
    given = records(20)
    assert read_json(tmp_path, build_report(given), translators["en"])["way"] is None
    report = build_report(replace(given, way=message("log.mode_seestar", seestar=19, frames=20)))
    told = read_json(tmp_path, report, translators["fr"])["way"]
    assert (told["key"], told["params"]) == ("log.mode_seestar", {"seestar": 19, "frames": 20})
    assert told["text"] in Page(report_html(report, ReportPictures(), translators["fr"])).words


def test_the_report_shows_how_deep_each_part_is(translators):
    residual = ResidualBackground((0, 40, 0, 60), ((0.0,) * 6,) * 3, (4.28, 3.0, 2.0), (0.1,) * 3, 0.62)
    report = build_report(replace(records(20), light=StarLight(residual=residual)))
    plain = report_html(report, PICTURES, translators["en"])
    assert "4.3 ADU" in plain and "62% of the sky is empty" in plain and "Depth" not in Page(plain).words
    drawn = replace(PICTURES, depth=PICTURES.coverage, depth_deepest_mag=17.25, depth_shallowest_mag=15.75)
    page = Page(report_html(report, drawn, translators["en"])).words
    assert "15.8 mag" in page and "17.2 mag" in page and "still shallower" not in page


@pytest.mark.parametrize("language", ["en", "fr"])
def test_groups_by_hand_are_told(tmp_path, translators, language):
    plain = records(20)
    names = ["<b>", "pier"]
    grouped = replace(plain, frames=[replace(frame, group_name=names[frame.frame_id % 2]) for frame in plain.frames])
    report = build_report(grouped)
    told = read_json(tmp_path, report, translators[language])
    assert [frame.get("group") for frame in told["frames"]] == [*names * 10, None]
    assert told["groups_by_hand"] == {"<b>": 10, "pier": 10}
    page = report_html(report, PICTURES, translators[language])
    assert page.count("<b>&lt;b&gt;</b>") == 1 and page.count("<b>pier</b>") == 1
    assert translators[language].text("report.by_hand", n=2) in page
    write_frames_csv(tmp_path / "frames.csv", report, translators[language])
    edited = read_selection(tmp_path / "frames.csv", tmp_path)
    assert [edited.group_of(frame.path) for frame in plain.frames] == names * 10, "to be edited and given back"
    note = translators[language].text("report.by_hand.note")
    without = build_report(plain)
    told = read_json(tmp_path, without, translators[language])
    assert "groups_by_hand" not in told and "group" not in told["frames"][0] and "group" not in told["tiles"][0]
    assert note in page and note not in report_html(without, PICTURES, translators[language])


def test_what_is_not_finite_becomes_null(tmp_path, translators):
    given = records(20)
    first = replace(given.measured[0], fwhm_px=float("nan"), eccentricity=float("inf"), sky_adu=(float("nan"),))
    told = read_json(tmp_path, build_report(replace(given, measured=[first, *given.measured[1:]])), translators["en"])
    metrics = told["frames"][0]["metrics"]
    assert (metrics["fwhm_px"], metrics["eccentricity"], metrics["sky_adu"]) == (None, None, [None])


def test_a_run_that_failed_early_still_has_a_report(tmp_path, translators):
    ref = frame_ref(0, datetime(2025, 1, 1), date_obs=None, scale_arcsec=None)
    gone = Dropped("/data/lights/x.fit", None, "scan", FrameStatus.UNREADABLE, message("reason.empty_file"))
    report = build_report(RunRecords(frames=[ref], dropped=[gone]))
    assert [row.reason.key for row in report.frames] == ["reason.not_reached", "reason.empty_file"]
    assert read_json(tmp_path, report, translators["en"])["mosaic"] is None
    assert "run_report.json" in report_html(report, ReportPictures(), translators["en"])


class Page(HTMLParser):
    """What a page is made of, with a check that its elements are nested rightly."""

    VOID = frozenset({"meta", "img", "br", "path", "polygon"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_page_is_whole_and_alone(tmp_path, translators, language):
    write_report_html(tmp_path / "r.html", build_report(records(60)), PICTURES, translators[language])
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = Page(text)
    assert f'<html lang="{language}">' in text
    assert "script" not in page.tags
    assert [link[:11] for link in page.links] == ["data:image/"] * 2
    assert "@import" not in text
    assert page.tags.count("svg") == 7
    words = " ".join(page.words)
    assert "NGC 7000" in words
    assert not re.search(r"\b(report|reason|phase|setting|warning)\.[a-z]", words)
    assert "{" not in words
    assert ("14 min" in words) is False
    assert ("6,2″" if language == "fr" else "6.2″") in words


def test_texts_from_outside_are_escaped(translators):
    given = records(20)
    bad = '<img src=x onerror="alert(1)">'
    frames = [replace(given.frames[0], object_name=bad, path=f"{FOLDER}/{bad}.fit", telescope=bad), *given.frames[1:]]
    lost = Dropped(frames[0].path, 0, "scan", FrameStatus.REJECTED, message("reason.test_unsolved", stars=bad))
    report = build_report(
        replace(given, frames=frames, dropped=[lost], plan=replace(given.plan, name=bad), settings={"solver": bad})
    )
    text = report_html(report, PICTURES, translators["en"])
    assert "<img src=x" not in text
    assert "<b>found" not in text
    assert text.count("&lt;img src=x") >= 4


def test_the_page_names_no_folder_of_the_user(translators):
    text = report_html(build_report(records(60)), PICTURES, translators["en"])
    assert FOLDER not in text
    assert "night/Light_00003.fit" in text


def test_thousands_of_lost_frames_stay_readable(translators):
    report = build_report(records(9000, lost_every=6))
    text = report_html(report, PICTURES, translators["en"])
    assert len(text) < 4e6
    assert text.count("<details") == 3
    assert text.count("<details open") == 1
    assert f"{1500 - ROWS_PER_GROUP:,} more of this kind" in text
    assert text.count("<polygon") <= 600


def test_settings_at_their_default_are_not_listed(translators):
    text = report_html(build_report(records(20)), PICTURES, translators["en"])
    assert ">resume<" in text
    assert "stacking_kappa_low" not in text


def test_an_unwritable_folder_is_told(tmp_path, translators):
    with pytest.raises(OutputError):
        write_report_html(tmp_path / "none" / "r.html", build_report(records(20)), PICTURES, translators["en"])


@pytest.mark.parametrize(("ra0", "dec0"), [(0.02, 10.0), (180.0, 89.6), (30.0, -89.9), (314.0, 44.0)])
def test_the_sky_map_works_everywhere(ra0, dec0):
    corners = [((-0.3, 0.3, 0.3, -0.3), (-0.5, -0.5, 0.5, 0.5)), ((0.1, 0.7, 0.7, 0.1), (-0.5, -0.5, 0.5, 0.5))]
    prints = []
    for xi, eta in corners:
        from zemosaic.wcs import from_tangent_plane

        ra, dec = from_tangent_plane(xi, eta, ra0, dec0)
        prints.append(Footprint(tuple(ra), tuple(dec), True, 0))
    svg = sky_map(prints, "map", "N", "E")
    assert "nan" not in svg
    assert svg.count('class="grid"') >= 5
    first, second = (
        np.array([[float(v) for v in pair.split(",")] for pair in found.split()])
        for found in re.findall(r'<polygon class="g0" points="([^"]+)"', svg)
    )
    # East is to the left, north to the top, and both scales are equal.
    assert second[:, 0].mean() < first[:, 0].mean()
    assert first[2, 1] < first[1, 1]
    assert abs(first[1, 1] - first[2, 1]) / abs(first[0, 0] - first[1, 0]) == pytest.approx(1 / 0.6, rel=0.02)


def test_the_chart_marks_used_and_dropped_and_thins_long_series():
    values = np.random.default_rng(1).normal(5, 1, 20000)
    values[::10] = np.nan
    series = Series(values, np.arange(20000) % 2 == 0, tuple(str(n // 5000) for n in range(20000)))
    svg = series_chart(series, "quality", lambda value, digits: f"{value:.{digits}f}")
    assert len(svg) < 200_000
    assert 'class="dot used"' in svg
    assert 'class="dot dropped"' in svg
    assert svg.count('class="night"') == 3
    assert series_chart(Series(np.full(5, np.nan), np.ones(5, bool), ("",) * 5), "none", str) is None


def test_ticks_and_sky_angles_are_round():
    assert ticks(0.0, 10.0) == [0.0, 2.5, 5.0, 7.5, 10.0]
    assert ticks(3.0, 3.0) == [3.0]
    assert (ra_text(314.75), ra_text(359.9999999), ra_text(-0.125)) == ("20h59m", "0h00m", "23h59m30s")
    assert (dec_text(44.15), dec_text(-0.5), dec_text(-0.001)) == ("+44°09′", "−0°30′", "+0°00′")
