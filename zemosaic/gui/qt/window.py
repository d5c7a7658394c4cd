"""The Qt window: four pages, one pump, one footer with Start and Stop."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QCloseEvent, QIcon, QKeySequence, QShortcut
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

from zemosaic.errors import SettingsError, ZeMosaicError
from zemosaic.events import PreviewReady
from zemosaic.gui.presenter.desktop.window_state import (
    THEMES,
    VIEWS,
    WindowState,
    load_window_state,
    save_window_state,
    window_state_file,
)
from zemosaic.gui.presenter.run.run_text import status_text
from zemosaic.gui.presenter.run.runs import DemoMaker, Starter
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.qt.frames_view import FramesView
from zemosaic.gui.qt.picture import PictureLoader
from zemosaic.gui.qt.result_view import ResultView
from zemosaic.gui.qt.run_view import RunView
from zemosaic.gui.qt.settings_view import SettingsView
from zemosaic.gui.qt.theme import use_theme
from zemosaic.gui.qt.widgets import Choice, label, restyle
from zemosaic.i18n import Translator
from zemosaic.resources import resource_root

__all__ = ["MainWindow", "run_window"]

_PUMP_MS = 50
_LOOK_AFTER_MS = 400
"""ASTAP is looked for once the window is there."""
_REFRESH_S = 0.5
"""Clocks move this often although nothing new was told."""
_TITLE_BAR_PX = 40  # room for what the desktop puts round a window
FRAMES, SETTINGS, RUN, RESULT = 0, 1, 2, 3
_PLACE = re.compile(r"(\d+)x(\d+)([+-]\d+)([+-]\d+)\Z")


def run_window(words: Translator, environ: Mapping[str, str], start: Starter, make_demo: DemoMaker) -> int:
    """Open the window and return the exit code once it is closed."""
    app = QApplication.instance() or QApplication(["ZeMosaic"])
    window = MainWindow(Session(words, environ, start, make_demo))
    window.show()
    return app.exec()


class MainWindow(QMainWindow):
    """Everything in the main window."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._state_file = window_state_file(session.config_folder, "qt")
        self._state = load_window_state(self._state_file)
        self._loader = PictureLoader()
        self._loading: PreviewReady | None = None
        self._closing = False
        self._refreshed_s = 0.0
        self._make_pages()
        self._make_corner()
        self._make_layout()
        self._bind_keys()
        self._place()
        self.use_theme(self._state.theme)
        QApplication.styleHints().colorSchemeChanged.connect(self._system_changed)
        self.retranslate()
        self.frames.restore(self._state)
        self.pages.setCurrentIndex(VIEWS.index(self._state.view))
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._pump)
        self._timer.start(_PUMP_MS)
        QTimer.singleShot(_LOOK_AFTER_MS, self, lambda: self.settings.equipment.look(test=False))

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self.session.words
        for page, key in enumerate(("frames", "settings", "run", "result")):
            self.pages.setTabText(page, words.text(f"page.{key}"))
        self.start_button.setText(words.text("window.start"))
        self.stop_button.setText(words.text("window.stop"))
        self._show_pause()
        self.theme.offer(THEMES, [words.text(f"window.look.{name}") for name in THEMES], self.theme_name)
        codes = words.languages()
        self.language.offer(tuple(codes), tuple(codes.values()), words.language)
        self.help_button.setToolTip(words.text("welcome.again"))
        self.help_button.setAccessibleName(words.text("welcome.again"))
        self.language.setToolTip(words.text("setting.language.label"))
        for view in (self.frames, self.settings, self.run, self.result):
            view.retranslate()
        self._show_status()

    def use_language(self, code: str) -> None:
        """Switch the language of the window, and of the runs it starts."""
        self.session.words.use(code)
        self.session.form = self.session.form.edited("language", code)
        self.retranslate()

    def use_theme(self, name: str) -> None:
        """Switch the look: ``system``, ``light`` or ``dark``."""
        self.theme_name = name
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        look = use_theme(app, name)
        self.run.log.recolour(look)
        self.frames.recolour(look)

    def start(self) -> None:
        """Start a run with the settings of the form."""
        if self.session.running or self.session.making_demo:
            return
        if self.session.earlier_result() is not None and not self._may_overwrite():
            return
        self.session.problem = None
        try:
            self.session.start()
        except SettingsError as fault:
            self.session.problem = fault.message
            self.pages.setCurrentIndex(SETTINGS)
            self.settings.reveal_problem()
        except ZeMosaicError as fault:
            self.session.problem = fault.message
            self.pages.setCurrentIndex(SETTINGS)
        else:
            self._loading = None
            self._loader.forget()
            self.run.show_picture(None)
            self.result.show_picture(None)
            self.result.update_state()
            self.settings.update_rows()
            self.pages.setCurrentIndex(RUN)
        self._refresh()

    def stop(self) -> None:
        """Ask the run to stop."""
        self.session.stop()
        self._refresh()

    def pause(self) -> None:
        """Let the run hold, or go on."""
        self.session.pause()
        self._refresh()

    def demo(self) -> None:
        """Ask for a folder and make the demo there."""
        chosen = QFileDialog.getExistingDirectory(self, self.session.words.text("window.demo_where"), str(Path.home()))
        if chosen:
            self.session.start_demo(Path(chosen) / "zemosaic_demo")
            self._refresh()

    def greet(self) -> None:
        """Show what the program found, and the demo, as at the first start."""
        self.pages.setCurrentIndex(SETTINGS)
        self.settings.greet()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close the window; during a run ask first, then stop it cleanly."""
        if self.session.running and not self._closing:
            words = self.session.words
            answers = (words.text("window.close_stop"), words.text("window.close_stay"))
            if not self._ask(words.text("window.close_title"), words.text("window.close_text"), *answers):
                event.ignore()
                return
            self.session.stop()
        self._closing = True
        if self.session.running:
            # The pump closes the window once the run has ended.
            event.ignore()
            return
        self._timer.stop()
        QApplication.styleHints().colorSchemeChanged.disconnect(self._system_changed)
        self._save_state()
        self.frames.close_page()
        self.settings.equipment.close()
        self.result.close_page()
        self.session.close()
        event.accept()

    def _make_pages(self) -> None:
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.pages.tabBar().setDrawBase(False)
        self.frames = FramesView(self.session, self._frames_acted)
        self.settings = SettingsView(self.session, self._state.tier, self.demo, self._state.welcomed)
        self.run = RunView(self.session, self._state.log_level)
        self.result = ResultView(self.session)
        for view in (self.frames, self.settings, self.run, self.result):
            self.pages.addTab(view, "")
        self.pages.currentChanged.connect(self._page_changed)

    def _make_corner(self) -> None:
        corner = QWidget()
        layout = QHBoxLayout(corner)
        layout.setContentsMargins(0, 6, 20, 6)
        self.language, self.theme = Choice(), Choice()
        self.language.currentIndexChanged.connect(lambda _: self.use_language(self.language.value))
        self.theme.currentIndexChanged.connect(lambda _: self.use_theme(self.theme.value))
        layout.addWidget(self.language)
        layout.addWidget(self.theme)
        self.help_button = QPushButton("?")
        self.help_button.setFixedWidth(36)
        self.help_button.setStyleSheet("padding: 6px 0px")
        self.help_button.clicked.connect(self.greet)
        layout.addWidget(self.help_button)
        self.pages.setCornerWidget(corner)

    def _make_layout(self) -> None:
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages, 1)
        footer = QHBoxLayout()
        footer.setContentsMargins(20, 10, 20, 12)
        self.status = label("muted", wrap=True)
        self.stop_button, self.pause_button, self.start_button = QPushButton(), QPushButton(), QPushButton()
        self.stop_button.setObjectName("stop")
        self.start_button.setObjectName("start")
        self.stop_button.clicked.connect(self.stop)
        self.pause_button.clicked.connect(self.pause)
        self.start_button.clicked.connect(self.start)
        footer.addWidget(self.status, 1)
        footer.addWidget(self.pause_button)
        footer.addWidget(self.stop_button)
        footer.addWidget(self.start_button)
        layout.addLayout(footer)
        self.setCentralWidget(body)

    def _bind_keys(self) -> None:
        for keys, act in (
            ("Ctrl+Return", self.start),
            ("F5", self.start),
            ("Ctrl+.", self.stop),
            ("Ctrl+P", self.pause),
            ("Ctrl+F", self._search),
            ("F1", self.greet),
            ("Ctrl+Q", self.close),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(act)
        for page in (FRAMES, SETTINGS, RUN, RESULT):
            shortcut = QShortcut(QKeySequence(f"Ctrl+{page + 1}"), self)
            shortcut.activated.connect(lambda page=page: self.pages.setCurrentIndex(page))

    def _search(self) -> None:
        if self.pages.currentIndex() == FRAMES:
            self.frames.search.setFocus()
            return
        self.pages.setCurrentIndex(SETTINGS)
        self.settings.focus_search()

    def _place(self) -> None:
        self.setWindowTitle("ZeMosaic")
        picture = resource_root() / "icon" / "zemosaic.png"
        if picture.is_file():
            self.setWindowIcon(QIcon(str(picture)))
        room = self.screen().availableGeometry()
        self.setMinimumSize(min(900, room.width()), min(560, room.height()))
        self.resize(min(1280, room.width()), min(760, room.height() - _TITLE_BAR_PX))
        place = _PLACE.match(self._state.geometry)
        if place:
            width, height, x, y = (int(number) for number in place.groups())
            self.setGeometry(x, y, min(width, room.width()), min(height, room.height() - _TITLE_BAR_PX))
        if self._state.maximised:
            self.showMaximized()

    def _pump(self) -> None:
        """Take in news, show them, and come back; the only timer of the window."""
        session = self.session
        fresh = session.pump()
        scanned = session.frames.pump()
        demo = session.demo_progress()
        if demo is not None:
            self._demo_told(demo.done, demo.total, demo.folder is not None)
        self.result.pump()
        loaded = self._loader.take()
        if loaded is not None:
            self.run.show_picture(loaded)
            if session.state.result is not None:
                self.result.show_picture(loaded)
        now = session.clock()
        due = now - self._refreshed_s > _REFRESH_S
        if fresh or due:
            self._refresh()
        if (scanned or due) and self.pages.currentIndex() == FRAMES:
            session.look_at_frames()
            self.frames.update_state()
        if due and self.pages.currentIndex() == SETTINGS:
            self.settings.show_equipment()
        if due:
            self._refreshed_s = now
        if session.run_ended():
            self._run_ended()
        if self._closing and not session.running:
            self.close()

    def _frames_acted(self) -> None:
        if self.isVisible():
            self._show_status()

    def _page_changed(self, page: int) -> None:
        if page == FRAMES:
            self.session.look_at_frames()
            self.frames.update_state()
        elif page == SETTINGS:
            self.settings.update_rows()
            self.settings.show_equipment()

    def _refresh(self) -> None:
        self.run.update_state()
        preview = self.session.state.preview
        if preview is not None and preview is not self._loading:
            self._loading = preview
            self._loader.load(preview.path)
        self._show_status()

    def _run_ended(self) -> None:
        self.result.update_state()
        result = self.session.state.result
        if result is not None and not self._closing:
            # The picture may have been read before the result was known; now it belongs to both pages.
            self._loader.load(result.preview)
            if self.pages.currentIndex() == RUN:  # who works on another page is not torn off it
                self.pages.setCurrentIndex(RESULT)
            QApplication.alert(self)
        self._refresh()

    def _demo_told(self, done: int, total: int, finished: bool) -> None:
        self.status.setText(self.session.words.text("window.demo_progress", done=done, total=total))
        if finished:
            self.settings.update_rows()
            self.start()

    def _show_status(self) -> None:
        session = self.session
        running = session.running
        self.start_button.setEnabled(not running and not session.making_demo)
        under_way = running and session.state.status.under_way
        self.stop_button.setEnabled(under_way)
        self.pause_button.setEnabled(under_way)
        self._show_pause()
        if session.making_demo and session.problem is None:
            return
        text, problem = status_text(session)
        self.status.setText(text)
        restyle(self.status, "problem" if problem else "muted")

    def _show_pause(self) -> None:
        self.pause_button.setText(self.session.words.text("window.resume" if self.session.held else "window.pause"))

    def _may_overwrite(self) -> bool:
        words, earlier = self.session.words, self.session.earlier_result()
        question = words.text("window.replace_text", path=str(earlier))
        answers = (words.text("window.replace"), words.text("window.cancel"))
        return self._ask(words.text("window.replace_title"), question, *answers)

    def _ask(self, title: str, text: str, yes: str, no: str) -> bool:
        """Ask a question; return whether the first answer was chosen."""
        box = QMessageBox(self)
        box.setWindowTitle(title)
        box.setText(title)
        box.setInformativeText(text)
        agreed = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
        box.addButton(no, QMessageBox.ButtonRole.RejectRole)
        box.exec()
        return box.clickedButton() is agreed

    def _system_changed(self) -> None:
        if self.theme_name == "system":
            self.use_theme("system")

    def _save_state(self) -> None:
        maximised, at = self.isMaximized(), self.geometry()
        place = f"{at.width()}x{at.height()}{at.x():+d}{at.y():+d}"
        geometry = self._state.geometry if maximised else place
        fresh = WindowState(
            geometry=geometry,
            maximised=maximised,
            theme=self.theme_name,
            tier=self.settings.tier,
            log_level=self.run.log.level,
            view=VIEWS[self.pages.currentIndex()],
            welcomed=self.settings.welcomed,
            **self.frames.remembered(),
        )
        save_window_state(fresh, self._state_file)
