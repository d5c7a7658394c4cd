"""The colours of both looks."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PALETTES", "Palette"]


@dataclass(frozen=True)
class Palette:
    """Colours of one look."""

    background: str
    card: str
    border: str
    field: str
    hover: str
    text: str
    muted: str
    accent: str
    accent_hover: str
    on_accent: str
    good: str
    warning: str
    bad: str
    sky: str
    """Behind pictures."""


PALETTES = {
    "light": Palette(
        background="#eef0f4",
        card="#ffffff",
        border="#c6ccd7",
        field="#f8f9fb",
        hover="#e3e7ef",
        text="#171b23",
        muted="#586174",
        accent="#2f55d4",
        accent_hover="#2747b5",
        on_accent="#ffffff",
        good="#14784a",
        warning="#8f5400",
        bad="#b3261e",
        sky="#0b0e14",
    ),
    "dark": Palette(
        background="#12151b",
        card="#1a1e26",
        border="#303743",
        field="#13161d",
        hover="#272d38",
        text="#e7eaf0",
        muted="#9aa4b5",
        accent="#6f8dfb",
        accent_hover="#8aa3ff",
        on_accent="#0b1020",
        good="#58c896",
        warning="#efb548",
        bad="#ff8a80",
        sky="#07090d",
    ),
}
