"""The result page: the mosaic with zoom, what it is made of, and the way to its files."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Iterable, Mapping, Sequence
from tkinter import filedialog, ttk

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.desktop.clipboard import copy_png
from zemosaic.gui.presenter.result.picture_loader import Loaded
from zemosaic.gui.presenter.result.result_page import SLIDERS, ResultFiles, ResultPage
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.tk.linked_text import insert_linked
from zemosaic.gui.tk.picture import Levels, Picture, picture_buttons
from zemosaic.gui.tk.result.menu_button import EntriesButton, photo_of
from zemosaic.gui.tk.result.pixel_panel import PixelPanel
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.widgets import Choice, MenuButton

__all__ = ["ResultView"]


class ResultView(ttk.Frame):
    """What the last run made."""

    def __init__(self, parent: tk.Misc, session: Session, theme: Theme) -> None:
        px = theme.px
        super().__init__(parent, padding=(px(20), px(14), px(20), 0))
        self._session = session
        self._theme = theme
        self.page = ResultPage(session, self)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.picture = Picture(self, theme, self.page.empty_text)
        self.picture.grid(row=0, column=0, sticky="nsew")
        self._make_side()
        tools = ttk.Frame(self)
        tools.grid(row=1, column=0, sticky="w", pady=(px(10), 0))
        self.fields = Choice(tools, theme, self.page.open_mosaic, width=26)
        self.menus = {key: EntriesButton(tools, theme, offer) for key, offer in self.page.actions.menus().items()}
        for menu in self.menus.values():
            menu.pack(side="left", padx=(0, px(6)))
        self._make_looks()
        self.panel = PixelPanel(self, session, theme, self.page.pixel, self.page.close_pixel)
        self.panel.grid(row=0, column=1, rowspan=4, sticky="ns", padx=(px(12), 0))
        self.panel.grid_remove()
        self.picture.hovered, self.picture.clicked = self.page.hover, self.page.ask_pixel
        for widget in (self.picture, self.panel.table, self.panel.close_button, self.panel.show_file):
            widget.bind("<Escape>", lambda _: self.page.close_pixel())
        self.bind("<Destroy>", self._destroyed)
        self.retranslate()

    def _make_side(self) -> None:
        """Make the panel that tells of the mosaic."""
        px = self._theme.px
        self._side = side = ttk.Frame(self, style="Card.TFrame", padding=px(16), width=px(320))
        side.grid(row=0, column=1, rowspan=4, sticky="ns", padx=(px(12), 0))
        side.pack_propagate(False)
        self._heading = ttk.Label(side, style="Card.Heading.TLabel")
        self._heading.pack(anchor="w")
        self._make_levels(side)
        buttons = ttk.Frame(side, style="Inner.TFrame")
        buttons.pack(side="bottom", fill="x")
        self._told = tk.Text(side, wrap="word", state="disabled", borderwidth=0, highlightthickness=0, width=1)
        self._told.configure(font="TkDefaultFont", spacing3=px(5), takefocus=False, padx=0, pady=px(6))
        self._told.pack(fill="both", expand=True)
        self._told.bind("<<ThemeChanged>>", lambda _: self._recolour())
        self._recolour()
        self._open_report = ttk.Button(buttons, command=self.page.open_report)
        self._open_folder = ttk.Button(buttons, command=self.page.open_folder)
        self.send_button = MenuButton(buttons, self._theme, self.page.send)
        self._open_log = ttk.Button(buttons, command=self.page.open_log)
        self._report_problem = ttk.Button(buttons, command=self.page.report_problem)
        for button in (self._open_report, self._open_folder, self.send_button):
            button.pack(side="bottom", fill="x", pady=(px(8), 0))

    def _make_levels(self, side: ttk.Frame) -> None:
        """Make the histogram with the sliders that move it; they are shown once a mosaic is open."""
        px = self._theme.px
        self._levels = levels = ttk.Frame(side, style="Inner.TFrame")
        levels.columnconfigure(1, weight=1)
        self._histogram = ttk.Label(levels, style="Card.TLabel", borderwidth=0)
        self._histogram.grid(row=0, column=0, columnspan=2, sticky="w", pady=(px(8), px(4)))
        self._bars: tk.PhotoImage | None = None
        self.sliders: dict[str, ttk.Scale] = {}
        self._slider_labels: dict[str, ttk.Label] = {}
        for row, name in enumerate(SLIDERS, 1):
            self._slider_labels[name] = ttk.Label(levels, style="Card.Muted.TLabel")
            self.sliders[name] = ttk.Scale(levels, style="Card.Horizontal.TScale", from_=-1.0, to=1.0)
            self.sliders[name].configure(command=lambda value, name=name: self.page.adjust(**{name: float(value)}))  # type: ignore[misc]
            self._slider_labels[name].grid(row=row, column=0, sticky="w", padx=(0, px(8)))
            self.sliders[name].grid(row=row, column=1, sticky="ew", pady=px(3))
        self._reset = ttk.Button(levels, command=self.reset)
        # Here and not in the line below the picture, where a narrow window has no room for it.
        self._is_linked = tk.BooleanVar(self, True)
        self.linked = ttk.Checkbutton(levels, style="Switch.TCheckbutton", variable=self._is_linked)
        self.linked.configure(command=lambda: self.page.adjust(linked=self._is_linked.get()))
        self.linked.grid(row=len(SLIDERS) + 1, column=0, columnspan=2, sticky="w", pady=(px(4), 0))
        self._reset.grid(row=len(SLIDERS) + 2, column=0, columnspan=2, sticky="e", pady=(px(4), 0))

    def _make_looks(self) -> None:
        """Make the line with what can be changed of the picture."""
        gap = self._theme.px(6)
        line = ttk.Frame(self)
        line.grid(row=2, column=0, sticky="ew", pady=(gap, 0))
        self._tools = picture_buttons(line, self.picture)
        for tool in self._tools.values():
            tool.pack(side="left", padx=(0, gap))
        self._zoom = ttk.Label(line, style="Muted.TLabel", width=8, anchor="center")
        self._zoom.pack(side="left", padx=(0, gap))
        self.channel = Choice(line, self._theme, lambda value: self.page.adjust(channel=value), width=9)
        self.channel.pack(side="left", padx=(0, gap))
        self._read_out = ttk.Label(self, style="Muted.TLabel")
        self._read_out.grid(row=3, column=0, sticky="ew", pady=(gap, 0))

    def retranslate(self) -> None:
        words = self._session.words
        texts: dict[ttk.Widget, str] = {
            self._heading: "result.heading",
            self._open_report: "result.open_report",
            self._open_folder: "result.open_folder",
            self.send_button: "result.send",
            self._open_log: "result.open_log",
            self._report_problem: "result.report_problem",
            self._reset: "result.reset",
        }
        texts |= {button: key for key, button in self._tools.items()}
        texts |= {menu: key for key, menu in self.menus.items()} | {self.linked: "result.linked"}
        texts |= {label: f"result.{name}" for name, label in self._slider_labels.items()}
        for widget, key in texts.items():
            widget["text"] = words.text(key)
        self.send_button.offer(self.page.programs.names, self.page.program_texts())
        self.panel.retranslate()
        self.page.retranslate()

    def show_picture(self, loaded: Loaded[Levels] | None) -> None:
        if loaded is None or self.page.desk.size is None:
            self.picture.show(loaded)
        self._set_enabled(self._tools.values(), loaded is not None)

    def show_read_out(self, text: str) -> None:
        """Show what lies under the pointer."""
        self._read_out.configure(text=text)

    def show_summary(self, text: str, files: ResultFiles) -> None:
        self._told.configure(state="normal")
        self._told.delete("1.0", "end")
        insert_linked(self._told, text, self._session)
        self._told.configure(state="disabled")
        self._set_enabled([self._open_report], bool(files.report))
        self._set_enabled([self._open_folder], bool(files.folder))
        self._set_enabled([self.send_button, *self._tools.values()], bool(files.mosaic))
        for button, is_shown in ((self._open_log, bool(files.log)), (self._report_problem, files.has_failed)):
            if is_shown:
                button.pack(side="bottom", fill="x", pady=(self._theme.px(8), 0))
            else:
                button.pack_forget()

    def show_pixel(self, is_asked: bool) -> None:
        """Put the panel that tells of a pixel in the place of the summary, or the other way round."""
        for widget, shown in ((self._side, not is_asked), (self.panel, is_asked)):
            if shown:
                widget.grid()
            else:
                widget.grid_remove()
        if not is_asked:
            self.picture.focus_set()

    def show_story(self) -> None:
        self.panel.update_state()

    def offer_channels(self, names: Sequence[str], texts: Sequence[str], chosen: str) -> None:
        self.channel.offer(names, texts, chosen)

    def show_look(self, look: Mapping[str, float | bool]) -> None:
        for name in self.sliders.keys() & look.keys():
            self.sliders[name].set(look[name])
        self._is_linked.set(bool(look.get("linked", self._is_linked.get())))

    def show_zoom(self, text: str) -> None:
        self._zoom.configure(text=text)

    def show_histogram(self, picture: NDArray[np.uint8] | None) -> None:
        """Show how often each brightness is seen; nothing where no mosaic is open."""
        if picture is None:
            self._levels.pack_forget()
            return
        height, width = picture.shape[:2]
        self._bars = photo_of(self, picture, (self._theme.px(width), self._theme.px(height)))
        self._histogram.configure(image=self._bars)
        if not self._levels.winfo_manager():
            self._levels.pack(fill="x", after=self._heading)

    def ask_open(self, title: str, folder: str, endings: Sequence[str]) -> str:
        kinds = [("FITS", [f"*{end}" for end in endings])]
        chosen = filedialog.askopenfilename(parent=self, title=title, initialdir=folder or None, filetypes=kinds)
        return str(chosen or "")

    def ask_save(self, title: str, folder: str, name: str, endings: Sequence[str]) -> str:
        kinds = [(end[1:].upper(), f"*{end}") for end in endings]
        chosen = filedialog.asksaveasfilename(
            parent=self, title=title, initialdir=folder, initialfile=name, filetypes=kinds, defaultextension=endings[0]
        )
        return str(chosen or "")

    def copy_picture(self, picture: NDArray[np.uint8]) -> bool:
        """Put a picture on the clipboard, which Tk itself cannot; return whether that was possible."""
        from zemosaic.picture.preview import png_bytes

        return copy_png(png_bytes(picture))

    def offer_mosaics(self, paths: Sequence[str], names: Sequence[str], chosen: str) -> None:
        if len(paths) < 2:
            self.fields.pack_forget()
            return
        self.fields.offer(paths, names, chosen)
        self.fields.pack(side="left", padx=(self._theme.px(6), 0))

    def reset(self) -> None:
        """Go back to the automatic stretch."""
        for scale in self.sliders.values():
            scale.set(0.0)
        self._is_linked.set(True)
        self.page.adjust(linked=True)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self:
            self.page.close()

    def _recolour(self) -> None:
        look = self._theme.palette
        self._told.configure(background=look.card, foreground=look.text)
        self._told.configure(selectbackground=look.accent, selectforeground=look.on_accent)

    @staticmethod
    def _set_enabled(widgets: Iterable[ttk.Widget], on: bool) -> None:
        for widget in widgets:
            widget.state(["!disabled" if on else "disabled"])
