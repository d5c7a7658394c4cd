"""The work folder of a run: its journal, its stores, and files of the moment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zemosaic.store.journal import Journal

__all__ = ["RunFolder"]


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps what it has learnt and made so far."""

    path: Path
    journal: Journal

    @property
    def scratch(self) -> Path:
        """Where decoded frames and defect maps lie during the run."""
        return self.path / "scratch"

    def stores(self, number: int) -> Path:
        """Return where the tiles lie of a run that has so many finished runs before it in this folder."""
        return self.path / f"night_{number}" if number else self.path
