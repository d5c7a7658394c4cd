"""Light and dark looks: rounded ttk elements drawn at the screen's own resolution."""

from __future__ import annotations

import base64
import io
import tkinter as tk
from tkinter import font as tk_font
from tkinter import ttk
from typing import Any, Literal

from PIL import Image, ImageDraw

from zemosaic.gui.presenter.desktop.palette import PALETTES, Palette
from zemosaic.gui.presenter.desktop.scripts import has_east_asian_letters, names_an_east_asian_font
from zemosaic.gui.tk.screen import adopt_screen_scale

__all__ = ["Theme"]

_FAMILIES = ("Segoe UI", "Inter", "Noto Sans", "Ubuntu", "Cantarell", "DejaVu Sans")
_SUPERSAMPLING = 4


class Theme:
    """Builds both looks for a window and switches between them."""

    def __init__(self, root: tk.Misc, name: str) -> None:
        self._root = root
        self._style = ttk.Style(root)
        self._images: list[tk.PhotoImage] = []
        self._fonts: list[tk_font.Font] = []
        self._built: set[str] = set()
        self.scale = adopt_screen_scale(root)
        """Pixels per pixel of a 96 dpi screen."""
        self.name = name if name in PALETTES else "dark"
        self._set_fonts()
        self.use(self.name)

    @property
    def palette(self) -> Palette:
        """Colours of the look in use."""
        return PALETTES[self.name]

    def can_write(self, text: str) -> bool:
        """Return whether a font is installed that has the letters of a text; Tk looks for the font by itself."""
        return not has_east_asian_letters(text) or names_an_east_asian_font(tk_font.families(self._root))

    def dress_menu(self, menu: tk.Menu) -> None:
        """Give a menu the colours of the look."""
        look = self.palette
        menu.configure(
            background=look.card, foreground=look.text, selectcolor=look.text, borderwidth=1, relief="raised"
        )
        menu.configure(activebackground=look.accent, activeforeground=look.on_accent, font="TkDefaultFont")

    def forget(self) -> None:
        """Let go of pictures and letters, once no window shows them any more."""
        self._images.clear()
        self._fonts.clear()

    def px(self, size: float) -> int:
        """Return a size of a 96 dpi screen in pixels of this one."""
        return round(size * self.scale)

    def use(self, name: str) -> None:
        """Switch to a look; ``<<ThemeChanged>>`` tells the widgets."""
        self.name = name
        full = f"zemosaic-{name}"
        if name not in self._built:
            self._style.theme_create(full, parent="clam")
            self._style.theme_use(full)
            self._build()
            self._built.add(name)
        self._style.theme_use(full)
        if isinstance(self._root, tk.Tk | tk.Toplevel):
            self._root.configure(background=self.palette.background)

    def _set_fonts(self) -> None:
        families = set(tk_font.families(self._root))
        family = next((name for name in _FAMILIES if name in families), None)
        for name in ("TkDefaultFont", "TkTextFont", "TkMenuFont", "TkHeadingFont"):
            named = tk_font.nametofont(name, self._root)
            if family:
                named.configure(family=family)
            named.configure(size=-self.px(13), weight="normal")
        base = tk_font.nametofont("TkDefaultFont", self._root).actual("family")
        made: dict[str, tuple[int, Literal["normal", "bold"]]]
        # In pixels: a point is a pixel on macOS and more than one elsewhere.
        made = {"ZmTitle": (20, "bold"), "ZmHeading": (15, "bold"), "ZmBold": (13, "bold"), "ZmSmall": (12, "normal")}
        for name, (size, weight) in made.items():
            exists = name in tk_font.names(self._root)
            # A Font object that is forgotten takes its font with it.
            self._fonts.append(
                tk_font.Font(self._root, name=name, exists=exists, family=base, size=-self.px(size), weight=weight)
            )

    def _build(self) -> None:
        look, style = self.palette, self._style
        style.configure(
            ".",
            background=look.background,
            foreground=look.text,
            font="TkDefaultFont",
            borderwidth=0,
            relief="flat",
            focuscolor=look.accent,
            insertcolor=look.text,
            selectbackground=look.accent,
            selectforeground=look.on_accent,
            fieldbackground=look.field,
        )
        style.map(".", foreground=[("disabled", look.muted)])
        self._build_frames()
        self._build_buttons()
        self._build_fields()
        self._build_switch()
        self._build_tabs()
        self._build_bars()
        self._build_table()
        self._build_tools()

    def _build_tools(self) -> None:
        """Boxes to tick, as they stand beside pictures."""
        look, style = self.palette, self._style
        style.configure("TCheckbutton", background=look.background, foreground=look.text, padding=self.px(3))
        style.configure("TCheckbutton", indicatorsize=self.px(13), indicatormargin=self.px(4))
        style.configure("TCheckbutton", upperbordercolor=look.muted, lowerbordercolor=look.muted)
        style.map(
            "TCheckbutton",
            background=[("", look.background)],
            indicatorbackground=[("selected", look.accent), ("", look.field)],
            indicatorforeground=[("", look.on_accent)],
        )

    def _build_frames(self) -> None:
        look, style = self.palette, self._style
        self._element("Card.border", self._patch(look.card, look.border, large=True), border=self.px(9))
        self._layout("Card.TFrame", [("Card.border", {"sticky": "nsew"})])
        style.configure("Card.TFrame", background=look.card)
        style.configure("Inner.TFrame", background=look.card)
        style.configure("TSeparator", background=look.border)
        for surface, colour in (("", look.background), ("Card.", look.card)):
            style.configure(f"{surface}TLabel", background=colour)
            for name, ink, face in (
                ("Muted", look.muted, "ZmSmall"),
                ("Heading", look.text, "ZmHeading"),
                ("Bold", look.text, "ZmBold"),
                ("Title", look.text, "ZmTitle"),
                ("Good", look.good, "ZmBold"),
                ("Bad", look.bad, "ZmBold"),
                ("Warning", look.warning, "ZmSmall"),
                ("Problem", look.bad, "ZmSmall"),
                ("Accent", look.accent, "ZmBold"),
            ):
                style.configure(f"{surface}{name}.TLabel", background=colour, foreground=ink, font=face)

    def _build_buttons(self) -> None:
        look = self.palette
        self._button("TButton", look.card, look.hover, look.border, look.text)
        self._button("Accent.TButton", look.accent, look.accent_hover, look.accent, look.on_accent, "ZmBold")
        self._button("Stop.TButton", look.card, look.hover, look.bad, look.bad, "ZmBold")
        self._button("Ghost.TButton", look.card, look.hover, look.card, look.muted)
        self._style.configure("Ghost.TButton", padding=(self.px(6), self.px(2)))
        self._button("Sign.TButton", look.card, look.hover, look.border, look.text)
        self._style.configure("Sign.TButton", padding=(self.px(4), self.px(8)))
        self._style.configure("TPanedwindow", background=look.background)
        self._style.configure("Sash", sashthickness=self.px(6), gripcount=0)
        name = "Segment.button"
        self._element(
            name,
            self._patch(look.card, look.border),
            ("selected", self._patch(look.accent, look.accent)),
            ("focus", self._patch(look.card, look.accent)),
            ("active", self._patch(look.hover, look.border)),
            border=self.px(8),
        )
        inner = [("Toolbutton.padding", {"sticky": "nsew", "children": [("Toolbutton.label", {"sticky": "nsew"})]})]
        self._layout("Segment.Toolbutton", [(name, {"sticky": "nsew", "children": inner})])
        self._style.configure(
            "Segment.Toolbutton", padding=(self.px(14), self.px(8)), anchor="center", background=look.background
        )
        self._style.map(
            "Segment.Toolbutton",
            foreground=[("selected", look.on_accent), ("", look.text)],
            background=[("", look.background)],
        )

    def _button(self, name: str, fill: str, hover: str, edge: str, ink: str, face: str = "TkDefaultFont") -> None:
        look, element = self.palette, f"{name}.face"
        self._element(
            element,
            self._patch(fill, edge),
            ("disabled", self._patch(look.background, look.border)),
            ("pressed", self._patch(hover, look.accent)),
            ("active", self._patch(hover, edge)),
            ("focus", self._patch(fill, look.accent if fill != look.accent else look.text, 2)),
            border=self.px(8),
        )
        inner = [("Button.padding", {"sticky": "nsew", "children": [("Button.label", {"sticky": "nsew"})]})]
        self._layout(name, [(element, {"sticky": "nsew", "children": inner})])
        padding = (self.px(16), self.px(8))
        self._style.configure(name, padding=padding, anchor="center", foreground=ink, font=face, background=look.card)
        self._style.map(name, foreground=[("disabled", look.muted), ("", ink)], background=[("", look.card)])

    def _build_fields(self) -> None:
        look, style = self.palette, self._style
        pictures = (
            self._patch(look.field, look.border),
            ("invalid", self._patch(look.field, look.bad, 2)),
            ("focus", self._patch(look.field, look.accent, 2)),
            ("active", self._patch(look.field, look.muted)),
        )
        self._element("Entry.face", *pictures, border=self.px(8))
        area = ("Entry.padding", {"sticky": "nsew", "children": [("Entry.textarea", {"sticky": "nsew"})]})
        self._layout("TEntry", [("Entry.face", {"sticky": "nsew", "children": [area]})])
        style.configure("TEntry", padding=(self.px(10), self.px(7)), foreground=look.text, background=look.card)
        self._element("Combo.face", *pictures, border=self.px(8))
        self._element("Combo.arrow", self._arrow(look.muted), sticky="")
        text = ("Combobox.padding", {"sticky": "nsew", "children": [("Combobox.textarea", {"sticky": "nsew"})]})
        arrow = ("Combo.arrow", {"side": "right", "sticky": ""})
        self._layout("TCombobox", [("Combo.face", {"sticky": "nsew", "children": [arrow, text]})])
        style.configure("TCombobox", padding=(self.px(10), self.px(7)), foreground=look.text, background=look.card)
        style.map(
            "TCombobox",
            selectbackground=[("", look.field)],
            selectforeground=[("", look.text)],
            fieldbackground=[("", look.field)],
            foreground=[("disabled", look.muted), ("", look.text)],
        )

    def _build_switch(self) -> None:
        look = self.palette
        self._element(
            "Switch.indicator",
            self._switch(look.field, look.muted, False),
            ("selected focus", self._switch(look.accent, look.on_accent, True, look.text)),
            ("selected", self._switch(look.accent, look.on_accent, True)),
            ("focus", self._switch(look.field, look.muted, False, look.accent)),
            sticky="w",
        )
        inner = [
            ("Switch.indicator", {"side": "left", "sticky": ""}),
            ("Checkbutton.padding", {"sticky": "nsew", "children": [("Checkbutton.label", {"sticky": "nsew"})]}),
        ]
        self._layout("Switch.TCheckbutton", inner)
        self._style.configure("Switch.TCheckbutton", background=look.card, padding=(self.px(8), 0, 0, 0))
        self._style.map("Switch.TCheckbutton", background=[("", look.card)])

    def _build_tabs(self) -> None:
        look, style = self.palette, self._style
        self._element(
            "Flat.tab",
            self._underlined(None),
            ("selected", self._underlined(look.accent)),
            ("active", self._underlined(look.border)),
            border=self.px(4),
        )
        focus = [("Notebook.focus", {"sticky": "nsew", "children": [("Notebook.label", {"sticky": ""})]})]
        inner = [("Notebook.padding", {"sticky": "nsew", "children": focus})]
        self._layout("TNotebook.Tab", [("Flat.tab", {"sticky": "nsew", "children": inner})])
        self._layout("TNotebook", [("Notebook.client", {"sticky": "nsew"})])
        style.configure("TNotebook", background=look.background, tabmargins=(self.px(150), self.px(8), 0, 0))
        style.configure("TNotebook", bordercolor=look.background, lightcolor=look.background, darkcolor=look.background)
        style.configure("TNotebook.Tab", padding=(self.px(18), self.px(9)), font="ZmHeading", foreground=look.muted)
        style.map(
            "TNotebook.Tab",
            foreground=[("selected", look.text), ("active", look.text)],
            focuscolor=[("", look.background)],
        )

    def _build_bars(self) -> None:
        look, style, thick = self.palette, self._style, self.px(8)
        self._element("Bar.trough", self._pill(look.hover, 12 * thick, thick), border=(thick // 2, 0), sticky="ew")
        self._element("Bar.pbar", self._pill(look.accent, 12 * thick, thick), border=(thick // 2, 0), sticky="ew")
        trough = ("Bar.trough", {"sticky": "ew", "children": [("Bar.pbar", {"side": "left", "sticky": "ns"})]})
        self._layout("Horizontal.TProgressbar", [trough])
        style.configure("Horizontal.TProgressbar", background=look.card, thickness=thick)
        self._element("Slide.trough", self._pill(look.border, 12 * thick, thick // 2), border=(thick, 0), sticky="ew")
        round_px = 2 * thick
        self._element(
            "Slide.slider",
            self._pill(look.accent, round_px, round_px),
            ("disabled", self._pill(look.muted, round_px, round_px)),
            ("focus", self._pill(look.text, round_px, round_px)),
            sticky="",
        )
        slider = ("Slide.slider", {"side": "left", "sticky": ""})
        self._layout("Horizontal.TScale", [("Slide.trough", {"sticky": "ew", "children": [slider]})])
        style.configure("Horizontal.TScale", background=look.background)
        style.configure("Card.Horizontal.TScale", background=look.card)
        self._element(
            "Scroll.thumb",
            self._pill(look.border, thick, 12 * thick),
            ("active", self._pill(look.muted, thick, 12 * thick)),
            border=(0, thick // 2),
            sticky="ns",
        )
        thumb = ("Scroll.thumb", {"expand": "1", "sticky": "ns"})
        self._layout("Vertical.TScrollbar", [("Vertical.Scrollbar.trough", {"sticky": "ns", "children": [thumb]})])
        style.configure("Vertical.TScrollbar", troughcolor=look.background, bordercolor=look.background)
        style.configure("Card.Vertical.TScrollbar", troughcolor=look.card, bordercolor=look.card)

    def _build_table(self) -> None:
        look, style = self.palette, self._style
        name = "Frames.Treeview"
        style.configure(name, background=look.field, fieldbackground=look.field, foreground=look.text)
        style.configure(name, rowheight=self.px(24), font="ZmSmall", bordercolor=look.border)
        style.configure(name, lightcolor=look.field, darkcolor=look.field)
        style.map(name, background=[("selected", look.accent)], foreground=[("selected", look.on_accent)])
        style.configure(f"{name}.Heading", background=look.card, foreground=look.text, font="ZmBold", relief="flat")
        style.configure(f"{name}.Heading", padding=(self.px(4), self.px(5)))
        style.map(f"{name}.Heading", background=[("active", look.hover)])
        style.configure("Horizontal.TScrollbar", background=look.border, troughcolor=look.background)
        style.configure("Horizontal.TScrollbar", bordercolor=look.background, arrowcolor=look.muted)
        style.configure("Horizontal.TScrollbar", lightcolor=look.border, darkcolor=look.border, gripcount=0)

    def _layout(self, name: str, parts: list[Any]) -> None:
        self._style.layout(name, parts)

    def _element(
        self,
        name: str,
        plain: tk.PhotoImage,
        *states: tuple[str, tk.PhotoImage],
        border: Any = 0,
        sticky: str = "nsew",
    ) -> None:
        # Without this a stretching picture would never be drawn smaller than it is.
        least = {"width": self.px(20), "height": self.px(20)} if sticky == "nsew" else {}
        mapped = [(*condition.split(), picture) for condition, picture in states]
        self._style.element_create(name, "image", plain, *mapped, border=border, padding=0, sticky=sticky, **least)  # type: ignore[call-overload]

    def _patch(self, fill: str, edge: str, line: int = 1, large: bool = False) -> tk.PhotoImage:
        """Return a rounded box whose middle is repeated; a large one for what fills much of the window."""
        k, matte = _SUPERSAMPLING, self.palette.background if large else self.palette.card
        width, height = (self.px(256), self.px(128)) if large else (self.px(96), self.px(30))
        image, pen = _blank(width, height)
        box = (k // 2, k // 2, width * k - k // 2 - 1, height * k - k // 2 - 1)
        pen.rounded_rectangle(box, self.px(7) * k, fill, edge, round(line * k * self.scale))
        return self._photo(image, width, height, matte)

    def _pill(self, fill: str, width: int, height: int) -> tk.PhotoImage:
        image, pen = _blank(width, height)
        box = (0, 0, width * _SUPERSAMPLING - 1, height * _SUPERSAMPLING - 1)
        pen.rounded_rectangle(box, min(width, height) * _SUPERSAMPLING // 2, fill)
        return self._photo(image, width, height, self.palette.card)

    def _switch(self, fill: str, knob: str, right: bool, ring: str | None = None) -> tk.PhotoImage:
        width, height, k = self.px(40), self.px(22), _SUPERSAMPLING
        image, pen = _blank(width, height)
        edge = ring or (fill if right else self.palette.muted)
        box = (k, k, width * k - k - 1, height * k - k - 1)
        pen.rounded_rectangle(box, height * k // 2, fill, edge, round((2 if ring else 1.2) * k * self.scale))
        radius, middle = self.px(6.5) * k, height * k // 2
        x = (width * k - middle) if right else middle
        pen.ellipse((x - radius, middle - radius, x + radius, middle + radius), knob)
        return self._photo(image, width, height, self.palette.card)

    def _arrow(self, ink: str) -> tk.PhotoImage:
        width, height, k = self.px(26), self.px(10), _SUPERSAMPLING
        image, pen = _blank(width, height)
        x, y, half = width * k // 2, height * k // 2, self.px(4) * k
        points = [(x - half, y - half // 2), (x, y + half // 2), (x + half, y - half // 2)]
        pen.line(points, ink, round(1.6 * k * self.scale), joint="curve")
        return self._photo(image, width, height, self.palette.card)

    def _underlined(self, ink: str | None) -> tk.PhotoImage:
        width, height, k = self.px(12), self.px(12), _SUPERSAMPLING
        image, pen = _blank(width, height)
        pen.rectangle((0, 0, width * k, height * k), self.palette.background)
        if ink:
            pen.rectangle((0, (height - self.px(3)) * k, width * k, height * k), ink)
        return self._photo(image, width, height, self.palette.card)

    def _photo(self, image: Image.Image, width: int, height: int, matte: str) -> tk.PhotoImage:
        """Return a picture whose soft edges are blended with the surface it lies on.

        Half transparent pixels would make Tk fetch the screen for every stretched piece, which takes
        seconds for a page; pixels that are there or not are drawn at once.
        """
        small = image.resize((width, height), Image.Resampling.LANCZOS)
        solid = Image.new("RGBA", small.size, matte)
        solid.alpha_composite(small)
        solid.putalpha(small.getchannel("A").point(lambda alpha: 255 if alpha > 24 else 0))
        buffer = io.BytesIO()
        solid.save(buffer, "PNG")
        photo = tk.PhotoImage(master=self._root, data=base64.b64encode(buffer.getvalue()))
        self._images.append(photo)
        return photo


def _blank(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGBA", (width * _SUPERSAMPLING, height * _SUPERSAMPLING), (0, 0, 0, 0))
    return image, ImageDraw.Draw(image)
