"""What the main window does in either toolkit: runs, pages, what is due, what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zemosaic.errors import Message, SettingsError, ZeMosaicError
from zemosaic.events import PreviewReady
from zemosaic.gui.presenter.desktop.notifications import notify
from zemosaic.gui.presenter.desktop.taskbar import TaskbarProgress
from zemosaic.gui.presenter.desktop.window_actions import WindowActions
from zemosaic.gui.presenter.desktop.window_protocols import Footer, FramesPageView, SettingsPageView, WindowView
from zemosaic.gui.presenter.desktop.window_state import (
    THEMES,
    VIEWS,
    WindowState,
    load_window_state,
    save_window_state,
    window_state_file,
)
from zemosaic.gui.presenter.result.picture_loader import PictureLoader
from zemosaic.gui.presenter.run.run_page import run_face
from zemosaic.gui.presenter.run.run_text import ending_notice, start_key, status_text, window_title
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.run.summary_text import forecast_card
from zemosaic.gui.presenter.settings.form import with_labels
from zemosaic.gui.presenter.unattended.queue_page import QueuePage
from zemosaic.i18n import FALLBACK

__all__ = ["FRAMES", "PUMP_MS", "RESULT", "RUN", "SETTINGS", "WindowPresenter"]

PUMP_MS = 50
"""How often a window calls `WindowPresenter.pump`."""
FRAMES, SETTINGS, RUN, RESULT = range(len(VIEWS))
_REFRESH_S = 0.5
"""Clocks move this often although nothing new was told."""
_LOOK_AFTER_PUMPS = 8
"""ASTAP is looked for once the window is there."""


class WindowPresenter:
    """One main window without its widgets.

    Parameters
    ----------
    session : Session
    toolkit : str
        Part of the name of the file where the window's state is kept.
    loader : PictureLoader
        Reads previews for the pages.
    """

    def __init__(self, session: Session, toolkit: str, loader: PictureLoader[Any]) -> None:
        self.session = session
        self.loader = loader
        self.closing = False
        self._state_file = window_state_file(session.config_folder, toolkit)
        self.opened_with = load_window_state(self._state_file)
        """How the window was left the last time."""
        self.theme_name = self.opened_with.theme
        self._view: WindowView | None = None
        self._loading: PreviewReady | None = None
        self._refreshed_s = 0.0
        self._pumps = 0
        self.queue = QueuePage(session, self._show_started, self._refused)
        self.actions = WindowActions(self)
        self._taskbar = TaskbarProgress(lambda: self.view.handle)
        self._agreed_folder = ""
        """Output folder of runs that the user let replace what lies there, until one of them ends with a mosaic."""

    @property
    def view(self) -> WindowView:
        """The window."""
        assert self._view is not None, "the window shows itself before it is attached"
        return self._view

    def attach(self, view: WindowView) -> None:
        """Take the window, whose pages are made, and put its texts in place."""
        self._view = view
        self.session.visit = self.show_setting
        view.show_theme(self.theme_name)
        self._use_readable_language()
        self.retranslate()
        view.frames.commands.restore(self.opened_with)
        view.show_page(VIEWS.index(self.opened_with.view))

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        view = self.view
        view.show_texts()
        view.frames.retranslate()
        view.settings.retranslate()
        view.run.retranslate()
        view.result.retranslate()
        self.show_status()

    def look_names(self) -> list[str]:
        """Return the words of `THEMES`."""
        return [self.session.words.text(f"window.look.{name}") for name in THEMES]

    def use_language(self, code: str) -> None:
        """Switch the language of the window, and of the runs it starts."""
        self.session.words.use(code)
        self.session.edit("language", code)
        self._use_readable_language()
        self.retranslate()

    def _use_readable_language(self) -> None:
        """Take English, and say why, where no font has the letters of the language."""
        words = self.session.words
        if not self.view.can_write(words.text("locale.name")):
            self.session.problem = Message("note.no_font", {"language": words.language})
            words.use(FALLBACK)

    def use_theme(self, name: str) -> None:
        """Switch the look: ``system``, ``light`` or ``dark``."""
        self.theme_name = name
        self.view.show_theme(name)

    def start(self) -> None:
        """Start a run with the settings of the form; where the folder is watched, let that make the mosaic."""
        if self.session.watching:
            self.session.finish_watch()
            self.refresh()
        else:
            self._start(self.session.start)

    def watch(self) -> None:
        """Run over the input folder while it grows."""
        self._start(self.session.watch)

    def _start(self, begin: Callable[[], None]) -> None:
        session = self.session
        if session.running or session.demo.under_way:
            return
        session.problem = None
        try:
            session.check()
            if self._agreed_folder != session.check().output_dir and not self._may_overwrite():
                return
            begin()
        except SettingsError as fault:
            self._refused(fault)
            self.view.settings.page.reveal_problem()
        except ZeMosaicError as fault:
            self._refused(fault)
        else:
            self._show_started()
        self.refresh()

    def stop(self) -> None:
        """Ask the run, or the making of the demo, to stop."""
        self.session.demo.cancel()
        self.session.stop()
        self.refresh()

    def pause(self) -> None:
        """Let the run hold, or go on."""
        self.session.pause()
        self.refresh()

    def demo(self) -> None:
        """Ask for a folder and make the demo there."""
        session = self.session
        if session.running or session.demo.under_way:
            return
        folder = self.view.ask_folder(session.words.text("window.demo_where"))
        if folder:
            session.problem = None
            session.demo.start(Path(folder) / "zemosaic_demo")
            self.refresh()

    def show_folders(self) -> None:
        """Show the folders of the form, which have changed otherwise than by typing."""
        self.view.settings.page.update_rows()
        if self.view.page == FRAMES:
            self.view.frames.commands.update()
        self.show_status()

    def show_setting(self, key: str) -> None:
        """Show the row of a setting, whatever is filtered."""
        self.view.show_page(SETTINGS)
        self.view.settings.page.reveal(key)

    def greet(self) -> None:
        """Show what the program found, and the demo, as at the first start."""
        self.view.show_page(SETTINGS)
        self.view.settings.page.greet()

    def search(self) -> None:
        """Put the cursor into the search field of the page, or into that of the settings."""
        page: FramesPageView | SettingsPageView = self.view.frames
        if self.view.page != FRAMES:
            self.view.show_page(SETTINGS)
            page = self.view.settings
        page.focus_search()

    def close(self) -> bool:
        """Close the window; during a run ask first, then stop it cleanly.  Return whether it is closed already."""
        session, words = self.session, self.session.words
        if session.running and not self.closing:
            answers = (words.text("window.close_stop"), words.text("window.close_stay"))
            if not self.view.ask(words.text("window.close_title"), words.text("window.close_text"), answers):
                return False
            session.stop()
        self.closing = True
        if session.running:
            return False  # the pump closes the window once the run has ended
        self._remember()
        self._taskbar.show(0)
        self.view.shut()
        session.close()
        session.visit = lambda key: None
        self._view = None  # window and presenter hold each other no longer
        return True

    def page_changed(self) -> None:
        """Show what may have changed on the page that is shown now."""
        page = self.view.page
        if page == FRAMES:
            self.session.look_at_frames()
            self.view.frames.commands.update()
        elif page == SETTINGS:
            self.view.settings.page.update_values()
            self.view.settings.page.show_equipment()

    def pump(self) -> None:
        """Take in all news and show them; the window calls it every `PUMP_MS`, until it is closed."""
        session, view = self.session, self.view
        now = session.clock()
        self._pumps += 1
        if self._pumps == _LOOK_AFTER_PUMPS:
            view.settings.page.look_for_equipment()
        has_news = session.pump()
        has_scanned = session.frames.pump()
        self._pump_demo()
        self._pump_pictures()
        self.actions.pump()
        is_due = now - self._refreshed_s > _REFRESH_S
        if is_due:
            self._refreshed_s = now
        if has_news or is_due:
            self.refresh()
        if is_due and session.look_ahead():
            view.settings.page.update_values()
        if (has_scanned or is_due) and view.page == FRAMES:
            session.look_at_frames()
            view.frames.commands.update()
        elif has_scanned:
            self.show_status()
        if is_due and view.page == SETTINGS:
            view.settings.page.show_equipment()
        if session.run_ended():
            self._show_ended()
        if self.closing and not session.running:
            view.close()

    def refresh(self) -> None:
        """Show the run as it is now."""
        self.view.run.update_state()
        preview = self.session.state.preview
        if preview is not None and preview is not self._loading:
            self._loading = preview
            self.loader.load(preview.path)
        self.show_status()

    def show_status(self) -> None:
        """Show the foot of the window."""
        footer = self.footer()
        self.view.show_footer(footer)
        self._taskbar.show(footer.percent)

    def footer(self) -> Footer:
        """Return what the foot of the window shows."""
        session = self.session
        text, is_problem = status_text(session)
        if self.actions.doctor.busy and not is_problem:
            text = session.words.text("settings.testing")
        under_way = session.running and session.state.status.under_way
        outlook = None if session.running or session.demo.under_way else session.forecast
        if outlook is not None and not outlook.frames and outlook.problem is None:
            outlook = None  # nothing can be made of no frames: why is told elsewhere
        resumes = outlook is not None and outlook.resumes and outlook.problem is None
        fraction = run_face(session).fraction if under_way and not session.watching else 0.0
        return Footer(
            forecast="" if outlook is None else with_labels(forecast_card(outlook, session.words), session.words),
            is_refused=outlook is not None and outlook.problem is not None,
            text=text,
            is_problem=is_problem,
            can_start=session.watching or (not session.running and not session.demo.under_way),
            can_stop=under_way or session.demo.under_way,
            can_pause=under_way,
            pause=session.words.text("window.resume" if session.held else "window.pause"),
            start=session.words.text(start_key(session.watching, resumes)),
            title=window_title(session, fraction),
            percent=round(100 * fraction),
        )

    def _refused(self, fault: ZeMosaicError) -> None:
        self.session.problem = fault.message
        self.view.show_page(SETTINGS)

    def _show_started(self) -> None:
        view = self.view
        self.actions.recent.add(*self.session.run_folders)
        self._loading = None
        self.loader.forget()
        view.run.show_picture(None)
        view.result.show_picture(None)
        view.result.page.update_state()
        view.settings.page.update_rows()
        if not self.queue.is_running or view.page == RESULT:  # who looks at frames meanwhile is not torn off them
            view.show_page(RUN)
        self.queue.show()
        self.refresh()

    def _show_ended(self) -> None:
        view, result = self.view, self.session.state.result
        view.result.page.update_state()
        if result is not None:
            self._agreed_folder = ""
        if result is not None and not self.closing:
            # The picture may have been read before the result was known; now it belongs to both pages.
            self.loader.load(result.preview)
            if view.page == RUN:  # who works on another page is not torn off it
                view.show_page(RESULT)
            view.alert()
        if not self.closing:
            notify(*ending_notice(self.session))
            self.queue.run_ended(self.session.state)
        self.refresh()

    def _pump_demo(self) -> None:
        news = self.session.demo.pump()
        if news is None:
            return
        self.session.demo_news = news
        if news.error is not None:
            self.session.problem = news.error
        elif news.folder is not None:
            self.session.use_demo(news.folder)
            self.view.settings.page.update_values()
            self.start()
        self.show_status()

    def _pump_pictures(self) -> None:
        loaded = self.loader.take()
        if loaded is not None:
            self.view.run.show_picture(loaded)
            if self.session.state.result is not None:
                self.view.result.show_picture(loaded)
        self.view.result.page.pump()

    def _may_overwrite(self) -> bool:
        """Ask, once for each mosaic, whether a new run may replace it; what was stopped goes on unasked."""
        words, earlier = self.session.words, self.session.earlier_result()
        if earlier is not None:
            answers = (words.text("window.replace"), words.text("window.cancel"))
            question = words.text("window.replace_text", path=str(earlier))
            if not self.view.ask(words.text("window.replace_title"), question, answers):
                return False
        self._agreed_folder = self.session.check().output_dir
        return True

    def _remember(self) -> None:
        view = self.view
        geometry, maximised = view.place()
        fresh = WindowState(
            geometry=self.opened_with.geometry if maximised else geometry,
            maximised=maximised,
            theme=self.theme_name,
            tier=view.settings.page.tier,
            log_level=view.run.log_level,
            view=VIEWS[view.page],
            welcomed=view.settings.page.welcomed,
            **view.frames.commands.remembered(),
        )
        save_window_state(fresh, self._state_file)
