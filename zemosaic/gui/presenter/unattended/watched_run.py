"""A run over a folder that is still growing: preparations over what is there, then the run that makes the mosaic.

Each preparation measures, solves and judges the frames that are complete, and shows a quick look.  What it learns is
kept in the work folder, so that the next one, and the run to the mosaic, take over whatever is still the same; the
mosaic is that of a plain run over all frames, byte for byte, because it is made by one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from zemosaic.errors import OutputError, SettingsError, message
from zemosaic.events import Event, Preparation, PreparationFinished, RunCancelled, RunFailed, RunFinished, Warned
from zemosaic.events import Watching as WatchingEvent
from zemosaic.gui.presenter.run.runs import RunHandle, Starter, waiting_events
from zemosaic.gui.presenter.unattended.growing_folder import Look
from zemosaic.settings.clock import parse_clock
from zemosaic.settings.schema import Settings

__all__ = ["Looker", "WatchEnd", "WatchedRun", "watch_end"]

GROWTH = 0.1
"""A preparation begins once so large a part of the frames of the last one has been added..."""
QUIET_S = 30.0
"""...or once nothing was added for so long, but after a pause as long as the last preparation took: a camera of long
exposures would otherwise have its frames looked at anew after each of them."""
LAST_WAIT_S = 60.0
"""Files that are being written when the mosaic is wanted have so long to be finished."""
_FATAL = (SettingsError.exit_code, OutputError.exit_code)
"""Failures that more frames do not mend."""
_ENDINGS = (PreparationFinished, RunFinished, RunCancelled, RunFailed)


class Looker(Protocol):
    """Looks at a folder, as `FolderLooker` does."""

    def look(self) -> Look | None:
        """Return the latest look; None before the first one."""

    def close(self) -> None:
        """Look no more."""


@dataclass(frozen=True)
class WatchEnd:
    """When a watch makes the mosaic by itself."""

    idle_s: float = 0.0
    """After so many seconds without a change in a folder that holds frames; 0 for never."""
    at: datetime | None = None
    """At this time of the day's clock."""

    def reached(self, look: Look, now: datetime) -> bool:
        """Return whether the mosaic is due.

        Parameters
        ----------
        look : Look
            At the folder.
        now : datetime
            The day's clock.
        """
        is_idle = self.idle_s > 0 and bool(look.settled) and look.quiet_s >= self.idle_s
        return is_idle or (self.at is not None and now >= self.at)


def watch_end(settings: Settings, begin: datetime) -> WatchEnd:
    """Return when a watch ends by its settings.

    Parameters
    ----------
    settings : Settings
    begin : datetime
        When it begins, of the day's clock; the time that the settings name is the next one after that.
    """
    at = None
    clock = parse_clock(settings.watch_until)
    if clock is not None:
        at = datetime.combine(begin.date(), clock, begin.tzinfo)
        if at <= begin:
            at += timedelta(days=1)
    return WatchEnd(60.0 * settings.watch_idle_min, at)


