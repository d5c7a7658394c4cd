from __future__ import annotations

import pickle
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zemosaic.catalogue import CellCatalogue, load_bundled
from zemosaic.catalogue.sky_cells import encode
from zemosaic.errors import InputError
from zemosaic.wcs import separation_deg

POSITION_ARCSEC = 0.03


@pytest.fixture(scope="module")
def stars() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stars all over the sky, poles and RA 0 crowded."""
    rng = np.random.default_rng(1)
    ra = np.concatenate([rng.uniform(0, 360, 3000), rng.normal(0, 0.5, 300) % 360, rng.uniform(0, 360, 400)])
    dec = np.concatenate(
        [
            np.degrees(np.arcsin(rng.uniform(-1, 1, 3000))),
            rng.normal(20, 1, 300),
            np.repeat([-1.0, 1.0], 200) * (90 - rng.exponential(0.7, 400)),
        ]
    )
    ra = np.append(ra, [0.0, 359.9999999, 12.0, 12.0])
    dec = np.append(dec, [0.0, 0.0, 90.0, -90.0])
    return ra, dec, np.round(rng.uniform(2, 13, len(ra)), 1)


@pytest.fixture(scope="module")
def catalogue(stars: tuple[np.ndarray, ...], tmp_path_factory: pytest.TempPathFactory) -> CellCatalogue:
    path = tmp_path_factory.mktemp("catalogue") / "stars.bin"
    path.write_bytes(encode(*stars))
    return CellCatalogue.open(path, "test")


@settings(max_examples=150)
@given(
    ra=st.one_of(st.floats(0, 360), st.floats(-0.6, 0.6), st.just(0.0)),
    dec=st.one_of(st.floats(-90, 90), st.floats(88.5, 90), st.sampled_from([-90.0, 90.0])),
    radius=st.floats(0.01, 8.0),
)
def test_cone_finds_what_brute_force_finds(catalogue, stars, ra, dec, radius):
    found = catalogue.cone(ra, dec, radius)
    away = separation_deg(stars[0], stars[1], ra, dec)
    slack = POSITION_ARCSEC / 3600.0
    assert (away < radius - slack).sum() <= len(found) <= (away < radius + slack).sum()
    if len(found):
        nearest = separation_deg(found.ra_deg[:, None], found.dec_deg[:, None], stars[0], stars[1]).min(axis=1)
        assert nearest.max() * 3600 <= POSITION_ARCSEC
        assert (np.diff(found.mag) >= 0).all()


def test_limit_keeps_the_brightest(catalogue):
    everything, few = catalogue.cone(0.0, 20.0, 3.0), catalogue.cone(0.0, 20.0, 3.0, 7)
    assert len(everything) > 50
    assert len(few) == 7
    np.testing.assert_array_equal(few.mag, everything.mag[:7])


def test_magnitudes_come_back(catalogue, stars):
    found = catalogue.cone(0.0, 20.0, 3.0)
    index = separation_deg(found.ra_deg[:, None], found.dec_deg[:, None], stars[0], stars[1]).argmin(axis=1)
    assert np.abs(stars[2][index] - found.mag).max() < 0.03


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "foreign"])
def test_damaged_files_are_refused(damage, stars, tmp_path):
    path = tmp_path / "stars.bin"
    content = encode(*stars)
    if damage != "missing":
        path.write_bytes({"empty": b"", "truncated": content[:-1], "foreign": b"x" * len(content)}[damage])
    with pytest.raises(InputError) as told:
        CellCatalogue.open(path, "test")
    assert told.value.message.key == "error.catalogue_unreadable"


def test_bundled_catalogue_is_tycho2():
    tycho = load_bundled()
    assert len(tycho) == 1_871_011
    # Alcor, Deneb, Alnilam and sigma Octantis at J2000.
    for ra, dec, mag in (
        (201.3064, 54.9880, 4.03),
        (310.35798, 45.28034, 1.32),
        (84.0534, -1.2019, 1.67),
        (317.195, -88.9565, 5.45),
    ):
        star = tycho.cone(ra, dec, 3.0 / 3600.0, 1)
        assert len(star) == 1
        assert abs(float(star.mag[0]) - mag) < 0.05


def test_bundled_catalogue_is_fast():
    tycho = load_bundled()
    tycho.cone(83.8, -5.4, 2.0)
    started = time.process_time()
    for ra in range(0, 200, 10):
        tycho.cone(float(ra), 30.0, 2.0)
    assert (time.process_time() - started) / 20 < 0.1, "the whole catalogue takes longer"


def test_a_catalogue_travels_by_its_path(catalogue: CellCatalogue):
    sent = pickle.dumps(catalogue)
    assert len(sent) < 1000
    assert len(pickle.loads(sent).cone(0.0, 20.0, 3.0)) == len(catalogue.cone(0.0, 20.0, 3.0))
    assert isinstance(catalogue.path, Path)
