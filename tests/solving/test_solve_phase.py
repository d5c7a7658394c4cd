"""The phase as a whole: which solver is asked when, and what is told."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import stat
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from astropy.coordinates import FK5, SkyCoord
from astropy.io import fits
from sky_frames import Survey, offsets_px, solved
from waiting import wait_until

from zemosaic import worker
from zemosaic.catalogue import CellCatalogue, QuadIndex
from zemosaic.events import FrameSolved, Logged, RunFailed, Warned
from zemosaic.phases.placement import frame_solver
from zemosaic.phases.solve import solve_frames
from zemosaic.settings.schema import Settings
from zemosaic.solving.base import not_solved
from zemosaic.solving.propagate import propagate
from zemosaic.solving.solvers.blind import BlindSolver
from zemosaic.solving.solvers.embedded import EmbeddedSolver

posix = pytest.mark.skipif(os.name != "posix", reason="stub programs are shell scripts")
FEW = "warning.astap_solved_few"
CYGNUS = (305.6, 40.2)


@pytest.fixture
def survey(tycho: CellCatalogue, tmp_path: Path) -> Survey:
    return Survey(tycho, tmp_path / "lights", *CYGNUS)


@pytest.fixture
def blind_calls(monkeypatch: pytest.MonkeyPatch, quads: QuadIndex, sky_cache: Path) -> list[str]:
    """Names of the frames that were searched for in the whole sky."""
    monkeypatch.setenv("ZEMOSAIC_CACHE_DIR", str(sky_cache))
    calls, solve = [], BlindSolver.solve

    def noted(self, field):
        calls.append(Path(field.name).name)
        return solve(self, field)

    monkeypatch.setattr(BlindSolver, "solve", noted)
    return calls


def stub(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\nwhile [ $# -gt 0 ]; do [ $1 = -o ] && out=$2; shift; done\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fingerprints(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        p.name: (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in sorted(folder.iterdir())
    }


def test_one_absolute_solution_a_pointing(survey):
    survey.add(3)
    survey.add(2, 0.5)
    before = fingerprints(survey.folder)
    with solved(survey.folder) as found:
        assert sorted(found.how) == ["embedded", "embedded", "propagated", "propagated", "propagated"]
        assert max(offsets_px(found.frames, survey.truth)) < 0.5
        told = [event for event in found.events if isinstance(event, FrameSolved)]
        assert [event.how for event in told] == found.how
        assert all(event.n_matched >= 8 and 0.0 < event.rms_arcsec < 2.0 for event in told)
    assert fingerprints(survey.folder) == before


def test_no_hints_at_all(survey, blind_calls):
    survey.add(3, RA=None, DEC=None)
    survey.add(3, 1.2, RA=None, DEC=None)
    with solved(survey.folder) as found:
        assert len(found.frames) == 6
        assert max(offsets_px(found.frames, survey.truth)) < 0.5
        assert found.how.count("blind") == 2
    assert len(blind_calls) == 2, "one search for each pointing, the others follow"


def test_a_frame_without_hint_follows_its_neighbours(survey, blind_calls):
    survey.add(3)
    survey.add(1, DEC=90.7)
    with solved(survey.folder) as found:
        assert found.how.count("propagated") == 3
    assert blind_calls == []


def test_a_hint_that_leads_nowhere_is_searched_once(survey, blind_calls):
    survey.add(4, RA=10.0, DEC=-40.0)
    with solved(survey.folder, hint_radius_deg=0.3) as found:
        assert sorted(found.how) == ["blind", "propagated", "propagated", "propagated"]
        assert max(offsets_px(found.frames, survey.truth)) < 0.5
    assert len(blind_calls) == 1


def jnow(ra: float, dec: float) -> dict[str, object]:
    """Return the place as a mount says it that counts with the equinox of today."""
    today = SkyCoord(ra, dec, unit="deg").transform_to(FK5(equinox="J2030"))
    return {"RA": float(today.ra.deg), "DEC": float(today.dec.deg)}


@pytest.mark.parametrize(
    ("place", "cards", "searches"),
    [
        (CYGNUS, {"RA": None, "DEC": None, "OBJCTRA": "20 22 24.0", "OBJCTDEC": "+40 12 00"}, 0),
        ((83.0, -0.4), {"RA": "05:32:00", "DEC": "-00:24:00"}, 0),
        ((83.0, -0.4), {"RA": "05:32:00", "DEC": "+00:24:00"}, 0),
        (CYGNUS, jnow(*CYGNUS), 0),
        ((10.0, 85.0), jnow(10.0, 85.0), 0),
        (CYGNUS, {"RA": CYGNUS[1], "DEC": CYGNUS[0]}, 1),
        ((80.0, 35.0), {"RA": 35.0, "DEC": 80.0}, 1),
        (CYGNUS, {"RA": CYGNUS[0] / 15.0}, 1),
        (CYGNUS, {"RA": 0.0, "DEC": 0.0}, 1),
    ],
    ids=["text", "minus 0", "minus lost", "today's equinox", "the same by the pole", "swapped, impossible", "swapped",
         "hours for degrees", "zeros"],
)  # fmt: skip
def test_hints_of_every_sort(tycho, tmp_path, blind_calls, place, cards, searches):
    survey = Survey(tycho, tmp_path / "lights", *place)
    survey.add(2, **cards)
    with solved(survey.folder) as found:
        assert len(found.frames) == 2
        assert max(offsets_px(found.frames, survey.truth)) < 0.5
    assert len(blind_calls) == searches


@posix
@pytest.mark.slow
def test_a_run_killed_while_astap_works_leaves_the_frames_alone(survey, tmp_path, monkeypatch):
    survey.add(2)
    before = fingerprints(survey.folder)
    program = stub(tmp_path / "astap", f"touch {tmp_path}/started; exec sleep 60")
    monkeypatch.setenv("ZEMOSAIC_ASTAP_LOCK_DIR", str(tmp_path / "slots"))
    settings = Settings(
        input_dir=str(survey.folder), output_dir=str(tmp_path / "out"), solver="astap", num_processing_workers=1,
        astap_executable_path=str(program),
    )  # fmt: skip
    run = worker.start(settings)
    try:
        wait_until((tmp_path / "started").exists)
        helpers = psutil.Process(run.pid).children(recursive=True)
        os.kill(run.pid, signal.SIGKILL)
        assert isinstance(list(run.events())[-1], RunFailed)
    finally:
        run.close()
        for helper in helpers:
            with contextlib.suppress(psutil.NoSuchProcess):
                helper.kill()
    assert fingerprints(survey.folder) == before


def test_clouds_are_dropped_with_a_reason(survey, blind_calls):
    survey.add(2)
    survey.add_clouds()
    with solved(survey.folder) as found:
        assert len(found.frames) == 2
        assert [Path(d.path).name for d in found.context.reporter.dropped] == ["light_002.fit"]
        assert found.context.reporter.dropped[0].reason.key.startswith("reason.")


def test_a_wcs_in_the_header_is_used_where_it_holds(survey):
    survey.add(2)
    path = survey.folder / "light_000.fit"
    with fits.open(path, mode="update") as hdus:
        hdus[0].header.update(survey.truth[path.name].to_cards())
    with solved(survey.folder) as found:
        assert found.how[0] == "header"
        assert max(offsets_px(found.frames, survey.truth)) < 0.5
    with solved(survey.folder, force_resolve_existing_wcs=True) as found:
        assert "header" not in found.how
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["CRVAL1"] += 0.3
    with solved(survey.folder) as found:
        assert "header" not in found.how
        assert "log.header_wcs_refused" in found.told(Logged)
        assert max(offsets_px(found.frames, survey.truth)) < 0.5


@posix
@pytest.mark.parametrize(
    ("body", "warnings"),
    [
        ("echo 'ERROR=No star database found.' > $out.ini; exit 1", ["reason.astap_no_database", FEW]),
        ("echo PLTSOLVD=F > $out.ini; exit 1", [FEW]),
        ("echo PLTSOLVD=T > $out.ini; cp lie.wcs $out.wcs; exit 0", [FEW]),
    ],
)
def test_where_astap_fails_the_embedded_solver_steps_in(survey, tmp_path, monkeypatch, body, warnings):
    survey.add(1)
    survey.add(1, 1.2)
    lie = fits.Header(list(survey.truth["light_000.fit"].shifted(300.0, 0.0).to_cards().items()))
    fits.PrimaryHDU(header=lie).writeto(tmp_path / "lie.wcs")
    program = stub(tmp_path / "astap", body.replace("lie.wcs", str(tmp_path / "lie.wcs")))
    monkeypatch.setenv("ZEMOSAIC_ASTAP_LOCK_DIR", str(tmp_path / "slots"))
    before = fingerprints(survey.folder)
    with solved(survey.folder, solver="astap", astap_executable_path=str(program)) as found:
        assert found.how == ["embedded", "embedded"]
        assert max(offsets_px(found.frames, survey.truth)) < 0.5
        assert found.told(Warned) == warnings
        few = [event.text.params for event in found.events if isinstance(event, Warned) and event.text.key == FEW]
        assert [told["solved"] for told in few] == [0]
        assert few[0]["asked"] == len(found.how) - (len(warnings) > 1)
    assert (tmp_path / "slots" / "slot_0.lock").exists()
    assert fingerprints(survey.folder) == before


@posix
def test_paths_that_mislead_are_told_at_the_start(survey, tmp_path, monkeypatch):
    survey.add(2)
    monkeypatch.setenv("ASTAP_STAR_DB", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", "")
    wrong = {"astap_executable_path": str(tmp_path / "gone"), "astap_data_directory_path": str(tmp_path)}
    with solved(survey.folder, solver="auto", **wrong) as found:
        texts = [event.text for event in found.events if isinstance(event, Warned)][:3]
    told = [(text.key, text.params["setting"]) for text in texts]
    assert told == [
        ("warning.astap_no_program", "astap_executable_path"),
        ("warning.astap_no_stars", "ASTAP_STAR_DB"),
        ("warning.astap_no_stars", "astap_data_directory_path"),
    ]
    with solved(survey.folder, solver="embedded", **wrong) as found:
        assert found.told(Warned) == []


@pytest.mark.parametrize(
    ("lies", "other_solvers", "how"),
    [(1, True, "propagated"), (99, True, "embedded"), (99, False, None)],
)
def test_a_frame_that_disagrees_is_solved_again(survey, monkeypatch, lies, other_solvers, how):
    """The neighbours' answer for one frame is 14 pixels off, once or each time, and nothing contradicts it."""
    survey.add(6)
    survey.add(2, 0.3)
    told = []
    monkeypatch.setattr(frame_solver, "is_believed", lambda *_: True)

    def lying(field, stars, neighbour):
        answer = propagate(field, stars, neighbour)
        if answer is None or not field.name.endswith("light_003.fit") or len(told) == lies:
            return answer
        told.append(field.name)
        return replace(answer, wcs=answer.wcs.shifted(10.0, -10.0))

    monkeypatch.setattr(frame_solver, "propagate", lying)
    if not other_solvers:
        embedded = EmbeddedSolver.solve
        monkeypatch.setattr(
            EmbeddedSolver,
            "solve",
            lambda self, field: (
                not_solved("reason.unsolved_no_pointing") if "_003" in field.name else embedded(self, field)
            ),
        )
    with solved(survey.folder) as found:
        by_name = {Path(frame.frame.path).name: frame.solution for frame in found.frames}
        assert len(by_name) == (7 if how is None else 8)
        assert max(offsets_px(found.frames, survey.truth)) < 0.5
        assert found.told(Logged).count("log.frame_solved_again") == (how is not None)
        if how is None:
            assert [Path(drop.path).name for drop in found.context.reporter.dropped] == ["light_003.fit"]
            assert found.context.reporter.dropped[0].reason.key.startswith("reason.joint_")
        else:
            assert by_name["light_003.fit"].how == how


