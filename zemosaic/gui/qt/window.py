"""The Qt window: four pages, one pump, one footer with Start and Stop."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QIcon, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from zemosaic.gui.presenter.desktop.window_presenter import PUMP_MS, WindowPresenter
from zemosaic.gui.presenter.desktop.window_protocols import Footer
from zemosaic.gui.presenter.desktop.window_state import THEMES, VIEWS
from zemosaic.gui.presenter.result.picture_loader import PictureLoader
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.qt.frames.frames_view import FramesView
from zemosaic.gui.qt.linked_text import show_linked
from zemosaic.gui.qt.picture import read_image
from zemosaic.gui.qt.result.result_view import ResultView
from zemosaic.gui.qt.run_view import RunView
from zemosaic.gui.qt.settings_view import SettingsView
from zemosaic.gui.qt.theme import can_write, use_theme
from zemosaic.gui.qt.unattended.queue_window import QueueWindow
from zemosaic.gui.qt.widgets import Choice, drop_menu, label, restyle
from zemosaic.resources import resource_root

__all__ = ["MainWindow", "run_window"]

_TITLE_BAR_PX = 40  # room for what the desktop puts round a window
_PLACE = re.compile(r"(\d+)x(\d+)([+-]\d+)([+-]\d+)\Z")


def run_window(session: Session) -> int:
    """Open the window and return the exit code once it is closed."""
    app = QApplication.instance() or QApplication(["ZeMosaic"])
    window = MainWindow(session)
    window.show()
    return app.exec()


class MainWindow(QMainWindow):
    """Everything in the main window."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._badge = 0
        self.setAcceptDrops(True)
        self.presenter = WindowPresenter(session, "qt", PictureLoader(read_image))
        self._make_pages()
        self._make_corner()
        self._make_layout()
        self._bind_keys()
        self._place_first()
        self.presenter.attach(self)
        QApplication.styleHints().colorSchemeChanged.connect(self._system_changed)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.presenter.pump)
        self._timer.start(PUMP_MS)

    @property
    def page(self) -> int:
        return self.pages.currentIndex()

    def show_page(self, page: int) -> None:
        self.pages.setCurrentIndex(page)

    def show_texts(self) -> None:
        desk, words = self.presenter, self.session.words
        for page, name in enumerate(VIEWS):
            self.pages.setTabText(page, words.text(f"page.{name}"))
        self.stop_button.setText(words.text("window.stop"))
        self.theme.offer(THEMES, desk.look_names(), desk.theme_name)
        codes = words.languages()
        self.language.offer(tuple(codes), tuple(codes.values()), words.language)
        self.language.setToolTip(words.text("setting.language.label"))
        for button, key in ((self.help_button, "menu.help"), (self.more_button, "menu.more")):
            button.setToolTip(words.text(key))
            button.setAccessibleName(words.text(key))

    def show_footer(self, footer: Footer) -> None:
        show_linked(self.forecast, footer.forecast, self.session)
        self.forecast.setVisible(bool(footer.forecast))
        restyle(self.forecast, "problem" if footer.is_refused else "bold")
        show_linked(self.status, footer.text, self.session)
        restyle(self.status, "problem" if footer.is_problem else "muted")
        self.start_button.setEnabled(footer.can_start)
        self.stop_button.setEnabled(footer.can_stop)
        self.pause_button.setEnabled(footer.can_pause)
        self.pause_button.setText(footer.pause)
        self.start_button.setText(footer.start)
        self.setWindowTitle(footer.title)
        app = QApplication.instance()
        if sys.platform == "darwin" and isinstance(app, QApplication) and footer.percent != self._badge:
            self._badge = footer.percent  # the dock's; elsewhere the presenter tells the task bar
            app.setBadgeNumber(footer.percent)

    @property
    def handle(self) -> int:
        return int(self.winId())

    def can_write(self, text: str) -> bool:
        return can_write(text)

    def show_theme(self, name: str) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        look = use_theme(app, name)
        self.run.log.recolour(look)
        self.frames.recolour(look)

    def ask(self, title: str, text: str, answers: Sequence[str]) -> bool:
        box = QMessageBox(self)
        box.setWindowTitle(title)
        box.setText(title)
        box.setInformativeText(text)
        agreed = box.addButton(answers[0], QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton(answers[1], QMessageBox.ButtonRole.RejectRole))
        box.exec()
        return box.clickedButton() is agreed

    def tell(self, title: str, text: str, can_copy: bool = False) -> None:
        box = QMessageBox(self)
        box.setWindowTitle(title)
        box.setText(title)
        box.setInformativeText(text)
        box.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words = self.session.words
        copy = box.addButton(words.text("run.copy"), QMessageBox.ButtonRole.ActionRole) if can_copy else None
        box.setDefaultButton(box.addButton(words.text("window.close"), QMessageBox.ButtonRole.AcceptRole))
        box.exec()
        if copy is not None and box.clickedButton() is copy:
            QApplication.clipboard().setText(text)

    def show_queue(self) -> None:
        if self.presenter.queue.view is None:
            self.queue = QueueWindow(self, self.presenter.queue)
        self.queue.show()
        self.queue.raise_()
        self.queue.activateWindow()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Welcome folders, and files in them."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take what was dropped, on whatever page."""
        event.acceptProposedAction()
        self.presenter.actions.dropped([url.toLocalFile() for url in event.mimeData().urls()])

    def ask_folder(self, title: str) -> str:
        return QFileDialog.getExistingDirectory(self, title, str(Path.home()))

    def alert(self) -> None:
        """Let the window's entry in the task bar flash."""
        QApplication.alert(self)

    def place(self) -> tuple[str, bool]:
        """Return the window's place, and whether it is maximised."""
        at = self.geometry()
        return f"{at.width()}x{at.height()}{at.x():+d}{at.y():+d}", self.isMaximized()

    def shut(self) -> None:
        """End what works in the background; Qt closes the window."""
        self._timer.stop()
        QApplication.styleHints().colorSchemeChanged.disconnect(self._system_changed)
        self.frames.close_page()
        self.settings.close_page()
        self.result.close_page()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close the window where the presenter lets it go."""
        event.setAccepted(self.presenter.close())

    def _make_pages(self) -> None:
        left = self.presenter.opened_with
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.pages.tabBar().setDrawBase(False)
        self.frames = FramesView(self.session, self._frames_acted)
        self.settings = SettingsView(self.session, left.tier, self.presenter.demo, left.welcomed)
        self.run = RunView(self.session, left.log_level)
        self.result = ResultView(self.session)
        for view in (self.frames, self.settings, self.run, self.result):
            self.pages.addTab(view, "")
        self.pages.currentChanged.connect(lambda _: self.presenter.page_changed())

    def _make_corner(self) -> None:
        corner = QWidget()
        layout = QHBoxLayout(corner)
        layout.setContentsMargins(0, 6, 20, 6)
        self.language, self.theme = Choice(), Choice()
        self.language.currentIndexChanged.connect(lambda _: self.presenter.use_language(self.language.value))
        self.theme.currentIndexChanged.connect(lambda _: self.presenter.use_theme(self.theme.value))
        layout.addWidget(self.language)
        layout.addWidget(self.theme)
        self.help_button = QPushButton("?")
        self.help_button.setFixedWidth(36)
        self.help_button.setStyleSheet("padding: 6px 0px")
        acts = self.presenter.actions
        drop_menu(self.help_button, acts.help_menu, acts.choose)
        layout.addWidget(self.help_button)
        self.pages.setCornerWidget(corner)

    def _make_layout(self) -> None:
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages, 1)
        footer = QHBoxLayout()
        footer.setContentsMargins(20, 10, 20, 12)
        lines = QVBoxLayout()
        self.forecast, self.status = label("bold", wrap=True), label("muted", wrap=True)
        for told in (self.forecast, self.status):
            told.linkActivated.connect(self.presenter.show_setting)
        lines.addWidget(self.forecast)
        lines.addWidget(self.status)
        self.stop_button, self.pause_button, self.start_button = QPushButton(), QPushButton(), QPushButton()
        self.stop_button.setObjectName("stop")
        self.start_button.setObjectName("start")
        self.stop_button.clicked.connect(self.presenter.stop)
        self.pause_button.clicked.connect(self.presenter.pause)
        self.start_button.clicked.connect(self.presenter.start)
        footer.addLayout(lines, 1)
        footer.addWidget(self.pause_button)
        footer.addWidget(self.stop_button)
        footer.addWidget(self.start_button)
        self.more_button = QPushButton("▾")
        self.more_button.setFixedWidth(36)
        self.more_button.setStyleSheet("padding: 6px 0px")
        drop_menu(self.more_button, self.presenter.actions.start_menu, self.presenter.actions.choose)
        footer.addWidget(self.more_button)
        layout.addLayout(footer)
        self.setCentralWidget(body)

    def _bind_keys(self) -> None:
        acts = {
            "Ctrl+Return": self.presenter.start,
            "F5": self.presenter.start,
            "Ctrl+.": self.presenter.stop,
            "Ctrl+P": self.presenter.pause,
            "Ctrl+F": self.presenter.search,
            "F1": self.presenter.greet,
            "Ctrl+Q": self.close,
        }
        paste = QShortcut(QKeySequence(QKeySequence.StandardKey.Paste), self)
        paste.activated.connect(lambda: self.presenter.actions.pasted(QApplication.clipboard().text()))
        for keys, act in acts.items():
            QShortcut(QKeySequence(keys), self).activated.connect(act)
        for page in range(self.pages.count()):
            shortcut = QShortcut(QKeySequence(f"Ctrl+{page + 1}"), self)
            shortcut.activated.connect(lambda page=page: self.show_page(page))

    def _place_first(self) -> None:
        picture = resource_root() / "icon" / "zemosaic.png"
        if picture.is_file():
            self.setWindowIcon(QIcon(str(picture)))
        room = self.screen().availableGeometry()
        self.setMinimumSize(min(900, room.width()), min(560, room.height()))
        self.resize(min(1280, room.width()), min(760, room.height() - _TITLE_BAR_PX))
        place = _PLACE.match(self.presenter.opened_with.geometry)
        if place:
            width, height, x, y = (int(number) for number in place.groups())
            self.setGeometry(x, y, min(width, room.width()), min(height, room.height() - _TITLE_BAR_PX))
        if self.presenter.opened_with.maximised:
            self.showMaximized()

    def _frames_acted(self) -> None:
        if self.isVisible():
            self.presenter.show_status()

    def _system_changed(self) -> None:
        if self.presenter.theme_name == "system":
            self.show_theme("system")
