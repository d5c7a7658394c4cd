"""Places are believed where stars agree, not where the pattern of a sensor's hot pixels does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sky_frames import SIZE, Survey, offsets_px, solved
from star_lists import SEESTAR, make_sky, observe, true_wcs

from zemosaic.phases.placement.places import warn_of_contradictions
from zemosaic.solving.agreement import Neighbour, catalogue_agrees, is_believed, moved_only
from zemosaic.solving.base import StarField
from zemosaic.solving.propagate import known_stars, propagate
from zemosaic.solving.sets import PlacedFrame, contradicted

COMA = (194.2, 21.7)


def pattern(count: int = 120, seed: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Return places of hot pixels."""
    rng = np.random.default_rng(seed)
    return rng.uniform(10, SEESTAR[0] - 10, count), rng.uniform(10, SEESTAR[1] - 10, count)


def hot_field(catalogue, wcs, seed: int, hint: tuple[float, float] | None = None) -> StarField:
    """Return a star-poor frame whose hot pixels, found to a pixel or so, come before its stars."""
    x, y = observe(make_sky(catalogue, *COMA, 1.4, 1), wcs, seed=seed)
    hot_x, hot_y = pattern()
    off = np.random.default_rng(seed).normal(0.0, 0.5, (2, len(hot_x)))
    ra, dec = hint or (None, None)
    return StarField(np.concatenate([hot_x + off[0], x]), np.concatenate([hot_y + off[1], y]), *SEESTAR, ra, dec)


def neighbour(field: StarField, wcs) -> Neighbour:
    return Neighbour(wcs, field.x_px, field.y_px, True, field.ra_deg, field.dec_deg)


def test_a_match_by_hot_pixels_is_not_believed_and_the_stars_are(tycho):
    first, second = true_wcs(*COMA, 0.0), true_wcs(COMA[0] + 0.05, COMA[1] + 0.03, 2.0)
    known = neighbour(hot_field(tycho, first, 3), first)
    field = hot_field(tycho, second, 4)
    locked = propagate(field, known_stars([(first, known.x_px, known.y_px)]), first)
    assert locked is not None and not catalogue_agrees(locked.wcs, field, tycho)
    assert not is_believed(locked.wcs, field, [tycho], [known])
    moved, moved_known = moved_only(field, [known])
    stars = known_stars([(one.wcs, one.x_px, one.y_px) for one in moved_known])
    answer = propagate(moved, stars, first)
    assert answer is not None and is_believed(answer.wcs, field, [tycho], [known])
    assert catalogue_agrees(answer.wcs, field, tycho)


def test_without_a_catalogue_the_stars_of_neighbours_decide(tycho):
    first, second = true_wcs(*COMA, 0.0), true_wcs(COMA[0] + 0.05, COMA[1] + 0.03, 2.0)
    known, field = neighbour(hot_field(tycho, first, 3), first), hot_field(tycho, second, 4)
    assert is_believed(second, field, [], [known])
    assert not is_believed(first, field, [], [known])


@pytest.mark.parametrize(("hint", "believed"), [(COMA, True), (None, True), ((COMA[0] + 0.3, COMA[1]), False)])
def test_a_telescope_that_stood_still_is_believed_unless_the_header_says_otherwise(tycho, hint, believed):
    wcs = true_wcs(*COMA, 0.0)
    known = neighbour(hot_field(tycho, wcs, 3, COMA), wcs)
    assert is_believed(wcs, hot_field(tycho, wcs, 4, hint), [], [known]) is believed


def test_sets_that_see_other_stars_are_told(tycho):
    sky = make_sky(tycho, *COMA, 1.4, 1)
    frames = []
    for number in range(8):
        wcs = true_wcs(COMA[0] + 0.01 * number, COMA[1], 1.0 * number)
        x, y = observe(sky, wcs, seed=number)
        shifted = replace(wcs, x_ref=wcs.x_ref + 62.0) if number in (2, 5) else wcs
        frames.append(PlacedFrame(shifted, *SEESTAR, x, y))
    doubtful = np.array([number in (2, 5) for number in range(8)])
    assert contradicted(frames, doubtful) == [2, 5]
    assert contradicted([frames[k] for k in (0, 1, 3, 4)], np.ones(4, bool)) == []
    assert contradicted(frames[:1], np.ones(1, bool)) == []


def test_frames_that_nothing_confirms_raise_a_warning(tycho, tmp_path, monkeypatch):
    survey = Survey(tycho, tmp_path / "lights", 305.6, 40.2)
    survey.add(4)
    with solved(survey.folder) as found:
        assert max(offsets_px(found.frames, survey.truth)) < 0.5
        assert found.context.reporter.warnings == []
        wrong = [
            frame
            if k
            else replace(frame, solution=replace(frame.solution, wcs=replace(frame.wcs, x_ref=SIZE[0] / 2 + 40.0)))
            for k, frame in enumerate(found.frames)
        ]
        warn_of_contradictions(found.context.reporter, wrong, [tycho])
        (told,) = found.context.reporter.warnings
        assert told.key == "warning.places_disagree"
        assert told.params == {"frames": 1, "names": "light_000.fit"}
