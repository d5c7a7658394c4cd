"""The window: three pages, one pump, one footer with Start and Stop."""

from __future__ import annotations

import ctypes
import sys
import tkinter as tk
from collections.abc import Mapping
from pathlib import Path
from tkinter import filedialog, ttk

from zemosaic.errors import Message, SettingsError, ZeMosaicError
from zemosaic.events import PreviewReady
from zemosaic.gui.presenter.desktop.system_desktop import system_is_dark
from zemosaic.gui.presenter.desktop.window_state import (
    THEMES,
    VIEWS,
    WindowState,
    load_window_state,
    save_window_state,
    window_state_file,
)
from zemosaic.gui.presenter.run.run_text import status_text
from zemosaic.gui.presenter.run.runs import DemoMaker, Starter
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.tk.frames_view import FramesView
from zemosaic.gui.tk.picture import PictureLoader
from zemosaic.gui.tk.result_view import ResultView
from zemosaic.gui.tk.run_view import RunView
from zemosaic.gui.tk.settings_view import SettingsView
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.widgets import Choice, Tooltip, ask, wrap_to_width
from zemosaic.i18n import Translator
from zemosaic.resources import resource_root

__all__ = ["MainWindow", "run_window"]

_PUMP_MS = 50
_LOOK_AFTER_PUMPS = 8
"""ASTAP is looked for once the window is there."""
_REFRESH_S = 0.5
"""Clocks move this often although nothing new was told."""
FRAMES, SETTINGS, RUN, RESULT = 0, 1, 2, 3


def run_window(
    words: Translator,
    environ: Mapping[str, str],
    start: Starter,
    make_demo: DemoMaker,
    problem: Message | None = None,
) -> int:
    """Open the window, which begins with telling a problem, and return the exit code once it is closed.

    Raises
    ------
    tkinter.TclError
        If there is no display.
    """
    if sys.platform == "win32":
        # Without this Windows enlarges the finished picture of the window, which blurs every letter.
        ctypes.windll.shcore.SetProcessDpiAwareness(1)
    root = tk.Tk(className="ZeMosaic")
    session = Session(words, environ, start, make_demo)
    session.problem = session.problem or problem
    MainWindow(root, session)
    root.mainloop()
    return 0


