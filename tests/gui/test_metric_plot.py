"""The plot of metrics against time and each other, without a toolkit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.frames_view import frames, table_of, worst_ms
from zemosaic.errors import message
from zemosaic.events import FrameDropped
from zemosaic.gui.presenter.frames.frame_table import FrameTable
from zemosaic.gui.presenter.frames.frames_presenter import FramesPresenter
from zemosaic.gui.presenter.frames.map_picture import INKS, SKY
from zemosaic.gui.presenter.frames.sky_map import SkyMap
from zemosaic.gui.presenter.metric_plot.metric_plot import MetricPlot
from zemosaic.gui.presenter.metric_plot.plot_axes import metric_axis, time_axis
from zemosaic.i18n import Translator

WORDS = Translator("en")
NIGHT_S = 86_400.0


def dated(count, filters=("L",)):
    """Return a table of frames of one night, a minute apart, whose FWHM rises from 2 to 4."""
    made = [
        replace(frame, date_obs=f"2026-01-03T21:{i:02d}:00", filter_name=filters[i % len(filters)])
        for i, frame in enumerate(frames(count))
    ]
    table = FrameTable(made)
    table.take_numbers({"fwhm": np.linspace(2.0, 4.0, count), "stars": np.linspace(900.0, 100.0, count)})
    return table


@pytest.fixture
def plot():
    """A function that makes the plot of a table."""

    def make(table, x="time", y="fwhm"):
        desk = FramesPresenter()
        desk.table = table
        made = MetricPlot(desk, SkyMap(desk))
        made.use_axes(x, y)
        made.resize(500, 400)
        return made

    return make


def test_points_rise_with_the_metric_and_go_right_with_time(plot):
    made = plot(dated(10))
    points = made.points()
    assert (np.diff(points[:, 0]) > 0).all()
    assert (np.diff(points[:, 1]) < 0).all()
    u0, v0, u1, v1 = made.area
    assert points[0, 0] == pytest.approx(u0)
    assert points[-1, 0] == pytest.approx(u1)
    assert v0 < points[-1, 1] < points[0, 1] < v1
    below, left = made.ticks(WORDS)
    assert [tick.text for tick in below][:2] == ["21:00", "21:05"]
    assert below[1].at == pytest.approx(points[5, 0]), "the tick stands where its frame lies"
    assert "3.0" in [tick.text for tick in left]


def test_nights_follow_each_other_without_the_days_between():
    seconds = np.concatenate([night * NIGHT_S + np.linspace(0.0, 7200.0, 9) for night in (0, 1, 40)])
    axis = time_axis(np.r_[seconds, np.nan])
    places = axis.places[:-1].reshape(3, 9)
    assert np.isnan(axis.places[-1])
    assert np.diff(places, axis=1) == pytest.approx(places[0, 1]), "an hour is as long in every night"
    gaps = places[1:, 0] - places[:-1, -1]
    assert gaps == pytest.approx(gaps[0])
    assert 0 < gaps[0] < 0.1
    assert [text for _, text in axis.ticks] == ["1970-01-01", "1970-01-02", "1970-02-10"]
    assert time_axis(np.array([np.nan])) is None


def test_ticks_of_a_metric_are_round_numbers_inside():
    axis = metric_axis(np.linspace(0.132, 0.871, 200))
    values = [value for _, value in axis.ticks]
    assert values == pytest.approx(np.arange(len(values)) * 0.2 + values[0])
    assert all(0 <= place <= 1 for place, _ in axis.ticks)
    assert axis.told(Translator("fr"))[0][1] == "0,2"
    assert metric_axis(np.full(3, np.nan)) is None
    assert np.isfinite(metric_axis(np.full(3, 7.0)).places).all(), "equal values have an axis too"


def test_what_a_line_goes_round_is_selected_and_can_be_excluded_and_undone(plot):
    table = dated(20)
    made = plot(table)
    points = made.points()
    (u0, v0), (u1, v1) = points[5] - (4, -4), points[9] + (4, -4)
    made.press(u0, v0)
    for corner in ((u1, v0), (u1, v1), (u0, v1)):
        made.drag(*corner)
    made.release(u0, v0, False)
    assert np.flatnonzero(table.selected).tolist() == [5, 6, 7, 8, 9]
    table.set_keep(np.flatnonzero(table.selected), False)
    assert len(table.left_out) == 5
    table.undo()
    assert not len(table.left_out)
    made.press(*points[15])
    made.release(*(points[15] + 1), True)
    assert table.selected.sum() == 6, "with Control it is added"
    made.press(*points[12])
    made.release(*points[12], False)
    assert np.flatnonzero(table.selected).tolist() == [12]
    made.press(250.0, 30.0)
    made.release(250.0, 30.0, False)
    assert not table.selected.any(), "a click beside all points selects none"


def test_a_line_with_a_dent_leaves_out_what_lies_in_the_dent(plot):
    table = dated(9)
    made = plot(table, "stars", "fwhm")
    left, middle, right = made.points()[[8, 4, 0]]
    made.press(left[0] - 9, left[1] - 9)
    for corner in ((middle[0], middle[1] + 12), (right[0] + 9, right[1] - 40), (right[0] + 9, 399), (left[0] - 9, 399)):
        made.drag(*corner)
    made.release(left[0] - 9, left[1] - 9, False)
    assert not table.selected[4]
    assert table.selected[[0, 8]].all()


def test_arrows_go_from_point_to_point(plot):
    table = dated(5)
    made = plot(table, "stars", "fwhm")
    for expected in (4, 3, 2):
        made.step(1)
        assert np.flatnonzero(table.selected).tolist() == [expected], "to the right there are more stars"
    made.step(-1)
    assert np.flatnonzero(table.selected).tolist() == [3]
    made.step(10**9)
    assert np.flatnonzero(table.selected).tolist() == [0]


def test_colours_are_those_of_the_map_and_shapes_tell_what_is_excluded(plot):
    table = dated(6, ("Ha", "OIII"))
    made = plot(table)
    made._sky.colour_by("filter")
    at = np.rint(made.points()).astype(int)
    picture = made.picture()
    assert [tuple(picture[v, u]) for u, v in at[:2]] == [INKS[0], INKS[1]]
    assert {line.text for line in made.legend(WORDS)} == {"Ha · 3", "OIII · 3"}
    u, v = at[2]
    assert tuple(picture[v, u + 2]) == INKS[0], "a disc"
    table.set_keep(np.array([2]), False)
    assert tuple(made.picture()[v, u + 2]) == SKY, "a cross"
    table.undo()
    table.note(FrameDropped(2, table.paths[2], "measure", "rejected", message("reason.cloudy")))
    assert tuple(made.picture()[v, u + 2]) == SKY, "what the run rejected is no disc either"


def test_frames_without_a_value_are_not_in_the_plot(plot):
    table = dated(4)
    table.metrics["fwhm"][1] = np.nan
    made = plot(table)
    assert np.isfinite(made.points()[:, 0]).tolist() == [True, False, True, True]
    made.use_axes("time", "snr")
    assert "SNR" in made.empty_text(WORDS)
    made.use_axes("no such", "fwhm")
    assert made.x == "time"


def test_fifty_thousand_points_are_quick(plot):
    table = table_of(50_000)
    made = plot(table)

    def lasso():
        made.press(60, 20)
        for corner in ((480, 20), (480, 200), (60, 200)):
            made.drag(*corner)
        made.release(60, 20, False)

    for act in (made.picture, lasso):
        act()
    assert table.selected.sum() > 1000
    piece = worst_ms([lambda: sorted(str(number * number) for number in range(150_000))])
    assert min(worst_ms([lambda: (lasso(), made.picture())]) for _ in range(3)) < 12 * piece
