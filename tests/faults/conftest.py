"""What the tests of faults share: one run that nothing happens to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from whole_runs import FRAMES, Undisturbed, events_of, pixels

from benchmarks.faults.runs import Survey, prepare
from zemosaic.events import RunFinished


@pytest.fixture(scope="session")
def undisturbed(
    demo_frames: Callable[[Path, Iterable[int]], Path], tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    frames = demo_frames(folder, FRAMES)
    assert isinstance(events_of(frames, folder / "whole")[-1], RunFinished)
    return Undisturbed(frames, pixels(folder / "whole"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """Return the very small survey of the seeded harness, and what an undisturbed run makes of it."""
    return prepare(tmp_path_factory.mktemp("tiny"))
