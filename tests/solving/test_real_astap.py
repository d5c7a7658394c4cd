"""The real ASTAP, where it is installed, with a star database made here of the bundled catalogue."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from sky_frames import Survey, offsets_px, solved
from solver_contract import SolverContract
from star_lists import make_sky, observe, true_wcs, worst_offset_px
from waiting import PATIENCE_S

from zemosaic.catalogue import AstapCatalogue, CellCatalogue, open_astap
from zemosaic.catalogue.astap_database import LAYOUTS, Layout
from zemosaic.export.fits import write_fits
from zemosaic.model import Solution
from zemosaic.solving.base import NotSolved, StarField
from zemosaic.solving.solvers import astap
from zemosaic.solving.solvers.astap import AstapSolver
from zemosaic.solving.solvers.astap_find import AstapInstallation
from zemosaic.solving.solvers.embedded import EmbeddedSolver
from zemosaic.wcs import FrameWcs

pytestmark = [
    pytest.mark.skipif(shutil.which("astap_cli") is None, reason="no ASTAP at hand"),
    pytest.mark.skipif(sys.platform == "win32", reason="tried on Linux"),
]
CYGNUS = (305.6, 40.2)


def write_database(
    folder: Path, catalogue: CellCatalogue, name: str, layout: Layout, places: Sequence[tuple[float, float]]
) -> Path:
    """Write the stars round places as an ASTAP database, the brightest first as ASTAP wants them."""
    folder.mkdir()
    areas = {path for place in places for path in AstapCatalogue(folder, name, layout)._files(*place, 3.0)}
    for path in areas:
        ring, cell = int(path.stem[4:6]) - 1, int(path.stem[6:8]) - 1
        south, north = layout.edges_deg[ring : ring + 2]
        width = 360.0 / layout.cells[ring]
        west, east = cell * width, (cell + 1) * width
        stars = catalogue.cone(0.5 * (west + east), 0.5 * (south + north), 16.0)
        inside = (stars.ra_deg >= west) & (stars.ra_deg < east) & (stars.dec_deg >= south) & (stars.dec_deg < north)
        body, group = [], None
        for star_ra, star_dec, mag in zip(stars.ra_deg[inside], stars.dec_deg[inside], stars.mag[inside], strict=True):
            east24, north24 = round(star_ra / 360.0 * 0xFFFFFF), round(star_dec / 90.0 * 0x7FFFFF)
            head = bytes([255, 255, 255, (north24 >> 16) + 128, round(float(mag) * 10.0) + 16])
            body += [head] if head != group else []
            group = head
            body.append(east24.to_bytes(3, "little") + (north24 & 0xFFFF).to_bytes(2, "little"))
        path.write_bytes(b"test".ljust(109) + bytes([5]) + b"".join(body))
    (folder / f"{name}_0101.{layout.suffix}").touch()  # what ASTAP recognises a database by
    return folder


@pytest.fixture(scope="module")
def stars(tycho: CellCatalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("astap") / "h18", tycho, "h18", LAYOUTS[0], [CYGNUS])


@pytest.fixture(scope="module")
def old_stars(tycho: CellCatalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("astap") / "g17", tycho, "g17", LAYOUTS[1], EVERYWHERE)


@pytest.fixture
def solver(tycho: CellCatalogue, stars: Path) -> AstapSolver:
    program = Path(str(shutil.which("astap_cli")))
    return AstapSolver(AstapInstallation(program, stars, "h18"), tycho, backoff_s=0.01)


def picture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return an image of stars, brightest first, on a noisy sky."""
    image = np.random.default_rng(0).normal(1000.0, 20.0, (1920, 1080)).astype(np.float32)
    for k, (cx, cy) in enumerate(zip(x, y, strict=True)):
        rows, columns = np.mgrid[max(int(cy) - 7, 0) : int(cy) + 9, max(int(cx) - 7, 0) : int(cx) + 9]
        keep = (rows < 1920) & (columns < 1080)
        light = 30000.0 * 0.96**k * np.exp(-((rows - cy) ** 2 + (columns - cx) ** 2) / 4.5)
        image[rows[keep], columns[keep]] += light[keep]
    return image


def field_of(tycho: CellCatalogue, truth, pixels: bool = True) -> StarField:
    sky = make_sky(tycho, truth.ra_deg, truth.dec_deg, 1.4, 3, strangers_per_deg2=0.0)
    x, y = observe(sky, truth, noise_px=0.05, seed=4, lost=0.0)
    hint_ra = truth.ra_deg + 0.2 / math.cos(math.radians(truth.dec_deg))
    field = StarField(x, y, 1080, 1920, hint_ra % 360.0, truth.dec_deg, 2.39)
    if not pixels:
        return field
    image = picture(x, y)
    return replace(field, green=lambda: image)


@pytest.mark.parametrize(("turn", "mirrored"), [(30.0, False), (200.0, True)])
def test_it_solves(tycho, solver, turn, mirrored):
    truth = true_wcs(*CYGNUS, turn, mirrored)
    solution = solver.solve(field_of(tycho, truth))
    assert isinstance(solution, Solution), solution
    assert solution.how == "astap"
    assert worst_offset_px(solution.wcs, truth) < 2.0


# The plane of the Milky Way, both hemispheres, right ascension 0, near the equator, both poles.
EVERYWHERE = [CYGNUS, (100.0, -60.0), (0.1, 60.0), (280.0, -10.0), (200.0, 89.0), (80.0, -88.5)]


