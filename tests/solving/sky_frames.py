"""Small raw frames of catalogue stars with a known WCS, and the phases up to solving run on them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from star_lists import Sky, make_sky, true_wcs

from zemosaic.catalogue import Catalogue
from zemosaic.compute.budget import make_budget
from zemosaic.compute.executors import SerialExecutor
from zemosaic.compute.machine_resources import ResourceMonitor
from zemosaic.events import Event
from zemosaic.model import MeasuredFrame, SolvedFrame
from zemosaic.phases.context import RunContext, make_context
from zemosaic.phases.measure import DetectorCalibrations, measure_frames
from zemosaic.phases.placement.available_solvers import check_solver_paths
from zemosaic.phases.run.workers import Workers
from zemosaic.phases.scan import scan
from zemosaic.phases.solve import solve_frames
from zemosaic.settings.schema import Settings
from zemosaic.store.journal import Journal
from zemosaic.wcs import FrameWcs

SIZE = (900, 1100)
SCALE = 2.39


def pictured(sky: Sky, wcs: FrameWcs, seed: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint16]:
    """Return a mono frame of the stars, 5 pixels wide, on a noisy sky."""
    rng = np.random.default_rng(seed)
    image = rng.normal(1000.0, 12.0, size[::-1])
    x, y = wcs.sky_to_pixel(sky.ra, sky.dec)
    flux = 4e4 * 10.0 ** (-0.4 * (sky.mag - 10.0))
    for cx, cy, light in zip(x, y, flux, strict=True):
        if not (0 < cx < size[0] and 0 < cy < size[1]):
            continue
        x0, y0 = max(int(cx) - 8, 0), max(int(cy) - 8, 0)
        rows, columns = np.mgrid[y0 : min(y0 + 17, size[1]), x0 : min(x0 + 17, size[0])]
        image[rows, columns] += light / 25.0 * np.exp(-((rows - cy) ** 2 + (columns - cx) ** 2) / 8.0)
    return np.clip(image, 0.0, 65535.0).astype(np.uint16)


@dataclass
class Survey:
    """Frames of one field, dithered, one every 12 seconds."""

    catalogue: Catalogue
    folder: Path
    ra: float
    dec: float
    truth: dict[str, FrameWcs] = field(default_factory=dict)

    def add(self, count: int, east_deg: float = 0.0, optics: bool = True, **cards: object) -> None:
        """Write frames `east_deg` off the field's centre; cards overrule the hint, None leaves a card out."""
        local = FrameWcs(self.ra, self.dec, 0.0, 0.0, ((1.0, 0.0), (0.0, 1.0)))
        sky = make_sky(self.catalogue, self.ra, self.dec, 1.6, 5, strangers_per_deg2=0.0)
        self.folder.mkdir(exist_ok=True)
        for _ in range(count):
            number = len(self.truth)
            rng = np.random.default_rng(number)
            ra, dec = (float(v) for v in local.pixel_to_sky(east_deg + rng.normal(0, 0.01), rng.normal(0, 0.01)))
            wcs = true_wcs(ra, dec, 12.0 + number, False, SCALE, SIZE, 0.5)
            header = {"RA": ra + 0.02, "DEC": dec - 0.02, "EXPTIME": 10.0, "INSTRUME": "Test camera"}
            header |= {"FOCALLEN": 250.0, "XPIXSZ": SCALE * 250.0 / 206.264806} if optics else {}
            header |= {"DATE-OBS": f"2025-08-12T21:{number // 5:02d}:{number % 5 * 12:02d}"} | cards
            kept = fits.Header([(key, value) for key, value in header.items() if value is not None])
            path = self.folder / f"light_{number:03d}.fit"
            fits.PrimaryHDU(pictured(sky, wcs, number), kept).writeto(path)
            self.truth[path.name] = wcs

    def add_clouds(self) -> None:
        """Write a frame without stars."""
        number = len(self.truth)
        noise = np.random.default_rng(number).normal(1000.0, 12.0, SIZE[::-1]).astype(np.uint16)
        header = fits.Header([("INSTRUME", "Test camera"), ("DATE-OBS", "2025-08-12T21:59:00"), ("EXPTIME", 10.0)])
        fits.PrimaryHDU(noise, header).writeto(self.folder / f"light_{number:03d}.fit")


@dataclass
class Solved:
    """What the phases found and told."""

    frames: list[SolvedFrame]
    events: list[Event]
    context: RunContext
    measured: list[MeasuredFrame]
    defects: DetectorCalibrations

    @property
    def how(self) -> list[str]:
        return [frame.solution.how for frame in self.frames]

    def told(self, kind: type) -> list[str]:
        """Return the keys of `Warned` or `Logged` events."""
        return [event.text.key for event in self.events if isinstance(event, kind)]


@contextmanager
def solved(frames: Path, **settings: object) -> Iterator[Solved]:
    """Run the phases up to solving."""
    events: list[Event] = []
    values = {"solver": "embedded"} | settings
    with tempfile.TemporaryDirectory() as folder, ResourceMonitor(5.0) as monitor:
        context = make_context(
            settings=Settings(input_dir=str(frames), output_dir=folder, **values),
            emit=events.append,
            workers=Workers(SerialExecutor(), make_budget(0.0, 1), lambda: False, Path(folder)),
            journal=Journal(Path(folder) / "journal.sqlite"),
            monitor=monitor,
        )
        try:
            check_solver_paths(context.settings, context.reporter)
            measured, defects = measure_frames(context, scan(context))
            yield Solved(solve_frames(context, measured, defects), events, context, measured, defects)
        finally:
            context.folder.journal.close()


def offsets_px(found: Sequence[SolvedFrame], truth: dict[str, FrameWcs]) -> list[float]:
    """Return how far off each solution is in the worst corner."""
    worst = []
    for item in found:
        width, height = item.frame.width, item.frame.height
        x, y = np.array([0.0, width, width, 0.0]), np.array([0.0, 0.0, height, height])
        there = truth[Path(item.frame.path).name].sky_to_pixel(*item.wcs.pixel_to_sky(x, y))
        worst.append(float(np.hypot(there[0] - x, there[1] - y).max()))
    return worst