class MainWindow:
    """Everything in the main window."""

    def __init__(self, root: tk.Tk, session: Session) -> None:
        root.withdraw()
        self.root = root
        self.session = session
        self._state_file = window_state_file(session.config_folder)
        self._state = load_window_state(self._state_file)
        self.theme_name = self._state.theme
        self.theme = Theme(root, _look(self.theme_name))
        self._loader = PictureLoader()
        self._loading: PreviewReady | None = None
        self._closing = False
        self._pumping: str | None = None
        self._pumps = 0
        self._refreshed_s = 0.0
        self._make_pages()
        self._make_header()
        self._make_footer()
        self._bind_keys()
        self._place()
        self.retranslate()
        root.protocol("WM_DELETE_WINDOW", self.close)
        root.deiconify()
        self._pump()

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self.session.words
        for page, key in enumerate(("frames", "settings", "run", "result")):
            self.pages.tab(page, text=words.text(f"page.{key}"))
        self.start_button.configure(text=words.text("window.start"))
        self.stop_button.configure(text=words.text("window.stop"))
        self._show_pause()
        looks = [words.text(f"window.look.{name}") for name in THEMES]
        self.look.offer(THEMES, looks, self.theme_name)
        codes = words.languages()
        self.language.offer(tuple(codes), tuple(codes.values()), words.language)
        for view in (self.frames, self.settings, self.run, self.result):
            view.retranslate()
        self._show_status()

    def use_language(self, code: str) -> None:
        """Switch the language of the window, and of the runs it starts."""
        self.session.words.use(code)
        self.session.form = self.session.form.edited("language", code)
        self.retranslate()

    def use_theme(self, name: str) -> None:
        """Switch the look: ``system``, ``light`` or ``dark``."""
        self.theme_name = name
        self.look.choose(name)
        self.theme.use(_look(name))

    def start(self) -> None:
        """Start a run with the settings of the form."""
        if self.session.running or self.session.making_demo:
            return
        if self.session.earlier_result() is not None and not self._may_overwrite():
            return
        self.session.problem = None
        try:
            self.session.start()
        except SettingsError as fault:
            self.session.problem = fault.message
            self.pages.select(SETTINGS)
            self.settings.reveal_problem()
        except ZeMosaicError as fault:
            self.session.problem = fault.message
            self.pages.select(SETTINGS)
        else:
            self._loading = None
            self._loader.forget()
            self.run.show_picture(None)
            self.result.show_picture(None)
            self.result.update_state()
            self.pages.select(RUN)
        self._refresh()

    def stop(self) -> None:
        """Ask the run to stop."""
        self.session.stop()
        self._refresh()

    def pause(self) -> None:
        """Let the run hold, or go on."""
        self.session.pause()
        self._refresh()

    def demo(self) -> None:
        """Ask for a folder and make the demo there."""
        words = self.session.words
        chosen = filedialog.askdirectory(
            parent=self.root, title=words.text("window.demo_where"), initialdir=Path.home()
        )
        if chosen:
            self.session.start_demo(Path(chosen) / "zemosaic_demo")
            self._refresh()

    def greet(self) -> None:
        """Show what the program found, and the demo, as at the first start."""
        self.pages.select(SETTINGS)
        self.settings.greet()

    def close(self) -> None:
        """Close the window; during a run ask first, then stop it cleanly."""
        if self._closing:
            return
        if self.session.running:
            words = self.session.words
            answers = (words.text("window.close_stop"), words.text("window.close_stay"))
            question = words.text("window.close_text")
            if ask(self.root, self.theme, words.text("window.close_title"), question, answers) != 0:
                return
            self.session.stop()
        self._closing = True
        if not self.session.running:
            self._destroy()

    def _make_pages(self) -> None:
        self.pages = ttk.Notebook(self.root)
        self.pages.enable_traversal()
        self.frames = FramesView(self.pages, self.session, self.theme, self._show_status)
        self.settings = SettingsView(
            self.pages, self.session, self.theme, self._state.tier, self.demo, self._state.welcomed
        )
        self.run = RunView(self.pages, self.session, self.theme, self._state.log_level)
        self.result = ResultView(self.pages, self.session, self.theme)
        for view in (self.frames, self.settings, self.run, self.result):
            self.pages.add(view)
        self.pages.select(VIEWS.index(self._state.view))
        self.frames.restore(self._state)
        self.pages.bind("<<NotebookTabChanged>>", lambda _: self._page_changed())

    def _make_header(self) -> None:
        px = self.theme.px
        ttk.Label(self.root, text="ZeMosaic", style="Title.TLabel").place(x=px(22), y=px(29), anchor="w")
        right = ttk.Frame(self.root)
        right.place(relx=1.0, x=-px(20), y=px(9), anchor="ne")
        self.help_button = ttk.Button(right, text="?", style="Sign.TButton", width=2, command=self.greet)
        self.help_button.pack(side="right", padx=(px(8), 0))
        Tooltip(self.help_button, self.theme, lambda: self.session.words.text("welcome.again"))
        self.language = Choice(right, self.theme, self.use_language, width=11)
        self.language.pack(side="left", padx=(0, px(8)))
        self.look = Choice(right, self.theme, self.use_theme, width=17)
        self.look.pack(side="left")
        Tooltip(self.language, self.theme, lambda: self.session.words.text("setting.language.label"))

    def _make_footer(self) -> None:
        px = self.theme.px
        footer = ttk.Frame(self.root, padding=(px(20), px(12)))
        footer.pack(side="bottom", fill="x")
        self.start_button = ttk.Button(footer, style="Accent.TButton", command=self.start)
        self.start_button.pack(side="right")
        self.stop_button = ttk.Button(footer, style="Stop.TButton", command=self.stop)
        self.stop_button.pack(side="right", padx=px(8))
        self.pause_button = ttk.Button(footer, command=self.pause)
        self.pause_button.pack(side="right")
        self._status = ttk.Label(footer, justify="left")
        self._status.pack(side="left", fill="x", expand=True)
        wrap_to_width(self._status, px(16))
        self.pages.pack(side="top", fill="both", expand=True)

    def _bind_keys(self) -> None:
        root = self.root
        for key, act in (
            ("<Control-Return>", self.start),
            ("<F5>", self.start),
            ("<Control-period>", self.stop),
            ("<Control-p>", self.pause),
            ("<Control-f>", self._search),
            ("<F1>", self.greet),
            ("<Control-q>", self.close),
        ):
            root.bind(key, lambda _, act=act: act())  # type: ignore[misc]
        for page in (FRAMES, SETTINGS, RUN, RESULT):
            root.bind(f"<Control-Key-{page + 1}>", lambda _, page=page: self.pages.select(page))  # type: ignore[misc]
        root.bind("<Destroy>", self._destroyed)
        root.bind("<MouseWheel>", self._wheel)
        root.bind("<Button-4>", lambda _: self._scroll(-3))
        root.bind("<Button-5>", lambda _: self._scroll(3))

    def _wheel(self, event: tk.Event[tk.Misc]) -> None:
        step = event.delta if sys.platform == "darwin" else event.delta / 120 * 3
        self._scroll(-round(step) or (-1 if step > 0 else 1))

    def _scroll(self, lines: int) -> None:
        if self.pages.index("current") == SETTINGS:
            self.settings.scroll(lines)

    def _page_changed(self) -> None:
        page = self.pages.index("current")
        if page == FRAMES:
            self.session.look_at_frames()
            self.frames.update_state()
        elif page == SETTINGS:
            self.settings.update_values()
            self.settings.show_equipment()

    def _search(self) -> None:
        if self.pages.index("current") == FRAMES:
            self.frames.entry.focus_set()
            return
        self.pages.select(SETTINGS)
        self.settings.focus_search()

    def _place(self) -> None:
        root, px = self.root, self.theme.px
        root.title("ZeMosaic")
        picture = resource_root() / "icon" / "zemosaic.png"
        if picture.is_file():
            self._icon = tk.PhotoImage(master=root, file=str(picture))
            root.iconphoto(True, self._icon)
        width, height = root.winfo_screenwidth(), root.winfo_screenheight()
        root.minsize(min(px(900), width), min(px(560), height))
        root.geometry(self._state.geometry or f"{min(px(1280), width)}x{min(px(760), height - px(60))}")
        if self._state.maximised and sys.platform == "win32":
            root.state("zoomed")
        elif self._state.maximised and sys.platform != "darwin":
            root.attributes("-zoomed", True)

    def _pump(self) -> None:
        """Take in news, show them, and come back; the only timer of the window."""
        self._pumps += 1
        if self._pumps == _LOOK_AFTER_PUMPS:
            self.settings.equipment.look(test=False)
        fresh = self.session.pump()
        demo = self.session.demo_progress()
        if demo is not None:
            self._demo_told(demo.done, demo.total, demo.folder is not None)
        loaded = self._loader.take()
        if loaded is not None:
            self.run.show_picture(loaded)
            if self.session.state.result is not None:
                self.result.show_picture(loaded)
        self.result.pump()
        now = self.session.clock()
        due = now - self._refreshed_s > _REFRESH_S
        if (self.session.frames.pump() or due) and self.pages.index("current") == FRAMES:
            self.session.look_at_frames()
            self.frames.update_state()
        if due and self.pages.index("current") == SETTINGS:
            self.settings.show_equipment()
        if fresh or due:
            self._refreshed_s = now if due else self._refreshed_s
            self._refresh()
        if self.session.run_ended():
            self._run_ended()
        if self._closing and not self.session.running:
            self._destroy()
            return
        self._pumping = self.root.after(_PUMP_MS, self._pump)

    def _refresh(self) -> None:
        self.run.update_state()
        preview = self.session.state.preview
        if preview is not None and preview is not self._loading:
            self._loading = preview
            self._loader.load(preview.path)
        self._show_status()

    def _run_ended(self) -> None:
        self.result.update_state()
        result = self.session.state.result
        if result is not None and not self._closing:
            # The picture may have been read before the result was known; now it belongs to both pages.
            self._loader.load(result.preview)
            if self.pages.index("current") == RUN:  # who works on another page is not torn off it
                self.pages.select(RESULT)
            self.root.bell()
        self._refresh()

    def _demo_told(self, done: int, total: int, finished: bool) -> None:
        self._status.configure(text=self.session.words.text("window.demo_progress", done=done, total=total))
        if finished:
            self.settings.update_rows()
            self.start()

    def _show_status(self) -> None:
        session = self.session
        running, state = session.running, session.state
        self.start_button.state(["disabled" if running or session.making_demo else "!disabled"])
        under_way = state.status.under_way and running
        self.stop_button.state(["!disabled" if under_way else "disabled"])
        self.pause_button.state(["!disabled" if under_way else "disabled"])
        self._show_pause()
        if session.making_demo and session.problem is None:
            return
        text, problem = status_text(session)
        self._status.configure(text=text, style="Problem.TLabel" if problem else "Muted.TLabel")

    def _show_pause(self) -> None:
        self.pause_button.configure(
            text=self.session.words.text("window.resume" if self.session.held else "window.pause")
        )

    def _may_overwrite(self) -> bool:
        words, earlier = self.session.words, self.session.earlier_result()
        answers = (words.text("window.replace"), words.text("window.cancel"))
        question = words.text("window.replace_text", path=str(earlier))
        return ask(self.root, self.theme, words.text("window.replace_title"), question, answers) == 0

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self.root and self._pumping is not None:
            self.root.after_cancel(self._pumping)
            self._pumping = None

    def _destroy(self) -> None:
        maximised = _maximised(self.root)
        # `winfo_geometry` tells where the inside is, which would move the window by its title bar at each start.
        geometry = self._state.geometry if maximised else self.root.geometry()
        fresh = WindowState(
            geometry=geometry,
            maximised=maximised,
            theme=self.theme_name,
            tier=self.settings.tier,
            log_level=self.run.log.level,
            view=VIEWS[self.pages.index("current")],
            welcomed=self.settings.welcomed,
            **self.frames.remembered(),
        )
        save_window_state(fresh, self._state_file)
        self.settings.equipment.close()
        self.session.close()
        self.root.destroy()


def _look(theme: str) -> str:
    """Return the look of a theme."""
    return ("dark" if system_is_dark() else "light") if theme == "system" else theme


def _maximised(root: tk.Tk) -> bool:
    if sys.platform == "win32":
        return root.state() == "zoomed"
    return sys.platform != "darwin" and bool(root.attributes("-zoomed"))
