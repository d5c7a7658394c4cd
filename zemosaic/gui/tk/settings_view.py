"""The settings page: cards of rows made from the schema."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from functools import partial
from tkinter import filedialog, simpledialog, ttk

from zemosaic.gui.presenter.run.run_text import default_text, equipment_text
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.equipment import EQUIPMENT, Equipment
from zemosaic.gui.presenter.settings.form import Row, browsed_kinds, choice_text, range_text, text_of
from zemosaic.gui.presenter.settings.presets import Presets
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.welcome import WelcomeCard
from zemosaic.gui.tk.widgets import Choice, ScrollFrame, Tooltip, wrap_to_width
from zemosaic.settings.schema import GROUPS, TIERS

__all__ = ["SettingsView"]

Edited = Callable[[str, str], None]


class SettingRow:
    """The widgets of one setting."""

    def __init__(self, card: ttk.Frame, place: int, row: Row, session: Session, theme: Theme, edited: Edited) -> None:
        self._spec = row.spec
        self._session = session
        self._edited = edited
        self._place = place
        self._theme = theme
        gap = theme.px(7)
        self._told = ttk.Frame(card, style="Inner.TFrame")
        self._label = ttk.Label(self._told, style="Card.Bold.TLabel")
        self._help = ttk.Label(self._told, style="Card.Muted.TLabel", justify="left")
        self._problem = ttk.Label(self._told, style="Card.Problem.TLabel", justify="left")
        self._label.pack(anchor="w", fill="x")
        for label in (self._help, self._problem):
            wrap_to_width(label)
        self._help.pack(anchor="w", fill="x")
        self._field = ttk.Frame(card, style="Inner.TFrame")
        self._variable = tk.StringVar(card, row.text)
        self.browse: dict[str, ttk.Button] = {}
        self.control = self._made_control()
        self.control.pack(side="left", fill="x", expand=True)
        for button in self.browse.values():
            button.lift()  # so that the keyboard comes to it after the field
        self._unit = ttk.Label(card, style="Card.Muted.TLabel")
        self._reset = ttk.Button(card, text="↺", style="Ghost.TButton", width=2, command=self._reset_pressed)
        Tooltip(self._reset, theme, self._reset_hint)
        self._told.grid(row=place, column=0, sticky="ew", pady=gap, padx=(0, theme.px(24)))
        self._field.grid(row=place, column=1, sticky="ew", pady=gap)
        self._unit.grid(row=place, column=2, sticky="w", padx=(theme.px(8), 0))
        self._reset.grid(row=place, column=3, sticky="e")
        self._setting_variable = False
        self._variable.trace_add("write", self._typed)
        self.retranslate()

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words, spec = self._session.words, self._spec
        self._label.configure(text=words.text(f"setting.{spec.key}.label"))
        self._help.configure(text=words.text(f"setting.{spec.key}.help"))
        self._unit.configure(text=range_text(spec, words))
        if isinstance(self.control, Choice):
            texts = [choice_text(spec, choice, words) for choice in spec.choices]
            self.control.offer(spec.choices, texts, self._session.form.row(spec.key).text)
        for kind, button in self.browse.items():
            button.configure(text=words.text(f"settings.browse_{kind}" if len(self.browse) > 1 else "settings.browse"))
        self.update(anew=True)

    def update(self, anew: bool = False) -> None:
        """Show the form's row; what was typed stands as it is, unless all is written anew."""
        row = self._session.form.row(self._spec.key)
        written = row.written(self._session.words)
        if isinstance(self.control, Choice):
            self.control.choose(row.text)
        elif self._variable.get() != written and (anew or self._variable.get() != row.text):
            self._setting_variable = True
            self._variable.set(written)
            self._setting_variable = False
        if isinstance(self.control, ttk.Checkbutton):
            on = "settings.on" if row.value else "settings.off"
            self.control.configure(text=self._session.words.text(on))
        if row.problem is None:
            self._problem.pack_forget()
        else:
            self._problem.configure(text="⚠ " + self._session.words.message(row.problem))
            self._problem.pack(anchor="w", fill="x")
        if isinstance(self.control, ttk.Entry):
            self.control.state(["!invalid" if row.problem is None else "invalid"])
        self._label.configure(style="Card.Accent.TLabel" if row.changed else "Card.Bold.TLabel")
        if row.changed and self._spec.kind not in ("folder",):
            self._reset.grid()
        else:
            self._reset.grid_remove()

    def set_shown(self, shown: bool) -> None:
        """Show or hide the row."""
        for widget in (self._told, self._field, self._unit):
            if shown:
                widget.grid()
            else:
                widget.grid_remove()
        if shown:
            self.update()
        else:
            self._reset.grid_remove()

    def _made_control(self) -> ttk.Widget:
        spec = self._spec
        if spec.kind == "choice":
            return Choice(self._field, self._theme, lambda value: self._edited(spec.key, value))
        if spec.kind == "bool":
            switch = ttk.Checkbutton(self._field, style="Switch.TCheckbutton", variable=self._variable)
            switch.configure(onvalue="true", offvalue="false")
            return switch
        for kind in browsed_kinds(spec):
            self.browse[kind] = ttk.Button(self._field, command=partial(self._browse_pressed, kind))
        for button in reversed(self.browse.values()):
            button.pack(side="right", padx=(self._theme.px(8), 0))
        return ttk.Entry(self._field, textvariable=self._variable, width=26)

    def _typed(self, *_: str) -> None:
        if not self._setting_variable:
            self._edited(self._spec.key, self._variable.get())

    def _reset_pressed(self) -> None:
        self._edited(self._spec.key, text_of(self._spec.default))

    def _reset_hint(self) -> str:
        return self._session.words.text("settings.reset", value=default_text(self._spec, self._session.words))

    def _browse_pressed(self, kind: str) -> None:
        words, row = self._session.words, self._session.form.row(self._spec.key)
        title = words.text(f"setting.{self._spec.key}.label")
        parent = self._field.winfo_toplevel()
        if kind == "folder":
            chosen = filedialog.askdirectory(parent=parent, title=title, initialdir=row.text or None)
        else:
            chosen = filedialog.askopenfilename(parent=parent, title=title)
        if chosen:
            self._edited(self._spec.key, str(chosen))


