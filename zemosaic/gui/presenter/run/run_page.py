"""What the Run page shows in either toolkit: the run's face, and the lines of the log that are fresh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zemosaic.gui.presenter.run.run_state import Status
from zemosaic.gui.presenter.run.run_text import (
    LEVELS,
    PhaseCells,
    caption_text,
    facts_text,
    known_level,
    log_line,
    phase_cells,
    time_text,
)
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.run.summary_text import warning_text
from zemosaic.gui.presenter.settings.form import with_labels

__all__ = ["LogFeed", "RunFace", "empty_text", "run_face"]


@dataclass(frozen=True)
class RunFace:
    """All that the page shows beside the picture and the log."""

    heading: str
    time: str
    fraction: float
    """Part of the run that is done, every phase counting alike."""
    phases: tuple[PhaseCells, ...]
    facts: str
    caption: str
    """Line below the picture."""
    warnings: str
    has_warnings: bool


def run_face(session: Session) -> RunFace:
    """Return what the page shows now."""
    state, words, now = session.state, session.words, session.clock()
    shares = [phase.fraction or 0.0 for phase in state.phases]
    lines = ["⚠ " + with_labels(warning_text(warning, words), words) for warning in state.warnings]
    none = "" if state.status is Status.IDLE else words.text("run.no_warnings")
    # Between two looks at a growing folder nothing is under way whose end could be foretold.
    is_waiting = session.watching and state.current is None and state.status is Status.RUNNING
    return RunFace(
        heading=words.text("run.status.watching" if is_waiting else f"run.status.{state.status.value}"),
        time="" if is_waiting else time_text(state, now, words),
        fraction=0.0 if is_waiting else sum(shares) / max(len(shares), 1),
        phases=tuple(phase_cells(phase, state, words) for phase in state.phases),
        facts=facts_text(state, words),
        caption=caption_text(state, words),
        warnings="\n".join(lines) or none,
        has_warnings=bool(lines),
    )


def empty_text(session: Session) -> str:
    """Return what stands where the mosaic would be seen while it grows."""
    has_ended = session.state.status in (Status.FAILED, Status.CANCELLED)
    return session.words.text("run.ended_without" if has_ended else "run.no_picture")


class LogFeed:
    """Hands a pane the lines of the log that it does not show yet."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._written = 0
        self._run_s: float | None = None

    def level_texts(self) -> list[str]:
        """Return the words of `LEVELS`."""
        return [self._session.words.text(f"choice.log_level.{level}") for level in LEVELS]

    def begin_again(self) -> None:
        """Hand over all lines next time."""
        self._run_s = None

    def take(self, level: str) -> tuple[bool, list[tuple[str, str]]]:
        """Return the lines that came since the last time.

        Parameters
        ----------
        level : str
            The least important level wanted.

        Returns
        -------
        is_anew : bool
            Whether what is shown goes, since these are all the lines there are.
        lines : list of (str, str)
            Each with its level.
        """
        state, words = self._session.state, self._session.words
        is_anew = state.started_s != self._run_s
        if is_anew:
            self._run_s, self._written = state.started_s, 0
        lines = state.log[len(state.log) - min(state.log_count - self._written, len(state.log)) :]
        self._written = state.log_count
        kept = [line for line in lines if LEVELS.index(known_level(line.level)) >= LEVELS.index(level)]
        return is_anew, [(log_line(line, state, words), known_level(line.level)) for line in kept]

    def save(self, path: str, text: str) -> None:
        """Write a text into a file; a failure is told at the foot of the window.

        Parameters
        ----------
        path : str
            Where the file is written, over one that is there; empty where the user chose none, and nothing is written.
        text : str
            Written in UTF-8.
        """
        if not path:
            return
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as fault:
            self._session.tell_problem("error.log_not_saved", path=path, detail=str(fault))
