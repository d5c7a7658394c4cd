"""The bundled colours of stars: complete, near enough, a damaged file told."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.catalogue.star_colours import StarColours, encode_colours, load_colours
from zemosaic.errors import InputError


def stars(count: int = 500):
    rng = np.random.default_rng(1)
    return (
        rng.uniform(0, 360, count),
        rng.uniform(-90, 90, count),
        rng.uniform(2, 10, count),
        rng.uniform(-0.5, 4, count),
    )


def test_what_is_encoded_is_read_again(tmp_path):
    ra, dec, g_mag, bp_rp = stars()
    path = tmp_path / "colours.bin"
    path.write_bytes(encode_colours(ra, dec, g_mag, bp_rp))
    catalogue = StarColours.open(path, "test")
    assert len(catalogue) == 500
    for k in range(0, 500, 50):
        near = catalogue.cone(float(ra[k]), float(dec[k]), 0.01)
        assert len(near) == 1
        assert near.g_mag[0] == pytest.approx(g_mag[k], abs=0.001)
        assert near.bp_rp[0] == pytest.approx(bp_rp[k], abs=0.0101)
        assert near.dec_deg[0] == pytest.approx(dec[k], abs=0.06 / 3600)


@pytest.mark.parametrize("keep", [0, 10, 400, -1])
def test_a_damaged_file_is_told(tmp_path, keep):
    path = tmp_path / "colours.bin"
    path.write_bytes(encode_colours(*stars())[:keep])
    with pytest.raises(InputError):
        StarColours.open(path, "test")


def test_the_bundled_file_knows_the_stars_near_messier_94():
    catalogue = load_colours()
    assert len(catalogue) > 480_000
    near = catalogue.cone(193.40245674, 40.89029768, 0.002)
    assert len(near) == 1
    assert near.g_mag[0] == pytest.approx(8.4726, abs=0.001)
    assert near.bp_rp[0] == pytest.approx(8.999511 - 7.7916045, abs=0.011)
    assert (np.diff(catalogue.cone(56.75, 24.1, 2.0).g_mag) >= 0).all()
