"""Files that cannot be read for a moment are waited for; a pipe in the place of a frame blocks nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from zemosaic.errors import FrameError
from zemosaic.frames import patient_reading
from zemosaic.frames.frame_files import read_frame
from zemosaic.frames.patient_reading import WAITS_S, patiently
from zemosaic.frames.pixels import open_pixels

MOMENTARY = [errno.EIO, errno.ETIMEDOUT, errno.EAGAIN, errno.ESTALE, errno.EDEADLK]


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the waits of a test that are not waited for."""
    waits: list[float] = []
    monkeypatch.setattr(patient_reading.time, "sleep", waits.append)
    return waits


def failing(times: int, code: int) -> Callable[[], str]:
    left = [times]

    def read() -> str:
        if left[0]:
            left[0] -= 1
            raise OSError(code, os.strerror(code))
        return "content"

    return read


@pytest.mark.parametrize("code", MOMENTARY)
def test_what_fails_for_a_moment_is_tried_again(slept: list[float], code: int) -> None:
    assert patiently(failing(len(WAITS_S), code)) == "content"
    assert slept == list(WAITS_S)
    with pytest.raises(OSError, match=os.strerror(code)):
        patiently(failing(len(WAITS_S) + 1, code))


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ENOSPC])
def test_what_waiting_cannot_help_is_told_at_once(slept: list[float], code: int) -> None:
    with pytest.raises(OSError, match=os.strerror(code)):
        patiently(failing(1, code))
    assert not slept


def written(path: Path) -> Path:
    fits.PrimaryHDU(np.arange(96 * 96, dtype=np.uint16).reshape(96, 96)).writeto(path)
    return path


def test_a_file_that_is_empty_until_it_is_fetched_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.fit")
    frame, source = read_frame(path), open_pixels(read_frame(path), None)
    content, times = path.read_bytes(), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    before = source.read_all()
    fetched: list[float] = []

    def fetch(seconds: float) -> None:
        fetched.append(seconds)
        path.write_bytes(content)
        os.utime(path, ns=times)

    monkeypatch.setattr(patient_reading.time, "sleep", fetch)
    path.write_bytes(b"")
    np.testing.assert_array_equal(source.read_all(), before)
    path.write_bytes(b"")
    np.testing.assert_array_equal(open_pixels(frame, None).read_all(), before)
    assert len(fetched) == 2


def test_a_file_that_stays_empty_is_named(tmp_path: Path, slept: list[float]) -> None:
    path = written(tmp_path / "a.fit")
    frame, source = read_frame(path), open_pixels(read_frame(path), None)
    path.write_bytes(b"")
    for read, key in ((source.read_all, "reason.changed"), (lambda: open_pixels(frame, None), "reason.empty_file")):
        with pytest.raises(FrameError) as caught:
            read()
        assert caught.value.reason.key == key


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_the_place_of_a_frame_does_not_block(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fit")
    source = open_pixels(read_frame(path), None)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FrameError) as caught:
        source.read_all()
    assert caught.value.reason.key == "reason.changed"
