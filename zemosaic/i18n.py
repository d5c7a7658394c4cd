"""Sentences in the user's language, from `locales/*.json`.

A locale file is one flat JSON object, key to sentence with ``{placeholders}``.  Five keys
describe the language itself: ``locale.name`` (its name in its own words), ``locale.decimal`` and
``locale.thousands`` (separators of numbers), ``locale.percent`` (what follows a number of hundredths,
with its space), and ``locale.plural`` (the name of its rule in `PLURAL_RULES`).  Any further
`locales/XX.json` is picked up; a sentence it lacks, or whose placeholders differ from the English
ones, is taken from English.

Where a number meets a noun, the noun has its forms in a placeholder that begins with a bar:
``{count} {count:|frame|frames}``, as many as the language's rule tells apart and in its order.
"""

from __future__ import annotations

import ctypes
import locale
import os
import re
import string
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zemosaic.errors import Message, SettingsError
from zemosaic.resources import resource_root
from zemosaic.text.plain_text import json_value, printable

__all__ = [
    "FALLBACK",
    "PLURAL_RULES",
    "TextsMissing",
    "Translator",
    "locales_folder",
    "placeholders",
    "plural_forms",
    "system_language",
]

FALLBACK = "en"
"""The language every key has a sentence in."""

_FORMS = "|"
"""Begins a placeholder's format that holds the forms of a noun, and parts them."""

_MINUS = "\N{MINUS SIGN}"
_SIGNED_ZERO = re.compile(r"^[-](?=0*[.]?0*%?$)")

_PLAIN_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CODE = re.compile(r"([a-z]{2,3})(?:_([A-Z]{2}))?\Z")


def _polish(number: float) -> int:
    if number == 1:
        return 0
    few = number != int(number) or (2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14)
    return 1 if few else 2


def _east_slavic(number: float) -> int:
    if number != int(number):
        return 1
    if number % 10 == 1 and number % 100 != 11:
        return 0
    return 1 if 2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14 else 2


def _czech(number: float) -> int:
    if number == 1:
        return 0
    return 1 if number != int(number) or 2 <= number <= 4 else 2


PLURAL_RULES: Mapping[str, tuple[int, Callable[[float], int]]] = {
    "none": (1, lambda number: 0),
    "one": (2, lambda number: 0 if number == 1 else 1),
    "zero_one": (2, lambda number: 0 if abs(number) < 2 else 1),
    "polish": (3, _polish),
    "east_slavic": (3, _east_slavic),
    "czech": (3, _czech),
}
"""Rules of the plural by name: how many forms a noun has, and which of them a number takes.

After the plural rules of the Unicode CLDR; a noun with a fraction takes the form for few where the
language has a form of its own for fractions, since it is the same word in most cases.
"""


class TextsMissing(SettingsError):
    """The English file, which every sentence can be taken from, is missing or broken: this error is its own text."""

    def __str__(self) -> str:
        told = self.message.params
        reason = f" ({told['detail']})" if told.get("detail") else ""
        return (
            f"ZeMosaic has no texts: its language file {told['path']} is missing or cannot be read{reason}. "
            "Install the program again, or restore this file."
        )


def locales_folder() -> Path:
    """Return the folder of the locale files."""
    return resource_root() / "locales"


def placeholders(sentence: str) -> frozenset[str]:
    """Return the names a sentence expects.

    Raises
    ------
    ValueError
        If a brace is unbalanced or a placeholder is more than a plain name.
    """
    names = [name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None]
    for name in names:
        if not _PLAIN_FIELD.match(name):
            raise ValueError(name)
    return frozenset(names)


def plural_forms(sentence: str) -> list[tuple[str, ...]]:
    """Return the forms of every noun of a sentence that is counted."""
    specs = [spec or "" for _, _, spec, _ in string.Formatter().parse(sentence)]
    return [tuple(spec[1:].split(_FORMS)) for spec in specs if spec.startswith(_FORMS)]


def system_language(environ: Mapping[str, str] | None = None) -> str:
    """Return the language code of the system, such as ``"fr"`` or ``"pt_BR"``; English when unknown."""
    environ = os.environ if environ is None else environ
    named = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    if not named and sys.platform == "win32":
        named = locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")
    if not named:
        named = locale.getlocale()[0] or ""
    code = named.partition(".")[0].partition("@")[0]
    return code if _CODE.match(code) else FALLBACK


