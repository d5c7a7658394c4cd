"""What every phase may use: settings, reporter, workers, the run's folder, timer, and the previous run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zemosaic import __version__
from zemosaic.compute.machine_resources import ResourceMonitor
from zemosaic.errors import InputGone, Message
from zemosaic.events import Event
from zemosaic.model import Dropped, FrameRef, FrameStatus
from zemosaic.phases.previous_run.state import PreviousRun
from zemosaic.phases.run.phase_timer import PhaseTimer
from zemosaic.phases.run.reporter import Reporter
from zemosaic.phases.run.run_folder import RunFolder
from zemosaic.phases.run.workers import Workers
from zemosaic.settings.schema import Settings, specs
from zemosaic.store.journal import Journal, digest
from zemosaic.zeanalyser.verdicts import QualityLimits

__all__ = ["RunContext", "camera_groups", "make_context", "phase_digest", "quality_limits"]


@dataclass
class RunContext:
    """The run as its phases see it: parts that can be passed on their own."""

    settings: Settings
    reporter: Reporter
    workers: Workers
    folder: RunFolder
    timer: PhaseTimer
    previous_run: PreviousRun | None = None
    """What is known from the previous run; None where nothing is to be kept."""
    pictures: bool = True
    """Whether anybody looks at pictures of the mosaic while it grows."""
    only: frozenset[str] | None = None
    """Paths of the files that the run may look at; None for all of the input folder."""

    @property
    def output_dir(self) -> Path:
        return Path(self.settings.output_dir)

    @property
    def scratch(self) -> Path:
        """Where decoded frames and defect maps lie during the run."""
        return self.folder.scratch

    @property
    def stores(self) -> Path:
        """Where this run's tiles lie, beside those of the last finished run."""
        return self.folder.stores(self.previous_run.number if self.previous_run is not None else 0)

    def warn(self, text: Message) -> None:
        """Warn the user, see `Reporter.warn`."""
        self.reporter.warn(text)

    def log(self, text: Message, level: str = "INFO") -> None:
        """Add a line to the log, see `Reporter.log`.

        Parameters
        ----------
        text : Message
        level : str
            Name of a level of the `logging` module.
        """
        self.reporter.log(text, level)

    def drop(self, dropped: Dropped) -> None:
        """Leave a frame out and say why, see `Reporter.drop`.

        Raises
        ------
        InputGone
            Where a frame cannot be read because the whole input folder is away: no frame is to blame, and the run
            goes on where it stood once the folder is back.
        """
        if dropped.status is FrameStatus.UNREADABLE and _is_gone(Path(self.settings.input_dir)):
            raise InputGone("error.input_gone", folder=self.settings.input_dir)
        self.reporter.drop(dropped)


def _is_gone(folder: Path) -> bool:
    """Whether a folder is not there, cannot be read, or holds nothing, as one where a share was mounted."""
    try:
        return next(folder.iterdir(), None) is None
    except OSError:
        return True


def make_context(
    *,
    settings: Settings,
    emit: Callable[[Event], None],
    workers: Workers,
    journal: Journal,
    monitor: ResourceMonitor,
    paused_s: Callable[[], float] = float,
    pictures: bool = True,
    only: frozenset[str] | None = None,
) -> RunContext:
    """Return the context of a run, put together from what the process of the run has.

    Parameters
    ----------
    settings : Settings
    emit : callable
        Takes events for the front end.
    workers : Workers
        Their `run_files` are the run's work folder.
    journal : Journal
    monitor : ResourceMonitor
    paused_s : callable, optional
        Returns the seconds that the run was paused so far.
    pictures : bool
        Whether anybody looks at pictures of the mosaic while it grows.
    only : frozenset of str, optional
        Paths of the files that the run may look at; all of the input folder by default.
    """
    return RunContext(
        settings=settings,
        reporter=Reporter(emit),
        workers=workers,
        folder=RunFolder(workers.run_files, journal),
        timer=PhaseTimer(emit, monitor, workers.check_cancelled, paused_s),
        pictures=pictures,
        only=only,
    )


def phase_digest(settings: Settings, phase: str, *parts: object) -> str:
    """Return the digest of what a phase's result depends on: its settings, the version and `parts`.

    Parameters
    ----------
    settings : Settings
        Those count that affect the phase, see `affects` in the schema.
    phase : str
    *parts : object
        Plain values, see `zemosaic.store.journal.digest`.
    """
    values = {spec.key: getattr(settings, spec.key) for spec in specs() if phase in spec.affects}
    return digest(phase, __version__, values, *parts)


def quality_limits(settings: Settings) -> QualityLimits:
    """Return what the user calls a good frame."""
    return QualityLimits(
        settings.quality_max_fwhm_ratio,
        settings.quality_max_eccentricity,
        settings.quality_min_transparency,
        settings.quality_max_sky_ratio,
        settings.quality_min_star_ratio,
    )


def camera_groups(frames: Sequence[FrameRef]) -> list[int]:
    """Return the number of each frame's camera group, counted in the order of appearance.

    Frames read off by a row or column have another Bayer pattern, but the light falls on them alike.
    """
    numbers: dict[object, int] = {}
    keys = [frame.camera_key._replace(bayer=None if frame.bayer is None else "Bayer") for frame in frames]
    return [numbers.setdefault(key, len(numbers)) for key in keys]
