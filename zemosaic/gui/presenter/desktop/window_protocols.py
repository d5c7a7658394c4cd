"""What the presenter of the main window needs of a toolkit: a window, its pages, its foot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from zemosaic.gui.presenter.frames.frames_commands import FramesCommands
from zemosaic.gui.presenter.result.picture_loader import Loaded
from zemosaic.gui.presenter.result.result_page import ResultPage
from zemosaic.gui.presenter.settings.settings_page import SettingsPage

__all__ = [
    "Footer",
    "FramesPageView",
    "ResultPageView",
    "RunPageView",
    "SettingsPageView",
    "WindowView",
]


@dataclass(frozen=True)
class Footer:
    """What the foot of the window shows: a line, and which buttons can be pressed."""

    forecast: str
    """What a run would make and take; empty while that is not known."""
    is_refused: bool
    """Whether such a run would be refused."""
    text: str
    is_problem: bool
    can_start: bool
    can_stop: bool
    can_pause: bool
    pause: str
    """Words of the button that pauses a run, or lets it go on."""
    start: str
    """Words of the button that starts a run, goes on with one, or lets a watch make its mosaic."""
    title: str
    """Of the window: how far the run is, which shows in the task bar too."""
    percent: int
    """How far the run is; 0 where there is none."""


class FramesPageView(Protocol):
    """The page of the frames."""

    @property
    def commands(self) -> FramesCommands:
        """What leads the widgets of the page."""

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""

    def focus_search(self) -> None:
        """Put the cursor into the search field."""


class SettingsPageView(Protocol):
    """The page of the settings."""

    @property
    def page(self) -> SettingsPage:
        """The page without its widgets."""

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""

    def focus_search(self) -> None:
        """Put the cursor into the search field."""


class RunPageView(Protocol):
    """The page of the run."""

    @property
    def log_level(self) -> str:
        """The least important level of the log that is shown."""

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""

    def update_state(self) -> None:
        """Show the run as it is now."""

    def show_picture(self, loaded: Loaded[Any] | None) -> None:
        """Show the mosaic so far; nothing where there is none."""


class ResultPageView(Protocol):
    """The page of the result."""

    @property
    def page(self) -> ResultPage:
        """The page without its widgets."""

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""

    def show_picture(self, loaded: Loaded[Any] | None) -> None:
        """Show a preview, until the mosaic itself is open."""


class WindowView(Protocol):
    """A window as its presenter sees it."""

    @property
    def frames(self) -> FramesPageView:
        """The page of the frames."""

    @property
    def settings(self) -> SettingsPageView:
        """The page of the settings."""

    @property
    def run(self) -> RunPageView:
        """The page of the run."""

    @property
    def result(self) -> ResultPageView:
        """The page of the result."""

    @property
    def page(self) -> int:
        """Number of the page that is shown."""

    def show_page(self, page: int) -> None:
        """Show a page."""

    def show_texts(self) -> None:
        """Put the window's own texts in the language of the moment."""

    def show_footer(self, footer: Footer) -> None:
        """Show the foot of the window."""

    def can_write(self, text: str) -> bool:
        """Return whether a font is installed that has the letters of a text."""

    def show_theme(self, name: str) -> None:
        """Take a look of `THEMES`."""

    def ask(self, title: str, text: str, answers: Sequence[str]) -> bool:
        """Ask a question with two answers, of which the second harms nothing; return whether the first was given.

        Parameters
        ----------
        title, text : str
            Title of the question's own window, and the question.
        answers : sequence of str
            Words of the two buttons.  Closing the window counts as the second answer.
        """

    def ask_folder(self, title: str) -> str:
        """Ask for a folder; return an empty text where none was chosen."""

    def tell(self, title: str, text: str, can_copy: bool = False) -> None:
        """Tell something in a window of its own.

        Parameters
        ----------
        title, text : str
            Title of that window, and what it says, in the language of the moment.
        can_copy : bool
            Whether a button puts the text on the clipboard.
        """

    def show_queue(self) -> None:
        """Open the list of jobs, or bring it to the front."""

    @property
    def handle(self) -> int:
        """What the system knows the window by."""

    def alert(self) -> None:
        """Draw the user's attention."""

    def place(self) -> tuple[str, bool]:
        """Return the window's place as ``WIDTHxHEIGHT+X+Y``, and whether it is maximised."""

    def close(self) -> object:
        """Close the window as its user does."""

    def shut(self) -> None:
        """Let the window go, whatever goes on."""
