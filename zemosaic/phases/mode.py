"""Which way leads to the mosaic, from the settings and what the frames' headers say; for runs and windows alike."""

from __future__ import annotations

from collections.abc import Sequence

from zemosaic.model import FrameRef
from zemosaic.mosaic.mode import ModeChoice, choose_assembly_mode
from zemosaic.settings.schema import Settings

__all__ = ["mode_of"]


def mode_of(settings: Settings, frames: Sequence[FrameRef]) -> ModeChoice:
    """Return the way that a run with these settings takes for these frames, and why."""
    return choose_assembly_mode(
        settings.mosaic_mode,
        detect_seestar=settings.auto_detect_seestar,
        force_seestar=settings.force_seestar_mode,
        frames=len(frames),
        seestar=sum(frame.is_seestar for frame in frames),
        cameras=len({frame.instrument or frame.telescope for frame in frames}),
    )
