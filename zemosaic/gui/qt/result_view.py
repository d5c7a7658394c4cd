"""The result page: the mosaic with zoom, what it is made of, and the way to its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QMenu, QPlainTextEdit, QPushButton, QSlider, QVBoxLayout, QWidget

from zemosaic.gui.presenter.result.picture_loader import Loaded
from zemosaic.gui.presenter.result.result_page import OVERLAYS, SLIDERS, ResultFiles, ResultPage
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.qt.picture import Picture, picture_buttons
from zemosaic.gui.qt.pixel_panel import PixelPanel
from zemosaic.gui.qt.widgets import Choice, card, label

__all__ = ["ResultView"]


class ResultView(QWidget):
    """What the last run made."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.page = ResultPage(session, self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(20, 14, 20, 0)
        layout.addLayout(self._made_left(), 1)
        self._make_side()
        layout.addWidget(self._side)
        self.panel = PixelPanel(session, self.page.pixel, self.page.close_pixel)
        self.panel.frame.hide()
        layout.addWidget(self.panel.frame)
        closing = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        closing.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        closing.activated.connect(self.page.close_pixel)
        self.retranslate()

    def _made_left(self) -> QVBoxLayout:
        """Return the picture with its tools below."""
        left = QVBoxLayout()
        self.picture = Picture(lambda: self._session.words.text("result.empty"))
        self.picture.hovered = self.page.hover
        self.picture.clicked = self.page.ask_pixel
        left.addWidget(self.picture, 1)
        self.checks = {name: QCheckBox() for name in (*OVERLAYS, "linked")}
        left.addLayout(self._made_tools())
        left.addLayout(self._looks())
        self._read_out = label("muted")
        left.addWidget(self._read_out)
        return left

    def _make_side(self) -> None:
        """Make the panel that tells of the mosaic."""
        self._side, column = card()
        self._side.setFixedWidth(360)
        self._heading = label("heading")
        self.told = QPlainTextEdit()
        self.told.setReadOnly(True)
        self.open_folder, self.open_report, self.send_button = QPushButton(), QPushButton(), QPushButton()
        self.open_folder.clicked.connect(self.page.open_folder)
        self.open_report.clicked.connect(self.page.open_report)
        self.open_log, self.report_problem = QPushButton(), QPushButton()
        self.open_log.clicked.connect(self.page.open_log)
        self.report_problem.clicked.connect(self.page.report_problem)
        self.menu = QMenu(self.send_button)
        self.send_button.setMenu(self.menu)
        column.addWidget(self._heading)
        column.addWidget(self.told, 1)
        for button in (self.report_problem, self.open_log, self.send_button, self.open_folder, self.open_report):
            column.addWidget(button)

    def _made_tools(self) -> QHBoxLayout:
        """Return the line with zoom and overlays."""
        tools = QHBoxLayout()
        self._tools = picture_buttons(self.picture)
        for button in self._tools.values():
            tools.addWidget(button)
        for name in OVERLAYS:
            tools.addSpacing(8)
            tools.addWidget(self.checks[name])
        tools.addStretch(1)
        return tools

    def _looks(self) -> QHBoxLayout:
        """Return the line with what can be changed of the picture."""
        line = QHBoxLayout()
        self.fields, self.channel = Choice(), Choice()
        self.fields.currentIndexChanged.connect(lambda _: self.page.open_mosaic(self.fields.value))
        self.channel.currentIndexChanged.connect(lambda _: self.page.adjust(channel=self.channel.value))
        self.checks["linked"].setChecked(True)
        for widget in (self.fields, self.channel, self.checks["linked"]):
            line.addWidget(widget)
        for name, check in self.checks.items():
            check.toggled.connect(lambda on, name=name: self.page.adjust(**{name: on}))
        self.sliders = {name: QSlider(Qt.Orientation.Horizontal) for name in SLIDERS}
        self._slider_labels = {name: label("muted") for name in SLIDERS}
        for name, slider in self.sliders.items():
            slider.setRange(-100, 100)
            slider.setMaximumWidth(120)
            slider.valueChanged.connect(lambda value, name=name: self.page.adjust(**{name: value / 100}))
            line.addWidget(self._slider_labels[name])
            line.addWidget(slider)
        self._reset = QPushButton()
        self._reset.clicked.connect(self.reset)
        line.addWidget(self._reset)
        line.addStretch(1)
        return line

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        text = self._session.words.text
        self._heading.setText(text("result.heading"))
        self._reset.setText(text("result.reset"))
        self.open_report.setText(text("result.open_report"))
        self.open_folder.setText(text("result.open_folder"))
        self.send_button.setText(text("result.send"))
        self.open_log.setText(text("result.open_log"))
        self.report_problem.setText(text("result.report_problem"))
        self.menu.clear()
        for name, shown in zip(self.page.programs.names, self.page.program_texts(), strict=True):
            self.menu.addAction(shown).triggered.connect(lambda _, name=name: self.page.send(name))
        for key, tool in self._tools.items():
            tool.setText(text(key))
        for name, named in (self.checks | self._slider_labels).items():
            named.setText(text(f"result.{name}"))
        self.panel.retranslate()
        self.page.retranslate()

    def close_page(self) -> None:
        """Let go of the files and of what works in the background."""
        self.page.close()

    def show_picture(self, loaded: Loaded[QImage] | None) -> None:
        """Show the preview, until the mosaic itself is open."""
        if self.page.desk.size is None or loaded is None:
            self.picture.show_picture(loaded)

    def show_read_out(self, text: str) -> None:
        """Show what lies under the pointer."""
        self._read_out.setText(text)

    def show_summary(self, text: str, files: ResultFiles) -> None:
        """Show what was made of what."""
        self.told.setPlainText(text)
        self.open_report.setEnabled(bool(files.report))
        self.open_folder.setEnabled(bool(files.folder))
        for tool in (self.send_button, *self._tools.values()):
            tool.setEnabled(bool(files.mosaic))
        self.open_log.setVisible(bool(files.log))
        self.report_problem.setVisible(files.has_failed)

    def show_pixel(self, is_asked: bool) -> None:
        """Put the panel that tells of a pixel in the place of the summary, or the other way round."""
        self._side.setVisible(not is_asked)
        self.panel.frame.setVisible(is_asked)
        if not is_asked:
            self.picture.setFocus()

    def show_story(self) -> None:
        """Show anew what the panel tells."""
        self.panel.update()

    def offer_looks(
        self, names: Sequence[str], texts: Sequence[str], chosen: str, overlays: Mapping[str, bool]
    ) -> None:
        """Offer the channels, and what can be laid over the picture."""
        self.channel.offer(names, texts, chosen)
        for name in OVERLAYS:
            self.checks[name].setEnabled(overlays[name])

    def offer_mosaics(self, paths: Sequence[str], names: Sequence[str], chosen: str) -> None:
        """Offer the mosaics of a run that made several."""
        self.fields.setVisible(len(paths) > 1)
        if len(paths) > 1:
            self.fields.offer(paths, names, chosen)

    def reset(self) -> None:
        """Go back to the automatic stretch."""
        for slider in self.sliders.values():
            slider.setValue(0)
        self.checks["linked"].setChecked(True)
