"""How fast this computer was in earlier runs, and what their phases took, kept in the user's configuration folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from zemosaic.atomic import write_atomic
from zemosaic.gui.presenter.run.eta import SHARES
from zemosaic.text.plain_text import json_value

__all__ = ["learn_speed", "shares_of", "speed_of"]

FILE_NAME = "speed.json"
SHARE = 0.5
"""Weight of the newest run."""
LEAST_SHARE = 0.002
REUSING = 0.5
"""A run so much quicker than those before took over work of an earlier one: its phases tell nothing."""
MIN_FRAMES = 10
"""Shorter runs tell more of the start than of the frames."""


def speed_of(config_folder: Path) -> float | None:
    """Return the CPU seconds per frame of earlier runs; None where none is known."""
    try:
        value = float(json_value((config_folder / FILE_NAME).read_text(encoding="utf-8"))["cpu_s_per_frame"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no run yet, or a file that says nothing
    return value if 0.0 < value < 3600.0 else None


def shares_of(config_folder: Path) -> Mapping[str, float]:
    """Return the part of the time that each phase took in earlier runs; what a usual run takes where none is known."""
    try:
        told = json_value((config_folder / FILE_NAME).read_text(encoding="utf-8"))["shares"]
        shares = {phase: float(told[phase]) for phase in SHARES}
    except (OSError, ValueError, KeyError, TypeError):
        return SHARES  # no run yet, or a file that says nothing
    is_sound = all(0.0 < share < 1.0 for share in shares.values()) and 0.99 < sum(shares.values()) < 1.01
    return shares if is_sound else SHARES


def learn_speed(config_folder: Path, frames: int, cpu_s: float, walls_s: Mapping[str, float]) -> None:
    """Take in what a finished run took; a folder that cannot be written is no fault of the run.

    Parameters
    ----------
    config_folder : Path
    frames : int
    cpu_s : float
    walls_s : mapping
        Seconds that each phase took.
    """
    if frames < MIN_FRAMES or cpu_s <= 0:
        return
    known, now = speed_of(config_folder), cpu_s / frames
    mixed = now if known is None else SHARE * now + (1.0 - SHARE) * known
    shares = shares_of(config_folder)
    if known is None or now > REUSING * known:
        shares = _mixed(shares, walls_s)
    learnt = {"cpu_s_per_frame": round(mixed, 4), "shares": dict(shares)}
    try:
        config_folder.mkdir(parents=True, exist_ok=True)
        write_atomic(config_folder / FILE_NAME, json.dumps(learnt).encode())
    except OSError:
        logging.getLogger(__name__).warning("speed not kept", exc_info=True)


def _mixed(known: Mapping[str, float], walls_s: Mapping[str, float]) -> dict[str, float]:
    """Return the shares of phases after one more run; each keeps a little, for no phase ever takes nothing."""
    whole = sum(walls_s.get(phase, 0.0) for phase in SHARES)
    if whole <= 0 or any(phase not in walls_s for phase in SHARES):
        return dict(known)
    mixed = {phase: max(SHARE * walls_s[phase] / whole + (1.0 - SHARE) * known[phase], LEAST_SHARE) for phase in SHARES}
    return {phase: round(share / sum(mixed.values()), 5) for phase, share in mixed.items()}
