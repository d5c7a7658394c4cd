"""Write the files made from the schema: ``python -m zemosaic.settings``."""

from __future__ import annotations

from pathlib import Path

from zemosaic.settings.generate import SETTINGS_PAGES, settings_table_markdown, shipped_json

_ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    (_ROOT / "zemosaic_config.json").write_text(shipped_json(), encoding="utf-8", newline="\n")
    for language, page in SETTINGS_PAGES.items():
        (_ROOT / page).parent.mkdir(parents=True, exist_ok=True)
        (_ROOT / page).write_text(settings_table_markdown(language), encoding="utf-8", newline="\n")
