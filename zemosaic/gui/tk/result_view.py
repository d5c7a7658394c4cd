"""The result page: the mosaic with zoom, what it is made of, and the way to its files."""

from __future__ import annotations

import tkinter as tk
from functools import partial
from pathlib import Path
from tkinter import ttk

from zemosaic.gui.presenter.desktop.programs import Programs
from zemosaic.gui.presenter.result.pixel_presenter import PixelPresenter
from zemosaic.gui.presenter.result.result_presenter import ResultPresenter
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.run.summary_text import summary_lines
from zemosaic.gui.tk.picture import Loaded, Picture, picture_buttons
from zemosaic.gui.tk.pixel_panel import PixelPanel
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
        self.desk = ResultPresenter()
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.picture = Picture(self, theme, lambda: session.words.text("result.empty"))
        self.picture.grid(row=0, column=0, sticky="nsew")
        self._side = side = ttk.Frame(self, style="Card.TFrame", padding=px(16), width=px(320))
        side.grid(row=0, column=1, rowspan=2, sticky="ns", padx=(px(12), 0))
        side.pack_propagate(False)
        self._heading = ttk.Label(side, style="Card.Heading.TLabel")
        self._heading.pack(anchor="w")
        buttons = ttk.Frame(side, style="Inner.TFrame")
        buttons.pack(side="bottom", fill="x")
        self._told = tk.Text(side, wrap="word", state="disabled", borderwidth=0, highlightthickness=0, width=1)
        self._told.configure(font="TkDefaultFont", spacing3=px(5), takefocus=False, padx=0, pady=px(6))
        self._told.pack(fill="both", expand=True)
        self._told.bind("<<ThemeChanged>>", lambda _: self._recolour())
        self._recolour()
        self._open_report = ttk.Button(buttons, command=self._report_pressed)
        self._open_folder = ttk.Button(buttons, command=self._folder_pressed)
        self.programs = Programs()
        self.send_button = MenuButton(buttons, theme, self._send_pressed)
        for button in (self._open_report, self._open_folder, self.send_button):
            button.pack(side="bottom", fill="x", pady=(px(8), 0))
        tools = ttk.Frame(self)
        tools.grid(row=1, column=0, sticky="w", pady=(px(10), 0))
        self._tools = picture_buttons(tools, self.picture)
        for tool in self._tools.values():
            tool.pack(side="left", padx=(0, px(6)))
        self.marks = {
            name: tk.BooleanVar(self, name == "linked") for name in ("coverage", "tiles", "annotation", "linked")
        }
        self._checks = {name: self._made_check(tools, name) for name in ("coverage", "tiles", "annotation")}
        self._make_looks()
        self.picture.hovered = self._hovered
        self.pixel = PixelPresenter()
        self.panel = PixelPanel(self, session, theme, self.pixel, self.close_pixel)
        self.panel.grid(row=0, column=1, rowspan=4, sticky="ns", padx=(px(12), 0))
        self.panel.grid_remove()
        self.picture.clicked = self.ask_pixel
        for widget in (self.picture, self.panel.table, self.panel.close_button, self.panel.show_file):
            widget.bind("<Escape>", lambda _: self.close_pixel())
        self.bind("<Destroy>", self._destroyed)
        self.retranslate()

    def _make_looks(self) -> None:
        """Make the line with what can be changed of the picture."""
        gap = self._theme.px(6)
        line = ttk.Frame(self)
        line.grid(row=2, column=0, sticky="ew", pady=(gap, 0))
        self.fields = Choice(line, self._theme, self._open_mosaic, width=26)
        self.channel = Choice(line, self._theme, lambda value: self._adjust(channel=value), width=9)
        self.channel.pack(side="left", padx=(0, gap))
        self._checks["linked"] = self._made_check(line, "linked")
        self.sliders: dict[str, ttk.Scale] = {}
        self._slider_labels: dict[str, ttk.Label] = {}
        for name in ("sky", "strength", "white"):
            self._slider_labels[name] = ttk.Label(line, style="Muted.TLabel")
            self.sliders[name] = ttk.Scale(line, from_=-1.0, to=1.0, length=self._theme.px(70))
            self.sliders[name].configure(command=partial(self._slid, name))
            self._slider_labels[name].pack(side="left", padx=(2 * gap, gap))
            self.sliders[name].pack(side="left")
        self._reset = ttk.Button(line, command=self.reset)
        self._reset.pack(side="left", padx=gap)
        self._read_out = ttk.Label(self, style="Muted.TLabel")
        self._read_out.grid(row=3, column=0, sticky="ew", pady=(gap, 0))

    def _made_check(self, parent: ttk.Frame, name: str) -> ttk.Checkbutton:
        check = ttk.Checkbutton(
            parent, style="Page.Switch.TCheckbutton", variable=self.marks[name], command=self._checked
        )
        check.pack(side="left", padx=(self._theme.px(6 if name == "linked" else 12), 0))
        return check

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        self._heading.configure(text=words.text("result.heading"))
        self._open_report.configure(text=words.text("result.open_report"))
        self._open_folder.configure(text=words.text("result.open_folder"))
        self.send_button.configure(text=words.text("result.send"))
        names = self.programs.names
        self.send_button.offer(names, [name or words.text("result.send_default") for name in names])
        self._read_out.configure(text=words.text("result.hint"))
        for key, button in self._tools.items():
            button.configure(text=words.text(key))
        for name, check in self._checks.items():
            check.configure(text=words.text(f"result.{name}"))
        for name, label in self._slider_labels.items():
            label.configure(text=words.text(f"result.{name}"))
        self._reset.configure(text=words.text("result.reset"))
        self.panel.retranslate()
        self._offer_channels()
        self.picture.redraw()
        self.update_state()

    def pump(self) -> None:
        """Show the mosaic once it is open, and anew when it can be shown better."""
        if self.desk.pump():
            self._offer_channels()
            if self.desk.problem is not None:
                self._read_out.configure(text=self._session.words.message(self.desk.problem))
            if self.desk.size is not None:
                self.picture.look_through(self.desk.picture, self.desk.size)

        if self.pixel.pump():
            self.panel.update_state()

    def ask_pixel(self, x: float, y: float) -> None:
        """Ask which frames are in the pixel at a picture point, and show the panel."""
        pixel = self.desk.pixel_at(x, y)
        if pixel is None:
            return
        self.pixel.ask(self.desk.path, *pixel)
        self.picture.mark = int(x) + 0.5, int(y) + 0.5
        self._side.grid_remove()
        self.panel.grid()
        self.panel.update_state()
        self.picture.redraw()

    def close_pixel(self) -> None:
        """Show the mosaic's own panel again."""
        if self.picture.mark is None:
            return
        self.pixel.forget()
        self.picture.mark = None
        self.panel.grid_remove()
        self._side.grid()
        self.picture.focus_set()
        self.picture.redraw()

    def _open_mosaic(self, path: str) -> None:
        if path != self.desk.path:
            self.close_pixel()
        self.desk.open(path)

    def reset(self) -> None:
        """Go back to the automatic stretch."""
        for slider in self.sliders.values():
            slider.set(0.0)
        self.marks["linked"].set(True)
        self._checked()

    def _adjust(self, **changes: object) -> None:
        self.desk.adjust(**changes)
        self.picture.redraw()

    def _slid(self, name: str, value: str) -> None:
        self._adjust(**{name: float(value)})

    def _checked(self) -> None:
        self._adjust(**{name: mark.get() for name, mark in self.marks.items()})

    def _hovered(self, x: float, y: float) -> None:
        self._read_out.configure(text=self.desk.read_out(x, y, self._session.words))

    def _offer_channels(self) -> None:
        words, names = self._session.words, self.desk.channels
        self.channel.offer(
            names, [words.text(f"result.channel.{name}") for name in names], self.desk.adjustment.channel
        )
        known = {"coverage": self.desk.has_coverage, "tiles": self.desk.has_tiles, "annotation": self.desk.has_wcs}
        for name, there in known.items():
            self._checks[name].state(["!disabled" if there else "disabled"])

    def _offer_fields(self) -> None:
        """Let the user choose between the mosaics where the run made several."""
        result = self._session.state.result
        made = () if result is None else result.mosaics or (result.mosaic,)
        if len(made) > 1:
            self.fields.offer(made, [Path(path).stem for path in made], self.desk.path or made[0])
            self.fields.pack(side="left", padx=(0, self._theme.px(6)), before=self.channel)
        else:
            self.fields.pack_forget()
        self._open_mosaic(made[0] if made and self.desk.path not in made else self.desk.path if made else "")

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self:
            self.desk.close()
            self.pixel.close()

    def show_picture(self, loaded: Loaded | None) -> None:
        """Show the preview, until the mosaic itself is open."""
        if loaded is None or self.desk.size is None:
            self.picture.show(loaded)
        self._set_tools(loaded is not None)

    def update_state(self) -> None:
        """Show the result of the last run."""
        result = self._session.state.result
        lines = summary_lines(self._session.state, self._session.words) if result is not None else []
        self._told.configure(state="normal")
        self._told.delete("1.0", "end")
        self._told.insert("end", "\n".join(lines) or self._session.words.text("result.none"))
        self._told.configure(state="disabled")
        for button in (self._open_report, self._open_folder, self.send_button):
            button.state(["!disabled" if result is not None else "disabled"])
        self._set_tools(self._session.state.result is not None)
        self._offer_fields()

    def _recolour(self) -> None:
        look = self._theme.palette
        self._told.configure(background=look.card, foreground=look.text)
        self._told.configure(selectbackground=look.accent, selectforeground=look.on_accent)

    def _set_tools(self, on: bool) -> None:
        for tool in self._tools.values():
            tool.state(["!disabled" if on else "disabled"])

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
