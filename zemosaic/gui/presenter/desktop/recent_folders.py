"""The pairs of folders of the latest runs, to choose from again."""

from __future__ import annotations

import json
from pathlib import Path

from zemosaic.atomic import write_atomic
from zemosaic.text.plain_text import json_value

__all__ = ["MOST_PAIRS", "RecentFolders"]

MOST_PAIRS = 8
_FILE = "recent_folders.json"


class RecentFolders:
    """Keeps (input folder, output folder) of the latest runs, the newest first, in a small file of their own."""

    def __init__(self, config_folder: Path) -> None:
        self._file = config_folder / _FILE
        self.pairs = self._read()
        """The newest first; what cannot be read is as if there were none, for it is only comfort."""

    def add(self, input_dir: str, output_dir: str) -> bool:
        """Put a pair first; return whether that could be written.

        Parameters
        ----------
        input_dir, output_dir : str
            Of the latest run.
        """
        pair = input_dir, output_dir
        if self.pairs[:1] == [pair]:
            return True
        self.pairs = [pair, *(other for other in self.pairs if other != pair)][:MOST_PAIRS]
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._file, (json.dumps(self.pairs, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))
        except OSError:
            return False
        return True

    def _read(self) -> list[tuple[str, str]]:
        try:
            values = json_value(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        rows = values if isinstance(values, list) else []
        pairs = [row for row in rows if isinstance(row, list) and len(row) == 2]
        return [(one, other) for one, other in pairs if isinstance(one, str) and isinstance(other, str)][:MOST_PAIRS]
