"""Mosaics of a folder become colour pictures and planes of lines: files, cards, what is said where something lacks."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from waiting import wait_until
from wheel import COUNTS, HEIGHT, NOISE, SKY, WCS, WIDTH, context_of, glow, put_mosaic, put_wheel, stars_in

from zemosaic.bands.dual_band import NOMINAL
from zemosaic.errors import InputError, NothingUsable
from zemosaic.export.fits import write_fits
from zemosaic.gui.presenter.result.result_actions import ResultActions
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator
from zemosaic.phases.outputs.bands import make_bands
from zemosaic.phases.outputs.folder_bands import combine_folder, make_bands_of_folder, possible_palettes
from zemosaic.settings.schema import Settings
from zemosaic.store.mosaic_file import MosaicFile


def pixels_of(path: Path) -> np.ndarray:
    with closing(MosaicFile(path)) as file:
        return file[:, :, :].copy()


def made(folder: Path, palette: str, now: list[str], **changes: object):
    context, told = context_of(folder, combine_filters=palette, save_picture="none", **changes)
    return make_bands(context, now), [text.key for text in told], told


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    return folder, put_wheel(folder, SKY)


def test_rgb_is_the_mosaics_planes_and_white_by_the_stars(wheel):
    folder, paths = wheel
    outputs, told, _ = made(folder, "rgb", [path.name for path in paths.values()])
    (combined,) = (one.product for one in outputs.combined)
    assert told == ["log.white", "log.bands_combined"] and combined.mosaic == "zemosaic_MT12_R60_RGB.fits"
    planes = pixels_of(folder / combined.mosaic)
    for plane, band in zip(planes, "RGB", strict=True):
        assert np.array_equal(plane, pixels_of(paths[band])[0], equal_nan=True)
    header = fits.getheader(folder / combined.mosaic)
    assert [header[key] for key in ("ZMPALETT", "ZMPLANER", "ZMFILEB", "FILTER")] == [
        *("RGB", "R", paths["B"].name, "R, G, B"),
    ]
    assert header["NCOMBINE"] == 60 and header["EXPTIME"] == 3600 and header["CRPIX1"] == WCS.x_ref + 1
    for gain, band in zip(combined.gains, "RGB", strict=True):
        away_mag = abs(2.5 * np.log10(gain * COUNTS[band]))
        assert away_mag < max(4.0 * combined.error_mag, 0.01)
    assert combined.error_mag < 0.03 and combined.white_stars >= 10
    assert np.all(fits.getdata(folder / combined.coverage) == 20)
    assert (folder / combined.preview).is_file()


def test_luminance_lowers_the_noise_and_its_weight_is_told(wheel):
    folder, paths = wheel
    outputs, told, _ = made(folder, "lrgb", [path.name for path in paths.values()])
    (combined,) = (one.product for one in outputs.combined)
    assert "log.luminance" in told
    header = fits.getheader(folder / combined.mosaic)
    white = sum((NOISE[band] / COUNTS[band]) ** 2 for band in "RGB") / 9
    assert header["ZMLUMFAC"] == pytest.approx(COUNTS["L"], rel=0.1)  # the field's stars are bluer than the Sun
    luminance = (NOISE["L"] / header["ZMLUMFAC"]) ** 2
    assert header["ZMLUMWGT"] == pytest.approx(white / (white + luminance), abs=0.02)
    assert header["ZMLUMWGT"] == pytest.approx(combined.luminance_weight, abs=1e-4)
    assert header["ZMFILEL"] == paths["L"].name and header["ZMWHAPP"] is True
    corner = pixels_of(folder / combined.mosaic)[:, :40, :40].mean(axis=0)
    assert corner.std() == pytest.approx((1 / white + 1 / luminance) ** -0.5, rel=0.1)
    with closing(MosaicFile(folder / combined.mosaic)) as file:
        assert file.colour_gains == (1.0, 1.0, 1.0)


def test_the_same_bytes_whatever_the_order_in_which_files_were_written(tmp_path):
    contents = []
    for name, bands in (("one", "LRGB"), ("two", "BGRL")):
        folder = tmp_path / name
        folder.mkdir()
        paths = put_wheel(folder, bands)
        outputs, _, _ = made(folder, "lrgb", [path.name for path in paths.values()])
        product = outputs.combined[0].product
        contents.append([(folder / file).read_bytes() for file in (product.mosaic, product.preview, product.coverage)])
    assert contents[0] == contents[1]


@pytest.mark.parametrize(("palette", "order"), [("hoo", ("Ha", "OIII", "OIII")), ("sho", ("SII", "Ha", "OIII"))])
def test_palettes_of_lines_keep_their_numbers(wheel, palette, order):
    folder, paths = wheel
    outputs, _, _ = made(folder, palette, [path.name for path in paths.values()])
    product = outputs.combined[0].product
    for plane, band in zip(pixels_of(folder / product.mosaic), order, strict=True):
        assert np.array_equal(plane, pixels_of(paths[band])[0], equal_nan=True)
    header = fits.getheader(folder / product.mosaic)
    assert header["ZMWHMET"] == "lines" and product.error_mag is None
    with closing(MosaicFile(folder / product.mosaic)) as file:
        assert file.colour_gains == pytest.approx(product.gains, abs=1e-6)  # the window shows what was saved


def test_pseudo_sho_mixes_the_lines_at_one_brightness(wheel):
    folder, paths = wheel
    outputs, _, _ = made(folder, "pseudo_sho", [path.name for path in paths.values()])
    product = outputs.combined[0].product
    header = fits.getheader(folder / product.mosaic)
    ha_share, oiii_share = (float(part.split()[0]) for part in header["ZMMIXG"].split(" + "))
    ha, oiii = (pixels_of(paths[band])[0] for band in ("Ha", "OIII"))
    green = pixels_of(folder / product.mosaic)[1]
    assert np.allclose(green, ha_share * ha + oiii_share * oiii, rtol=1e-3)
    lines = glow()
    assert oiii_share / ha_share == pytest.approx(lines["Ha"].max() / lines["OIII"].max(), rel=0.1)
    assert header["NCOMBINE"] == 40


def test_a_missing_band_is_named_and_nothing_made_up(tmp_path):
    paths = put_wheel(tmp_path, ("R", "B"))
    before = sorted(tmp_path.iterdir())
    outputs, keys, told = made(tmp_path, "rgb", [path.name for path in paths.values()])
    assert not outputs.combined and keys == ["warning.bands_lacking"]
    assert told[0].params == {"palette": "RGB", "bands": "G", "there": "B, R"}
    assert sorted(tmp_path.iterdir()) == before


def test_bands_of_an_earlier_run_help_where_they_lie_on_the_same_pixels(tmp_path):
    paths = put_wheel(tmp_path, "RGB")
    older = put_wheel(tmp_path, "G", seed=9)["G"].rename(tmp_path / "zemosaic_MT4_R9_G.fits")
    os.utime(older, ns=(1, 1))
    outputs, keys, told = made(tmp_path, "rgb", [paths["R"].name])
    assert keys.count("log.band_of_earlier_run") == 2
    assert {text.params["file"] for text in told[:2]} == {"zemosaic_MT4_R9_G.fits", paths["B"].name}
    assert outputs.combined[0].product.planes[0] == paths["R"].name


def test_other_versions_of_a_mosaic_are_not_taken_for_it(tmp_path):
    paths = put_wheel(tmp_path, "RGB")
    for kind in ("flat", "crop"):
        put_mosaic(tmp_path, f"{paths['G'].stem}_{kind}", np.ones((1, HEIGHT, WIDTH)), filter_name="G")
    outputs, _, _ = made(tmp_path, "rgb", [paths["R"].name])
    assert outputs.combined[0].product.planes[1] == paths["G"].name


def test_crops_are_put_together_by_their_place_on_the_sky(tmp_path):
    paths = put_wheel(tmp_path, "RGB")
    green = pixels_of(paths["G"])
    cut = put_mosaic(tmp_path, paths["G"].stem, green[:, 30:, 45:-5], filter_name="G", wcs=WCS.shifted(45, 30))
    outputs, _, _ = made(tmp_path, "rgb", [path.name for path in paths.values()])
    product = outputs.combined[0].product
    assert (product.width, product.height) == (WIDTH - 50, HEIGHT - 30)
    planes = pixels_of(tmp_path / product.mosaic)
    assert np.array_equal(planes[1], pixels_of(cut)[0])
    assert np.array_equal(planes[0], pixels_of(paths["R"])[0, 30:, 45:-5])
    assert fits.getheader(tmp_path / product.mosaic)["CRPIX1"] == pytest.approx(WCS.x_ref + 1 - 45)


def test_another_grid_is_told(tmp_path):
    paths = put_wheel(tmp_path, "RG")
    elsewhere = WCS.shifted(0.5, 0.0)
    put_mosaic(tmp_path, "zemosaic_MT4_R20_B", np.ones((1, HEIGHT, WIDTH)), filter_name="B", wcs=elsewhere)
    outputs, keys, _ = made(tmp_path, "rgb", [path.name for path in paths.values()])
    assert not outputs.combined and keys == ["warning.bands_lacking", "warning.bands_other_grid"]


CAMERA = replace(NOMINAL, ha_green=0.21, ha_blue=0.11, oiii_red=0.05, oiii_blue=0.7)
"""A camera that differs from the nominal one."""


def put_lp(folder: Path, *, filter_name: str = "LP", seed: int = 4) -> tuple[Path, np.ndarray]:
    """Write a mosaic behind a dual-band filter with its noise map; returns it and the light of its lines."""
    rng, lines = np.random.default_rng(seed), glow()
    starlight = stars_in("Ha")
    light = np.stack([lines["Ha"] + starlight, lines["OIII"] + starlight])
    sky, sigma = np.array([300.0, 500.0, 350.0]), np.array([1.2, 0.8, 1.1])
    planes = np.einsum("cl,lhw->chw", CAMERA.matrix, light) + sky[:, None, None]
    planes += rng.normal(0, 1, planes.shape) * sigma[:, None, None]
    planes[:, :12] = np.nan
    path = put_mosaic(folder, "zemosaic_MT4_R20_LP", planes, filter_name=filter_name)
    noise = np.broadcast_to(sigma.astype(np.float32)[:, None, None], planes.shape)
    write_fits(folder / "zemosaic_MT4_R20_LP_sigma.fits", noise, wcs=WCS, axis_order="CHW")
    return path, light


def test_lines_come_back_out_of_a_dual_band_mosaic_with_true_noise(tmp_path):
    path, light = put_lp(tmp_path)
    context, told = context_of(tmp_path, dual_band_planes="dual_band", combine_filters="hoo", save_picture="none")
    outputs = make_bands(context, [path.name])
    assert [line.mosaic for line in outputs.lines] == ["zemosaic_MT4_R20_LP_Ha.fits", "zemosaic_MT4_R20_LP_OIII.fits"]
    assert told[0].key in ("log.dual_band_data", "log.dual_band_nominal")
    for line, truth, other in zip(outputs.lines, light, light[::-1], strict=True):
        plane, header = pixels_of(tmp_path / line.mosaic)[0], fits.getheader(tmp_path / line.mosaic)
        sigma = pixels_of(tmp_path / line.sigma)[0]
        away = plane - header["ZMPED"] - truth
        corner = np.s_[20:60, 20:60]
        assert abs(np.median(away[corner])) < 2.0  # where the nebula is faint it counts as sky
        away -= np.median(away[corner])
        inside = np.isfinite(plane)
        assert np.array_equal(inside, np.isfinite(pixels_of(path)).all(axis=0))
        usual = 5 * sigma[inside] + 3 * line.other_line * other[inside]
        assert np.mean(np.abs(away[inside]) < usual) > 0.999
        bright = inside & (other > 0.7 * glow()["OIII" if line.band == "Ha" else "Ha"].max())
        left = np.median(away[bright] / other[bright])
        assert abs(left) < 3 * line.other_line and line.other_line < 0.15
        assert away[corner].std() == pytest.approx(sigma[corner].mean(), rel=0.05)
        assert header["ZMBAND"] == line.band and header["ZMDBFILE"] == path.name and header["ZMXTALK"] > 0
        assert np.all(fits.getdata(tmp_path / line.weight) == 20)
    combined = outputs.combined[0].product
    assert combined.planes == (outputs.lines[0].mosaic, *[outputs.lines[1].mosaic] * 2)
    assert fits.getheader(tmp_path / combined.mosaic)["NCOMBINE"] == 20  # the frames of both lines are the same


def test_gains_that_are_applied_do_not_change_the_lines(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "applied").mkdir()
    found = []
    for folder, gains in ((tmp_path / "plain", None), (tmp_path / "applied", (1.6, 1.0, 1.3))):
        path, _ = put_lp(folder)
        if gains is not None:
            with fits.open(path, mode="update") as hdus:
                hdus[0].data *= np.array(gains, np.float32)[:, None, None]
                hdus[0].header["ZMWHAPP"] = True
                for key, gain in zip(("ZMGAINR", "ZMGAING", "ZMGAINB"), gains, strict=True):
                    hdus[0].header[key] = gain
            with fits.open(folder / "zemosaic_MT4_R20_LP_sigma.fits", mode="update") as hdus:
                hdus[0].data *= np.array(gains, np.float32)[:, None, None]
        context, _ = context_of(folder, dual_band_planes="dual_band")
        lines = make_bands(context, [path.name]).lines
        found.append([pixels_of(folder / name) for line in lines for name in (line.mosaic, line.sigma)])
    for plain, applied in zip(*found, strict=True):
        assert np.allclose(plain, applied, rtol=1e-3, atol=0.02, equal_nan=True)


def test_only_known_dual_band_filters_unless_asked_for_all(tmp_path):
    path, _ = put_lp(tmp_path, filter_name="IRCUT")
    context, told = context_of(tmp_path, dual_band_planes="dual_band")
    assert make_bands(context, [path.name]).lines == () and told[0].key == "warning.no_dual_band"
    context, _ = context_of(tmp_path, dual_band_planes="all")
    assert len(make_bands(context, [path.name]).lines) == 2
    outputs, keys, _ = made(tmp_path, "hoo", [path.name])
    assert outputs.combined == () or "log.band_of_earlier_run" in keys


def test_a_colour_mosaic_that_could_give_the_lines_is_pointed_out(tmp_path):
    path, _ = put_lp(tmp_path)
    outputs, keys, _ = made(tmp_path, "pseudo_sho", [path.name])
    assert not outputs.combined and keys == ["warning.bands_lacking", "warning.bands_in_colour"]


def test_a_folder_of_earlier_runs_without_a_run(tmp_path):
    with pytest.raises(InputError, match=r"error\.bands_not_asked"):
        make_bands_of_folder(tmp_path, Settings(), print)
    wanted = Settings(combine_filters="rgb", save_picture="none")
    with pytest.raises(InputError, match=r"error\.no_mosaics_here"):
        make_bands_of_folder(tmp_path, wanted, print)
    paths = put_wheel(tmp_path, "RG")
    with pytest.raises(NothingUsable, match=r"error\.bands_not_made"):
        make_bands_of_folder(tmp_path, wanted, lambda event: None)
    paths |= put_wheel(tmp_path, "B")
    older = tmp_path / "zemosaic_MT4_R9_G.fits"
    older.write_bytes(paths["G"].read_bytes())
    os.utime(older, ns=(1, 1))
    (combined,) = make_bands_of_folder(tmp_path, wanted, lambda event: None)
    assert fits.getheader(combined)["ZMFILEG"] == paths["G"].name


def test_a_folder_knows_what_its_mosaics_can_be_combined_to(tmp_path):
    assert possible_palettes(tmp_path) == ()
    put_wheel(tmp_path, "RGB")
    assert possible_palettes(tmp_path) == ("rgb",)
    put_lp(tmp_path)
    assert possible_palettes(tmp_path) == ("rgb", "hoo", "pseudo_sho")
    made = combine_folder(tmp_path, "hoo", Settings(save_picture="none"), lambda event: None)
    assert fits.getheader(made)["ZMPALETT"] == "HOO"


def test_a_result_page_offers_what_its_folder_can_be_combined_to_and_opens_it(tmp_path):
    put_wheel(tmp_path, "RGB")
    session = Session(Translator("en"), {"ZEMOSAIC_CONFIG_DIR": str(tmp_path / "config")}, None, None)
    session.edit("save_picture", "none")
    opened, told = [], []
    widgets = SimpleNamespace(picture=SimpleNamespace(tool=None, redraw=lambda: None), show_read_out=told.append)
    desk = SimpleNamespace(path=str(tmp_path / "zemosaic_MT4_R20_R.fits"), size=(1, 1), other=None)
    actions = ResultActions(session, widgets, desk, opened.append)
    actions.take_mosaic()
    wait_until(lambda: actions.bands.palettes, actions.pump)
    entries = {entry.text: entry for entry in actions.open_entries()}
    entries["Combine filters – RGB: red, green, blue"].act()
    assert told[-1] == "Combining the filters…"
    wait_until(lambda: opened, actions.pump)
    assert fits.getheader(opened[0])["ZMPALETT"] == "RGB" and told[-1] == f"Combined: {opened[0]}"
    (tmp_path / "zemosaic_MT4_R20_B.fits").unlink()
    actions.bands.combine("rgb", Settings(save_picture="none"))
    wait_until(lambda: told[-1].startswith("No RGB picture: B lacking"), actions.pump)
    actions.close()