class SettingsView(ttk.Frame):
    """All settings, filtered by depth and search."""

    def __init__(
        self,
        parent: tk.Misc,
        session: Session,
        theme: Theme,
        tier: str,
        demo: Callable[[], None],
        welcomed: bool = True,
    ) -> None:
        super().__init__(parent, padding=(theme.px(20), theme.px(14), theme.px(14), 0))
        self._session = session
        self._theme = theme
        self.presets = Presets(session.config_folder)
        self.equipment = Equipment(session)
        self._tier = tk.StringVar(self, tier)
        self._search = tk.StringVar(self)
        self._make_top()
        self._scroll = ScrollFrame(self, theme)
        self._scroll.pack(fill="both", expand=True, pady=(theme.px(12), 0))
        self.welcomed = welcomed
        self.welcome = WelcomeCard(self._scroll.body, session, theme, self.equipment, demo, self._welcome_closed)
        self._make_demo_card(demo)
        self._cards: dict[str, ttk.Frame] = {}
        self._headings: dict[str, ttk.Label] = {}
        self.rows: dict[str, SettingRow] = {}
        self._make_cards()
        self._make_equipment()
        self._none = ttk.Label(self._scroll.body, style="Muted.TLabel")
        self._search.trace_add("write", lambda *_: self._filter())
        self.retranslate()

    @property
    def tier(self) -> str:
        """How deep the settings are shown."""
        return self._tier.get()

    def focus_search(self) -> None:
        """Put the cursor into the search field."""
        self._entry.focus_set()
        self._entry.select_range(0, "end")

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        self._search_label.configure(text=words.text("settings.search"))
        for tier, button in self._tiers.items():
            button.configure(text=words.text(f"tier.{tier}"))
        self._preset_label.configure(text=words.text("settings.preset"))
        self.save_preset.configure(text=words.text("settings.preset_save"))
        self.delete_preset.configure(text=words.text("settings.preset_delete"))
        self._equipment_heading.configure(text=words.text("settings.equipment"))
        self._demo_text.configure(text=words.text("settings.demo_text"))
        self._demo_button.configure(text=words.text("settings.demo_button"))
        self._none.configure(text=words.text("settings.none_found"))
        self.welcome.retranslate()
        for group, heading in self._headings.items():
            heading.configure(text=words.text(f"group.{group}"))
        for row in self.rows.values():
            row.retranslate()
        self._filter()

    def update_values(self) -> None:
        """Show the values of the form where another page changed them."""
        shown = {row.key for row in self._session.form.shown(self.tier, self._search.get(), self._session.words)}
        for key, row in self.rows.items():
            if key in shown:
                row.update()
        self._show_extras()

    def update_rows(self) -> None:
        """Show the form as it is now."""
        for row in self.rows.values():
            row.update()
        self._filter()

    def reveal_problem(self) -> None:
        """Show the first row with a problem, whatever the filter."""
        wrong = next((row for row in self._session.form.rows if row.problem is not None), None)
        if wrong is None:
            return
        self._search.set("")
        if TIERS.index(wrong.spec.tier) > TIERS.index(self.tier):
            self._tier.set(wrong.spec.tier)
        self._filter()
        self.update_idletasks()
        control = self.rows[wrong.key].control
        self._scroll.reveal(control)
        control.focus_set()

    def _make_top(self) -> None:
        px = self._theme.px
        top = ttk.Frame(self)
        top.pack(fill="x", padx=(0, px(6)))
        self._search_label = ttk.Label(top, style="Muted.TLabel")
        self._search_label.pack(side="left")
        self._entry = ttk.Entry(top, textvariable=self._search, width=16)
        self._entry.pack(side="left", padx=(px(8), px(16)))
        self._entry.bind("<Escape>", lambda _: self._search.set(""))
        self._tiers: dict[str, ttk.Radiobutton] = {}
        for tier in TIERS:
            button = ttk.Radiobutton(top, style="Segment.Toolbutton", variable=self._tier, value=tier)
            button.configure(command=self._filter)
            button.pack(side="left", padx=(0, px(4)))
            self._tiers[tier] = button
        self._hidden = ttk.Label(top, style="Warning.TLabel")
        self._hidden.pack(side="left", padx=px(12))
        self.delete_preset = ttk.Button(top, command=self._delete_pressed)
        self.save_preset = ttk.Button(top, command=self._save_pressed)
        self.preset = Choice(top, self._theme, self._preset_chosen, width=16)
        self._preset_label = ttk.Label(top, style="Muted.TLabel")
        for widget in (self.delete_preset, self.save_preset, self.preset, self._preset_label):
            widget.pack(side="right", padx=(px(6), 0))
        # The keyboard goes from left to right, though what stands at the right edge was made first.
        for widget in (self.preset, self.save_preset, self.delete_preset):
            widget.lift()

    def _make_demo_card(self, demo: Callable[[], None]) -> None:
        px = self._theme.px
        self._demo_card = ttk.Frame(self._scroll.body, style="Card.TFrame", padding=px(16))
        self._demo_button = ttk.Button(self._demo_card, command=demo)
        self._demo_button.pack(side="right", padx=(px(16), 0))
        self._demo_text = ttk.Label(self._demo_card, style="Card.TLabel", justify="left")
        wrap_to_width(self._demo_text)
        self._demo_text.pack(side="left", fill="x", expand=True)

    def _make_cards(self) -> None:
        px = self._theme.px
        for group in GROUPS:
            rows = [row for row in self._session.form.rows if row.spec.group == group and row.key != "language"]
            if not rows:
                continue
            card = ttk.Frame(self._scroll.body, style="Card.TFrame", padding=px(16))
            card.columnconfigure(0, weight=1)
            card.columnconfigure(1, minsize=px(620 if group == "folders" else 380))
            card.columnconfigure(2, minsize=px(0 if group == "folders" else 150))
            card.columnconfigure(3, minsize=px(0 if group == "folders" else 36))
            heading = ttk.Label(card, style="Card.Heading.TLabel")
            heading.grid(row=0, column=0, columnspan=4, sticky="w", pady=(0, px(4)))
            self._cards[group], self._headings[group] = card, heading
            for place, row in enumerate(rows, start=1):
                self.rows[row.key] = SettingRow(card, place, row, self._session, self._theme, self._edited)

    def _edited(self, key: str, text: str) -> None:
        self._session.form = self._session.form.edited(key, text)
        self.rows[key].update()
        self._show_extras()

    def _make_equipment(self) -> None:
        px = self._theme.px
        self._equipment_card = ttk.Frame(self._scroll.body, style="Card.TFrame", padding=px(16))
        self._equipment_card.columnconfigure(0, weight=1)
        self._equipment_heading = ttk.Label(self._equipment_card, style="Card.Heading.TLabel")
        self._equipment_heading.grid(row=0, column=0, sticky="w")
        self.test_button = ttk.Button(self._equipment_card, command=self._test_pressed)
        self.test_button.grid(row=0, column=1, sticky="e")
        self._equipment_texts: dict[str, ttk.Label] = {}
        for row, name in enumerate(EQUIPMENT, start=1):
            text = ttk.Label(self._equipment_card, style="Card.TLabel", justify="left")
            wrap_to_width(text)
            text.grid(row=row, column=0, columnspan=2, sticky="ew", pady=(px(6), 0))
            self._equipment_texts[name] = text

    def show_equipment(self) -> None:
        """Show what was found of ASTAP and the graphics card."""
        self.equipment.pump()
        for name, text in self._equipment_texts.items():
            finding_text, good = equipment_text(self.equipment, name)
            text.configure(text=finding_text, style="Card.TLabel" if good else "Card.Problem.TLabel")
        self.welcome.update_findings()
        key = "settings.testing" if self.equipment.busy else "settings.test"
        self.test_button.configure(text=self._session.words.text(key))
        self.test_button.state(["disabled" if self.equipment.busy else "!disabled"])

    def _test_pressed(self) -> None:
        self.equipment.look(test=True)
        self.show_equipment()

    def greet(self) -> None:
        """Show the card of the first start."""
        self._search.set("")
        self.welcomed = False
        self._scroll.to_top()
        self._show_extras()
        self.welcome.close_button.focus_set()

    def _welcome_closed(self) -> None:
        self.welcomed = True
        self._show_extras()

    def _preset_chosen(self, name: str) -> None:
        if name:
            self._session.form = self.presets.applied(name, self._session.form)
            self._session.tell_notes(self.presets.notes)
            self.update_rows()

    def _save_pressed(self) -> None:
        words, parent = self._session.words, self.winfo_toplevel()
        title, asked = words.text("settings.preset"), words.text("settings.preset_name")
        name = simpledialog.askstring(title, asked, parent=parent)
        if name is not None:
            self._session.problem = self.presets.save(name, self._session.form)
            self._show_extras()

    def _delete_pressed(self) -> None:
        self._session.problem = self.presets.delete(self.preset.value)
        self._show_extras()

    def _filter(self) -> None:
        shown = self._session.form.shown(self.tier, self._search.get(), self._session.words)
        keys = {row.key for row in shown}
        for key, row in self.rows.items():
            row.set_shown(key in keys)
        groups = {row.spec.group for row in shown}
        self._none.pack_forget()
        self.welcome.pack_forget()
        self._demo_card.pack_forget()
        for card in self._cards.values():
            card.pack_forget()
        for group, card in self._cards.items():
            if group in groups:
                card.pack(fill="x", pady=(0, self._theme.px(12)))
        if not groups:
            self._none.pack(anchor="w", pady=self._theme.px(24))
        self._scroll.to_top()
        self._show_extras()

    def _show_extras(self) -> None:
        """Show what depends on the values: the demo's offer and the mark of hidden changes."""
        form, words = self._session.form, self._session.words
        welcoming = not self.welcomed and not self._search.get()
        if welcoming and not self.welcome.winfo_manager():
            self.welcome.pack(fill="x", pady=(0, self._theme.px(12)), before=self._scroll.body.pack_slaves()[0])
        elif not welcoming:
            self.welcome.pack_forget()
        is_first_step = not form.row("input_dir").text and not self._search.get() and not welcoming
        if is_first_step and not self._demo_card.winfo_manager():
            first = next(iter(self._cards.values()))
            self._demo_card.pack(fill="x", pady=(0, self._theme.px(12)), after=first)
        elif not is_first_step:
            self._demo_card.pack_forget()
        hidden = form.hidden_changes(form.shown(self.tier, self._search.get(), words))
        self._hidden.configure(text=words.text("settings.hidden", count=hidden) if hidden else "")
        current, names = self.presets.current(form), self.presets.names
        shown = names if current else ("", *names)
        texts = [self.presets.label(name, words) if name else words.text("settings.preset_none") for name in shown]
        self.preset.offer(shown, texts, current)
        self.delete_preset.state(["!disabled" if self.presets.is_own(current) else "disabled"])
        self._equipment_card.pack_forget()
        if not self._search.get():
            self._equipment_card.pack(fill="x", pady=(0, self._theme.px(12)))
        self.show_equipment()

    def scroll(self, lines: int) -> None:
        """Scroll the page."""
        self._scroll.scroll(lines)
