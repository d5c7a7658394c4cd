"""What the Result page's menus do, without any toolkit."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS as AstropyWcs
from fake_worker import FakeRun, make_demo
from PIL import Image
from test_result_presenter import WCS, mosaic
from waiting import wait_until

from zemosaic.gui.presenter.desktop import clipboard
from zemosaic.gui.presenter.desktop.clipboard import clipboard_command, copy_png
from zemosaic.gui.presenter.result.picture_control import PictureControl
from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.gui.presenter.result.recent_results import MAX_RECENT, RecentResults, thumbnail_of
from zemosaic.gui.presenter.result.render.picture_histogram import histogram_picture
from zemosaic.gui.presenter.result.result_page import ResultPage
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator
from zemosaic.picture.stretch import SKY_LEVEL, PictureLook

WORDS = Translator("en")


class Widgets:
    """The widgets of a Result page that remember what they were told and answer as they are asked to."""

    def __init__(self):
        self.told, self.copied, self.answer = {}, [], ""
        self.picture = PictureControl(str)
        self.picture.redraw = lambda: None
        self.picture.view = Viewport(600, 400, 300, 200).fit()

    def ask_open(self, title, folder, endings):
        return self.answer

    def ask_save(self, title, folder, name, endings):
        return self.answer

    def copy_picture(self, picture):
        self.copied.append(picture)
        return True

    def __getattr__(self, name):
        return lambda *values: self.told.__setitem__(name, values)


@pytest.fixture
def page(environ, tmp_path):
    session = Session(WORDS, environ, FakeRun, make_demo)
    mosaic(tmp_path)
    session.edit("output_dir", str(tmp_path))
    widgets = Widgets()
    made = ResultPage(session, widgets)
    made.widgets, made.session = widgets, session
    wait_until(lambda: made.desk.size is not None, made.pump)
    yield made
    made.close()


def chosen(entries, key):
    (entry,) = [entry for entry in entries if entry.text == WORDS.text(key)]
    return entry


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif"])
def test_what_is_seen_is_saved_as_it_is_seen_with_its_place_on_the_sky(page, tmp_path, ending):
    page.adjust(strength=0.4)
    page.actions.toggle_layer("grid")
    page.widgets.picture.view = view = page.widgets.picture.view.zoomed(4.0, 60, 40)
    seen = page.desk.picture(view)
    page.widgets.answer = str(tmp_path / f"view{ending}")
    chosen(page.actions.picture_entries(), "result.save_view").act()
    wait_until(lambda: "Saved" in str(page.widgets.told.get("show_read_out")), page.pump)
    content = (tmp_path / f"view{ending}").read_bytes()
    saved = np.asarray(Image.open(io.BytesIO(content)))
    assert saved.shape == seen.shape
    assert np.array_equal(saved, seen) or (ending == ".jpg" and abs(saved.astype(int) - seen).mean() < 3)
    values = dict(re.findall(rb"<avm:Spatial\.(Reference(?:Value|Pixel)|Scale)><rdf:Seq>(.*?)</rdf:Seq>", content))
    numbers = {key: [float(n) for n in re.findall(rb">([-0-9.e]+)<", text)] for key, text in values.items()}
    (x, y), (step, _) = numbers[b"ReferencePixel"], numbers[b"Scale"]
    left, top, right, bottom = view.box()
    assert step == pytest.approx(-6.6e-4 * (right - left) / seen.shape[1], rel=1e-6)
    place = left + (x - 0.5) * (right - left) / seen.shape[1], bottom - (y - 0.5) * (bottom - top) / seen.shape[0]
    assert place == pytest.approx((WCS.x_ref + 0.5, 400 - WCS.y_ref - 0.5), abs=0.02)


def test_a_part_drawn_with_the_pointer_is_cut_out_with_its_maps(page, tmp_path):
    picture, view = page.widgets.picture, page.widgets.picture.view
    chosen(page.actions.picture_entries(), "result.crop").act()
    assert not picture.drag_to(10, 10), "nothing was pressed yet"
    page.widgets.answer = str(tmp_path / "part")
    picture.has_pixels = True
    assert picture.press_at(*view.to_window(300, 350))
    picture.drag_to(*view.to_window(120, 210))
    shaded = page.actions.drawn(view)
    assert shaded[150, 100].mean() > 1.5 * shaded[20, 20].mean(), "the part is brighter than the rest"
    picture.release_at(*view.to_window(100, 200))
    wait_until(lambda: "part.fits" in str(page.widgets.told.get("show_read_out")), page.pump)
    names = ("part.fits", "zemosaic_MT1_R9.fits")
    part, whole = (fits.getheader(tmp_path / name) for name in names)
    pixels = [fits.getdata(tmp_path / name) for name in names]
    assert np.array_equal(pixels[0], pixels[1][:, 50:200, 100:300])
    assert fits.getdata(tmp_path / "part_coverage.fits").shape == (150, 200)
    sky = [
        AstropyWcs(header).celestial.wcs_pix2world([place], 0) for header, place in ((part, (0, 0)), (whole, (100, 50)))
    ]
    assert np.allclose(*sky, atol=1e-12)
    assert picture.tool is None, "the next drag moves the picture again"
    page.desk.compare("")
    assert not page.actions.cancel()


def test_a_rectangle_that_is_not_drawn_writes_nothing(page, tmp_path):
    chosen(page.actions.picture_entries(), "result.crop").act()
    page.widgets.answer = str(tmp_path / "part.fits")
    page.widgets.picture.press_at(20, 20)
    page.widgets.picture.release_at(21, 21)
    assert page.widgets.picture.tool is not None
    page.close_pixel()
    assert page.widgets.picture.tool is None and not (tmp_path / "part.fits").exists()


def test_the_line_between_two_mosaics_is_dragged_and_elsewhere_the_picture_moves(page, tmp_path):
    (tmp_path / "b").mkdir()
    other = mosaic(tmp_path / "b", "zemosaic_MT2_R9")
    page.widgets.answer = str(other)
    chosen(page.actions.compare_entries(), "result.open_file").act()
    wait_until(lambda: page.desk.is_compared, page.pump)
    picture = page.widgets.picture
    assert not picture.press_at(40, 50)
    assert picture.press_at(152, 50)
    picture.drag_to(60, 50)
    picture.release_at(75, 50)
    assert page.desk.split == pytest.approx(0.25)
    chosen(page.actions.compare_entries(), "result.compare_end").act()
    assert picture.tool is None and not page.desk.is_compared


def test_a_mosaic_opened_by_hand_stays_until_a_run_begins_and_is_remembered(page, tmp_path):
    (tmp_path / "b").mkdir()
    other = mosaic(tmp_path / "b", "zemosaic_MT2_R9")
    Image.new("RGB", (400, 300), (200, 40, 40)).save(tmp_path / "b" / "zemosaic_MT2_R9_preview.png")
    page.widgets.answer = str(other)
    chosen(page.actions.open_entries(), "result.open_file").act()
    wait_until(lambda: page.desk.path == str(other) and page.desk.size is not None, page.pump)
    page.update_state()
    assert page.desk.path == str(other) and page.files().folder == str(tmp_path / "b")
    again = RecentResults(page.session.config_folder)
    assert again.paths == (str(other), str(tmp_path / "zemosaic_MT1_R9.fits"))
    again.look()
    wait_until(lambda: again.thumbnail(str(other)) is not None)
    assert max(again.thumbnail(str(other)).shape) == 64 and again.thumbnail(str(other))[20, 20, 0] == 200
    page.actions.open_entries()[1].act()
    wait_until(lambda: page.desk.path.endswith("zemosaic_MT1_R9.fits") and page.desk.size is not None, page.pump)
    page.open_by_hand(str(other))
    page.session._run = object()
    page.update_state()
    assert not page.files().mosaics
    page.session._run = None


def test_ten_mosaics_are_remembered_and_those_that_are_gone_are_not_offered(tmp_path):
    recent = RecentResults(tmp_path / "config")
    for number in range(MAX_RECENT + 3):
        path = tmp_path / f"{number}.fits"
        path.touch()
        recent.note(str(path))
    (tmp_path / "12.fits").unlink()
    offered = RecentResults(tmp_path / "config").paths
    assert [path.rpartition("/")[2] for path in offered] == [f"{number}.fits" for number in range(11, 2, -1)]
    (tmp_path / "config" / "recent_mosaics.json").write_text("{")
    assert RecentResults(tmp_path / "config").paths == ()
    assert thumbnail_of(tmp_path / "11.fits") is None


def test_sliders_and_settings_of_the_saved_picture_are_the_same(page):
    form = page.session.form
    page.adjust(strength=0.5, sky=-0.5, linked=False)
    page.pump()
    values = {
        key: page.session.form.row(key).value for key in ("picture_strength", "picture_sky_level", "preview_linked")
    }
    assert values == {"picture_strength": 2.0, "picture_sky_level": 0.07, "preview_linked": False}
    page.widgets.told.clear()
    page.session.form = form.edited("picture_strength", "4").edited("picture_sky_level", "0.28")
    page.pump()
    (look,) = page.widgets.told["show_look"]
    assert look == pytest.approx({"strength": 1.0, "sky": 0.5, "linked": True})
    assert page.desk.adjustment.strength == 1.0 and page.desk.adjustment.linked


def test_the_window_shows_what_the_saved_picture_shows(page):
    page.session.form = page.session.form.edited("picture_strength", "3").edited("picture_sky_level", "0.1")
    page.pump()
    asked = page.desk.mosaic.view
    asked._overview = None
    wanted = asked.auto_stretch(True, PictureLook(strength=3.0, sky_level=0.1)).stretches[0]
    asked._overview = None
    now = page.desk.adjustment
    usual = asked.auto_stretch(True)
    shown = usual.adjusted(depth=4.0**-now.strength, sky_level=SKY_LEVEL * 4.0**now.sky).stretches[0]
    assert (shown.black, shown.balance) == pytest.approx((wanted.black, wanted.balance))


def test_what_is_seen_is_copied_and_its_brightness_counted(page):
    chosen(page.actions.picture_entries(), "result.copy").act()
    assert np.array_equal(page.widgets.copied[0], page.desk.picture(page.widgets.picture.view))
    page.widgets.picture.seen()
    page.pump()
    (drawn,) = page.widgets.told["show_histogram"]
    assert drawn.shape == (72, 288, 3)
    assert page.widgets.told["show_zoom"] == ("50%",)


def test_a_histogram_stands_where_the_brightness_is():
    seen = np.full((40, 50, 3), 64, np.uint8)
    seen[:5] = (200, 64, 64)
    drawn = histogram_picture(seen, 256, 50).astype(int)
    bright = drawn.sum(axis=2) > drawn[0, 0].sum()
    assert bright[:, 64].all() and bright[-1].sum() == 2
    assert drawn[-1, 200, 0] > drawn[-1, 200, 1] and bright[:, 200].sum() < 50
    assert not (histogram_picture(np.zeros((4, 4, 3), np.uint8), 30, 9) != drawn[0, 0]).any()


def test_layers_whose_colours_differ_are_never_both_shown(page):
    for name in ("coverage", "tiles", "depth"):
        page.actions.toggle_layer(name)
    assert page.desk.adjustment.layers == {"tiles", "depth"}
    entries = page.actions.layer_entries()
    assert not chosen(entries, "result.layer.depth").is_enabled, "the mosaic's header tells no depth"
    assert chosen(entries, "result.layer.tiles").is_checked and chosen(entries, "result.layer.coverage").is_enabled


@pytest.mark.parametrize(
    ("platform", "environ", "there", "begin"),
    [
        ("linux", {"PATH": "{bin}"}, ["xclip"], ["xclip", "-selection", "clipboard"]),
        ("linux", {"PATH": "{bin}", "WAYLAND_DISPLAY": "w"}, ["xclip", "wl-copy"], ["wl-copy", "--type"]),
        ("linux", {"PATH": "{bin}"}, [], []),
        ("darwin", {}, [], ["osascript", "-e"]),
        ("win32", {}, [], ["powershell", "-NoProfile"]),
    ],
)
def test_each_system_has_its_command_for_the_clipboard(tmp_path, platform, environ, there, begin):
    for name in there:
        (tmp_path / name).touch(0o755)
    told = {key: value.format(bin=tmp_path) for key, value in environ.items()}
    command = clipboard_command("/a/it's.png", told, platform)
    assert [part.rpartition("/")[2] for part in command[: len(begin)]] == begin
    assert platform != "win32" or "it''s.png" in command[-1]


def test_the_bytes_of_a_picture_reach_the_clipboards_program(tmp_path, monkeypatch):
    script = tmp_path / "xclip"
    script.write_text(f'#!/bin/sh\ncp "$6" {tmp_path}/got\n')
    script.chmod(0o755)
    monkeypatch.setattr(clipboard, "clipboard_command", lambda file: [str(script), "a", "b", "c", "d", "e", file])
    assert copy_png(b"picture") and (tmp_path / "got").read_bytes() == b"picture"
    monkeypatch.setattr(clipboard, "clipboard_command", lambda file: [])
    assert not copy_png(b"picture")
