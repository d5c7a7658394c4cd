"""Little memory, many workers, a full disk: the same bytes, or a clear message and nothing lost."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from waiting import PATIENCE_S

from zemosaic import worker, worker_process
from zemosaic.coadd import tile
from zemosaic.errors import OutputError, ResourceError
from zemosaic.events import Event, RunFailed, RunFinished, TileStacked
from zemosaic.i18n import Translator
from zemosaic.phases.run.assignment import Assignment
from zemosaic.settings.schema import Settings

SHOTS = range(7)
"""All of one pointing."""
MACHINES = ((1, 0.8), (2, 6.0), (4, 1.93))
"""Workers, and the memory for all of them in GB: with 0.8 and 1.93 a tile's samples do not fit."""
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX systems")


def settings_for(frames: Path, output: Path, **changes: object) -> Settings:
    values = {"solver": "embedded", "num_processing_workers": 1, "grid_tile_px": 4096} | changes
    return Settings(input_dir=str(frames), output_dir=str(output), **values)


def made(settings: Settings) -> tuple[Path, set[str]]:
    """Make a mosaic; returns its file and how its tiles were stacked."""
    run = worker.start(settings)
    try:
        events: list[Event] = list(run.events())
    finally:
        run.close()
    assert isinstance(events[-1], RunFinished), events[-1]
    return Path(events[-1].mosaic), {event.mode for event in events if isinstance(event, TileStacked)}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("zemosaic_MT*")}


@pytest.fixture(scope="module")
def frames(demo_frames, tmp_path_factory):
    tile._compile_kernel(3)  # the first run after an installation needs more memory
    return demo_frames(tmp_path_factory.mktemp("survey"), SHOTS)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["grid", "classic"])
@pytest.mark.parametrize(
    ("few", "told"),
    [(0, ["exact in passes", "exact", "exact in passes"]), (5, ["streaming"] * 3)],
    ids=["exact", "few"],
)
def test_neither_workers_nor_memory_change_a_byte(mode, few, told, frames, tmp_path):
    streaming = {"winsor_max_frames_per_pass": few, "winsor_min_frames_per_pass": 5}
    said, files = [], []
    for workers, memory in MACHINES:
        machine = {"num_processing_workers": workers, "memory_limit_gb": memory}
        mosaic, modes = made(settings_for(frames, tmp_path / str(workers), mosaic_mode=mode, **machine, **streaming))
        said.append(modes)
        files.append(digests(mosaic.parent))
    # Groups of Classic mode may be small enough for any memory.
    assert all(item in modes for item, modes in zip(told, said, strict=True)), said
    assert files[0] == files[1] == files[2] and len(files[0]) == 4


@pytest.mark.slow
def test_tiles_of_another_size_make_the_same_mosaic(frames, tmp_path):
    (one, _), (other, _) = (made(settings_for(frames, tmp_path / str(px), grid_tile_px=px)) for px in (4096, 300))
    np.testing.assert_allclose(fits.getdata(one), fits.getdata(other), rtol=1e-5, atol=0)
    one, other = (next(path.parent.glob("*_coverage.fits")) for path in (one, other))
    np.testing.assert_array_equal(fits.getdata(one), fits.getdata(other))


@posix_only
@pytest.mark.parametrize(
    "megabytes",
    [
        pytest.param(0.05, id="journal"),
        pytest.param(0.5, id="tile"),
        pytest.param(6, id="mosaic", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_disk_that_takes_no_more_ends_the_run_with_a_clear_message(megabytes, workers, frames, tmp_path, zemosaic):
    import resource

    limit = int(megabytes * 2**20)
    done = zemosaic(
        *("--input_dir", frames, "--output_dir", tmp_path, "--num_processing_workers", workers),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == OutputError.exit_code, done.stderr
    assert "Traceback" not in done.stderr
    assert Translator("en").text("cli.error", text="").strip() in done.stderr
    assert "{" not in done.stderr
    assert not digests(tmp_path), "no file is left half written"


@pytest.mark.slow
@posix_only
def test_what_was_finished_before_the_disk_was_full_is_used_again(frames, tmp_path, zemosaic):
    import resource

    arguments = "--input_dir", frames, "--output_dir", tmp_path / "a", "--num_processing_workers", 2, "--log-json"
    broken = zemosaic(*arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6 << 20, 6 << 20)))
    assert broken.returncode == OutputError.exit_code and "TileStacked" in broken.stdout
    again = zemosaic(*arguments)
    assert again.returncode == 0 and "TileStacked" not in again.stdout
    assert zemosaic(*arguments[:3], tmp_path / "b").returncode == 0
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def refused_run(fault: Exception, *arguments: object) -> None:
    """Do what the process of a run does, but for its phases."""

    def refuse(*_: object) -> None:
        raise fault

    worker_process._run = refuse
    worker_process.run_process(*arguments)


@pytest.mark.parametrize(
    ("fault", "key", "code"),
    [
        (MemoryError(), "error.memory", ResourceError.exit_code),
        (OSError(errno.ENOSPC, "No space left on device"), "error.disk_full", ResourceError.exit_code),
        (OSError(errno.EIO, "Input/output error"), "error.system", OutputError.exit_code),
    ],
)
def test_what_the_system_refuses_is_told(fault, key, code, tmp_path):
    """Such errors come out of any phase, and out of the processes of the workers."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    cancel, held = context.RawValue("b", 0), context.RawValue("b", 0)
    what = Assignment(settings_for(tmp_path, tmp_path / "out")), tmp_path / "log", there, cancel, held
    process = context.Process(target=refused_run, args=(fault, *what))
    process.start()
    told = []
    while not told or not isinstance(told[-1], RunFailed):
        assert here.poll(PATIENCE_S)
        told.append(here.recv())
    process.join()
    assert (told[-1].error.key, told[-1].exit_code) == (key, code)
    assert str(tmp_path) in Translator("en").message(told[-1].error) or key == "error.memory"
