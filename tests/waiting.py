"""How tests wait: for a condition and never for a time, with so much room that only what never comes fails."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 300.0
"""A clean, busy machine of half the speed, on which numba has compiled nothing yet, needs a fifth of this."""


def wait_until(condition: Callable[[], object], work: Callable[[], object] = lambda: None) -> None:
    """Return once a condition holds; `work` is done again and again meanwhile."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "what was waited for did not come"
        work()
        time.sleep(0.005)
