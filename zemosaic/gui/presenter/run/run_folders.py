"""Folders of one run that are not those of the form: the demo's, or those of a job in the queue."""

from __future__ import annotations

from dataclasses import dataclass

from zemosaic.settings.schema import Settings

__all__ = ["FOLDERS", "RunFolders"]

FOLDERS = ("input_dir", "output_dir")
"""Settings without which no run begins."""


@dataclass(frozen=True)
class RunFolders:
    """Where a run's frames lie and where its mosaic goes, while the form keeps the user's own folders."""

    input_dir: str
    output_dir: str

    def applied(self, settings: Settings) -> Settings:
        """Return settings for these folders: without the choice of frames and of the sky that belongs to others."""
        folders = {"input_dir": self.input_dir, "output_dir": self.output_dir}
        return settings.model_copy(update=folders | {"excluded_frames": "", "region_of_interest": ""})
