"""Which frames are unusable, and which are not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from zemosaic.zeanalyser.verdicts import ECCENTRICITY_MARGIN, QualityLimits, judge

LIMITS = QualityLimits(max_fwhm_ratio=1.6, max_eccentricity=0.75, min_transparency=0.5)


@dataclass(frozen=True)
class Looks:
    """As much of a measured frame as a verdict reads."""

    fwhm_px: float = 3.0
    eccentricity: float = 0.4


def verdicts(frames: list[Looks], transparency: list[float] | None = None, groups: list[int] | None = None):
    n = len(frames)
    found = judge(
        frames,  # type: ignore[arg-type]
        np.array(transparency or [1.0] * n),
        np.array(groups or [0] * n),
        LIMITS,
    )
    return [None if one is None else one.key for one in found]


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


@pytest.mark.parametrize("known", [0, 3])
def test_unknown_shapes_are_no_fault(known):
    frames = [Looks(math.nan, math.nan)] * 3 + [Looks()] * known
    assert verdicts(frames) == [None] * (3 + known)
    assert verdicts(frames[:1], [1.0]) == [None]


def test_one_frame_is_its_own_usual():
    assert verdicts([Looks(12.0)], [0.01]) == [None]
    assert verdicts([Looks(12.0, 0.99)]) == [None]
