"""What a report of a failed run needs, in one text: versions, settings, the error, the end of the log."""

from __future__ import annotations

import platform
from pathlib import Path

from zemosaic.about import full_version
from zemosaic.gui.presenter.run.run_text import log_line
from zemosaic.gui.presenter.run.session import Session
from zemosaic.health import package_states
from zemosaic.i18n import Translator

__all__ = ["problem_text", "write_problem_report"]

_FILE = "zemosaic_problem.txt"
_MAX_LOG_LINES = 80


def problem_text(session: Session, home: Path | None = None) -> str:
    """Return the text; what is private is shortened.

    Parameters
    ----------
    session : Session
    home : Path, optional
        The user's folder, which is written ``~``.

    Returns
    -------
    str
        In English, for those who mend the program read it.
    """
    words, state = Translator("en"), session.state
    packages = ", ".join(f"{item.name} {item.version or '-'}" for item in package_states(load=False))
    changed = [f"{row.key} = {row.text}" for row in session.form.rows if row.changed]
    error = "-" if state.error is None else words.message(state.error.error)
    parts = {
        "Version": [f"ZeMosaic {full_version()}, Python {platform.python_version()}, {platform.platform()}", packages],
        "Error": [error],
        "Settings that differ from their default": changed,
        "End of the log": [log_line(line, state, words) for line in state.log[-_MAX_LOG_LINES:]],
    }
    text = "\n\n".join("\n".join([f"## {title}", *lines]) for title, lines in parts.items())
    return _shortened(text, home or Path.home(), session) + "\n"


def write_problem_report(session: Session) -> str:
    """Write the text beside the user's settings; return its path, empty where it cannot be written."""
    path = session.config_folder / _FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(problem_text(session), encoding="utf-8")
    except OSError as fault:
        session.tell_problem("error.log_not_saved", path=str(path), detail=str(fault))
        return ""
    return str(path)


def _shortened(text: str, home: Path, session: Session) -> str:
    """Return a text in which folders of the user are shortened to what helps."""
    private = {str(session.form.row(key).value): f"<{key}>" for key in ("input_dir", "output_dir")}
    private |= {session.state.output_dir: "<output_dir>", str(home): "~"}
    for path, short in sorted(private.items(), key=lambda item: -len(item[0])):
        if len(path) > 1:
            text = text.replace(path, short)
    return text
