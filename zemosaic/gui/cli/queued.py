"""The command that runs several pairs of folders one after the other."""

from __future__ import annotations

from pathlib import Path

from zemosaic.errors import InstallationError, ZeMosaicError
from zemosaic.gui.cli.console import Console
from zemosaic.gui.cli.following import ended, follow
from zemosaic.gui.presenter.run.run_folders import RunFolders
from zemosaic.gui.presenter.run.run_state import Status
from zemosaic.gui.presenter.run.runs import Starter
from zemosaic.gui.presenter.unattended.job_queue import JobQueue, queue_lines
from zemosaic.gui.presenter.unattended.jobs import Job, jobs_below, read_jobs
from zemosaic.i18n import Translator
from zemosaic.settings.schema import Settings

__all__ = ["jobs_of", "run_queue"]


def jobs_of(queue_file: str | None, targets_below: str | None, output_dir: str) -> list[Job]:
    """Return the jobs that the command line asks for; none where it asks for a single run.

    Parameters
    ----------
    queue_file : str or None
        Table of pairs of folders.
    targets_below : str or None
        Folder with a subfolder for each target.
    output_dir : str
        Folder that gets a folder for each of those targets' mosaics; beside their frames where it is empty.

    Raises
    ------
    InputError
        When there is nothing to do.
    """
    jobs = read_jobs(Path(queue_file)) if queue_file is not None else []
    return jobs + (jobs_below(Path(targets_below), output_dir) if targets_below is not None else [])


def run_queue(
    jobs: list[Job],
    settings: Settings,
    start: Starter,
    log_json: bool,
    words: Translator,
    console: Console,
    config_folder: Path,
) -> int:
    """Run jobs one after the other and return the exit code of the first that failed; 0 where none did.

    Parameters
    ----------
    jobs : list of Job
    settings : Settings
        Of every job, its folders aside.
    start : Starter
    log_json : bool
        Whether the events go to standard output.
    words : Translator
    console : Console
    config_folder : Path
        Where the speed of this computer is kept.
    """
    queue = JobQueue(jobs)
    while (job := queue.take()) is not None:
        number = len(jobs) - queue.waiting
        console.error(words.text("queue.begin", number=number, jobs=len(jobs), name=job.name, path=job.input_dir))
        try:
            run = start(RunFolders(job.input_dir, job.output_dir).applied(settings))
        except InstallationError:
            raise  # no other job would fare better
        except ZeMosaicError as fault:
            queue.refused(fault.message, fault.exit_code)
            continue
        state = follow(run, log_json, words, console, config_folder)
        queue.ended(state)
        ended(state, log_json, words, console)
        if state.status is Status.CANCELLED:
            break
    say = console.error if log_json else console.out
    say("\n".join(queue_lines(queue, words)))
    return queue.exit_code
