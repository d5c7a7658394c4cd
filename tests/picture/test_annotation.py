"""Names over a picture: at the right places, none over another, the same as vectors and as pixels."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import combinations

import numpy as np
import pytest

from zemosaic.catalogue import load_bundled
from zemosaic.catalogue.deep_sky import deep_sky_objects
from zemosaic.catalogue.named_stars import constellation_lines, named_stars
from zemosaic.catalogue.star_colours import load_colours
from zemosaic.picture.annotation.annotate import annotate
from zemosaic.picture.annotation.burnt import burnt_in
from zemosaic.picture.annotation.drawing import Annotation, Box, font_of
from zemosaic.picture.annotation.grid import scale_bar
from zemosaic.picture.annotation.placing import LabelPlaces
from zemosaic.picture.annotation.projection import PictureWcs
from zemosaic.picture.annotation.svg import svg_text
from zemosaic.wcs import FrameWcs, separation_deg

FIELDS = {
    "M 31": (10.68, 41.27, 4.0),
    "Orion": (83.8, -2.5, 14.0),
    "Cygnus": (307.0, 41.0, 16.0),
    "Virgo": (187.5, 12.7, 6.0),
    "Sagittarius": (272.0, -22.0, 14.0),
    "north pole": (30.0, 89.6, 4.0),
}
MOSAIC = 4000, 3000


def picture_sky(name: str, turn_deg: float = 0.0, step: float = 2.5) -> PictureWcs:
    """Return a field as a mosaic whose north is turned."""
    ra, dec, wide_deg = FIELDS[name]
    width, height = MOSAIC
    scale = wide_deg / width
    sine, cosine = scale * math.sin(math.radians(turn_deg)), scale * math.cos(math.radians(turn_deg))
    wcs = FrameWcs(ra, dec, width / 2 - 0.5, height / 2 - 0.5, ((-cosine, sine), (sine, cosine)))
    return PictureWcs(wcs, height, step, round(width / step), round(height / step))


def texts(annotation: Annotation, kind: str) -> set[str]:
    return {label.text for label in annotation.labels if label.kind == kind}


@pytest.mark.parametrize("turn_deg", [0.0, 37.0, 180.0])
@pytest.mark.parametrize("name", FIELDS)
def test_no_label_is_over_another_and_all_are_in_the_picture(name, turn_deg):
    sky = picture_sky(name, turn_deg)
    annotation = annotate(sky)
    assert len(annotation.labels) > 5
    assert not any(a.box.overlaps(b.box) for a, b in combinations(annotation.labels, 2))
    assert all(label.box.within(sky.width, sky.height) for label in annotation.labels)
    for label in annotation.labels:
        width = font_of(int(label.size)).getlength(label.text)
        assert width <= label.box.right - label.box.left + 2.0, "the box holds the text"


def test_the_notable_objects_and_stars_of_a_field_are_named():
    assert "M 31 · Andromeda Galaxy" in texts(annotate(picture_sky("M 31")), "object")
    orion = annotate(picture_sky("Orion"))
    assert {"Alnitak", "Alnilam", "Mintaka"} <= texts(orion, "star")
    assert "M 42 · Great Orion Nebula" in texts(orion, "object")
    assert {"M 87 · Virgo Galaxy", "M 84", "M 90"} <= texts(annotate(picture_sky("Virgo")), "object")


def test_an_outline_has_the_axes_and_the_angle_of_the_object():
    sky = picture_sky("M 31")
    andromeda = deep_sky_objects(10.68, 41.27, 0.1)[0]
    xs, ys = sky.outline(
        andromeda.ra_deg,
        andromeda.dec_deg,
        andromeda.major_arcmin / 60.0,
        andromeda.minor_arcmin / 60.0,
        andromeda.position_angle_deg,
        points=360,
    )
    away = separation_deg(*sky.direction(xs, ys), andromeda.ra_deg, andromeda.dec_deg)
    assert 120.0 * away.max() == pytest.approx(andromeda.major_arcmin, rel=0.01)
    assert 120.0 * away.min() == pytest.approx(andromeda.minor_arcmin, rel=0.01)
    far = int(np.argmax(away))
    x, y = sky.place(andromeda.ra_deg, andromeda.dec_deg)
    # North is up and east at the left: 35 degrees lie to the left of up.
    angle = math.degrees(math.atan2(-(xs[far] - x), -(ys[far] - y))) % 180.0
    assert angle == pytest.approx(andromeda.position_angle_deg, abs=1.5)


def test_the_picture_has_its_own_wcs():
    sky = picture_sky("Cygnus", 20.0)
    own = sky.picture_wcs()
    for x, y in ((0.5, 0.5), (800.0, 600.0), (1500.5, 20.5)):
        assert own.pixel_to_sky(x - 0.5, sky.height - 0.5 - y) == pytest.approx(sky.direction(x, y), abs=1e-9)


def test_the_scale_bar_is_as_long_as_it_says():
    sky = picture_sky("M 31")
    labels = LabelPlaces(sky.width, sky.height)
    (left, y), (right, _) = scale_bar(sky, labels, 20)[0].points
    assert labels.labels[0].text == "1°"
    assert separation_deg(*sky.direction(left, y), *sky.direction(right, y)) == pytest.approx(1.0, rel=0.01)


def test_named_stars_are_where_the_catalogue_has_a_bright_star():
    bright = ((load_bundled(), "mag"), (load_colours(), "g_mag"))
    stars = named_stars(0.0, 0.0, 180.0)
    assert len(stars) > 120 and len({star.name for star in stars}) == len(stars)
    away = []
    for star in stars:
        for catalogue, magnitude in bright:
            near = catalogue.cone(star.ra_deg, star.dec_deg, 60.0 / 3600.0)
            chosen = getattr(near, magnitude) < 6.0
            here = near.ra_deg[chosen], near.dec_deg[chosen], star.ra_deg, star.dec_deg
            away += [3600.0 * float(separation_deg(*here).min())] if chosen.any() else []
    # Each catalogue leaves out very bright stars and close pairs; the nearest stars have moved since its epoch.
    assert len(away) > 150
    assert np.median(away) < 1.0 and np.percentile(away, 90) < 5.0 and max(away) < 30.0


def test_constellations_are_drawn_through_their_stars_where_the_field_is_wide_enough():
    sky = picture_sky("Orion", 25.0)
    lines = [stroke for stroke in annotate(sky).strokes if stroke.kind == "figure"]
    stars = {star.name: star for star in named_stars(0.0, 0.0, 180.0)}
    ends = {tuple(np.round(point)) for line in lines for point in (line.points[0], line.points[-1])}
    for name in ("Mintaka", "Alnilam", "Alnitak"):
        x, y = (float(value) for value in sky.place(stars[name].ra_deg, stars[name].dec_deg))
        assert min(math.hypot(x - a, y - b) for a, b in ends) < 1.0, name
    # From Mintaka to Alnilam it is 1.39 degrees, and no point lies off the great circle between them.
    one, two = (stars[name] for name in ("Mintaka", "Alnilam"))
    apart = float(separation_deg(one.ra_deg, one.dec_deg, two.ra_deg, two.dec_deg))
    assert any(
        abs(float(separation_deg(*sky.direction(*line.points[0]), *sky.direction(*line.points[-1]))) - apart) < 0.01
        for line in lines
    )
    assert not [stroke for stroke in annotate(picture_sky("M 31")).strokes if stroke.kind == "figure"]
    assert not [stroke for stroke in annotate(sky, ("grid",)).strokes if stroke.kind != "grid"]
    assert all(len(line) > 1 for line in constellation_lines())


def test_the_layer_is_svg_with_a_group_for_each_kind_and_fixed_widths():
    annotation = annotate(picture_sky("Sagittarius"))
    root = ET.fromstring(svg_text(annotation, 'a "b" & c.jpg'))
    space = "{http://www.w3.org/2000/svg}"
    assert [group.get("id") for group in root.findall(f"{space}g")] == ["grid", "figure", "object", "star", "frame"]
    assert len(root.findall(f".//{space}text")) == len(annotation.labels)
    assert all(float(text.get("textLength")) > 0 for text in root.iter(f"{space}text"))
    assert root.find(f"{space}image").get("href") == 'a "b" & c.jpg'
    assert not re.search("script|http://(?!www.w3.org/2000/svg)", svg_text(annotation))


def test_the_burnt_copy_leaves_the_picture_as_it_is():
    sky = picture_sky("M 31", step=8.0)
    picture = np.full((sky.height, sky.width, 3), 40, np.uint8)
    copy = burnt_in(picture, annotate(sky))
    assert copy.shape == picture.shape and (picture == 40).all()
    assert 0.005 < (copy != 40).any(axis=2).mean() < 0.3


def test_boxes_that_touch_do_not_overlap():
    assert not Box(0, 0, 10, 5).overlaps(Box(10, 0, 20, 5))
    assert Box(0, 0, 10, 5).overlaps(Box(9, 4, 20, 5))
