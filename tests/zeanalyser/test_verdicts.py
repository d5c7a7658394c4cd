"""Which frames are unusable, and which are not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from zemosaic.wcs import unit_vectors
from zemosaic.zeanalyser.verdicts import (
    ECCENTRICITY_MARGIN,
    QualityLimits,
    judge,
    shape_reason,
    sky_ratios,
    star_ratios,
)

LIMITS = QualityLimits(max_fwhm_ratio=1.6, max_eccentricity=0.75, min_transparency=0.5)


@dataclass(frozen=True)
class Looks:
    """As much of a measured frame as a verdict reads."""

    fwhm_px: float = 3.0
    eccentricity: float = 0.4
    stars: tuple[int, ...] = tuple(range(9))


def verdicts(frames: list[Looks], transparency: list[float] | None = None, groups: list[int] | None = None):
    n = len(frames)
    found = judge(
        frames,  # type: ignore[arg-type]
        np.array(transparency or [1.0] * n),
        np.array(groups or [0] * n),
        LIMITS,
    )
    return [None if item is None else item.key for item in found]


def test_good_frames_stay():
    rng = np.random.default_rng(0)
    frames = [Looks(3.0 * rng.uniform(0.7, 1.5), rng.uniform(0, 0.74)) for _ in range(50)]
    frames = [Looks(min(f.fwhm_px, 1.5 * 3.0), f.eccentricity) for f in frames]
    assert verdicts(frames, list(rng.uniform(0.75, 1.3, 50))) == [None] * 50


def test_each_fault_is_named():
    frames = [Looks()] * 8 + [Looks(fwhm_px=4.9), Looks(eccentricity=0.8), Looks()]
    found = verdicts(frames, [1.0] * 10 + [0.45])
    assert found == [None] * 8 + ["reason.blurred", "reason.trailed", "reason.cloudy"]


def test_the_limits_themselves_are_good():
    frames = [Looks()] * 5 + [Looks(fwhm_px=4.8), Looks(eccentricity=0.75), Looks()]
    assert verdicts(frames, [1.0] * 7 + [0.5]) == [None] * 8


def test_the_numbers_of_the_reason():
    frames = [Looks()] * 4 + [Looks(fwhm_px=9.0), Looks(eccentricity=0.9), Looks()]
    found = judge(frames, np.array([1.0] * 6 + [0.25]), np.zeros(7, int), LIMITS)  # type: ignore[arg-type]
    assert found[4].params == {"fwhm": 9.0, "usual": 3.0}
    assert found[5].params == {"eccentricity": 0.9, "limit": 0.75}
    assert found[6].params == {"percent": 25, "limit": 50}


def test_each_camera_has_its_own_usual():
    frames = [Looks(3.0)] * 5 + [Looks(6.0)] * 5
    groups = [0] * 5 + [1] * 5
    assert verdicts(frames, [1.0] * 5 + [0.3] * 5, groups) == [None] * 10
    assert verdicts(frames, groups=[0] * 10).count("reason.blurred") == 0, "4.5 is the usual then"
    assert verdicts([*frames[:5], Looks(6.0)]) == [None] * 5 + ["reason.blurred"]


def test_a_set_that_is_elongated_as_a_whole_is_judged_by_itself():
    frames = [Looks(eccentricity=0.8)] * 9
    assert verdicts(frames) == [None] * 9
    worst = Looks(eccentricity=0.8 + ECCENTRICITY_MARGIN + 0.02)
    assert verdicts([*frames, worst]) == [None] * 9 + ["reason.trailed"]


def test_a_set_of_uneven_tracking_keeps_what_is_usual_for_it():
    """Of a real evening: eccentricities from round to 0.85 without a gap."""
    uneven = [0.36, 0.45, 0.5, 0.59, 0.62, 0.69, 0.71, 0.76, 0.78, 0.81, 0.84]
    found = verdicts([Looks(eccentricity=value) for value in [*uneven, 0.93]])
    assert found == [None] * len(uneven) + ["reason.trailed"]


def test_half_the_set_trailed_does_not_make_trailing_usual():
    frames = [Looks(eccentricity=0.15), Looks(eccentricity=0.92)] * 4 + [Looks(eccentricity=0.2)]
    assert verdicts(frames).count("reason.trailed") == 4


@pytest.mark.parametrize("known", [0, 3])
def test_unknown_shapes_are_no_fault(known):
    frames = [Looks(math.nan, math.nan)] * 3 + [Looks()] * known
    assert verdicts(frames) == [None] * (3 + known)
    assert verdicts(frames[:1], [1.0]) == [None]


def test_one_frame_is_its_own_usual():
    assert verdicts([Looks(12.0)], [0.01]) == [None]
    assert verdicts([Looks(12.0, 0.99)]) == [None]


def crowd(sky: list[float], stars: list[float]) -> list[str | None]:
    limits = QualityLimits(1.6, 0.75, 0.5, max_sky_ratio=10.0, min_star_ratio=0.2)
    n = len(sky)
    found = judge([Looks()] * n, np.ones(n), np.zeros(n, int), limits, np.array(sky), np.array(stars))  # type: ignore[list-item]
    return [None if item is None else item.key for item in found]


def test_too_bright_and_few_stars():
    assert crowd([1.0, 10.0, 10.1, 1.0, 1.0], [1.0, 1.0, 1.0, 0.2, 0.19]) == [
        None,
        None,
        "reason.too_bright",
        None,
        "reason.few_stars",
    ]


def test_where_nothing_is_usual_few_stars_are_no_fault():
    assert crowd([1.0], [math.nan]) == [None]


def test_stars_are_compared_with_frames_at_the_same_place():
    directions = unit_vectors(np.array([10.0] * 6 + [20.0] * 6 + [40.0]), np.zeros(13))
    stars = np.array([100] * 5 + [10] + [8] * 6 + [3])
    ratio = star_ratios(stars, np.zeros(13, int), directions, 0.5)
    assert ratio[5] == pytest.approx(0.1), "a frame that lost its stars"
    assert ratio[6:12] == pytest.approx(1.0), "a star-poor field"
    assert math.isnan(ratio[12]), "alone"
    assert np.isnan(star_ratios(stars[:4], np.zeros(4, int), directions[:4], 0.5)).all(), "too few to say"


def test_brightness_of_the_sky_knows_no_bias():
    @dataclass(frozen=True)
    class Noisy:
        noise_adu: tuple[float, ...]

    frames = [Noisy((1.0, 10.0, 1.0))] * 4 + [Noisy((1.0, 40.0, 1.0))] + [Noisy((30.0,))] * 3
    ratio = sky_ratios(frames, np.array([0] * 5 + [1] * 3))  # type: ignore[arg-type]
    assert ratio.tolist() == [1, 1, 1, 1, 16, 1, 1, 1]


@pytest.mark.parametrize(
    ("looks", "key"),
    [
        (Looks(9.0), "reason.blurred"),
        (Looks(3.2, 0.9), "reason.trailed"),
        (Looks(3.2, 0.5), None),
        (Looks(9.0, stars=(1, 2)), None),
        (Looks(math.nan, math.nan), None),
    ],
)
def test_a_frame_that_could_not_be_located_is_told_by_its_stars(looks, key):
    found = shape_reason(looks, [Looks()] * 6 + [looks], LIMITS)  # type: ignore[arg-type, list-item]
    assert (None if found is None else found.key) == key
