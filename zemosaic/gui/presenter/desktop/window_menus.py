"""The two menus of the window: other ways to start, and help."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from zemosaic.about import full_version, package_versions
from zemosaic.gui.presenter.desktop.recent_folders import RecentFolders
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.unattended.jobs import short_path
from zemosaic.i18n import Translator
from zemosaic.resources import resource_root

__all__ = ["MenuEntry", "about_text", "documentation", "help_menu", "recent_pair", "shortcuts_text", "start_menu"]

_RECENT = "recent:"
_SHORTCUTS = (
    ("window.start", "Ctrl+Enter, F5"),
    ("window.stop", "Ctrl+."),
    ("window.pause", "Ctrl+P"),
    ("settings.search", "Ctrl+F"),
    ("shortcuts.pages", "Ctrl+1 … Ctrl+4"),
    ("shortcuts.paste", "Ctrl+V"),
    ("frames.leave_out", "Del"),
    ("frames.undo", "Ctrl+Z"),
    ("frames.redo", "Ctrl+Y"),
    ("menu.tour", "F1"),
    ("shortcuts.close", "Ctrl+Q"),
)


@dataclass(frozen=True)
class MenuEntry:
    """One entry of a menu."""

    value: str
    """What is chosen by it."""
    text: str
    can_choose: bool = True


def start_menu(session: Session, recent: RecentFolders) -> list[MenuEntry]:
    """Return what stands beside Start: watching, the queue, and the folders of the latest runs.

    Parameters
    ----------
    session : Session
        While it runs or makes demo frames nothing but the queue can be chosen.
    recent : RecentFolders
        A pair whose input folder is gone is listed and cannot be chosen.
    """
    text, is_free = session.words.text, not session.running and not session.demo.under_way
    entries = [MenuEntry("watch", text("menu.watch"), is_free), MenuEntry("queue", text("menu.queue"))]
    for number, (input_dir, output_dir) in enumerate(recent.pairs):
        pair = text("menu.recent", input=short_path(input_dir), output=short_path(output_dir))
        entries.append(MenuEntry(f"{_RECENT}{number}", pair, is_free and Path(input_dir).is_dir()))
    return entries


def recent_pair(value: str, recent: RecentFolders) -> tuple[str, str] | None:
    """Return the pair of folders that an entry of `start_menu` stands for; None where it is another entry.

    Parameters
    ----------
    value : str
        Of the entry.
    recent : RecentFolders
    """
    number = value.removeprefix(_RECENT)
    is_pair = value.startswith(_RECENT) and number.isdigit() and int(number) < len(recent.pairs)
    return recent.pairs[int(number)] if is_pair else None


def help_menu(words: Translator, is_examining: bool) -> list[MenuEntry]:
    """Return what "?" offers.

    Parameters
    ----------
    words : Translator
    is_examining : bool
        Whether the installation is being examined, which is not begun a second time meanwhile.
    """
    values = ("tour", "shortcuts", "documentation", "doctor", "problem", "about")
    can_choose = {"documentation": documentation().is_file(), "doctor": not is_examining}
    return [MenuEntry(value, words.text(f"menu.{value}"), can_choose.get(value, True)) for value in values]


def documentation() -> Path:
    """Return the guide that comes with the program."""
    return resource_root() / "docs" / "guide.md"


def shortcuts_text(words: Translator) -> str:
    """Return the keys of the window, one a line."""
    return "\n".join(f"{keys} — {words.text(key)}" for key, keys in _SHORTCUTS)


def about_text(words: Translator) -> str:
    """Return which program this is, what it stands on and what its licence is."""
    own = ("zemosaic", "python")
    packages = ", ".join(f"{name} {version}" for name, version in package_versions().items() if name not in own)
    system = f"Python {platform.python_version()}, {platform.platform(terse=True)}"
    licence = words.text("about.licence")
    return f"ZeMosaic {full_version()}\n{licence}\n\n{system}\n{packages}"
