"""What the Settings page does in either toolkit: which rows are shown and how, presets, equipment, the first start."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from zemosaic.errors import Message
from zemosaic.gui.presenter.run.run_text import default_text, equipment_text
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.equipment import EQUIPMENT, Equipment
from zemosaic.gui.presenter.settings.form import (
    ELSEWHERE,
    Row,
    browsed_kinds,
    choice_text,
    range_text,
    text_of,
    with_labels,
)
from zemosaic.gui.presenter.settings.presets import Presets
from zemosaic.settings.schema import GROUPS, TIERS, Spec

__all__ = ["Extras", "RowState", "RowTexts", "SettingsPage"]


@dataclass(frozen=True)
class RowTexts:
    """The words of a row, whatever its value."""

    label: str
    help: str
    unit: str
    reset: str
    """What the button that resets the row does."""
    choices: tuple[str, ...]
    browse: Mapping[str, str]
    """Words of the buttons that browse, by what they browse for."""


@dataclass(frozen=True)
class RowState:
    """What a row shows of its value."""

    text: str
    """The value as the form has it."""
    written: str
    """The value as the field shows it."""
    is_on: bool
    switch: str
    """Words beside a switch."""
    problem: str
    is_changed: bool
    can_reset: bool


@dataclass(frozen=True)
class Extras:
    """What stands around the rows and depends on the values."""

    is_welcome: bool
    """Whether the card of the first start is shown."""
    is_demo_offered: bool
    hidden: str
    """How many changed settings are not shown; empty for none."""
    presets: tuple[str, ...]
    preset_texts: tuple[str, ...]
    preset: str
    can_delete_preset: bool
    is_equipment_shown: bool


class RowWidgets(Protocol):
    """The widgets of a row."""

    def update(self, anew: bool = False) -> None:
        """Show the row's value; what was typed stands as it is, unless all is written anew."""

    def set_shown(self, shown: bool) -> None:
        """Show or hide the row."""


class SettingsWidgets(Protocol):
    """The widgets of the page."""

    @property
    def rows(self) -> Mapping[str, RowWidgets]:
        """The rows by key."""

    @property
    def search_text(self) -> str:
        """What is searched for."""

    def clear_search(self) -> None:
        """Search for nothing."""

    def show_tier(self, tier: str) -> None:
        """Show how deep the settings are shown."""

    def show_groups(self, groups: Collection[str]) -> None:
        """Show the cards of some groups; that nothing was found where there are none."""

    def show_extras(self, extras: Extras) -> None:
        """Show what stands around the rows."""

    def show_findings(self, texts: Mapping[str, tuple[str, bool]], button: str, is_busy: bool) -> None:
        """Show what was found of each piece of equipment and whether it is good, and the button that tests it.

        Parameters
        ----------
        texts : mapping of str to (str, bool)
            By the names of `EQUIPMENT`.
        button : str
            Words of that button.
        is_busy : bool
            Whether a test is under way, during which the button cannot be pressed.
        """

    def reveal(self, key: str) -> None:
        """Scroll to a row and put the keyboard there."""

    def reveal_welcome(self) -> None:
        """Scroll to the card of the first start and put the keyboard there."""


