"""Pictures to share: sizes, metadata, captions, the crop, the page of tiles."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import ICRS, SkyCoord
from astropy.wcs import WCS
from astropy_healpix import HEALPix
from PIL import Image
from pyavm import AVM
from run_of_frames import CANVAS

from zemosaic.i18n import Translator
from zemosaic.picture.sharing.caption import with_caption
from zemosaic.picture.sharing.good_depth import deep_box, largest_rectangle
from zemosaic.picture.sharing.hips import write_hips
from zemosaic.picture.sharing.metadata import PictureInfo, xmp_packet
from zemosaic.picture.sharing.page import TILE_PX, PageTexts, level_count, write_page
from zemosaic.picture.sharing.shared_file import encoded, write_shared

HEIGHT, WIDTH = 700, 900


def scene() -> np.ndarray:
    """Return a picture with noise, so that no kind of file makes it very small."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    smooth = np.stack([x / WIDTH, y / HEIGHT, (x + y) / (WIDTH + HEIGHT)], axis=-1) * 180 + 30
    return (smooth + np.random.default_rng(3).normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)


def info(**changes: object) -> PictureInfo:
    turned = replace(CANVAS, cd=((-4e-4, 3e-4), (3e-4, 4e-4)))
    plain = PictureInfo("NGC 7000 & more", "two\nlines", "Ada <L>", "S50", turned, WIDTH, HEIGHT)
    return replace(plain, **changes)


def avm(packet: bytes) -> dict[str, list[str]]:
    """Return the tags of a packet."""
    text = packet.decode()
    root = ET.fromstring(text[text.index("<x:xmpmeta") : text.index("<?xpacket end")])
    tags = {}
    for element in root.iter():
        name = element.tag.partition("}")[2]
        items = [item.text or "" for item in element.iter() if item.tag.endswith("}li")]
        if name not in ("li", "Seq", "Alt"):
            tags[name] = items or [element.text or ""]
    return tags


def astropy_wcs(packet: bytes) -> WCS:
    tags = avm(packet)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [
        f"RA---{tags['Spatial.CoordsystemProjection'][0]}",
        f"DEC--{tags['Spatial.CoordsystemProjection'][0]}",
    ]
    wcs.wcs.crval = [float(v) for v in tags["Spatial.ReferenceValue"]]
    wcs.wcs.crpix = [float(v) for v in tags["Spatial.ReferencePixel"]]
    wcs.wcs.cdelt = [float(v) for v in tags["Spatial.Scale"]]
    wcs.wcs.crota = [0.0, float(tags["Spatial.Rotation"][0])]
    return wcs


@pytest.mark.parametrize("kind", ["jpg", "png", "tiff"])
def test_every_kind_holds_the_picture_and_its_place_on_the_sky(tmp_path, kind):
    path = tmp_path / "p"
    write_shared(path, scene(), kind, info())
    content = path.read_bytes()
    with Image.open(path) as image:
        assert image.size == (WIDTH, HEIGHT)
        if kind != "jpg":
            assert np.array_equal(np.asarray(image), scene())
    packet = content[content.index(b"<?xpacket begin") : content.index(b'<?xpacket end="r"?>') + 19]
    assert packet == xmp_packet(info())
    tags = avm(packet)
    assert tags["title"] == ["NGC 7000 & more"] and tags["creator"] == ["Ada <L>"]
    write_shared(tmp_path / "again", scene(), kind, info())
    assert (tmp_path / "again").read_bytes() == content


@pytest.mark.parametrize("cd", [((-4e-4, 3e-4), (3e-4, 4e-4)), ((4e-4, 0.0), (0.0, 4e-4)), ((-5e-4, 0.0), (0.0, 5e-4))])
def test_the_metadata_mean_the_same_places_to_another_reader(cd):
    wcs = replace(CANVAS, cd=cd)
    other = astropy_wcs(xmp_packet(info(wcs=wcs)))
    for x, y in ((0.0, 0.0), (500.0, 120.0), (899.0, 699.0)):
        assert other.wcs_pix2world([[x, y]], 0)[0] == pytest.approx(wcs.pixel_to_sky(x, y), abs=1e-7)


def test_the_reader_of_the_standard_finds_the_place(tmp_path):
    write_shared(tmp_path / "p.png", scene(), "png", info())
    read = AVM.from_image(str(tmp_path / "p.png"))
    assert read.Facility == ["S50"] and read.Creator is None and read.Contact.Name == ["Ada <L>"]
    assert read.to_wcs().wcs_pix2world([[12.0, 34.0]], 0)[0] == pytest.approx(info().wcs.pixel_to_sky(12.0, 34.0))


