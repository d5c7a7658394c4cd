"""Time left: a phase from its own speed, the whole run from what its phases took so far.

Before anything is known the phases share the time as in `SHARES`.  Each finished phase, and the
plan's own estimate, replaces guesses by measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zemosaic.i18n import Translator

__all__ = ["SHARES", "Speed", "about_text", "coarse_text", "duration_text", "exposure_text", "remaining_s"]

SHARES: Mapping[str, float] = {
    "scan": 0.02,
    "measure": 0.25,
    "solve": 0.10,
    "calibrate": 0.05,
    "plan": 0.01,
    "stack": 0.45,
    "assemble": 0.07,
    "export": 0.05,
}
"""Part of a typical run's wall time by phase, in their order."""

PIXEL_PHASES = ("stack", "assemble", "export")
"""The phases that the plan's estimate covers."""

_MIN_SHARE = 0.1
"""Nothing is foretold from phases that are a smaller part of a run than this."""
_HALF_LIFE_S = 20.0
"""After this many seconds a step counts half as much for the speed."""


@dataclass(frozen=True)
class Speed:
    """Steps per second of a phase, recent ones counting most."""

    done: int = 0
    at_s: float = 0.0
    steps: float = 0.0
    """Steps seen, older ones fading."""
    seconds: float = 0.0
    """Time seen, fading alike."""

    @property
    def per_s(self) -> float | None:
        """Steps per second; None while unknown."""
        return self.steps / self.seconds if self.seconds > 0 and self.steps > 0 else None

    def advanced(self, done: int, at_s: float) -> Speed:
        """Return the speed after `done` steps at a time (s) of the same clock.

        Parameters
        ----------
        done : int
            Steps of the phase so far.
        at_s : float
            Time, s; one that is not later than the last, like a smaller `done`, changes nothing.
        """
        elapsed, steps = at_s - self.at_s, done - self.done
        if elapsed <= 0 or steps < 0:
            return self
        fade = 2.0 ** (-elapsed / _HALF_LIFE_S)
        return Speed(done, at_s, self.steps * fade + steps, self.seconds * fade + elapsed)

    def remaining_s(self, done: int, total: int | None) -> float | None:
        """Return the seconds for the steps left; None while the speed or the total is unknown.

        Parameters
        ----------
        done : int
            Steps of the phase so far.
        total : int or None
            All steps of the phase; None where the phase does not know them.
        """
        if total is None or self.per_s is None:
            return None
        return max(total - done, 0) / self.per_s


def remaining_s(
    taken_s: Mapping[str, float],
    current: str | None,
    current_left_s: float | None,
    planned_s: float | None,
    until: str | None = None,
    shares: Mapping[str, float] = SHARES,
) -> float | None:
    """Return the seconds left of a whole run.

    Parameters
    ----------
    taken_s : mapping
        Wall seconds of the finished phases and, so far, of the current one.
    current : str or None
        The phase that runs.
    current_left_s : float or None
        Its own estimate; None where it has none.
    planned_s : float or None
        The plan's estimate for `PIXEL_PHASES`.
    until : str, optional
        The last phase of the run; that of a mosaic by default.
    shares : mapping
        Part of the time that each phase of `SHARES` takes, as earlier runs on this computer took it.

    Returns
    -------
    float or None
        None while nothing has been learnt.
    """
    finished = {phase: seconds for phase, seconds in taken_s.items() if phase in SHARES and phase != current}
    learnt = sum(shares[phase] for phase in finished)
    spent = sum(finished.values())
    if current is not None and current in SHARES and current_left_s is not None:
        learnt += shares[current]
        spent += taken_s.get(current, 0.0) + current_left_s
    per_share = spent / learnt if learnt >= _MIN_SHARE else None
    planned_s = _corrected(planned_s, finished, current, taken_s, current_left_s, shares)
    order = list(SHARES)
    first = order.index(current) if current is not None and current in SHARES else 0
    last = len(order) if until is None else order.index(until) + 1
    left = 0.0
    for phase in order[first:last]:
        if phase in finished:
            continue
        expected = _expected_s(phase, per_share, planned_s, shares)
        if expected is None:
            return None
        if phase == current:
            expected = current_left_s if current_left_s is not None else max(expected - taken_s.get(phase, 0.0), 0.0)
        left += expected
    return left


def duration_text(seconds: float) -> str:
    """Return a duration as ``0:42``, ``12:05`` or ``3:07:09``."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def about_text(seconds: float, words: Translator) -> str:
    """Return a duration that is only estimated: ``about 40 s``, ``about 2 h 10 min``.

    Parameters
    ----------
    seconds : float
        Rounded as by `coarse_text`.
    words : Translator
    """
    return words.text("forecast.time", time=coarse_text(seconds))


def coarse_text(seconds: float) -> str:
    """Return a duration no finer than an estimate knows it: ``40 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 95:
        return f"{max(round(seconds / 10), 1) * 10} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes / 5) * 5, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def exposure_text(seconds: float, words: Translator) -> str:
    """Return an exposure time: in hours, or in minutes or seconds where it is shorter than one.

    Parameters
    ----------
    seconds : float
        Told in minutes from 100 s on, and in hours from 3600 s on.
    words : Translator
    """
    if seconds < 100:
        return words.text("unit.seconds", value=float(seconds))
    if seconds < 3600:
        return words.text("unit.minutes", value=seconds / 60)
    return words.text("unit.hours", value=seconds / 3600)


def _corrected(
    planned_s: float | None,
    finished: Mapping[str, float],
    current: str | None,
    taken_s: Mapping[str, float],
    current_left_s: float | None,
    shares: Mapping[str, float],
) -> float | None:
    """Return the plan's estimate, corrected by the pixel phases seen so far."""
    seen = {phase: seconds for phase, seconds in finished.items() if phase in PIXEL_PHASES}
    if current in PIXEL_PHASES and current_left_s is not None:
        seen[current] = taken_s.get(current, 0.0) + current_left_s
    if planned_s is None or not seen:
        return planned_s
    return sum(seen.values()) / sum(shares[phase] for phase in seen) * sum(shares[phase] for phase in PIXEL_PHASES)


def _expected_s(
    phase: str, per_share: float | None, planned_s: float | None, shares: Mapping[str, float]
) -> float | None:
    if planned_s is not None and phase in PIXEL_PHASES:
        return planned_s * shares[phase] / sum(shares[name] for name in PIXEL_PHASES)
    return None if per_share is None else per_share * shares[phase]
