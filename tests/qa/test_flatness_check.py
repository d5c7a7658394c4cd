"""Frames with slopes of their own under a bright nebula: their flat mosaic is no bowl, a painted one is found."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from run_of_frames import records

from zemosaic.model import sky_level
from zemosaic.phases.parts import flatness_check

LEVEL, BIAS = 340.0, 64.0
SLOPES = ((-108.0, 13.0), (125.0, -55.0), (101.0, 29.0))
"""In ADU per height of the frame, as skysim's control has them."""


@pytest.mark.parametrize("painted", [0.0, 0.02, -0.02])
def test_a_painted_bowl_is_found_and_slopes_under_a_nebula_are_none(monkeypatch, painted):
    rng = np.random.default_rng(4)
    like = records(3).calibrated[0]
    # A frame of a quarter of the size is enough.
    width, height = 540, 480
    frame = replace(like.frame, width=width, height=height)
    measured = replace(like.solved.measured, frame=frame)
    solved = replace(like.solved, measured=measured)
    y, x = np.mgrid[:height, :width].astype(float)
    u, v = (x - width / 2) / height, (y - height / 2) / height
    nebula = 400.0 * np.exp(-((u - 0.3) ** 2 + (v + 0.2) ** 2) / 0.05)
    frames, raws = [], {}
    for number, slopes in enumerate(SLOPES):
        sky = (LEVEL, *slopes)
        path = f"{number}.fit"
        own = replace(solved, measured=replace(measured, frame=replace(frame, frame_id=number, path=path)))
        frames.append(
            replace(like, solved=own, transparency=(1.0,) * 3, sky_adu=(sky,) * 3, bias_adu=BIAS, illumination=())
        )
        raws[path] = (BIAS + nebula + sky_level(sky, u, v) + rng.normal(0, 15, u.shape)).astype(np.float32)
    monkeypatch.setattr(flatness_check, "calibrated_pixels", lambda frame, *_: raws[frame.path])
    bowl = painted * LEVEL * (u * u + v * v) / (0.25 * (1 + (width / height) ** 2))
    mosaic = np.repeat((nebula + bowl + rng.normal(0, 5, u.shape))[None], 3, axis=0)
    warned: list[str] = []
    reporter = SimpleNamespace(log=lambda _: None, warn=lambda text: warned.append(text.key))
    context = SimpleNamespace(scratch=None, reporter=reporter)
    defects = {frame.camera_key: SimpleNamespace(path=None)}
    flatness = flatness_check.check_flatness(context, frames, mosaic, like.wcs, defects)
    assert flatness is not None and flatness.level_adu == LEVEL
    assert flatness.bowl_found is (painted != 0.0)
    assert ("warning.bowl_in_mosaic" in warned) is (painted != 0.0)
    assert np.sign(flatness.bowl_adu) == np.sign(painted) or painted == 0.0
