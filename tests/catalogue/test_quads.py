from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zemosaic.catalogue import CellCatalogue, QuadIndex, Quads, build_quads, cache_folder, load_quads, quads_of
from zemosaic.catalogue import quads as module
from zemosaic.catalogue.sky_cells import encode
from zemosaic.wcs import ra_dec, tangent_plane


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> CellCatalogue:
    """A catalogue of 3000 stars all over the sky."""
    rng = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("catalogue") / "small.bin"
    path.write_bytes(encode(*ra_dec(rng.normal(size=(3000, 3))), rng.uniform(5.0, 11.0, 3000)))
    return CellCatalogue.open(path, "small")


@pytest.fixture(scope="module")
def index(small: CellCatalogue) -> QuadIndex:
    return build_quads(small)


def seen(index: QuadIndex, number: int, turn_deg: float, scale: float) -> Quads:
    """Return a quad of the index as a camera sees it, its stars in another order."""
    corners = index.corners[number].astype(np.intp)[[2, 0, 3, 1]]
    ra, dec = ra_dec(index.stars[corners])
    xi, eta = tangent_plane(ra, dec, *map(float, ra_dec(index.stars[corners].sum(axis=0))))
    plane = (xi + 1j * eta) * np.exp(1j * np.radians(turn_deg)) * scale
    return quads_of(plane[None, :], corners[None, :])


@pytest.mark.parametrize("number", range(0, 3000, 211))
def test_each_quad_is_found_again(index: QuadIndex, number: int) -> None:
    query = seen(index, number, 7.0 * number, 1.01)
    which, there = index.alike(query, np.full(len(query.width), 0.002), 0.03)
    assert number in there
    assert set(which) <= {0}
    best = index.corners[there[0]]
    np.testing.assert_array_equal(np.sort(best), np.sort(index.corners[number]))
    np.testing.assert_array_equal(query.corners[0], index.corners[number], "corners correspond one by one")


def test_another_size_is_another_quad(index: QuadIndex) -> None:
    query = seen(index, 100, 0.0, 1.1)
    which, _ = index.alike(query, np.full(len(query.width), 0.002), 0.03)
    assert len(which) == 0


def test_codes_leave_shift_turn_and_scale_alone() -> None:
    rng = np.random.default_rng(3)
    at = rng.normal(size=(200, 4)) + 1j * rng.normal(size=(200, 4))
    corners = np.tile(np.arange(4), (200, 1))
    first, second = quads_of(at, corners.copy()), quads_of(at * (0.3 - 2.0j) + 5.0, corners.copy())
    np.testing.assert_allclose(first.codes, second.codes, atol=1e-9)
    np.testing.assert_array_equal(first.corners, second.corners)
    order = rng.permuted(corners, axis=1)
    third = quads_of(np.take_along_axis(at, order, 1), order.copy())
    np.testing.assert_array_equal(first.corners, third.corners)
    np.testing.assert_allclose(quads_of(np.conj(at), corners.copy()).codes, first.codes * (1, -1, 1, -1), atol=1e-9)


def test_made_once_and_made_again_when_broken(
    small: CellCatalogue, index: QuadIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(module, "build_quads", lambda catalogue: made.append(1) or index)
    folder = tmp_path / "deep" / "cache"

    def same(found: QuadIndex) -> bool:
        pairs = ((found.key, index.key), (found.corners, index.corners), (found.stars, index.stars))
        return all(np.array_equal(a, b) for a, b in pairs)

    assert same(load_quads(small, folder))
    assert same(load_quads(small, folder))
    assert len(made) == 1
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for broken in (b"", whole[:30], whole[:-1], b"x" + whole[1:], bytes(flipped), whole[:16] + b"\xff" * 24):
        file.write_bytes(broken)
        before = len(made)
        assert same(load_quads(small, folder))
        assert len(made) == before + 1
        assert file.read_bytes() == whole
    assert [path.name for path in folder.iterdir()] == [file.name], "nothing half done is left"


def test_a_cache_that_cannot_be_written_costs_time_only(
    small: CellCatalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert len(load_quads(small, tmp_path / "file" / "cache")) > 1000


def test_cache_folder() -> None:
    assert cache_folder({"ZEMOSAIC_CACHE_DIR": "/elsewhere"}) == Path("/elsewhere")
    assert "zemosaic" in str(cache_folder({}))
