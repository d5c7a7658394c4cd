"""How the joint sky of all frames grows with their number: CPU time, steps and peak memory on made-up frames.

usage: python -m benchmarks.growth [--frames 160 640 2560 10240 40960]

Each number runs in a process of its own: frames of 150 cells in three colours, dithered and turning over up to 64
pointings that overlap by a quarter, under skies with slopes and a nebula that fills the mosaic.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import LinearOperator

from zemosaic.arrays import Float64s
from zemosaic.calibration import least_squares
from zemosaic.calibration.background import solve_sky
from zemosaic.calibration.background_cells import CellSamples
from zemosaic.calibration.sensor.photon_transfer import BiasEstimate

COLUMNS, ROWS = 10, 15
"""Cells of a frame."""
OVERLAP = 0.25
MAX_SIDE = 8
"""Pointings along a side of the mosaic."""
NOISE_ADU = 12.0
BIAS_ADU, VIGNETTING = 200.0, -0.2


@dataclass(frozen=True)
class Growth:
    """What the solution for a number of frames took."""

    frames: int
    observations: int
    cpu_s: float
    steps: int
    peak_bytes: int
    error_sigma: float
    """Rms of a frame's residuals in units of their errors, median over the frames."""


def made_up_frames(number: int) -> tuple[list[CellSamples], np.ndarray]:
    """Return cells of frames and their transparencies, shape (frames, 3)."""
    rng = np.random.default_rng(3)
    side = max(2, min(MAX_SIDE, math.isqrt(number // 4)))
    transparency = rng.uniform(0.7, 1.1, (number, 3))
    cells = []
    for k in range(number):
        down, right = divmod(k % side**2, side)
        row, column = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
        v, u = (row + 0.5) / ROWS - 0.5, ((column + 0.5) / COLUMNS - 0.5) * COLUMNS / ROWS
        turn = math.radians(rng.uniform(-20.0, 20.0))
        u, v = math.cos(turn) * u - math.sin(turn) * v, math.sin(turn) * u + math.cos(turn) * v
        row = row + round(down * ROWS * (1.0 - OVERLAP)) + rng.integers(0, 2)
        column = column + round(right * COLUMNS * (1.0 - OVERLAP)) + rng.integers(0, 2)
        nebula = 60.0 * (1.0 + np.sin(row / 1.7) * np.cos(column / 1.3)) * np.exp(-(((row - 40) / 40.0) ** 2))
        level = rng.uniform(500.0, 1500.0, 3)
        slope = level * rng.normal(0.0, 0.05, (2, 3))
        sky = level + np.outer(u, slope[0]) + np.outer(v, slope[1]) + np.outer(nebula, transparency[k])
        count = rng.integers(3900, 4100, len(row))
        mean = BIAS_ADU + (1.0 + VIGNETTING * (u * u + v * v))[:, None] * sky
        mean += rng.normal(0.0, 1.0, mean.shape) * NOISE_ADU * np.hypot(count**-0.5, 0.02)[:, None]
        place = row.astype(np.int32), column.astype(np.int32)
        cells.append(CellSamples(*place, mean, count.astype(np.int32), u, v, (NOISE_ADU,) * 3))
    return cells, transparency


def sky_of(number: int) -> Growth:
    """Solve the sky of so many frames; returns what that took in this process."""
    cells, transparency = made_up_frames(number)
    few, few_light = cells[:32], transparency[:32]
    _solve(few, few_light)  # compiles, or loads what is compiled
    steps: list[int] = []
    plain = least_squares.LinearOperator

    def counting(shape: tuple[int, int], matvec: Callable[[Float64s], Float64s]) -> LinearOperator:
        return plain(shape, matvec=lambda x: (steps.append(1), matvec(x))[1])

    least_squares.LinearOperator = counting
    began = time.process_time()
    solution = _solve(cells, transparency)
    cpu_s = time.process_time() - began
    least_squares.LinearOperator = plain
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    seen = sum(len(cell.row) for cell in cells) * 3
    # Each step applies the equations and their preconditioner.
    return Growth(number, seen, cpu_s, len(steps) // 2, peak, float(np.median(solution.residual_sigma)))


def _solve(cells: list[CellSamples], transparency: np.ndarray):  # type: ignore[no-untyped-def]
    groups = np.zeros(len(cells), np.int64)
    stars = np.full(1, VIGNETTING + 0.01), np.full(1, 0.02)
    bias = [BiasEstimate(BIAS_ADU + 2.0, 10.0)]
    return solve_sky(cells, transparency, groups, *stars, bias, np.full(transparency.shape, 0.003))


def lines(numbers: list[int]) -> list[str]:
    """Return the table as Markdown."""
    told = ["| Frames | Observations | CPU s | CPU ms per frame | Steps | Peak memory, GB | Residuals, sigma |"]
    told.append("|---|---|---|---|---|---|---|")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for made in pool.imap(sky_of, numbers, chunksize=1):
            each_ms = 1e3 * made.cpu_s / made.frames
            told.append(
                f"| {made.frames:,} | {made.observations:,} | {made.cpu_s:.1f} | {each_ms:.1f} | {made.steps} | "
                f"{made.peak_bytes / 1e9:.2f} | {made.error_sigma:.2f} |"
            )
            print(told[-1], file=sys.stderr, flush=True)
    return told


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="*", default=[160, 640, 2560, 10240, 40960], metavar="N")
    print("\n".join(lines(parser.parse_args().frames)))


if __name__ == "__main__":
    main()
