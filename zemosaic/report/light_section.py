"""The section of the HTML report on what the stars of a mosaic tell: white, zero point, depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from zemosaic.arrays import Float64s
from zemosaic.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, dec_text, ra_text, svg_element, ticks
from zemosaic.report.report_records import RunReport
from zemosaic.report.report_text import Chart, Figure, Words
from zemosaic.stars.white import ColourLine

__all__ = ["LightSection", "colour_chart", "light_section"]

MIN_HEIGHT_MAG = 0.2
MAX_DRAWN_STARS = 1500


@dataclass(frozen=True)
class LightSection:
    """What the page says of the light of the stars."""

    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]
    note: str
    shallow: tuple[ShallowLine, ...] = ()


@dataclass(frozen=True)
class ShallowLine:
    """A part of the mosaic where more frames would help."""

    place: str
    frames: str
    limit: str
    to_gain: str
    to_typical: str


def light_section(report: RunReport, words: Words) -> LightSection | None:
    """Return what the page says of white and magnitudes; None where the stars told nothing.

    Parameters
    ----------
    report : RunReport
    words : Words
    """
    light = report.light
    if light is None or not (light.white or light.zero or light.shallow or light.residual):
        return None
    figures: list[Figure] = []
    charts: list[Chart] = []
    note = ""
    if light.white is not None:
        colour = light.white.colour
        gains = " : ".join(words.number(gain, 3) for gain in colour.gains)
        figures += [
            Figure(words.text("report.light.gains"), gains, words.text("report.light.rgb")),
            Figure(
                words.text("report.light.error"),
                f"{words.number(colour.error_mag, 3)} mag",
                words.text("report.light.stars", n=colour.stars),
            ),
        ]
        note = words.text(f"report.light.{colour.method}_note", reference=colour.reference)
        if colour.method == "stars":
            stars = light.white.stars
            for key, line, values in (("red", light.white.red, stars.red), ("blue", light.white.blue, stars.blue)):
                title = words.text(f"report.light.{key}")
                charts.append(Chart(title, colour_chart(stars.bp_rp, values, line, title, words.number)))
    if light.zero is not None:
        note_zero = words.text("report.light.scatter", mag=light.zero.scatter_mag, n=light.zero.stars)
        figures.append(Figure(words.text("report.light.zero_point"), words.number(light.zero.magzpt, 2), note_zero))
    if light.depth is not None:
        note_depth = words.text("report.light.at_depth", n=round(light.depth.typical_frames))
        figures.append(Figure(words.text("report.light.limit"), words.number(light.depth.limit_mag, 2), note_depth))
    if light.residual is not None:
        amplitude = f"{words.number(max(light.residual.amplitude), 1)} ADU"
        percent = round(100.0 * light.residual.empty_part)
        figures.append(
            Figure(words.text("report.light.residual"), amplitude, words.text("report.light.residual_note", n=percent))
        )
    lines = [
        ShallowLine(
            f"{ra_text(part.ra_deg)} {dec_text(part.dec_deg)}",
            words.number(part.frames),
            words.number(part.limit_mag, 2),
            words.number(part.frames_to_gain),
            words.number(part.frames_to_typical),
        )
        for part in light.shallow
    ]
    return LightSection(tuple(figures), tuple(charts), note, tuple(lines))


def colour_chart(
    bp_rp: Float64s, colour: Float64s, line: ColourLine, label: str, number: Callable[[float, int], str]
) -> Markup:
    """Return a camera colour over BP - RP: the stars, and the line that white was read off.

    Parameters
    ----------
    bp_rp, colour : ndarray, shape (n,)
        Magnitudes.
    line : ColourLine
    label : str
    number : callable(value, digits)
    """
    left, right = float(bp_rp.min()) - 0.1, float(bp_rp.max()) + 0.1
    ends = line(np.array([left, right]))
    low, high = (float(f) for f in (min(colour.min(), ends.min()), max(colour.max(), ends.max())))
    pad = 0.06 * max(high - low, MIN_HEIGHT_MAG)
    low, high = low - pad, high + pad

    def place(x: Float64s, y: Float64s) -> tuple[Float64s, Float64s]:
        across = LEFT + (x - left) / (right - left) * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for value in ticks(low, high):
        y = float(place(np.array([left]), np.array([value]))[1][0])
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="end" x="{LEFT - 6}" y="{y + 4:.1f}">{escape(number(value, 1))}</text>')
    for value in ticks(left, right):
        x = float(place(np.array([value]), np.array([low]))[0][0])
        parts.append(f'<text class="mid" x="{x:.1f}" y="{HEIGHT - 6}">{escape(number(value, 1))}</text>')
    (x0, x1), (y0, y1) = place(np.array([left, right]), ends)
    parts.append(f'<path class="night" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"/>')
    drawn = np.linspace(0, len(bp_rp) - 1, min(len(bp_rp), MAX_DRAWN_STARS)).astype(int)
    marks = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(*place(bp_rp[drawn], colour[drawn]), strict=True))
    parts.append(f'<path class="dot used" d="{marks}"/>')
    return svg_element(WIDTH, HEIGHT, label, parts)
