"""Speed of rejection and resampling, beside the obvious ways of doing the same.

usage: python -m benchmarks.kernels

CPU time of one core, best of several, all in one run, so that ratios hold on a busy machine too.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.stats import sigma_clip
from astropy.wcs import WCS
from numpy.typing import NDArray

from benchmarks.swarp import swarp_ms
from benchmarks.synthetic import CANVAS, HEIGHT, WIDTH, astropy_wcs, frame
from zemosaic.model import CalibratedFrame
from zemosaic.resampling.interpolation import Interpolation
from zemosaic.resampling.warp import frame_lattice, warp, window_of
from zemosaic.stacking.kernel import stack
from zemosaic.stacking.rules import Rejection, StackRules

FRAMES = (20, 60, 100, 400)
TILE = 528
TURNS = tuple(float(turn) for turn in range(0, 40, 4))
"""Of the frames that are added up, in degrees."""


@dataclass(frozen=True)
class Rate:
    """Millions of samples per second and core."""

    frames: int
    winsorized: float
    kappa_sigma: float
    linear_fit: float
    sorted_: float
    astropy: float


def best_cpu_s(job: Callable[[], object], times: int = 3) -> float:
    """Return the least CPU time of a job that has run once before."""
    job()
    spent = []
    for _ in range(times):
        begin = time.process_time()
        job()
        spent.append(time.process_time() - begin)
    return min(spent)


def sorted_winsorized(cube: NDArray[np.float32]) -> NDArray[np.float32]:
    """Winsorized clipping by sorting every pixel's samples: the way most stackers go, in NumPy."""
    ordered = np.sort(cube, axis=0)
    keep = np.ones(ordered.shape, bool)
    for _ in range(3):
        part = np.where(keep, ordered, np.nan)
        centre = np.nanmedian(part, axis=0)
        scatter = np.nanstd(part, axis=0)
        for _ in range(3):
            inside = np.clip(part, centre - 1.5 * scatter, centre + 1.5 * scatter)
            scatter = 1.134 * np.nanstd(inside, axis=0)
        keep &= np.abs(ordered - centre) <= 3.0 * scatter
    return np.nanmean(np.where(keep, ordered, np.nan), axis=0)


