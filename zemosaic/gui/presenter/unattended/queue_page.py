"""The list of jobs in either window: what it shows, and how one job follows the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zemosaic.errors import InputError, SettingsError, ZeMosaicError
from zemosaic.gui.presenter.result.earlier_result import find_earlier_result
from zemosaic.gui.presenter.run.run_folders import RunFolders
from zemosaic.gui.presenter.run.run_state import RunState, Status
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.unattended.job_queue import Entry, JobQueue, JobStatus, entry_text
from zemosaic.gui.presenter.unattended.jobs import Job, jobs_below, proposed_output, read_jobs, short_path, write_jobs

__all__ = ["BUTTONS", "QueueFace", "QueuePage", "QueueWindow"]

BUTTONS = ("add_pair", "add_below", "remove", "start")
"""The buttons of the list, in their order."""
_COLUMNS = ("state", "target", "input", "output", "told")
_FILE = "queue.csv"


@dataclass(frozen=True)
class QueueFace:
    """What the list shows."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """State, target, folder of the frames, folder of the mosaic, what is told."""
    empty: str
    """What to do where there is no job; otherwise empty."""
    buttons: tuple[tuple[str, str, bool], ...]
    """Key, words and whether it can be pressed."""


class QueueWindow(Protocol):
    """The list's widgets."""

    def show_queue(self, face: QueueFace) -> None:
        """Show the jobs."""


class QueuePage:
    """The jobs of a window, which are kept from one start to the next.

    Parameters
    ----------
    session : Session
    started : callable
        Called when a run of the queue has begun.
    refused : callable
        Takes a fault of the settings, which no job would survive.
    """

    def __init__(self, session: Session, started: Callable[[], None], refused: Callable[[ZeMosaicError], None]) -> None:
        self.session = session
        self.is_running = False
        self.view: QueueWindow | None = None
        self._started, self._refused = started, refused
        self._file = session.config_folder / _FILE
        self._with_mosaic: dict[str, bool] = {}
        self.jobs = JobQueue(self._read())

    def face(self) -> QueueFace:
        """Return what the list shows now."""
        words, entries = self.session.words, self.jobs.entries
        can_begin = bool(self.jobs.unfinished) and not self.session.running and not self.session.demo.under_way
        enabled = {"add_pair": self._pair() is not None, "remove": bool(entries), "start": can_begin}
        return QueueFace(
            heading=words.text("queue.heading"),
            columns=tuple(
                words.text(f"queue.column.{name}") for name in ("state", "target", "input", "output", "told")
            ),
            rows=tuple(self._row(entry) for entry in entries),
            empty="" if entries else words.text("queue.empty"),
            buttons=tuple((key, words.text(f"queue.{key}"), enabled.get(key, True)) for key in BUTTONS),
        )

    def show(self) -> None:
        """Show the jobs as they are now, where the list is open."""
        if self.view is not None:
            self.view.show_queue(self.face())

    def add_pair(self) -> None:
        """Add the folders of the form."""
        job = self._pair()
        if job is not None:
            self.add([job])

    def add_folders(self, folders: Sequence[str]) -> None:
        """Add folders of frames, each with an output folder beside it."""
        self.add(Job(folder, proposed_output(folder)) for folder in folders if proposed_output(folder))

    def add_below(self, folder: str) -> None:
        """Add the targets below a folder, or say that there are none."""
        try:
            self.add(jobs_below(Path(folder)))
        except InputError as fault:
            self.session.problem = fault.message

    def add(self, jobs: Iterable[Job]) -> None:
        """Add jobs and keep them."""
        self.jobs.add(jobs)
        self._keep()

    def remove(self, index: int) -> None:
        """Take a job out."""
        self.jobs.remove(index)
        self._keep()

    def start(self) -> None:
        """Run the jobs that have no mosaic, one after the other."""
        if self.session.running or self.session.demo.under_way:
            return
        self.jobs.again()
        self.is_running = True
        self._begin_next()

    def run_ended(self, state: RunState) -> None:
        """Note how a run of the queue ended, and begin the next one unless the user stopped it."""
        if not self.is_running:
            return
        self.jobs.ended(state)
        self._keep()
        if state.status is Status.CANCELLED:
            self.is_running = False
        else:
            self._begin_next()
        self.show()

    def _begin_next(self) -> None:
        while (job := self.jobs.take()) is not None:
            self.session.borrowed = RunFolders(job.input_dir, job.output_dir)
            try:
                self.session.start()
            except SettingsError as fault:
                self.jobs.refused(fault.message, fault.exit_code)
                self.session.borrowed = None
                self.is_running = False
                self._refused(fault)
                return
            except ZeMosaicError as fault:
                self.jobs.refused(fault.message, fault.exit_code)
                continue
            self._started()
            return
        self.session.borrowed = None
        self.is_running = False

    def _pair(self) -> Job | None:
        """Return the folders of the form as a job; None where there are none."""
        input_dir, output_dir = (self.session.form.row(key).text for key in ("input_dir", "output_dir"))
        output_dir = output_dir or (proposed_output(input_dir) if input_dir else "")
        return Job(input_dir, output_dir) if input_dir and output_dir else None

    def _row(self, entry: Entry) -> tuple[str, ...]:
        state, told = entry_text(entry, self.session.words)
        result = Path(told).name if entry.mosaic else told
        if entry.status is JobStatus.WAITING and self._has_mosaic(entry.job.output_dir):
            result = "⚠ " + self.session.words.text("queue.replaces")
        return state, entry.job.name, short_path(entry.job.input_dir), short_path(entry.job.output_dir), result

    def details(self, index: int) -> str:
        """Return all that is to be told of a job: its folders in full, and what became of it."""
        if not 0 <= index < len(self.jobs.entries):
            return ""
        entry = self.jobs.entries[index]
        _, told = entry_text(entry, self.session.words)
        return f"{entry.job.input_dir} → {told if entry.mosaic else entry.job.output_dir}" + (
            f"\n{told}" if told and not entry.mosaic else ""
        )

    def open(self, index: int) -> None:
        """Open the folder of a job's mosaic, or that of its frames where there is none yet."""
        if 0 <= index < len(self.jobs.entries):
            entry = self.jobs.entries[index]
            output = Path(entry.job.output_dir)
            self.session.opener.open(output if output.is_dir() else Path(entry.job.input_dir))

    def _has_mosaic(self, folder: str) -> bool:
        """Return whether a folder held a mosaic when it was first asked for: nothing asks before the queue begins."""
        if folder not in self._with_mosaic:
            self._with_mosaic[folder] = Path(folder).is_dir() and find_earlier_result(Path(folder)) is not None
        return self._with_mosaic[folder]

    def _keep(self) -> None:
        """Write the jobs that have no mosaic, for the next start of the program."""
        try:
            write_jobs(self._file, self.jobs.unfinished)
        except OSError as fault:
            self.session.tell_problem("error.write_failed", path=str(self._file), detail=str(fault))
        self.show()

    def _read(self) -> list[Job]:
        try:
            return read_jobs(self._file) if self._file.is_file() else []
        except InputError:
            return []  # an empty list, or one that somebody has changed
