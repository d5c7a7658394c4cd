"""What is installed on this machine and whether it works, as a text for whoever asks and for reports of faults."""

from __future__ import annotations

import os
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import platformdirs

from zemosaic.about import full_version
from zemosaic.atomic import sync_file
from zemosaic.gui.presenter.settings.equipment import findings
from zemosaic.health import package_states, writable
from zemosaic.i18n import Translator
from zemosaic.settings.load import user_settings_file
from zemosaic.settings.schema import Settings

__all__ = ["Doctor", "doctor_lines", "without_names"]

PROBE_BYTES = 64 << 20
"""Written to tell the speed of a disk."""
MIN_PROBE_ROOM = 4
"""The disk must have so many times the probe's size free for the probe to be written."""
HOME_NAME = "~"
PERSON_NAME = "USER"
MIN_PERSON_LETTERS = 3
"""Shorter names of people would be found within words."""


class Doctor:
    """Examines the installation in the background; no method blocks."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._reports: queue.SimpleQueue[str] = queue.SimpleQueue()

    @property
    def busy(self) -> bool:
        """Whether an examination is under way."""
        return self._thread is not None and self._thread.is_alive()

    def examine(self, settings: Settings, environ: Mapping[str, str], words: Translator) -> None:
        """Begin an examination, unless one is under way.

        Parameters
        ----------
        settings : Settings
            Their paths to ASTAP, their graphics card and their folders are looked at.
        environ : mapping
            Environment variables: folders of settings and cache, and the names that are left out.
        words : Translator
            The report keeps its language when the window takes another one meanwhile.
        """
        if self.busy:
            return
        own = Translator(words.language)
        self._thread = threading.Thread(target=self._work, args=(settings, environ, own), name="doctor", daemon=True)
        self._thread.start()

    def take(self) -> str | None:
        """Return a report that is finished, once; None where there is none."""
        return None if self._reports.empty() else self._reports.get()

    def _work(self, settings: Settings, environ: Mapping[str, str], words: Translator) -> None:
        self._reports.put("\n".join(doctor_lines(settings, environ, words)))


def doctor_lines(settings: Settings, environ: Mapping[str, str], words: Translator) -> Iterator[str]:
    """Yield the lines, without names of people.

    Parameters
    ----------
    settings : Settings
        Their paths to ASTAP, their graphics card and their folders are looked at.
    environ : mapping
    words : Translator
    """
    sections: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _program(words),
        lambda: _packages(words),
        lambda: _tools(settings, words),
        lambda: _folders(settings, environ, words),
    )
    for section in sections:
        for line in section():
            yield without_names(line, environ)


def without_names(text: str, environ: Mapping[str, str]) -> str:
    """Return a text with ``~`` for the home folder and ``USER`` for the user's name.

    Parameters
    ----------
    text : str
        A line of the report.
    environ : mapping of str to str
        Tells the home folder (``HOME``, ``USERPROFILE``) and the user's name (``USER``, ``USERNAME``).  Names of fewer
        than `MIN_PERSON_LETTERS` letters stay, since they would be found inside other words; so does ``root``.
    """
    home = environ.get("HOME") or environ.get("USERPROFILE") or str(Path.home())
    if len(home) > 1:
        text = text.replace(home, HOME_NAME)
    person = environ.get("USER") or environ.get("USERNAME") or ""
    return text.replace(person, PERSON_NAME) if len(person) >= MIN_PERSON_LETTERS and person != "root" else text


def _program(words: Translator) -> Iterator[str]:
    yield f"ZeMosaic {full_version()}"
    yield words.text("doctor.python", version=platform.python_version(), path=sys.executable)
    yield words.text("doctor.system", system=platform.platform(), processor=platform.machine())


def _packages(words: Translator) -> Iterator[str]:
    states = package_states(load=True)
    for state in states:
        if state.trouble is not None:
            yield "⚠ " + words.message(state.trouble)
    good = [f"{state.name} {state.version or '?'}" for state in states if state.trouble is None]
    yield words.text("doctor.packages", packages=", ".join(good))


def _tools(settings: Settings, words: Translator) -> Iterator[str]:
    """Yield what is known of ASTAP, star catalogue, computer and graphics card."""
    paths = (settings.astap_executable_path, settings.astap_data_directory_path)
    found = findings(*paths, settings.gpu_id_phase5, test=True)
    try:
        for name, finding in found:
            label, told = words.text(f"equipment.{name}"), words.message(finding.text)
            yield words.text("equipment.line", name=label, text=told)
    except (ImportError, AttributeError, OSError) as fault:
        # These take the numerical libraries, one of which may be what is broken; it is named above.
        yield words.text("doctor.not_looked", detail=str(fault))


def _folders(settings: Settings, environ: Mapping[str, str], words: Translator) -> Iterator[str]:
    file = user_settings_file(environ)
    places = [
        ("settings", file),
        ("cache", Path(environ.get("ZEMOSAIC_CACHE_DIR") or platformdirs.user_cache_dir("zemosaic", appauthor=False))),
        ("log", Path(platformdirs.user_log_dir("zemosaic", appauthor=False))),
        *([("output", Path(settings.output_dir))] if settings.output_dir else []),
    ]
    for name, path in places:
        state = "" if writable(path if path.suffix == "" else path.parent) else words.text("doctor.not_writable")
        yield words.text(f"doctor.{name}", path=str(path)) + state
    folder = Path(settings.output_dir) if settings.output_dir else Path.cwd()
    yield _disk_line(folder, words)


def _disk_line(folder: Path, words: Translator) -> str:
    """Return how much room the disk of a folder has and how fast it is written."""
    from zemosaic.compute.machine_resources import disk_free

    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = disk_free(folder)
    if free < MIN_PROBE_ROOM * PROBE_BYTES:
        return words.text("doctor.disk_full", path=str(folder), free_gb=free / 1e9)
    probe, block = folder / f".zemosaic_probe_{os.getpid()}", os.urandom(1 << 20)
    try:
        began = time.perf_counter()
        with probe.open("wb") as file:
            for _ in range(PROBE_BYTES // len(block)):
                file.write(block)
        sync_file(probe)
        taken_s = time.perf_counter() - began
    except OSError as fault:
        return words.text("doctor.disk_refused", path=str(folder), detail=fault.strerror or str(fault))
    finally:
        probe.unlink(missing_ok=True)
    return words.text("doctor.disk", path=str(folder), free_gb=free / 1e9, mb_per_s=PROBE_BYTES / 1e6 / taken_s)
