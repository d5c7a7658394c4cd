"""What the phases tell: lines of the log, warnings, and frames that are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from zemosaic.errors import Message
from zemosaic.events import Event, FrameDropped, Logged, Warned
from zemosaic.model import Dropped

__all__ = ["Reporter"]


@dataclass
class Reporter:
    """Tells the front end what happens, and keeps what the report of the run repeats."""

    emit: Callable[[Event], None]
    """Sends an event to the front end and to the log file."""
    dropped: list[Dropped] = field(default_factory=list)
    """Frames left out so far."""
    warnings: list[Message] = field(default_factory=list)
    """Warnings given so far."""

    def warn(self, text: Message) -> None:
        """Warn the user; every fallback is told this way."""
        self.warnings.append(text)
        self.emit(Warned(text))

    def log(self, text: Message, level: str = "INFO") -> None:
        """Add a line to the log.

        Parameters
        ----------
        text : Message
        level : str
            Name of a level of the `logging` module.
        """
        self.emit(Logged(level, text))

    def drop(self, dropped: Dropped) -> None:
        """Leave a frame out and say why."""
        self.dropped.append(dropped)
        told = (dropped.frame_id, dropped.path, dropped.phase, dropped.status.value, dropped.reason, dropped.by_hand)
        self.emit(FrameDropped(*told))
