"""One open window's affairs without any toolkit: its form, its run, its demo."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zemosaic.errors import InputError, Message, SettingsError
from zemosaic.events import Event, Preparation, RunStarted
from zemosaic.gui.presenter.desktop.opener import Opener
from zemosaic.gui.presenter.frames.frames_presenter import FramesPresenter
from zemosaic.gui.presenter.result.earlier_result import EarlierResults, find_earlier_result
from zemosaic.gui.presenter.run.demo_frames import DemoFrames, DemoProgress
from zemosaic.gui.presenter.run.input_folder import InputFolder
from zemosaic.gui.presenter.run.run_folders import FOLDERS, RunFolders
from zemosaic.gui.presenter.run.run_state import RunState, Status, advanced
from zemosaic.gui.presenter.run.runs import DemoMaker, RunHandle, Starter, waiting_events
from zemosaic.gui.presenter.run.speed import learn_speed, shares_of, speed_of
from zemosaic.gui.presenter.settings.opened_form import opened_form, problem_of_notes
from zemosaic.gui.presenter.unattended.start_watch import start_watch
from zemosaic.gui.presenter.unattended.watched_run import WatchedRun
from zemosaic.i18n import Translator
from zemosaic.settings.load import save_user_settings, shipped_settings_file, user_config_folder, user_settings_file
from zemosaic.settings.schema import Settings

if TYPE_CHECKING:
    from zemosaic.forecast import Forecast

__all__ = ["Session"]

_DEMO_MOSAIC = "mosaic"
"""Folder of the demo's mosaic, beside its frames."""


