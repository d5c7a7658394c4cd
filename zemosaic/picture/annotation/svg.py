"""The annotation as a layer of vectors that lies over the picture in any program that reads SVG."""

from __future__ import annotations

from xml.sax.saxutils import escape

from zemosaic.picture.annotation.drawing import Annotation, Kind, Label, Stroke

__all__ = ["COLOURS", "KINDS", "svg_text"]

COLOURS: dict[Kind, tuple[int, int, int]] = {
    "grid": (96, 132, 168),
    "figure": (150, 118, 196),
    "object": (120, 200, 140),
    "star": (236, 208, 130),
    "frame": (228, 228, 228),
}
KINDS: tuple[Kind, ...] = ("grid", "figure", "object", "star", "frame")
"""The layers from below to above."""
BASELINE = 0.95
"""Where letters stand in their box, in sizes of the font from its top."""


def svg_text(annotation: Annotation, picture: str = "") -> str:
    """Return an SVG file with a group for each kind of mark.

    Parameters
    ----------
    annotation : Annotation
    picture : str
        Name of a picture beside the file that it shows beneath the marks; empty for the marks alone.
    """
    size = f'width="{annotation.width}" height="{annotation.height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {annotation.width} {annotation.height}">',
    ]
    if picture:
        lines.append(f'<image href="{escape(picture, {chr(34): "&quot;"})}" x="0" y="0" {size}/>')
    for kind in KINDS:
        colour = "#{:02x}{:02x}{:02x}".format(*COLOURS[kind])
        lines.append(f'<g id="{kind}" fill="{colour}" font-family="sans-serif">')
        lines.append(f'<g fill="none" stroke="{colour}" stroke-width="{annotation.line_width:.2f}">')
        lines += [_stroke(stroke) for stroke in annotation.strokes if stroke.kind == kind]
        lines.append("</g>")
        lines += [_label(label) for label in annotation.labels if label.kind == kind]
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def _stroke(stroke: Stroke) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in stroke.points)
    return f'<{"polygon" if stroke.closed else "polyline"} points="{points}"/>'


def _label(label: Label) -> str:
    # With the length given, the text fills its box whatever font the computer has.
    width = label.box.right - label.box.left
    baseline = label.box.top + BASELINE * label.size
    return (
        f'<text x="{label.box.left:.1f}" y="{baseline:.1f}" font-size="{label.size:g}" textLength="{width:.1f}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(label.text)}</text>'
    )
