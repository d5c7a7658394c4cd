"""What is remembered: never stale, never half, never lost with a killed process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zemosaic.model import FrameRef, MeasuredFrame, StarList, Trail
from zemosaic.store.codec import from_bytes, to_bytes
from zemosaic.store.journal import Journal, digest

FRAME = FrameRef(
    frame_id=3,
    path="a.fit",
    size_bytes=1,
    mtime_ns=2,
    hdu=0,
    width=10,
    height=20,
    planes=1,
    colour_axis=None,
    bayer="GRBG",
    compressed=False,
    exposure_s=None,
    date_obs=None,
    instrument="",
    telescope="",
    filter_name="",
    object_name="",
    gain=None,
    temperature_c=None,
    binning=1,
    ra_deg=None,
    dec_deg=None,
    scale_arcsec=None,
    header_wcs=None,
)


def test_an_entry_is_recalled_only_for_its_digest(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite")
    assert journal.get("frame", "1", "abc") is None
    journal.put("frame", "1", "abc", b"\x00pixels")
    assert journal.get("frame", "1", "abc") == b"\x00pixels"
    assert journal.get("frame", "1", "abd") is None
    assert journal.get("tile", "1", "abc") is None
    journal.put("frame", "1", "abd", b"")
    assert journal.get("frame", "1", "abd") == b""
    assert journal.get("frame", "1", "abc") is None, "an entry replaces its stale one"
    journal.close()


def test_entries_outlive_a_killed_process(tmp_path):
    path = tmp_path / "journal.sqlite"
    code = (
        "import os, sys; from pathlib import Path; from zemosaic.store.journal import Journal;"
        "j = Journal(Path(sys.argv[1]));"
        "[j.put('tile', str(k), 'd', bytes([k]) * 5000) for k in range(50)];"
        "os.kill(os.getpid(), 9) if os.name == 'posix' else os._exit(1)"
    )
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, check=False)
    assert ended.returncode != 0
    journal = Journal(path)
    assert [journal.get("tile", str(k), "d") for k in range(50)] == [bytes([k]) * 5000 for k in range(50)]
    journal.close()


def test_a_journal_of_another_version_is_begun_anew(tmp_path, monkeypatch):
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.put("frame", "1", "d", b"old")
    journal.close()
    monkeypatch.setattr("zemosaic.store.journal.SCHEMA_VERSION", 999)
    journal = Journal(path)
    assert journal.get("frame", "1", "d") is None
    journal.put("frame", "1", "d", b"new")
    journal.close()
    journal = Journal(path)
    assert journal.get("frame", "1", "d") == b"new"
    journal.close()


def test_digest_tells_values_apart_and_nothing_else():
    assert digest("a", 1, {"x": 2.5, "y": None}) == digest("a", 1, {"y": None, "x": 2.5})
    different = [
        digest("a", "b"),
        digest("ab"),
        digest(["a", "b"]),
        digest("a", "b", None),
        digest("a", "b", 0),
        digest("a", "b", False),
        digest("a", "b", 0.1),
        digest("a", "b", 0.1 + 1e-16 * 2),
    ]
    assert len(set(different)) == len(different)


def test_digest_refuses_what_it_cannot_tell_apart():
    """The text of a large array leaves its middle out: two arrays would share one digest."""
    with pytest.raises(TypeError):
        digest(np.zeros(5000))
    assert digest(np.float32(0.5), np.int64(3)) == digest(0.5, 3)


@given(n=st.integers(0, 20), channels=st.sampled_from([1, 3]), seed=st.integers(0, 1000), blind=st.booleans())
@settings(max_examples=30)
def test_measured_frames_survive_as_bytes(n, channels, seed, blind):
    rng = np.random.default_rng(seed)
    stars = StarList(
        rng.uniform(0, 9, n),
        rng.uniform(0, 9, n),
        rng.normal(0, 1e5, (n, channels)).astype(np.float32),
        rng.normal(0, 10, (n, channels)).astype(np.float32),
        rng.uniform(1, 9, n).astype(np.float32),
        rng.random(n) < 0.5,
    )
    nan = float("nan")
    shape = (nan, nan, nan) if blind else tuple(float(v) for v in rng.normal(0, 1, 3))
    sky, noise = (tuple(float(v) for v in rng.normal(1000, 10, channels)) for _ in range(2))
    trails = tuple(Trail(*rng.normal(0, 1, 6).tolist()) for _ in range(n % 3))
    extra = {"sharpness": shape[0], "gradient_adu": float(rng.normal()), "snr": shape[1], "trails": trails}
    measured = MeasuredFrame(FRAME, stars, sky, noise, *shape, **extra)
    data = to_bytes(measured, ("frame",))
    again = from_bytes(MeasuredFrame, data, frame=FRAME)
    assert again.sky_adu == sky and again.noise_adu == noise and again.frame is FRAME
    np.testing.assert_array_equal([again.fwhm_px, again.eccentricity, again.position_angle_deg], shape)
    for name, value in extra.items():
        np.testing.assert_equal(getattr(again, name), value)
    for name in ("x_px", "y_px", "flux_adu", "flux_error_adu", "fwhm_px", "saturated"):
        ours, theirs = getattr(stars, name), getattr(again.stars, name)
        assert ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes() and ours.shape == theirs.shape
    assert data == to_bytes(again, ("frame",)), "the same frame, the same bytes"


def test_pickles_are_not_opened(tmp_path):
    import io

    stream = io.BytesIO()
    np.savez(stream, meta=np.array([{"evil": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        from_bytes(MeasuredFrame, stream.getvalue(), frame=FRAME)


def test_no_memory_is_shared_so_that_network_drives_do(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite")
    journal.put("frame", "a", "1", b"x")
    assert not list(tmp_path.glob("*-shm"))
    journal.close()
