"""A folder becomes frames and reasons, the same every time."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from fits_files import DATA, SEESTAR, fits_bytes, header_bytes, noise, sentence, unsigned_bytes, write

from zemosaic.errors import InputError
from zemosaic.frames.frame_files import ScanResult, natural_key, scan_folder
from zemosaic.frames.headers import header
from zemosaic.model import FrameStatus


def frame_bytes(second: int = 0, seed: int = 1) -> bytes:
    return unsigned_bytes(noise(seed=seed), SEESTAR.replace("20:54:22", f"20:54:{second:02d}"))


def names(result: ScanResult) -> list[str]:
    return [Path(frame.path).name for frame in result.frames]


def reasons(result: ScanResult) -> dict[str, str]:
    return {Path(item.path).name: item.reason.key for item in result.dropped}


def test_order_and_ids(tmp_path: Path) -> None:
    order = ["a/x_2.fit", "a/x_10.FIT", "b/sub/y.fits", "b/z.fts", "c9/a.fits.gz", "c10/a.fit"]
    for i, name in enumerate(reversed(order)):
        content = frame_bytes(i)
        write(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content)
    write(tmp_path / "notes.txt", b"")
    write(tmp_path / "a/x_2.jpg", b"")
    result = scan_folder(tmp_path)
    assert [os.path.relpath(frame.path, tmp_path).replace(os.sep, "/") for frame in result.frames] == order
    assert [frame.frame_id for frame in result.frames] == list(range(6)) and result.dropped == ()
    assert all(Path(frame.path).is_absolute() for frame in result.frames)
    assert scan_folder(tmp_path) == result


def test_relative_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "in/a.fit", frame_bytes())
    monkeypatch.chdir(tmp_path)
    assert scan_folder(Path("in")).frames[0].path == str(tmp_path / "in" / "a.fit")


def test_what_is_passed_over(tmp_path: Path) -> None:
    for i, name in enumerate(
        ["a.fit", ".hidden/b.fit", "._c.fit", "out/d.fit", "__MACOSX/e.fit", "zemosaic_MT4_R9.fits", "out2/f.fit"]
    ):
        write(tmp_path / name, frame_bytes(i))
    result = scan_folder(tmp_path, exclude=[tmp_path / "out", tmp_path / "missing", tmp_path])
    assert names(result) == ["a.fit", "f.fit"] and result.dropped == ()


def test_unusable_files_are_told(tmp_path: Path) -> None:
    whole = frame_bytes()
    files = {
        "good.fit": whole,
        "empty.fit": b"",
        "text.fit": b"hello",
        "cut.fit": whole[:-2880],
        "cut_header.fit": whole[:1000],
        "header.fit": header_bytes("SIMPLE  = T\nBITPIX  = 8\nNAXIS   = 0"),
        "line.fit": fits_bytes(np.zeros(5000)),
        "cube.fit": fits_bytes(np.zeros((5, 70, 70))),
        "small.fit": fits_bytes(np.zeros((70, 60))),
        "odd.fit": whole.replace(b"BITPIX  =                   16", b"BITPIX  =                   24"),
        "dark.fit": whole.replace(b"'Light   '", b"'Dark    '"),
        "noise.fit.gz": b"\x1f\x8bnoise",
        "copy.fit": whole,
    }
    for name, content in files.items():
        write(tmp_path / name, content)
    result = scan_folder(tmp_path)
    assert reasons(result) == {
        "empty.fit": "reason.empty_file",
        "text.fit": "reason.not_fits",
        "cut.fit": "reason.same_exposure",
        "cut_header.fit": "reason.header_without_end",
        "header.fit": "reason.no_image",
        "line.fit": "reason.wrong_dimensions",
        "cube.fit": "reason.wrong_dimensions",
        "small.fit": "reason.too_small",
        "odd.fit": "reason.bad_bitpix",
        "dark.fit": "reason.not_a_light",
        "noise.fit.gz": "reason.corrupt_compression",
        "good.fit": "reason.duplicate",
    }
    assert names(result) == ["copy.fit"]
    for item in result.dropped:
        readable = item.reason.key in ("reason.not_a_light", "reason.duplicate", "reason.same_exposure")
        status = FrameStatus.REJECTED if readable else FrameStatus.UNREADABLE
        assert (item.frame_id, item.phase, item.status) == (None, "scan", status)
        assert "{" not in sentence(item.reason) + sentence(item.reason, "fr")
    assert [item.path for item in result.dropped] == sorted(item.path for item in result.dropped)


def test_missing_padding_is_no_truncation(tmp_path: Path) -> None:
    raw = noise()
    content = unsigned_bytes(raw, SEESTAR)
    write(tmp_path / "a.fit", content[: len(content) - (-raw.nbytes % 2880)])
    assert names(scan_folder(tmp_path)) == ["a.fit"]


def test_duplicates_name_the_first_and_spare_likely_twins(tmp_path: Path) -> None:
    write(tmp_path / "a/1.fit", frame_bytes(0, seed=1))
    write(tmp_path / "b/1.fit", frame_bytes(0, seed=1))
    # the same header, other pixels: a program that writes no counter
    write(tmp_path / "b/2.fit", frame_bytes(0, seed=2))
    write(tmp_path / "b/3.fit", frame_bytes(0, seed=3))
    write(tmp_path / "c/3.fit", frame_bytes(0, seed=3))
    result = scan_folder(tmp_path)
    assert [frame.path for frame in result.frames] == [str(tmp_path / n) for n in ("a/1.fit", "b/2.fit", "b/3.fit")]
    assert [(item.path, item.reason.params["first"]) for item in result.dropped] == [
        (str(tmp_path / "b/1.fit"), str(tmp_path / "a/1.fit")),
        (str(tmp_path / "c/3.fit"), str(tmp_path / "b/3.fit")),
    ]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/b.fit", frame_bytes(1))
    write(tmp_path / "in/a.fit", frame_bytes(0))
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/up").symlink_to(tmp_path)
    (tmp_path / "in/other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/other2").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/gone.fit").symlink_to(tmp_path / "nowhere.fit")
    result = scan_folder(tmp_path / "in")
    assert names(result) == ["a.fit", "b.fit"] and reasons(result) == {"gone.fit": "reason.vanished"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.fit")
    assert reasons(scan_folder(tmp_path)) == {"a.fit": "reason.not_a_file"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_permissions(tmp_path: Path) -> None:
    write(tmp_path / "a.fit", frame_bytes()).chmod(0)
    write(tmp_path / "closed/b.fit", frame_bytes(1))
    (tmp_path / "closed").chmod(0)
    try:
        assert reasons(scan_folder(tmp_path)) == {"a.fit": "reason.no_permission", "closed": "reason.folder_unreadable"}
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_refused_by_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.fit", frame_bytes())
    write(tmp_path / "closed/b.fit", frame_bytes(1))
    plain_open, plain_scandir = header.regular_file, os.scandir

    def refuse_open(path: Path) -> object:
        if path.name == "a.fit":
            raise PermissionError(13, "Permission denied")
        return plain_open(path)

    def refuse_folder(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return plain_scandir(path)

    monkeypatch.setattr(header, "regular_file", refuse_open)
    monkeypatch.setattr(os, "scandir", refuse_folder)
    result = scan_folder(tmp_path)
    assert reasons(result) == {"a.fit": "reason.no_permission", "closed": "reason.folder_unreadable"}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("missing", "error.input_missing"),
        ("file.txt", "error.input_not_a_folder"),
        ("empty", "error.input_no_fits"),
        ("pictures", "error.input_other_kinds"),
    ],
)
def test_unusable_roots(tmp_path: Path, name: str, key: str) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "file.txt", b"x")
    write(tmp_path / "pictures/a.jpg", b"x")
    with pytest.raises(InputError) as caught:
        scan_folder(tmp_path / name)
    assert caught.value.message.key == key
    for language in ("en", "fr"):
        assert name in sentence(caught.value.message, language)


def test_progress_counts_up_to_the_end(tmp_path: Path) -> None:
    for i in range(5):
        write(tmp_path / f"{i}.fit", frame_bytes(i))
    calls: list[tuple[int, int | None]] = []
    scan_folder(tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls[0] == (5, None) and calls[-1] == (5, 5)


def test_natural_key_is_a_total_order() -> None:
    paths = [Path(p) for p in ("a10", "a9", "A9", "a09", "a", "9", "é1", "a9/b")]
    ordered = sorted(paths, key=natural_key)
    assert sorted([*paths[3:], *paths[:3]], key=natural_key) == ordered
    assert ordered.index(Path("a9")) < ordered.index(Path("a10"))


def test_the_input_folder_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.fit", frame_bytes())
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} | {tmp_path: tmp_path.stat().st_mtime_ns}
    scan_folder(tmp_path)
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} | {tmp_path: tmp_path.stat().st_mtime_ns}


@pytest.mark.slow
def test_speed(tmp_path: Path) -> None:
    content = unsigned_bytes(noise((64, 64)), SEESTAR)
    at = content.index(b"20:54:22.790113")
    for i in range(5000):
        write(tmp_path / f"{i % 10}/{i}.fit", content[:at] + b"20:54:22.%06d" % i + content[at + 15 :])
    start = time.perf_counter()
    assert len(scan_folder(tmp_path).frames) == 5000
    # 50,000 frames in less than a minute
    assert time.perf_counter() - start < 6.0


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_real_folders(tmp_path: Path) -> None:
    counts = {}
    for folder in ("seestar_m94", "mono_hatp32", "headers", "dialects"):
        result = scan_folder(DATA / folder)
        counts[folder] = len(result.frames), len(result.dropped)
    assert counts == {"seestar_m94": (16, 0), "mono_hatp32": (12, 0), "headers": (7, 2), "dialects": (8, 2)}
    shutil.copytree(DATA / "mono_hatp32", tmp_path / "again")
    shutil.copytree(DATA / "mono_hatp32", tmp_path / "once")
    result = scan_folder(tmp_path)
    assert (len(result.frames), len(result.dropped)) == (12, 12)
