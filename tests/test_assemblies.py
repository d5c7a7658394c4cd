"""Both ways to a mosaic, both assemblies: the same bytes however they are run, and what the reproject package says."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from reproject import reproject_interp
from reproject.mosaicking import reproject_and_coadd

from zemosaic import worker
from zemosaic.coadd.master_tile import feather_map, filled
from zemosaic.events import Event, RunFailed, RunFinished, TileStacked
from zemosaic.settings.schema import Settings

SHOTS = (0, 1, 2, 18, 19)
"""Two pointings."""
REGION = "314.5,44.15,0.3,0.4"
"""Where they overlap."""
PIXEL_FILES = (".fits", "_coverage.fits", "_weight.fits", "_sigma.fits")
WAYS = [
    ("classic", "incremental"),
    pytest.param("classic", "reproject_coadd", marks=pytest.mark.slow),
    pytest.param("grid", "reproject_coadd", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def frames(demo_frames, tmp_path_factory):
    return demo_frames(tmp_path_factory.mktemp("survey"), SHOTS)


def run_of(
    frames: Path, output: Path, act: Callable[[worker.Run], None] | None = None, **changes: object
) -> list[Event]:
    """Return the events of a run of the region; `act` is called at the first stacked tile."""
    values = {"solver": "embedded", "num_processing_workers": 1, "region_of_interest": REGION} | changes
    run = worker.start(Settings(input_dir=str(frames), output_dir=str(output), **values))
    seen: list[Event] = []
    try:
        for event in run.events():
            if act is not None and isinstance(event, TileStacked) and not any(isinstance(e, TileStacked) for e in seen):
                act(run)
            seen.append(event)
    finally:
        run.close()
    return seen


def finished(events: list[Event]) -> Path:
    assert isinstance(events[-1], RunFinished), events[-1]
    return Path(events[-1].mosaic)


def digests(output: Path) -> dict[str, str]:
    files = [path for path in output.rglob("*.fits") if path.name.endswith(PIXEL_FILES)]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def made(frames, tmp_path_factory):
    """A function that returns the mosaic of a way, made once with one worker."""
    known: dict[tuple[str, str], Path] = {}

    def mosaic(mode: str, method: str) -> Path:
        if (mode, method) not in known:
            output = tmp_path_factory.mktemp(f"{mode}_{method}")
            known[mode, method] = finished(run_of(frames, output, **settings_of(mode, method)))
        return known[mode, method]

    return mosaic


def settings_of(mode: str, method: str) -> dict[str, object]:
    return {"mosaic_mode": mode, "final_assembly_method": method, "save_master_tiles": mode == "classic"}


@pytest.mark.parametrize(("mode", "method"), WAYS)
def test_workers_and_a_killed_run_change_no_byte(mode, method, frames, made, tmp_path):
    wanted = digests(made(mode, method).parent)
    assert len(wanted) == 4 + (6 if mode == "classic" else 0)
    way = settings_of(mode, method)
    kill = signal.SIGTERM if os.name == "nt" else signal.SIGKILL
    killed = run_of(frames, tmp_path, lambda run: os.kill(run.pid, kill), **way, num_processing_workers=2)
    assert isinstance(killed[-1], RunFailed) and killed[-1].error.key == "error.worker_died"
    finished(run_of(frames, tmp_path, **way, num_processing_workers=4))
    assert digests(tmp_path) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["grid", "classic"])
def test_both_assemblies_agree(mode, made):
    one, two = (fits.getdata(made(mode, method)) for method in ("incremental", "reproject_coadd"))
    told = json.loads((made(mode, "incremental").parent / "run_report.json").read_text(encoding="utf-8"))
    noise = min(min(frame["metrics"]["noise_adu"]) for frame in told["frames"])
    assert ((one == 0) == (two == 0)).mean() > 0.9999
    both = (one != 0) & (two != 0)
    assert both.mean() > 0.9
    assert np.abs(one - two)[both].max() < 0.02 * noise


@pytest.mark.slow
def test_the_reproject_package_called_plainly_on_the_master_tiles_says_the_same(made):
    mosaic = made("classic", "reproject_coadd")
    value, shares, planes = [], [], []
    for path in sorted((mosaic.parent / "master_tiles").glob("*_weight.fits")):
        lit = fits.getdata(path.with_name(path.name.replace("_weight", "_coverage"))) > 0
        tile = fits.getdata(path.with_name(path.name.replace("_weight", "")))
        value.append(filled(np.where(lit, tile, np.nan).astype(np.float32)))
        shares.append(np.asarray(fits.getdata(path), np.float32) * feather_map(lit, "coverage", 0.8))
        planes.append(WCS(fits.getheader(path)).celestial)
    assert len(value) == 2
    y0, y1, x0, x1 = (100, 400, 60, 380)
    there = WCS(fits.getheader(mosaic)).celestial[y0:y1, x0:x1]

    def interpolated(*arguments, **named):
        # Shares linearly, as they must not ring where a tile ends; the package asks for those without a footprint.
        return reproject_interp(
            *arguments, **named, order="bicubic" if named.get("return_footprint", True) else "bilinear"
        )

    for method in ("incremental", "reproject_coadd"):
        ours = fits.getdata(made("classic", method))[:, y0:y1, x0:x1]
        plain, footprint = reproject_and_coadd(
            list(zip(value, planes, strict=True)),
            there,
            shape_out=ours.shape,
            input_weights=[np.broadcast_to(share, tile.shape) for share, tile in zip(shares, value, strict=True)],
            reproject_function=interpolated,
            combine_function="mean",
        )
        inner = (footprint > 0) & (ours != 0)
        assert inner.mean() > 0.99
        assert np.abs(plain / ours - 1.0)[inner].max() < 1e-4
