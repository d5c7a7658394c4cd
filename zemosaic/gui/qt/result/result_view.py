"""The result page: the mosaic with zoom, what it is made of, and the way to its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage, QKeySequence, QPixmap, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from zemosaic.gui.presenter.result.picture_loader import Loaded
from zemosaic.gui.presenter.result.result_page import SLIDERS, ResultFiles, ResultPage
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.qt.linked_text import LinkedText
from zemosaic.gui.qt.picture import Picture, picture_buttons
from zemosaic.gui.qt.result.menu_button import EntriesButton, image_of
from zemosaic.gui.qt.result.pixel_panel import PixelPanel
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
        self.picture = Picture(self.page.empty_text)
        self.picture.hovered = self.page.hover
        self.picture.clicked = self.page.ask_pixel
        left.addWidget(self.picture, 1)
        self.checks = {"linked": QCheckBox()}
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
        self.told = LinkedText(self._session)
        self.open_folder, self.open_report, self.send_button = QPushButton(), QPushButton(), QPushButton()
        self.open_folder.clicked.connect(self.page.open_folder)
        self.open_report.clicked.connect(self.page.open_report)
        self.open_log, self.report_problem = QPushButton(), QPushButton()
        self.open_log.clicked.connect(self.page.open_log)
        self.report_problem.clicked.connect(self.page.report_problem)
        self.menu = QMenu(self.send_button)
        self.send_button.setMenu(self.menu)
        column.addWidget(self._heading)
        column.addWidget(self._made_levels())
        column.addWidget(self.told, 1)
        for button in (self.report_problem, self.open_log, self.send_button, self.open_folder, self.open_report):
            column.addWidget(button)

    def _made_levels(self) -> QWidget:
        """Return the histogram with the sliders that move it; they are shown once a mosaic is open."""
        self._levels = QWidget()
        self._levels.hide()
        grid = QGridLayout(self._levels)
        grid.setContentsMargins(0, 0, 0, 0)
        self.histogram = label()
        self.histogram.setScaledContents(True)  # the panel is as wide as its longest word
        grid.addWidget(self.histogram, 0, 0, 1, 2)
        self.sliders = {name: QSlider(Qt.Orientation.Horizontal) for name in SLIDERS}
        self._slider_labels = {name: label("muted") for name in SLIDERS}
        for row, (name, slider) in enumerate(self.sliders.items(), 1):
            slider.setRange(-100, 100)
            slider.valueChanged.connect(lambda value, name=name: self.page.adjust(**{name: value / 100}))
            grid.addWidget(self._slider_labels[name], row, 0)
            grid.addWidget(slider, row, 1)
        self._reset = QPushButton()
        self._reset.clicked.connect(self.reset)
        # Here and not in the line below the picture, where a narrow window has no room for it.
        self.checks["linked"].setChecked(True)
        self.checks["linked"].toggled.connect(lambda on: self.page.adjust(linked=on))
        grid.addWidget(self.checks["linked"], len(SLIDERS) + 1, 0, 1, 2)
        grid.addWidget(self._reset, len(SLIDERS) + 2, 1, Qt.AlignmentFlag.AlignRight)
        return self._levels

    def _made_tools(self) -> QHBoxLayout:
        """Return the line with what can be done with the mosaic."""
        tools = QHBoxLayout()
        self.menus = {key: EntriesButton(offer) for key, offer in self.page.actions.menus().items()}
        for button in self.menus.values():
            tools.addWidget(button)
        self.fields = Choice()
        self.fields.currentIndexChanged.connect(lambda _: self.page.open_mosaic(self.fields.value))
        tools.addWidget(self.fields)
        tools.addStretch(1)
        return tools

    def _looks(self) -> QHBoxLayout:
        """Return the line with the zoom, and with what colours are shown."""
        line = QHBoxLayout()
        self._tools = picture_buttons(self.picture)
        for button in self._tools.values():
            line.addWidget(button)
        self._zoom = label("muted")
        self._zoom.setMinimumWidth(58)
        self._zoom.setAlignment(Qt.AlignmentFlag.AlignCenter)
        line.addWidget(self._zoom)
        self.channel = Choice()
        self.channel.currentIndexChanged.connect(lambda _: self.page.adjust(channel=self.channel.value))
        line.addWidget(self.channel)
        line.addStretch(1)
        return line

    def retranslate(self) -> None:
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
        for key, button in self.menus.items():
            button.setText(text(key))
        for name, named in (self.checks | self._slider_labels).items():
            named.setText(text(f"result.{name}"))
        self.panel.retranslate()
        self.page.retranslate()

    def close_page(self) -> None:
        """Let go of the files and of what works in the background."""
        self.page.close()

    def show_picture(self, loaded: Loaded[QImage] | None) -> None:
        if self.page.desk.size is None or loaded is None:
            self.picture.show_picture(loaded)

    def show_read_out(self, text: str) -> None:
        """Show what lies under the pointer."""
        self._read_out.setText(text)

    def show_summary(self, text: str, files: ResultFiles) -> None:
        self.told.show_text(text)
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
        self.panel.update()

    def offer_channels(self, names: Sequence[str], texts: Sequence[str], chosen: str) -> None:
        self.channel.offer(names, texts, chosen)

    def show_look(self, look: Mapping[str, float | bool]) -> None:
        for name, value in look.items():
            if name in self.sliders:
                self.sliders[name].setValue(round(100 * value))
            elif name in self.checks:
                self.checks[name].setChecked(bool(value))

    def show_zoom(self, text: str) -> None:
        self._zoom.setText(text)

    def show_histogram(self, picture: NDArray[np.uint8] | None) -> None:
        """Show how often each brightness is seen; nothing where no mosaic is open."""
        self._levels.setVisible(picture is not None)
        if picture is not None:
            self.histogram.setPixmap(QPixmap.fromImage(image_of(picture)))

    def ask_open(self, title: str, folder: str, endings: Sequence[str]) -> str:
        kinds = " ".join(f"*{end}" for end in endings)
        return QFileDialog.getOpenFileName(self, title, folder, f"FITS ({kinds})")[0]

    def ask_save(self, title: str, folder: str, name: str, endings: Sequence[str]) -> str:
        dialog = QFileDialog(self, title, folder, ";;".join(f"{end[1:].upper()} (*{end})" for end in endings))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile(name)
        # Who chooses another kind of file gets its ending.
        dialog.filterSelected.connect(lambda kind: dialog.setDefaultSuffix(kind.partition("*.")[2].rstrip(")")))
        return dialog.selectedFiles()[0] if dialog.exec() else ""

    def copy_picture(self, picture: NDArray[np.uint8]) -> bool:
        """Put a picture on the clipboard; return whether that was possible."""
        QGuiApplication.clipboard().setImage(image_of(picture))
        return True

    def offer_mosaics(self, paths: Sequence[str], names: Sequence[str], chosen: str) -> None:
        self.fields.setVisible(len(paths) > 1)
        if len(paths) > 1:
            self.fields.offer(paths, names, chosen)

    def reset(self) -> None:
        """Go back to the automatic stretch."""
        for slider in self.sliders.values():
            slider.setValue(0)
        self.checks["linked"].setChecked(True)
