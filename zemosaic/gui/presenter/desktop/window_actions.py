"""What the menus of the main window do, and what becomes of folders dropped onto it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from zemosaic.errors import Message, SettingsError
from zemosaic.gui.presenter.desktop.recent_folders import RecentFolders
from zemosaic.gui.presenter.desktop.window_menus import (
    MenuEntry,
    about_text,
    documentation,
    help_menu,
    recent_pair,
    shortcuts_text,
    start_menu,
)
from zemosaic.gui.presenter.desktop.window_protocols import WindowView
from zemosaic.gui.presenter.run.dropped_paths import folders_of, paths_of_text
from zemosaic.gui.presenter.run.problem_report import write_problem_report
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.doctor import Doctor
from zemosaic.gui.presenter.unattended.queue_page import QueuePage
from zemosaic.settings.schema import Settings

__all__ = ["WindowActions"]


class Desk(Protocol):
    """What acts for the whole window, as `WindowPresenter` does."""

    @property
    def session(self) -> Session:
        """The window's affairs."""

    @property
    def view(self) -> WindowView:
        """The window."""

    @property
    def queue(self) -> QueuePage:
        """The list of jobs."""

    def watch(self) -> None:
        """Watch the input folder."""

    def greet(self) -> None:
        """Show the card of the first start."""

    def show_folders(self) -> None:
        """Show the folders of the form, which have changed."""

    def show_status(self) -> None:
        """Show the foot of the window."""


class WindowActions:
    """The menus and the drops of one window."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.recent = RecentFolders(desk.session.config_folder)
        self.doctor = Doctor()

    def start_menu(self) -> list[MenuEntry]:
        """Return what the menu beside Start offers now."""
        return start_menu(self._desk.session, self.recent)

    def help_menu(self) -> list[MenuEntry]:
        """Return what "?" offers."""
        return help_menu(self._desk.session.words, self.doctor.busy)

    def choose(self, value: str) -> None:
        """Do what was chosen from either menu."""
        desk = self._desk
        session, words = desk.session, desk.session.words
        pair = recent_pair(value, self.recent)
        if pair is not None:
            self._use_pair(*pair)
        elif value == "watch":
            desk.watch()
        elif value == "queue":
            self.show_queue()
        elif value == "tour":
            desk.greet()
        elif value == "shortcuts":
            desk.view.tell(words.text("menu.shortcuts"), shortcuts_text(words))
        elif value == "about":
            desk.view.tell(words.text("menu.about"), about_text(words), can_copy=True)
        elif value == "doctor":
            self._examine()
        elif value == "documentation":
            session.opener.open(documentation())
        elif value == "problem":
            path = write_problem_report(session)
            if path:
                session.opener.open(Path(path))
            desk.show_status()

    def pump(self) -> None:
        """Show what the examination of the installation found, when it has ended."""
        report = self.doctor.take()
        if report is not None:
            self._desk.show_status()
            self._desk.view.tell(self._desk.session.words.text("menu.doctor"), report, can_copy=True)

    def show_queue(self) -> None:
        """Open the list of jobs, and show what is in it."""
        self._desk.view.show_queue()
        self._desk.queue.show()

    def pasted(self, text: str) -> None:
        """Take folders whose paths were pasted where nothing is typed."""
        self.dropped(paths_of_text(text))

    def dropped(self, paths: Sequence[str]) -> None:
        """Take what was dropped onto the window: one folder becomes the input folder, several make a queue."""
        desk, folders = self._desk, folders_of(paths)
        if not folders:
            desk.session.problem = Message("error.nothing_dropped", {})
        elif len(folders) > 1:
            desk.queue.add_folders(folders)
            self.show_queue()
        elif desk.session.running:
            desk.session.problem = Message("error.dropped_while_running", {"path": folders[0]})
        else:
            desk.session.scan_frames(folders[0])
            desk.show_folders()
        desk.show_status()

    def _examine(self) -> None:
        """Examine the installation with the settings of the form, or with the default ones where those are wrong."""
        session = self._desk.session
        try:
            settings = session.form.settings()
        except SettingsError:
            settings = Settings()
        self.doctor.examine(settings, session.environ, session.words)
        self._desk.show_status()

    def _use_pair(self, input_dir: str, output_dir: str) -> None:
        session = self._desk.session
        session.edit("output_dir", output_dir)
        session.scan_frames(input_dir)
        self._desk.show_folders()
