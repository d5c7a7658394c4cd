"""All frames of a run as a CSV list: a stack plan, the metrics and the verdicts, to sort, edit and give back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from zemosaic.i18n import Translator
from zemosaic.report.report_records import FrameRow, RunReport
from zemosaic.report.report_text import green_of
from zemosaic.store.whole_files import write_whole
from zemosaic.text.plain_text import plain_cell

__all__ = ["COLUMNS", "write_frames_csv"]

COLUMNS = (
    "order",
    "batch_id",
    "mount",
    "bortle",
    "telescope",
    "session_date",
    "filter",
    "exposure",
    "file_path",
    "ra",
    "dec",
    "pick",
    "group",
    "status",
    "reason",
    "weight",
    "stars",
    "fwhm_arcsec",
    "eccentricity",
    "sharpness",
    "snr",
    "sky_adu",
    "noise_adu",
    "gradient_adu",
    "transparency",
    "trails",
    "tiles_used",
    "tiles_rejected",
)
"""The first eleven are those of a stack plan; `pick` is left to the user, `group` is the one made by hand."""


def write_frames_csv(path: Path, report: RunReport, translator: Translator) -> None:
    """Write the list of frames; raises OutputError.

    Parameters
    ----------
    path : Path
        The file, by custom ``zemosaic_frames.csv``.
    report : RunReport
        Frames and what became of them.
    translator : Translator
        Makes the texts of the reasons.
    """
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for order, row in enumerate(report.frames, 1):
        out.writerow(["" if value is None else plain_cell(value) for value in _values(order, row, translator)])
    write_whole(path, text.getvalue().encode("utf-8", "backslashreplace"))


def _values(order: int, row: FrameRow, translator: Translator) -> tuple[object, ...]:
    metrics = row.metrics
    night = row.date_obs[:10]
    return (
        order,
        f"{night}_{row.filter_name}".strip("_"),
        None,
        None,
        row.telescope or row.instrument,
        night,
        row.filter_name,
        row.exposure_s,
        row.path,
        _middle(row.corners_ra_deg, turns=True),
        _middle(row.corners_dec_deg, turns=False),
        None,
        row.group or None,
        row.status.value,
        translator.message(row.reason) if row.reason else None,
        _short(row.weight),
        metrics.stars,
        _short(metrics.fwhm_arcsec),
        _short(metrics.eccentricity),
        _short(metrics.sharpness),
        _short(metrics.snr),
        _short(green_of(metrics.sky_adu)),
        _short(green_of(metrics.noise_adu)),
        _short(metrics.gradient_adu),
        _short(green_of(metrics.transparency)),
        len(metrics.trails) if metrics.stars is not None else None,
        len(row.tiles_used),
        len(row.tiles_rejected),
    )


def _middle(values: tuple[float, ...], *, turns: bool) -> float | None:
    """Return the mean of the corners; right ascensions are counted from the first, so that 0 h is no edge."""
    if not values:
        return None
    if not turns:
        return round(sum(values) / len(values), 6)
    steps = [(value - values[0] + 180.0) % 360.0 - 180.0 for value in values]
    return round((values[0] + sum(steps) / len(steps)) % 360.0, 6)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
