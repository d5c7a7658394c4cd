"""The result page: the mosaic with zoom, what it is made of, and the way to its files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QMenu, QPlainTextEdit, QPushButton, QSlider, QVBoxLayout, QWidget

from zemosaic.gui.presenter.desktop.programs import Programs
from zemosaic.gui.presenter.result.pixel_presenter import PixelPresenter
from zemosaic.gui.presenter.result.result_presenter import ResultPresenter
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.run.summary_text import summary_lines
from zemosaic.gui.qt.picture import Loaded, Picture, picture_buttons
from zemosaic.gui.qt.pixel_panel import PixelPanel
from zemosaic.gui.qt.widgets import Choice, card, label

__all__ = ["ResultView"]


class ResultView(QWidget):
    """What the last run made."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.desk = ResultPresenter()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(20, 14, 20, 0)
        left = QVBoxLayout()
        self.picture = Picture(lambda: session.words.text("result.empty"))
        left.addWidget(self.picture, 1)
        self.checks = {name: QCheckBox() for name in ("coverage", "tiles", "annotation", "linked")}
        left.addLayout(self._made_tools())
        left.addLayout(self._looks())
        self._read_out = label("muted")
        left.addWidget(self._read_out)
        self.picture.hovered = self._hovered
        layout.addLayout(left, 1)
        side, column = card()
        self._side = side
        side.setFixedWidth(360)
        self._heading = label("heading")
        self.told = QPlainTextEdit()
        self.told.setReadOnly(True)
        self.open_folder, self.open_report = QPushButton(), QPushButton()
        self.open_folder.clicked.connect(self._folder_pressed)
        self.open_report.clicked.connect(self._report_pressed)
        self.programs = Programs()
        self.send_button = QPushButton()
        self.menu = QMenu(self.send_button)
        self.send_button.setMenu(self.menu)
        column.addWidget(self._heading)
        column.addWidget(self.told, 1)
        column.addWidget(self.send_button)
        column.addWidget(self.open_folder)
        column.addWidget(self.open_report)
        layout.addWidget(side)
        self.pixel = PixelPresenter()
        self.panel = PixelPanel(session, self.pixel, self.close_pixel)
        self.panel.frame.hide()
        layout.addWidget(self.panel.frame)
        self.picture.clicked = self.ask_pixel
        closing = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        closing.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        closing.activated.connect(self.close_pixel)
        self.retranslate()

    def _made_tools(self) -> QHBoxLayout:
        """Return the line with zoom and overlays."""
        tools = QHBoxLayout()
        self._tools = picture_buttons(self.picture)
        for tool in self._tools.values():
            tools.addWidget(tool)
        for name in ("coverage", "tiles", "annotation"):
            tools.addSpacing(8)
            tools.addWidget(self.checks[name])
        tools.addStretch(1)
        return tools

    def _looks(self) -> QHBoxLayout:
        """Return the line with what can be changed of the picture."""
        line = QHBoxLayout()
        self.fields, self.channel = Choice(), Choice()
        self.fields.currentIndexChanged.connect(lambda _: self._open_mosaic(self.fields.value))
        self.channel.currentIndexChanged.connect(lambda _: self._adjust(channel=self.channel.value))
        self.checks["linked"].setChecked(True)
        for widget in (self.fields, self.channel, self.checks["linked"]):
            line.addWidget(widget)
        for name, check in self.checks.items():
            check.toggled.connect(lambda on, name=name: self._adjust(**{name: on}))
        self.sliders = {name: QSlider(Qt.Orientation.Horizontal) for name in ("sky", "strength", "white")}
        self._slider_labels = {name: label("muted") for name in self.sliders}
        for name, slider in self.sliders.items():
            slider.setRange(-100, 100)
            slider.setMaximumWidth(120)
            slider.valueChanged.connect(lambda value, name=name: self._adjust(**{name: value / 100}))
            line.addWidget(self._slider_labels[name])
            line.addWidget(slider)
        self._reset = QPushButton()
        self._reset.clicked.connect(self.reset)
        line.addWidget(self._reset)
        line.addStretch(1)
        return line

    def pump(self) -> None:
        """Show the mosaic once it is open, and anew when it can be shown better."""
        if self.desk.pump():
            self._offer_channels()
            if self.desk.problem is not None:
                self._read_out.setText(self._session.words.message(self.desk.problem))
            if self.desk.size is not None:
                self.picture.look_through(self.desk.picture, self.desk.size)

        if self.pixel.pump():
            self.panel.update()

    def ask_pixel(self, x: float, y: float) -> None:
        """Ask which frames are in the pixel at a picture point, and show the panel."""
        pixel = self.desk.pixel_at(x, y)
        if pixel is None:
            return
        self.pixel.ask(self.desk.path, *pixel)
        self.picture.mark = int(x) + 0.5, int(y) + 0.5
        self._side.hide()
        self.panel.frame.show()
        self.panel.update()
        self.picture.update()

    def close_pixel(self) -> None:
        """Show the mosaic's own panel again."""
        if self.picture.mark is None:
            return
        self.pixel.forget()
        self.picture.mark = None
        self.panel.frame.hide()
        self._side.show()
        self.picture.setFocus()
        self.picture.update()

    def close_page(self) -> None:
        """Let go of the files and of what works in the background."""
        self.desk.close()
        self.pixel.close()

    def _open_mosaic(self, path: str) -> None:
        if path != self.desk.path:
            self.close_pixel()
        self.desk.open(path)

    def reset(self) -> None:
        """Go back to the automatic stretch."""
        for slider in self.sliders.values():
            slider.setValue(0)
        self.checks["linked"].setChecked(True)

    def _adjust(self, **changes: object) -> None:
        self.desk.adjust(**changes)
        self.picture.update()

    def _hovered(self, x: float, y: float) -> None:
        self._read_out.setText(self.desk.read_out(x, y, self._session.words))

    def _offer_channels(self) -> None:
        words, names = self._session.words, self.desk.channels
        self.channel.offer(
            names, [words.text(f"result.channel.{name}") for name in names], self.desk.adjustment.channel
        )
        self.checks["coverage"].setEnabled(self.desk.has_coverage)
        self.checks["tiles"].setEnabled(self.desk.has_tiles)
        self.checks["annotation"].setEnabled(self.desk.has_wcs)

    def _offer_fields(self) -> None:
        """Let the user choose between the mosaics where the run made several."""
        result = self._session.state.result
        made = () if result is None else result.mosaics or (result.mosaic,)
        self.fields.setVisible(len(made) > 1)
        if len(made) > 1:
            self.fields.offer(made, [Path(path).stem for path in made], self.desk.path or made[0])
        self._open_mosaic(made[0] if made and self.desk.path not in made else self.desk.path if made else "")

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        self._heading.setText(words.text("result.heading"))
        self.open_report.setText(words.text("result.open_report"))
        self.open_folder.setText(words.text("result.open_folder"))
        self.send_button.setText(words.text("result.send"))
        self.menu.clear()
        for name in self.programs.names:
            sending = self.menu.addAction(name or words.text("result.send_default"))
            sending.triggered.connect(lambda _, name=name: self._send_pressed(name))
        self._read_out.setText(words.text("result.hint"))
        for key, button in self._tools.items():
            button.setText(words.text(key))
        for name, check in self.checks.items():
            check.setText(words.text(f"result.{name}"))
        for name, text in self._slider_labels.items():
            text.setText(words.text(f"result.{name}"))
        self._reset.setText(words.text("result.reset"))
        self.panel.retranslate()
        self._offer_channels()
        self.picture.update()
        self.update_state()

    def show_picture(self, loaded: Loaded | None) -> None:
        """Show the preview, until the mosaic itself is open."""
        if loaded is None or self.desk.size is None:
            self.picture.show_picture(loaded)

    def update_state(self) -> None:
        """Show the result of the last run."""
        result = self._session.state.result
        lines = summary_lines(self._session.state, self._session.words) if result is not None else []
        self.told.setPlainText("\n".join(lines) or self._session.words.text("result.none"))
        for button in (self.open_report, self.open_folder, self.send_button, *self._tools.values()):
            button.setEnabled(result is not None)
        self._offer_fields()

    def _folder_pressed(self) -> None:
        if self._session.state.result is not None:
            self._session.open(Path(self._session.state.result.mosaic).parent)

    def _report_pressed(self) -> None:
        if self._session.state.result is not None:
            self._session.open(Path(self._session.state.result.report_html))

    def _send_pressed(self, name: str) -> None:
        result = self._session.state.result
        if result is None:
            return
        mosaic = Path(self.desk.path or result.mosaic)
        self._session.open(mosaic, partial(self.programs.send, name))
