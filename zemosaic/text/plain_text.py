"""Text from outside made harmless: what files and headers say reaches consoles, logs, tables and parsers as text only.

It stands below all rooms, since settings, locales, frames and windows all read and show what others wrote.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

__all__ = ["json_value", "plain_cell", "printable", "typed_cell"]

_UNPRINTABLE = ("Cc", "Cf", "Zl", "Zp")
"""Unicode categories that steer a terminal or the direction of a text, or begin a line."""
_HARMLESS = "\u00ad\u200c\u200d"
"""Format characters that words of some languages need."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def printable(text: str, keep: str = "") -> str:
    """Return a text in which characters that steer a terminal are written as escapes.

    Parameters
    ----------
    text : str
    keep : str
        Such characters that stay as they are, such as line feeds.
    """
    if text.isprintable():
        return text
    return "".join(
        _escape(char) if unicodedata.category(char) in _UNPRINTABLE and char not in _HARMLESS + keep else char
        for char in text
    )


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def json_value(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        When it is no JSON, or is nested more deeply than can be read.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def plain_cell(value: object) -> object:
    """Return a cell of a table that a spreadsheet does not take for a formula; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def typed_cell(text: str) -> str:
    """Return what a cell stood for before `plain_cell`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
