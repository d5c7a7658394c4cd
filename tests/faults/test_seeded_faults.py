"""The seeded harness of `benchmarks.faults`: a few kills in every run of the tests, all faults with ``-m slow``."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults.damage import damages
from benchmarks.faults.disks import Trouble, can_mount, full_disk, full_disks, read_only_disk
from benchmarks.faults.inputs import disturbed_inputs, slow_inputs
from benchmarks.faults.kills import Kill, kill_group, kill_run, kill_worker, kills, suspend_group
from benchmarks.faults.runs import Survey, Tally
from zemosaic.events import PHASES

SEED = 2
"""Another one than the benchmark's."""
slow = pytest.mark.slow


def judged(survey: Survey, tally: Tally, least: int) -> None:
    assert not tally.failures
    assert tally.faults >= least, "the faults hit nothing"
    assert survey.untouched()


@pytest.mark.parametrize(
    ("kill", "count", "workers"),
    [
        pytest.param(kill_group, 2, 1, id="group"),
        pytest.param(kill_group, 40, 2, id="group of workers", marks=slow),
        pytest.param(kill_worker, 40, 2, id="worker", marks=slow),
        pytest.param(kill_run, 10, 2, id="run", marks=slow),
        pytest.param(suspend_group, 10, 2, id="suspended", marks=slow),
    ],
)
def test_kills(tiny: Survey, tmp_path: Path, kill: Kill, count: int, workers: int) -> None:
    judged(tiny, kills(tiny, tmp_path, SEED, count, kill, workers), count)


@slow
@pytest.mark.parametrize(("trouble", "count"), [(full_disk, 30), (read_only_disk, 10)])
def test_disks(tiny: Survey, tmp_path: Path, trouble: Trouble, count: int) -> None:
    if not can_mount(tmp_path):
        pytest.skip("only root of Linux may mount a disk")
    judged(tiny, full_disks(tiny, tmp_path, SEED, count, trouble), count)


@slow
def test_damage(tiny: Survey, tmp_path: Path) -> None:
    judged(tiny, damages(tiny, tmp_path, SEED, 60), 60)


@slow
@pytest.mark.parametrize("phase", PHASES)
def test_inputs(tiny: Survey, tmp_path: Path, phase: str) -> None:
    judged(tiny, disturbed_inputs(tiny, tmp_path, SEED, 20, phase), 20)


@slow
def test_slow_inputs(tiny: Survey, tmp_path: Path) -> None:
    judged(tiny, slow_inputs(tiny, tmp_path, SEED, 20), 20)


@slow
def test_a_fault_that_hits_nothing_is_seen(tiny: Survey, tmp_path: Path) -> None:
    """The harness does not call a survey survived whose mosaic is another one."""
    wrong = Survey(tiny.frames, dict.fromkeys(tiny.whole, ""), tiny.steps, tiny.content)
    assert kills(wrong, tmp_path, SEED, 1, kill_group, 1).failures
