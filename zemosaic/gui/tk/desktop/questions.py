"""Questions that the user answers in a window of their own."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from zemosaic.gui.tk.theme import Theme

__all__ = ["ask", "ask_name"]


def ask(
    parent: tk.Misc,
    theme: Theme,
    title: str,
    text: str,
    answers: Sequence[str],
    field: Callable[[tk.Misc], ttk.Widget] | None = None,
    default: int = 0,
) -> int | None:
    """Ask a question in a window of its own.

    Parameters
    ----------
    parent : tkinter widget
    theme : Theme
    title, text : str
    answers : sequence of str
        Words of the buttons.
    field : callable, optional
        Makes what is typed into, below the text.
    default : int
        Index of the answer that Return gives: never one that harms.

    Returns
    -------
    int or None
        Index of the answer; None where the window was closed or Escape pressed.
    """
    window = tk.Toplevel(parent, background=theme.palette.background)
    window.title(title)
    window.transient(parent.winfo_toplevel())
    window.resizable(False, False)
    answer: list[int] = []

    def chosen(index: int) -> None:
        answer.append(index)
        window.destroy()

    inner = ttk.Frame(window, padding=theme.px(22))
    inner.pack(fill="both", expand=True)
    ttk.Label(inner, text=title, style="Heading.TLabel").pack(anchor="w")
    ttk.Label(inner, text=text, wraplength=theme.px(420), justify="left").pack(anchor="w", pady=theme.px(12))
    typed = field(inner) if field is not None else None
    if typed is not None:
        typed.pack(fill="x")
    row = ttk.Frame(inner)
    row.pack(anchor="e", pady=(theme.px(8), 0))
    buttons = []
    for index, words in enumerate(answers):
        style = "Accent.TButton" if index == default else "TButton"
        button = ttk.Button(row, text=words, style=style, command=lambda index=index: chosen(index))  # type: ignore[misc]
        button.pack(side="right", padx=(theme.px(8), 0))
        buttons.append(button)
    window.bind("<Escape>", lambda _: window.destroy())
    window.bind(
        "<Return>", lambda _: chosen(next((i for i, b in enumerate(buttons) if b is window.focus_get()), default))
    )
    _centre(window, parent.winfo_toplevel())
    window.wait_visibility()
    window.grab_set()
    (typed or buttons[default]).focus_set()
    parent.wait_window(window)
    return answer[0] if answer else None


def ask_name(
    parent: tk.Misc, theme: Theme, asked: tuple[str, str], offered: Sequence[str], begin: str, answers: Sequence[str]
) -> str | None:
    """Ask for a name in a window of its own.

    Parameters
    ----------
    parent : tkinter widget
    theme : Theme
    asked : (title, text)
    offered : sequence of str
        Names to choose from; another may be typed.
    begin : str
        What stands there at first.
    answers : sequence of str
        Words of the buttons: what takes the name, what does not.

    Returns
    -------
    str or None
        The name; None where none was wanted.
    """
    name = tk.StringVar(parent, begin)

    def field(inner: tk.Misc) -> ttk.Widget:
        box = ttk.Combobox(inner, textvariable=name, values=list(offered))
        # What stands there is typed over.
        box.select_range(0, "end")
        box.icursor("end")
        return box

    return name.get() if ask(parent, theme, *asked, answers, field) == 0 else None


def _centre(window: tk.Toplevel, over: tk.Misc) -> None:
    window.update_idletasks()
    x = over.winfo_rootx() + (over.winfo_width() - window.winfo_reqwidth()) // 2
    y = over.winfo_rooty() + (over.winfo_height() - window.winfo_reqheight()) // 3
    window.geometry(f"+{max(x, 0)}+{max(y, 0)}")
