"""What stays in the work folder when there was nothing to be made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from zemosaic import worker
from zemosaic.events import RunFailed
from zemosaic.settings.schema import Settings
from zemosaic.store.work_folder import sweep_scratch


def ending(settings, until=None):
    run = worker.start(settings) if until is None else worker.start(settings, until)
    try:
        return list(run.events())[-1]
    finally:
        run.close()


@pytest.fixture
def clouds(tmp_path):
    """A folder of frames without a star."""
    rng, folder = np.random.default_rng(1), tmp_path / "lights"
    folder.mkdir()
    for number in range(2):
        cards = fits.Header({"EXPTIME": 10.0, "RA": 80.0, "DEC": 10.0, "FOCALLEN": 250.0, "XPIXSZ": 2.9})
        fits.writeto(folder / f"light_{number}.fit", rng.normal(1000, 20, (400, 300)).astype(np.uint16), cards)
    return folder


def test_a_preparation_that_finds_nothing_keeps_what_it_learnt(clouds, tmp_path):
    output = tmp_path / "out"
    journal = output / ".zemosaic_work" / "journal.sqlite"
    settings = Settings(input_dir=str(clouds), output_dir=str(output), num_processing_workers=1)
    failed = ending(settings, "solve")
    assert isinstance(failed, RunFailed) and journal.is_file()
    (tmp_path / "empty").mkdir()
    failed = ending(settings.model_copy(update={"input_dir": str(tmp_path / "empty")}))
    assert isinstance(failed, RunFailed) and journal.is_file(), "a start in vain takes nothing away"


def test_a_start_in_vain_leaves_no_work_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    settings = Settings(input_dir=str(tmp_path / "empty"), output_dir=str(tmp_path / "out"), num_processing_workers=1)
    assert isinstance(ending(settings, "measure"), RunFailed)
    assert not Path(tmp_path / "out" / ".zemosaic_work").exists()


def test_what_stands_in_the_place_of_scratch_is_removed(tmp_path):
    """A folder in the place of a scratch file ended every further start."""
    scratch, elsewhere = tmp_path / "scratch", tmp_path / "elsewhere"
    for name in ("camera_0.npz", "growing_J0.png", "masters_0"):
        (scratch / name / "inside").mkdir(parents=True)
    (scratch / "quick_look_J0.npz").write_bytes(b"kept")
    (scratch / "coadd").write_bytes(b"a file")
    elsewhere.mkdir()
    (elsewhere / "own").write_bytes(b"of the user")
    (scratch / "cube_0.f4").symlink_to(elsewhere)
    sweep_scratch(tmp_path)
    assert sorted(path.name for path in scratch.iterdir()) == ["masters_0", "quick_look_J0.npz"]
    assert (elsewhere / "own").is_file()

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "scratch").write_bytes(b"a file")
    sweep_scratch(tmp_path / "other")
    assert not (tmp_path / "other" / "scratch").exists()
