"""Texts made from the schema: the shipped configuration file and the settings table of the docs."""

from __future__ import annotations

import json

from zemosaic.i18n import Translator
from zemosaic.settings.load import environment_name
from zemosaic.settings.schema import GROUPS, Spec, specs

__all__ = ["settings_table_markdown", "shipped_json"]


def shipped_json() -> str:
    """Return the text of `zemosaic_config.json`: every setting at its default."""
    return json.dumps({spec.key: spec.default for spec in specs()}, indent=2) + "\n"


def settings_table_markdown() -> str:
    """Return the text of `docs/settings.md`, in English."""
    words = Translator("en")
    lines = [
        "# Settings",
        "",
        "Made from `zemosaic/settings/schema.py` by `python -m zemosaic.settings`; do not edit.",
        "",
        "Each setting is a flag (`--KEY VALUE`), an environment variable (`ZEMOSAIC_` and the key in capitals) and a",
        "key of `zemosaic_config.json`. Default < shipped file < user file < environment < flag.",
    ]
    for group in GROUPS:
        lines += ["", f"## {words.text(f'group.{group}')}", ""]
        lines += ["| key | what it does | default | allowed | unit | level |", "|---|---|---|---|---|---|"]
        lines += [_row(spec, words) for spec in specs() if spec.group == group]
    example = specs()[0].key
    lines += ["", f"Example: `--{example} DIR`, `{environment_name(example)}=DIR`.", ""]
    return "\n".join(lines)


def _row(spec: Spec, words: Translator) -> str:
    label, help_text = words.text(f"setting.{spec.key}.label"), words.text(f"setting.{spec.key}.help")
    default = json.dumps(spec.default) if spec.default != "" else ""
    cells = (
        f"`{spec.key}`",
        f"**{label}.** {help_text}",
        default,
        spec.allowed,
        spec.unit,
        words.text(f"tier.{spec.tier}"),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
