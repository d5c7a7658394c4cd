"""The plan phase: the grid that the settings ask for, saved once and used again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from mosaic_frames import calibrated_of, solved_of, wcs_of

from zemosaic.errors import NothingUsable, OutputError, SettingsError
from zemosaic.export.grid_file import JSON_NAME, read_grid
from zemosaic.model import CalibratedFrame
from zemosaic.phases.context import RunContext
from zemosaic.phases.plan import Grid, make_grid
from zemosaic.settings.schema import Settings

SMALL = (180, 320)


def frames(*centres: tuple[float, float]) -> list[CalibratedFrame]:
    return [calibrated_of(solved_of(wcs_of(*centre, size=SMALL), k, SMALL)) for k, centre in enumerate(centres)]


FIRST_NIGHT = frames((10.0, 20.0), (10.05, 20.05))


def plan(folder: Path, members: list[CalibratedFrame], **changes: object) -> tuple[Grid, RunContext]:
    context = RunContext(
        settings=Settings(input_dir=str(folder / "in"), output_dir=str(folder), **changes),
        emit=lambda event: None,
        cancelled=lambda: False,
        executor=None,
        budget=SimpleNamespace(workers=1, planned_bytes=0),
        journal=None,
        work_dir=folder,
        monitor=SimpleNamespace(cpu_s=lambda: 0.0),
    )
    return make_grid(context, members), context


def test_scale_and_projection_are_those_of_the_settings(tmp_path):
    grid, _ = plan(tmp_path, FIRST_NIGHT, global_wcs_pixelscale_arcsec=5.0, global_wcs_projection="STG")
    assert grid.plan.wcs.scale_arcsec == pytest.approx(5.0)
    assert grid.plan.wcs.projection == "STG"
    grid, _ = plan(tmp_path, FIRST_NIGHT)
    assert grid.plan.wcs.scale_arcsec == pytest.approx(2.39)
    assert grid.plan.wcs.projection == "TAN"


def test_a_second_night_lies_on_the_grid_of_the_first(tmp_path):
    folder = str(tmp_path / "a" / "grid")
    first, _ = plan(tmp_path, FIRST_NIGHT, global_wcs_output_path=folder)
    second_night = frames((10.02, 20.1), (10.03, 20.0), (12.0, 20.0))
    alone, _ = plan(tmp_path, second_night[:2])
    second, context = plan(tmp_path, second_night, global_wcs_output_path=folder, global_wcs_pixelscale_arcsec=9.0)
    for grid in (first, second):
        assert (grid.plan.width, grid.plan.height) == (first.plan.width, first.plan.height)
        assert grid.plan.wcs == first.plan.wcs != alone.plan.wcs
    assert [frame.frame.frame_id for frame in second.frames] == [0, 1]
    assert [(one.frame_id, one.reason.key) for one in context.dropped] == [(2, "reason.beside_grid")]
    assert read_grid(Path(folder)).wcs == first.plan.wcs


def test_a_grid_elsewhere_in_a_broken_file_or_in_the_input_is_told(tmp_path):
    folder = tmp_path / "grid"
    plan(tmp_path, FIRST_NIGHT, global_wcs_output_path=str(folder))
    with pytest.raises(NothingUsable):
        plan(tmp_path, frames((40.0, 20.0)), global_wcs_output_path=str(folder))
    (folder / JSON_NAME).write_text("{")
    with pytest.raises(SettingsError):
        plan(tmp_path, FIRST_NIGHT, global_wcs_output_path=str(folder))
    (tmp_path / "in").mkdir()
    for inside in ("in", "in/deeper"):
        with pytest.raises(SettingsError) as caught:
            plan(tmp_path, FIRST_NIGHT, global_wcs_output_path=str(tmp_path / inside))
        assert caught.value.message.key == "error.grid_in_input"
    assert not list((tmp_path / "in").iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        plan(tmp_path, FIRST_NIGHT, global_wcs_output_path=str(tmp_path / "file"))
