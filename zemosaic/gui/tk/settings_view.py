"""The settings page: cards of rows made from the schema."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Collection, Mapping
from functools import partial
from tkinter import simpledialog, ttk

from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.equipment import EQUIPMENT
from zemosaic.gui.presenter.settings.settings_page import Extras, SettingsPage
from zemosaic.gui.tk.setting_row import SettingRow
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.welcome import WelcomeCard
from zemosaic.gui.tk.widgets import Choice, ScrollFrame, on_write, wrap_to_width, yield_labels
from zemosaic.settings.schema import TIERS

__all__ = ["SettingsView"]


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
        self.page = SettingsPage(session, self, tier, welcomed)
        self._tier = tk.StringVar(self, tier)
        self.search = tk.StringVar(self)
        self._make_top()
        self._scroll = ScrollFrame(self, theme)
        self._scroll.pack(fill="both", expand=True, pady=(theme.px(12), 0))
        self.welcome = WelcomeCard(
            self._scroll.body, session, theme, self.page.equipment, demo, self.page.close_welcome
        )
        self._make_demo_card(demo)
        self.rows: dict[str, SettingRow] = {}
        self._cards: dict[str, ttk.Frame] = {}
        self._headings: dict[str, ttk.Label] = {}
        self._make_cards()
        self._make_equipment()
        self._none = ttk.Label(self._scroll.body, style="Muted.TLabel")
        on_write(self.search, self, self.page.filter)
        self.retranslate()

    @property
    def search_text(self) -> str:
        return self.search.get()

    def clear_search(self) -> None:
        self.search.set("")

    def focus_search(self) -> None:
        self.entry.focus_set()
        self.entry.select_range(0, "end")

    def retranslate(self) -> None:
        words = self._session.words
        texts: dict[ttk.Label | ttk.Button | ttk.Radiobutton, str] = {
            self._search_label: "settings.search",
            self._preset_label: "settings.preset",
            self.save_preset: "settings.preset_save",
            self.delete_preset: "settings.preset_delete",
            self._equipment_heading: "settings.equipment",
            self._demo_text: "settings.demo_text",
            self._demo_button: "settings.demo_button",
            self._none: "settings.none_found",
        }
        texts |= {button: f"tier.{tier}" for tier, button in self._tiers.items()}
        texts |= {heading: f"group.{group}" for group, heading in self._headings.items()}
        for widget, key in texts.items():
            widget.configure(text=words.text(key))
        self.welcome.retranslate()
        for row in self.rows.values():
            row.retranslate()
        self.page.filter()

    def show_tier(self, tier: str) -> None:
        self._tier.set(tier)

    def reveal(self, key: str) -> None:
        self.update_idletasks()
        self._scroll.reveal(self.rows[key].control)
        self.rows[key].focus()

    def reveal_welcome(self) -> None:
        self._scroll.to_top()
        self.welcome.close_button.focus_set()

    def close_page(self) -> None:
        """Wait for what is being tested."""
        self.page.equipment.close()

    def _make_top(self) -> None:
        px = self._theme.px
        top = ttk.Frame(self)
        top.pack(fill="x", padx=(0, px(6)))
        self._search_label = ttk.Label(top, style="Muted.TLabel")
        # In a narrow window the field gives way, in a wide one the gap grows.
        for column, weight in ((1, 1), (2 + len(TIERS) + 1, 1000)):
            top.columnconfigure(column, weight=weight)
        top.columnconfigure(1, minsize=px(60))
        self._search_label.grid(row=0, column=0)
        self.entry = ttk.Entry(top, textvariable=self.search, width=16)
        self.entry.grid(row=0, column=1, sticky="ew", padx=(px(8), px(16)))
        self.entry.bind("<Escape>", lambda _: self.clear_search())
        self._tiers: dict[str, ttk.Radiobutton] = {}
        for column, tier in enumerate(TIERS, 2):
            button = ttk.Radiobutton(top, style="Segment.Toolbutton", variable=self._tier, value=tier)
            button.configure(command=partial(self.page.use_tier, tier))
            button.grid(row=0, column=column, padx=(0, px(4)))
            self._tiers[tier] = button
        self._hidden = ttk.Label(top, style="Warning.TLabel")
        self._hidden.grid(row=0, column=2 + len(TIERS), padx=px(12))
        self.delete_preset = ttk.Button(top, command=lambda: self.page.delete_preset(self.preset.value))
        self.save_preset = ttk.Button(top, command=self._save_pressed)
        self.preset = Choice(top, self._theme, self.page.choose_preset, width=16)
        self._preset_label = ttk.Label(top, style="Muted.TLabel")
        presets = (self._preset_label, self.preset, self.save_preset, self.delete_preset)
        for column, widget in enumerate(presets, 2 + len(TIERS) + 2):
            widget.grid(row=0, column=column, padx=(px(6), 0))
        yield_labels(top, self._preset_label, self._search_label)
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
        for group, rows in self.page.groups().items():
            card = ttk.Frame(self._scroll.body, style="Card.TFrame", padding=px(16))
            card.columnconfigure(0, weight=1)
            card.columnconfigure(1, minsize=px(620 if group == "folders" else 380))
            card.columnconfigure(2, minsize=px(0 if group == "folders" else 150))
            card.columnconfigure(3, minsize=px(0 if group == "folders" else 36))
            heading = ttk.Label(card, style="Card.Heading.TLabel")
            heading.grid(row=0, column=0, columnspan=4, sticky="w", pady=(0, px(4)))
            self._cards[group], self._headings[group] = card, heading
            for place, row in enumerate(rows, start=1):
                self.rows[row.key] = SettingRow(card, place, row.spec, self.page, self._theme)

    def _make_equipment(self) -> None:
        px = self._theme.px
        self._equipment_card = ttk.Frame(self._scroll.body, style="Card.TFrame", padding=px(16))
        self._equipment_card.columnconfigure(0, weight=1)
        self._equipment_heading = ttk.Label(self._equipment_card, style="Card.Heading.TLabel")
        self._equipment_heading.grid(row=0, column=0, sticky="w")
        self.test_button = ttk.Button(self._equipment_card, command=lambda: self.page.look_for_equipment(test=True))
        self.test_button.grid(row=0, column=1, sticky="e")
        self._equipment_texts: dict[str, ttk.Label] = {}
        for row, name in enumerate(EQUIPMENT, start=1):
            text = ttk.Label(self._equipment_card, style="Card.TLabel", justify="left")
            wrap_to_width(text)
            text.grid(row=row, column=0, columnspan=2, sticky="ew", pady=(px(6), 0))
            self._equipment_texts[name] = text

    def show_findings(self, texts: Mapping[str, tuple[str, bool]], button: str, is_busy: bool) -> None:
        for name, (text, is_good) in texts.items():
            self._equipment_texts[name].configure(text=text, style="Card.TLabel" if is_good else "Card.Problem.TLabel")
        self.welcome.update_findings()
        self.test_button.configure(text=button)
        self.test_button.state(["disabled" if is_busy else "!disabled"])

    def show_groups(self, groups: Collection[str]) -> None:
        """Show the cards of some groups, from the top."""
        for part in (self._none, self.welcome, self._demo_card, *self._cards.values()):
            part.pack_forget()
        for group, card in self._cards.items():
            if group in groups:
                card.pack(fill="x", pady=(0, self._theme.px(12)))
        if not groups:
            self._none.pack(anchor="w", pady=self._theme.px(24))
        self._scroll.to_top()

    def show_extras(self, extras: Extras) -> None:
        gap = (0, self._theme.px(12))
        if not extras.is_welcome:
            self.welcome.pack_forget()
        elif not self.welcome.winfo_manager():
            self.welcome.pack(fill="x", pady=gap, before=self._scroll.body.pack_slaves()[0])
        if not extras.is_demo_offered:
            self._demo_card.pack_forget()
        elif not self._demo_card.winfo_manager():
            self._demo_card.pack(fill="x", pady=gap, after=next(iter(self._cards.values())))
        self._hidden.configure(text=extras.hidden)
        self.preset.offer(extras.presets, extras.preset_texts, extras.preset)
        self.delete_preset.state(["!disabled" if extras.can_delete_preset else "disabled"])
        self._equipment_card.pack_forget()
        if extras.is_equipment_shown:
            self._equipment_card.pack(fill="x", pady=gap)

    def _save_pressed(self) -> None:
        text = self._session.words.text
        name = simpledialog.askstring(
            text("settings.preset"), text("settings.preset_name"), parent=self.winfo_toplevel()
        )
        if name is not None:
            self.page.save_preset(name)

    def scroll(self, lines: int) -> None:
        """Scroll the page."""
        self._scroll.scroll(lines)
