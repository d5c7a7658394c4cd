"""Seams are judged along whole edges, in the noise that is left at the scale of the eye."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.qa.seam_summary import warning_of_seams
from zemosaic.qa.seam_verdict import Seam, eye_scale_px, is_one_pointing, pooled_edges, verdict_of
from zemosaic.qa.seams import SeamReport, joined_seams

NOISE, ERROR = 0.05, 0.1
"""Of the mosaic at the eye's scale, and of the step of one piece, in noise of one frame's pixel."""


def session(step: float, place: float = 0.0, frames: int = 6, pieces: int = 25, channel: int = 1, seed: int = 1):
    """Return the pieces of one edge of frames that end within a few pixels of each other; they see the same noise."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, ERROR, (pieces, 3))
    noise[:, channel] += step
    return [
        Seam(
            1000 * seed + k,
            (400.0 * n, 400.0 * (n + 1)),
            (place + k, place + k),
            tuple(noise[n]),
            (ERROR,) * 3,
            (NOISE,) * 3,
        )
        for k in range(frames)
        for n in range(pieces)
    ]


def test_the_edges_of_a_session_are_pooled_but_their_errors_are_not_made_smaller():
    edges = pooled_edges(session(0.0) + session(0.0, place=500.0, seed=2))
    assert len(edges) == 2
    for edge in edges:
        # 25 pieces behind each other; six frames see the same pixels.
        assert edge.error == pytest.approx(np.full(3, ERROR / 5), rel=0.5)
        assert (np.abs(edge.step) < 4 * edge.error).all()


def test_opposite_edges_of_neighbours_are_two_seams():
    back = [Seam(9, seam.x[::-1], seam.y, seam.step, seam.error, seam.noise) for seam in session(0.0, frames=1)]
    assert len(pooled_edges(session(0.0, frames=1) + back)) == 2


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_step_that_no_single_piece_shows_is_visible_in_any_colour(channel):
    pieces = session(0.13, channel=channel)
    assert sum(abs(piece.step[channel]) > 4 * ERROR for piece in pieces) == 0
    report = SeamReport(tuple(pieces), tuple(pooled_edges(pieces)))
    assert report.verdict == "visible"
    told = warning_of_seams(report)
    assert told is not None and told.key == "warning.seams_visible"
    assert told.params["edges"] == 1 and 1.5 < told.params["step"] < 4.0


def test_many_edges_tell_together_that_seams_cannot_be_seen():
    few = session(0.0, frames=1, pieces=2)
    many = [seam for k in range(40) for seam in session(0.0, place=300.0 * k, frames=1, pieces=6, seed=k + 1)]
    assert verdict_of(pooled_edges(few), one_pointing=False) == "unknown"
    assert verdict_of(pooled_edges(many), one_pointing=False) == "invisible"
    assert warning_of_seams(SeamReport(tuple(few), tuple(pooled_edges(few)))).key == "warning.seams_unknown"
    assert warning_of_seams(SeamReport(tuple(many), tuple(pooled_edges(many)))) is None


def test_one_pointing_has_no_seams_and_no_warning():
    few = tuple(session(0.0, frames=1, pieces=2))
    report = SeamReport(few, tuple(pooled_edges(few)), one_pointing=True)
    assert report.verdict == "none" and warning_of_seams(report) is None
    square = np.array([0.0, 800.0, 800.0, 0.0]), np.array([0.0, 0.0, 500.0, 500.0])
    near, far = (square[0] + 30.0, square[1]), (square[0] + 400.0, square[1])
    assert is_one_pointing([square, near]) and not is_one_pointing([square, near, far])
    assert verdict_of(pooled_edges(session(0.3)), one_pointing=True) == "visible"


def test_mosaics_of_several_fields_are_not_mixed():
    first = SeamReport(tuple(session(0.2)), tuple(pooled_edges(session(0.2))))
    joined = joined_seams([first, SeamReport((), (), True)])
    assert joined is not None and joined.edges == first.edges and joined.verdict == "visible"
    assert joined_seams([]) is None


def test_the_eye_blends_half_a_minute_of_arc_or_a_hundredth_of_the_picture():
    assert eye_scale_px(6000, 2.5) == 12.0
    assert eye_scale_px(800, 2.5) == 8.0
    assert eye_scale_px(200, None) == 4.0
