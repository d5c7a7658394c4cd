"""Following a run on the command line: progress, Ctrl-C, and what is said at its end."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from zemosaic.errors import RunCancelled as RunCancelledError
from zemosaic.events import Event, to_dict
from zemosaic.gui.cli.console import Console, Progress
from zemosaic.gui.presenter.run.run_state import RunState, Status, advanced
from zemosaic.gui.presenter.run.runs import RunHandle, waiting_events
from zemosaic.gui.presenter.run.speed import learn_speed, shares_of
from zemosaic.gui.presenter.run.summary_text import summary_lines
from zemosaic.gui.presenter.unattended.watched_run import WatchedRun
from zemosaic.i18n import Translator

__all__ = ["ended", "follow", "json_line", "plain"]

_POLL_S = 0.05


def follow(run: RunHandle, log_json: bool, words: Translator, console: Console, config_folder: Path) -> RunState:
    """Follow a run to its end; the first Ctrl-C asks it to stop, the second ends it.

    Where a folder is watched, the first one asks for the mosaic, and those after it are as in any run.

    Parameters
    ----------
    run : RunHandle
        Closed at the end.
    log_json : bool
        Whether the events go to standard output, one a line.
    words : Translator
    console : Console
    config_folder : Path
        Where the speed of this computer is kept.

    Returns
    -------
    RunState
        How it ended.

    Raises
    ------
    KeyboardInterrupt
        When the user did not want to wait for the end.
    """
    state = RunState(status=Status.RUNNING, shares=shares_of(config_folder))
    try:
        with _interrupts() as count, _pauses(run), Progress(console, words) as progress:
            asked = _Asked(run, lambda key: progress.say(words.text(key)))
            while not state.status.over:
                events = waiting_events(run, asked.stopping_s())
                for event in events:
                    state = advanced(state, event, time.monotonic())
                    if log_json:
                        console.out(json_line(event))
                progress.show(state, time.monotonic())
                asked.heed(count())
                state = state if asked.stopping_s() is None else state.stopping()
                if not events:
                    time.sleep(_POLL_S)
    finally:
        run.close()
    if state.result is not None:
        learn_speed(config_folder, state.result.frames_used, state.result.cpu_s, state.walls_s)
    return state


class _Asked:
    """What the user asked of a run by pressing Ctrl-C once or more."""

    def __init__(self, run: RunHandle, say: Callable[[str], None]) -> None:
        self._run, self._say = run, say
        self._for_mosaic = 0
        """Presses that asked a watch for its mosaic."""
        self._stop_asked_s: float | None = None

    def stopping_s(self) -> float | None:
        """Return the seconds since the run was asked to stop; None if it was not."""
        return None if self._stop_asked_s is None else time.monotonic() - self._stop_asked_s

    def heed(self, presses: int) -> None:
        """Do what so many presses ask for; raises KeyboardInterrupt where the user will not wait any longer."""
        if presses and isinstance(self._run, WatchedRun) and not self._run.finishing:
            self._say("cli.finishing")
            self._run.finish()
            self._for_mosaic = presses
        if presses > self._for_mosaic and self._stop_asked_s is None:
            self._stop_asked_s = time.monotonic()
            self._say("cli.stopping")
            self._run.cancel()
        if presses > self._for_mosaic + 1:
            raise KeyboardInterrupt


def ended(state: RunState, log_json: bool, words: Translator, console: Console) -> int:
    """Say how a run ended and return its exit code.

    Parameters
    ----------
    state : RunState
    log_json : bool
        Whether standard output is for events alone.
    words : Translator
    console : Console
    """
    if state.status is Status.CANCELLED:
        console.error(words.text("cli.stopped"))
        return RunCancelledError.exit_code
    lines = summary_lines(state, words)
    if state.error is not None:
        console.error("\n".join([words.text("cli.error", text=lines[0]), *lines[1:]]))
        return state.error.exit_code
    say: Callable[[str], None] = console.error if log_json else console.out
    say("\n".join(lines))
    return 0


@contextmanager
def _interrupts() -> Iterator[Callable[[], int]]:
    """Count Ctrl-C and requests to terminate instead of dying of them."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    names = [signal.SIGINT, signal.SIGTERM]
    before = [(name, signal.signal(name, note)) for name in names]
    # A terminal that is closed takes its window away, not the run.
    if hasattr(signal, "SIGHUP"):
        before.append((signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_IGN)))
    try:
        yield lambda: len(seen)
    finally:
        for name, handler in before:
            signal.signal(name, handler)


@contextmanager
def _pauses(run: RunHandle) -> Iterator[None]:
    """Let signals pause the run and let it go on, where the system has them."""
    asked: dict[str, Callable[[], None]] = {"SIGUSR1": run.pause, "SIGUSR2": run.resume}
    known = {getattr(signal, name): act for name, act in asked.items() if hasattr(signal, name)}
    before = [(number, signal.signal(number, lambda *_, act=act: act())) for number, act in known.items()]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def json_line(event: Event) -> str:
    """Return an event as a line of JSON."""
    return json.dumps(plain(to_dict(event)), ensure_ascii=True, allow_nan=False)


def plain(value: Any) -> Any:
    """Return a value as JSON has it; numbers beyond all limits and none at all become null."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
