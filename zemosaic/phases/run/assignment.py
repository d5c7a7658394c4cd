"""What a run is asked to do: its settings, how far it goes, and which files it leaves alone."""

from __future__ import annotations

from dataclasses import dataclass

from zemosaic.events import Preparation
from zemosaic.settings.schema import Settings

__all__ = ["Assignment"]


@dataclass(frozen=True)
class Assignment:
    """One run as its front end asked for it."""

    settings: Settings
    until: Preparation | None = None
    """The last phase of a run that only prepares; None for a run to the mosaic."""
    pictures: bool = True
    """Whether anybody looks at pictures of the mosaic while it grows."""
    only: frozenset[str] | None = None
    """Paths of the files that the run may look at, where others are still being written; None for all."""
