"""Writing to consoles of every kind, and the progress of a run on one of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from types import TracebackType
from typing import TextIO

from zemosaic.events import Watching
from zemosaic.gui.presenter.run.eta import duration_text
from zemosaic.gui.presenter.run.run_state import Phase, PhaseStatus, RunState, Status
from zemosaic.gui.presenter.run.summary_text import phase_name, plan_text, speed_text, warning_text, watch_text
from zemosaic.i18n import Translator
from zemosaic.text.plain_text import printable

__all__ = ["Console", "Progress"]

_PLAIN = str.maketrans(
    {"\u00a0": " ", "\u202f": " ", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"', "…": "...", "–": "-", "—": "-",
     "×": "x", "→": "->", "œ": "oe", "Œ": "OE", "█": "#", "░": ".", "✓": "ok", "σ": "sigma", "−": "-", "≥": ">="}
)  # fmt: skip
"""What stands for characters that an old console lacks."""
_REDRAW_S = 0.1
_PLAIN_EVERY_S = 30.0
"""Between lines of progress where nothing can be redrawn."""


class Console:
    """Standard output and error; a program without a console writes nowhere."""

    def __init__(self, out: TextIO | None, error: TextIO | None) -> None:
        self._out = out
        self._error = error
        self.redraws = error is not None and error.isatty()
        """Whether a line of standard error can be drawn again."""

    @property
    def width(self) -> int:
        """Columns."""
        return shutil.get_terminal_size((100, 24)).columns

    def out(self, text: str) -> None:
        """Write lines to standard output; where that is gone, say so once on standard error and go without."""
        lost = _write(self._out, text + "\n")
        if lost:
            self._out = None
            self.error(f"stdout: {lost}")

    def error(self, text: str, end: str = "\n") -> None:
        """Write lines to standard error; where that is gone, go without.

        Parameters
        ----------
        text : str
            Control characters other than line ends and tabs are replaced, as are letters that the console lacks.
        end : str
            Follows the text; empty where the line is to be drawn again.
        """
        if _write(self._error, text + end):
            self._error = None


def _write(stream: TextIO | None, text: str) -> str:
    """Write to a stream; returns why it cannot be written any more, if so, and empty for a reader who has left."""
    if stream is None:
        return ""
    encoding = stream.encoding or "utf-8"
    text = printable(text, keep="\n\r\t")
    text = "".join(char if _can(char, encoding) else char.translate(_PLAIN) for char in text)
    text = text.encode(encoding, "replace").decode(encoding)
    try:
        stream.write(text)
        stream.flush()
    except OSError as fault:
        # A pager has left, the terminal is closed, a disk is full: no reason to end a run of hours.
        # What the stream holds back goes nowhere, lest it fail again at the end.
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        return "" if isinstance(fault, BrokenPipeError) else fault.strerror or str(fault)
    return ""


def _can(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


class Progress:
    """Shows each phase as one bar on a terminal, and as plain lines elsewhere."""

    def __init__(self, console: Console, words: Translator) -> None:
        self._console = console
        self._words = words
        self._finished: set[str] = set()
        self._started: set[str] = set()
        self._warned = 0
        self._found = False
        self._planned = False
        self._paused = False
        self._watched = ""
        self._drawn_s = 0.0
        self._line = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def say(self, text: str) -> None:
        """Write a line above the bar."""
        self._clear()
        self._console.error(text)

    def step(self, name: str, done: int, total: int) -> None:
        """Show work that is no phase of a run: a bar on a terminal, elsewhere one line at its end.

        Parameters
        ----------
        name : str
            What is worked at, in the user's language.  A name whose work has ended is not told again.
        done, total : int
            Parts that are finished, and all of them.
        """
        now = time.monotonic()
        if self._console.redraws and (done >= total or now - self._drawn_s > _REDRAW_S):
            self._draw(f"{name}  {_bar(done / max(total, 1))}  {done}/{total}", now)
        if done >= total and name not in self._finished:
            self._finished.add(name)
            self.say(f"{name}  {done}/{total}")

    def show(self, state: RunState, at_s: float) -> None:
        """Show where the run stands; what was told before is not told again.

        Parameters
        ----------
        state : RunState
        at_s : float
            The time now, in seconds of the clock that `state` counts by.
        """
        for warning in state.warnings[self._warned :]:
            self.say(self._words.text("summary.warning", text=warning_text(warning, self._words)))
        self._warned = len(state.warnings)
        if state.found is not None and not self._found:
            self._found = True
            for line in state.found.given:
                self.say("  " + self._words.message(line))
        for phase in state.phases:
            if phase.status is PhaseStatus.DONE and phase.name not in self._finished:
                self._finished.add(phase.name)
                self.say(self._done_line(phase))
        if state.plan is not None and not self._planned:
            self._planned = True
            self.say("  " + plan_text(state, self._words))
        paused = state.status is Status.PAUSED
        if paused != self._paused:
            self._paused = paused
            self.say(self._words.text("cli.paused" if paused else "cli.resumed"))
        current = state.phase(state.current) if state.current else None
        if current is None and state.watch is not None and not state.status.over:
            self._show_watch(state.watch, at_s)
        if current is None or state.status.over or paused:
            return
        pause = _REDRAW_S if self._console.redraws else _PLAIN_EVERY_S
        if at_s - self._drawn_s >= pause or current.name not in self._started:
            self._started.add(current.name)
            self._draw(self._running_line(current, state, at_s), at_s)

    def _show_watch(self, watch: Watching, at_s: float) -> None:
        """Show how a growing folder stands while no run over it is under way."""
        line = watch_text(watch, self._words)
        if line != self._watched and at_s - self._drawn_s >= _REDRAW_S:
            self._watched = line
            self._draw(line, at_s)

    def _draw(self, line: str, at_s: float) -> None:
        self._drawn_s = at_s
        if not self._console.redraws:
            self._console.error(line)
            return
        line = line[: self._console.width - 1]
        self._console.error("\r" + line + " " * (len(self._line) - len(line)), end="")
        self._line = line

    def _clear(self) -> None:
        if self._line:
            self._console.error("\r" + " " * len(self._line) + "\r", end="")
            self._line = ""

    def _done_line(self, phase: Phase) -> str:
        name = phase_name(phase.name, self._words)
        count = "" if phase.total is None else f"{phase.done}/{phase.total}"
        return f"{name:<24} {count:>13}  {duration_text(phase.wall_s):>8}"

    def _running_line(self, phase: Phase, state: RunState, at_s: float) -> str:
        parts = [f"{phase_name(phase.name, self._words):<24}"]
        if phase.fraction is not None and phase.total:
            parts += [_bar(phase.fraction), f"{phase.done}/{phase.total}"]
        elif phase.done:
            parts.append(str(phase.done))
        parts.append(speed_text(phase, self._words))
        left, all_left = phase.left_s(at_s), state.left_s(at_s)
        if left is not None:
            parts.append(self._words.text("cli.left", time=duration_text(left)))
        if all_left is not None:
            parts.append(self._words.text("cli.left_all", time=duration_text(all_left)))
        return "  ".join(part for part in parts if part)


def _bar(fraction: float, width: int = 20) -> str:
    full = round(min(max(fraction, 0.0), 1.0) * width)
    return "█" * full + "░" * (width - full)
