"""Texts made from the schema: the shipped configuration file and the settings pages of the docs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from zemosaic.i18n import Translator
from zemosaic.settings.load import environment_name
from zemosaic.settings.schema import GROUPS, Spec, specs

__all__ = ["SETTINGS_PAGES", "settings_table_markdown", "shipped_json"]

SETTINGS_PAGES: Mapping[str, str] = {"en": "docs/settings.md", "fr": "docs/fr/reglages.md"}
"""The page of each language that has one, from the top of the checkout."""


@dataclass(frozen=True)
class _Wording:
    """What a page says beside the labels and helps of the settings, which come from the locales."""

    title: str
    introduction: tuple[str, ...]
    columns: tuple[str, ...]
    example: str
    kinds: Mapping[str, str]
    """Words that stand for the allowed values."""


_WORDING: Mapping[str, _Wording] = {
    "en": _Wording(
        title="Settings",
        introduction=(
            "Made from `zemosaic/settings/schema.py` by `python -m zemosaic.settings`; do not edit.",
            "",
            "Each setting is a flag (`--KEY VALUE`), an environment variable (`ZEMOSAIC_` and the key in capitals)",
            "and a key of `zemosaic_config.json`. Default < shipped file < user file < environment < flag.",
        ),
        columns=("key", "what it does", "default", "allowed", "unit", "level"),
        example="Example:",
        kinds={},
    ),
    "fr": _Wording(
        title="Réglages",
        introduction=(
            "Page produite à partir de `zemosaic/settings/schema.py` par `python -m zemosaic.settings`.",
            "Ne la modifiez pas à la main.",
            "",
            "Chaque réglage est une option (`--CLÉ VALEUR`), une variable d’environnement (`ZEMOSAIC_` suivi de la",
            "clé en majuscules) et une clé de `zemosaic_config.json`. Par priorité croissante\N{NO-BREAK SPACE}:",
            "valeur par défaut, fichier livré,",
            "fichier de l’utilisateur, environnement, option.",
        ),
        columns=("clé", "rôle", "par défaut", "valeurs possibles", "unité", "niveau"),
        example="Exemple\N{NO-BREAK SPACE}:",
        kinds={
            "folder": "dossier",
            "file": "fichier",
            "file or folder": "fichier ou dossier",
            "text": "texte",
            "RA, Dec, width, height (deg)": "AD, Déc, largeur, hauteur (deg)",
        },
    ),
}


def shipped_json() -> str:
    """Return the text of `zemosaic_config.json`: every setting at its default."""
    return json.dumps({spec.key: spec.default for spec in specs()}, indent=2) + "\n"


def settings_table_markdown(language: str = "en") -> str:
    """Return the text of a settings page.

    Parameters
    ----------
    language : str
        A key of `SETTINGS_PAGES`.

    Returns
    -------
    str
        Markdown with one table for each group of settings.

    Raises
    ------
    KeyError
        If there is no page in this language.
    """
    wording, words = _WORDING[language], Translator(language)
    lines = [f"# {wording.title}", "", *wording.introduction]
    for group in GROUPS:
        lines += ["", f"## {words.text(f'group.{group}')}", ""]
        lines += [f"| {' | '.join(wording.columns)} |", "|---" * len(wording.columns) + "|"]
        lines += [_row(spec, words, wording) for spec in specs() if spec.group == group]
    example = specs()[0].key
    lines += ["", f"{wording.example} `--{example} DIR`, `{environment_name(example)}=DIR`.", ""]
    return "\n".join(lines)


def _row(spec: Spec, words: Translator, wording: _Wording) -> str:
    label, help_text = words.text(f"setting.{spec.key}.label"), words.text(f"setting.{spec.key}.help")
    default = json.dumps(spec.default, ensure_ascii=False) if spec.default != "" else ""
    cells = (
        f"`{spec.key}`",
        f"**{label}.** {help_text}",
        default,
        wording.kinds.get(spec.allowed, spec.allowed),
        spec.unit,
        words.text(f"tier.{spec.tier}"),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