def rejection_rates(frames: int) -> Rate:
    """Time all ways with one depth."""
    rng = np.random.default_rng(0)
    pixels = 1_600_000 // frames // 128 * 128
    cube = rng.normal(100.0, 5.0, (frames, 3, pixels)).astype(np.float32)
    cube[rng.random(cube.shape) < 0.01] += 400.0
    weights, noise = np.ones(frames, np.float32), np.full(3, 5.0, np.float32)
    few = np.ascontiguousarray(cube[:, :, : pixels // 8])

    def rate(job: Callable[[], object], samples: int) -> float:
        return samples / best_cpu_s(job) / 1e6

    def of(rejection: Rejection) -> float:
        return rate(lambda: stack(cube, weights, noise, StackRules(rejection)), cube.size)

    return Rate(
        frames,
        of(Rejection.WINSORIZED),
        of(Rejection.KAPPA_SIGMA),
        of(Rejection.LINEAR_FIT),
        rate(lambda: sorted_winsorized(few), few.size),
        rate(lambda: sigma_clip(few, sigma=3, maxiters=4, axis=0, masked=False), few.size),
    )


def tiles() -> list[tuple[int, int, int, int]]:
    """Return the boxes of the canvas's tiles."""
    side = int(CANVAS.x_ref * 2)
    return [(y, min(y + TILE, side), x, min(x + TILE, side)) for y in range(0, side, 512) for x in range(0, side, 512)]


def warp_ms(interpolation: Interpolation = Interpolation.LANCZOS3, turn_deg: float = 20.0) -> float:
    """Return the CPU time of resampling one raw frame to the tiles of a mosaic, calibrated, in ms."""
    raw, seen = frame(turn_deg)

    def whole() -> None:
        for box in tiles():
            into = np.empty((3, box[1] - box[0], box[3] - box[2]), np.float32)
            _warped(raw, seen, box, into, interpolation)

    return 1e3 * best_cpu_s(whole, 7)


def _warped(
    raw: NDArray[np.uint16],
    seen: CalibratedFrame,
    box: tuple[int, int, int, int],
    into: NDArray[np.float32],
    interpolation: Interpolation,
) -> bool:
    """Fill a box of the canvas with a frame; return whether it reaches it."""
    lattice = frame_lattice(CANVAS, seen.wcs, box)
    window = window_of(lattice, WIDTH, HEIGHT)
    if window is not None:
        part = raw[window[0] : window[1], window[2] : window[3]]
        warp(part, window, seen, lattice, box, into, interpolation)
    return window is not None


def coadd_ms(turns_deg: tuple[float, ...]) -> float:
    """Return the CPU time per frame of resampling and of winsorized coaddition, in ms."""
    frames = [frame(turn) for turn in turns_deg]
    weights, noise = np.ones(len(frames), np.float32), np.full(3, 20.0, np.float32)

    def whole() -> None:
        for box in tiles():
            cube = np.empty((len(frames), 3, box[1] - box[0], box[3] - box[2]), np.float32)
            count = 0
            for raw, seen in frames:
                count += _warped(raw, seen, box, cube[count], Interpolation.LANCZOS3)
            stack(
                cube[:count].reshape(count, 3, cube[0, 0].size),
                weights[:count],
                noise,
                StackRules(Rejection.WINSORIZED),
            )

    return 1e3 * best_cpu_s(whole) / len(frames)


def reproject_ms() -> float | None:
    """Return the CPU time of `reproject_interp` for three planes of such a frame, in ms; None without it."""
    try:
        from reproject import reproject_interp
    except ImportError:
        return None
    raw, seen = frame(20.0)
    side = int(CANVAS.x_ref * 2)
    plane, source, target = raw.astype(np.float32), WCS(astropy_wcs(seen.wcs)), WCS(astropy_wcs(CANVAS))

    def three() -> None:
        for _ in range(3):
            reproject_interp((plane, source), target, shape_out=(side, side), order="bicubic")

    return 1e3 * best_cpu_s(three, 1)


def lines() -> list[str]:
    """Return the tables as Markdown."""
    told = [
        "| Frames | Winsorized | Kappa-sigma | Linear fit | Sort per pixel | `astropy` sigma_clip | Ratios |",
        "|---|---|---|---|---|---|---|",
    ]
    for frames in FRAMES:
        rate = rejection_rates(frames)
        told.append(
            f"| {frames} | {rate.winsorized:.0f} | {rate.kappa_sigma:.0f} | {rate.linear_fit:.0f} | {rate.sorted_:.1f}"
            f" | {rate.astropy:.1f} | {rate.winsorized / rate.sorted_:.0f} x, {rate.winsorized / rate.astropy:.0f} x |"
        )
    told += ["", "| Resampling one 1080 x 1920 Bayer frame to three channels | CPU ms |", "|---|---|"]
    times = {choice: warp_ms(choice) for choice in Interpolation}
    told += [f"| {choice.value} | {spent:.0f} |" for choice, spent in times.items()]
    other = reproject_ms()
    if other is not None:
        ratio = other / times[Interpolation.LANCZOS3]
        told.append(f"| `reproject_interp`, bicubic, three planes | {other:.0f} ({ratio:.0f} x) |")
    ours, swarp = coadd_ms(TURNS), swarp_ms(TURNS)
    told.append(f"| lanczos3 and winsorized coaddition, {len(TURNS)} frames | {ours:.0f} |")
    if swarp is not None:
        alone, whole = swarp
        told.append(f"| SWarp, LANCZOS3, three planes | {alone:.0f} ({alone / times[Interpolation.LANCZOS3]:.0f} x) |")
        told.append(f"| SWarp, the same and CLIPPED coaddition | {whole:.0f} ({whole / ours:.0f} x) |")
    return told


def main() -> None:
    """Print the tables."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print("\n".join(lines()))


if __name__ == "__main__":
    main()
