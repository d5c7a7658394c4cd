"""Which tests may be skipped where all of them are to run."""

from __future__ import annotations

import re

__all__ = ["ALLOWED", "allowed"]

ALLOWED = (
    r"shared|at hand|odd files is not there",  # ../shared, which only the project's own machines have
    r"CUDA|gpu_unusable|Graphics card|No module named 'cupy'",
    r"no display|Xvfb",
    r"root may read everything",
    # A system package that could not be had.
    r"(fitsverify|funpack|Siril) is not installed|no xdotool|no git here|could not import 'tkinter'|no tkinter",
    r"could not import '[\w.]+': lib[\w.-]+\.so",
    # What another system or another Python has.
    r"None cannot be freed",
    r"POSIX|Windows|Linux|this system|shell script|SIGKILL|no pipes here|share no temporary|always have a display",
)
"""Patterns of the reasons."""


def allowed(reason: str) -> bool:
    """Return whether a test may be skipped for a reason."""
    return any(re.search(pattern, reason) for pattern in ALLOWED)
