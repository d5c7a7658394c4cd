"""The user's own choice of frames, from a CSV file: it wins over every verdict."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from zemosaic.errors import InputError

__all__ = ["Picks", "read_picks"]

PATH_COLUMNS = ("file_path", "filepath", "path", "file", "filename", "fits", "raw")
PICK_COLUMNS = ("pick", "use", "keep")
PLAN_COLUMNS = ("order", "seq", "sequence", "index", "batch_id", "batch", "session", "night")
"""What a stack plan has besides the file; without a column of picks it names the frames to be used."""
YES = ("yes", "y", "1", "true", "keep", "x", "oui")
NO = ("no", "n", "0", "false", "reject", "non")
DELIMITERS = ",;|\t"


@dataclass(frozen=True)
class Picks:
    """Frames that must or must not be used, by absolute path or by the name alone."""

    wanted: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()
    plan: bool = False
    """Whether frames that are not named are unwanted."""

    def of(self, path: str) -> bool | None:
        """Return what the user said of a frame: True, False, or None for nothing.

        A frame that a plan names is left to the verdicts, one that it does not name is unwanted.
        """
        names = {path, Path(path).name}
        if self.plan:
            return None if names & self.wanted else False
        if names & self.unwanted:
            return False
        return True if names & self.wanted else None


def read_picks(path: Path, lights: Path | None = None) -> Picks:
    """Read a list of picked frames, such as `zemosaic_frames.csv` of an earlier run, or a stack plan.

    One column names the file (absolute, relative to the list or to `lights`, or its name alone), one says
    yes or no (`pick`, `use` or `keep`); where it is empty, the verdict is left to the program.  A stack plan
    (a column such as `order` or `batch_id`, none of picks) names the frames to be used.

    Raises
    ------
    InputError
        When the file cannot be read or lacks one of the columns.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("error.picks_unreadable", file=str(path), detail=str(error)) from error
    first = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=max(DELIMITERS, key=first.count))
    columns = {name.strip().lower(): name for name in rows.fieldnames or () if name}
    named = next((columns[name] for name in PATH_COLUMNS if name in columns), None)
    said = next((columns[name] for name in PICK_COLUMNS if name in columns), None)
    plan = said is None and any(name in columns for name in PLAN_COLUMNS)
    if named is None or (said is None and not plan):
        raise InputError("error.picks_columns", file=str(path), path="file_path", pick="pick")
    wanted: set[str] = set()
    unwanted: set[str] = set()
    for row in rows:
        file, word = (row[named] or "").strip(), (row[said] or "").strip().lower() if said else "yes"
        into = wanted if word in YES else unwanted if word in NO else None
        if not file or into is None:
            continue
        if Path(file).name == file:
            into.add(file)
        else:
            into.update(str((folder / file).absolute()) for folder in (path.parent, lights) if folder is not None)
    return Picks(frozenset(wanted), frozenset(unwanted), plan)
