"""Light, dark and the system's look for Qt, in the colours both windows share."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from zemosaic.gui.presenter.desktop.palette import PALETTES, Palette
from zemosaic.gui.presenter.desktop.scripts import has_east_asian_letters, has_kana
from zemosaic.resources import resource_root

__all__ = ["can_write", "current_palette", "use_theme"]

_SHEET = """
QWidget {{ font-size: 10pt; }}
QToolTip {{ background: {card}; color: {text}; border: 1px solid {border}; padding: 4px; }}
#card {{ background: {card}; border: 1px solid {border}; border-radius: 7px; }}
#title {{ font-size: 15pt; font-weight: bold; }}
#heading {{ font-size: 11pt; font-weight: bold; }}
#bold {{ font-weight: bold; }}
#changed {{ font-weight: bold; color: {accent}; }}
#muted {{ color: {muted}; font-size: 9pt; }}
#problem {{ color: {bad}; font-size: 9pt; }}
#warning {{ color: {warning}; font-size: 9pt; }}
#good {{ color: {good}; font-weight: bold; }}
QPushButton, QLineEdit, QComboBox {{
  background: {field}; border: 1px solid {border}; border-radius: 6px; padding: 6px 10px; min-height: 18px; }}
QPushButton {{ background: {card}; padding: 6px 14px; }}
QPushButton:hover, QComboBox:hover {{ background: {hover}; }}
QPushButton:focus, QLineEdit:focus, QComboBox:focus {{ border: 1px solid {accent}; }}
QPushButton:disabled {{ color: {muted}; }}
QPushButton:checked {{ background: {accent}; color: {on_accent}; border-color: {accent}; }}
QLineEdit[wrong="true"] {{ border: 2px solid {bad}; }}
QComboBox QAbstractItemView {{ background: {card}; color: {text}; border: 1px solid {border}; outline: 0;
  selection-background-color: {accent}; selection-color: {on_accent}; }}
QComboBox QAbstractItemView::item {{ padding: 4px 8px; min-height: 20px; }}
QComboBox QAbstractItemView::item:selected {{ background: {accent}; color: {on_accent}; }}
QMenu {{ background: {card}; color: {text}; border: 1px solid {border}; }}
QMenu::item {{ padding: 5px 24px; }}
QMenu::item:selected {{ background: {accent}; color: {on_accent}; }}
QMenu::item:disabled {{ color: {muted}; }}
QComboBox::drop-down {{ border: 0; width: 22px; }}
QCheckBox::indicator, QTableView::indicator {{ width: 13px; height: 13px; border: 1px solid {muted};
  border-radius: 3px; background: {field}; }}
QCheckBox::indicator:checked, QTableView::indicator:checked {{ background: {accent}; border-color: {text};
  image: url("{tick}"); }}
QTableView::indicator:indeterminate {{ background: {warning}; border-color: {text}; }}
#start {{ background: {accent}; color: {on_accent}; border-color: {accent}; font-weight: bold; }}
#start:hover {{ background: {accent_hover}; }}
#start:disabled {{ background: {card}; color: {muted}; border-color: {border}; }}
#stop:enabled {{ color: {bad}; border-color: {bad}; font-weight: bold; }}
QTabWidget::pane {{ border: 0; }}
QTabBar::tab {{ background: transparent; color: {muted}; padding: 9px 18px; font-weight: bold; font-size: 11pt;
  border-bottom: 3px solid transparent; }}
QTabBar::tab:selected {{ color: {text}; border-bottom: 3px solid {accent}; }}
QTabBar::tab:focus {{ color: {accent}; }}
QScrollArea, #plain {{ background: transparent; border: 0; }}
QProgressBar {{ background: {hover}; border: 0; border-radius: 4px; max-height: 8px; min-height: 8px; }}
QSlider::groove:horizontal {{ background: {border}; height: 4px; border-radius: 2px; }}
QSlider::handle:horizontal {{ background: {accent}; width: 16px; margin: -6px 0; border-radius: 8px; }}
QSlider::handle:horizontal:focus {{ background: {text}; }}
QSlider::handle:horizontal:disabled {{ background: {muted}; }}
QProgressBar::chunk {{ background: {accent}; border-radius: 4px; }}
QPlainTextEdit, QTableView {{ background: {field}; border: 1px solid {border}; border-radius: 4px; font-size: 9pt; }}
QTableView {{ alternate-background-color: {card}; }}
QHeaderView::section {{ background: {card}; color: {text}; border: 0;
  border-bottom: 1px solid {border}; padding: 5px; }}
QSplitter::handle {{ background: {background}; }}
"""


def current_palette(theme: str) -> Palette:
    """Return the colours of a theme: ``light``, ``dark`` or ``system``."""
    if theme == "system":
        scheme = QApplication.styleHints().colorScheme()
        theme = "dark" if scheme == Qt.ColorScheme.Dark else "light"
    return PALETTES[theme]


def use_theme(app: QApplication, theme: str) -> Palette:
    """Dress the program in a theme and return its colours.

    Parameters
    ----------
    app : QApplication
        All of its widgets are dressed anew, but not where it wears that theme already, since this takes long.
    theme : {"light", "dark", "system"}
        ``system`` is what the desktop prefers at the moment.
    """
    look = current_palette(theme)
    colours = QPalette()
    role = QPalette.ColorRole
    for which, ink in (
        (role.Window, look.background),
        (role.WindowText, look.text),
        (role.Base, look.field),
        (role.AlternateBase, look.card),
        (role.Text, look.text),
        (role.Button, look.card),
        (role.ButtonText, look.text),
        (role.Highlight, look.accent),
        (role.HighlightedText, look.on_accent),
        (role.ToolTipBase, look.card),
        (role.ToolTipText, look.text),
        (role.PlaceholderText, look.muted),
    ):
        colours.setColor(which, QColor(ink))
    sheet = _SHEET.format(**vars(look), tick=_tick(look))
    # Every one of these dresses all widgets anew.
    if app.styleSheet() != sheet:
        app.setStyle("Fusion")
        app.setPalette(colours)
        app.setStyleSheet(sheet)
    return look


def _tick(look: Palette) -> str:
    """Return the path of the mark in a ticked box, in the form of a style sheet; a sheet can show files only."""
    name = "tick_white.png" if look.on_accent == "#ffffff" else "tick_black.png"
    return (resource_root() / "icon" / name).as_posix()


def can_write(text: str) -> bool:
    """Return whether a font is installed that has the letters of a text; Qt looks for the font by itself."""
    if not has_east_asian_letters(text):
        return True
    writing = QFontDatabase.WritingSystem
    systems = (writing.Japanese,) if has_kana(text) else (writing.SimplifiedChinese, writing.Japanese)
    return any(QFontDatabase.families(system) for system in systems)
