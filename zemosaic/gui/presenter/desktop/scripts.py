"""Scripts that few fonts hold, and the fonts that are known to hold them."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["has_east_asian_letters", "has_kana", "names_an_east_asian_font"]

_KANA = ("\u3040", "\u30ff")
_HAN = ("\u3400", "\u9fff")
_EAST_ASIAN_FONTS = (
    *("CJK", "Source Han", "WenQuanYi", "Droid Sans Fallback", "Unifont", "Arial Unicode", "AR PL", "Sarasa"),
    *("YaHei", "SimSun", "SimHei", "DengXian", "PingFang", "Heiti", "Songti", "STSong"),
    *("Yu Gothic", "Meiryo", "MS Gothic", "MS PGothic", "Hiragino", "IPA", "Takao", "VL Gothic", "Noto Sans JP"),
    *("Noto Sans SC", "Noto Serif JP", "Noto Serif SC"),
)
"""Parts of the names of families, for a toolkit that cannot tell which letters a font holds."""


def has_kana(text: str) -> bool:
    """Return whether a text has letters that only Japanese is written in."""
    return any(_KANA[0] <= letter <= _KANA[1] for letter in text)


def has_east_asian_letters(text: str) -> bool:
    """Return whether a text has letters of Chinese or Japanese."""
    return has_kana(text) or any(_HAN[0] <= letter <= _HAN[1] for letter in text)


def names_an_east_asian_font(families: Iterable[str]) -> bool:
    """Return whether one of these families is known to hold the letters of Chinese and Japanese."""
    return any(part.casefold() in family.casefold() for family in families for part in _EAST_ASIAN_FONTS)
