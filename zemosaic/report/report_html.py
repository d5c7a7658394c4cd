"""`run_report.html`: one self-contained page for people, in the user's language."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from zemosaic.calibration.frame_weights import WeightPrice
from zemosaic.i18n import Translator
from zemosaic.model import FrameStatus
from zemosaic.picture.preview import jpeg_bytes, png_bytes
from zemosaic.report.band_section import band_section
from zemosaic.report.charts import GROUP_COLOURS, Footprint, Series, dec_text, ra_text, series_chart, sky_map
from zemosaic.report.light_section import light_section
from zemosaic.report.report_records import FieldReport, FrameRow, RunReport
from zemosaic.report.report_sections import depth_section, group_lines, part_lines, seam_section
from zemosaic.report.report_text import Chart, Figure, Words, data_uri, mean_of, short_path
from zemosaic.store.whole_files import write_whole

__all__ = ["ReportPictures", "report_html", "write_report_html"]

PREVIEW_PX = 1600
ROWS_PER_GROUP = 1000
"""Dropped frames listed per reason; the rest is counted and stands in run_report.json."""
PAUSE = timedelta(hours=6)
"""A longer pause between frames divides nights."""


@dataclass(frozen=True)
class ReportPictures:
    """Pictures that go into the page; rows from the top."""

    preview: NDArray[np.uint8] | None = None
    """Shape (h, w, 3)."""
    coverage: NDArray[np.uint8] | None = None
    """Shape (h, w, 4); at most about 600 pixels wide."""
    coverage_most: float = 0.0
    """Frames that the map's brightest colour means."""
    depth: NDArray[np.uint8] | None = None
    """Shape (h, w, 4), as the coverage; None where the stars did not tell the depth."""
    depth_deepest_mag: float = 0.0
    """Magnitude that the brightest colour of the depth means."""
    depth_shallowest_mag: float = 0.0
    """Magnitude that its darkest colour means."""


@dataclass(frozen=True)
class _Group:
    """Dropped frames of one reason."""

    status: str
    title: str
    rows: Sequence[_Line]
    count: int


@dataclass(frozen=True)
class _Line:
    file: str
    time: str
    fwhm: str
    eccentricity: str
    stars: str
    sky: str
    reason: str


@dataclass(frozen=True)
class _OtherField:
    """A further field of the run."""

    name: str
    subtitle: str
    preview: str
    coverage: str


@dataclass(frozen=True)
class _Sky:
    svg: Markup | None
    groups: tuple[str, ...]
    """Nights or telescopes in the order of their colours; empty where a legend would not help."""


def write_report_html(
    path: Path,
    report: RunReport,
    pictures: ReportPictures,
    translator: Translator,
    others: Sequence[ReportPictures] = (),
    combined: Sequence[NDArray[np.uint8]] = (),
) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
        The file, by custom ``run_report.html``.
    report : RunReport
        What to tell.
    pictures : ReportPictures
        The mosaic and its coverage map.
    translator : Translator
        Language of the page.
    others : sequence of ReportPictures
        Those of the further fields.
    combined : sequence of ndarray, shape (h, w, 3), uint8
        Previews of the colour pictures made of several bands, rows from the top.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    write_whole(path, report_html(report, pictures, translator, others, combined).encode("utf-8", "replace"))


def report_html(
    report: RunReport,
    pictures: ReportPictures,
    translator: Translator,
    others: Sequence[ReportPictures] = (),
    combined: Sequence[NDArray[np.uint8]] = (),
) -> str:
    """Return the page that `write_report_html` writes.

    Parameters
    ----------
    report : RunReport
    pictures : ReportPictures
        Of the main field.
    translator : Translator
    others : sequence of ReportPictures
        Of the other fields, in their order.
    combined : sequence of ndarray
        See `write_report_html`.
    """
    words = Words(translator)
    ordered = sorted(report.frames, key=lambda row: (row.date_obs or "~", row.path))
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = files("zemosaic.report") / "templates" / "report.html.j2"
    page: str = template.from_string(source.read_text(encoding="utf-8")).render(
        t=translator.text,
        language=translator.language,
        failure=translator.message(report.failure) if report.failure else "",
        title=report.field_name or translator.text("report.untitled"),
        subtitle=_subtitle(report, words),
        figures=_figures(report, words),
        preview=_preview(pictures),
        coverage=_coverage(pictures),
        coverage_most=pictures.coverage_most,
        depth_map="" if pictures.depth is None else data_uri("image/png", png_bytes(pictures.depth)),
        depth_ends=(pictures.depth_shallowest_mag, pictures.depth_deepest_mag),
        others=[_other(field, shown, words) for field, shown in zip(report.others, others, strict=True)],
        bands=band_section(report, combined, words),
        sky=_sky(ordered, translator),
        charts=_charts(ordered, words),
        seams=seam_section(report, words),
        depth=depth_section(report, words),
        light=light_section(report, words),
        by_hand=group_lines(report, words),
        parts=part_lines(report, words),
        groups=_groups(report, words),
        dropped=len(report.dropped),
        given=[translator.message(line) for line in report.given],
        warnings=_counted(translator.message(warning) for warning in report.warnings),
        notes=_counted(translator.message(note) for row in report.frames for note in row.notes),
        tiles=_tile_figures(report, words),
        way=words.message(report.way) if report.way else "",
        timings=[
            (words.phase(time.phase), words.duration(time.wall_s), words.duration(time.cpu_s))
            for time in report.timings
        ],
        changed=_changed(report, translator),
        versions=sorted(report.versions.items()),
    )
    return page


