"""What the tests of faults share: one run that nothing happens to."""

from __future__ import annotations

import pytest
from whole_runs import Undisturbed, pixels

from benchmarks.faults.runs import Survey, prepare


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """Return the very small survey of the seeded harness, and what an undisturbed run makes of it."""
    return prepare(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def undisturbed(tiny: Survey) -> Undisturbed:
    """Return the same survey, for runs with two workers."""
    return Undisturbed(tiny.frames, pixels(tiny.frames.parent / "whole"))
