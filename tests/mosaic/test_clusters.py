"""Groups of Classic mode: every frame once, whatever the order and the place on the sky."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mosaic_frames import solved_of, wcs_of

from zemosaic.mosaic.clusters import GroupRules, frame_groups
from zemosaic.mosaic.mosaic_mode import AssemblyMode, choose_assembly_mode

SIDE_DEG = 1080 * 2.39 / 3600


def panels(ra: float, dec: float, columns: int, each: int, turn: float = 0.0):
    """Return frames of pointings side by side, dithered by a twentieth of a frame, in the order of time."""
    rng = np.random.default_rng(4)
    frames = []
    for column in range(columns):
        for k in range(each):
            step = column * 0.8 * SIDE_DEG / max(math.cos(math.radians(dec)), 1e-6)
            off = rng.normal(0, 0.02 * SIDE_DEG, 2)
            wcs = wcs_of(ra + step + off[0] / max(math.cos(math.radians(dec)), 1e-6), dec + off[1], turn * k / each)
            one = solved_of(wcs, len(frames))
            when = f"2026-01-01T20:{column:02d}:{k:02d}"
            measured = replace(one.measured, frame=replace(one.frame, date_obs=when))
            frames.append(replace(one, measured=measured))
    return frames


@pytest.mark.parametrize(("ra", "dec"), [(80.0, 20.0), (359.6, -30.0), (10.0, 78.0)])
def test_pointings_become_groups_anywhere_in_the_sky(ra, dec):
    groups = frame_groups(panels(ra, dec, 3, 8), GroupRules())
    assert groups == [list(range(8)), list(range(8, 16)), list(range(16, 24))]


@settings(max_examples=25)
@given(st.integers(1, 3), st.integers(1, 9), st.floats(0, 120), st.integers(0, 5), st.floats(0, 3), st.randoms())
def test_every_frame_is_in_exactly_one_group_whatever_the_order(columns, each, turn, cap, radius, shuffler):
    frames = panels(123.0, 40.0, columns, each, turn)
    rules = GroupRules(radius_deg=radius, cap=cap)
    groups = frame_groups(frames, rules)
    assert sorted(k for group in groups for k in group) == list(range(len(frames)))
    assert all(group for group in groups)
    assert not cap or max(map(len, groups)) <= cap
    order = list(range(len(frames)))
    shuffler.shuffle(order)
    again = frame_groups([frames[k] for k in order], rules)
    assert [[order[k] for k in group] for group in again] == groups


def test_turned_frames_are_divided_and_upside_down_ones_are_not():
    turned = panels(50.0, 10.0, 1, 12, 80.0)
    groups = frame_groups(turned, GroupRules(split_deg=25.0))
    assert len(groups) == 3
    assert len(frame_groups(turned, GroupRules(split_deg=180.0))) == 1
    flipped = panels(50.0, 10.0, 1, 6) + [
        replace(panel, solution=replace(panel.solution, wcs=wcs_of(50.0, 10.0, 180.0)))
        for panel in panels(50.0, 10.0, 1, 6)
    ]
    assert len(frame_groups(flipped, GroupRules(split_deg=5.0))) == 1


@pytest.mark.parametrize(
    ("wanted", "detect", "force", "seestar", "cameras", "mode"),
    [
        ("auto", True, False, 10, 2, AssemblyMode.GRID),
        ("auto", False, False, 10, 2, AssemblyMode.CLASSIC),
        ("auto", True, False, 0, 1, AssemblyMode.GRID),
        ("auto", True, False, 2, 3, AssemblyMode.CLASSIC),
        ("classic", True, False, 10, 1, AssemblyMode.CLASSIC),
        ("grid", True, False, 0, 3, AssemblyMode.GRID),
        ("classic", True, True, 0, 3, AssemblyMode.GRID),
    ],
)
def test_the_way_is_decided_in_one_place(wanted, detect, force, seestar, cameras, mode):
    choice = choose_assembly_mode(
        wanted, detect_seestar=detect, force_seestar=force, frames=10, seestar=seestar, cameras=cameras
    )
    assert choice.mode is mode


def called(frames, names):
    """Return frames put into groups by hand."""
    return [
        replace(frame, measured=replace(frame.measured, frame=replace(frame.frame, group_name=name)))
        for frame, name in zip(frames, names, strict=True)
    ]


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["", "", "a", "b"]), min_size=24, max_size=24), st.integers(0, 5), st.randoms())
def test_groups_by_hand_stand_for_themselves(names, cap, shuffler):
    plain = panels(123.0, 40.0, 3, 8, 100.0)
    frames, rules = called(plain, names), GroupRules(cap=cap)
    groups = frame_groups(frames, rules)
    assert sorted(k for group in groups for k in group) == list(range(24)), "every frame once"
    for name in {"a", "b"} & set(names):
        size, mine = names.count(name), [group for group in groups if names[group[0]] == name]
        assert all(names[k] == name for group in mine for k in group), "never shared with others"
        assert len(mine) == (math.ceil(size / cap) if cap else 1), "whatever their place and orientation"
    left = [k for k in range(24) if not names[k]]
    alone = [[left[k] for k in group] for group in frame_groups([plain[k] for k in left], rules)]
    assert [group for group in groups if not names[group[0]]] == alone, "the others are grouped as without them"
    order = list(range(24))
    shuffler.shuffle(order)
    again = frame_groups([frames[k] for k in order], rules)
    assert [[order[k] for k in group] for group in again] == groups
