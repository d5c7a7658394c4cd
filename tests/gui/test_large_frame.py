"""Frames seen large, without a toolkit: at the same place of the sky, with one stretch, within their memory."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from waiting import wait_until

from benchmarks.frames_view import frames
from zemosaic.frames.frame_files import scan_folder
from zemosaic.gui.presenter.frames.frame_table import FrameTable
from zemosaic.gui.presenter.frames.frames_presenter import FramesPresenter
from zemosaic.gui.presenter.frames.thumbnails import thumbnail
from zemosaic.gui.presenter.large_frame.decoded_frames import DecodedFrames, room_bytes
from zemosaic.gui.presenter.large_frame.frame_pixels import (
    SKY_LEVEL,
    FramePicture,
    FrameStretch,
    frame_picture,
    linear_colours,
    stretch_of,
)
from zemosaic.gui.presenter.large_frame.frame_viewer import VIEWER_BUTTONS, FrameViewer
from zemosaic.i18n import Translator
from zemosaic.wcs import FrameWcs

WORDS = Translator("en")
WIDTH, HEIGHT = 1080, 1920
STAR = (80.1, -5.05)
STRETCH = FrameStretch((0.0,) * 3, (1.0,) * 3, (0.5,) * 3)


def wcs(rotation_deg, ra_deg=80.0):
    turn, scale = np.radians(rotation_deg), 2.37 / 3600
    cd = scale * np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return FrameWcs(ra_deg, -5.0, WIDTH / 2, HEIGHT / 2, tuple(map(tuple, cd)))


def survey(rotations):
    """Return a table of located frames, turned by some angles; None for one without a place."""
    made = frames(len(rotations))
    made = [
        replace(frame, header_wcs=None if turn is None else wcs(turn))
        for frame, turn in zip(made, rotations, strict=True)
    ]
    return FrameTable(made)


def decoded_star(frame, stretch, darker_adu=0.0):
    """Return the picture of a frame with one star; where the frame has no place it is in a corner."""
    picture = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    x, y = (30.0, 30.0)
    if frame.header_wcs is not None:
        x, y = (float(at) for at in frame.header_wcs.sky_to_pixel(*STAR))
    picture[round(y) - 6 : round(y) + 7, round(x) - 6 : round(x) + 7] = 255
    return FramePicture(frame.path, (picture, picture[::2, ::2].copy())), STRETCH


@pytest.fixture
def opened():
    """A function that looks at a table; all pictures it asks for are there when it returns."""
    viewers = []

    def look(table, decode=decoded_star, room=400_000_000):
        desk = FramesPresenter()
        desk.table = table
        viewer = FrameViewer(desk, DecodedFrames(room, decode))
        viewers.append(viewer)
        viewer.resize(800, 600)
        assert viewer.open()
        return viewer

    yield look
    for viewer in viewers:
        viewer.end()


def ready(viewer):
    wait_until(lambda: viewer.is_ready, lambda: None)
    return viewer.picture()


def brightest(picture):
    at = np.argwhere(picture.min(axis=2) > 200)
    assert len(at), "the star is not in the picture"
    return at.mean(axis=0)


def test_a_star_stays_where_it_is_while_frames_turn(opened):
    viewer = opened(survey([0.0, 35.0, 170.0]))
    first = brightest(ready(viewer))
    for _ in range(2):
        viewer.press("next")
        assert brightest(ready(viewer)) == pytest.approx(first, abs=1.0)
    viewer.zoom(6, first[1], first[0])
    near = brightest(ready(viewer))
    viewer.press("previous")
    assert brightest(ready(viewer)) == pytest.approx(near, abs=3.0)
    assert "at its place" in viewer.texts(WORDS).facts


def test_a_frame_without_a_place_lies_as_it_is_stored_and_says_so(opened):
    viewer = opened(survey([None, 20.0]))
    v, u = brightest(ready(viewer))
    assert u < 400, "the first column is on the left"
    assert v < 300, "the first row is at the top"
    assert "⚠" in viewer.texts(WORDS).facts
    assert not viewer.enabled("same_place")
    viewer.press("next")
    assert "⚠" not in viewer.texts(WORDS).facts


def test_delete_excludes_what_is_seen_goes_on_and_can_be_undone(opened):
    viewer = opened(survey([0.0, 10.0, 20.0]))
    table = viewer._table
    ready(viewer)
    viewer.press("leave_out")
    assert table.left_out.tolist() == [0]
    assert table.selected.tolist() == [False, True, False]
    assert viewer.texts(WORDS).title.startswith("2 of 3")
    viewer.press("previous")
    assert viewer.texts(WORDS).is_excluded
    assert (ready(viewer) == (240, 80, 80)).all(axis=2).any(), "a red line goes round it"
    assert not viewer.enabled("leave_out")
    viewer.press("undo")
    assert not len(table.left_out)


def test_delete_goes_on_where_the_filter_hides_what_is_excluded(opened):
    viewer = opened(survey([0.0, 10.0, 20.0, 30.0]))
    viewer._table.filter("", "kept")
    for _ in range(2):
        ready(viewer)
        viewer.press("leave_out")
    assert viewer._table.left_out.tolist() == [0, 1]
    assert viewer.path == viewer._table.paths[2]


def test_nothing_is_excluded_before_it_was_seen(opened):
    may_go = threading.Event()

    def slow(frame, stretch, darker_adu):
        may_go.wait(30)
        return decoded_star(frame, stretch)

    viewer = opened(survey([0.0, 10.0]), slow)
    viewer.press("leave_out")
    assert not len(viewer._table.left_out)
    assert viewer.note(WORDS) == WORDS.text("viewer.reading")
    may_go.set()
    ready(viewer)
    viewer.press("leave_out")
    assert viewer._table.left_out.tolist() == [0]


def test_only_frames_that_show_the_same_place(opened):
    made = [replace(frame, header_wcs=wcs(0.0, ra)) for frame, ra in zip(frames(4), (80, 83, 80.1, 83.1), strict=True)]
    viewer = opened(FrameTable(made))
    viewer.press("same_place")
    viewer.press("next")
    assert viewer.path == made[2].path
    assert not viewer.enabled("next")
    viewer.press("same_place")
    viewer.press("next")
    assert viewer.path == made[3].path
    x = viewer._place.view.x
    assert viewer._place.view.to_window(viewer._outline().corners).mean(axis=0) == pytest.approx((400, 300), abs=30), x


def test_a_thousand_frames_are_decoded_ahead_within_their_room(opened):
    begun, room = [], 40_000_000
    picture = np.zeros((1000, 1000, 3), np.uint8)

    def decode(frame, stretch, darker_adu):
        begun.append(frame.path)
        return FramePicture(frame.path, (picture,)), STRETCH

    viewer = opened(survey([0.0] * 1000), decode, room)
    for _ in range(60):
        wait_until(lambda: viewer.is_ready, lambda: None)
        viewer.press("next")
        assert viewer._decoded.kept_bytes <= room
    ahead = [viewer._table.paths[row] for row in range(60, 64)]
    wait_until(lambda: all(viewer._decoded.get(path) for path in ahead), lambda: None)
    assert len(begun) < 60 + 30, "no frame is decoded twice on the way"
    assert room_bytes(1_000_000_000, 0.0) == 125_000_000
    assert room_bytes(64_000_000_000, 1.0) == 125_000_000


def test_larger_pictures_than_there_is_room_for_are_still_seen(opened):
    viewer = opened(survey([0.0] * 6), room=1)
    for _ in range(5):
        ready(viewer)
        viewer.press("next")
    assert ready(viewer).max() > 200


def test_one_stretch_for_all(tmp_path, demo_frames):
    first, second = scan_folder(demo_frames(tmp_path, (0, 7))).frames
    planes = linear_colours(first)
    assert planes.shape == (first.height, first.width, 3)
    picture, stretch = frame_picture(first)
    shown = np.median(picture.levels[0], axis=(0, 1)) / 255
    assert shown == pytest.approx([SKY_LEVEL] * 3, abs=0.02), "the sky is neutral"
    brighter = stretch(planes + np.uint16(300))
    assert np.median(brighter) > 1.3 * np.median(picture.levels[0]), "the same stretch shows more sky brighter"
    other, same = frame_picture(second, stretch)
    assert same is stretch
    assert np.array_equal(other.levels[0], stretch(linear_colours(second)))
    lenient = stretch_of(planes, 200.0)
    assert (np.array(lenient.black) < np.array(stretch.black) - 150).all()


def test_a_file_that_cannot_be_read_tells_why_and_sets_no_stretch(opened, tmp_path, demo_frames):
    first, second = scan_folder(demo_frames(tmp_path, (0, 1))).frames
    gone = replace(first, path=str(tmp_path / "gone.fit"))
    viewer = opened(FrameTable([gone, second]), frame_picture)
    ready(viewer)
    assert "gone.fit" in viewer.note(WORDS)
    viewer.press("next")
    assert np.median(ready(viewer)) > 10
    assert viewer.note(WORDS) == ""
    small = thumbnail(gone)
    assert small.picture is None
    assert "gone.fit" in WORDS.message(small.problem)


def test_the_viewer_ends_with_its_table(opened):
    viewer = opened(survey([0.0, 10.0]))
    viewer._desk.table = survey([0.0])
    assert not viewer.is_open
    assert viewer.picture() is None
    assert not any(viewer.enabled(key) for key in VIEWER_BUTTONS)
    viewer.press("next")
