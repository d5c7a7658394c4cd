"""What a button's menu offers, whatever toolkit shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MenuEntry"]


@dataclass(frozen=True)
class MenuEntry:
    """One line of a menu."""

    text: str
    act: Callable[[], None]
    """What is done when it is chosen."""
    is_enabled: bool = True
    is_checked: bool | None = None
    """Whether its box is ticked; None for a line without a box."""
    picture: NDArray[np.uint8] | None = None
    """A small picture before the text, shape (h, w, 3)."""
