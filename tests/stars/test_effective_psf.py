"""The shape of the stars in each part of a mosaic."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from star_fields import FWHM_PX, scattered, star_image

from zemosaic.stars.apertures import windows
from zemosaic.stars.detect import find_stars, joined
from zemosaic.stars.effective_psf import OVERSAMPLING, psfs_of_parts, write_psfs

BOX = (0, 600, 0, 600)


def test_each_part_has_the_shape_of_its_stars(tmp_path):
    x, y = scattered(130, shape=BOX[1::2], seed=2)
    planes = star_image(x, y, np.full((len(x), 3), 30000.0), shape=BOX[1::2])
    planes[:, :200, :200] = np.nan  # a part without stars
    stars = joined(find_stars(planes, windows(BOX, 300), FWHM_PX, None), 3)
    psfs = psfs_of_parts(planes, stars, FWHM_PX, BOX)
    assert len(psfs) == 8 and (0, 200, 0, 200) not in [psf.box for psf in psfs]
    for psf in psfs:
        assert psf.fwhm_px == pytest.approx(FWHM_PX, rel=0.05)
        assert psf.image.sum() == pytest.approx(1.0, abs=1e-4)
        assert np.unravel_index(psf.image.argmax(), psf.image.shape) == tuple(n // 2 for n in psf.image.shape)
    write_psfs(tmp_path / "m_psf.fits", psfs, 2.4)
    with fits.open(tmp_path / "m_psf.fits") as parts:
        assert len(parts) == 9 and parts[1].header["PARTX"] == "201:400" and parts[1].header["PARTY"] == "1:200"
        assert parts[1].header["OVERSAMP"] == OVERSAMPLING
        assert parts[1].header["FWHM"] == pytest.approx(2.4 * FWHM_PX, rel=0.05)


def test_few_stars_tell_no_shape():
    planes = np.full((3, 300, 300), 500.0, np.float32)
    assert psfs_of_parts(planes, joined([], 3), FWHM_PX, (0, 300, 0, 300)) == []
