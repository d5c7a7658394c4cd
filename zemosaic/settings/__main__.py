"""Write the files made from the schema: ``python -m zemosaic.settings``."""

from __future__ import annotations

from pathlib import Path

from zemosaic.settings.generate import settings_table_markdown, shipped_json

_ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    (_ROOT / "zemosaic_config.json").write_text(shipped_json(), encoding="utf-8", newline="\n")
    (_ROOT / "docs" / "settings.md").write_text(settings_table_markdown(), encoding="utf-8", newline="\n")
