"""Hot pixels of one night, or of a warm one, are looked for in that night's frames."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from zemosaic.calibration.defects import MAX_SAMPLE_FRAMES
from zemosaic.model import FrameRef
from zemosaic.phases.measure import MIN_PART_FRAMES, spread_of_frames

FIRST = datetime(2026, 3, 1, 21, 0, 0)


def frames(count: int, night: int = 0, temperature_c: float | None = None) -> list[FrameRef]:
    """Return frames of one night, one every 12 seconds."""
    plain = FrameRef(
        0, "light.fit", 0, 0, 0, 64, 64, 1, None, "GRBG", False, 10.0, None, "", "", "", "", None, None, 1, None, None,
        None, None,
    )  # fmt: skip
    start = FIRST + timedelta(days=night)
    return [
        replace(plain, date_obs=(start + timedelta(seconds=12 * i)).isoformat(), temperature_c=temperature_c)
        for i in range(count)
    ]


def test_one_night_is_one_part():
    (part,) = spread_of_frames(frames(200, temperature_c=20.0))
    assert len(part) == MAX_SAMPLE_FRAMES
    assert part[0].date_obs == frames(1)[0].date_obs and part[-1].date_obs == frames(200)[-1].date_obs


def test_each_night_and_each_temperature_is_a_part():
    first, second, warm = frames(100), frames(40, 1, 10.0), frames(MIN_PART_FRAMES, 2, 18.0)
    parts = spread_of_frames([*first, *second, *warm])
    assert [len(part) for part in parts] == [MAX_SAMPLE_FRAMES, MAX_SAMPLE_FRAMES, MIN_PART_FRAMES]
    warmer = [*frames(50, 1, 10.0), *frames(50, 1, 15.0)]
    assert [len(part) for part in spread_of_frames(warmer)] == [MAX_SAMPLE_FRAMES, MAX_SAMPLE_FRAMES]


def test_few_frames_are_judged_with_others():
    (part,) = spread_of_frames([*frames(10), *frames(3, 1)])
    assert len(part) == 13
    (part,) = spread_of_frames([*frames(2), *frames(10, 1)])
    assert len(part) == 12