def _figures(report: RunReport, words: Words) -> list[Figure]:
    """Return the headline numbers."""
    used = report.used
    exposure = sum(row.exposure_s or 0.0 for row in used)
    figures = [
        Figure(
            words.text("report.frames_used"),
            words.number(len(used)),
            words.text("report.of_frames", n=len(report.frames)),
        ),
        Figure(words.text("report.exposure"), words.duration(exposure)),
    ]
    if report.mosaic and report.wcs:
        scale, width, height = report.wcs.scale_arcsec, report.mosaic.width, report.mosaic.height
        figures += [
            Figure(
                words.text("report.size"),
                f"{words.number(width)} × {words.number(height)}",
                f"{words.number(width * scale / 3600, 2)}° × {words.number(height * scale / 3600, 2)}°",
            ),
            Figure(words.text("report.scale"), f"{words.number(scale, 2)}″", words.text("report.per_pixel")),
        ]
    sharp = [row.metrics.fwhm_arcsec for row in used if row.metrics.fwhm_arcsec is not None]
    if sharp:
        figures.append(
            Figure(
                words.text("report.fwhm"),
                f"{words.number(float(np.median(sharp)), 1)}″",
                words.text("report.median_of_frames"),
            )
        )
    wall = sum(time.wall_s for time in report.timings)
    if wall:
        memory = words.text("report.memory", gb=report.peak_rss_bytes / 1e9) if report.peak_rss_bytes else ""
        figures.append(Figure(words.text("report.run_time"), words.duration(wall), memory))
    return figures


def _preview(pictures: ReportPictures) -> str:
    return "" if pictures.preview is None else data_uri("image/jpeg", jpeg_bytes(pictures.preview, PREVIEW_PX))


def _coverage(pictures: ReportPictures) -> str:
    return "" if pictures.coverage is None else data_uri("image/png", png_bytes(pictures.coverage))


def _other(field: FieldReport, pictures: ReportPictures, words: Words) -> _OtherField:
    parts = []
    if field.mosaic:
        ra, dec = field.wcs.pixel_to_sky((field.mosaic.width - 1) / 2, (field.mosaic.height - 1) / 2)
        parts = [
            f"{ra_text(float(ra))} {dec_text(float(dec))}",
            f"{words.number(field.mosaic.width)} × {words.number(field.mosaic.height)} px",
            f"{words.text('report.frames_used')}: {words.number(field.frames_used)}",
            f"{words.text('report.exposure')}: {words.duration(field.mosaic.exposure_s)}",
        ]
    return _OtherField(field.name, " · ".join(parts), _preview(pictures), _coverage(pictures))


def _subtitle(report: RunReport, words: Words) -> str:
    """Return where the field lies, with what and when it was taken."""
    parts = []
    if report.wcs and report.mosaic:
        ra, dec = report.wcs.pixel_to_sky((report.mosaic.width - 1) / 2, (report.mosaic.height - 1) / 2)
        parts.append(f"{ra_text(float(ra))} {dec_text(float(dec))}")
    parts += sorted({row.instrument or row.telescope for row in report.used} - {""})[:4]
    in_time = sorted(report.used, key=lambda row: row.date_obs)
    nights = sorted({*_nights(in_time)} - {""})
    if nights:
        span = f"{nights[0]} … {nights[-1]}"
        parts.append(nights[0] if len(nights) == 1 else words.text("report.nights", n=len(nights), span=span))
    return " · ".join(parts)


def _sky(ordered: Sequence[FrameRow], translator: Translator) -> _Sky:
    """Return the map of footprints, coloured by night, or by telescope where there is one night."""
    placed = [row for row in ordered if row.corners_ra_deg]
    nights = _nights(placed)
    names = nights if len(set(nights)) > 1 else [row.telescope for row in placed]
    order = {name: n for n, name in enumerate(sorted(set(names)))}
    prints = [
        Footprint(row.corners_ra_deg, row.corners_dec_deg, row.status is FrameStatus.USED, order[name])
        for row, name in zip(placed, names, strict=True)
    ]
    north, east = translator.text("report.north"), translator.text("report.east")
    shown = order if 1 < len(order) <= GROUP_COLOURS else {}
    return _Sky(sky_map(prints, translator.text("report.sky_map"), north, east), tuple(shown))


