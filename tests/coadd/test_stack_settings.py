"""Every setting of the stack reaches the workers' tasks, and the rejection map reaches the disk."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from zemosaic import worker
from zemosaic.coadd.tile_device import Device
from zemosaic.coadd.tile_task import StackingMethod, TileAnswer
from zemosaic.compute.budget import Budget
from zemosaic.events import RunFinished, Warned
from zemosaic.phases import stack as phase
from zemosaic.resampling.interpolation import Interpolation
from zemosaic.settings.schema import Settings
from zemosaic.stacking.memory_modes import MemoryRules
from zemosaic.stacking.rules import Combine, Rejection, StackRules


def fields(**settings: object) -> StackingMethod:
    """Return how settings want tiles to be stacked."""
    return phase.stacking_of(Settings(**settings))


def test_defaults():
    told = fields()
    assert told.rules == StackRules()
    assert told.interpolation is Interpolation.LANCZOS3
    assert told.radial_fraction is None and told.device is None
    assert told.memory == MemoryRules()


def test_settings_reach_the_tasks():
    told = fields(
        stacking_rejection_algorithm="linear_fit_clip",
        stacking_final_combine_method="median",
        stacking_kappa_low=2.0,
        stacking_kappa_high=4.0,
        stacking_interpolation="bicubic",
        apply_radial_weight=True,
        radial_feather_fraction=0.4,
        winsor_memmap_fallback="never",
        winsor_max_frames_per_pass=50,
        winsor_min_frames_per_pass=20,
        winsor_split_strategy="sequential",
        winsor_auto_fallback_on_memory_error=False,
        use_gpu_phase5=True,
        gpu_id_phase5=2,
        gpu_helper_verify_tolerance=0.1,
    )
    assert told.rules == StackRules(Rejection.LINEAR_FIT, Combine.MEDIAN, 2.0, 4.0)
    assert told.interpolation is Interpolation.BICUBIC and told.radial_fraction == 0.4
    assert told.memory == MemoryRules("never", 50, 20, False, False)
    assert told.device == Device("cupy", 2, 0.1)


def test_worker_limit_reaches_the_share():
    context = SimpleNamespace(
        settings=Settings(winsor_worker_limit=1), workers=SimpleNamespace(budget=Budget(8 << 30, 4, 100 << 20))
    )
    assert phase._share(context).ahead == 1


def test_the_largest_difference_of_the_device_is_logged_once():
    answers = [TileAnswer(None, (), (), differs) for differs in (0.01, None, 0.03, 0.02)]
    told = []
    workers = SimpleNamespace(budget=Budget(8 << 30, 4, 100 << 20), map=lambda *given, **named: iter(answers))
    context = SimpleNamespace(
        settings=Settings(gpu_id_phase5=2, gpu_helper_verify_tolerance=0.1), workers=workers, log=told.append
    )
    assert list(phase._stacked_tiles(context, [])) == answers
    (one,) = told
    assert one.key == "log.gpu_verified"
    assert one.params == {"device": 2, "difference": 0.03, "tolerance": 0.1}
    answers[:] = [TileAnswer(None, ())]
    assert list(phase._stacked_tiles(context, [])) == answers and len(told) == 1, "nothing compared, nothing logged"


@pytest.mark.slow
def test_a_run_with_rejection_map_and_no_graphics_card(demo_frames, tmp_path, monkeypatch):
    lights = demo_frames(tmp_path / "in", range(6))
    output = tmp_path / "out"
    run = worker.start(
        Settings(
            input_dir=str(lights),
            output_dir=str(output),
            num_processing_workers=1,
            solver="embedded",
            save_rejection_maps=True,
            use_gpu_phase5=True,
            gpu_id_phase5=63,
        )
    )
    events = list(run.events())
    run.close()
    assert isinstance(events[-1], RunFinished), events[-1]
    warned = [event.text.key for event in events if isinstance(event, Warned)]
    assert warned.count("warning.gpu_failed") == 1
    (path,) = output.glob("*_rejected.fits")
    gone = fits.getdata(path)
    kept = fits.getdata(next(output.glob("*_coverage.fits")))
    assert gone.shape == kept.shape and gone.dtype.kind == "i"
    assert 0 < gone.sum() < 0.1 * kept.sum() and (gone + kept).max() <= 6
    assert np.issubdtype(gone.dtype, np.integer)
