"""The settings as a form: rows from the schema, what the user typed, what is wrong with it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from zemosaic.errors import Message, SettingsError
from zemosaic.i18n import Translator
from zemosaic.settings.load import check_value
from zemosaic.settings.schema import TIERS, Settings, Spec, specs

__all__ = [
    "Form",
    "Row",
    "browsed_kinds",
    "choice_text",
    "range_text",
    "shown_value",
    "text_of",
    "unit_text",
    "with_labels",
]

_COMPOUND = sorted((spec.key for spec in specs() if "_" in spec.key), key=len, reverse=True)
"""Keys that are no words of any language, as `solver` and `pointing` are."""
_KEYS = re.compile(rf"\b({'|'.join(_COMPOUND)})\b(?!=)")
ELSEWHERE = ("language",)
"""Settings that the windows show in their header, not in the form."""


@dataclass(frozen=True)
class Row:
    """One setting in the form."""

    spec: Spec
    text: str
    """The value as typed; ``true`` or ``false`` for switches."""
    value: Any
    """The value, or the last good one while `problem` is there."""
    problem: Message | None = None

    @property
    def key(self) -> str:
        """Key of the setting."""
        return self.spec.key

    @property
    def changed(self) -> bool:
        """Whether it differs from the default."""
        return self.problem is not None or self.value != self.spec.default

    def written(self, words: Translator) -> str:
        """Return the text of a field: a good number with the sign that the language divides its decimals by."""
        good = self.spec.kind == "float" and self.problem is None
        return text_of(self.value).replace(".", words.decimal) if good else self.text


@dataclass(frozen=True)
class Form:
    """All rows; immutable, every edit makes a new one."""

    rows: tuple[Row, ...]
    opened: Mapping[str, Any]
    """The values the form was opened with."""

    @classmethod
    def of(cls, settings: Settings) -> Form:
        """Return the form that shows these settings."""
        values = settings.model_dump()
        rows = tuple(Row(spec, text_of(values[spec.key]), values[spec.key]) for spec in specs())
        return cls(rows, values)

    def row(self, key: str) -> Row:
        """Return the row of a setting; KeyError where there is none."""
        match = next((row for row in self.rows if row.key == key), None)
        if match is None:
            raise KeyError(key)
        return match

    def edited(self, key: str, text: str) -> Form:
        """Return the form after the user typed a text; a wrong one is kept, with its problem.

        Parameters
        ----------
        key : str
            Of the setting.
        text : str
            As typed or chosen; in a number with decimals a comma counts as the decimal point.

        Raises
        ------
        KeyError
            When there is no such setting.
        """
        row = self.row(key)
        # A comma is how half of the world writes the point, and numbers are shown with a real minus sign.
        plain = text.replace(",", ".").replace("−", "-") if row.spec.kind == "float" else text
        try:
            fresh = replace(row, text=text, value=check_value(key, plain), problem=None)
        except SettingsError as fault:
            fresh = replace(row, text=text, problem=fault.message)
        return replace(self, rows=tuple(fresh if item.key == key else item for item in self.rows))

    def reset(self, key: str) -> Form:
        """Return the form with one setting at its default."""
        return self.edited(key, text_of(self.row(key).spec.default))

    def shown(self, tier: str, search: str, words: Translator) -> tuple[Row, ...]:
        """Return the rows to show.

        Parameters
        ----------
        tier : str
            The deepest level shown; a search looks through all of them.
        search : str
            Words that must all be found in key, label, help, group or unit; case and accents do not matter.
        words : Translator
        """
        search_words = _folded(search).split()
        visible = [row for row in self.rows if row.key not in ELSEWHERE]
        if not search_words:
            depth = TIERS.index(tier)
            return tuple(row for row in visible if TIERS.index(row.spec.tier) <= depth)
        return tuple(row for row in visible if all(word in _searched(row.spec, words) for word in search_words))

    def hidden_changes(self, shown: tuple[Row, ...]) -> int:
        """Return how many changed settings are not among the rows shown."""
        keys = {row.key for row in shown} | set(ELSEWHERE)
        return sum(row.changed and row.key not in keys and row.spec.kind != "folder" for row in self.rows)

    @property
    def problems(self) -> tuple[Message, ...]:
        """What is wrong, in the order of the rows."""
        return tuple(row.problem for row in self.rows if row.problem is not None)

    @property
    def changes(self) -> dict[str, Any]:
        """Good values that differ from those the form was opened with."""
        return {row.key: row.value for row in self.rows if row.problem is None and row.value != self.opened[row.key]}

    def settings(self) -> Settings:
        """Return the settings of the form.

        Raises
        ------
        SettingsError
            If a row has a problem.
        """
        for row in self.rows:
            if row.problem is not None:
                check_value(row.key, row.text)
        return Settings(**{row.key: row.value for row in self.rows})


def text_of(value: Any) -> str:
    """Return a value as the form shows it; `check_value` reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def with_labels(text: str, words: Translator) -> str:
    """Return a sentence in which settings have the names that the windows show instead of their keys.

    Parameters
    ----------
    text : str
        Only keys of several words are replaced, as others may be ordinary words; one before an equals sign stays.
    words : Translator
    """
    return _KEYS.sub(lambda match: words.text("settings.named", label=words.text(f"setting.{match[0]}.label")), text)


def shown_value(value: Any, words: Translator) -> str:
    """Return a value for reading, numbers written the language's way.

    Parameters
    ----------
    value : object
        Of a setting; all but a float is written as in the form.
    words : Translator
    """
    return words.number(value, "g") if isinstance(value, float) else text_of(value)


def browsed_kinds(spec: Spec) -> list[str]:
    """Return what can be browsed for: ``file``, ``folder``, both or nothing."""
    return [kind for kind in spec.kind.split(" or ") if kind in ("file", "folder")]


def choice_text(spec: Spec, choice: str, words: Translator) -> str:
    """Return the words for one choice of a setting.

    Parameters
    ----------
    spec : Spec
        The setting.
    choice : str
        One of its choices; returned as it is where the language has no words for it.
    words : Translator
    """
    key = f"choice.{spec.key}.{choice}"
    return words.text(key) if words.has(key) else choice


def unit_text(spec: Spec, words: Translator) -> str:
    """Return the unit of a setting as people write it.

    Parameters
    ----------
    spec : Spec
        The setting; its unit is returned as it is where the language has no words for it, and may be empty.
    words : Translator
    """
    key = f"unit.{spec.unit}"
    return words.text(key) if spec.unit and words.has(key) else spec.unit


def range_text(spec: Spec, words: Translator) -> str:
    """Return the unit and the range of a setting; empty where it has neither.

    Parameters
    ----------
    spec : Spec
        The setting; a range is told only where it has both ends.
    words : Translator
    """
    if spec.minimum is None or spec.maximum is None:
        return unit_text(spec, words)
    ends = {"low": shown_value(spec.minimum, words), "high": shown_value(spec.maximum, words)}
    return words.text("settings.range", unit=unit_text(spec, words), **ends).strip()


def _searched(spec: Spec, words: Translator) -> str:
    texts = [spec.key, spec.unit, words.text(f"group.{spec.group}")]
    texts += [words.text(f"setting.{spec.key}.{part}") for part in ("label", "help")]
    texts += [choice_text(spec, choice, words) for choice in spec.choices]
    return _folded(" ".join(texts))


def _folded(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))
