"""How the window was left: its place, theme and view, in a small file of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from zemosaic.atomic import write_atomic
from zemosaic.gui.presenter.frames.frame_table import COLUMNS
from zemosaic.gui.presenter.frames.map_picture import COLOURINGS
from zemosaic.settings.schema import TIERS
from zemosaic.text.plain_text import json_value

__all__ = ["THEMES", "VIEWS", "WindowState", "load_window_state", "save_window_state", "window_state_file"]

THEMES = ("system", "light", "dark")
VIEWS = ("frames", "settings", "run", "result")
"""The views in their order."""


@dataclass(frozen=True)
class WindowState:
    """What a window remembers from one start to the next."""

    geometry: str = ""
    """``WIDTHxHEIGHT+X+Y``; empty for a first start."""
    maximised: bool = False
    theme: str = "system"
    tier: str = "basic"
    log_level: str = "INFO"
    view: str = "settings"
    columns: Mapping[str, int] = field(default_factory=dict)
    """Widths of the columns of the table of frames, in pixels."""
    shown_columns: Sequence[str] = field(default_factory=list)
    """The columns of that table in their order; empty for all."""
    sort_column: str = "file"
    sort_downward: bool = False
    colouring: str = "night"
    """What the colours of the map mean."""
    map_share: float = 0.44
    """Part of the width of the Frames page that the map takes."""
    plot_shown: bool = False
    """Whether the plot of metrics stands where the map is else."""
    plot_x: str = "time"
    plot_y: str = "fwhm"
    welcomed: bool = False
    """Whether the card of the first start was put away."""


def window_state_file(config_folder: Path, toolkit: str = "") -> Path:
    """Return the path of the file; each toolkit counts pixels its own way and has its own.

    Parameters
    ----------
    config_folder : Path
        The user's configuration folder.
    toolkit : str
        Part of the file's name: ``qt``, or empty for Tk.
    """
    return config_folder / (f"window_{toolkit}.json" if toolkit else "window.json")


def load_window_state(path: Path) -> WindowState:
    """Return what was saved; whatever cannot be read is as at a first start, for it is only comfort."""
    try:
        values = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return WindowState()
    if not isinstance(values, dict):
        return WindowState()
    return WindowState(**{item.name: values[item.name] for item in fields(WindowState) if _fits(item.name, values)})


def save_window_state(state: WindowState, path: Path) -> bool:
    """Write the state; return whether it could be written.

    Parameters
    ----------
    state : WindowState
    path : Path
        As `window_state_file` gives it; its folder is made where it is missing.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, (json.dumps(asdict(state), indent=2) + "\n").encode("utf-8"))
    except OSError:
        return False
    return True


def _fits(name: str, values: Mapping[str, Any]) -> bool:
    allowed = {
        "theme": THEMES,
        "view": VIEWS,
        "tier": TIERS,
        "log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
        "sort_column": COLUMNS,
        "colouring": COLOURINGS,
    }
    value = values.get(name)
    if name == "shown_columns":
        return isinstance(value, list) and set(value) <= set(COLUMNS) and len(set(value)) == len(value)
    if name == "map_share":
        return isinstance(value, float) and 0.1 <= value <= 0.9
    if name == "columns":
        return isinstance(value, dict) and all(type(width) is int and 0 < width < 4000 for width in value.values())
    if name in allowed:
        return value in allowed[name]
    return isinstance(value, type(getattr(WindowState(), name)))
