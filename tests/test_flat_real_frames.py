"""Few real frames of one pointing: their mosaic is as flat as they are, and no fall of light is made up."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from zemosaic import worker
from zemosaic.events import Logged, RunFinished, Warned
from zemosaic.settings.schema import Settings

SHARED = Path(__file__).resolve().parents[2] / "shared"
EVENING = SHARED / "data" / "seestar_m94" / "night1_evening"
MAX_BOWL_ADU = 3.0

pytestmark = pytest.mark.skipif(not EVENING.is_dir(), reason="the collection of real frames is not there")


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_the_mosaic_of_few_frames_is_as_flat_as_they_are(frames, tmp_path):
    lights = tmp_path / "lights"
    lights.mkdir()
    for file in sorted(EVENING.iterdir())[:frames]:
        shutil.copy(file, lights)
    settings = Settings(
        input_dir=str(lights),
        output_dir=str(tmp_path / "out"),
        solver="embedded",
        num_processing_workers=1,
        language="en",
    )
    events = list(worker.start(settings, None, False).events())
    assert isinstance(events[-1], RunFinished), events[-1]
    assert not [event for event in events if isinstance(event, Warned)]
    told = {event.text.key: event.text.params for event in events if isinstance(event, Logged)}
    assert abs(told["log.camera_fall_undetermined"]["vignetting"]) < 0.01
    assert abs(told["log.flatness"]["bowl"]) <= MAX_BOWL_ADU
    log = (tmp_path / "out" / "zemosaic_worker.log").read_text(encoding="utf-8")
    assert "no vignetting stands out" in log
