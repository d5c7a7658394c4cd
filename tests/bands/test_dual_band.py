"""H alpha and OIII behind a dual-band filter: known light through a known response comes back within its error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zemosaic.bands.dual_band import (
    NOMINAL,
    DualBandResponse,
    LinePlane,
    LineSigma,
    cell_levels,
    line_weights,
    refined_response,
)

SIGMA = (3.0, 2.5, 3.5)
SKY = (300.0, 500.0, 350.0)
CELLS = 900


def camera(seed: int) -> DualBandResponse:
    """Return a camera whose response differs from the nominal one as such sensors do."""
    rng = np.random.default_rng(seed)
    known = np.array([NOMINAL.ha_green, NOMINAL.ha_blue, NOMINAL.oiii_red, NOMINAL.oiii_blue])
    values = np.maximum(known + rng.normal(0, NOMINAL.errors), 0.0)
    return replace(NOMINAL, **dict(zip(("ha_green", "ha_blue", "oiii_red", "oiii_blue"), values, strict=True)))


def diffuse(truth: DualBandResponse, seed: int, count: int = CELLS, noise: float = 1 / 16) -> np.ndarray:
    """Return levels of cells that see both lines, each with a distribution of its own, and starlight in both."""
    rng = np.random.default_rng(seed)
    lines = np.stack([rng.gamma(1.5, 20.0, count), rng.gamma(1.0, 8.0, count)]) + rng.gamma(1.0, 2.0, count)
    return (truth.matrix @ lines).T + SKY + rng.normal(0, 1, (count, 3)) * np.array(SIGMA) * noise


def test_weights_recover_lines_through_a_known_response():
    weights = line_weights(NOMINAL, SIGMA)
    assert np.array([weights.ha, weights.oiii]) @ NOMINAL.matrix == pytest.approx(np.eye(2), abs=1e-12)


def test_a_noisy_colour_counts_little():
    calm, noisy = line_weights(NOMINAL, SIGMA), line_weights(NOMINAL, (3.0, 2.5, 350.0))
    assert abs(noisy.oiii[2]) < 0.01 * abs(calm.oiii[2])


def test_no_other_weights_that_separate_the_lines_are_less_noisy():
    weights = np.array(line_weights(NOMINAL, SIGMA).oiii)
    silent = np.cross(NOMINAL.matrix[:, 0], NOMINAL.matrix[:, 1])  # sees neither line
    noise = [np.linalg.norm((weights + step * silent) * SIGMA) for step in (-0.05, 0.0, 0.05)]
    assert min(noise) == noise[1]


def test_what_is_left_of_the_other_line_is_as_stated():
    """Over many cameras the parts left scatter as the stated errors say, with and without the data's help."""
    for helped in (False, True):
        ratios = []
        for seed in range(60):
            truth = camera(seed)
            response = refined_response(NOMINAL, diffuse(truth, seed), SIGMA) if helped else NOMINAL
            assert response.from_data is helped
            weights = line_weights(response, SIGMA)
            ratios.append(float(np.dot(weights.oiii, truth.matrix[:, 0])) / weights.ha_in_oiii)
            ratios.append(float(np.dot(weights.ha, truth.matrix[:, 1])) / weights.oiii_in_ha)
        assert 0.7 < np.sqrt(np.mean(np.square(ratios))) < 1.4, helped


def test_the_light_betters_what_is_known_and_only_what_it_tells():
    better = []
    for seed in range(40):
        truth = camera(seed)
        response = refined_response(NOMINAL, diffuse(truth, seed), SIGMA)
        # In the plane of all light, outside of which nothing of the lines lies, the response is known well.
        normal = np.cross(truth.matrix[:, 0], truth.matrix[:, 1])
        normal /= np.linalg.norm(normal)
        better.append(np.abs(normal @ response.matrix).max() / np.abs(normal @ NOMINAL.matrix).max())
        assert all(after <= before * (1 + 1e-9) for after, before in zip(response.errors, NOMINAL.errors, strict=True))
        # Where in that plane the lines lie stays a matter of what is known before.
        assert response.errors[0] > 0.5 * NOMINAL.errors[0] and response.errors[2] > 0.5 * NOMINAL.errors[2]
    assert np.median(better) < 0.1


@pytest.mark.parametrize("kind", ["one line", "sky", "few cells", "another light"])
def test_light_that_does_not_tell_the_response_leaves_it_alone(kind):
    rng = np.random.default_rng(7)
    cells = diffuse(NOMINAL, 7)
    if kind == "one line":
        cells = np.outer(rng.gamma(1.5, 20, CELLS), NOMINAL.matrix[:, 0]) + rng.normal(0, 0.2, (CELLS, 3))
    elif kind == "sky":
        cells = rng.normal(0, 1, (CELLS, 3)) * SIGMA + SKY
    elif kind == "few cells":
        cells = cells[:20]
    elif kind == "another light":
        # A filter that passes all: the light of red, green and blue varies for itself.
        cells = rng.gamma(1.5, 20, (CELLS, 3)) * np.array((1.0, 1.0, 0.02)) + SKY
    assert refined_response(NOMINAL, cells, SIGMA) is NOMINAL


def test_the_order_of_cells_and_a_gain_do_not_matter():
    cells = diffuse(camera(3), 3)
    plain = refined_response(NOMINAL, cells, SIGMA)
    turned = refined_response(NOMINAL, cells[::-1], SIGMA)
    louder = refined_response(NOMINAL, 7.0 * cells, tuple(7.0 * sigma for sigma in SIGMA))
    for other in (turned, louder):
        assert other.matrix == pytest.approx(plain.matrix, rel=1e-6)


def test_cells_pass_over_stars():
    rng = np.random.default_rng(8)
    pixels = rng.normal(100, 2, (3, 100, 130)).astype(np.float32)
    pixels[:, 5:9, 5:9] += 4000
    levels = cell_levels(pixels, (0, 100, 0, 130))
    assert levels.shape == (12, 3) and levels == pytest.approx(100, abs=0.6)
    assert cell_levels(pixels, (0, 20, 0, 20)).shape == (0, 3)


@given(st.floats(0, 500), st.floats(0, 500))
def test_planes_and_their_noise(ha, oiii):
    colours = (NOMINAL.matrix @ np.array([ha, oiii]) + SKY)[:, None, None] * np.ones((1, 4, 5))
    weights = line_weights(NOMINAL, SIGMA)
    for own, truth, pedestal in ((weights.ha, ha, SKY[0]), (weights.oiii, oiii, SKY[1])):
        plane = LinePlane(colours.astype(np.float32), own, SKY, pedestal)
        assert plane.shape == (1, 4, 5)
        assert plane[:, 1:3, 2:5] == pytest.approx(np.full((1, 2, 3), truth + pedestal), abs=0.01)
    noise = LineSigma(np.broadcast_to(np.array(SIGMA, np.float32)[:, None, None], (3, 4, 5)), weights.oiii)
    assert noise[:, 0:4, 0:5] == pytest.approx(np.linalg.norm(np.array(weights.oiii) * SIGMA), rel=1e-5)