class Session:
    """Holds what a window shows; its methods never block for long.

    Parameters
    ----------
    words : Translator
    environ : mapping
    start : Starter
        Starts a run.
    make_demo : DemoMaker
    clock : callable
        Monotonic seconds.
    flags : mapping, optional
        Settings that this start was given; they are not saved.
    """

    def __init__(
        self,
        words: Translator,
        environ: Mapping[str, str],
        start: Starter,
        make_demo: DemoMaker,
        clock: Callable[[], float] = time.monotonic,
        flags: Mapping[str, str] | None = None,
    ) -> None:
        self.words = words
        self.state = RunState()
        self.frames = FramesPresenter()
        self.problem: Message | None = None
        """What went wrong outside of runs; the window shows it."""
        self.is_failure_told = False
        """Whether the user went on since the last run failed."""
        self.has_moved_on = False
        """Whether other folders were chosen since the last run."""
        self.held = False
        """Whether the user asked the run to pause."""
        self.environ, self.config_folder = environ, user_config_folder(environ)
        self.clock = clock
        self.frames.cpu_s_per_frame = speed_of(self.config_folder)
        self._user_file = user_settings_file(environ)
        self._start = start
        self.demo = DemoFrames(make_demo)
        self.demo_news: DemoProgress | None = None
        self.opener = Opener()
        self.visit: Callable[[str], None] = lambda key: None
        """Leads to the row of a setting; the window puts it here."""
        self.earlier = EarlierResults()
        """What lies in the output folder, as long as nothing was run."""
        self._run: RunHandle | None = None
        self._watched: WatchedRun | None = None
        """The run, where it is a watch."""
        self._run_table = ""
        """The choice of frames that the latest run of a watch began with."""
        self._over = False
        self._ending: threading.Thread | None = None
        self._stop_asked_s: float | None = None
        self._events: deque[Event] = deque()
        self.borrowed: RunFolders | None = None
        """Folders that the next run has instead of those of the form."""
        self.began_at_s = 0.0
        """When the last run began, in seconds of the system's clock, as files have them."""
        self.input = InputFolder()
        self._run_folder = ""
        self.form, self.problem = opened_form(environ, flags or {}, self._user_file)

    @property
    def forecast(self) -> Forecast | None:
        """What a run would make of the frames; None while that is not known, or is known of other frames."""
        is_of_form = self.frames.folder == str(self.form.row("input_dir").value)
        return self.frames.forecast if is_of_form else None

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    def start(self) -> None:
        """Save the settings and start a run with them.

        Raises
        ------
        ZeMosaicError
            If a setting is wrong, a folder is missing or the run cannot start.
        """
        self._begin(None)

    def watch(self) -> None:
        """Save the settings and run over the input folder while it grows, until `finish_watch` or as they say.

        Raises
        ------
        ZeMosaicError
            As `start`.
        """
        self._begin(None, is_watch=True)

    def finish_watch(self) -> None:
        """Let a watch make the mosaic of what is there."""
        if self._watched is not None:
            self._watched.finish()

    @property
    def watching(self) -> bool:
        """Whether the input folder is watched and more frames are waited for."""
        return self.running and self._watched is not None and not self._watched.finishing

    def prepare(self, until: Preparation) -> None:
        """Save the settings and start a run that ends once the frames are measured, or also solved.

        News of the frames reach the frame table as in any run; at the end `state.prepared` is set and `running` is
        false.  What was learnt is taken over by the next run with the same output folder.

        Raises
        ------
        ZeMosaicError
            As `start`.
        """
        self._begin(until)

    def _begin(self, until: Preparation | None, is_watch: bool = False) -> None:
        if self.running:
            return
        settings = self.check()
        if self.borrowed is None:
            table = self.frames.table_for_run(settings.input_dir, settings.output_dir, settings.excluded_frames)
            if table != settings.excluded_frames:
                self.edit("excluded_frames", table)
                settings = self.form.settings()
        self.save()
        now = self.clock()
        settings = settings.model_copy(update={"language": self.words.language})
        self.earlier.forget()
        self._watched = start_watch(settings, self._start_chosen) if is_watch else None
        single = (settings,) if until is None else (settings, until)
        self._run = self._watched or self._start(*single)
        self._run_folder, self.borrowed = settings.input_dir, None
        self.problem, self.is_failure_told, self.has_moved_on = None, False, False
        state = RunState(Status.RUNNING, now, shares_of(self.config_folder), until=until)
        self.state = replace(state, output_dir=settings.output_dir)
        self.began_at_s, self._stop_asked_s = time.time(), None
        self._events.clear()

    def _start_chosen(
        self, settings: Settings, until: Preparation | None = None, *, only: Collection[str] | None = None
    ) -> RunHandle:
        """Start a run of a watch, with the frames that the user wants at this moment."""
        table = settings.excluded_frames
        try:
            table = self.frames.table_for_run(settings.input_dir, settings.output_dir, table)
        except InputError as fault:
            self.problem = fault.message
        self._run_table = table
        return self._start(settings.model_copy(update={"excluded_frames": table}), until, only=only)

    def check(self) -> Settings:
        """Return the settings that a run would begin with.

        Raises
        ------
        ZeMosaicError
            If a setting is wrong or a folder is missing.
        """
        settings = self.form.settings()
        if self.borrowed is not None:
            return self.borrowed.applied(settings)
        for key in FOLDERS:
            if not getattr(settings, key):
                raise InputError("error.choose_folder", label=self.words.text(f"setting.{key}.label"))
        if not Path(settings.input_dir).is_dir():
            raise InputError("error.folder_gone", path=settings.input_dir)
        return settings

    def edit(self, key: str, text: str) -> None:
        """Put a text into the form; what was wrong before may be mended by it and is told no more.

        Parameters
        ----------
        key : str
            Of the setting.
        text : str
            As `Form.edited` takes it.
        """
        self.problem, self.is_failure_told = None, True
        if key in FOLDERS and text != self.form.row(key).text:
            self.has_moved_on = True
        self.form = self.form.edited(key, text)

    def earlier_result(self) -> Path | None:
        """Return a finished mosaic that lies already where the next run writes.

        Raises
        ------
        ZeMosaicError
            As `check`.
        """
        folder = self.check().output_dir
        if not folder or not Path(folder).is_dir():
            return None
        earlier = find_earlier_result(Path(folder))
        return None if earlier is None else Path(earlier.mosaic)

    def look_at_frames(self) -> None:
        """Begin to scan the input folder of the form, unless it is the one scanned already."""
        with contextlib.suppress(SettingsError):  # a wrong value is told at its row
            self.frames.settings = self.form.settings()
        folder = str(self.form.row("input_dir").value)
        if folder and folder != self.frames.folder and Path(folder).is_dir():
            self.scan_frames()

    def look_ahead(self) -> bool:
        """Look at the frames once their folder stands still: who types a path passes through other folders.

        Returns
        -------
        bool
            Whether the form changed by it: a folder for the mosaic is proposed, or the folder of the frames is missing.
        """
        folder, was_missing = str(self.form.row("input_dir").value), self.input.is_missing
        if self.input.stands_still(folder, self.clock()) and not self.running:
            self.look_at_frames()
            return self.propose_output() or was_missing != self.input.is_missing
        return was_missing != self.input.is_missing

    def propose_output(self) -> bool:
        """Fill in a folder for the mosaic beside that of the frames, unless the user chose one; return whether."""
        proposed = self.input.proposal(*(str(self.form.row(key).text) for key in FOLDERS))
        if proposed:
            self.form = self.form.edited("output_dir", proposed)
        return bool(proposed)

    def scan_frames(self, folder: str | None = None, keep: bool = False) -> None:
        """Begin to scan the input folder, or another one that becomes the input folder.

        Parameters
        ----------
        folder : str, optional
        keep : bool
            Whether the frames known so far, and the choice of them, stand meanwhile.
        """
        if folder is not None:
            self.edit("input_dir", folder)
            self.propose_output()
        values = {key: str(self.form.row(key).value) for key in ("input_dir", "output_dir", "excluded_frames")}
        if keep:
            values["excluded_frames"] = self._run_table
        asked = ("use_stacks_among_frames", "use_existing_master_tiles")
        stacks = any(self.form.row(key).value is True for key in asked)
        self.frames.scan(values["input_dir"], values["output_dir"], values["excluded_frames"], stacks, keep)

    @property
    def run_folders(self) -> tuple[str, str]:
        """Input and output folder of the latest run."""
        return self._run_folder, self.state.output_dir

    def stop(self) -> None:
        """Ask the run to stop; `pump` sees it end."""
        if self._run is not None and self._stop_asked_s is None:
            self._stop_asked_s = self.clock()
            self.state = self.state.stopping()
            self._run.cancel()

    def pause(self) -> None:
        """Let the run hold after the tasks under way, or go on where it is held; `pump` sees it do so."""
        if self._run is None or self._stop_asked_s is not None:
            return
        if self.held:
            self._run.resume()
        else:
            self._run.pause()
        self.held = not self.held

    def pump(self, budget_s: float = 0.03) -> bool:
        """Take in what the run told, for at most some seconds; return whether there was anything."""
        not_opened = list(self.opener.failures())
        for path in not_opened:
            self.tell_problem("error.not_opened", path=str(path))
        if self._ending is not None and not self._ending.is_alive():
            self._ending = None
            self.frames.foretell_anew()  # only now nobody works in the output folder any more
        if self._run is None:
            return bool(not_opened)
        if not self._events:
            stopping_s = None if self._stop_asked_s is None else self.clock() - self._stop_asked_s
            self._events.extend(waiting_events(self._run, stopping_s))
        has_changed = bool(self._events)
        until = time.monotonic() + budget_s
        while self._events and time.monotonic() < until:
            event = self._events.popleft()
            self.state = advanced(self.state, event, self.clock())
            if isinstance(event, RunStarted) and self._watched is not None and self._run_folder == self.frames.folder:
                self.scan_frames(keep=True)
            if self._run_folder == self.frames.folder:
                self.frames.note(event)
        if self.state.status.under_way and self._stop_asked_s is not None:
            self.state = self.state.stopping()
        if self.state.status.over:
            if (result := self.state.result) is not None:
                learn_speed(self.config_folder, result.frames_used, result.cpu_s, self.state.walls_s)
                self.frames.cpu_s_per_frame = speed_of(self.config_folder)
            self._end_run()
            self._over = True
        return has_changed or bool(not_opened)

    def run_ended(self) -> bool:
        """Return, once for each run that ended, true; however short it was."""
        ended, self._over = self._over, False
        return ended

    def use_demo(self, frames: Path) -> None:
        """Let the next run make the demo's mosaic; the folders of the form become the demo's only where it has none."""
        folders = RunFolders(str(frames), str(self.demo.folder / _DEMO_MOSAIC))
        if any(self.form.row(key).text for key in FOLDERS):
            self.borrowed = folders
            return
        self.edit("input_dir", folders.input_dir)
        self.edit("output_dir", folders.output_dir)

    def save(self) -> None:
        """Write the settings the user changed; a file that cannot be written is a `problem`."""
        changes = self.form.changes
        if not changes:
            return
        try:
            save_user_settings(changes, self._user_file, shipped_settings_file())
        except SettingsError as fault:
            self.problem = fault.message
            return
        self.form = replace(self.form, opened=dict(self.form.opened) | changes)

    def tell_problem(self, key: str, **params: Any) -> None:
        """Let the window show what went wrong.

        Parameters
        ----------
        key : str
            Of the message.
        **params : object
            Values for the placeholders of the message's text.
        """
        self.problem = Message(key, params)

    def tell_notes(self, notes: Sequence[Message]) -> None:
        """Let the window show what was not taken over as it stands; of many notes how many there are."""
        self.problem = problem_of_notes(notes, self._user_file) or self.problem

    def close(self) -> None:
        """Save the settings and end whatever still runs."""
        self.save()
        self.demo.close()
        self.frames.close()
        self._end_run()
        if self._ending is not None:
            self._ending.join()

    def _end_run(self) -> None:
        """Let go of the run; its process takes a moment to end, and no window should wait for that."""
        if self._run is not None:
            self._ending = threading.Thread(target=self._run.close, name="end of run", daemon=True)
            self._ending.start()
            self._run, self.held = None, False
