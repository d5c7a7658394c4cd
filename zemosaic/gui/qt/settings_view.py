"""The settings page: cards of rows made from the schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFileDialog,
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

from zemosaic.gui.presenter.run.run_text import default_text, equipment_text
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.equipment import EQUIPMENT, Equipment
from zemosaic.gui.presenter.settings.form import Row, browsed_kinds, choice_text, range_text, text_of
from zemosaic.gui.presenter.settings.presets import Presets
from zemosaic.gui.qt.welcome import WelcomeCard
from zemosaic.gui.qt.widgets import Choice, card, label, restyle
from zemosaic.settings.schema import GROUPS, TIERS

__all__ = ["SettingsView"]

Edited = Callable[[str, str], None]


class SettingRow:
    """The widgets of one setting."""

    def __init__(self, grid: QGridLayout, place: int, row: Row, session: Session, edited: Edited) -> None:
        self._spec = row.spec
        self._session = session
        self._edited = edited
        self.told = QWidget()
        help_box = QVBoxLayout(self.told)
        help_box.setContentsMargins(0, 6, 24, 6)
        help_box.setSpacing(2)
        self._label = label("bold", wrap=True)
        self._help, self._problem = label("muted", wrap=True), label("problem", wrap=True)
        for text in (self._label, self._help, self._problem):
            help_box.addWidget(text)
        self.field = QWidget()
        field = QHBoxLayout(self.field)
        field.setContentsMargins(0, 0, 0, 0)
        self.browse = {kind: QPushButton() for kind in browsed_kinds(self._spec)}
        self.control = self._made_control()
        field.addWidget(self.control, 1)
        for kind, button in self.browse.items():
            field.addWidget(button)
            button.clicked.connect(lambda _, kind=kind: self._browse_pressed(kind))
        self._unit = label("muted")
        self.reset = QPushButton("↺")
        self.reset.setFixedWidth(34)
        self.reset.setStyleSheet("padding: 2px")
        self.reset.clicked.connect(lambda: edited(self._spec.key, text_of(self._spec.default)))
        for column, widget in enumerate((self.told, self.field, self._unit, self.reset)):
            grid.addWidget(widget, place, column)
        self._label.setBuddy(self.control)
        self.control.setAccessibleName(self._spec.key)

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words, spec = self._session.words, self._spec
        self._label.setText(words.text(f"setting.{spec.key}.label"))
        self._help.setText(words.text(f"setting.{spec.key}.help"))
        self._unit.setText(range_text(spec, words))
        for kind, button in self.browse.items():
            button.setText(words.text(f"settings.browse_{kind}" if len(self.browse) > 1 else "settings.browse"))
        self.reset.setToolTip(words.text("settings.reset", value=default_text(spec, words)))
        if isinstance(self.control, Choice):
            texts = [choice_text(spec, choice, words) for choice in spec.choices]
            self.control.offer(spec.choices, texts, self._session.form.row(spec.key).text)
        self.update(anew=True)

    def update(self, anew: bool = False) -> None:
        """Show the form's row; what was typed stands as it is, unless all is written anew."""
        row, words = self._session.form.row(self._spec.key), self._session.words
        if isinstance(self.control, Choice):
            self.control.choose(row.text)
        elif isinstance(self.control, QCheckBox):
            self.control.blockSignals(True)
            self.control.setChecked(bool(row.value))
            self.control.blockSignals(False)
            self.control.setText(words.text("settings.on" if row.value else "settings.off"))
        elif isinstance(self.control, QLineEdit):
            written = row.written(words)
            if self.control.text() != written and (anew or self.control.text() != row.text):
                self.control.blockSignals(True)
                self.control.setText(written)
                self.control.blockSignals(False)
            self.control.setProperty("wrong", "true" if row.problem else "false")
            self.control.style().unpolish(self.control)
            self.control.style().polish(self.control)
        self._problem.setVisible(row.problem is not None)
        self._problem.setText("" if row.problem is None else "⚠ " + words.message(row.problem))
        restyle(self._label, "changed" if row.changed else "bold")
        self.reset.setVisible(not self.told.isHidden() and row.changed)

    def set_shown(self, shown: bool) -> None:
        """Show or hide the row."""
        for widget in (self.told, self.field, self._unit):
            widget.setVisible(shown)
        self.update()

    def _made_control(self) -> QWidget:
        key = self._spec.key
        if self._spec.kind == "choice":
            choice = Choice()
            # A long choice must not push the page beyond the window.
            choice.setSizeAdjustPolicy(Choice.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            choice.setMinimumContentsLength(12)
            choice.currentIndexChanged.connect(lambda _: self._edited(key, choice.value))
            return choice
        if self._spec.kind == "bool":
            switch = QCheckBox()
            switch.toggled.connect(lambda on: self._edited(key, "true" if on else "false"))
            return switch
        entry = QLineEdit()
        entry.textChanged.connect(lambda text: self._edited(key, text))
        return entry

    def _browse_pressed(self, kind: str) -> None:
        title = self._session.words.text(f"setting.{self._spec.key}.label")
        start = self._session.form.row(self._spec.key).text or str(Path.home())
        if kind == "folder":
            chosen = QFileDialog.getExistingDirectory(self.field, title, start)
        else:
            chosen, _ = QFileDialog.getOpenFileName(self.field, title, start)
        if chosen:
            self._edited(self._spec.key, str(Path(chosen)))


class SettingsView(QWidget):
    """All settings, filtered by depth and search."""

    def __init__(self, session: Session, tier: str, demo: Callable[[], None], welcomed: bool = True) -> None:
        super().__init__()
        self._session = session
        self.tier = tier
        self.presets = Presets(session.config_folder)
        self.equipment = Equipment(session)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 14, 14, 0)
        layout.addLayout(self._made_top())
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        body = QWidget()
        body.setObjectName("plain")
        self._body = QVBoxLayout(body)
        self._body.setContentsMargins(0, 0, 8, 0)
        self._scroll.setWidget(body)
        layout.addWidget(self._scroll, 1)
        self.rows: dict[str, SettingRow] = {}
        self._cards: dict[str, QFrame] = {}
        self._headings: dict[str, QLabel] = {}
        self.welcomed = welcomed
        self.welcome = WelcomeCard(session, self.equipment, demo, self._welcome_closed)
        self._body.addWidget(self.welcome.frame)
        self._make_cards(demo)
        self._make_equipment()
        self._none = label("muted")
        self._body.addWidget(self._none)
        self._body.addStretch(1)
        self.retranslate()

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        self.search.setPlaceholderText(words.text("settings.search"))
        for tier, button in self.tiers.items():
            button.setText(words.text(f"tier.{tier}"))
        self._preset_label.setText(words.text("settings.preset"))
        self.save_preset.setText(words.text("settings.preset_save"))
        self.delete_preset.setText(words.text("settings.preset_delete"))
        self._equipment_heading.setText(words.text("settings.equipment"))
        self._demo_text.setText(words.text("settings.demo_text"))
        self.demo_button.setText(words.text("settings.demo_button"))
        self._none.setText(words.text("settings.none_found"))
        self.welcome.retranslate()
        for group, heading in self._headings.items():
            heading.setText(words.text(f"group.{group}"))
        for row in self.rows.values():
            row.retranslate()
        self._filter()

    def update_rows(self) -> None:
        """Show the form as it is now."""
        for row in self.rows.values():
            row.update()
        self._filter()

    def focus_search(self) -> None:
        """Put the cursor into the search field."""
        self.search.setFocus()
        self.search.selectAll()

    def reveal_problem(self) -> None:
        """Show the first row with a problem, whatever the filter."""
        wrong = next((row for row in self._session.form.rows if row.problem is not None), None)
        if wrong is None:
            return
        self.search.clear()
        if TIERS.index(wrong.spec.tier) > TIERS.index(self.tier):
            self.use_tier(wrong.spec.tier)
        control = self.rows[wrong.key].control
        self._scroll.ensureWidgetVisible(control)
        control.setFocus()

    def use_tier(self, tier: str) -> None:
        """Show the settings to this depth."""
        self.tier = tier
        self.tiers[tier].setChecked(True)
        self._filter()

    def _made_top(self) -> QHBoxLayout:
        top = QHBoxLayout()
        self.search = QLineEdit()
        self.search.setMaximumWidth(240)
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _: self._filter())
        top.addWidget(self.search, 1)
        self.tiers: dict[str, QPushButton] = {}
        self._tier_group = QButtonGroup(self)
        for tier in TIERS:
            button = QPushButton()
            button.setCheckable(True)
            button.setChecked(tier == self.tier)
            button.clicked.connect(lambda _, tier=tier: self.use_tier(tier))
            self._tier_group.addButton(button)
            top.addWidget(button)
            self.tiers[tier] = button
        self._hidden = label("warning")
        top.addWidget(self._hidden)
        top.addStretch(1)
        self._preset_label = label("muted")
        self.preset = Choice()
        self.preset.currentIndexChanged.connect(lambda _: self._preset_chosen())
        self.save_preset, self.delete_preset = QPushButton(), QPushButton()
        self.save_preset.clicked.connect(self._save_pressed)
        self.delete_preset.clicked.connect(self._delete_pressed)
        for widget in (self._preset_label, self.preset, self.save_preset, self.delete_preset):
            top.addWidget(widget)
        return top

    def _make_cards(self, demo: Callable[[], None]) -> None:
        for group in GROUPS:
            rows = [row for row in self._session.form.rows if row.spec.group == group and row.key != "language"]
            if not rows:
                continue
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
                self.rows[row.key] = SettingRow(grid, place, row, self._session, self._edited)
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

    def _edited(self, key: str, text: str) -> None:
        self._session.form = self._session.form.edited(key, text)
        self.rows[key].update()
        self._show_extras()

    def _make_equipment(self) -> None:
        self._equipment_card, layout = card()
        line = QHBoxLayout()
        self._equipment_heading = label("heading")
        self.test_button = QPushButton()
        self.test_button.clicked.connect(self._test_pressed)
        line.addWidget(self._equipment_heading, 1)
        line.addWidget(self.test_button)
        layout.addLayout(line)
        self._equipment_texts = {name: label(wrap=True) for name in EQUIPMENT}
        for text in self._equipment_texts.values():
            layout.addWidget(text)
        self._body.addWidget(self._equipment_card)

    def show_equipment(self) -> None:
        """Show what was found of ASTAP and the graphics card."""
        self.equipment.pump()
        for name, text in self._equipment_texts.items():
            finding_text, good = equipment_text(self.equipment, name)
            text.setText(finding_text)
            restyle(text, "" if good else "problem")
        self.welcome.update_findings()
        self.test_button.setEnabled(not self.equipment.busy)
        key = "settings.testing" if self.equipment.busy else "settings.test"
        self.test_button.setText(self._session.words.text(key))

    def _test_pressed(self) -> None:
        self.equipment.look(test=True)
        self.show_equipment()

    def greet(self) -> None:
        """Show the card of the first start."""
        self.search.clear()
        self.welcomed = False
        self._show_extras()
        self._scroll.verticalScrollBar().setValue(0)
        self.welcome.close_button.setFocus()

    def _welcome_closed(self) -> None:
        self.welcomed = True
        self._show_extras()

    def _preset_chosen(self) -> None:
        if self.preset.value:
            self._session.form = self.presets.applied(self.preset.value, self._session.form)
            self._session.tell_notes(self.presets.notes)
            self.update_rows()

    def _save_pressed(self) -> None:
        words = self._session.words
        name, is_confirmed = QInputDialog.getText(
            self, words.text("settings.preset"), words.text("settings.preset_name")
        )
        if is_confirmed:
            self._session.problem = self.presets.save(name, self._session.form)
            self._show_extras()

    def _delete_pressed(self) -> None:
        self._session.problem = self.presets.delete(self.preset.value)
        self._show_extras()

    def _filter(self) -> None:
        shown = self._session.form.shown(self.tier, self.search.text(), self._session.words)
        keys, groups = {row.key for row in shown}, {row.spec.group for row in shown}
        for key, row in self.rows.items():
            row.set_shown(key in keys)
        for group, frame in self._cards.items():
            frame.setVisible(group in groups)
        self._none.setVisible(not groups)
        self._show_extras()

    def _show_extras(self) -> None:
        """Show what depends on the values: the demo's offer and the mark of hidden changes."""
        form, words = self._session.form, self._session.words
        welcoming = not self.welcomed and not self.search.text()
        self.welcome.frame.setVisible(welcoming)
        self._demo_card.setVisible(not form.row("input_dir").text and not self.search.text() and not welcoming)
        hidden = form.hidden_changes(form.shown(self.tier, self.search.text(), words))
        self._hidden.setText(words.text("settings.hidden", count=hidden) if hidden else "")
        current, names = self.presets.current(form), self.presets.names
        shown = names if current else ("", *names)
        texts = [self.presets.label(name, words) if name else words.text("settings.preset_none") for name in shown]
        self.preset.offer(shown, texts, current)
        self.delete_preset.setEnabled(self.presets.is_own(current))
        self._equipment_card.setVisible(not self.search.text())
        self.show_equipment()
