"""What the export phase writes from a canvas: every setting of the outputs and crops has its effect."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from run_of_frames import CANVAS, calibrated_frame, frame_ref, measured_frame, solved_frame

from zemosaic.errors import NothingUsable
from zemosaic.events import Logged, Warned
from zemosaic.model import GridPlan, TileProduct, TileSpec
from zemosaic.phases.context import make_context
from zemosaic.phases.export import Outputs, export_mosaic
from zemosaic.phases.plan import FieldPlan
from zemosaic.phases.run.workers import Workers
from zemosaic.picture.stretch import SKY_LEVEL
from zemosaic.qa.residual_background import ResidualBackground
from zemosaic.settings.schema import Settings
from zemosaic.store.canvas_store import CanvasStore, TilePixels
from zemosaic.store.mosaic_file import MosaicFile

HEIGHT, WIDTH = 400, 300
COVERED = (40, 380, 20, 290)
ABOUT_STARS = ("log.white", "log.no_white")
THIN = 64
"""Columns at the left of the covered part with a fifth of the weight."""


def canvas(folder: Path, tile: TileSpec, filled: bool = True) -> CanvasStore:
    rng = np.random.default_rng(5)
    value = rng.normal(50, 5, (3, HEIGHT, WIDTH)).astype(np.float32)
    value[:, ::37, ::41] += 900
    value[2] *= 3
    inside = np.zeros((HEIGHT, WIDTH), bool)
    y0, y1, x0, x1 = COVERED
    inside[y0:y1, x0:x1] = filled
    value[:, ~inside] = np.nan
    weight = np.where(inside, rng.uniform(0.9, 1.1, inside.shape), 0).astype(np.float32)
    weight[:, x0 : x0 + THIN] *= 0.2
    store = CanvasStore(folder / "canvas.zarr")
    store.create(GridPlan(CANVAS, WIDTH, HEIGHT, 3, (tile,)), "fingerprint")
    kept = np.where(inside, 8, 0).astype(np.int32)
    store.write_canvas(tile.inner, TilePixels(value, weight, kept, np.zeros_like(kept)))
    return store


def export(folder: Path, filled: bool = True, **changes: object) -> tuple[Outputs, list]:
    """Export a canvas; returns what was made and the events."""
    rng = np.random.default_rng(1)
    frame = frame_ref(0, datetime(2025, 3, 27, 1))
    frame = calibrated_frame(solved_frame(measured_frame(frame, rng, 3.0), rng, 0.0), rng)
    box = (0, HEIGHT, 0, WIDTH)
    tile = TileSpec(0, box, box, (0,))
    grid = FieldPlan(GridPlan(CANVAS, WIDTH, HEIGHT, 3, (tile,)), (frame,))
    folder.mkdir(exist_ok=True)
    seen: list = []
    context = make_context(
        settings=Settings(input_dir="in", output_dir=str(folder), **changes),
        emit=seen.append,
        workers=Workers(None, SimpleNamespace(limit_bytes=4 << 30), lambda: False, folder),
        journal=None,
        monitor=SimpleNamespace(cpu_s=lambda: 0.0),
    )
    outputs = export_mosaic(context, 1, grid, [TileProduct(0, (0,), 0.0, "exact")], canvas(folder, tile, filled))
    told = [event.text for event in seen if isinstance(event, Logged | Warned)]
    return outputs, [text for text in told if text.key not in ABOUT_STARS]


def mosaic(folder: Path, outputs: Outputs) -> np.ndarray:
    with closing(MosaicFile(folder / outputs.product.mosaic)) as file:
        return file[:, :, :].copy()


def test_by_default_all_of_the_canvas_is_written_as_floats(tmp_path):
    outputs, told = export(tmp_path)
    assert not told
    assert outputs.product.box == (0, HEIGHT, 0, WIDTH)
    pixels = fits.getdata(tmp_path / outputs.product.mosaic)
    assert pixels.dtype == ">f4"
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[COVERED[0] : COVERED[1], COVERED[2] : COVERED[3]] = True
    assert np.array_equal(pixels != 0, np.broadcast_to(inside, pixels.shape)) and np.isfinite(pixels).all()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "zemosaic_MT1_R1.fits",
        "zemosaic_MT1_R1_coverage.fits",
        "zemosaic_MT1_R1_picture.jpg",
        "zemosaic_MT1_R1_preview.png",
        "zemosaic_MT1_R1_sigma.fits",
        "zemosaic_MT1_R1_weight.fits",
    ]


def test_sixteen_bits_and_compression_of_all_files(tmp_path):
    plain, _ = export(tmp_path / "plain")
    packed, _ = export(tmp_path / "packed", save_final_as_uint16=True, save_compressed_fits=True)
    product = packed.product
    assert all(name.endswith(".fits.fz") for name in (product.mosaic, product.coverage, product.weight))
    with fits.open(tmp_path / "packed" / product.mosaic) as hdus:
        header, numbers = hdus[1].header.copy(), hdus[1].data
    assert numbers.dtype == np.uint16
    pixels = np.where(numbers > 0, header["ZMZERO"] + header["ZMSCALE"] * numbers, np.nan)
    wanted = mosaic(tmp_path / "plain", plain)
    assert np.array_equal(np.isnan(pixels), np.isnan(wanted))
    assert np.nanmax(np.abs(pixels - wanted)) <= 0.501 * header["ZMSCALE"]
    for kind in ("coverage", "weight"):
        read = fits.getdata(tmp_path / "packed" / getattr(product, kind))
        assert np.array_equal(read, fits.getdata(tmp_path / "plain" / getattr(plain.product, kind)))


@pytest.mark.parametrize("compressed", [False, True])
def test_nan_where_no_frame_reaches_on_request(tmp_path, compressed):
    zero, _ = export(tmp_path / "zero", save_compressed_fits=compressed)
    nan, _ = export(tmp_path / "nan", save_compressed_fits=compressed, empty_pixels="nan")
    asked, header = fits.getdata(tmp_path / "nan" / nan.product.mosaic, header=True)
    plain = fits.getdata(tmp_path / "zero" / zero.product.mosaic)
    assert np.isnan(asked).any() and np.array_equal(np.nan_to_num(asked, nan=0.0), plain)
    assert "ZMEMPTY" not in header
    assert np.array_equal(mosaic(tmp_path / "zero", zero), asked, equal_nan=True)


@pytest.mark.parametrize(("kind", "end"), [("png16", ".png"), ("tiff", ".tif")])
def test_the_stretched_picture_in_full_size(tmp_path, kind, end):
    outputs, _ = export(tmp_path, save_stretched=kind, global_wcs_autocrop_enabled=True)
    assert outputs.product.stretched == f"zemosaic_MT1_R1_stretched{end}"
    read = cv2.imread(str(tmp_path / outputs.product.stretched), cv2.IMREAD_UNCHANGED)
    assert read.dtype == np.uint16
    assert read.shape == (outputs.product.height, outputs.product.width, 3)
    assert not read[:10].any() and np.median(read[100:200, 100:200]) == pytest.approx(SKY_LEVEL * 65535, rel=0.1)


def test_linked_and_unlinked_pictures_differ(tmp_path):
    linked, unlinked = (
        export(tmp_path / str(kind), preview_linked=kind, save_stretched="png16")[0] for kind in (True, False)
    )
    assert not np.array_equal(linked.pictures.preview, unlinked.pictures.preview)
    names = [tmp_path / str(kind) / linked.product.stretched for kind in (True, False)]
    assert names[0].read_bytes() != names[1].read_bytes()


def same_sky(folder: Path, outputs: Outputs) -> None:
    """Check that a cropped mosaic holds the canvas's own pixels at the canvas's own places."""
    product = outputs.product
    y0, y1, x0, x1 = product.box
    whole, _ = export(folder / "whole")
    pixels = mosaic(folder, outputs)
    assert pixels.shape == (3, product.height, product.width)
    assert np.array_equal(pixels, mosaic(folder / "whole", whole)[:, y0:y1, x0:x1], equal_nan=True)
    header = fits.getheader(folder / product.mosaic)
    assert np.allclose(
        WCS(header).celestial.all_pix2world(3.0, 4.0, 0), CANVAS.pixel_to_sky(3.0 + x0, 4.0 + y0), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("margin", [0, 15, 64])
def test_the_autocrop_leaves_its_margin_and_says_so(tmp_path, margin):
    outputs, told = export(tmp_path, global_wcs_autocrop_enabled=True, global_wcs_autocrop_margin_px=margin)
    y0, y1, x0, x1 = COVERED
    wanted = (max(0, y0 - margin), min(HEIGHT, y1 + margin), max(0, x0 - margin), min(WIDTH, x1 + margin))
    assert outputs.product.box == wanted
    same_sky(tmp_path, outputs)
    assert told[0].key == "log.autocrop"
    assert told[0].params["left"] == wanted[2] and told[0].params["height"] == wanted[1] - wanted[0]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, THIN + 8),
        ({"quality_crop_margin_px": 0}, THIN),
        ({"quality_crop_band_px": 24}, 72 + 8),
        ({"quality_crop_k_sigma": 20.0}, 0),
        ({"quality_crop_min_run": 1}, THIN + 8),
        ({"quality_crop_min_run": 3}, 0),
    ],
)
def test_the_quality_crop_cuts_the_thin_border_and_says_so(tmp_path, changes, left):
    outputs, told = export(tmp_path, quality_crop_enabled=True, **changes)
    assert outputs.product.box == (0, HEIGHT, COVERED[2] + left if left else 0, WIDTH)
    same_sky(tmp_path, outputs)
    assert told[0].key == "log.quality_crop"
    assert (told[0].params["left"], told[0].params["right"]) == (left, 0)


def test_both_crops_together(tmp_path):
    outputs, told = export(
        tmp_path, quality_crop_enabled=True, global_wcs_autocrop_enabled=True, global_wcs_autocrop_margin_px=5
    )
    assert outputs.product.box == (35, 385, COVERED[2] + THIN + 8, 295)
    assert [text.key for text in told] == ["log.autocrop", "log.quality_crop"]


@pytest.mark.parametrize("changes", [{"quality_crop_margin_px": 1024}])
def test_a_crop_that_would_leave_nothing_is_not_made(tmp_path, changes):
    outputs, told = export(tmp_path, quality_crop_enabled=True, **changes)
    assert outputs.product.box == (0, HEIGHT, 0, WIDTH)
    assert [text.key for text in told] == ["warning.quality_crop_nothing_left"]


def test_an_empty_canvas_is_a_failure(tmp_path):
    with pytest.raises(NothingUsable):
        export(tmp_path, filled=False)


def test_the_residual_background_is_taken_off_pictures_and_a_second_file_only_when_asked(tmp_path, monkeypatch):
    across = (0.0, 0.0, 0.0, 9.0, 0.0, 0.0)
    tilted = ResidualBackground((0, HEIGHT, 0, WIDTH), (across,) * 3, (18.0,) * 3, (0.1,) * 3, 0.8)
    monkeypatch.setattr("zemosaic.phases.outputs.flat_sky.residual_background", lambda value, box: tilted)
    made = {asked: export(tmp_path / asked, flatten_background=asked) for asked in ("off", "picture", "both")}
    assert [[told.key for told in made[asked][1]] for asked in made] == [[], ["log.flat_sky"], ["log.flat_sky"]]
    assert [made[asked][0].sky for asked in made] == [None, tilted, tilted]
    flat = {asked: list((tmp_path / asked).glob("*_flattened.fits")) for asked in made}
    assert [len(flat[asked]) for asked in made] == [0, 0, 1]
    plain = [fits.getdata(tmp_path / asked / made[asked][0].product.mosaic) for asked in made]
    assert np.array_equal(plain[0], plain[1]) and np.array_equal(plain[0], plain[2]), "the mosaic itself is left alone"
    previews = [(tmp_path / asked / made[asked][0].product.preview).read_bytes() for asked in made]
    assert previews[0] != previews[1] == previews[2]
    taken = plain[2] - fits.getdata(flat["both"][0])
    inside = np.s_[:, COVERED[0] : COVERED[1], COVERED[2] : COVERED[3]]
    columns = np.arange(COVERED[2], COVERED[3])
    assert np.allclose(taken[inside], 9.0 * (2 * columns + 1 - WIDTH) / WIDTH, atol=1e-3)
    header, whole = fits.getheader(flat["both"][0]), fits.getheader(tmp_path / "both" / made["both"][0].product.mosaic)
    assert header["ZMFLATR"] == 18.0 and header["CRPIX1"] == whole["CRPIX1"]


@pytest.mark.parametrize("why", ["small", "nebula", "corner"])
def test_the_reason_why_no_background_is_taken_off_is_told(tmp_path, monkeypatch, why):
    monkeypatch.setattr("zemosaic.phases.outputs.flat_sky.residual_background", lambda value, box: why)
    outputs, told = export(tmp_path, flatten_background="both")
    assert [text.key for text in told] == [f"warning.flat_sky_{why}"]
    assert outputs.sky is None and not list(tmp_path.glob("*_flattened.fits"))
