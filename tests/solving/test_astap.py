from __future__ import annotations

import os
import shutil
import stat
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from astropy.io import fits
from star_lists import make_field, make_sky, observe, true_wcs, worst_offset_px

from zemosaic.catalogue import CellCatalogue
from zemosaic.model import Solution
from zemosaic.solving.base import NotSolved, StarField
from zemosaic.solving.solvers.astap import AstapSolver
from zemosaic.solving.solvers.astap_find import AstapInstallation, find_astap
from zemosaic.wcs import FrameWcs

DATABASE = Path(__file__).resolve().parents[2] / "../shared/data/astap_h18_tycho2.zip"
posix = pytest.mark.skipif(os.name != "posix", reason="stub programs are shell scripts")


def program(path: Path, body: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def database(folder: Path, name: str = "d50") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}_0101.1476").touch()
    return folder


# Finding it


def test_nothing_there(tmp_path):
    for platform in ("linux", "darwin", "win32"):
        assert find_astap("", "", environ={"PATH": "", "HOME": str(tmp_path)}, platform=platform, root=tmp_path) is None


@posix
@pytest.mark.parametrize(
    ("platform", "where", "data"),
    [
        ("linux", "usr/bin/astap_cli", "opt/astap"),
        ("linux", "usr/local/bin/astap", "usr/share/astap/data"),
        ("linux", "opt/astap/astap", "opt/astap"),
        ("darwin", "Applications/ASTAP.app/Contents/MacOS/astap", "Library/Application Support/ASTAP"),
        ("darwin", "Applications/ASTAP 2.app/Contents/MacOS/astap", "home/Library/Application Support/ASTAP"),
        ("win32", "Program Files/astap/astap.exe", "Program Files/astap"),
        ("win32", "ASTAP/astap_cli.exe", "ASTAP"),
    ],
)
def test_usual_places(tmp_path, platform, where, data):
    wanted = program(tmp_path / where)
    folder = database(tmp_path / data)
    environ = {"PATH": "", "HOME": str(tmp_path / "home")}
    assert find_astap("", "", environ=environ, platform=platform, root=tmp_path) == AstapInstallation(
        wanted, folder, "d50"
    )


@posix
def test_environment_comes_before_settings_and_settings_before_usual_places(tmp_path):
    usual = program(tmp_path / "usr/bin/astap_cli")
    setting, wanted = program(tmp_path / "mine/astap"), program(tmp_path / "env/astap")
    environ = {"PATH": "", "HOME": str(tmp_path)}

    def found(executable: str, **more: str) -> Path:
        installation = find_astap(executable, "", environ=environ | more, platform="linux", root=tmp_path)
        assert installation is not None
        return installation.executable

    assert found("") == usual
    assert found(str(setting)) == setting
    assert found(str(setting.parent)) == setting
    assert found(str(tmp_path / "gone")) == usual
    for variable in ("ASTAP_EXE", "ASTAP_BIN", "ASTAP_PATH"):
        assert found(str(setting), **{variable: str(wanted)}) == wanted
        assert found(str(setting), **{variable: str(wanted.parent)}) == wanted
        assert found(str(setting), **{variable: str(tmp_path / "gone")}) == setting


@posix
def test_star_database_is_looked_for_in_the_same_order(tmp_path):
    program(tmp_path / "usr/bin/astap_cli")
    usual, setting, wanted = (database(tmp_path / p, n) for p, n in (("opt/astap", "h18"), ("s", "d05"), ("e", "d80")))
    environ = {"PATH": "", "HOME": str(tmp_path)}

    def found(data: str, **more: str) -> tuple[Path | None, str]:
        installation = find_astap("", data, environ=environ | more, platform="linux", root=tmp_path)
        assert installation is not None
        return installation.data_dir, installation.catalogue

    assert found("") == (usual, "h18")
    assert found(str(setting)) == (setting, "d05")
    for variable in ("ASTAP_DATA_DIR", "ASTAP_STAR_DB", "ASTAP_DATABASE"):
        assert found(str(setting), **{variable: str(wanted)}) == (wanted, "d80")


@posix
def test_search_path_and_no_database(tmp_path):
    wanted = program(tmp_path / "tools/astap_cli")
    environ = {"PATH": str(wanted.parent), "HOME": str(tmp_path)}
    found = find_astap("", "", environ=environ, platform="linux", root=tmp_path / "empty")
    assert found == AstapInstallation(wanted, None, "")


@posix
def test_a_file_that_cannot_be_run_is_no_program(tmp_path):
    (tmp_path / "astap").write_text("text")
    environ = {"PATH": "", "HOME": str(tmp_path)}
    assert find_astap(str(tmp_path / "astap"), "", environ=environ, platform="linux", root=tmp_path / "x") is None


# Calling it


@pytest.fixture
def field(tycho: CellCatalogue) -> StarField:
    stars = make_field(tycho, TRUTH, hint_off_deg=0.1, seed=3)
    return replace(stars, green=lambda: np.zeros((1920, 1080), np.float32))


