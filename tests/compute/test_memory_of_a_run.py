"""A whole run, all its processes together, stays below the memory it was given."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.memory import watched
from zemosaic.compute.budget import make_budget
from zemosaic.demo import make_demo
from zemosaic.stacking.kernel import is_compiled


@pytest.mark.slow
def test_all_processes_together_stay_below_the_limit(tmp_path):
    lights = make_demo(tmp_path)
    number = len(list(lights.iterdir()))
    limit_gb = 1.2 if is_compiled() else 1.6
    assert make_budget(limit_gb, 2, frames=number, compiling=not is_compiled()).workers == 2
    run = watched(lights, limit_gb, 2, ["--grid_tile_px", "1024"])
    assert run.frames > 10 and len(run.peak.parts) >= 4, "front end, run, two workers"
    assert "exact in passes" in run.modes, "the samples of a tile do not fit"
    assert run.peak.pss_bytes <= run.peak.rss_bytes <= limit_gb * 1e9