class SettingsPage:
    """The page without its widgets.

    Parameters
    ----------
    session : Session
    widgets : SettingsWidgets
    tier : str
        How deep the settings are shown.
    welcomed : bool
        Whether the card of the first start was put away.
    """

    def __init__(self, session: Session, widgets: SettingsWidgets, tier: str, welcomed: bool) -> None:
        self.session = session
        self.presets = Presets(session.config_folder)
        self.equipment = Equipment(session)
        self.tier = tier
        self.welcomed = welcomed
        self._widgets = widgets

    def groups(self) -> dict[str, list[Row]]:
        """Return the rows of the page by group, in the order of the groups."""
        rows = [row for row in self.session.form.rows if row.key not in ELSEWHERE]
        by_group = {group: [row for row in rows if row.spec.group == group] for group in GROUPS}
        return {group: members for group, members in by_group.items() if members}

    def row_texts(self, spec: Spec) -> RowTexts:
        """Return the words of a setting's row."""
        words, kinds = self.session.words, browsed_kinds(spec)
        keys = {kind: f"settings.browse_{kind}" if len(kinds) > 1 else "settings.browse" for kind in kinds}
        return RowTexts(
            label=words.text(f"setting.{spec.key}.label"),
            help=words.text(f"setting.{spec.key}.help"),
            unit=range_text(spec, words),
            reset=words.text("settings.reset", value=default_text(spec, words)),
            choices=tuple(choice_text(spec, choice, words) for choice in spec.choices),
            browse={kind: words.text(key) for kind, key in keys.items()},
        )

    def row_state(self, spec: Spec) -> RowState:
        """Return what a setting's row shows of its value."""
        words, row = self.session.words, self.session.form.row(spec.key)
        problem = row.problem
        if spec.key == "input_dir" and self.session.input.is_missing:
            problem = Message("error.folder_gone", {"path": row.text})
        return RowState(
            text=row.text,
            written=row.written(words),
            is_on=bool(row.value),
            switch=words.text("settings.on" if row.value else "settings.off"),
            problem="" if problem is None else "⚠ " + with_labels(words.message(problem), words),
            is_changed=row.changed and spec.kind != "folder",
            can_reset=row.changed and spec.kind != "folder",
        )

    def edit(self, key: str, text: str) -> None:
        """Take what was typed or chosen in a row.

        Parameters
        ----------
        key : str
            Of the setting.
        text : str
            The value as `Form.edited` takes it; ``true`` or ``false`` for a switch.
        """
        self.session.edit(key, text)
        self._widgets.rows[key].update()
        self.show_extras()

    def reset(self, spec: Spec) -> None:
        """Put a setting back to its default."""
        self.edit(spec.key, text_of(spec.default))

    def use_tier(self, tier: str) -> None:
        """Show the settings to this depth."""
        self.tier = tier
        self._widgets.show_tier(tier)
        self.filter()

    def filter(self) -> None:
        """Show the rows that tier and search ask for."""
        shown = self._shown()
        keys = {row.key for row in shown}
        for key, row in self._widgets.rows.items():
            row.set_shown(key in keys)
        self._widgets.show_groups({row.spec.group for row in shown})
        self.show_extras()

    def update_values(self) -> None:
        """Show the values of the form in the rows that are shown; others take them when they are."""
        for row in self._shown():
            self._widgets.rows[row.key].update()
        self.show_extras()

    def update_rows(self) -> None:
        """Show the values of the form in all rows, whether they are shown or not."""
        for row in self._widgets.rows.values():
            row.update()
        self.show_extras()

    def reveal_problem(self) -> None:
        """Show the first row with a problem, whatever the filter."""
        wrong = next((row for row in self.session.form.rows if row.problem is not None), None)
        if wrong is not None:
            self.reveal(wrong.key)

    def reveal(self, key: str) -> None:
        """Show the row of a setting, whatever the filter, and put the keyboard there."""
        self._widgets.clear_search()
        self.use_tier(max(self.tier, self.session.form.row(key).spec.tier, key=TIERS.index))
        self._widgets.reveal(key)

    def show_extras(self) -> None:
        """Show what stands around the rows."""
        form, words, search = self.session.form, self.session.words, self._widgets.search_text
        hidden = form.hidden_changes(self._shown())
        preset, names = self.presets.current(form), self.presets.names
        offered = names if preset else ("", *names)
        is_welcome = not self.welcomed and not search
        self._widgets.show_extras(
            Extras(
                is_welcome=is_welcome,
                is_demo_offered=not form.row("input_dir").text and not search and not is_welcome,
                hidden=words.text("settings.hidden", count=hidden) if hidden else "",
                presets=offered,
                preset_texts=tuple(
                    self.presets.label(name, words) if name else words.text("settings.preset_none") for name in offered
                ),
                preset=preset,
                can_delete_preset=self.presets.is_own(preset),
                is_equipment_shown=not search,
            )
        )
        self.show_equipment()

    def look_for_equipment(self, test: bool = False) -> None:
        """Begin to look for what there is to work with; with `test` try it."""
        self.equipment.look(test)
        self.show_equipment()

    def show_equipment(self) -> None:
        """Show what was found of ASTAP, the graphics card and the rest."""
        self.equipment.pump()
        busy = self.equipment.busy
        texts = {name: equipment_text(self.equipment, name) for name in EQUIPMENT}
        button = self.session.words.text("settings.testing" if busy else "settings.test")
        self._widgets.show_findings(texts, button, busy)

    def greet(self) -> None:
        """Show the card of the first start."""
        self.welcomed = False
        self._widgets.clear_search()
        self.show_extras()
        self._widgets.reveal_welcome()

    def close_welcome(self) -> None:
        """Put the card of the first start away."""
        self.welcomed = True
        self.show_extras()

    def choose_preset(self, name: str) -> None:
        """Take the values of a preset; those of none stay."""
        if name:
            self.session.form = self.presets.applied(name, self.session.form)
            self.session.tell_notes(self.presets.notes)
            self.update_rows()

    def save_preset(self, name: str) -> None:
        """Keep the values under a name."""
        self.session.problem = self.presets.save(name, self.session.form)
        self.show_extras()

    def delete_preset(self, name: str) -> None:
        """Forget one of the user's presets."""
        self.session.problem = self.presets.delete(name)
        self.show_extras()

    def _shown(self) -> tuple[Row, ...]:
        return self.session.form.shown(self.tier, self._widgets.search_text, self.session.words)
