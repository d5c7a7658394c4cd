"""Stars on a mosaic, found and measured: light, places, widths, what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from star_fields import FWHM_PX, NOISE, SCALE, SKY, WCS, scattered, star_image

from zemosaic.catalogue import CatalogueStars
from zemosaic.catalogue.star_colours import ColouredStars
from zemosaic.stars.apertures import ApertureSizes, measure_stars, typical_fwhm, windows
from zemosaic.stars.colour_stars import KnownStars, SaturatedPlaces, colours_for_white, measured_colours
from zemosaic.stars.detect import FLAG_SATURATED, find_stars, joined
from zemosaic.stars.response import USUAL
from zemosaic.stars.star_table import star_table, write_star_table
from zemosaic.stars.white import SUN_BP_RP, white_of_stars
from zemosaic.stars.zero_point import ENCLOSED_OF_FAINT_APERTURE, FAINT_RADIUS_FWHM, faintest_star, zero_point

BOX = (0, 500, 0, 600)
MAGZPT = 22.0
GAINS = (1.6, 1.0, 1.35)


class Nothing:
    """A catalogue without stars."""

    name = "none"

    def cone(self, ra_deg, dec_deg, radius_deg, limit=None):
        return CatalogueStars(np.empty(0), np.empty(0), np.empty(0, np.float32))


def known_field(count=60, seed=3):
    """Return a mosaic and its stars, whose colours follow a camera of known response."""
    rng = np.random.default_rng(seed)
    x, y = scattered(count, seed=seed)
    g_mag, bp_rp = rng.uniform(8.0, 10.0, count), rng.uniform(0.1, 1.7, count)
    green = 10 ** (-0.4 * (g_mag - MAGZPT))
    away = bp_rp - SUN_BP_RP
    flux = np.stack(
        [green / GAINS[0] * 10 ** (0.4 * 0.4 * away), green, green / GAINS[2] * 10 ** (-0.4 * 0.6 * away)], axis=1
    )
    ra, dec = WCS.pixel_to_sky(x, y)
    return star_image(x, y, flux), KnownStars(ColouredStars(ra, dec, g_mag, bp_rp), x, y), flux


def measured(planes, known, saturated=None):
    none = np.empty(0)
    return measured_colours(planes, None, known, WCS, BOX, saturated or SaturatedPlaces(none, none), Nothing())


def test_fluxes_widths_and_levels_are_right():
    planes, known, flux = known_field()
    assert typical_fwhm(planes, known.x_px, known.y_px, BOX) == pytest.approx(FWHM_PX, rel=0.1)
    sizes = ApertureSizes.of_fwhm(FWHM_PX)
    stars = measure_stars(planes, known.x_px, known.y_px, sizes, BOX)
    assert np.allclose(stars.flux, flux, rtol=2e-3)
    assert np.allclose(stars.background, SKY, atol=1.5)
    assert np.median(stars.error) == pytest.approx(NOISE * np.sqrt(np.pi) * sizes.radius, rel=0.15)


def test_windows_do_not_matter(monkeypatch):
    planes, known, _ = known_field(20)
    sizes = ApertureSizes.of_fwhm(FWHM_PX)
    whole = measure_stars(planes, known.x_px, known.y_px, sizes, BOX)
    monkeypatch.setattr("zemosaic.stars.apertures.windows", lambda box: windows(box, 128))
    parts = measure_stars(planes, known.x_px, known.y_px, sizes, BOX)
    assert np.allclose(whole.flux, parts.flux, rtol=1e-9)


def test_white_and_zero_point_of_a_mosaic():
    planes, known, _ = known_field()
    stars = measured(planes, known)
    white = white_of_stars(colours_for_white(stars), USUAL, "test")
    assert np.allclose(-2.5 * np.log10(np.array(white.colour.gains) / GAINS), 0.0, atol=0.005)
    zero = zero_point(stars)
    assert zero.magzpt == pytest.approx(MAGZPT, abs=0.01)
    assert zero.stars == 60


def test_saturated_stars_do_not_decide():
    planes, known, _ = known_field()
    cut = np.arange(60) < 10
    planes = np.minimum(planes, 30000.0)
    places = SaturatedPlaces(known.stars.ra_deg[cut], known.stars.dec_deg[cut])
    stars = measured(planes, known, places)
    assert stars.saturated[:10].all() and not stars.good[:10].any()
    assert stars.good[10:].any()


def test_stars_beside_others_and_beside_gaps_do_not_decide():
    planes, known, _ = known_field(20)
    planes[:, int(known.y_px[0]) - 4 : int(known.y_px[0]) + 5, int(known.x_px[0]) + 3 :] = np.nan
    ra, dec = WCS.pixel_to_sky(known.x_px[1] + 6.0, known.y_px[1])

    class OneNeighbour(Nothing):
        def cone(self, ra_deg, dec_deg, radius_deg, limit=None):
            return CatalogueStars(np.array([ra]), np.array([dec]), np.array([9.0], np.float32))

    none = np.empty(0)
    stars = measured_colours(planes, None, known, WCS, BOX, SaturatedPlaces(none, none), OneNeighbour())
    assert not stars.good[0] and not stars.good[1] and stars.good[2:].sum() >= 16


def test_the_faintest_star_is_that_of_the_noise():
    planes, known, _ = known_field()
    zero = zero_point(measured(planes, known))
    depth = faintest_star(planes, None, BOX, zero)
    radius = FAINT_RADIUS_FWHM * zero.fwhm_px
    noise = NOISE * np.sqrt(np.pi) * radius / ENCLOSED_OF_FAINT_APERTURE
    assert depth.limit_mag == pytest.approx(zero.magzpt - 2.5 * np.log10(5 * noise), abs=0.15)


def test_all_stars_are_found_where_they_are_and_no_others():
    x, y = scattered(150, apart=20.0)
    flux = np.geomspace(250.0, 20000.0, 150)[:, None] * [0.8, 1.0, 0.7]
    planes = star_image(x, y, flux)
    stars = joined(find_stars(planes, windows(BOX, 256), FWHM_PX, None), 3)
    distance = np.hypot(stars.x_px[:, None] - x, stars.y_px[:, None] - y)
    assert (distance.min(axis=0) < 0.6).mean() >= 0.98
    assert (distance.min(axis=1) > 2.0).mean() <= 0.01
    bright = stars.snr > 50
    nearest = distance.argmin(axis=1)
    assert np.median(distance.min(axis=1)[bright]) < 0.05
    pull = (stars.flux[bright, 1] - flux[nearest[bright], 1]) / stars.error[bright, 1]
    assert np.std(pull) < 1.5 and abs(np.median(pull)) < 0.6
    assert np.nanmedian(stars.fwhm_px[bright]) == pytest.approx(FWHM_PX, rel=0.1)


def test_light_is_measured_above_the_nebula_around_each_star():
    x, y = scattered(60, seed=8)
    planes = star_image(x, y, np.full((60, 3), 20000.0))
    rows, columns = np.mgrid[:500, :600]
    planes += (300.0 * np.sin(columns / 45.0) * np.sin(rows / 45.0)).astype(np.float32)
    stars = joined(find_stars(planes, [BOX], FWHM_PX, None), 3)
    nearest = [int(np.argmin(np.hypot(stars.x_px - a, stars.y_px - b))) for a, b in zip(x, y, strict=True)]
    light = stars.flux[nearest, 1]
    assert np.median(np.abs(light / np.median(light) - 1.0)) < 0.03


def test_noise_follows_the_depth_of_each_pixel():
    rng = np.random.default_rng(5)
    depth = np.full((500, 600), 16.0, np.float32)
    depth[:, 280:320] = 1.0  # narrower than a cell of the background
    planes = (np.array(SKY)[:, None, None] + NOISE * rng.normal(size=(3, 500, 600)) * 4.0 / np.sqrt(depth)).astype(
        np.float32
    )
    known, told = (joined(find_stars(planes, [BOX], FWHM_PX, None, kept), 3) for kept in (None, depth))
    assert len(known) > 100, "without the depths, noise counts as stars"
    assert len(told) < 5


def test_cut_off_stars_are_flagged():
    x, y = scattered(20)
    planes = star_image(x, y, np.full((20, 3), 5000.0))
    planes[:, round(y[3]), round(x[3])] = 60000.0
    stars = joined(find_stars(planes, [BOX], FWHM_PX, (50000.0,) * 3), 3)
    flagged = np.flatnonzero(stars.flags & FLAG_SATURATED)
    assert len(flagged) == 1 and np.hypot(stars.x_px[flagged] - x[3], stars.y_px[flagged] - y[3]) < 1.5


def test_the_table_is_on_gaias_system(tmp_path):
    planes, known, _ = known_field()
    reference = measured(planes, known)
    white = white_of_stars(colours_for_white(reference), USUAL, "test")
    stars = joined(find_stars(planes, [BOX], FWHM_PX, None), 3)
    path = tmp_path / "stars.ecsv"
    write_star_table(path, star_table(stars, WCS, zero_point(reference), white))
    table = Table.read(path, format="ascii.ecsv")
    assert table["ra"].unit == "deg" and len(table) >= 60
    near = np.hypot(table["x"][:, None] - 1 - known.x_px, table["y"][:, None] - 1 - known.y_px)
    row = near.argmin(axis=0)
    assert near.min(axis=0).max() < 0.3
    assert np.abs(table["g_mag"][row] - known.stars.g_mag).max() < 0.03
    assert np.abs(table["bp_rp"][row] - known.stars.bp_rp).max() < 0.05
    assert np.abs(table["dec"][row] - known.stars.dec_deg).max() < 0.2 * SCALE


def test_an_empty_mosaic_has_no_stars(tmp_path):
    planes = np.full((3, 300, 300), np.nan, np.float32)
    stars = joined(find_stars(planes, [(0, 300, 0, 300)], FWHM_PX, None), 3)
    assert len(stars) == 0
    write_star_table(tmp_path / "none.ecsv", star_table(stars, WCS, None, None))
    assert len(Table.read(tmp_path / "none.ecsv", format="ascii.ecsv")) == 0