def test_a_place_that_the_catalogue_contradicts_is_not_believed(survey, monkeypatch):
    survey.add(4)

    def lying(field, stars, neighbour):
        answer = propagate(field, stars, neighbour)
        wrong = answer is not None and field.name.endswith("light_003.fit")
        return replace(answer, wcs=answer.wcs.shifted(10.0, -10.0)) if wrong else answer

    monkeypatch.setattr(frame_solver, "propagate", lying)
    with solved(survey.folder) as found:
        by_name = {Path(frame.frame.path).name: frame.solution.how for frame in found.frames}
        assert by_name["light_003.fit"] == "embedded"
        assert max(offsets_px(found.frames, survey.truth)) < 0.5
        assert "log.frame_solved_again" not in found.told(Logged)


def test_the_next_run_takes_the_same_solutions_over_to_the_last_bit(survey, monkeypatch):
    survey.add(3)
    survey.add_clouds()
    with solved(survey.folder) as found:
        first, lost = found.frames, found.context.reporter.dropped
        assert len(first) == 3 and len(lost) == 1
        found.context.reporter.dropped = []
        found.events.clear()
        monkeypatch.setattr("zemosaic.phases.solve.SolvingSession.solve", refuse)
        again = solve_frames(found.context, found.measured, found.defects)
        assert [one.solution for one in again] == [one.solution for one in first]
        assert again[0].measured is first[0].measured
        assert found.context.reporter.dropped == lost
        kinds = [type(event).__name__ for event in found.events]
        assert kinds.count("FrameSolved") == 3 and kinds.count("FrameDropped") == 1
        with pytest.raises(AssertionError, match="solved anew"):
            solve_frames(found.context, found.measured[:-1], found.defects)
        found.context.settings = found.context.settings.model_copy(update={"force_resolve_existing_wcs": True})
        with pytest.raises(AssertionError, match="solved anew"):
            solve_frames(found.context, found.measured, found.defects)


def refuse(*_):
    raise AssertionError("solved anew")
