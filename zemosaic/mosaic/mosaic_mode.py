"""Which way leads to the mosaic: straight from the frames (Grid), or by master tiles (Classic)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from zemosaic.errors import Message, message
from zemosaic.model import FrameRef
from zemosaic.settings.schema import Settings

__all__ = ["AssemblyMode", "ModeChoice", "choose_assembly_mode", "mode_of"]

MIN_SEESTAR_FRACTION = 0.5
"""Part of the frames that must come from a Seestar for its way to be taken."""


class AssemblyMode(StrEnum):
    """How a mosaic is made."""

    GRID = "grid"
    """Every frame straight onto the mosaic's pixels, tile by tile."""
    CLASSIC = "classic"
    """A master tile per group of frames; the master tiles make the mosaic."""


@dataclass(frozen=True)
class ModeChoice:
    """A way and why it was taken."""

    mode: AssemblyMode
    reason: Message


def choose_assembly_mode(
    requested: str, *, detect_seestar: bool, force_seestar: bool, frames: int, seestar: int, cameras: int
) -> ModeChoice:
    """Return the way to the mosaic; the only place where that is decided.

    Parameters
    ----------
    requested : {"auto", "grid", "classic"}
    detect_seestar : bool
        Whether frames of a Seestar decide for Grid where nothing else is wanted.
    force_seestar : bool
        Whether Grid is taken whatever else is said.
    frames, seestar : int
        Frames found, and how many of them say that they come from a Seestar.
    cameras : int
        Instruments that the frames come from.
    """
    if force_seestar:
        return ModeChoice(AssemblyMode.GRID, message("log.mode_forced"))
    if requested == "grid":
        return ModeChoice(AssemblyMode.GRID, message("log.mode_grid_wanted"))
    if requested == "classic":
        return ModeChoice(AssemblyMode.CLASSIC, message("log.mode_classic_wanted"))
    if detect_seestar and frames and seestar >= MIN_SEESTAR_FRACTION * frames:
        return ModeChoice(AssemblyMode.GRID, message("log.mode_seestar", seestar=seestar, frames=frames))
    if cameras <= 1:
        return ModeChoice(AssemblyMode.GRID, message("log.mode_one_camera"))
    return ModeChoice(AssemblyMode.CLASSIC, message("log.mode_several_cameras", cameras=cameras))


def mode_of(settings: Settings, frames: Sequence[FrameRef]) -> ModeChoice:
    """Return the way that a run with these settings takes for these frames, and why.

    Parameters
    ----------
    settings : Settings
    frames : sequence of FrameRef
        Those that take part.

    Returns
    -------
    ModeChoice
    """
    return choose_assembly_mode(
        settings.mosaic_mode,
        detect_seestar=settings.auto_detect_seestar,
        force_seestar=settings.force_seestar_mode,
        frames=len(frames),
        seestar=sum(frame.is_seestar for frame in frames),
        cameras=len({frame.instrument or frame.telescope for frame in frames}),
    )
