"""What a run would do, told beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mosaic_frames import solved_of, wcs_of

from zemosaic.forecast import forecast
from zemosaic.gui.presenter.run.eta import SHARES, about_text, exposure_text, remaining_s
from zemosaic.gui.presenter.run.speed import learn_speed, shares_of, speed_of
from zemosaic.gui.presenter.run.summary_text import forecast_card, forecast_lines
from zemosaic.i18n import Translator
from zemosaic.settings.schema import Settings

WORDS = Translator("en")


def frames_at(places, each=10, **changes):
    made = []
    for ra, dec in places:
        for k in range(each):
            one = solved_of(wcs_of(ra, dec), len(made)).frame
            told = {"ra_deg": ra, "dec_deg": dec, "scale_arcsec": 2.39, "date_obs": f"2026-01-0{1 + k % 2}T20:00:00"}
            made.append(replace(one, **(told | changes)))
    return made


def test_size_depth_and_time_follow_the_frames(tmp_path):
    settings = Settings(output_dir=str(tmp_path / "out"), num_processing_workers=1)
    one = forecast(settings, frames_at([(80.0, 10.0)]), cpu_s_per_frame=0.5)
    assert (one.width, one.height) == pytest.approx((1080, 1920), abs=5)
    assert one.depth == pytest.approx(10, rel=0.02) and one.nights == 2 and one.fields == 1
    two = forecast(settings, frames_at([(80.0, 10.0), (80.5, 10.0)], 20), 3, cpu_s_per_frame=0.5)
    assert two.width > 1.6 * one.width and two.height == pytest.approx(one.height, rel=0.01)
    assert two.seconds - one.seconds == pytest.approx(0.5 * 30)
    assert two.disk_bytes > 1.5 * one.disk_bytes and two.left_out == 3
    drizzled = settings.model_copy(update={"stacking_drizzle": True, "drizzle_scale": 2.0})
    finer = forecast(drizzled, frames_at([(80.0, 10.0)]))
    assert finer.width == pytest.approx(2 * one.width, rel=0.01)
    assert two.problem is None and "Grid" in WORDS.message(two.mode)


def test_fields_and_frames_without_a_place_are_told(tmp_path):
    settings = Settings(output_dir=str(tmp_path))
    told = forecast(settings, [*frames_at([(80.0, 10.0), (200.0, -30.0)]), *frames_at([(0, 0)], 3, ra_deg=None)])
    assert told.fields == 2 and told.unplaced == 3 and told.frames == 23
    lines = forecast_lines(told, WORDS)
    assert "2 separate fields" in lines[0] and any(line.startswith("3 frames") for line in lines)
    nothing = forecast(settings, frames_at([(0, 0)], 3, scale_arcsec=None))
    assert nothing.width == 0 and forecast_lines(nothing, WORDS)


def test_each_filter_has_a_mosaic(tmp_path):
    settings = Settings(output_dir=str(tmp_path))
    single = frames_at([(80.0, 10.0)], filter_name="IRCUT")
    told = forecast(settings, [*single, *frames_at([(80.0, 10.0)], filter_name="LP")])
    assert (told.fields, told.filters) == (1, 2) and told.depth == pytest.approx(10, rel=0.02)
    assert told.disk_bytes == pytest.approx(2 * forecast(settings, single).disk_bytes, rel=0.01)
    assert "a mosaic for each of 2 filters" in forecast_lines(told, WORDS)[0]
    together = settings.model_copy(update={"mosaic_per_filter": False})
    assert forecast(together, [*single, *frames_at([(80.0, 10.0)], filter_name="LP")]).filters == 1


def test_very_many_places_are_taken_together_without_losing_the_size():
    rng = np.random.default_rng(3)
    scattered = [(float(80 + x), float(10 + y)) for x, y in rng.normal(0, (1.0, 0.7), (5_000, 2))]
    frames = frames_at(scattered, 1)
    told = forecast(Settings(), frames)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zemosaic.forecast.MAX_PLACES", len(frames))
        every = forecast(Settings(), frames)
    assert told.fields == every.fields == 1
    assert (told.width, told.height) == pytest.approx((every.width, every.height), rel=0.02)


def test_what_would_be_refused_is_said_before(tmp_path):
    frames = frames_at([(80.0, 10.0)])
    small = Settings(output_dir=str(tmp_path), max_canvas_megapixels=1.0)
    assert forecast(small, frames).problem.key == "error.canvas_too_large"
    tight = Settings(output_dir=str(tmp_path), memory_limit_gb=0.1)
    told = forecast(tight, frames)
    assert told.problem.key == "error.memory_limit_too_small"
    assert forecast_lines(told, WORDS)[-1].startswith("⚠")


def test_the_speed_is_learnt_from_run_to_run(tmp_path):
    folder = tmp_path / "config"
    assert speed_of(folder) is None
    learn_speed(folder, 5, 100.0, {})
    assert speed_of(folder) is None, "too few frames tell nothing"
    learn_speed(folder, 100, 40.0, {})
    assert speed_of(folder) == pytest.approx(0.4)
    learn_speed(folder, 100, 20.0, {})
    assert speed_of(folder) == pytest.approx(0.3)
    (folder / "speed.json").write_text("{", encoding="utf-8")
    assert speed_of(folder) is None


def test_what_phases_take_is_learnt_and_foretells_the_whole_run(tmp_path):
    folder, walls = tmp_path / "config", dict.fromkeys(SHARES, 0.0) | {"scan": 1.0, "measure": 19.0, "stack": 80.0}
    assert shares_of(folder) == SHARES
    for _ in range(8):
        learn_speed(folder, 100, 40.0, walls)
    shares = shares_of(folder)
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-3)
    assert min(shares.values()) > 0
    taken = {"scan": 1.0, "measure": 19.0}
    assert remaining_s(taken, None, None, None, shares=shares) == pytest.approx(80.0, rel=0.1)
    assert remaining_s(taken, None, None, None) < 60.0, "what a usual run takes would be far off"
    learn_speed(folder, 100, 4.0, dict.fromkeys(SHARES, 0.0) | {"export": 5.0})
    assert shares_of(folder) == shares, "a run that takes over earlier work tells nothing of phases"
    (folder / "speed.json").write_text('{"shares": {"scan": 1e999}}', encoding="utf-8")
    assert shares_of(folder) == SHARES


def test_a_region_of_interest_is_counted(tmp_path):
    settings = Settings(output_dir=str(tmp_path))
    frames = frames_at([(80.0, 10.0), (80.5, 10.0)])
    whole = forecast(settings, frames)
    part = forecast(settings.model_copy(update={"region_of_interest": "80.0,10.0,0.2,0.2"}), frames)
    assert (part.width, part.height) == pytest.approx((302, 302), abs=3) and part.disk_bytes < whole.disk_bytes / 20
    assert part.depth == pytest.approx(10, rel=0.1) and part.problem is None
    beside = forecast(settings.model_copy(update={"region_of_interest": "20,10,0.2,0.2"}), frames)
    assert beside.problem.key == "error.nothing_in_region"


def test_the_card_beside_start_says_it_in_a_line(tmp_path):
    settings = Settings(output_dir=str(tmp_path), num_processing_workers=1)
    told = forecast(settings, frames_at([(80.0, 10.0)]), 3, 0.5, copies=1992)
    card = forecast_card(told, WORDS)
    assert card.startswith("10 frames → 1,083 × 1,923 px · ") and "about 20 s" in card
    assert "1,992 copies excluded" in card and "3 files are excluded" in card and "stopped" not in card
    work = tmp_path / ".zemosaic_work"
    work.mkdir()
    (work / "journal.sqlite").touch()
    assert "Goes on where the last run stopped" in forecast_card(forecast(settings, frames_at([(80.0, 10.0)])), WORDS)
    refused = forecast(settings.model_copy(update={"max_canvas_megapixels": 1.0}), frames_at([(80.0, 10.0)]))
    assert forecast_card(refused, WORDS).startswith("⚠")


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "about 10 s"), (42, "about 40 s"), (100, "about 2 min"), (7700, "about 2 h 10 min")]
)
def test_durations_are_told_no_finer_than_they_are_known(seconds, text):
    assert about_text(seconds, WORDS) == text


def test_short_exposures_are_not_zero_hours():
    assert [exposure_text(s, WORDS) for s in (60, 600, 9000)] == ["60 s", "10 min", "2.5 h"]
