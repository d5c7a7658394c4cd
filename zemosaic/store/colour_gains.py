"""The record of a mosaic's white."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ColourGains"]


@dataclass(frozen=True)
class ColourGains:
    """By what a mosaic's channels are multiplied so that a star like the Sun comes out neutral."""

    gains: tuple[float, float, float]
    """Red, green and blue; green's is 1."""
    error_mag: float
    """Standard error of the worse of red and blue against green."""
    stars: int
    """Stars that decided."""
    method: str
    """``stars``: stars of known colour; ``locus``: the typical colour of all stars."""
    reference: str
    """The catalogue, and the colour that is neutral."""
