from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from zemosaic.catalogue import AstapCatalogue, database_names, load_bundled, open_astap
from zemosaic.catalogue.astap_database import LAYOUTS
from zemosaic.wcs import separation_deg

SHARED = Path(__file__).resolve().parents[2] / "../shared/data/astap_h18_tycho2.zip"


def write_cell(path: Path, groups: list[tuple[float, int, list[tuple[float, float]]]]) -> None:
    """Write a cell of groups (magnitude, high byte of the declination, stars (ra, dec))."""
    body = b""
    for mag, high, stars in groups:
        body += bytes([255, 255, 255, high + 128, round(mag * 10) + 16])
        for ra, dec in stars:
            east, north = round(ra / 360 * 0xFFFFFF), round(dec / 90 * 0x7FFFFF)
            assert north >> 16 == high
            body += east.to_bytes(3, "little") + (north & 0xFFFF).to_bytes(2, "little")
    path.write_bytes(b"test".ljust(109) + bytes([5]) + body)


def test_names_are_ordered_by_depth(tmp_path):
    for name in ("h17_0101.290", "d05_0101.1476", "D80_0101.1476", "readme.txt", "x_0101.1476"):
        (tmp_path / name).touch()
    assert database_names(tmp_path) == ("d80", "d05", "h17")
    assert database_names(tmp_path / "nowhere") == ()


def test_cells_are_read(tmp_path):
    write_cell(tmp_path / "d05_0101.1476", [(9.3, -128, [(10.0, -89.9), (200.0, -89.5)]), (8.1, -127, [(20.0, -89.0)])])
    found = AstapCatalogue(tmp_path, "d05").cone(77.0, -90.0, 1.5)
    np.testing.assert_allclose(found.dec_deg, [-89.0, -89.9, -89.5], atol=1e-5)
    np.testing.assert_allclose(found.mag, [8.1, 9.3, 9.3], atol=1e-5)
    np.testing.assert_allclose(found.ra_deg, [20.0, 10.0, 200.0], atol=3e-5)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.suffix)
def test_layouts_cover_the_sky(layout):
    assert sum(layout.cells) == int(layout.suffix)
    assert len(layout.edges_deg) == len(layout.cells) + 1
    np.testing.assert_allclose(layout.edges_deg, [-dec for dec in layout.edges_deg[::-1]], atol=1e-9)
    assert (np.diff(layout.edges_deg) > 0.0).all()
    sizes = np.diff(np.sin(np.radians(layout.edges_deg))) / layout.cells * sum(layout.cells) / 2.0
    np.testing.assert_allclose(sizes[4:-4], 1.0, atol=0.15)
    if layout.suffix == "290":
        np.testing.assert_allclose(sizes, [0.5, *[1.0] * 16, 0.5], rtol=0.01)


def test_areas_of_the_older_layout_are_read(tmp_path):
    # Declination 40.2 is in the fourth ring north of the equator, 35.5 to 46.0, of 20 areas 18 degrees wide.
    write_cell(tmp_path / "g17_1317.290", [(7.5, 57, [(305.9, 40.2), (289.0, 40.5)])])
    database = open_astap(tmp_path)
    assert database is not None
    assert database.name == "g17"
    found = database.cone(305.6, 40.2, 1.0)
    np.testing.assert_allclose(found.ra_deg, [305.9], atol=3e-5)
    assert len(database.cone(305.6, 50.0, 1.0)) == 0


def test_missing_cells_are_empty(tmp_path):
    (tmp_path / "d05_0101.1476").write_bytes(b"")
    assert len(AstapCatalogue(tmp_path, "d05").cone(10.0, 20.0, 3.0)) == 0
    assert len(AstapCatalogue(tmp_path, "d05").cone(10.0, -90.0, 3.0)) == 0
    assert open_astap(tmp_path / "nowhere") is None


@pytest.mark.skipif(not SHARED.exists(), reason="no ASTAP database at hand")
def test_a_whole_database_agrees_with_the_bundled_catalogue(tmp_path):
    names = [
        f"h18_{cell}.1476" for cell in ("0101", "0201", "0202", "0203", "1801", "1802", "1869", "1901", "1902", "1969")
    ]
    with zipfile.ZipFile(SHARED) as archive:
        archive.extractall(tmp_path, [n for n in archive.namelist() if Path(n).name in names])
    database = open_astap(next(tmp_path.rglob("*.1476")).parent)
    assert database is not None
    tycho = load_bundled()
    for ra, dec, radius in ((0.0, 0.0, 2.0), (359.9, 0.4, 1.0), (123.0, -89.9, 1.5), (4.5, -3.0, 1.0)):
        ours, theirs = tycho.cone(ra, dec, radius), database.cone(ra, dec, radius)
        assert abs(len(ours) - len(theirs)) <= 1
        away = separation_deg(theirs.ra_deg[:, None], theirs.dec_deg[:, None], ours.ra_deg, ours.dec_deg).min(axis=1)
        assert np.sort(away)[:-1].max() * 3600 < 0.1