class Translator:
    """The texts of one language; `use` changes it while the program runs.

    Parameters
    ----------
    language : str
        A code such as ``"fr"``, or ``"auto"`` for the language of the system.
    folder : Path, optional
        Where the locale files are; `locales_folder` by default.
    environ : mapping, optional
        Environment that ``"auto"`` looks at; that of the process by default.

    Raises
    ------
    SettingsError
        If a locale file is no valid JSON object of sentences.
    TextsMissing
        If the English one is missing or broken.
    """

    def __init__(
        self, language: str = "auto", folder: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self._folder = locales_folder() if folder is None else folder
        self._environ = environ
        self._english = _read_base(self._folder / f"{FALLBACK}.json")
        self.use(language)

    @property
    def language(self) -> str:
        """Code of the language in use; never ``"auto"``."""
        return self._language

    def use(self, language: str) -> None:
        """Switch to another language; an unknown one means English."""
        code = system_language(self._environ) if language == "auto" else language
        self._language = self._nearest(code)
        translated = _read(self._folder / f"{self._language}.json")
        self._texts = self._english | _agreeing(translated, self._english)
        self.decimal = self._texts.get("locale.decimal", ".")
        """What stands between a number's whole part and its decimals."""
        self._format = _NumberFormatter(
            self.decimal,
            self._texts.get("locale.thousands", ""),
            self._texts.get("locale.percent", "%"),
            self._plural(translated),
        )

    def knows(self, language: str) -> bool:
        """Return whether there are texts in a language or the one it is a variety of; ``"auto"`` is always known."""
        names = (language, language.partition("_")[0])
        return language == "auto" or any((self._folder / f"{name}.json").is_file() for name in names)

    def languages(self) -> dict[str, str]:
        """Return the codes at hand and each language's name in its own words, ordered by code."""
        codes = sorted(path.stem for path in self._folder.glob("*.json") if _CODE.match(path.stem))
        return {code: _read(self._folder / f"{code}.json").get("locale.name", code) for code in codes}

    def has(self, key: str) -> bool:
        """Return whether a sentence for this key exists."""
        return key in self._texts

    def text(self, key: str, **params: Any) -> str:
        """Return the sentence of a key with its placeholders filled; the key itself where none exists.

        Parameters
        ----------
        key : str
        **params
            Values of the placeholders.

        Returns
        -------
        str
        """
        sentence = self._texts.get(key)
        return key if sentence is None else self._format.vformat(sentence, (), params)

    def number(self, value: float, how: str) -> str:
        """Return a number in a format as of `format`, written the language's way.

        Parameters
        ----------
        value : float
        how : str
            Format specification, such as ``.2f``; with ``.1%`` a part of one is told in hundredths.

        Returns
        -------
        str
        """
        return self._format.format_field(value, how)

    def message(self, text: Message) -> str:
        """Return the sentence of a `Message`."""
        return self.text(text.key, **text.params)

    def _plural(self, translated: Mapping[str, str]) -> Callable[[float], int]:
        name = translated.get("locale.plural", "one")
        if name not in PLURAL_RULES:
            path = self._folder / f"{self._language}.json"
            detail = f"locale.plural = {name!r}; {', '.join(PLURAL_RULES)}"
            raise SettingsError("error.bad_locale_file", path=str(path), detail=detail)
        return PLURAL_RULES[name][1]

    def _nearest(self, requested: str) -> str:
        short = requested.partition("_")[0]
        available = (code for code in (requested, short) if (self._folder / f"{code}.json").is_file())
        return next(available, FALLBACK)


class _NumberFormatter(string.Formatter):
    """`str.format` that writes numbers and counted nouns the language's way; unknown placeholders stay visible."""

    def __init__(self, decimal: str, thousands: str, percent: str, plural: Callable[[float], int]) -> None:
        self._signs = str.maketrans({".": decimal, ",": thousands, "-": _MINUS, "%": percent})
        self._plural = plural

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return kwargs.get(str(key), f"{{{key}}}")

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec.startswith(_FORMS):
            return self._form(value, format_spec[1:].split(_FORMS))
        if isinstance(value, bool) or not isinstance(value, int | float):
            return printable(str(value))
        spec = format_spec or (".6g" if isinstance(value, float) else "")
        # What is rounded to nothing has no sign.
        written = _SIGNED_ZERO.sub("", format(value, spec))
        return written.translate(self._signs)

    def _form(self, value: Any, forms: Sequence[str]) -> str:
        """Return the form of a noun for a number; the last one where the value is none or not finite."""
        try:
            number = float(value)
            return forms[min(self._plural(number), len(forms) - 1)]
        except (TypeError, ValueError, OverflowError):
            return forms[-1]


def _agreeing(translated: Mapping[str, str], english: Mapping[str, str]) -> dict[str, str]:
    return {key: sentence for key, sentence in translated.items() if _agree(sentence, english.get(key))}


def _agree(sentence: str, english: str | None) -> bool:
    try:
        return english is None or placeholders(sentence) == placeholders(english)
    except ValueError:
        return False


def _read_base(path: Path) -> dict[str, str]:
    """Return the English texts, without which there are none."""
    try:
        texts = _read(path)
    except SettingsError as fault:
        raise TextsMissing(fault.message.key, **fault.message.params) from fault
    if not texts:
        raise TextsMissing("error.bad_locale_file", path=str(path), detail="")
    return texts


def _read(path: Path) -> dict[str, str]:
    try:
        texts = json_value(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as fault:
        raise SettingsError("error.bad_locale_file", path=str(path), detail=str(fault)) from fault
    if not isinstance(texts, dict):
        raise SettingsError("error.bad_locale_file", path=str(path), detail=type(texts).__name__)
    return {str(key): sentence for key, sentence in texts.items() if isinstance(sentence, str)}
