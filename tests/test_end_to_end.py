"""Whole runs of the program on a small survey: raw frames in, files of a mosaic out.

The frames are five of the demo's: two pointings, real catalogue stars.  Runs go through
`zemosaic.worker.start` where events are looked at, and through the program where its user would.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from astropy.io import fits
from waiting import PATIENCE_S, wait_until

from zemosaic import worker
from zemosaic.errors import InputError, NothingUsable, OutputError, RunCancelled, SettingsError, WorkerDied
from zemosaic.events import (
    Event,
    FrameDropped,
    FrameMeasured,
    Logged,
    PhaseFinished,
    PhaseStarted,
    PreparationFinished,
    PreviewReady,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    TileStacked,
    Watching,
)
from zemosaic.events import RunCancelled as RunCancelledEvent
from zemosaic.gui.presenter.unattended import growing_folder
from zemosaic.gui.presenter.unattended.start_watch import start_watch
from zemosaic.i18n import Translator
from zemosaic.settings.schema import Settings
from zemosaic.store.work_folder import WORK_NAME

SHOTS = (0, 1, 2, 18, 19)
PIXEL_FILES = (".fits", "_coverage.fits", "_weight.fits", "_sigma.fits", "_preview.png")
STOP_S = 5.0
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX systems")


def settings_for(frames: Path, output: Path, **changes: object) -> Settings:
    """Return settings of a headless run that depends on nothing installed beside the program."""
    values = {"solver": "embedded", "num_processing_workers": 1, "language": "en"} | changes
    return Settings(input_dir=str(frames), output_dir=str(output), **values)


def run_to_end(settings: Settings, after: type | None = None, act=None, until=None, pictures=True) -> list[Event]:
    """Return all events of a run; `act(run)` is called once when the first event of type `after` comes."""
    run = worker.start(settings, until, pictures)
    seen: list[Event] = []
    try:
        for event in run.events():
            seen.append(event)
            if after is not None and isinstance(event, after):
                after = None
                act(run)
    finally:
        run.close()
    return seen


def mosaic_files(output: Path) -> dict[str, str]:
    """Return the digests of the files with pixels."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in output.iterdir()
        if path.name.endswith(PIXEL_FILES)
    }


def inventory(folder: Path) -> dict[str, tuple[int, str]]:
    """Return time stamp and digest of every file below a folder."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def report(output: Path) -> dict:
    """Return run_report.json."""
    return json.loads((output / "run_report.json").read_text(encoding="utf-8"))


def sentence(event: RunFailed) -> str:
    """Return what the user is told."""
    return Translator("en").message(event.error)


@pytest.fixture(scope="module")
def frames(demo_frames, tmp_path_factory):
    """The folder with the survey's frames; nobody may change it."""
    folder = demo_frames(tmp_path_factory.mktemp("survey"), SHOTS)
    before = inventory(folder)
    yield folder
    assert inventory(folder) == before


@pytest.fixture(scope="module")
def reference(frames, tmp_path_factory):
    """The output folder of an undisturbed run with one worker, and its events."""
    output = tmp_path_factory.mktemp("reference")
    events = run_to_end(settings_for(frames, output))
    assert isinstance(events[-1], RunFinished), events[-1]
    return output, events


def test_the_output_folder_holds_the_promised_files_and_nothing_else(reference):
    output, events = reference
    stem = Path(events[-1].mosaic).stem
    tiles = len(report(output)["tiles"])
    assert stem == f"zemosaic_MT{tiles}_R{len(SHOTS)}"
    wanted = {stem + end for end in PIXEL_FILES} | {
        f"{stem}_picture.jpg",
        "run_report.json",
        "run_report.html",
        "zemosaic_worker.log",
    }
    assert {path.name for path in output.iterdir()} == wanted


def test_the_mosaic_opens_everywhere_and_agrees_with_its_report(reference):
    output, _ = reference
    told = report(output)
    with fits.open(output / told["mosaic"]) as hdus:
        hdus.verify("exception")
        header, shape = hdus[0].header, hdus[0].data.shape
        assert hdus[0].data.dtype == ">f4"
    assert shape == (3, told["height"], told["width"])
    assert (header["BSCALE"], header["BZERO"], header["BITPIX"]) == (1, 0, -32)
    assert all(frame["status"] == "used" and frame["weight"] > 0 for frame in told["frames"])
    coverage = fits.getdata(output / told["mosaic"].replace(".fits", "_coverage.fits"))
    assert 3 <= coverage.max() <= len(SHOTS)


