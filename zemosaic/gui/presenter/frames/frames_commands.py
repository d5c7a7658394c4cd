"""What the widgets of the Frames page do in either toolkit: buttons, questions, choices, what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from zemosaic.gui.presenter.desktop.window_state import WindowState
from zemosaic.gui.presenter.frames.frame_table import SHOWN
from zemosaic.gui.presenter.frames.frames_page import FramesPage
from zemosaic.gui.presenter.frames.histograms import SHOWN_METRICS
from zemosaic.gui.presenter.frames.map_picture import COLOURINGS
from zemosaic.gui.presenter.metric_plot.metric_plot import PLOT_AXES, axis_text
from zemosaic.gui.presenter.run.input_folder import folder_to_begin_in
from zemosaic.i18n import Translator

__all__ = ["NAMED", "SIGNS", "FramesCommands", "widget_name"]

NAMED = ("map", "plot", "table", "search", "low", "high")
"""Widgets without words of their own; screen readers tell them by those of `widget_name`."""

SIGNS = {"undo": "↶", "redo": "↷"}
"""Buttons that show a sign instead of words."""


def widget_name(widget: str, words: Translator) -> str:
    """Return what a screen reader calls one of `NAMED`.

    Parameters
    ----------
    widget : str
        One of `NAMED`.
    words : Translator
    """
    shared = {"plot": "frames.plot", "search": "frames.search"}
    return words.text(shared.get(widget, f"frames.name.{widget}"))


class ChoiceWidget(Protocol):
    """A choice between values that are shown in words."""

    @property
    def value(self) -> str:
        """The chosen value."""

    def offer(self, values: Sequence[str], texts: Sequence[str], value: str) -> None:
        """Set what can be chosen, its words, and the choice.

        Parameters
        ----------
        values, texts : sequence of str
            Of one length.
        value : str
        """

    def choose(self, value: str) -> None:
        """Show a value as chosen."""


class TableWidget(Protocol):
    """The table of frames."""

    def refresh(self) -> None:
        """Show the rows as they are now."""

    def reveal_selected(self) -> None:
        """Scroll to what is selected."""

    def widths(self) -> dict[str, int]:
        """Return the widths of the columns, in pixels."""

    def use_widths(self, widths: Mapping[str, int]) -> None:
        """Take the widths of columns."""

    def shown_columns(self) -> list[str]:
        """Return the columns that are shown, in their order."""

    def show_columns(self, columns: Sequence[str]) -> None:
        """Show some columns; all where none are named."""

    def show_sorting(self, column: str, downward: bool) -> None:
        """Show by which column the rows are sorted.

        Parameters
        ----------
        column : str
            One of `COLUMNS`.
        downward : bool
            Whether the largest values stand first.
        """


class FramesWidgets(Protocol):
    """The widgets of the page."""

    @property
    def table(self) -> TableWidget:
        """The table."""

    @property
    def colour(self) -> ChoiceWidget:
        """What the colours of the map mean."""

    @property
    def kinds(self) -> ChoiceWidget:
        """Which frames are shown."""

    @property
    def limited(self) -> ChoiceWidget:
        """The metric whose limits are typed."""

    @property
    def plot_x(self) -> ChoiceWidget:
        """What the axis of the plot to the right is."""

    @property
    def plot_y(self) -> ChoiceWidget:
        """What the axis of the plot upwards is."""

    def show_plot(self, is_shown: bool) -> None:
        """Show the plot where the map stands, or the map."""

    @property
    def search_text(self) -> str:
        """What is searched for."""

    @property
    def typed_limits(self) -> tuple[str, str]:
        """The limits as typed."""

    @property
    def map_share(self) -> float:
        """Part of the width that the map takes."""

    def share_width(self, map_share: float) -> None:
        """Give the map a part of the width."""

    def show_button(self, key: str, is_enabled: bool, is_visible: bool) -> None:
        """Show a button as it is now.

        Parameters
        ----------
        key : str
            One of `BUTTONS`.
        is_enabled, is_visible : bool
            Whether it can be pressed, and whether it is there at all.
        """

    def show_region_marking(self, is_marking: bool) -> None:
        """Show whether the next drag on the map marks the part of the sky that is made."""

    def show_texts(self, summary: str, selected: str, given: str) -> None:
        """Show what the folder holds and how much is selected; all of the former in a tooltip.

        Parameters
        ----------
        summary, selected : str
            How much the folder holds and how much is selected, in a line each.
        given : str
            What the folder holds in several lines, for the tooltip.
        """

    def show_limits(self, low: str, high: str, spread: str) -> None:
        """Show the limits of the metric and how its values spread.

        Parameters
        ----------
        low, high : str
            As they are typed.
        spread : str
        """

    def redraw(self) -> None:
        """Draw the map or the plot, and the histograms anew."""

    def show_large(self) -> None:
        """Open the window of the frame that the viewer looks at, or put it before the others."""

    def ask_folder(self, title: str, begin: str) -> str:
        """Ask for a folder; return an empty text where none was chosen.

        Parameters
        ----------
        title, begin : str
            `begin` is the folder to begin in.
        """

    def ask_table(self, title: str, is_new: bool) -> str:
        """Ask for a CSV file, to be written where it is new; return an empty text where none was chosen.

        Parameters
        ----------
        title : str
        is_new : bool
            Whether the file is to be written; otherwise only one that exists can be chosen.
        """

    def ask_name(self, title: str, question: str, offered: Sequence[str], begin: str, accept: str) -> str | None:
        """Ask for a name, which may be one of those offered; return None where none was wanted.

        Parameters
        ----------
        title, question : str
        offered : sequence of str
        begin : str
            What stands there at first.
        accept : str
            Words of the button that takes the name.
        """


class FramesCommands:
    """Leads the widgets of the page.

    Parameters
    ----------
    page : FramesPage
    widgets : FramesWidgets
    acted : callable
        Called when a button did something that the rest of the window may show.
    """

    def __init__(self, page: FramesPage, widgets: FramesWidgets, acted: Callable[[], None]) -> None:
        self.page = page
        self._words = page.session.words
        self._widgets = widgets
        self._acted = acted

    def offer_choices(self) -> None:
        """Put the choices in the language of the moment, and show everything anew."""
        widgets, text = self._widgets, self._words.text
        colour, kind = widgets.colour.value or "night", widgets.kinds.value or "all"
        widgets.colour.offer(COLOURINGS, [text(f"frames.colour.{name}") for name in COLOURINGS], colour)
        widgets.kinds.offer(SHOWN, [text(f"frames.show.{name}") for name in SHOWN], kind)
        metrics = [text(f"frames.column.{name}") for name in SHOWN_METRICS]
        widgets.limited.offer(SHOWN_METRICS, metrics, self.page.metric)
        axes, plot = [axis_text(axis, self._words) for axis in PLOT_AXES], self.page.plot
        for choice, axis in ((widgets.plot_x, plot.x), (widgets.plot_y, plot.y)):
            choice.offer(PLOT_AXES, axes, axis)
        self.page.forget_shown()
        self.update()

    def restore(self, state: WindowState) -> None:
        """Take columns, sorting, colouring and the widths as they were left."""
        widgets = self._widgets
        widgets.table.use_widths(state.columns)
        widgets.table.show_columns(state.shown_columns)
        self.page.sorting = (state.sort_column, state.sort_downward)
        widgets.table.show_sorting(*self.page.sorting)
        widgets.colour.choose(state.colouring)
        self.colour_by(state.colouring)
        widgets.share_width(state.map_share)
        self.page.plot.use_axes(state.plot_x, state.plot_y)
        widgets.plot_x.choose(self.page.plot.x)
        widgets.plot_y.choose(self.page.plot.y)
        if state.plot_shown:
            self._toggle_plot()

    def remembered(self) -> dict[str, Any]:
        """Return what `restore` takes, by the names of `WindowState`."""
        widgets = self._widgets
        return {
            "columns": widgets.table.widths(),
            "shown_columns": widgets.table.shown_columns(),
            "sort_column": self.page.sorting[0],
            "sort_downward": self.page.sorting[1],
            "colouring": widgets.colour.value,
            "map_share": widgets.map_share,
            "plot_shown": self.page.is_plot_shown,
            "plot_x": self.page.plot.x,
            "plot_y": self.page.plot.y,
        }

    def update(self) -> None:
        """Show the frames as they are now, where anything changed."""
        page, widgets = self.page, self._widgets
        desk = page.session.frames
        widgets.show_texts(desk.summary(self._words), page.selected_text(), desk.given_text(self._words))
        if page.thumbnails.pump():
            widgets.redraw()
        if not page.changed():
            return
        for key in page.buttons:
            widgets.show_button(key, page.enabled(key), page.visible(key))
        widgets.table.refresh()
        widgets.redraw()
        self.show_limits()

    def press(self, key: str) -> None:
        """Do what a button does."""
        asking: dict[str, Callable[[], None]] = {
            "choose": self._choose,
            "export": self._export,
            "import": self._import,
            "region": self._mark_region,
            "group": self._ask_group,
            "large": self._look_large,
            "plot": self._toggle_plot,
        }
        if key in asking:
            asking[key]()
        else:
            self.page.act(key)
        self._widgets.redraw()
        self.update()
        self._acted()

    def open_folder(self, folder: str) -> None:
        """Look at the frames of a folder."""
        self.page.open_folder(folder)
        self.update()

    def pick(self) -> None:
        """Show what was selected on the map."""
        self._widgets.table.reveal_selected()
        self.update()

    def use_metric(self, metric: str) -> None:
        """Take the metric whose limits are typed."""
        self.page.use_metric(metric)
        self._widgets.limited.choose(metric)
        self._widgets.redraw()
        self.show_limits()

    def show_limits(self) -> None:
        """Show the limits of the metric."""
        page = self.page
        self._widgets.show_limits(*page.histograms[page.metric].typed(self._words), page.range_text())

    def take_limits(self) -> None:
        """Take the limits that were typed."""
        self.page.histograms[self.page.metric].type_limits(*self._widgets.typed_limits)
        self.update()
        self.show_limits()

    def filter(self) -> None:
        """Show the frames that are searched for."""
        self.page.filter(self._widgets.search_text, self._widgets.kinds.value)
        self.update()

    def colour_by(self, colouring: str) -> None:
        """Let the colours of the map mean something else."""
        self.page.map.colour_by(colouring)
        self._widgets.redraw()

    def use_axes(self) -> None:
        """Take the axes of the plot that were chosen."""
        self.page.plot.use_axes(self._widgets.plot_x.value, self._widgets.plot_y.value)
        self._widgets.redraw()

    def take_region(self, text: str | None) -> None:
        """Take the part of the sky that was marked on the map."""
        self._widgets.show_region_marking(False)
        self.page.mark_region(text)

    def _toggle_plot(self) -> None:
        self.page.is_plot_shown = not self.page.is_plot_shown
        self.page.map.marking_region = False
        self._widgets.show_region_marking(False)
        self._widgets.show_plot(self.page.is_plot_shown)
        self.page.forget_shown()

    def _look_large(self) -> None:
        if self.page.viewer.open():
            self._widgets.show_large()

    def _mark_region(self) -> None:
        self.page.map.marking_region = not self.page.map.marking_region
        self._widgets.show_region_marking(self.page.map.marking_region)

    def _choose(self) -> None:
        begin = folder_to_begin_in(str(self.page.session.form.row("input_dir").value))
        folder = self._widgets.ask_folder(self._words.text("setting.input_dir.label"), begin)
        if folder:
            self.open_folder(folder)

    def _ask_group(self) -> None:
        page, text = self.page, self._words.text
        asked = text("frames.group.title"), page.group_question(), page.group_names, page.selected_group
        name = self._widgets.ask_name(*asked, text("frames.group.accept"))
        if name is not None:
            page.put_together(name)

    def _export(self) -> None:
        path = self._widgets.ask_table(self._words.text("frames.export"), True)
        if path:
            self.page.export(Path(path))

    def _import(self) -> None:
        path = self._widgets.ask_table(self._words.text("frames.import"), False)
        if path:
            self.page.import_csv(Path(path))
