"""Pieces of the HTML report that its sections share."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from markupsafe import Markup

from zemosaic.arrays import green_channel
from zemosaic.errors import Message
from zemosaic.i18n import Translator

__all__ = ["Chart", "Figure", "Words", "data_uri", "green_of", "mean_of", "short_path"]


@dataclass(frozen=True)
class Figure:
    """A number with its name and a remark."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Chart:
    """A drawing and its title."""

    title: str
    svg: Markup


class Words:
    """Numbers, durations and names in the page's language."""

    def __init__(self, translator: Translator) -> None:
        self.text: Callable[..., str] = translator.text
        self._translator = translator

    def number(self, value: float | None, digits: int = 0) -> str:
        """Return a number as the language writes it; a dash where there is none, or none that is finite.

        Parameters
        ----------
        value : float or None
        digits : int
            Decimal places, 0 to 3.
        """
        if value is None or not np.isfinite(value):
            return "–"
        return self.text(f"report.number{digits}", value=round(value) if digits == 0 else float(value))

    def percent(self, part: float, how: str = ".0%") -> str:
        """Return a part of one in hundredths, as the language writes it.

        Parameters
        ----------
        part : float
        how : str
            Format specification that ends with a percent sign.
        """
        return self._translator.number(part, how)

    def duration(self, seconds: float) -> str:
        if seconds < 100:
            return self.text("report.seconds", s=float(seconds))
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return self.text("report.hours", h=hours, m=minutes)
        return self.text("report.minutes", m=minutes, s=rest)

    def phase(self, name: str) -> str:
        key = f"phase.{name}"
        return self.text(key) if self._translator.has(key) else name

    def message(self, text: Message) -> str:
        return self._translator.message(text)


def mean_of(values: Sequence[float]) -> float | None:
    """Return the mean, None of nothing."""
    return float(np.mean(values)) if values else None


def green_of(values: Sequence[float]) -> float | None:
    """Return the value of green, or of the one channel that there is, None of nothing."""
    return float(values[green_channel(len(values))]) if values else None


def short_path(path: str, input_dir: str) -> str:
    """Return a path inside the input folder without the folder: the page may be shown to others.

    Parameters
    ----------
    path : str
        Of a frame.
    input_dir : str
        The input folder; empty where it is not known.
    """
    if input_dir and PurePath(path).is_relative_to(input_dir):
        return PurePath(path).relative_to(input_dir).as_posix()
    return PurePath(path).name


def data_uri(kind: str, content: bytes) -> str:
    """Return a file as an address that holds all of it.

    Parameters
    ----------
    kind : str
        Its media type, ``image/png`` for example.
    content : bytes
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
