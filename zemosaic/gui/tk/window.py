"""The window: three pages, one pump, one footer with Start and Stop."""

from __future__ import annotations

import ctypes
import sys
import tkinter as tk
from collections.abc import Sequence
from pathlib import Path
from tkinter import filedialog, ttk
from tkinter import font as tk_font

from zemosaic.gui.presenter.desktop.system_desktop import system_is_dark
from zemosaic.gui.presenter.desktop.window_presenter import PUMP_MS, SETTINGS, WindowPresenter
from zemosaic.gui.presenter.desktop.window_protocols import Footer
from zemosaic.gui.presenter.desktop.window_state import THEMES, VIEWS
from zemosaic.gui.presenter.result.picture_loader import PictureLoader
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.tk.desktop.drops import accept_drops
from zemosaic.gui.tk.desktop.file_dialogs import speak
from zemosaic.gui.tk.desktop.questions import ask
from zemosaic.gui.tk.frames.frames_view import FramesView
from zemosaic.gui.tk.linked_text import link_label
from zemosaic.gui.tk.picture import read_levels
from zemosaic.gui.tk.result.result_view import ResultView
from zemosaic.gui.tk.run_view import RunView
from zemosaic.gui.tk.settings_view import SettingsView
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.unattended.queue_window import QueueWindow
from zemosaic.gui.tk.widgets import Choice, EntryMenu, MenuButton, Tooltip, take_apart, wrap_to_width
from zemosaic.resources import resource_root

__all__ = ["MainWindow", "run_window"]

_EASY_HEADER_PX = 230
"""With less room beside them the tabs move closer together."""
_TYPED = ("TEntry", "TCombobox", "Entry", "Text", "TSpinbox")
"""Widgets that take what is pasted themselves."""


def run_window(session: Session) -> int:
    """Open the window and return the exit code once it is closed.

    Raises
    ------
    tkinter.TclError
        If there is no display.
    """
    if sys.platform == "win32":
        # Without this Windows enlarges the finished picture of the window, which blurs every letter.
        ctypes.windll.shcore.SetProcessDpiAwareness(1)
    root = tk.Tk(className="ZeMosaic")
    MainWindow(root, session)
    root.mainloop()
    return 0


