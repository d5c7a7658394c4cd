"""Grid or Classic: files that cannot be used have no say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from zemosaic.phases import pipeline
from zemosaic.settings.schema import Settings


def test_unusable_files_of_other_cameras_do_not_change_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    def frame(instrument: str) -> Any:
        return SimpleNamespace(instrument=instrument, telescope="", is_seestar="Seestar" in instrument)

    used = [SimpleNamespace(frame=frame("Seestar S50")) for _ in range(40)]
    scanned = [*(calibrated.frame for calibrated in used), *(frame(f"camera {k}") for k in range(260))]

    def look(context: Any, progress: Any, until: str) -> dict[Any, Any]:
        progress.frames, progress.solved = scanned, used
        return {}

    grid = SimpleNamespace(key="0", frames=used, plan=SimpleNamespace(name=""))
    field = SimpleNamespace(name="", key="0", frames=used, before=None)
    taken: list[str] = []
    for name, stand_in in {
        "open_previous_run": lambda context: None,
        "_look": look,
        "learn_sensor_patterns": lambda context, solved, defects: defects,
        "divide_into_fields": lambda context, solved: [field],
        "_for_each": lambda context, fields, name, act: [(field, SimpleNamespace(stars=(), frames=used))],
        "plan_fields": lambda context, calibrated, save_grids: [grid],
        "_grid": lambda *_: taken.append("grid"),
        "_classic": lambda *_: taken.append("classic"),
    }.items():
        monkeypatch.setattr(pipeline, name, stand_in)
    logged: list[Any] = []
    context = SimpleNamespace(settings=Settings(), pictures=False, previous_run=None, log=logged.append)
    progress = pipeline._Progress()
    pipeline._run(context, progress)
    assert taken == ["grid"] and progress.way is not None
    assert logged == [progress.way] and progress.way.params == {"seestar": 40, "frames": 40}
