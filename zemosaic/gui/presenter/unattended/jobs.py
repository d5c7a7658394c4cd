"""Pairs of folders that are run one after the other: from a file, or found below a telescope's folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zemosaic.atomic import write_atomic
from zemosaic.errors import InputError

__all__ = ["Job", "jobs_below", "proposed_output", "read_jobs", "short_path", "write_jobs"]

_COLUMNS = ("input_dir", "output_dir")
_SUBS = "_sub"
"""The Seestar puts the single frames of ``M 42`` into ``M 42_sub`` and its own stacks into ``M 42``."""
_OURS = "_zemosaic"


@dataclass(frozen=True)
class Job:
    """One mosaic that is wanted."""

    input_dir: str
    output_dir: str

    @property
    def name(self) -> str:
        """What to call it: the target, as the folder of its frames names it."""
        return _target(Path(self.input_dir))


def proposed_output(input_dir: str, base: str = "") -> str:
    """Return where the mosaic of a folder's frames could go: beside it, or below another folder.

    Parameters
    ----------
    input_dir : str
        Folder of the frames.
    base : str
        Folder that holds a folder for each target; beside the frames by default.

    Returns
    -------
    str
        A folder that need not exist; empty where the input folder has nothing beside it.
    """
    folder = Path(input_dir)
    if base:
        return str(Path(base) / _target(folder))
    return str(folder.parent / (_target(folder) + _OURS)) if folder.name and folder.parent != folder else ""


def jobs_below(folder: Path, base: str = "") -> list[Job]:
    """Return a job for each target below a folder: each direct subfolder with FITS files in it or further below.

    Where single frames and a telescope's own stacks of a target lie in two folders, as the Seestar keeps them, only
    the frames make a job.

    Parameters
    ----------
    folder : Path
    base : str
        Folder that gets a folder for each mosaic; beside the frames by default.

    Raises
    ------
    InputError
        When the folder cannot be read or holds no target.
    """
    # Here, because it loads the numerical libraries, which the first window does not need.
    from zemosaic.frames.frame_files import fits_files

    try:
        below = sorted(entry for entry in folder.absolute().iterdir() if entry.is_dir())
    except OSError as fault:
        raise InputError("error.input_unreadable", path=str(folder), detail=fault.strerror or str(fault)) from None
    names = {entry.name for entry in below}
    jobs = []
    for entry in below:
        is_ours = entry.name.endswith(_OURS) or (base and entry == Path(base).absolute())
        if entry.name.startswith(".") or is_ours or entry.name + _SUBS in names:
            continue
        if fits_files(entry):
            jobs.append(Job(str(entry), proposed_output(str(entry), base)))
    if not jobs:
        raise InputError("error.no_targets", path=str(folder))
    return jobs


def read_jobs(path: Path) -> list[Job]:
    """Return the jobs of a file with two columns: the folder of the frames, and the one of the mosaic.

    The columns are divided by commas, semicolons or tabulators; a heading, empty lines and lines that begin with ``#``
    are passed over; paths count from the folder of the file; where the second column is empty a folder is proposed.

    Raises
    ------
    InputError
        When the file cannot be read, names no folder, or one output folder twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError("error.queue_unreadable", path=str(path), detail=str(fault)) from None
    jobs = list(_jobs_of(text, path.absolute().parent))
    if not jobs:
        raise InputError("error.queue_empty", path=str(path))
    outputs = [job.output_dir for job in jobs]
    for output in outputs:
        if outputs.count(output) > 1:
            raise InputError("error.queue_same_output", path=str(path), folder=output)
    return jobs


def write_jobs(path: Path, jobs: Sequence[Job]) -> None:
    """Write jobs as `read_jobs` reads them.

    Parameters
    ----------
    path : Path
        Of the table; its folder is made if need be.
    jobs : sequence of Job

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((job.input_dir, job.output_dir) for job in jobs)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, out.getvalue().encode("utf-8"))


def short_path(folder: str) -> str:
    """Return the end of a path, which tells most of it."""
    parts = Path(folder).parts
    return folder if len(parts) <= 3 else str(Path("…", *parts[-2:]))


def _jobs_of(text: str, folder: Path) -> Iterator[Job]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found = {sign: sum(sign in line for line in lines) for sign in ("\t", ";", ",")}
    for cells in csv.reader(lines, delimiter=max(found, key=lambda sign: found[sign])):
        words = [cell.strip() for cell in cells]
        if not words[0] or words[0].lower() == _COLUMNS[0]:
            continue
        source = folder / Path(words[0]).expanduser()
        output = str(folder / Path(words[1]).expanduser()) if len(words) > 1 and words[1] else ""
        yield Job(str(source), output or proposed_output(str(source)))


def _target(folder: Path) -> str:
    return folder.name.removesuffix(_SUBS) or folder.name
