"""A tile's stack: the same in memory, in passes, from disk and on a device; nearly the same streamed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import array_api_strict
import numpy as np
import pytest
from mosaic_frames import SCALE_DEG, calibrated_of, solved_of, wcs_of

from zemosaic.coadd import tile as tiles
from zemosaic.coadd import tile_device, tile_samples, tile_stacker
from zemosaic.coadd.tile import stack_tile
from zemosaic.coadd.tile_device import Device
from zemosaic.coadd.tile_task import TileTask, pixel_area_ratio
from zemosaic.compute.backend import NumpyBackend
from zemosaic.errors import ResourceError
from zemosaic.model import TileSpec
from zemosaic.mosaic.star_model import TileStars
from zemosaic.resampling.interpolation import Interpolation
from zemosaic.stacking.memory_modes import MemoryMode, MemoryRules, choose_memory_mode, sample_of
from zemosaic.stacking.rules import Combine, Rejection, StackRules
from zemosaic.wcs import FrameWcs

SIZE = (150, 130)
NOISE = 5.0
BOX = (37, 165, 40, 170)
NARROW = (90, 122, 20, 160)
"""From edge to edge of the frames."""
CANVAS = FrameWcs(50.0, 30.0, 100.0, 100.0, ((-SCALE_DEG, 0.0), (0.0, SCALE_DEG)))


class Shelf:
    """Stands for the store: keeps what was written."""

    def write_tile(self, tile, row, pixels):
        self.pixels = pixels


def survey(number: int, monkeypatch: pytest.MonkeyPatch, scratch: Path, **changes: object) -> TileTask:
    """Return a task of frames of noise, every fifth with a trail, whose pixels come from memory."""
    rng = np.random.default_rng(9)
    frames, raws = [], {}
    for k in range(number):
        wcs = wcs_of(50.0 + rng.normal(0, 0.003), 30.0 + rng.normal(0, 0.003), rng.uniform(0, 20), size=SIZE)
        raw = rng.normal(1000.0, NOISE, SIZE[::-1]).astype(np.float32)
        if k % 5 == 0:
            raw[:, 20 + k % 90 : 26 + k % 90] += 300.0
        frames.append(calibrated_of(solved_of(wcs, k, SIZE), weight=float(rng.uniform(0.5, 1.0))))
        raws[k] = raw

    def pixels(frame, defects, scratch, window):
        return raws[frame.frame_id][window[0] : window[1], window[2] : window[3]]

    monkeypatch.setattr(tile_samples, "calibrated_pixels", pixels)
    nothing = np.empty(0)
    task = TileTask(
        tile=TileSpec(3, BOX, BOX, tuple(range(number))),
        row=0,
        frames=tuple(frames),
        defects=(scratch,) * number,
        scratch=scratch,
        canvas=CANVAS,
        channels=3,
        stars=TileStars(nothing, nothing, np.empty((0, 3)), 3.0),
        rules=StackRules(),
        store=Shelf(),
        task_bytes=1 << 30,
    )
    return replace(task, **changes)


def stacker_of(task: TileTask) -> tile_stacker.TileStacker:
    return tile_stacker.TileStacker(tile_samples.TileSamples(task))


def run(task: TileTask):
    """Return the pixels and the answer."""
    answer = stack_tile(task)
    return task.store.pixels, answer


def same(one, two) -> bool:
    return all(getattr(one, n).tobytes() == getattr(two, n).tobytes() for n in ("value", "weight", "kept", "rejected"))


@pytest.mark.parametrize("combine", list(Combine))
@pytest.mark.parametrize("radial", [None, 0.5])
def test_passes_and_disk_are_exact(monkeypatch, tmp_path, combine, radial):
    task = survey(12, monkeypatch, tmp_path, rules=StackRules(combine=combine), radial_fraction=radial)
    whole, answer = run(task)
    assert answer.product.mode == MemoryMode.EXACT and not answer.remarks and np.isfinite(whole.value).any()
    for changes, mode in (
        ({"task_bytes": 2 << 20}, MemoryMode.PASSES),
        ({"memory": MemoryRules(disk="always")}, MemoryMode.DISK),
        ({"memory": MemoryRules(disk="always"), "task_bytes": 2 << 20}, MemoryMode.DISK),
        ({"task_bytes": 1 << 18}, MemoryMode.DISK),
    ):
        other, answer = run(replace(task, **changes))
        assert answer.product.mode == mode
        assert same(whole, other)
    assert list(tmp_path.iterdir()) == [], "the scratch file is gone"


@pytest.mark.parametrize("rejection", [Rejection.WINSORIZED, Rejection.LINEAR_FIT])
def test_tiles_of_other_sizes_hold_the_same_sky(monkeypatch, tmp_path, rejection):
    """Frames of other noise lie in the one tile only; where both have the same frames they have the same bits."""
    task = survey(14, monkeypatch, tmp_path, rules=StackRules(rejection))
    frames = tuple(replace(frame, noise=(0.4 * NOISE * (1 + k % 3),) * 3) for k, frame in enumerate(task.frames))
    far = replace(frames[0].wcs, dec_deg=30.06)
    frames = (*frames[:-1], replace(frames[-1], solved=solved_of(far, 13, SIZE), noise=(90.0,) * 3))
    whole, _ = run(replace(task, frames=frames))
    part = (37, 101, 40, 104)
    few = replace(task.tile, outer=part, inner=part, frame_ids=task.tile.frame_ids[:-1])
    other, _ = run(replace(task, tile=few, frames=frames[:-1], defects=task.defects[:-1]))
    rows, columns = slice(part[0] - BOX[0], part[1] - BOX[0]), slice(part[2] - BOX[2], part[3] - BOX[2])
    assert np.isfinite(other.value).all() and (other.rejected > 0).any()
    np.testing.assert_array_equal(whole.value[:, rows, columns], other.value)
    np.testing.assert_array_equal(whole.kept[rows, columns], other.kept)


@pytest.mark.parametrize("radial", [None, 0.5])
@pytest.mark.parametrize(
    "memory", [MemoryRules(), MemoryRules(disk="always"), MemoryRules(disk="never", max_frames=5, min_frames=5)]
)
def test_a_tile_that_no_frame_lights_is_empty(monkeypatch, tmp_path, memory, radial):
    beside = (BOX[0] + 1000, BOX[1] + 1000, *BOX[2:])
    task = survey(12, monkeypatch, tmp_path, memory=memory, radial_fraction=radial)
    pixels, answer = run(replace(task, tile=TileSpec(3, beside, beside, task.tile.frame_ids)))
    assert answer.product.empty and answer.product.frames_used == ()
    assert np.isnan(pixels.value).all() and not pixels.kept.any() and not pixels.weight.any()


@pytest.mark.parametrize("rejection", [Rejection.WINSORIZED, Rejection.KAPPA_SIGMA, Rejection.LINEAR_FIT])
@pytest.mark.parametrize(
    ("number", "sampled", "spread"),
    [(60, 16, True), (90, 40, False), (200, 16, False), (200, 40, True), (400, 24, True)],
)
def test_streaming_is_within_a_tenth_of_the_noise(monkeypatch, tmp_path, rejection, number, sampled, spread):
    task = survey(number, monkeypatch, tmp_path, rules=StackRules(rejection))
    task = replace(task, tile=replace(task.tile, inner=NARROW, outer=NARROW))
    exact, _ = run(task)
    rules = MemoryRules(max_frames=sampled, spread=spread)
    streamed, answer = run(replace(task, memory=rules, task_bytes=4 << 20))
    assert answer.product.mode == MemoryMode.STREAMING
    seen = exact.kept > 0
    off = (streamed.value - exact.value)[:, seen] * np.sqrt(exact.kept[seen]) / NOISE
    assert seen.sum() > 1000 and np.sqrt(np.mean(off**2)) < 0.06
    assert abs(off.mean()) < 0.01
    np.testing.assert_array_equal(streamed.kept + streamed.rejected, exact.kept + exact.rejected)
    np.testing.assert_array_equal(np.isnan(streamed.value), np.isnan(exact.value))
    few = (exact.kept + exact.rejected <= sampled) & seen
    np.testing.assert_array_equal(streamed.kept[few], exact.kept[few])


def test_limits_of_a_pixel_do_not_depend_on_the_band_it_is_in(monkeypatch, tmp_path):
    task = survey(60, monkeypatch, tmp_path, memory=MemoryRules(max_frames=16))
    noisy = tuple(replace(frame, noise=(NOISE * (1 + k % 7),) * 3) for k, frame in enumerate(task.frames))
    task = replace(task, frames=noisy, tile=replace(task.tile, inner=NARROW, outer=NARROW))
    y0, y1, x0, x1 = NARROW
    part = (y0 + 8, y1 - 8, x0 + 60, x1 - 60)
    whole, alone = (
        np.array(stacker_of(task).sampled_limits(box)).reshape(2, 3, box[1] - box[0], box[3] - box[2])
        for box in (NARROW, part)
    )
    np.testing.assert_array_equal(whole[:, :, 8:-8, 60:-60], alone)


def test_how_a_mode_is_chosen():
    def mode(frames=100, rows=512, fit=600, disk_holds=True, median=False, **rules):
        return choose_memory_mode(
            frames, rows, fit, MemoryRules(**rules), least_rows=32, disk_holds=disk_holds, median=median
        )

    assert mode() is MemoryMode.EXACT
    assert mode(fit=64) is MemoryMode.PASSES
    assert mode(fit=10) is MemoryMode.DISK
    assert mode(fit=10, disk_holds=False) is MemoryMode.STREAMING
    assert mode(fit=10, disk="never") is MemoryMode.STREAMING
    assert mode(fit=10, disk="never", median=True) is MemoryMode.PASSES
    assert mode(fit=10, disk="never", frames=20) is MemoryMode.PASSES
    assert mode(disk="always") is MemoryMode.DISK
    assert mode(max_frames=50) is MemoryMode.STREAMING
    assert mode(max_frames=50, min_frames=200) is MemoryMode.EXACT
    assert mode(max_frames=50, median=True) is MemoryMode.EXACT
    assert mode(max_frames=50, disk="always") is MemoryMode.DISK


def test_frames_for_limits():
    assert sample_of(5, 9, True) == [0, 1, 2, 3, 4]
    assert sample_of(100, 4, False) == [0, 1, 2, 3]
    assert sample_of(100, 4, True) == [0, 33, 66, 99]
    assert MemoryRules(max_frames=10, min_frames=16).sample_frames == 16


def test_refused_memory_leads_to_smaller_passes(monkeypatch, tmp_path):
    task = survey(12, monkeypatch, tmp_path)
    whole, _ = run(task)
    real, asked = tile_stacker.stack, []

    def greedy(cube, *rest):
        asked.append(cube.nbytes)
        if cube.nbytes > 1 << 20:
            raise MemoryError
        return real(cube, *rest)

    monkeypatch.setattr(tile_stacker, "stack", greedy)
    monkeypatch.setattr(tiles, "MIN_TASK_BYTES", 1 << 16)
    again, answer = run(replace(task, task_bytes=8 << 20))
    assert same(whole, again) and len(asked) > 2
    assert {told.key for told in answer.remarks} == {"warning.smaller_passes"}
    with pytest.raises(ResourceError) as ended:
        run(replace(task, task_bytes=8 << 20, memory=MemoryRules(retry=False)))
    assert ended.value.message.key == "error.tile_memory"
    monkeypatch.setattr(tiles, "MIN_TASK_BYTES", 8 << 20)
    with pytest.raises(ResourceError):
        run(replace(task, task_bytes=8 << 20))


def test_radial_feather_acts_on_weight_and_mean(monkeypatch, tmp_path):
    task = survey(12, monkeypatch, tmp_path, rules=StackRules(Rejection.NONE))
    even, _ = run(task)
    feathered, _ = run(replace(task, radial_fraction=0.3))
    barely, _ = run(replace(task, radial_fraction=1.0))
    np.testing.assert_allclose(barely.weight, even.weight, rtol=1e-5)
    np.testing.assert_allclose(barely.value, even.value, rtol=1e-5)
    np.testing.assert_array_equal(feathered.kept, even.kept)
    seen = even.kept > 0
    assert (feathered.weight[seen] <= even.weight[seen] * 1.00001).all() and (feathered.weight[seen] > 0).all()
    assert feathered.weight[seen].min() < 0.2 * even.weight[seen].max()
    assert np.nanmax(np.abs(feathered.value - even.value)) > 1.0


def test_interpolation_reaches_the_pixels(monkeypatch, tmp_path):
    task = survey(6, monkeypatch, tmp_path)
    scatter = {choice: np.nanstd(run(replace(task, interpolation=choice))[0].value[1]) for choice in Interpolation}
    assert scatter[Interpolation.BILINEAR] < scatter[Interpolation.BICUBIC] < scatter[Interpolation.NEAREST]


@pytest.mark.parametrize("rejection", list(Rejection))
@pytest.mark.parametrize("combine", list(Combine))
def test_a_device_runs_the_same_algorithm(monkeypatch, tmp_path, rejection, combine):
    task = survey(8, monkeypatch, tmp_path, rules=StackRules(rejection, combine), radial_fraction=0.6)
    cpu, _ = run(task)
    monkeypatch.setattr(tile_device, "_opened", lambda name, number: NumpyBackend(array_api_strict))
    device, answer = run(replace(task, device=Device("strict", tolerance=0.01)))
    assert not answer.remarks
    equal = device.kept == cpu.kept
    assert equal.mean() > 0.998
    np.testing.assert_allclose(device.value[:, equal], cpu.value[:, equal], rtol=1e-4, atol=0.05)
    np.testing.assert_array_equal(np.isnan(device.value), np.isnan(cpu.value))


class BrokenBackend(NumpyBackend):
    """A device that gives up at its second task."""

    errors = (ArithmeticError,)
    calls = 0

    def to_host(self, array):
        self.calls += 1
        if self.calls > 2:
            raise ArithmeticError("out of order")
        return super().to_host(array)


def test_without_its_device_the_processor_does_it_and_says_so(monkeypatch, tmp_path):
    task = survey(6, monkeypatch, tmp_path)
    cpu, _ = run(task)
    if not _has_device():
        got, answer = run(replace(task, device=Device("cupy")))
        assert same(cpu, got) and [told.key for told in answer.remarks] == ["warning.gpu_failed"]
    broken = BrokenBackend()
    monkeypatch.setattr(tile_device, "_opened", lambda name, number: broken)
    got, answer = run(replace(task, device=Device("broken")))
    assert same(cpu, got)
    assert answer.remarks[0].key == "warning.gpu_failed" and "out of order" in answer.remarks[0].params["detail"]


def test_a_device_that_differs_is_not_believed(monkeypatch, tmp_path):
    task = survey(6, monkeypatch, tmp_path)
    cpu, _ = run(task)
    real = tile_device.stack_reference

    def wrong(*arguments):
        value, *rest = real(*arguments)
        return value + 0.5 * NOISE, *rest

    monkeypatch.setattr(tile_device, "stack_reference", wrong)
    got, answer = run(replace(task, device=Device("numpy", tolerance=0.1)))
    assert same(cpu, got)
    assert answer.remarks[0].key == "warning.gpu_differs"
    assert answer.remarks[0].params["difference"] == pytest.approx(0.5, abs=0.01)
    got, answer = run(replace(task, device=Device("numpy", tolerance=0.6)))
    assert not answer.remarks and not same(cpu, got)
    assert answer.differs == pytest.approx(0.5, abs=0.01)
    _, answer = run(replace(task, device=Device("numpy")))
    assert answer.differs is None, "nothing was compared"


def _has_device() -> bool:
    try:
        import cupy
    except ImportError:
        return False
    return cupy.cuda.is_available()


@pytest.mark.gpu
@pytest.mark.skipif(not _has_device(), reason="no CUDA device")
def test_a_real_device_agrees(monkeypatch, tmp_path):
    task = survey(30, monkeypatch, tmp_path)
    cpu, _ = run(task)
    device, answer = run(replace(task, device=Device("cupy", tolerance=0.05)))
    assert not answer.remarks
    equal = device.kept == cpu.kept
    assert equal.mean() > 0.998
    np.testing.assert_allclose(device.value[:, equal], cpu.value[:, equal], rtol=1e-4, atol=0.05)


def test_area_of_pixels():
    finer = replace(CANVAS, cd=((-0.5 * SCALE_DEG, 0.0), (0.0, 0.5 * SCALE_DEG)))
    assert pixel_area_ratio(finer, CANVAS) == pytest.approx(0.25)
