"""Names of settings in texts that lead to the rows of these settings."""

from __future__ import annotations

import tkinter as tk
from functools import partial
from tkinter import ttk

from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.setting_links import setting_links

__all__ = ["insert_linked", "link_label"]


def insert_linked(widget: tk.Text, text: str, session: Session, *tags: str) -> None:
    """Write a text at the end of a widget, with the names of settings underlined.

    Parameters
    ----------
    widget : tkinter.Text
    text : str
    session : Session
        Its `visit` is called with the key of the setting that is clicked.
    *tags : str
        Of the whole text.
    """
    done = 0
    for link in setting_links(text, session.words):
        tag = f"setting {link.key}"
        widget.insert("end", text[done : link.start], tags)
        widget.insert("end", text[link.start : link.end], (*tags, tag))
        widget.tag_configure(tag, underline=True)
        widget.tag_bind(tag, "<Button-1>", partial(_visit, session, link.key))
        for event, cursor in (("<Enter>", "hand2"), ("<Leave>", "")):
            widget.tag_bind(tag, event, lambda _, cursor=cursor: _point(widget, cursor))  # type: ignore[misc]
        done = link.end
    widget.insert("end", text[done:], tags)


def link_label(label: ttk.Label, session: Session) -> None:
    """Let a click on a label lead to the first setting that it names; the pointer tells where it names one.

    Parameters
    ----------
    label : ttk.Label
        Its text may change at any time.
    session : Session
        Its `visit` is called with the key of the setting.
    """

    def keys() -> list[str]:
        return [link.key for link in setting_links(str(label.cget("text")), session.words)]

    label.bind("<Enter>", lambda _: label.configure(cursor="hand2" if keys() else ""), add=True)
    label.bind("<Button-1>", lambda _: [session.visit(key) for key in keys()[:1]], add=True)


def _visit(session: Session, key: str, _event: tk.Event[tk.Misc]) -> None:
    session.visit(key)


def _point(widget: tk.Text, cursor: str) -> None:
    widget.configure(cursor=cursor)