class WatchedRun:
    """Runs over a growing folder as one `RunHandle`.

    Parameters
    ----------
    settings : Settings
    start : Starter
    looker : Looker
    end : WatchEnd
    clock : callable
        Monotonic seconds.
    now : callable
        The day's clock.
    """

    def __init__(
        self,
        settings: Settings,
        start: Starter,
        looker: Looker,
        end: WatchEnd,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._settings, self._start, self._looker, self._end = settings, start, looker, end
        self._clock, self._now = clock, now
        self._run: RunHandle | None = None
        self._is_last = False
        self._looked_at: frozenset[str] = frozenset()
        """Files of the latest preparation."""
        self._finish_asked_s: float | None = None
        self._stop_asked_s: float | None = None
        self._given_up_s: float | None = None
        """When a preparation was asked to stop, since the mosaic is wanted of more frames than it has."""
        self._began_s = self._ended_s = self._took_s = 0.0
        """When the latest run began and ended, and how long it took."""
        self._held = self._over = False
        self._told: WatchingEvent | None = None

    @property
    def alive(self) -> bool:
        """Whether more events may come."""
        return not self._over

    @property
    def finishing(self) -> bool:
        """Whether the mosaic is being made, or about to be."""
        return self._finish_asked_s is not None

    def finish(self) -> None:
        """Wait for no more frames and make the mosaic of what is there."""
        if self._finish_asked_s is None:
            self._finish_asked_s = self._clock()

    def cancel(self) -> None:
        """Ask the run under way, and the watch with it, to stop; `RunCancelled` follows."""
        self._stop_asked_s = self._clock()
        if self._run is not None:
            self._run.cancel()

    def pause(self) -> None:
        """Hold the run under way, and begin none."""
        self._held = True
        if self._run is not None:
            self._run.pause()

    def resume(self) -> None:
        """Go on."""
        self._held = False
        if self._run is not None:
            self._run.resume()

    def close(self) -> None:
        """End whatever runs."""
        self._looker.close()
        self._over = True
        if self._run is not None:
            self._run.close()
            self._run = None

    def poll(self) -> list[Event]:
        """Return the events waiting, and begin the next run where one is due; never block for long."""
        if self._over:
            return []
        look, events = self._looker.look(), list[Event]()
        if look is None:
            look = Look()
        elif self._end.reached(look, self._now()):
            self.finish()
        if self._run is not None:
            events = self._news(self._run, look)
        elif self._stop_asked_s is not None:
            self._over = True
            return [RunCancelled(self._settings.output_dir)]
        elif not self._held and self._looker.look() is not None:
            self._begin_if_due(look, events)
        told = WatchingEvent(
            len(look.settled), len(look.settled - self._looked_at), len(look.unfinished), self.finishing
        )
        if told != self._told and not self._over and not (self._is_last and self._told is not None):
            self._told = told
            events.append(told)
        return events

    def _begin_if_due(self, look: Look, events: list[Event]) -> None:
        fresh = len(look.settled - self._looked_at)
        if self._finish_asked_s is not None:
            waited_s = self._clock() - self._finish_asked_s
            if look.unfinished and waited_s < LAST_WAIT_S:
                return
            if look.unfinished:
                events.append(Warned(message("warning.files_unfinished", count=len(look.unfinished))))
            self._is_last = True
            self._begin(None, look)
        elif fresh >= max(GROWTH * len(self._looked_at), 1) or (fresh and self._has_rested(look)):
            self._begin("plan", look)

    def _has_rested(self, look: Look) -> bool:
        """Return whether few new frames are worth a preparation."""
        return look.quiet_s >= QUIET_S and self._clock() - self._ended_s >= self._took_s

    def _begin(self, until: Preparation | None, look: Look) -> None:
        settings = self._settings
        # Only the first run may begin from scratch: the others go on with its work.
        self._settings = settings.model_copy(update={"resume": "auto"})
        self._looked_at = look.settled
        self._given_up_s = None
        self._began_s = self._clock()
        self._run = self._start(settings, until, only=look.settled)

    def _news(self, run: RunHandle, look: Look) -> list[Event]:
        is_outrun = self.finishing and not self._is_last and (look.settled != self._looked_at or look.unfinished)
        if is_outrun and self._given_up_s is None:
            self._given_up_s = self._clock()
            run.cancel()
        asked_s = self._stop_asked_s if self._stop_asked_s is not None else self._given_up_s
        events = waiting_events(run, None if asked_s is None else self._clock() - asked_s)
        if events and isinstance(events[-1], _ENDINGS):
            ending = events.pop()
            run.close()
            self._run = None
            self._ended_s = self._clock()
            self._took_s = self._ended_s - self._began_s
            events += self._after(ending)
        return events

    def _after(self, ending: Event) -> list[Event]:
        """Return what is told of a run's end: nothing where the watch goes on and all is well."""
        is_fatal = isinstance(ending, RunFailed) and ending.exit_code in _FATAL
        is_stopped = isinstance(ending, RunCancelled) and self._stop_asked_s is not None
        if self._is_last or is_fatal or is_stopped:
            self._over = True
            self._looker.close()
            return [ending]
        return [Warned(ending.error)] if isinstance(ending, RunFailed) else []
