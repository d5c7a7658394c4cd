"""The settings page: cards of rows made from the schema."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.equipment import EQUIPMENT
from zemosaic.gui.presenter.settings.settings_page import Extras, SettingsPage
from zemosaic.gui.qt.setting_row import SettingRow
from zemosaic.gui.qt.welcome import WelcomeCard
from zemosaic.gui.qt.widgets import Choice, card, label, restyle
from zemosaic.settings.schema import TIERS

__all__ = ["SettingsView"]

_MAX_BODY_PX = 1400
"""On a very wide screen a label would stand far from its field."""


class SettingsView(QWidget):
    """All settings, filtered by depth and search."""

    def __init__(self, session: Session, tier: str, demo: Callable[[], None], welcomed: bool = True) -> None:
        super().__init__()
        self._session = session
        self.page = SettingsPage(session, self, tier, welcomed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 14, 14, 0)
        layout.addLayout(self._made_top())
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        body = QWidget()
        body.setObjectName("plain")
        body.setMaximumWidth(_MAX_BODY_PX)
        self._body = QVBoxLayout(body)
        self._body.setContentsMargins(0, 0, 8, 0)
        self._scroll.setWidget(body)
        layout.addWidget(self._scroll, 1)
        self.rows: dict[str, SettingRow] = {}
        self._cards: dict[str, QFrame] = {}
        self._headings: dict[str, QLabel] = {}
        self.welcome = WelcomeCard(session, self.page.equipment, demo, self.page.close_welcome)
        self._body.addWidget(self.welcome.frame)
        self._make_cards(demo)
        self._make_equipment()
        self._none = label("muted")
        self._body.addWidget(self._none)
        self._body.addStretch(1)
        self.retranslate()

    @property
    def search_text(self) -> str:
        return self.search.text()

    def clear_search(self) -> None:
        self.search.clear()

    def focus_search(self) -> None:
        self.search.setFocus()
        self.search.selectAll()

    def retranslate(self) -> None:
        text = self._session.words.text
        self.search.setPlaceholderText(text("settings.search"))
        for tier, button in self.tiers.items():
            button.setText(text(f"tier.{tier}"))
        self._preset_label.setText(text("settings.preset"))
        self.save_preset.setText(text("settings.preset_save"))
        self.delete_preset.setText(text("settings.preset_delete"))
        self._equipment_heading.setText(text("settings.equipment"))
        self._demo_text.setText(text("settings.demo_text"))
        self.demo_button.setText(text("settings.demo_button"))
        self._none.setText(text("settings.none_found"))
        for group, title in self._headings.items():
            title.setText(text(f"group.{group}"))
        self.welcome.retranslate()
        for setting in self.rows.values():
            setting.retranslate()
        self.page.filter()

    def show_tier(self, tier: str) -> None:
        self.tiers[tier].setChecked(True)

    def reveal(self, key: str) -> None:
        self._scroll.ensureWidgetVisible(self.rows[key].control)
        self.rows[key].control.setFocus()

    def reveal_welcome(self) -> None:
        self._scroll.verticalScrollBar().setValue(0)
        self.welcome.close_button.setFocus()

    def close_page(self) -> None:
        """Wait for what is being tested."""
        self.page.equipment.close()

    def _made_top(self) -> QHBoxLayout:
        top = QHBoxLayout()
        self.search = QLineEdit()
        self.search.setMaximumWidth(240)
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _: self.page.filter())
        top.addWidget(self.search, 1)
        self.tiers: dict[str, QPushButton] = {}
        self._tier_group = QButtonGroup(self)
        for tier in TIERS:
            button = QPushButton()
            button.setCheckable(True)
            button.setChecked(tier == self.page.tier)
            button.clicked.connect(lambda _, tier=tier: self.page.use_tier(tier))
            self._tier_group.addButton(button)
            top.addWidget(button)
            self.tiers[tier] = button
        self._hidden = label("warning")
        top.addWidget(self._hidden)
        top.addStretch(1)
        self._preset_label = label("muted", yields=True)
        self.preset = Choice()
        self.preset.currentIndexChanged.connect(lambda _: self.page.choose_preset(self.preset.value))
        self.save_preset, self.delete_preset = QPushButton(), QPushButton()
        self.save_preset.clicked.connect(self._save_pressed)
        self.delete_preset.clicked.connect(lambda: self.page.delete_preset(self.preset.value))
        for widget in (self._preset_label, self.preset, self.save_preset, self.delete_preset):
            top.addWidget(widget)
        return top

    def _make_cards(self, demo: Callable[[], None]) -> None:
        for group, rows in self.page.groups().items():
            frame, layout = card()
            heading = label("heading")
            layout.addWidget(heading)
            grid = QGridLayout()
            grid.setColumnStretch(0, 1)
            wide = group == "folders"
            grid.setColumnMinimumWidth(1, 560 if wide else 320)
            grid.setColumnMinimumWidth(2, 0 if wide else 150)
            grid.setColumnMinimumWidth(3, 36)
            layout.addLayout(grid)
            self._body.addWidget(frame)
            self._cards[group], self._headings[group] = frame, heading
            for place, row in enumerate(rows):
                self.rows[row.key] = SettingRow(grid, place, row.spec, self.page)
            if group == "folders":
                self._make_demo_card(demo)

    def _make_demo_card(self, demo: Callable[[], None]) -> None:
        self._demo_card, layout = card()
        line = QHBoxLayout()
        self._demo_text = label(wrap=True)
        self.demo_button = QPushButton()
        self.demo_button.clicked.connect(demo)
        line.addWidget(self._demo_text, 1)
        line.addWidget(self.demo_button, 0, Qt.AlignmentFlag.AlignRight)
        layout.addLayout(line)
        self._body.addWidget(self._demo_card)

    def _make_equipment(self) -> None:
        self._equipment_card, layout = card()
        line = QHBoxLayout()
        self._equipment_heading = label("heading")
        self.test_button = QPushButton()
        self.test_button.clicked.connect(lambda: self.page.look_for_equipment(test=True))
        line.addWidget(self._equipment_heading, 1)
        line.addWidget(self.test_button)
        layout.addLayout(line)
        self._equipment_texts = {name: label(wrap=True) for name in EQUIPMENT}
        for text in self._equipment_texts.values():
            layout.addWidget(text)
        self._body.addWidget(self._equipment_card)

    def show_findings(self, texts: Mapping[str, tuple[str, bool]], button: str, is_busy: bool) -> None:
        for name, (text, is_good) in texts.items():
            shown = self._equipment_texts[name]
            shown.setText(text)
            restyle(shown, "" if is_good else "problem")
        self.welcome.update_findings()
        self.test_button.setText(button)
        self.test_button.setEnabled(not is_busy)

    def show_groups(self, groups: Collection[str]) -> None:
        """Show the cards of some groups."""
        for group, frame in self._cards.items():
            frame.setVisible(group in groups)
        self._none.setVisible(not groups)

    def show_extras(self, extras: Extras) -> None:
        self.welcome.frame.setVisible(extras.is_welcome)
        self._demo_card.setVisible(extras.is_demo_offered)
        self._equipment_card.setVisible(extras.is_equipment_shown)
        self._hidden.setText(extras.hidden)
        self.preset.offer(extras.presets, extras.preset_texts, extras.preset)
        self.delete_preset.setEnabled(extras.can_delete_preset)

    def _save_pressed(self) -> None:
        words = self._session.words
        asked = words.text("settings.preset"), words.text("settings.preset_name")
        name, is_confirmed = QInputDialog.getText(self, *asked)
        if is_confirmed:
            self.page.save_preset(name)
