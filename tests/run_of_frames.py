"""Records of a run that never was, for the report's tests."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np

from zemosaic.errors import message
from zemosaic.model import (
    CalibratedFrame,
    Dropped,
    FrameRef,
    FrameStatus,
    GridPlan,
    MeasuredFrame,
    MosaicProduct,
    Solution,
    SolvedFrame,
    StarList,
    TileProduct,
    TileSpec,
)
from zemosaic.report.report_records import PhaseTime, RunRecords
from zemosaic.wcs import FrameWcs, from_tangent_plane

SCALE = 2.39 / 3600
FOLDER = "/data/lights"
CANVAS = FrameWcs(314.75, 44.15, 2099.5, 2999.5, ((-SCALE, 0.0), (0.0, SCALE)))


def frame_ref(n: int, begin: datetime, **changes: object) -> FrameRef:
    values: dict[str, object] = {
        "frame_id": n,
        "path": f"{FOLDER}/night/Light_{n:05d}.fit",
        "size_bytes": 4_150_080,
        "mtime_ns": 0,
        "hdu": 0,
        "width": 1080,
        "height": 1920,
        "planes": 1,
        "colour_axis": None,
        "bayer": "GRBG",
        "compressed": False,
        "exposure_s": 10.0,
        "date_obs": begin.isoformat(),
        "instrument": "Seestar S50",
        "telescope": "S50_a",
        "filter_name": "IRCUT",
        "object_name": "NGC 7000",
        "gain": 80.0,
        "temperature_c": None,
        "binning": 1,
        "ra_deg": None,
        "dec_deg": None,
        "scale_arcsec": 2.39,
        "header_wcs": None,
    }
    return FrameRef(**(values | changes))  # type: ignore[arg-type]


def measured_frame(frame: FrameRef, rng: np.random.Generator, fwhm_px: float) -> MeasuredFrame:
    n = int(rng.integers(80, 160))
    none = np.zeros((n, 3), np.float32)
    stars = StarList(np.zeros(n), np.zeros(n), none, none, np.full(n, fwhm_px, np.float32), np.zeros(n, bool))
    sky = float(rng.normal(900, 30))
    return MeasuredFrame(frame, stars, (sky, sky, sky), (20.0, 19.0, 21.0), fwhm_px, float(rng.uniform(0.2, 0.5)), 0.0)


def solved_frame(measured: MeasuredFrame, rng: np.random.Generator, angle_deg: float) -> SolvedFrame:
    n = measured.frame.frame_id
    x, y = (n % 2 - 0.5) * 0.54, (n // 2 % 2 - 0.5) * 0.95
    ra, dec = from_tangent_plane(x + rng.normal(0, 0.01), y + rng.normal(0, 0.01), CANVAS.ra_deg, CANVAS.dec_deg)
    c, s = SCALE * math.cos(math.radians(angle_deg)), SCALE * math.sin(math.radians(angle_deg))
    wcs = FrameWcs(float(ra), float(dec), 539.5, 959.5, ((-c, s), (-s, -c)))
    return SolvedFrame(measured, Solution(wcs, "propagated", 60, 0.3))


def calibrated_frame(solved: SolvedFrame, rng: np.random.Generator) -> CalibratedFrame:
    clear = float(rng.uniform(0.8, 1.05))
    flat = (0.0, 0.0, 0.0)
    return CalibratedFrame(solved, (clear,) * 3, (flat,) * 3, 64.0, (), (20.0,) * 3, clear**2)


def records(count: int = 60, lost_every: int = 7, **changes: object) -> RunRecords:
    """Return the records of a run over two nights in which every n-th frame was lost."""
    rng = np.random.default_rng(1)
    begins = [datetime(2025, 8, 20, 22) + timedelta(days=n // (count // 2), seconds=11 * n) for n in range(count)]
    frames = [frame_ref(n, begin) for n, begin in enumerate(begins)]
    measured = [measured_frame(f, rng, 4.9 if f.frame_id % lost_every == 3 else rng.normal(2.6, 0.2)) for f in frames]
    solved = [solved_frame(m, rng, 0.5 * m.frame.frame_id % 40) for m in measured if m.frame.frame_id % lost_every != 5]
    good = [s for s in solved if s.frame.frame_id % lost_every != 3]
    calibrated = [calibrated_frame(s, rng) for s in good]
    dropped = [lost(m, lost_every) for m in measured if m.frame.frame_id % lost_every in (3, 5)]
    dropped.append(Dropped(f"{FOLDER}/broken.fit", None, "scan", FrameStatus.UNREADABLE, message("reason.empty_file")))
    ids = tuple(c.frame.frame_id for c in calibrated)
    specs = (
        TileSpec(0, (0, 3000, 0, 4200), (0, 3016, 0, 4200), ids),
        TileSpec(1, (3000, 6000, 0, 4200), (2984, 6000, 0, 4200), ids),
    )
    given: dict[str, object] = {
        "frames": frames,
        "measured": measured,
        "solved": solved,
        "calibrated": calibrated,
        "dropped": dropped,
        "plan": GridPlan(CANVAS, 4200, 6000, 3, specs, "NGC 7000"),
        "tiles": [TileProduct(0, ids, 0.012, "exact"), TileProduct(1, ids[1:], 0.008, "exact")],
        "mosaic": MosaicProduct(
            "/out/zemosaic_MT2_R60.fits", "c.fits", "w.fits", "p.png", 4200, 6000, len(ids), 10.0 * len(ids), CANVAS
        ),
        "warnings": [message("warning.test", n=3), message("warning.test", n=3)],
        "timings": [PhaseTime("scan", 0.4, 0.3), PhaseTime("measure", 42.5, 80.2), PhaseTime("stack", 4000.0, 7900.0)],
        "settings": {"solver": "astap", "stacking_kappa_low": 3.0, "resume": "off"},
        "defaults": {"solver": "auto", "stacking_kappa_low": 3.0, "resume": "auto"},
        "versions": {"ZeMosaic": "1.0", "Python": "3.11.2"},
        "peak_rss_bytes": 1_900_000_000,
        "input_dir": FOLDER,
    }
    return RunRecords(**(given | changes))  # type: ignore[arg-type]


def lost(measured: MeasuredFrame, lost_every: int) -> Dropped:
    frame = measured.frame
    if frame.frame_id % lost_every == 3:
        reason = message("reason.test_fwhm", fwhm=11.7 + frame.frame_id / 100, limit=9.9)
        return Dropped(frame.path, frame.frame_id, "calibrate", FrameStatus.REJECTED, reason)
    reason = message("reason.test_unsolved", stars=12)
    return Dropped(frame.path, frame.frame_id, "solve", FrameStatus.UNSOLVED, reason)
