"""Measure the seams of a finished mosaic: steps in level and colour across all footprint edges.

usage: python -m benchmarks.seams MOSAIC.fits [--footprints run_report.json | FOLDER]

Prints figures, writes a map beside the mosaic, and ends with 1 if seams can be seen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from zemosaic.qa.seam_files import measure_seams_of_file


def main() -> int:
    """Print the figures; 1 if seams can be seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mosaic", type=Path)
    parser.add_argument("--footprints", type=Path)
    options = parser.parse_args()
    found = measure_seams_of_file(options.mosaic, options.footprints)
    report = found.report
    print(f"{found.frames} frames, {len(report.seams)} pieces of edges, {len(report.trusted)} known well")
    print(f"level: rms {report.level_rms:.4f} sigma beyond noise")
    if report.trusted:
        print(f"colour: median {np.median([seam.colour for seam in report.trusted]):.4f} sigma")
    print(f"95 % of all steps are below {report.worst:.4f} sigma: {report.verdict}")
    print(f"map: {found.map}")
    return 1 if report.verdict == "visible" else 0


if __name__ == "__main__":
    raise SystemExit(main())