@pytest.mark.parametrize(("ra", "dec"), EVERYWHERE)
def test_it_solves_with_the_older_layout(tycho, old_stars, ra, dec):
    """The 290 areas are cut where ASTAP expects them: it finds its stars in the files that we write."""
    installation = AstapInstallation(Path(str(shutil.which("astap_cli"))), old_stars, "g17")
    truth = true_wcs(ra, dec, 30.0)
    solution = AstapSolver(installation, tycho, backoff_s=0.01).solve(field_of(tycho, truth))
    assert isinstance(solution, Solution), solution
    assert worst_offset_px(solution.wcs, truth) < 2.0


def test_the_older_layout_is_read(tycho, old_stars):
    database = open_astap(old_stars)
    assert database is not None
    assert database.name == "g17"
    for ra, dec in EVERYWHERE:
        ours, theirs = tycho.cone(ra, dec, 1.5), database.cone(ra, dec, 1.5)
        assert len(ours) == len(theirs)
        np.testing.assert_allclose(np.sort(theirs.dec_deg), np.sort(ours.dec_deg), atol=2e-5)
        solution = EmbeddedSolver(database).solve(field_of(tycho, true_wcs(ra, dec, 77.0), pixels=False))
        assert isinstance(solution, Solution), solution


class TestAstapSolver(SolverContract):
    def field(self, tycho, **changes):
        truth = true_wcs(*CYGNUS, 30.0, bend_px=0.5)
        return replace(field_of(tycho, truth), name="lights/frame.fit", **changes)


def test_it_refuses(tycho, solver, tmp_path, monkeypatch):
    field = field_of(tycho, true_wcs(*CYGNUS))
    blank = np.random.default_rng(1).normal(1000.0, 20.0, (1920, 1080)).astype(np.float32)
    told = solver.solve(replace(field, green=lambda: blank))
    assert isinstance(told, NotSolved)
    assert told.reason.key in ("reason.astap_failed", "reason.astap_no_solution")
    elsewhere = replace(solver.installation, data_dir=tmp_path / "nothing")
    told = replace(solver, installation=elsewhere).solve(field)
    assert isinstance(told, NotSolved)
    assert told.reason.key == "reason.astap_no_database"
    told = solver.solve(replace(field, ra_deg=100.0, dec_deg=-30.0))
    assert isinstance(told, NotSolved)
    write = astap._write_image

    def truncated(path: Path, field: StarField) -> None:
        write(path, field)
        path.write_bytes(path.read_bytes()[:50_000])

    monkeypatch.setattr(astap, "_write_image", truncated)
    told = solver.solve(field)
    assert isinstance(told, NotSolved)
    assert told.reason.key.startswith("reason.astap_")


def test_it_cannot_write(tycho, solver, monkeypatch):
    command = AstapSolver._command

    def nowhere(self, image, field):
        words = command(self, image, field)
        words[words.index("-o") + 1] = "/nonexistent/folder/solved"
        return words

    monkeypatch.setattr(AstapSolver, "_command", nowhere)
    told = solver.solve(field_of(tycho, true_wcs(*CYGNUS)))
    assert isinstance(told, NotSolved)
    assert told.reason.key in ("reason.astap_failed", "reason.astap_no_answer")


def test_it_is_stopped(tycho, solver):
    told = replace(solver, timeout_s=0.01).solve(field_of(tycho, true_wcs(*CYGNUS)))
    assert isinstance(told, NotSolved)
    assert told.reason.key == "reason.astap_timeout"
    assert not [p for p in psutil.Process().children(recursive=True) if "astap" in p.name()]


def test_in_a_run(tycho, stars, tmp_path, monkeypatch):
    survey = Survey(tycho, tmp_path / "lights", *CYGNUS)
    survey.add(2)
    survey.add(1, 1.2)
    monkeypatch.setenv("ASTAP_DATA_DIR", str(stars))
    monkeypatch.setenv("ZEMOSAIC_ASTAP_LOCK_DIR", str(tmp_path / "slots"))
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in survey.folder.iterdir()}
    with solved(survey.folder, solver="astap") as found:
        assert len(found.frames) == 3
        assert "astap" in found.how
        assert max(offsets_px(found.frames, survey.truth)) < 0.5
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in survey.folder.iterdir()} == before
    assert (tmp_path / "slots" / "slot_0.lock").exists()


@pytest.mark.parametrize(("turn", "mirrored"), [(0.0, False), (110.0, False), (200.0, True)])
@pytest.mark.parametrize(("dtype", "planes"), [("float32", 1), ("uint16", 3)])
def test_it_opens_a_mosaic_and_finds_its_stars_where_the_header_says(
    tycho, stars, tmp_path, turn, mirrored, dtype, planes
):
    """It starts from the place in our header; unbinned, as its own pixels lie (n - 1) / 2 off when binned by n."""
    truth = true_wcs(*CYGNUS, turn, mirrored, bend_px=0.0)
    sky = make_sky(tycho, *CYGNUS, 1.4, 3, strangers_per_deg2=0.0)
    image = picture(*observe(sky, truth, noise_px=0.0, lost=0.0)).astype(np.float32)
    image[:, :150] = np.nan
    path = tmp_path / "mosaic.fits"
    write_fits(path, np.repeat(image[None], planes, axis=0), wcs=truth, axis_order="CHW", dtype=dtype, empty="zero")
    words = [str(shutil.which("astap_cli")), "-f", str(path), "-d", str(stars), "-r", "2", "-z", "1"]
    words += ["-fov", f"{1920 * truth.scale_arcsec / 3600.0:.4f}", "-o", str(tmp_path / "found")]
    told = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S).stdout
    lines = (tmp_path / "found.ini").read_text(encoding="ascii").splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert found["PLTSOLVD"] == "T", told
    ra, dec, x, y, *cd = (
        float(found[key]) for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")
    )
    theirs = FrameWcs(ra, dec, x - 1.0, y - 1.0, ((cd[0], cd[1]), (cd[2], cd[3])))
    assert worst_offset_px(theirs, truth) < 0.5
