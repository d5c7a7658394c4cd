"""What earlier mosaics taught of a camera: kept, combined, never counted twice."""

from __future__ import annotations

import pytest

from zemosaic.stars.response import (
    USUAL,
    FieldResponse,
    Slope,
    known_response,
    read_responses,
    with_response,
    write_responses,
)


def field(ra: float = 100.0, **changes: object) -> FieldResponse:
    values = {
        "camera": "Seestar S50",
        "filter_name": "IRCUT",
        "ra_deg": ra,
        "dec_deg": 20.0,
        "red": Slope(-0.5, 0.01),
        "blue": Slope(0.6, 0.01),
        "stars": 40,
    }
    return FieldResponse(**(values | changes))


def test_fields_are_kept_and_read_again(tmp_path):
    path = tmp_path / "new" / "responses.json"
    write_responses(path, [field(), field(200.0)])
    assert read_responses(path) == [field(), field(200.0)]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"fields": [{"camera": 3}]}'])
def test_a_damaged_file_is_as_none(tmp_path, content):
    path = tmp_path / "responses.json"
    path.write_text(content)
    assert read_responses(path) == []


def test_other_fields_of_the_same_camera_and_filter_teach():
    known = known_response([field(200.0)], "Seestar S50", "IRCUT", 100.0, 20.0)
    assert abs(known.red.value + 0.5) < 0.01 and known.red.error < 0.025
    for camera, filter_name in (("Seestar S30", "IRCUT"), ("Seestar S50", "LP")):
        assert known_response([field(200.0)], camera, filter_name, 100.0, 20.0).red.error == USUAL.red.error


def test_a_run_repeated_does_not_learn_from_itself():
    assert known_response([field(100.0)], "Seestar S50", "IRCUT", 100.5, 20.0) == known_response(
        [], "Seestar S50", "IRCUT", 100.5, 20.0
    )


def test_the_newest_result_of_a_place_replaces_the_older_and_poor_ones_teach_nothing():
    newer = field(100.5, stars=60)
    assert with_response([field(), field(200.0)], newer) == [field(200.0), newer]
    assert with_response([], field(stars=5)) == []
    assert with_response([], field(red=Slope(-0.5, 0.2))) == []