def test_tiles_on_the_sphere_show_the_picture_at_its_place(tmp_path):
    picture = np.ascontiguousarray(scene()[:120, :150])
    small = info(wcs=replace(info().wcs, x_ref=75.0, y_ref=60.0), width=150, height=120)
    for name in ("hips", "again"):
        write_hips(tmp_path / name, picture, small, "2026-01-02T03:04Z")
    made, again = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "hips", tmp_path / "again")
    )
    assert made == again
    told = dict(line.split("=", 1) for line in made[Path("properties")].decode().splitlines() if "=" in line)
    told = {key.strip(): value.strip() for key, value in told.items()}
    assert told["obs_title"] == "NGC 7000 & more" and told["hips_tile_format"] == "png"
    order = int(told["hips_order"])
    ra, dec = small.wcs.pixel_to_sky(75.0, 60.0)
    tile = HEALPix(2**order, "nested", ICRS()).skycoord_to_healpix(SkyCoord(ra, dec, unit="deg"))
    assert Path(f"Norder{order}/Dir{tile // 10000 * 10000}/Npix{tile}.png") in made
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "hips"], "nothing else is left"


def test_a_file_keeps_within_its_limit_and_its_metadata_follow(tmp_path):
    full = len(encoded(scene(), "jpg"))
    write_shared(tmp_path / "less.jpg", scene(), "jpg", info(), full * 2 // 3)
    with Image.open(tmp_path / "less.jpg") as image:
        assert image.size == (WIDTH, HEIGHT), "quality is given up before size"
    write_shared(tmp_path / "small.jpg", scene(), "jpg", info(), full // 12)
    content = (tmp_path / "small.jpg").read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
    assert len(content) <= full // 12 and width < WIDTH
    other = astropy_wcs(content[content.index(b"<?xpacket begin") : content.index(b'<?xpacket end="r"?>') + 19])
    middle = other.wcs_pix2world([[(width - 1) / 2, (height - 1) / 2]], 0)[0]
    assert middle == pytest.approx(info().wcs.pixel_to_sky((WIDTH - 1) / 2, (HEIGHT - 1) / 2), abs=1e-6)


def test_a_caption_stands_under_the_picture_and_fits_its_width():
    picture = scene()
    shown = with_caption(
        picture, "NGC 7000", ["a line that is far too long for the width of the picture " * 4, "short"]
    )
    assert np.array_equal(shown[:HEIGHT], picture) and shown.shape[0] > HEIGHT + 40
    assert (shown[HEIGHT:, -8:] == shown[-1, -1]).all()


def test_the_largest_rectangle_is_that_of_brute_force():
    rng = np.random.default_rng(6)
    for _ in range(30):
        good = rng.random((7, 9)) < 0.75
        best = max(
            (b - a) * (d - c) * bool(good[a:b, c:d].all())
            for a in range(7)
            for b in range(a + 1, 8)
            for c in range(9)
            for d in range(c + 1, 10)
        )
        a, b, c, d = largest_rectangle(good)
        assert (b - a) * (d - c) == best and good[a:b, c:d].all()


def test_the_crop_leaves_out_thin_borders():
    frames = np.zeros((500, 800), np.int32)
    frames[50:450, 60:700] = 12
    frames[50:450, 60:160] = 2
    y0, y1, x0, x1 = deep_box(frames, (0, 500, 0, 800))
    assert (frames[y0:y1, x0:x1] == 12).all()
    assert (y1 - y0) * (x1 - x0) > 0.95 * 400 * 540
    assert deep_box(np.zeros((50, 80)), (0, 50, 0, 80)) == (0, 50, 0, 80)


def test_the_page_has_all_tiles_and_needs_nothing_else(tmp_path):
    width, height = 2 * TILE_PX + 301, TILE_PX + 77
    picture = np.asarray(Image.fromarray(scene()).resize((width, height)))
    path = tmp_path / "m_page.html"
    bands = (picture[top : top + 100] for top in range(0, height, 100))
    folder = write_page(path, bands, width, height, PageTexts("M <31>", CANVAS), Translator("en"))
    levels = level_count(width, height)
    assert levels == 3
    for level in range(levels):
        w, h = (-(-side // 2**level) for side in (width, height))
        names = {f"{c}_{r}.jpg" for c in range(-(-w // TILE_PX)) for r in range(-(-h // TILE_PX))}
        assert {file.name for file in (folder / str(level)).iterdir()} == names
    with Image.open(folder / "0" / "2_1.jpg") as corner:
        assert corner.size == (301, 77)
        assert np.abs(np.asarray(corner, int) - picture[TILE_PX:, 2 * TILE_PX :]).mean() < 6
    with Image.open(folder / "2" / "0_0.jpg") as last:
        assert last.size == (-(-width // 4), -(-height // 4))
    html = path.read_text()
    assert not re.search(r"https?://|src=\"|@import|<link", html), "the page asks for nothing but its tiles"
    data = json.loads(re.search(r"const page = (\{.*?\});", html)[1])
    assert data["width"] == width and data["levels"] == levels and data["folder"] == folder.name
    assert "M &lt;31&gt;" in html
    assert sorted(item.name for item in tmp_path.iterdir()) == ["m_page.html", "m_page_tiles"]
