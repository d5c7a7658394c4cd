"""What is dropped onto a window or pasted into it: the folders that it names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

__all__ = ["folders_of", "paths_of_text"]


def paths_of_text(text: str) -> list[str]:
    """Return the paths that a text names, one a line: plain, in quotation marks, or as addresses of files."""
    paths = []
    for line in text.splitlines():
        word = line.strip().strip("\"'").strip()
        if word.lower().startswith("file:"):
            address = urlparse(word)
            host = f"//{address.netloc}" if address.netloc not in ("", "localhost") else ""
            word = url2pathname(host + address.path) if not host else host + unquote(address.path)
        if word:
            paths.append(word)
    return paths


def folders_of(paths: Iterable[str]) -> list[str]:
    """Return the folders among paths, and of files the folders that hold them, each once and in their order."""
    folders: dict[str, None] = {}
    for path in paths:
        place = Path(path).expanduser()
        if place.is_absolute() and place.is_dir():
            folders.setdefault(str(place))
        elif place.is_absolute() and place.is_file():
            folders.setdefault(str(place.parent))
    return list(folders)
