"""The form that a window opens with, and what is to be told of settings that were not taken over as they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from zemosaic.errors import Message, SettingsError, message
from zemosaic.gui.presenter.settings.form import Form
from zemosaic.settings.load import load_settings, read_settings, shipped_settings_file
from zemosaic.settings.repair import ValueBrought

__all__ = ["opened_form", "problem_of_notes"]


def opened_form(environ: Mapping[str, str], flags: Mapping[str, str], user_file: Path) -> tuple[Form, Message | None]:
    """Return the form, and what is to be told of it; None where there is nothing to tell.

    Settings that cannot be read are told, and the form has those that the program is shipped with.

    Parameters
    ----------
    environ : mapping of str to str
        Variables of the environment, some of which are settings.
    flags : mapping of str to str
        Settings that this start was given, by key.
    user_file : Path
        The user's settings; need not exist.
    """
    shipped = shipped_settings_file()
    try:
        reading = read_settings(flags, environ, user_file, shipped)
        return Form.of(reading.settings), problem_of_notes(reading.notes, user_file)
    except SettingsError as fault:
        return Form.of(load_settings({}, {}, None, shipped)), fault.message


def problem_of_notes(notes: Sequence[Message], user_file: Path) -> Message | None:
    """Return what is told of notes: a single one itself, of many how many there are; None where there is none.

    Parameters
    ----------
    notes : sequence of Message
        What was not taken over as it stands: values brought to the nearest allowed one, and unknown settings.
    user_file : Path
        The file that is named where no note names one.
    """
    if len(notes) <= 1:
        return notes[0] if notes else None
    brought = sum(isinstance(note, ValueBrought) for note in notes)
    unknown = sum(int(note.params.get("count", 1)) for note in notes if not isinstance(note, ValueBrought))
    path = next((str(note.params["path"]) for note in notes if "path" in note.params), str(user_file))
    return message("note.settings_summary", path=path, brought=brought, unknown=unknown)
