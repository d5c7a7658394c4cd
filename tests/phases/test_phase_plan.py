"""The plan phase: the grid that the settings ask for, saved once and used again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from mosaic_frames import calibrated_of, solved_of, wcs_of

from zemosaic.errors import NothingUsable, OutputError, ResourceError, SettingsError
from zemosaic.export.grid_file import JSON_NAME, GridPlace, read_grids
from zemosaic.model import CalibratedFrame
from zemosaic.phases.context import RunContext, make_context
from zemosaic.phases.parts.fields import divide_into_fields
from zemosaic.phases.plan import FieldPlan, plan_fields
from zemosaic.phases.run.workers import Workers
from zemosaic.settings.load import check_value
from zemosaic.settings.schema import Settings

SMALL = (180, 320)
"""Frames of 0.12 x 0.21 degrees."""


def frames(*centres: tuple[float, float]) -> list[CalibratedFrame]:
    return [calibrated_of(solved_of(wcs_of(*centre, size=SMALL), k, SMALL)) for k, centre in enumerate(centres)]


FIRST_NIGHT = frames((10.0, 20.0), (10.05, 20.05))


def named(member: CalibratedFrame, frame_id: int, name: str) -> CalibratedFrame:
    """Return a frame of another number and OBJECT."""
    frame = replace(member.frame, frame_id=frame_id, object_name=name)
    measured = replace(member.solved.measured, frame=frame)
    return replace(member, solved=replace(member.solved, measured=measured))


def plan(folder: Path, members: list[CalibratedFrame], **changes: object) -> tuple[FieldPlan, RunContext]:
    grids, context = plans(folder, members, **changes)
    return grids[0], context


def plans(folder: Path, members: list[CalibratedFrame], **changes: object) -> tuple[list[FieldPlan], RunContext]:
    """Return the grids of all fields that the frames show."""
    context = make_context(
        settings=Settings(input_dir=str(folder / "in"), output_dir=str(folder), **changes),
        emit=lambda event: None,
        workers=Workers(None, SimpleNamespace(workers=1, planned_bytes=0), lambda: False, folder),
        journal=None,
        monitor=SimpleNamespace(cpu_s=lambda: 0.0),
    )
    fields = divide_into_fields(context, [frame.solved for frame in members])
    by_id = {frame.frame.frame_id: frame for frame in members}
    return plan_fields(context, [(field, [by_id[f.frame.frame_id] for f in field.frames]) for field in fields]), context


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
    assert [(drop.frame_id, drop.reason.key) for drop in context.reporter.dropped] == [(2, "reason.beside_grid")]
    assert read_grids(GridPlace(Path(folder)))[0].wcs == first.plan.wcs


@pytest.mark.parametrize("named", ["global_mosaic_wcs.fits", "sub/ours.JSON", "sub"])
def test_a_grid_is_named_as_a_file_or_a_folder_below_the_output(tmp_path, named):
    first, context = plan(tmp_path, FIRST_NIGHT, global_wcs_output_path=named)
    stem = {"sub": "sub/global_mosaic_wcs"}.get(named, named.rpartition(".")[0])
    written = Path(context.settings.output_dir) / f"{stem}.json"
    assert written.is_file() and written.with_suffix(".fits").is_file()
    second, _ = plan(tmp_path, frames((10.02, 20.1), (10.03, 20.0)), global_wcs_output_path=named)
    assert second.plan.wcs == first.plan.wcs


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


def test_fields_apart_become_mosaics_of_their_own(tmp_path):
    members = frames((10.0, 20.0), (10.05, 20.05), (10.06, 20.0), (11.0, 20.0), (11.02, 20.02), (200.0, -40.0))
    members = [named(frame, k, "M 31" if k < 3 else "Ring: l'été/1") for k, frame in enumerate(members)]
    grids, context = plans(tmp_path, members)
    assert [grid.plan.name for grid in grids] == ["M 31", "Ring: l'été/1"]
    assert [grid.key for grid in grids] == ["M_31", "Ring_l_ete_1"]
    assert [[frame.frame.frame_id for frame in grid.frames] for grid in grids] == [[0, 1, 2], [3, 4]]
    assert [(drop.frame_id, drop.reason.key) for drop in context.reporter.dropped] == [(5, "reason.blows_canvas_up")]
    assert all(grid.plan.width < 300 for grid in grids)


def test_fields_without_a_name_or_with_the_same_one_bear_their_place(tmp_path):
    members = frames((10.0, 20.0), (10.05, 20.05), (350.0, -0.5), (350.02, -0.52))
    grids, _ = plans(tmp_path, members)
    assert [grid.key for grid in grids] == ["J0040+2002", "J2320-0031"]
    same = [named(frame, k, "M 31") for k, frame in enumerate(members)]
    assert [grid.key for grid in plans(tmp_path, same)[0]] == ["M_31", "M_31_J2320-0031"]


def test_panels_with_gaps_share_a_mosaic_without_a_name(tmp_path):
    members = frames((10.0, 20.0), (10.02, 20.0), (10.27, 20.0), (10.29, 20.0))
    grids, context = plans(tmp_path, members)
    assert [len(grid.frames) for grid in grids] == [4]
    assert grids[0].plan.name == "" and not context.reporter.dropped


def test_every_field_has_its_saved_grid(tmp_path):
    folder = tmp_path / "grid"
    members = frames((10.0, 20.0), (10.05, 20.05), (10.06, 20.0), (11.0, 20.0), (11.02, 20.02))
    first, _ = plans(tmp_path, members, global_wcs_output_path=str(folder))
    assert len(list(folder.iterdir())) == 4
    night = frames((11.01, 20.03), (10.02, 20.02), (10.04, 20.0), (40.0, 0.0))
    second, context = plans(tmp_path, night, global_wcs_output_path=str(folder))
    assert [grid.plan.wcs for grid in second] == [grid.plan.wcs for grid in first]
    assert [[frame.frame.frame_id for frame in grid.frames] for grid in second] == [[1, 2], [0]]
    assert [(drop.frame_id, drop.reason.key) for drop in context.reporter.dropped] == [(3, "reason.beside_grid")]


def test_a_region_of_interest_cuts_the_canvas_and_leaves_frames_beside_it_out(tmp_path):
    members = frames((10.0, 20.0), (10.06, 20.0), (10.0, 20.3), (10.06, 20.3))
    whole, _ = plan(tmp_path, members)
    cut, context = plan(tmp_path, members, region_of_interest="10.03, 20.0, 0.05, 0.04")
    assert (cut.plan.width, cut.plan.height) == (pytest.approx(0.05 * 3600 / 2.39, abs=2), pytest.approx(61, abs=2))
    assert [frame.frame.frame_id for frame in cut.frames] == [0, 1]
    assert [(drop.frame_id, drop.reason.key) for drop in context.reporter.dropped] == [
        (2, "reason.beside_region"),
        (3, "reason.beside_region"),
    ]
    middle = cut.plan.wcs.pixel_to_sky((cut.plan.width - 1) / 2, (cut.plan.height - 1) / 2)
    assert middle == pytest.approx((10.03, 20.0), abs=2e-3)
    # The same pixels as without the region: a whole number of them is cut off.
    shift = whole.plan.wcs.x_ref - cut.plan.wcs.x_ref, whole.plan.wcs.y_ref - cut.plan.wcs.y_ref
    assert shift == pytest.approx((round(shift[0]), round(shift[1])), abs=1e-9)


def test_a_region_elsewhere_or_one_that_is_none_is_told(tmp_path):
    with pytest.raises(NothingUsable) as caught:
        plan(tmp_path, FIRST_NIGHT, region_of_interest="90, 0, 1, 1")
    assert caught.value.message.key == "error.nothing_in_region"
    for text in ("10", "10,95,1,1", "10,20,0,1", "10,20,1,nan", "a,b,c,d", "10 20 1 1 1"):
        with pytest.raises(SettingsError) as refused:
            check_value("region_of_interest", text)
        assert refused.value.message.params["allowed"] == "RA, Dec, width, height (deg)"
    assert check_value("region_of_interest", " 10;20 1, 1 ") == "10;20 1, 1"


def test_a_region_saves_the_whole_grid(tmp_path):
    folder = str(tmp_path / "grid")
    cut, _ = plan(tmp_path, FIRST_NIGHT, global_wcs_output_path=folder, region_of_interest="10.02,20.02,0.05,0.05")
    whole, _ = plan(tmp_path, FIRST_NIGHT)
    (saved,) = read_grids(GridPlace(Path(folder)))
    assert (saved.width, saved.height) == (whole.plan.width, whole.plan.height)
    assert cut.plan.width < saved.width


def test_what_a_broken_run_has_stored_counts_as_room(monkeypatch, tmp_path):
    monkeypatch.setattr("zemosaic.phases.plan.disk_free", lambda _: 1 << 20)
    with pytest.raises(ResourceError) as refused:
        plan(tmp_path, FIRST_NIGHT)
    assert refused.value.message.key == "error.disk_too_small"
    stored = tmp_path / "canvas_.zarr" / "tile_value" / "c"
    stored.mkdir(parents=True)
    with (stored / "0").open("wb") as file:
        file.truncate(8 << 30)
    plan(tmp_path, FIRST_NIGHT)