class MainWindow:
    """Everything in the main window."""

    def __init__(self, root: tk.Tk, session: Session) -> None:
        root.withdraw()
        self.root = root
        self.session = session
        self.presenter = WindowPresenter(session, "", PictureLoader(read_levels))
        self.theme = Theme(root, _look(self.presenter.theme_name))
        self.entry_menu = EntryMenu(root, self.theme, session.words)
        self._pumping: str | None = None
        self._make_pages()
        self._make_header()
        self._make_footer()
        self._bind_keys()
        self._place_first()
        self.presenter.attach(self)
        self.pages.bind("<<NotebookTabChanged>>", lambda _: self.presenter.page_changed())
        root.protocol("WM_DELETE_WINDOW", self.close)
        if root.tk.call("tk", "windowingsystem") == "aqua":
            root.createcommand("tk::mac::Quit", self.close)  # Cmd-Q asks as closing the window does
        root.deiconify()
        self._pump()

    @property
    def page(self) -> int:
        return int(self.pages.index("current"))

    def show_page(self, page: int) -> None:
        self.pages.select(page)

    def show_texts(self) -> None:
        words, codes = self.session.words, self.session.words.languages()
        for page, name in enumerate(VIEWS):
            self.pages.tab(page, text=words.text(f"page.{name}"))
        self.stop_button.configure(text=words.text("window.stop"))
        self.look.offer(THEMES, self.presenter.look_names(), self.presenter.theme_name)
        self.language.offer(tuple(codes), tuple(codes.values()), words.language)
        speak(self.root, words.language)
        self._fit_header()

    def show_footer(self, footer: Footer) -> None:
        self.forecast.configure(text=footer.forecast, style="Problem.TLabel" if footer.is_refused else "TLabel")
        self.root.title(footer.title)
        self.start_button.configure(text=footer.start)
        self._status.configure(text=footer.text, style="Problem.TLabel" if footer.is_problem else "Muted.TLabel")
        self.pause_button.configure(text=footer.pause)
        for button, on in (
            (self.start_button, footer.can_start),
            (self.stop_button, footer.can_stop),
            (self.pause_button, footer.can_pause),
        ):
            button.state(["!disabled" if on else "disabled"])

    def can_write(self, text: str) -> bool:
        return self.theme.can_write(text)

    def show_theme(self, name: str) -> None:
        self.look.choose(name)
        self.theme.use(_look(name))
        self._fit_header()

    def ask(self, title: str, text: str, answers: Sequence[str]) -> bool:
        return ask(self.root, self.theme, title, text, answers, default=1) == 0

    def tell(self, title: str, text: str, can_copy: bool = False) -> None:
        keys = ["window.close", "run.copy"] if can_copy else ["window.close"]
        if ask(self.root, self.theme, title, text, [self.session.words.text(key) for key in keys]) == 1:
            self.root.clipboard_clear()
            self.root.clipboard_append(text)

    def show_queue(self) -> None:
        if self.presenter.queue.view is None:
            self.queue = QueueWindow(self.root, self.theme, self.presenter.queue)
        self.queue.lift()

    def ask_folder(self, title: str) -> str:
        return str(filedialog.askdirectory(parent=self.root, title=title, initialdir=Path.home()) or "")

    @property
    def handle(self) -> int:
        return int(self.root.wm_frame(), 16)

    def alert(self) -> None:
        """Ring the bell; on Windows let the window's entry in the task bar flash too."""
        self.root.bell()
        if sys.platform == "win32":
            ctypes.windll.user32.FlashWindow(self.handle, True)

    def place(self) -> tuple[str, bool]:
        """Return the window's place, and whether it is maximised."""
        # `winfo_geometry` tells where the inside is, which would move the window by its title bar at each start.
        return self.root.geometry(), _maximised(self.root)

    def shut(self) -> None:
        """End what works in the background, and the window with it."""
        self.settings.close_page()
        take_apart(self.root)
        self.theme.forget()

    def close(self) -> None:
        """Close the window, unless its user would rather keep a run."""
        self.presenter.close()

    def _make_pages(self) -> None:
        left, theme, session = self.presenter.opened_with, self.theme, self.session
        self.pages = ttk.Notebook(self.root)
        self.pages.enable_traversal()
        self.frames = FramesView(self.pages, session, theme, self.presenter.show_status)
        self.settings = SettingsView(self.pages, session, theme, left.tier, self.presenter.demo, left.welcomed)
        self.run = RunView(self.pages, session, theme, left.log_level)
        self.result = ResultView(self.pages, session, theme)
        for view in (self.frames, self.settings, self.run, self.result):
            self.pages.add(view)

    def _make_header(self) -> None:
        px = self.theme.px
        ttk.Label(self.root, text="ZeMosaic", style="Title.TLabel").place(x=px(22), y=px(29), anchor="w")
        right = ttk.Frame(self.root)
        right.place(relx=1.0, x=-px(20), y=px(9), anchor="ne")
        acts = self.presenter.actions
        self.help_button = MenuButton(right, self.theme, acts.choose, acts.help_menu)
        self.help_button.configure(text="?", style="Sign.TButton", width=2)
        self.help_button.pack(side="right", padx=(px(8), 0))
        Tooltip(self.help_button, self.theme, lambda: self.session.words.text("menu.help"))
        self.language = Choice(right, self.theme, self.presenter.use_language, width=None)
        self.language.pack(side="left", padx=(0, px(8)))
        self.look = Choice(right, self.theme, self.presenter.use_theme, width=None)
        self.look.pack(side="left")
        Tooltip(self.language, self.theme, lambda: self.session.words.text("setting.language.label"))

    def _fit_header(self) -> None:
        """Let the choices of the header end where the tabs do in a narrow window: what is chosen is then cut."""
        px, letters = self.theme.px, tk_font.nametofont("ZmHeading", self.root)
        names = [letters.measure(self.pages.tab(page, "text")) for page in self.pages.tabs()]
        room = self.root.winfo_width() - px(200) - sum(names) - self.help_button.winfo_reqwidth()
        gap = px(18) if room - 2 * len(names) * px(18) > px(_EASY_HEADER_PX) else px(9)
        ttk.Style(self.root).configure("TNotebook.Tab", padding=(gap, px(9)))
        room -= 2 * len(names) * gap
        self.language.fit(room)
        self.look.fit(room - self.language.winfo_reqwidth())

    def _make_footer(self) -> None:
        px = self.theme.px
        footer = ttk.Frame(self.root, padding=(px(20), px(12)))
        footer.pack(side="bottom", fill="x")
        self.start_button = ttk.Button(footer, style="Accent.TButton", command=self.presenter.start)
        acts = self.presenter.actions
        self.more_button = MenuButton(footer, self.theme, acts.choose, acts.start_menu)
        self.more_button.configure(text="▾", style="Sign.TButton", width=2)
        self.more_button.pack(side="right")
        Tooltip(self.more_button, self.theme, lambda: self.session.words.text("menu.more"))
        self.start_button.pack(side="right", padx=(0, px(4)))
        self.stop_button = ttk.Button(footer, style="Stop.TButton", command=self.presenter.stop)
        self.stop_button.pack(side="right", padx=px(8))
        self.pause_button = ttk.Button(footer, command=self.presenter.pause)
        self.pause_button.pack(side="right")
        lines = ttk.Frame(footer)
        lines.pack(side="left", fill="x", expand=True)
        self.forecast, self._status = (ttk.Label(lines, justify="left") for _ in range(2))
        for label in (self.forecast, self._status):
            label.pack(fill="x")
            wrap_to_width(label, px(16))
            link_label(label, self.session)
        self.pages.pack(side="top", fill="both", expand=True)

    def _bind_keys(self) -> None:
        root, desk = self.root, self.presenter
        for key, act in (
            ("<Control-Return>", desk.start),
            ("<F5>", desk.start),
            ("<Control-period>", desk.stop),
            ("<Control-p>", desk.pause),
            ("<Control-f>", desk.search),
            ("<F1>", desk.greet),
            ("<Control-q>", self.close),
        ):
            root.bind(key, lambda _, act=act: act())  # type: ignore[misc]
        for page in range(len(VIEWS)):
            root.bind(f"<Control-Key-{page + 1}>", lambda _, page=page: self.show_page(page))  # type: ignore[misc]
        root.bind("<<Paste>>", self._pasted)
        accept_drops(root, desk.actions.dropped)
        root.bind("<Destroy>", self._destroyed)
        root.bind("<Configure>", self._resized)
        root.bind("<MouseWheel>", self._wheel)
        root.bind("<Button-4>", lambda _: self._scroll(-3))
        root.bind("<Button-5>", lambda _: self._scroll(3))

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self.root:
            self._fit_header()

    def _pasted(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget.winfo_class() in _TYPED:
            return
        try:
            text = self.root.clipboard_get()
        except tk.TclError:
            return  # no text is there
        self.presenter.actions.pasted(str(text))

    def _wheel(self, event: tk.Event[tk.Misc]) -> None:
        step = event.delta if sys.platform == "darwin" else event.delta / 120 * 3
        self._scroll(-round(step) or (-1 if step > 0 else 1))

    def _scroll(self, lines: int) -> None:
        if self.page == SETTINGS:
            self.settings.scroll(lines)

    def _place_first(self) -> None:
        root, px, left = self.root, self.theme.px, self.presenter.opened_with
        picture = resource_root() / "icon" / "zemosaic.png"
        if picture.is_file():
            self._icon = tk.PhotoImage(master=root, file=str(picture))
            root.iconphoto(True, self._icon)
        width, height = root.winfo_screenwidth(), root.winfo_screenheight()
        root.minsize(min(px(900), width), min(px(560), height))
        root.geometry(left.geometry or f"{min(px(1280), width)}x{min(px(760), height - px(60))}")
        if left.maximised and sys.platform == "win32":
            root.state("zoomed")
        elif left.maximised and sys.platform != "darwin":
            root.attributes("-zoomed", True)

    def _pump(self) -> None:
        """Let the presenter take in news, and come back; the only timer of the window."""
        # Booked first, so that it is cancelled with the window where the presenter closes it.
        self._pumping = self.root.after(PUMP_MS, self._pump)
        self.presenter.pump()

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self.root and self._pumping is not None:
            self.root.after_cancel(self._pumping)
            self._pumping = None


def _look(theme: str) -> str:
    """Return the look of a theme."""
    return ("dark" if system_is_dark() else "light") if theme == "system" else theme


def _maximised(root: tk.Tk) -> bool:
    if sys.platform == "win32":
        return root.state() == "zoomed"
    return sys.platform != "darwin" and bool(root.attributes("-zoomed"))
