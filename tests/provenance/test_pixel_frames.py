"""What became of each frame's light in a pixel, state by state, from samples made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mosaic_frames import calibrated_of, solved_of, wcs_of

from zemosaic.errors import message
from zemosaic.model import TileSpec
from zemosaic.provenance.pixel_frames import PixelOf, frames_here, frames_left_out
from zemosaic.provenance.pixel_story import PixelState
from zemosaic.provenance.restack import REFUSED, Patch
from zemosaic.stacking.kernel import limits, stack
from zemosaic.stacking.rules import Combine, StackRules

RA, DEC = 50.0, 30.0
NOISE = np.full(3, 5.0, np.float32)


def pixel_of(samples: dict[int, list[float]], failed=None, frames: int = 8, rules=None, **changes: object) -> PixelOf:
    """Return a pixel in the middle of frames that lie on each other; `samples` are their values by number."""
    rules = rules or StackRules()
    calibrated = [replace(calibrated_of(solved_of(wcs_of(RA, DEC), k)), weight=1.0 + k) for k in range(frames)]
    for k, change in changes.items():
        calibrated[int(k[1:])] = replace(calibrated[int(k[1:])], **change)
    present = tuple(samples)
    cube = np.array([samples[k] for k in present], np.float32)[:, :, None]
    weights = np.array([[calibrated[k].weight] for k in present], np.float32)
    low, high = limits(cube, NOISE, rules, np.zeros((3, 1), np.float32))
    result = stack(cube, weights[:, 0], NOISE, rules)
    spec = TileSpec(0, (0, 1, 0, 1), (0, 1, 0, 1), tuple(range(frames)))
    patch = Patch(spec, (0, 1, 0, 1), tuple(calibrated), present, cube, weights, low, high, result, failed or {})
    return PixelOf(patch, 0, 0, RA, DEC, rules, lambda value: value + np.float32(100.0))


def told(pixel: PixelOf, entries=None, defects=frozenset()) -> dict[int, object]:
    return {int(f.path[5:-4]): f for f in frames_here(pixel, entries or {}, lambda number: defects)}


def even(*numbers: int) -> dict[int, list[float]]:
    return {k: [10.0 + 0.1 * k] * 3 for k in numbers}


def test_outliers_are_told_by_side_and_the_others_share_the_weight():
    samples = even(0, 1, 2, 3, 4, 5) | {6: [10.0, 90.0, 10.0], 7: [10.0, -90.0, 20.0]}
    found = told(pixel_of(samples))
    assert [found[k].state for k in range(8)] == [PixelState.USED] * 6 + [PixelState.HIGH, PixelState.LOW]
    assert found[6].sigmas[1] > 3.0 > abs(found[6].sigmas[0]) and found[7].sigmas[1] < -3.0
    assert found[6].value == (110.0, 190.0, 110.0) and found[6].share == 0.0
    assert [found[k].share for k in range(6)] == pytest.approx([(1 + k) / 21 for k in range(6)])
    equal = told(pixel_of(samples, rules=StackRules(combine=Combine.MEDIAN)))
    assert [equal[k].share for k in range(6)] == pytest.approx([1 / 6] * 6)


def test_few_frames_have_no_limits_to_be_compared_with():
    assert np.isnan(told(pixel_of(even(0)))[0].sigmas).all()
    two = told(pixel_of(even(0) | {1: [500.0] * 3}))
    assert two[1].state is PixelState.HIGH and np.isnan(two[0].sigmas).all(), "the lower of two is believed"


def test_frames_without_a_sample_say_why():
    block = (1920 // 2) // 64 * (-(-1080 // 64)) + (1080 // 2) // 64
    pixel = pixel_of(
        even(0, 1),
        {2: REFUSED, 3: message("reason.vanished", file="frame3.fit")},
        f4={"obstructed": (block,)},
        f6={"solved": solved_of(wcs_of(RA + 5.0, DEC), 6)},
    )
    found = told(pixel)
    states = {2: PixelState.TILE, 3: PixelState.UNREADABLE, 4: PixelState.HIDDEN, 7: PixelState.EMPTY}
    assert {k: found[k].state for k in states} == states
    assert found[3].reason.key == "reason.vanished" and found[2].reason is None
    assert 6 not in found, "a frame that lies elsewhere is not told of"


def test_edge_frames_are_told():
    width = 1080
    for inset, state in ((2.0, PixelState.EDGE), (40.0, PixelState.EMPTY)):
        wcs = replace(wcs_of(RA, DEC), x_ref=width - 1 - inset)
        found = told(pixel_of(even(0), f1={"solved": solved_of(wcs, 1)}))
        assert found[1].state is state


def test_trails_and_defects_are_marked():
    trail = {"x_px": 539.5, "y_px": 959.5, "angle_deg": 30.0, "length_px": 900.0, "width_px": 3.0, "peak_adu": 80.0}
    entries = {"frame6.fit": {"metrics": {"trails": [trail]}, "date_obs": "2026-01-01T00:00:00"}}
    found = told(pixel_of(even(0, 1, 2, 3, 4, 5) | {6: [99.0] * 3}), entries, frozenset({960 * 1080 + 539}))
    assert [found[k].trail for k in (5, 6)] == [False, True] and found[6].date_obs.startswith("2026")
    assert found[6].interpolated
    assert not told(pixel_of(even(0)), defects=frozenset({963 * 1080 + 539}))[0].interpolated


def test_frames_of_the_report_that_cover_the_place_are_told_unless_they_are_used():
    ra, dec = wcs_of(RA, DEC).corners(1080, 1920)
    entry = {
        "path": "a.fit", "status": "rejected", "corners_ra_deg": list(ra), "corners_dec_deg": list(dec),
        "reason": {"key": "reason.cloudy", "params": {"percent": 30, "limit": 50}, "text": "…"},
    }  # fmt: skip
    entries = [entry, entry | {"path": "b.fit", "status": "used"}, entry | {"path": "c.fit"}]
    entries += [entry | {"path": "d.fit", "corners_ra_deg": [], "corners_dec_deg": []}]
    (one,) = frames_left_out(entries, {"c.fit"}, RA, DEC)
    assert one.path == "a.fit" and one.state is PixelState.LEFT_OUT and one.reason.key == "reason.cloudy"
    assert not list(frames_left_out(entries, set(), RA + 1.0, DEC))
    assert not list(frames_left_out(entries, set(), (RA + 180.0) % 360.0, -DEC)), "not on the far side of the sky"
