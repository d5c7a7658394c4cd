"""Any pixel of a finished mosaic, made again from its frames: the same value, and what became of each frame."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from zemosaic import app
from zemosaic.errors import InputError
from zemosaic.provenance.explain import Explainer
from zemosaic.provenance.pixel_story import PixelState
from zemosaic.store.mosaic_file import MosaicFile


def files(output: Path) -> dict[str, np.ndarray]:
    """Return the pixels of the mosaic and of its maps, (channels, h, w)."""
    found = {}
    for path in output.glob("zemosaic_MT*.fits"):
        file = MosaicFile(path)
        found[path.stem.rpartition("_")[2] if path.stem.count("_") > 2 else "mosaic"] = np.array(file[:, :, :])
        file.close()
    return found


def chosen(maps: dict[str, np.ndarray], number: int) -> list[tuple[int, int]]:
    """Return pixels (column, row) all over a mosaic, and as many that lost a frame."""
    rng = np.random.default_rng(3)
    _, height, width = maps["mosaic"].shape
    found = [(int(rng.integers(width)), int(rng.integers(height))) for _ in range(number)]
    rows, columns = np.nonzero(maps["rejected"][0] > 0)
    picked = rng.integers(0, len(rows), number)
    return found + [(int(columns[k]), int(rows[k])) for k in picked]


def compare(output: Path, scratch: Path, number: int) -> list:
    """Check pixels against the files; return what was told of them."""
    maps, explainer = files(output), Explainer(output, scratch)
    stories = []
    for column, row in chosen(maps, number):
        story = explainer.explain(column, row)
        assert np.array_equal(np.float32(story.value), maps["mosaic"][:, row, column], equal_nan=True)
        assert np.array_equal(np.float32(story.stored), maps["mosaic"][:, row, column], equal_nan=True)
        assert not story.told
        shares = sum(frame.share for frame in story.frames)
        used = story.number(PixelState.USED)
        assert shares == pytest.approx(1.0 if used else 0.0, abs=1e-5)
        assert used == int(np.nan_to_num(maps["coverage"][0, row, column]))
        # A sample that its frame's own trail masks was never compared with the others, and the map does not count it.
        clipped = [frame for frame in story.frames if frame.state in (PixelState.HIGH, PixelState.LOW)]
        assert sum(len(frame.value) > 0 for frame in clipped) == int(np.nan_to_num(maps["rejected"][0, row, column]))
        for frame in story.frames:
            if frame.state is PixelState.HIGH and np.isfinite(frame.sigmas).any():
                assert max(frame.sigmas) > story.kappa_high
            if frame.state is PixelState.USED and np.isfinite(frame.sigmas).all():
                assert -story.kappa_low <= min(frame.sigmas) and max(frame.sigmas) <= story.kappa_high
        stories.append(story)
    return stories


def test_every_pixel_of_grid_mode_comes_out_the_same(explained_run, tmp_path):
    output = explained_run.output
    told = json.loads((output / "run_report.json").read_text(encoding="utf-8"))
    assert told["canvas_box"][0] > 0 or told["canvas_box"][2] > 0, "the file does not begin where the canvas does"
    stories = compare(output, tmp_path, 40)
    lost = [frame for story in stories for frame in story.frames if frame.state is PixelState.HIGH]
    on_trail = [Path(frame.path).name for frame in lost if frame.trail]
    assert explained_run.satellite in on_trail, (
        "the trail is masked before the frames are compared, and told all the same"
    )
    gone = {f.path: f.reason.key for story in stories for f in story.frames if f.state is PixelState.LEFT_OUT}
    assert {Path(path).name: key for path, key in gone.items()} == {explained_run.unwanted: "reason.picked_out"}


def test_every_pixel_of_classic_mode_comes_out_the_same(explained_run, tmp_path):
    output = explained_run.run(tmp_path / "out", mosaic_mode="classic")
    (tmp_path / "scratch").mkdir()
    stories = compare(output, tmp_path / "scratch", 12)
    assert any(len({frame.master for frame in story.frames if frame.share > 0}) > 1 for story in stories)


@pytest.mark.slow
def test_drizzle_streaming_feathers_and_masters_come_out_the_same(explained_run, tmp_path):
    lights = sorted(explained_run.frames.iterdir())
    with fits.open(lights[0]) as hdus:
        header, shape = hdus[0].header, hdus[0].data.shape
    header["IMAGETYP"] = "Bias"
    bias = 150 + np.random.default_rng(1).integers(0, 40, shape)
    fits.writeto(tmp_path / "bias.fits", bias.astype(np.uint16), header)
    output = explained_run.run(
        tmp_path / "out",
        master_bias=str(tmp_path / "bias.fits"),
        stacking_drizzle=True,
        apply_radial_weight=True,
        winsor_max_frames_per_pass=5,
        winsor_min_frames_per_pass=5,
        final_assembly_method="incremental",
    )
    (tmp_path / "scratch").mkdir()
    stories = compare(output, tmp_path / "scratch", 15)
    assert all(story.drizzled for story in stories)
    fits.writeto(tmp_path / "bias.fits", (bias + 5).astype(np.uint16), header, overwrite=True)
    assert "pixel.masters_changed" in [
        told.key for told in Explainer(output, tmp_path / "scratch").explain(40, 40).told
    ]


def test_frames_gone_or_changed_since_are_told_by_name(explained_run, tmp_path):
    grid = explained_run.output
    height, width = files(grid)["mosaic"].shape[1:]
    before = Explainer(grid, tmp_path).explain(width // 2, height // 2)
    used = [Path(frame.path) for frame in before.frames if frame.state is PixelState.USED]
    stamps = used[1].stat()
    used[0].rename(tmp_path / "elsewhere.fit")
    os.utime(used[1], ns=(stamps.st_atime_ns, stamps.st_mtime_ns + 10**9))
    try:
        story = Explainer(grid, tmp_path).explain(width // 2, height // 2)
    finally:
        (tmp_path / "elsewhere.fit").rename(used[0])
        os.utime(used[1], ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
    lost = {Path(f.path): f.reason.key for f in story.frames if f.state is PixelState.UNREADABLE}
    assert lost == {used[0]: "reason.vanished", used[1]: "reason.changed"}
    assert [told.key for told in story.told] == ["pixel.frames_gone"]
    assert story.number(PixelState.USED) == len(used) - 2


def explain(capsys, *words: str) -> tuple[int, str, str]:
    code = app.main(["--language", "en", "--explain-pixel", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_command_line_tells_of_a_pixel_by_number_and_by_place(explained_run, tmp_path, capsys):
    grid = explained_run.output
    rows, columns = np.nonzero(files(grid)["rejected"][0] > 0)
    explainer = Explainer(grid, tmp_path)
    places = [(int(columns[k]), int(rows[k])) for k in range(0, len(rows), max(1, len(rows) // 50))]
    column, row = next(p for p in places if explainer.explain(*p).number(PixelState.HIGH))
    column, row = column + 1, row + 1
    code, out, _ = explain(capsys, str(grid), str(column), str(row))
    assert code == 0
    assert out.startswith("zemosaic_MT") and f"Pixel {column}, {row}" in out
    assert "rejected as too bright" in out and "✓ used" in out
    code, out, _ = explain(capsys, str(explained_run.mosaic), str(column), str(row), "--log-json")
    told = json.loads(out)
    assert code == 0 and told["event"] == "PixelExplained" and (told["column"], told["row"]) == (column, row)
    assert told["value"] == told["stored"] and "rejected_high" in {frame["state"] for frame in told["frames"]}
    again = json.loads(explain(capsys, str(grid), f"{told['ra_deg']}d", f"{told['dec_deg']}d", "--log-json")[1])
    assert again == told


def test_the_command_line_says_what_is_wrong(explained_run, capsys, tmp_path):
    grid = explained_run.output
    for words, code, part in (
        ((str(grid), "100000", "1"), 3, "no such pixel"),
        ((str(grid), "5:35:17", "-5:23:28"), 3, "no such pixel"),
        ((str(grid), "left", "-5:23:28"), 2, "is not a position"),
        ((str(tmp_path), "1", "1"), 3, "cannot be read"),
    ):
        found, _, err = explain(capsys, *words)
        assert found == code and part in err, words
    assert app.main(["--language", "en", "--explain-pixel", str(grid), "1"]) == 2


def test_reports_without_a_record_and_files_of_other_runs_are_told(explained_run, tmp_path):
    grid = explained_run.output
    told = json.loads((grid / "run_report.json").read_text(encoding="utf-8"))
    copy = tmp_path / "run_report.json"
    for change, key in (
        ({"pixel_record": None}, "error.pixel_no_record"),
        ({"pixel_record": "bm90aGluZw=="}, "error.pixel_report"),
        ({"pixel_record": None, "settings": {"use_existing_master_tiles": True}}, "error.pixel_of_stacks"),
        ({"settings": {"stacking_kappa_low": "much"}}, "error.pixel_report"),
    ):
        copy.write_text(json.dumps(told | change), encoding="utf-8")
        with pytest.raises(InputError) as fault:
            Explainer(tmp_path, tmp_path)
        assert fault.value.message.key == key
    with pytest.raises(InputError) as fault:
        Explainer(grid, tmp_path).explain(1, 1, "other.fits")
    assert fault.value.message.key == "error.pixel_other_run"
    shutil.copy(grid / "run_report.json", copy)
    assert [m.key for m in Explainer(tmp_path, tmp_path).explain(9, 9).told] == ["pixel.file_gone"]


def test_nothing_is_left_behind(explained_run, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    grid = explained_run.output
    before = sorted(path.name for path in grid.iterdir())
    assert explain(capsys, str(grid), "20", "20")[0] == 0
    assert list(tmp_path.iterdir()) == [] and sorted(path.name for path in grid.iterdir()) == before
