"""How fast this computer was in earlier runs, kept in the user's configuration folder."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from zemosaic.atomic import write_atomic
from zemosaic.text.plain_text import json_value

__all__ = ["learn_speed", "speed_of"]

FILE_NAME = "speed.json"
SHARE = 0.5
"""Weight of the newest run."""
MIN_FRAMES = 10
"""Shorter runs tell more of the start than of the frames."""


def speed_of(config_folder: Path) -> float | None:
    """Return the CPU seconds per frame of earlier runs; None where none is known."""
    try:
        value = float(json_value((config_folder / FILE_NAME).read_text(encoding="utf-8"))["cpu_s_per_frame"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no run yet, or a file that says nothing
    return value if 0.0 < value < 3600.0 else None


def learn_speed(config_folder: Path, frames: int, cpu_s: float) -> None:
    """Take in what a finished run took; a folder that cannot be written is no fault of the run."""
    if frames < MIN_FRAMES or cpu_s <= 0:
        return
    known, now = speed_of(config_folder), cpu_s / frames
    mixed = now if known is None else SHARE * now + (1.0 - SHARE) * known
    try:
        config_folder.mkdir(parents=True, exist_ok=True)
        write_atomic(config_folder / FILE_NAME, json.dumps({"cpu_s_per_frame": round(mixed, 4)}).encode())
    except OSError:
        logging.getLogger(__name__).warning("speed not kept", exc_info=True)
