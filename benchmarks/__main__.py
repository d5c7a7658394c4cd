"""Benchmarks of kernels and whole runs into their part of docs/benchmarks.md; the rest of the page stays.

usage: python -m benchmarks [SURVEY ...]

Each survey is a folder of raw frames; the first should be of one pointing: Siril stacks it too, where it is installed.
"""

from __future__ import annotations

import argparse
import os
import platform
import warnings
from pathlib import Path

import psutil

from benchmarks import kernels, pipeline

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- python -m benchmarks: begin -->", "<!-- python -m benchmarks: end -->"
MEMORY_GB = [1.5, 3.0, 8.0]


def machine() -> str:
    """Return what the figures were measured on."""
    cores, memory = os.cpu_count(), psutil.virtual_memory().total / 1e9
    return (
        f"{platform.system()} {platform.machine()}, {cores} cores, {memory:.0f} GB, Python {platform.python_version()}"
    )


def with_part(page: str, lines: list[str]) -> str:
    """Return the page with the part between the two marks replaced; raises ValueError where a mark is missing."""
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"the page lacks the lines {BEGIN} and {END}")
    return "\n".join([before + BEGIN, *lines, END + after])


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("survey", type=Path, nargs="*")
    surveys = parser.parse_args().survey
    told = [
        "Made by `python -m benchmarks SURVEY ...`; surveys are folders of raw 1080 x 1920 Bayer frames.",
        f"Machine: {machine()}, shared with other work: CPU time counts, of one core, best of several; ratios are of",
        "one run. `python -m benchmarks.kernels` and `python -m benchmarks.pipeline` make the parts.",
        "",
        "## Rejection and resampling",
        "",
        "Millions of samples per second and core; three channels, 1 % outliers, mean of the rest.",
        "",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told += kernels.lines()
    told += (
        ["", "## Whole runs", "", "From raw files to all output files, embedded solver, one process."]
        if surveys
        else []
    )
    for number, survey in enumerate(surveys):
        told += ["", *pipeline.lines(survey, MEMORY_GB, with_siril=number == 0)]
    page = with_part(PAGE.read_text(encoding="utf-8"), told)
    PAGE.write_text(page, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
