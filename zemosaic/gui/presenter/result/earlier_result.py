"""The newest mosaic of an output folder, which a window shows before it has run anything."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from zemosaic.export.cards import MapKind
from zemosaic.gui.presenter.frames.frames_files import REPORT_NAME
from zemosaic.i18n import Translator
from zemosaic.text.plain_text import json_value

__all__ = ["EarlierResult", "EarlierResults", "find_earlier_result", "result_of"]

REPORT_PAGE = "run_report.html"
_MOSAIC = re.compile(r"zemosaic_MT\d+_R\d+(_.+)?\.fits(\.fz)?")
_MAPS = tuple(f"_{kind}" for kind in (*get_args(MapKind), "proper"))
"""What the names of maps end with, and of the proper coadd beside them."""
_PARTS = re.compile(r".*_(crop\d*|flattened)")
"""Names of what was made from a mosaic after it was finished."""
_MAX_APART_S = 600.0
"""The mosaics of one run are written within this time of each other."""
_HEAD_BYTES = 1 << 18
"""The beginning of a report: all but its rows of frames and tiles, which of very many frames take long to read."""
_FRAMES_KEY = '"frames": ['


@dataclass(frozen=True)
class EarlierResult:
    """What lies in an output folder."""

    mosaic: str
    mosaics: tuple[str, ...]
    report_html: str
    """Empty where there is no report."""
    frames_used: int | None = None
    frames_found: int | None = None

    def lines(self, words: Translator) -> list[str]:
        """Return what is known of it, in lines."""
        lines = [words.text("summary.mosaic", path=path) for path in self.mosaics]
        if self.frames_used is not None and self.frames_found is not None:
            dropped = self.frames_found - self.frames_used
            lines.append(words.text("summary.frames", used=self.frames_used, dropped=dropped))
        return lines


class EarlierResults:
    """Looks into one folder at a time, in the background."""

    def __init__(self) -> None:
        self.result: EarlierResult | None = None
        self._folder: str | None = None
        self._news: queue.SimpleQueue[tuple[str, EarlierResult | None]] = queue.SimpleQueue()

    def look(self, folder: str) -> None:
        """Begin to look for the newest mosaic of a folder, unless it was looked into already."""
        if folder == self._folder:
            return
        self._folder = folder
        threading.Thread(target=self._work, args=(folder,), name="earlier result", daemon=True).start()

    def forget(self) -> None:
        """Know nothing of any folder, since a run is about to change it."""
        self._folder, self.result = None, None

    def pump(self) -> bool:
        """Take in what was found; return whether it is another result than before."""
        before = self.result
        while not self._news.empty():
            folder, result = self._news.get()
            if folder == self._folder:
                self.result = result
        return self.result != before

    def _work(self, folder: str) -> None:
        self._news.put((folder, find_earlier_result(Path(folder)) if folder else None))


def find_earlier_result(folder: Path) -> EarlierResult | None:
    """Return the newest mosaic of a folder with what its report says of it; None where there is none."""
    try:
        made = {path: path.stat().st_mtime_ns for path in folder.iterdir() if _field_of(path) is not None}
    except OSError:
        return None
    if not made:
        return None
    report = _head(folder / REPORT_NAME)
    told = folder / str(report.get("mosaic") or "")
    newest = told if told in made else max(made, key=lambda path: (made[path], path.name))
    numbers = report if newest == told else {}
    combined, lines = ([path for name in names if (path := folder / name) in made] for names in _of_bands(numbers))
    siblings = [path for path in sorted(made) if _is_sibling(path, newest, made) and path not in (*combined, *lines)]
    return replace(result_of(newest), mosaics=tuple(map(str, (*combined, newest, *siblings, *lines))))


def result_of(mosaic: Path) -> EarlierResult:
    """Return a mosaic with what the report beside it says of it.

    Parameters
    ----------
    mosaic : Path
    """
    report, page = _head(mosaic.with_name(REPORT_NAME)), mosaic.with_name(REPORT_PAGE)
    numbers = report if report.get("mosaic") == mosaic.name else {}
    return EarlierResult(
        str(mosaic),
        (str(mosaic),),
        str(page) if page.is_file() else "",
        numbers.get("frames_used"),
        numbers.get("frames_found"),
    )


def _of_bands(report: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the names of the colour pictures and of the lines' planes that a report tells of."""

    def names(key: str) -> list[str]:
        entries = report.get(key)
        known = entries if isinstance(entries, list) else []
        return [str(entry.get("mosaic") or "") for entry in known if isinstance(entry, dict)]

    return names("combined"), names("line_planes")


def _field_of(path: Path) -> str | None:
    """Return which field a mosaic is named after, empty where its run had one only; None where it is none."""
    match = _MOSAIC.fullmatch(path.name)
    field = "" if match is None or match[1] is None else match[1]
    return None if match is None or field.endswith(_MAPS) or _PARTS.fullmatch(field) else field


def _is_sibling(path: Path, newest: Path, made: Mapping[Path, int]) -> bool:
    """Return whether a mosaic is that of another field of the run which made the newest one."""
    apart_s = abs(made[path] - made[newest]) / 1e9
    return path != newest and bool(_field_of(path)) and bool(_field_of(newest)) and apart_s < _MAX_APART_S


def _head(report: Path) -> dict[str, Any]:
    """Return the beginning of a report, up to its rows of frames; nothing where it cannot be read."""
    try:
        with report.open(encoding="utf-8") as file:
            head = file.read(_HEAD_BYTES)
        values = json_value(head[: head.index(_FRAMES_KEY)] + _FRAMES_KEY + "]}")
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
