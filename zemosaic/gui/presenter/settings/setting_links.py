"""Where a sentence names settings, so that a window can lead from there to their rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from zemosaic.i18n import Translator
from zemosaic.settings.schema import specs

__all__ = ["SettingLink", "setting_links"]


@dataclass(frozen=True)
class SettingLink:
    """The name of a setting in a sentence."""

    start: int
    """Place of its first letter."""
    end: int
    """Place behind its last letter."""
    key: str
    """Of the setting."""


def setting_links(text: str, words: Translator) -> list[SettingLink]:
    """Return the names of settings in a text, in their order.

    Parameters
    ----------
    text : str
        As `with_labels` returns it: names of settings stand in quotation marks.
    words : Translator
        Of the language of the text.
    """
    quotes = words.text("settings.named", label="§").split("§")
    if quotes[0] not in text:
        return []
    named = tuple((words.text(f"setting.{spec.key}.label"), spec.key) for spec in specs())
    pattern, keys = _names(named, quotes[0], quotes[-1])
    return [SettingLink(found.start(1), found.end(1), keys[found[1]]) for found in pattern.finditer(text)]


@lru_cache(maxsize=2)
def _names(named: tuple[tuple[str, str], ...], before: str, after: str) -> tuple[re.Pattern[str], dict[str, str]]:
    """Return what finds names between quotation marks, and the settings by name; of two alike the first one."""
    keys = dict(reversed(named))
    names = "|".join(re.escape(name) for name in sorted(keys, key=len, reverse=True))
    return re.compile(f"{re.escape(before)}({names}){re.escape(after)}"), keys