TRUTH = true_wcs(80.0, 20.0, 30.0)


def solver(tmp_path: Path, catalogue: CellCatalogue, body: str, timeout_s: float = 10.0) -> AstapSolver:
    stub = program(tmp_path / "stub", "while [ $# -gt 0 ]; do [ $1 = -o ] && out=$2; shift; done\n" + body)
    return AstapSolver(AstapInstallation(stub, tmp_path, "d50"), catalogue, timeout_s=timeout_s, backoff_s=0.01)


def answer_file(tmp_path: Path, wcs: FrameWcs) -> Path:
    header = fits.Header(list(replace(wcs, distortion=None).to_cards().items()))
    path = tmp_path / "answer.wcs"
    fits.PrimaryHDU(header=header).writeto(path, overwrite=True)
    return path


def says_solved(wcs: Path) -> str:
    return f"echo PLTSOLVD=T > $out.ini; cp '{wcs}' $out.wcs; exit 0"


@posix
def test_a_right_answer_is_verified_and_refined(tmp_path, tycho, field):
    off_by_half = TRUTH.shifted(0.5, 0.5)
    solution = solver(tmp_path, tycho, says_solved(answer_file(tmp_path, off_by_half))).solve(field)
    assert isinstance(solution, Solution), solution
    assert solution.how == "astap"
    assert worst_offset_px(solution.wcs, TRUTH) < 2.0


@posix
@pytest.mark.parametrize(
    ("lie", "key"),
    [
        (true_wcs(81.0, 20.5, 30.0), "reason.unsolved_not_confirmed"),
        (true_wcs(80.0, 20.0, 75.0), "reason.unsolved_not_confirmed"),
        (true_wcs(80.0, 20.0, 30.0, scale_arcsec=2.2), "reason.unsolved_scale"),
    ],
)
def test_a_wrong_answer_is_not_believed(tmp_path, tycho, field, lie, key):
    told = solver(tmp_path, tycho, says_solved(answer_file(tmp_path, lie))).solve(field)
    assert isinstance(told, NotSolved)
    assert told.reason.key == key


@posix
@pytest.mark.parametrize(
    ("body", "key", "word"),
    [
        ("echo PLTSOLVD=F > $out.ini; exit 1", "reason.astap_no_solution", ""),
        ("echo PLTSOLVD=F > $out.ini; exit 0", "reason.astap_no_solution", ""),
        (
            "printf 'PLTSOLVD=F\\nERROR=Not enough stars.\\n' > $out.ini; exit 1",
            "reason.astap_failed",
            "Not enough stars.",
        ),
        (
            "printf 'PLTSOLVD=F\\nWARNING=first\\nWARNING=second\\n' > $out.ini; exit 1",
            "reason.astap_failed",
            "first; second",
        ),
        ("echo 'ERROR=No star database found.' > $out.ini; exit 1", "reason.astap_no_database", ""),
        ("echo EInOutError: disk full; exit 0", "reason.astap_failed", "EInOutError: disk full"),
        ("exit 0", "reason.astap_no_answer", ""),
        ("kill -9 $$", "reason.astap_no_answer", ""),
        ("echo PLTSOLVD=T > $out.ini; exit 1", "reason.astap_no_solution", ""),
        ("echo PLTSOLVD=T > $out.ini; exit 0", "reason.astap_bad_wcs", ""),
        ("echo PLTSOLVD=T > $out.ini; echo CRVAL1=nonsense > $out.wcs; exit 0", "reason.astap_bad_wcs", ""),
        ("echo PLTSOLVD=T > $out.ini; head -c 9000 /dev/urandom > $out.wcs; exit 0", "reason.astap_bad_wcs", ""),
        ("head -c 3000 /dev/urandom > $out.ini; exit 0", "reason.astap_no_", ""),
    ],
)
def test_refusals_and_lies(tmp_path, tycho, field, body, key, word):
    told = solver(tmp_path, tycho, body).solve(field)
    assert isinstance(told, NotSolved)
    assert told.reason.key.startswith(key)
    assert word in told.reason.params.get("detail", "")


@posix
def test_time_out_kills_the_whole_family(tmp_path, tycho, field):
    pids = tmp_path / "pids"
    body = f"sleep 60 & echo $! > '{pids}'; echo $$ >> '{pids}'; wait"
    started = time.monotonic()
    told = solver(tmp_path, tycho, body, timeout_s=2.0).solve(field)
    assert time.monotonic() - started < 50.0
    assert isinstance(told, NotSolved)
    assert told.reason.key == "reason.astap_timeout"
    for pid in map(int, pids.read_text().split()):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_program_that_cannot_start(tmp_path, tycho, field):
    missing = AstapInstallation(tmp_path / "gone", tmp_path, "d50")
    told = AstapSolver(missing, tycho, backoff_s=0.01).solve(field)
    assert isinstance(told, NotSolved)
    assert told.reason.key == "reason.astap_not_started"
    told = AstapSolver(missing, tycho).solve(replace(field, green=None))
    assert isinstance(told, NotSolved)
    assert told.reason.key == "reason.astap_no_pixels"


