"""Texts for the report's tests: the merged locale files, the parts not merged yet, and the tests' own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zemosaic.i18n import Translator

LOCALES = Path(__file__).resolve().parents[2] / "locales"
OWN = {
    "reason.test_fwhm": "Stars are {fwhm:.1f} arcsec wide; the limit is {limit:.1f}.",
    "reason.test_unsolved": "Only {stars} stars <b>found</b> & nothing matched.",
    "reason.empty_file": "The file is empty.",
    "warning.test": "Something odd happened {n} times.",
}


@pytest.fixture(scope="session")
def translators(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Translator]:
    folder = tmp_path_factory.mktemp("locales")
    for language in ("en", "fr"):
        texts: dict[str, str] = {}
        for path in (LOCALES / f"{language}.json", LOCALES / "parts" / f"export.{language}.json"):
            if path.is_file():
                texts |= json.loads(path.read_text(encoding="utf-8"))
        (folder / f"{language}.json").write_text(json.dumps(texts | OWN), encoding="utf-8")
    return {language: Translator(language, folder) for language in ("en", "fr")}
