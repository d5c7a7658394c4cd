"""Whether the arrays in a folder are what this program writes: plain numbers, in no wrapping whatever.

Filters and compressors are named in files beside the arrays, and zarr runs those that it finds there.  Some of them
(pickle of zarr 2) run any code that the chunks hold, and a work folder may have come from somebody else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zemosaic.text.plain_text import json_value

__all__ = ["holds_plain_numbers"]

MAX_DESCRIPTION_BYTES = 1 << 20
_NUMBER_KINDS = ("<f4", "<u2", "|u1", "float32", "uint16", "uint8")
_PLAIN_CODEC = "bytes"


def holds_plain_numbers(folder: Path) -> bool:
    """Return whether all arrays that zarr would find in a folder are uncompressed, unfiltered numbers."""
    try:
        return (
            all(
                _is_plain(_description(file))
                for pattern in ("*/.zarray", "*/zarr.json", ".zarray", "zarr.json")
                for file in folder.glob(pattern)
            )
            and not (folder / ".zmetadata").exists()
        )
    except (OSError, ValueError):
        return False


def _description(file: Path) -> Any:
    with file.open("rb") as stream:
        return json_value(stream.read(MAX_DESCRIPTION_BYTES))


def _is_plain(description: Any) -> bool:
    """Return whether an array's description names no filter, compressor or object; a group's has none."""
    if not isinstance(description, dict):
        return False
    if description.get("node_type") == "group":
        return "consolidated_metadata" not in description or description["consolidated_metadata"] is None
    if "codecs" in description:  # zarr 3
        codecs = description["codecs"]
        plain = isinstance(codecs, list) and all(
            isinstance(codec, dict) and codec.get("name") == _PLAIN_CODEC for codec in codecs
        )
        return plain and not description.get("storage_transformers") and description.get("data_type") in _NUMBER_KINDS
    unwrapped = not description.get("filters") and not description.get("compressor")
    return unwrapped and description.get("dtype") in _NUMBER_KINDS