@posix
def test_what_astap_is_given(tmp_path, tycho, field):
    copy = tmp_path / "given"
    body = f"mkdir '{copy}'; cp $(dirname $out)/* '{copy}'; echo PLTSOLVD=F > $out.ini; exit 1"
    script = f"echo \"$@\" > '{tmp_path / 'arguments'}'\n"
    caller = solver(tmp_path, tycho, body)
    text = caller.installation.executable.read_text()
    caller.installation.executable.write_text(text.replace("#!/bin/sh\n", "#!/bin/sh\n" + script))
    image = np.zeros((1920, 1080), np.float32)
    image[5, 7], image[8, 8] = 3.0, np.nan
    caller.solve(replace(field, green=lambda: image, ra_deg=30.0, dec_deg=-20.0))
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[arguments.index("-r") + 1] == "3"
    assert float(arguments[arguments.index("-ra") + 1]) == pytest.approx(2.0)
    assert float(arguments[arguments.index("-spd") + 1]) == pytest.approx(70.0)
    assert "-update" not in arguments
    assert "-fov" not in arguments
    assert not Path(arguments[arguments.index("-o") + 1]).parent.exists(), "the temporary folder is gone"
    with fits.open(copy / "frame.fits") as hdus:
        header, pixels = hdus[0].header, hdus[0].data
        assert np.argmax(pixels) == 5 * 1080 + 7
        assert 206.2648 * header["XPIXSZ"] / header["FOCALLEN"] == pytest.approx(field.scale_arcsec, rel=1e-5)
        assert (header["RA"], header["DEC"]) == (30.0, -20.0)


@posix
def test_the_slot_is_held_while_astap_runs(tmp_path, tycho, field):
    held = []

    class Slot:
        def __enter__(self) -> None:
            held.append("in")

        def __exit__(self, *_: object) -> None:
            held.append("out")

    replace(solver(tmp_path, tycho, "exit 1"), slots=lambda _: Slot(), retries=0).solve(field)
    assert held == ["in", "out"]


@pytest.mark.skipif(shutil.which("astap_cli") is None or not DATABASE.exists(), reason="no ASTAP at hand")
@pytest.mark.skipif(sys.platform == "win32", reason="tried on Linux")
def test_the_real_astap(tmp_path, tycho):
    with zipfile.ZipFile(DATABASE) as archive:
        near = [n for n in archive.namelist() if any(f"h18_{ring}" in n for ring in ("0101", "20", "21", "22", "23"))]
        archive.extractall(tmp_path, near)
    folder = next(tmp_path.rglob("*.1476")).parent
    installation = find_astap("", str(folder), environ=os.environ, platform=sys.platform)
    assert installation is not None
    assert installation.catalogue == "h18"
    sky = make_sky(tycho, 80.0, 20.0, 1.4, 3, strangers_per_deg2=0.0)
    x, y = observe(sky, TRUTH, noise_px=0.05, seed=4, lost=0.0)
    field = StarField(x, y, 1080, 1920, 80.2, 20.1, 2.39, green=lambda: picture(x, y))
    solution = AstapSolver(installation, tycho).solve(field)
    assert isinstance(solution, Solution), solution
    assert worst_offset_px(solution.wcs, TRUTH) < 2.0
    empty = replace(installation, data_dir=tmp_path / "empty")
    told = AstapSolver(empty, tycho).solve(field)
    assert isinstance(told, NotSolved)
    assert told.reason.key == "reason.astap_no_database"
    told = AstapSolver(installation, tycho, timeout_s=0.01).solve(field)
    assert isinstance(told, NotSolved)
    assert told.reason.key == "reason.astap_timeout"


def picture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return an image of stars, brightest first, on a noisy sky."""
    image = np.random.default_rng(0).normal(1000.0, 20.0, (1920, 1080)).astype(np.float32)
    for k, (cx, cy) in enumerate(zip(x, y, strict=True)):
        x0, y0 = int(cx) - 7, int(cy) - 7
        rows, columns = np.mgrid[max(y0, 0) : min(y0 + 16, 1920), max(x0, 0) : min(x0 + 16, 1080)]
        image[rows, columns] += 30000.0 * 0.96**k * np.exp(-((rows - cy) ** 2 + (columns - cx) ** 2) / 4.5)
    return image


@posix
def test_a_call_without_an_answer_is_tried_again(tmp_path, tycho, field):
    flag = tmp_path / "flag"
    body = f"if [ ! -e '{flag}' ]; then touch '{flag}'; exit 0; fi\n" + says_solved(answer_file(tmp_path, TRUTH))
    caller = replace(solver(tmp_path, tycho, body), backoff_s=0.01)
    assert isinstance(caller.solve(field), Solution)
    flag.unlink()
    assert isinstance(replace(caller, retries=0).solve(field), NotSolved)