def _charts(ordered: Sequence[FrameRow], words: Words) -> list[Chart]:
    """Return the charts of quality over time."""
    rows = [row for row in ordered if row.frame_id is not None]
    used = np.array([row.status is FrameStatus.USED for row in rows], bool)
    nights = tuple(_nights(rows))
    quantities: tuple[tuple[str, Callable[[FrameRow], float | None]], ...] = (
        ("report.chart.fwhm", lambda row: row.metrics.fwhm_arcsec),
        ("report.chart.fwhm_px", lambda row: row.metrics.fwhm_px if row.metrics.fwhm_arcsec is None else None),
        ("report.chart.eccentricity", lambda row: row.metrics.eccentricity),
        ("report.chart.sky", lambda row: mean_of(row.metrics.sky_adu)),
        ("report.chart.transparency", lambda row: mean_of(row.metrics.transparency)),
        ("report.chart.stars", lambda row: row.metrics.stars),
        ("report.chart.weight", lambda row: row.weight),
    )
    charts = []
    for key, quantity in quantities:
        values = np.array([np.nan if (v := quantity(row)) is None else v for row in rows], float)
        title = words.text(key)
        svg = series_chart(Series(values, used, nights), title, words.number)
        if svg is not None:
            charts.append(Chart(title, svg))
    return charts


def _groups(report: RunReport, words: Words) -> list[_Group]:
    """Return the dropped frames by reason, the commonest first."""
    by_reason: defaultdict[tuple[str, str], list[FrameRow]] = defaultdict(list)
    for row in report.dropped:
        by_reason[(row.status.value, row.reason.key if row.reason else "")].append(row)
    groups = []
    for (status, _), rows in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        lines = [_line(row, report.input_dir, words) for row in rows[:ROWS_PER_GROUP]]
        alike = len({line.reason for line in lines}) == 1
        title = lines[0].reason if alike else words.text("report.for_example", text=lines[0].reason)
        groups.append(_Group(status, title, lines, len(rows)))
    return groups


def _line(row: FrameRow, input_dir: str, words: Words) -> _Line:
    numbers = row.metrics
    return _Line(
        file=short_path(row.path, input_dir),
        time=row.date_obs[:19].replace("T", " "),
        fwhm=words.number(numbers.fwhm_arcsec, 1),
        eccentricity=words.number(numbers.eccentricity, 2),
        stars=words.number(numbers.stars),
        sky=words.number(mean_of(numbers.sky_adu)),
        reason=words.message(row.reason) if row.reason else "",
    )


def _tile_figures(report: RunReport, words: Words) -> list[Figure]:
    made = [tile for tile in report.tiles if not tile.empty]
    if not made:
        return []
    counts = [tile.frames_used for tile in made]
    clipped = [tile.rejected_fraction for tile in made]
    weights = [] if report.weights is None else [_price(report.weights, words)]
    return [
        Figure(words.text("report.tiles"), words.number(len(made))),
        Figure(
            words.text("report.frames_per_tile"),
            f"{words.number(min(counts))} … {words.number(max(counts))}",
            words.text("report.median", value=float(np.median(counts))),
        ),
        Figure(words.text("report.clipped"), words.percent(float(np.mean(clipped)), ".2%")),
        *weights,
    ]


def _price(weights: WeightPrice, words: Words) -> Figure:
    """Return what the weights of the frames make of the noise."""
    sky, star = (words.percent(ratio - 1.0, "+.1%") for ratio in (weights.pixel_noise, weights.star_noise))
    return Figure(words.text("report.weights"), star, words.text("report.weights_note", sky=sky))


def _changed(report: RunReport, translator: Translator) -> list[tuple[str, str, str, str]]:
    """Return (label, key, value, default) of the settings that are not at their default."""
    rows = []
    for key, value in report.settings.items():
        default = report.defaults.get(key)
        if key in report.defaults and value != default and key not in ("input_dir", "output_dir"):
            label = f"setting.{key}.label"
            name = translator.text(label) if translator.has(label) else key
            rows.append((name, key, _setting_text(value), _setting_text(default)))
    return rows


def _setting_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _counted(texts: Iterable[str]) -> list[tuple[str, int]]:
    return list(Counter(texts).items())


def _nights(ordered: Sequence[FrameRow]) -> list[str]:
    """Return for frames in order of time the date on which their night began; a long pause ends a night."""
    names: list[str] = []
    last: datetime | None = None
    for row in ordered:
        moment = _moment(row.date_obs)
        if moment is None:
            names.append("")
            continue
        apart = last is None or abs(moment - last) > PAUSE
        names.append(moment.date().isoformat() if apart else names[-1])
        last = moment
    return names


def _moment(date_obs: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(date_obs.strip())
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
