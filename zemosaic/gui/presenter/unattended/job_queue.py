"""Jobs that are run one after the other, each with its result; one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from zemosaic.errors import Message, RunCancelled
from zemosaic.gui.presenter.run.run_state import RunState, Status
from zemosaic.gui.presenter.unattended.jobs import Job
from zemosaic.i18n import Translator

__all__ = ["Entry", "JobQueue", "JobStatus", "entry_text", "queue_lines"]


class JobStatus(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"


_SIGNS = {
    JobStatus.WAITING: "○",
    JobStatus.RUNNING: "▶",
    JobStatus.FINISHED: "✓",
    JobStatus.FAILED: "✗",
    JobStatus.STOPPED: "■",
}


@dataclass(frozen=True)
class Entry:
    """A job and what has become of it."""

    job: Job
    status: JobStatus = JobStatus.WAITING
    mosaic: str = ""
    """Path of its mosaic."""
    error: Message | None = None
    exit_code: int = 0


class JobQueue:
    """The jobs in their order."""

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._entries = [Entry(job) for job in jobs]

    @property
    def entries(self) -> Sequence[Entry]:
        """The jobs with their states."""
        return tuple(self._entries)

    @property
    def waiting(self) -> int:
        """How many jobs were not begun."""
        return sum(entry.status is JobStatus.WAITING for entry in self._entries)

    @property
    def unfinished(self) -> tuple[Job, ...]:
        """The jobs that have no mosaic."""
        return tuple(entry.job for entry in self._entries if entry.status is not JobStatus.FINISHED)

    @property
    def exit_code(self) -> int:
        """Code of the first job that failed; 0 where all have their mosaics."""
        return next((entry.exit_code for entry in self._entries if entry.exit_code), 0)

    def add(self, jobs: Iterable[Job]) -> int:
        """Add jobs that are not there yet; return how many.  One with the output folder of another takes its place."""
        added = 0
        for job in jobs:
            same = [k for k, entry in enumerate(self._entries) if entry.job.output_dir == job.output_dir]
            if any(self._entries[k].status is JobStatus.RUNNING for k in same):
                continue
            if any(self._entries[k] == Entry(job) for k in same):
                continue
            self._entries = [entry for k, entry in enumerate(self._entries) if k not in same] + [Entry(job)]
            added += 1
        return added

    def remove(self, index: int) -> None:
        """Take a job out of the queue, unless it is being run."""
        if 0 <= index < len(self._entries) and self._entries[index].status is not JobStatus.RUNNING:
            del self._entries[index]

    def again(self) -> None:
        """Let the jobs without a mosaic wait anew."""
        self._entries = [
            Entry(entry.job) if entry.status in (JobStatus.FAILED, JobStatus.STOPPED) else entry
            for entry in self._entries
        ]

    def take(self) -> Job | None:
        """Return the next job, which counts as running from now; None where none waits."""
        for index, entry in enumerate(self._entries):
            if entry.status is JobStatus.WAITING:
                self._entries[index] = replace(entry, status=JobStatus.RUNNING)
                return entry.job
        return None

    def ended(self, state: RunState) -> None:
        """Note how the run of the job under way ended."""
        if state.status is Status.CANCELLED:
            self._set(status=JobStatus.STOPPED, exit_code=RunCancelled.exit_code)
        elif state.error is not None:
            self._set(status=JobStatus.FAILED, error=state.error.error, exit_code=state.error.exit_code)
        else:
            self._set(status=JobStatus.FINISHED, mosaic="" if state.result is None else state.result.mosaic)

    def refused(self, error: Message, exit_code: int) -> None:
        """Note that the run of the job under way could not even begin.

        Parameters
        ----------
        error : Message
        exit_code : int
            That a single run would have ended the program with.
        """
        self._set(status=JobStatus.FAILED, error=error, exit_code=exit_code)

    def _set(self, **changes: object) -> None:
        self._entries = [
            replace(entry, **changes) if entry.status is JobStatus.RUNNING else entry  # type: ignore[arg-type]
            for entry in self._entries
        ]


def entry_text(entry: Entry, words: Translator) -> tuple[str, str]:
    """Return the state of a job in a word behind its sign, and what is to be told of it.

    Parameters
    ----------
    entry : Entry
        Its error is told, or else the path of its mosaic, which may be empty.
    words : Translator
    """
    told = entry.mosaic if entry.error is None else words.message(entry.error)
    return f"{_SIGNS[entry.status]} {words.text(f'queue.status.{entry.status.value}')}", told


def queue_lines(queue: JobQueue, words: Translator) -> list[str]:
    """Return the end of a queue in lines: how many mosaics were made, and what became of each job.

    Parameters
    ----------
    queue : JobQueue
        Jobs that were not begun are told too.
    words : Translator
    """
    made = sum(entry.status is JobStatus.FINISHED for entry in queue.entries)
    lines = [words.text("queue.made", made=made, jobs=len(queue.entries))]
    for entry in queue.entries:
        state, told = entry_text(entry, words)
        lines.append(f"{state}  {entry.job.name}" + (f"  {told}" if told else ""))
    return lines