def test_events_tell_every_phase_from_begin_to_end(reference):
    _, events = reference
    begun = [event.phase for event in events if isinstance(event, PhaseStarted)]
    ended = [event.phase for event in events if isinstance(event, PhaseFinished)]
    assert begun == ended == ["scan", "measure", "solve", "calibrate", "plan", "stack", "assemble", "export"]
    assert [type(event) for event in events].count(RunFinished) == 1


def test_two_workers_and_a_second_run_give_the_same_bytes(frames, reference, tmp_path):
    events = run_to_end(settings_for(frames, tmp_path, num_processing_workers=2), pictures=False)
    assert isinstance(events[-1], RunFinished), events[-1]
    assert mosaic_files(tmp_path) == mosaic_files(reference[0])
    shown = [[event.final for event in one if isinstance(event, PreviewReady)] for one in (events, reference[1])]
    assert shown[0] == [True] and False in shown[1], "pictures while it grows are only for those who look"


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_bytes_and_one_that_is_gone_costs_nothing(frames, reference, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        events = run_to_end(settings_for(frames, tmp_path, dask_scheduler=address, keep_work_files=True))
    assert isinstance(events[-1], RunFinished), events[-1]
    assert mosaic_files(tmp_path) == mosaic_files(reference[0])
    told = run_to_end(settings_for(frames, tmp_path, dask_scheduler=address))[-1]
    assert isinstance(told, RunFailed)
    assert (told.error.key, told.exit_code) == ("error.cluster_unreachable", SettingsError.exit_code)
    assert (tmp_path / WORK_NAME / "journal.sqlite").exists(), "what was learnt is kept"


@pytest.mark.slow
def test_a_second_run_lies_on_the_grid_of_the_first_and_packs_its_files(frames, tmp_path):
    grid = {"global_wcs_output_path": str(tmp_path / "grid"), "grid_tile_px": 1024}
    wanted = {"global_wcs_pixelscale_arcsec": 6.0, "global_wcs_projection": "ZEA"}
    packed = {"save_final_as_uint16": True, "save_compressed_fits": True, "save_stretched": "tiff"}
    part = tmp_path / "part"
    part.mkdir()
    for path in sorted(frames.iterdir())[:3]:
        shutil.copy(path, part)
    headers = []
    for folder, name, changes in ((frames, "a", wanted), (part, "b", packed)):
        events = run_to_end(settings_for(folder, tmp_path / name, **grid, **changes))
        assert isinstance(events[-1], RunFinished), events[-1]
        with fits.open(events[-1].mosaic) as hdus:
            headers.append(hdus[-1].header.copy())
    same = ("NAXIS1", "NAXIS2", "CTYPE1", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CDELT1", "CDELT2", "PC1_2")
    assert [headers[1][key] for key in same] == [headers[0][key] for key in same]
    assert headers[0]["CTYPE1"] == "RA---ZEA" and headers[0]["CDELT2"] * 3600 == pytest.approx(6.0)
    assert {path.suffix for path in (tmp_path / "b").iterdir()} >= {".fz", ".tif"}


@pytest.mark.slow
def test_mono_frames_among_colour_ones_are_used(frames, tmp_path):
    lights = tmp_path / "lights"
    shutil.copytree(frames, lights)
    with fits.open(sorted(lights.iterdir())[1], mode="update") as hdus:
        del hdus[0].header["BAYERPAT"]
    events = run_to_end(settings_for(lights, tmp_path / "out"))
    assert isinstance(events[-1], RunFinished), events[-1]
    assert events[-1].frames_used == len(SHOTS)


def test_a_run_killed_and_then_stopped_in_time_is_gone_on_with_to_the_same_bytes(frames, reference, tmp_path):
    settings = settings_for(frames, tmp_path)
    asked = []

    def stop(run):
        asked.append(time.monotonic())
        run.cancel()

    events = run_to_end(settings, TileStacked, lambda run: os.kill(run.pid, signal.SIGKILL))
    assert isinstance(events[-1], RunFailed)
    assert (events[-1].error.key, events[-1].exit_code) == ("error.worker_died", WorkerDied.exit_code)
    events = run_to_end(settings, TileStacked, stop)
    assert time.monotonic() - asked[0] < 3 * STOP_S, "the promised time, and room for a busy machine"
    assert isinstance(events[-1], RunCancelledEvent)
    assert not mosaic_files(tmp_path)
    events = run_to_end(settings)
    assert isinstance(events[-1], RunFinished), events[-1]
    tiles = len(report(tmp_path)["tiles"])
    assert sum(isinstance(event, TileStacked) for event in events) < tiles, "finished tiles are not made again"
    assert mosaic_files(tmp_path) == mosaic_files(reference[0])
    assert not (tmp_path / WORK_NAME).exists()


@posix_only
def test_a_paused_run_holds_and_goes_on_to_the_same_bytes(frames, reference, tmp_path):
    run = worker.start(settings_for(frames, tmp_path, num_processing_workers=2))
    seen: list[Event] = []
    began, held = time.monotonic(), 0.0
    try:
        for event in run.events():
            if isinstance(event, TileStacked) and not any(isinstance(known, TileStacked) for known in seen):
                run.pause()
            seen.append(event)
            if isinstance(event, RunPaused):
                held = time.monotonic()
                wait_until(lambda: worked_s(run.pid, 1.0) < 0.2)  # the tasks under way come to their end
                held = time.monotonic() - held
                run.resume()
    finally:
        run.close()
    assert isinstance(seen[-1], RunFinished), seen[-1]
    (resumed,) = [event for event in seen if isinstance(event, RunResumed)]
    assert resumed.paused_s > held - 0.1
    assert seen[-1].wall_s < time.monotonic() - began - resumed.paused_s
    assert mosaic_files(tmp_path) == mosaic_files(reference[0])


def worked_s(pid: int, seconds: float) -> float:
    """Return the CPU seconds that a process and its children use in some seconds."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    before = sum(sum(process.cpu_times()[:2]) for process in family)
    time.sleep(seconds)
    return sum(sum(process.cpu_times()[:2]) for process in family) - before


def test_a_run_that_only_prepares_makes_no_mosaic_and_the_next_one_takes_its_work_over(frames, reference, tmp_path):
    told = run_to_end(settings_for(frames, tmp_path), until="solve")
    assert told[0].until == "solve"
    assert [event.phase for event in told if isinstance(event, PhaseFinished)] == ["scan", "measure", "solve"]
    ending = told[-1]
    assert isinstance(ending, PreparationFinished)
    assert (ending.measured, ending.solved, ending.dropped) == (len(SHOTS), len(SHOTS), 0)
    assert {path.name for path in tmp_path.iterdir()} == {".zemosaic_work", "zemosaic_worker.log"}
    full = run_to_end(settings_for(frames, tmp_path))
    assert mosaic_files(tmp_path) == mosaic_files(reference[0])
    assert any(isinstance(event, Logged) and event.text.key == "log.solved_before" for event in full)
    taken = {event.phase: event.cpu_s for event in full if isinstance(event, PhaseFinished)}
    before = {event.phase: event.cpu_s for event in told if isinstance(event, PhaseFinished)}
    assert taken["measure"] < 0.7 * before["measure"], "the frames were measured again"


def test_a_watched_folder_gives_the_bytes_of_a_plain_run(frames, reference, tmp_path, monkeypatch):
    monkeypatch.setattr(growing_folder, "SETTLED_S", 0.3)
    monkeypatch.setattr(growing_folder, "LOOK_S", 0.1)
    growing, waiting = tmp_path / "frames", sorted(frames.iterdir())
    growing.mkdir()
    half = growing / waiting[-1].name

    def arrive(count: int) -> None:
        for path in [waiting.pop(0) for _ in range(count)]:
            shutil.copy2(path, growing)

    arrive(3)
    half.write_bytes(waiting[-1].read_bytes()[:100_000])
    writing = threading.Event()

    def write_on() -> None:
        """Let the last file grow, as a telescope writes it over a slow network, until it is wanted."""
        while not writing.wait(0.05):
            with half.open("ab") as file:
                file.write(b"x")

    writer = threading.Thread(target=write_on)
    writer.start()
    settings = settings_for(growing, tmp_path / "out")
    run, seen = start_watch(settings, worker.start), []
    try:
        while run.alive:
            seen += run.poll()
            prepared = sum(isinstance(event, PhaseFinished) and event.phase == "plan" for event in seen)
            if prepared == 1 and len(waiting) == 2:
                arrive(1)
                writing.set()
                writer.join()
                shutil.copy2(waiting.pop(0), growing)
            looks = [event for event in seen if isinstance(event, Watching)]
            if prepared >= 2 and looks[-1] == Watching(len(SHOTS), 0, 0):
                run.finish()
            time.sleep(0.01)
    finally:
        writing.set()
        run.close()
    assert isinstance(seen[-1], RunFinished), seen[-1]
    assert not any(isinstance(event, FrameDropped) for event in seen), "what was half written was left alone"
    measured = [event.path for event in seen if isinstance(event, FrameMeasured)]
    assert {Path(path).name for path in measured[:3]} == {path.name for path in sorted(frames.iterdir())[:3]}
    assert any(isinstance(event, PreviewReady) and event.quick_frames for event in seen), "the quick look grew"
    assert any(isinstance(event, Logged) and event.text.key == "log.solved_before" for event in seen)
    assert mosaic_files(tmp_path / "out") == mosaic_files(reference[0])


def test_a_run_whose_process_has_died_can_be_stopped(frames, tmp_path):
    def kill_and_stop(run):
        process = psutil.Process(run.pid)
        process.kill()
        while process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        run.cancel()

    assert isinstance(run_to_end(settings_for(frames, tmp_path), PhaseStarted, kill_and_stop)[-1], RunCancelledEvent)


@posix_only
@pytest.mark.slow
def test_a_killed_helper_process_is_replaced(frames, reference, tmp_path):
    import psutil

    def kill_one(run):
        helpers = [p for p in psutil.Process(run.pid).children() if "spawn_main" in " ".join(p.cmdline())]
        helpers[0].kill()

    events = run_to_end(settings_for(frames, tmp_path, num_processing_workers=2), TileStacked, kill_one)
    assert isinstance(events[-1], RunFinished), events[-1]
    assert mosaic_files(tmp_path) == mosaic_files(reference[0])


@posix_only
@pytest.mark.slow
def test_ctrl_c_stops_the_program_in_time_with_a_hint(frames, tmp_path, zemosaic):
    argv = zemosaic.command("--input_dir", frames, "--output_dir", tmp_path, "--log-json", "--solver", "embedded")
    with subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0) as program:
        for line in program.stdout:
            if json.loads(line)["event"] == "TileStacked":
                break
        began = time.monotonic()
        os.killpg(program.pid, signal.SIGINT)
        _, errors = program.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - began < 3 * STOP_S
    assert program.returncode == RunCancelled.exit_code
    assert "Traceback" not in errors
    assert Translator("en").text("cli.stopped") in errors


def spoil(folder: Path, good: Path) -> dict[str, str]:
    """Add files that are no good frames to a folder; returns the expected reason of each by file name."""
    whole = good.read_bytes()
    (folder / "truncated.fit").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.fit").touch()
    (folder / "garbage.fits").write_bytes(b"\x00\xff not a picture" * 4000)
    (folder / "headless.fts").write_bytes(whole[:2000])
    (folder / "twin.fit").write_bytes(whole)
    (folder / "notes.txt").write_text("no frame, and none of our business")
    dark = fits.open(good)
    dark[0].header["IMAGETYP"] = "Dark"
    dark.writeto(folder / "dark.fit")
    dark[0].header["IMAGETYP"] = "Light"
    dark[0].header["DATE-OBS"] = "2025-08-20T23:59:59"
    dark[0].data[:] = 600
    dark.writeto(folder / "blank.fit")
    dark.close()
    expected = {
        "truncated.fit": "reason.same_exposure",
        "empty.fit": "reason.empty_file",
        "garbage.fits": "reason.not_fits",
        "headless.fts": "reason.header_without_end",
        "twin.fit": "reason.duplicate",
        "dark.fit": "reason.not_a_light",
        "blank.fit": "reason.one_value",
    }
    if hasattr(os, "symlink") and sys.platform != "win32":
        (folder / "gone.fit").symlink_to(folder / "nowhere.fit")
        expected["gone.fit"] = "reason.vanished"
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        (folder / "locked.fit").write_bytes(whole)
        (folder / "locked.fit").chmod(0)
        expected["locked.fit"] = "reason.no_permission"
    return expected


def test_bad_files_among_good_ones_are_named_with_their_reasons(frames, tmp_path, zemosaic):
    lights, output = tmp_path / "lights", tmp_path / "out"
    shutil.copytree(frames, lights)
    expected = spoil(lights, next(iter(sorted(frames.iterdir()))))
    if sys.platform == "linux":
        name_that_is_no_text = os.fsdecode(b"caf\xe9.fit")
        (lights / sorted(frames.iterdir())[1].name).rename(lights / name_that_is_no_text)
    done = zemosaic("--input_dir", lights, "--output_dir", output, "--num_processing_workers", 1, "--log-json")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    told = {Path(one["path"]).name: one for one in report(output)["frames"] if one["status"] != "used"}
    assert {name: one["reason"]["key"] for name, one in told.items()} == expected
    assert all(item["reason"]["text"] and "{" not in item["reason"]["text"] for item in told.values())
    assert sum(one["status"] == "used" for one in report(output)["frames"]) == len(SHOTS)
    page = (output / "run_report.html").read_text(encoding="utf-8")
    assert all(name in page for name in expected)
    dropped = [json.loads(line) for line in done.stdout.splitlines() if '"FrameDropped"' in line]
    assert {Path(drop["path"]).name for drop in dropped} == set(expected)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the collection of odd files is not there")
def test_the_oddest_files_there_are_lose_only_themselves(frames, tmp_path):
    lights = tmp_path / "lights"
    shutil.copytree(frames, lights)
    for name in ("odd_astropy", "odd_cfitsio", "odd_nomtam"):
        shutil.copytree(DATA / name, lights / name)
    events = run_to_end(settings_for(lights, tmp_path / "out"))
    assert isinstance(events[-1], RunFinished), events[-1]
    told = report(tmp_path / "out")["frames"]
    assert sum(item["status"] == "used" for item in told) >= len(SHOTS)
    assert all(item["reason"]["text"] for item in told if item["status"] != "used")


def nothing(folder: Path) -> Path:
    return folder / "missing"


def no_fits(folder: Path) -> Path:
    (folder / "notes.txt").write_text("clear sky", encoding="utf-8")
    return folder


def other_pictures(folder: Path) -> Path:
    (folder / "holiday.jpg").write_bytes(b"\xff\xd8")
    return folder


def only_garbage(folder: Path) -> Path:
    (folder / "a.fit").touch()
    (folder / "b.fit").write_bytes(b"SIMPLE  =                    T")
    return folder


@pytest.mark.parametrize(
    ("make", "key", "code"),
    [
        (nothing, "error.input_missing", InputError.exit_code),
        (no_fits, "error.input_no_fits", InputError.exit_code),
        (other_pictures, "error.input_other_kinds", InputError.exit_code),
    ],
)
def test_input_without_frames_ends_with_a_clear_message(make, key, code, tmp_path):
    (tmp_path / "in").mkdir()
    events = run_to_end(settings_for(make(tmp_path / "in"), tmp_path / "out"))
    assert isinstance(events[-1], RunFailed)
    assert (events[-1].error.key, events[-1].exit_code) == (key, code)
    assert "{" not in sentence(events[-1])
    assert not (tmp_path / "out").exists(), "a start in vain leaves nothing"
    (tmp_path / "new").mkdir()
    run_to_end(settings_for(tmp_path / "in", tmp_path / "new"))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["zemosaic_worker.log"]


def test_a_folder_of_garbage_gets_a_report_and_no_traceback(tmp_path, zemosaic):
    only_garbage(tmp_path)
    done = zemosaic("--input_dir", tmp_path, "--output_dir", tmp_path / "out")
    assert done.returncode == NothingUsable.exit_code
    assert "Traceback" not in done.stderr + done.stdout
    assert Translator("en").text("error.no_usable_frames", folder=str(tmp_path), dropped=2) in done.stderr
    assert {one["reason"]["key"] for one in report(tmp_path / "out")["frames"]} == {
        "reason.empty_file",
        "reason.header_without_end",
    }
    page = (tmp_path / "out" / "run_report.html").read_text(encoding="utf-8")
    assert "There is no mosaic" in page[page.index("<h1") : page.index("</h1>")]


def test_the_output_may_not_be_the_input(frames, monkeypatch):
    monkeypatch.chdir(frames.parent)
    events = run_to_end(settings_for(frames, Path("frames") / ".." / "frames"))
    assert isinstance(events[-1], RunFailed)
    assert (events[-1].error.key, events[-1].exit_code) == ("error.output_is_input", SettingsError.exit_code)


def test_an_output_that_is_a_file_is_told(frames, tmp_path):
    (tmp_path / "out").write_text("in the way")
    events = run_to_end(settings_for(frames, tmp_path / "out"))
    assert isinstance(events[-1], RunFailed)
    assert (events[-1].error.key, events[-1].exit_code) == ("error.output_unwritable", OutputError.exit_code)


def test_a_second_run_into_the_same_folder_is_refused(frames, tmp_path):
    refused = []

    def second(run):
        refused.extend(run_to_end(settings_for(frames, tmp_path)))
        run.cancel()

    run_to_end(settings_for(frames, tmp_path), PhaseStarted, second)
    assert isinstance(refused[-1], RunFailed)
    assert (refused[-1].error.key, refused[-1].exit_code) == ("error.output_busy", OutputError.exit_code)


@pytest.fixture(scope="module")
def classic(frames, tmp_path_factory):
    """The output folder of a run of Classic mode that keeps its master tiles and lists its frames, and its events."""
    output = tmp_path_factory.mktemp("classic")
    kept = {
        "mosaic_mode": "classic", "save_master_tiles": True, "save_frames_csv": True, "num_processing_workers": 2
    }  # fmt: skip
    return output, run_to_end(settings_for(frames, output, **kept))


def test_classic_mode_makes_master_tiles_and_both_assemblies_agree(frames, reference, classic, tmp_path):
    output, told = classic
    other = run_to_end(
        settings_for(
            frames,
            tmp_path / "two",
            mosaic_mode="classic",
            final_assembly_method="reproject_coadd",
            coadd_use_memmap=True,
            coadd_memmap_dir=str(tmp_path / "sums"),
            coadd_cleanup_memmap=False,
        )
    )
    assert isinstance(told[-1], RunFinished) and isinstance(other[-1], RunFinished), (told[-1], other[-1])
    one, two, grid = (fits.getdata(events[-1].mosaic) for events in (told, other, reference[1]))
    assert one.shape == two.shape == grid.shape
    made = report(output)
    noise = min(frame["metrics"]["noise_adu"][1] for frame in made["frames"])
    both = (one != 0) & (two != 0)
    assert np.abs(one - two)[both].max() < 0.02 * noise
    assert np.mean((one[0] != 0) == (two[0] != 0)) > 0.999
    assert np.median(np.abs(one - grid)[both & (grid != 0)]) < 0.5 * noise
    assert any((tmp_path / "sums").iterdir()), "the sums were to be kept"
    assert {frame["status"] for frame in made["frames"]} == {"used"}
    assert sum(tile["frames_used"] for tile in made["tiles"]) == len(SHOTS), "no frame counts twice"
    tiles = sorted(path.name for path in (output / "master_tiles").iterdir())
    assert len(tiles) == 3 * len(made["tiles"])


def test_the_list_of_frames_is_written_on_request(classic):
    output, events = classic
    assert isinstance(events[-1], RunFinished), events[-1]
    assert len((output / "zemosaic_frames.csv").read_text(encoding="utf-8").splitlines()) == len(SHOTS) + 1


def test_master_tiles_made_earlier_become_a_mosaic(classic, tmp_path):
    output, first = classic
    assert isinstance(first[-1], RunFinished), first[-1]
    folder = output / "master_tiles"
    before = inventory(folder)
    events = run_to_end(settings_for(folder, tmp_path / "out", use_existing_master_tiles=True))
    assert isinstance(events[-1], RunFinished), events[-1]
    assert inventory(folder) == before
    again, whole = fits.getdata(events[-1].mosaic), fits.getdata(first[-1].mosaic)
    assert 0.1 < (again != 0).mean() == pytest.approx((whole != 0).mean(), abs=0.02)
    assert events[-1].frames_used == len(report(output)["tiles"])
    reasons = {frame["status"] for frame in report(tmp_path / "out")["frames"] if "_weight" in frame["path"]}
    assert "used" not in reasons, "a map of weights is no picture"
    if program := shutil.which("fitsverify"):
        for path in sorted(folder.iterdir()):
            told = subprocess.run([program, str(path)], capture_output=True, text=True, check=False).stdout
            assert "found 0 warning(s) and 0 error(s)" in told, told
