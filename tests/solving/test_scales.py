"""Headers whose focal length or pixel size is wrong, and what the user says instead."""

from __future__ import annotations

import pytest
from sky_frames import SCALE, Survey, offsets_px, solved

from zemosaic.settings.load import check_value
from zemosaic.solving.solvers.embedded import EmbeddedSolver

CYGNUS = (305.6, 40.2)
PIXEL_UM = SCALE * 250.0 / 206.264806


@pytest.fixture
def survey(tycho, tmp_path) -> Survey:
    return Survey(tycho, tmp_path / "lights", *CYGNUS)


def told(found) -> list:
    return [text for text in found.context.reporter.warnings if text.key == "warning.scale_card_wrong"]


@pytest.mark.parametrize("focal_mm", [234.0, 160.0])
def test_a_wrong_focal_length_is_found_out_and_named(survey, focal_mm):
    survey.add(2, FOCALLEN=focal_mm)
    survey.add(2, 0.6, FOCALLEN=focal_mm)
    with solved(survey.folder) as found:
        assert len(found.frames) == 4 and max(offsets_px(found.frames, survey.truth)) < 0.5
        (warning,) = told(found)
        assert (warning.params["card"], warning.params["value"]) == ("FOCALLEN", f"{focal_mm:g}")
        assert warning.params["scale"] == pytest.approx(SCALE, rel=0.002)


@pytest.mark.parametrize("size_um", [PIXEL_UM / 2.0, PIXEL_UM * 2.0])
def test_a_pixel_size_that_does_not_go_with_the_binning(survey, size_um):
    survey.add(2, XBINNING=2, YBINNING=2, XPIXSZ=size_um)
    with solved(survey.folder) as found:
        assert len(found.frames) == 2 and max(offsets_px(found.frames, survey.truth)) < 0.5
        (warning,) = told(found)
        assert warning.params["card"] == "XPIXSZ"


def test_a_camera_whose_scale_is_known_is_not_tried_at_others(survey, monkeypatch):
    survey.add(2)
    survey.add(2, 0.6, FOCALLEN=248.0)
    scales, solve = [], EmbeddedSolver.solve

    def noted(self, field):
        scales.append(field.scale_arcsec)
        return solve(self, field)

    monkeypatch.setattr(EmbeddedSolver, "solve", noted)
    with solved(survey.folder) as found:
        assert len(found.frames) == 4 and told(found) == []
    assert None not in scales


@pytest.mark.parametrize(
    "given",
    [
        {"focal_length_mm": 250.0},
        {"focal_length_mm": 250.0, "pixel_size_um": PIXEL_UM},
        {"pixel_scale_arcsec": SCALE, "pixel_size_um": 9.0},
    ],
)
def test_what_the_user_says_goes_before_the_header(survey, given):
    survey.add(2, FOCALLEN=160.0)
    with solved(survey.folder, **given) as found:
        assert len(found.frames) == 2 and told(found) == []
        assert found.frames[0].frame.scale_arcsec == pytest.approx(SCALE, rel=1e-3)


def test_the_pointing_may_be_given(survey):
    survey.add(2, RA=10.0, DEC=-40.0)
    with solved(survey.folder, pointing="305.6, 40.2") as found:
        assert sorted(found.how) == ["embedded", "propagated"]


@pytest.mark.parametrize("text", ["12", "10, 95", "1 2 3", "a, b"])
def test_a_pointing_that_is_none_is_refused(text):
    with pytest.raises(Exception, match="pointing"):
        check_value("pointing", text)
