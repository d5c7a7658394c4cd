"""A small survey to try the program on: raw frames of a smart telescope that never existed.

Two by two pointings in Cygnus with real catalogue stars, an invented nebula, and what real nights
bring: field rotation, dither, changing seeing, a sky gradient, vignetting, hot pixels, a satellite,
a trailed frame and one behind a cloud.  The same frames, byte for byte, every time.

Libraries that only drawing needs are imported where it does: most often the frames are there already.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.errors import write_refused
from zemosaic.store.whole_files import write_whole
from zemosaic.wcs import FrameWcs, from_tangent_plane, tangent_plane

__all__ = ["Exposure", "TrueSky", "exposures", "make_demo", "render", "true_sky"]

Planes = NDArray[np.float32]

SEED, NEBULA_SEED = 20250820, 2
OBJECT = "NGC 7000"
RA_DEG, DEC_DEG = 314.75, 44.15
WIDTH, HEIGHT = 720, 1280
FOCAL_MM, PIXEL_UM = 250.0, 2.9
SCALE_DEG = math.degrees(PIXEL_UM * 1e-3 / FOCAL_MM)
BAYER = "GRBG"
EXPOSURE_S = 10.0
FRAMES_PER_POINTING = 6
STEP_FRACTION = 0.74
FIELD_RADIUS_DEG = 1.1
BEGIN = datetime(2025, 8, 20, 21, 4, 0)

ELECTRONS_AT_MAG_0 = 7.0e7
"""Green light of a star of magnitude 0 in one exposure."""
ELECTRONS_PER_ADU = 0.1
READ_NOISE_E = 1.5
BIAS_ADU = 200.0
SKY_E = np.array([28.0, 34.0, 30.0], np.float32)
NEBULA_E = 46.0
VIGNETTING = 0.07
"""Light lost in the corners."""
MOFFAT_BETA = 3.0
FAINT_STARS, FAINT_LIMIT_MAG = 30000, 15.5
HOT_PIXELS = 250

TRAILED, CLOUDED = 9, 16
SATELLITES = (4, 14, 21)


@dataclass(frozen=True)
class Exposure:
    """What one frame of the survey looked at, and through what."""

    number: int
    begin: datetime
    wcs: FrameWcs
    """The truth; rows are stored from the top of the picture, as Seestars do."""
    hint_ra_deg: float
    hint_dec_deg: float
    fwhm_px: float
    transparency: float
    sky_gain: float
    gradient: tuple[float, float]
    """Change of the sky from edge to edge along x and y, relative."""
    trail_px: tuple[float, float]
    """Drift of the stars during the exposure."""
    satellite: tuple[float, float] | None
    """Angle in radians and distance from the centre in pixels of a track."""

    @property
    def file_name(self) -> str:
        return f"Light_{OBJECT}_{EXPOSURE_S:.1f}s_IRCUT_{self.begin:%Y%m%d-%H%M%S}.fit"


@dataclass(frozen=True)
class TrueSky:
    """The survey's true sky."""

    ra_deg: Float64s
    dec_deg: Float64s
    electrons: Planes
    """Light of each star per channel, shape (n, 3)."""
    nebula: Planes
    """Electrons per pixel on a tangent plane around the survey, shape (3, m, m)."""


def make_demo(folder: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Write the survey's frames; those that are there already are kept.

    Parameters
    ----------
    folder : Path
        Where the demo may write; made if it does not exist.
    progress : callable(done, total), optional
        Told after every frame.

    Returns
    -------
    Path
        The folder with the frames.

    Raises
    ------
    OutputError
        The folder or a frame cannot be written.
    """
    frames = folder / "frames"
    _make_folder(frames)
    plan = exposures()
    missing = [shot for shot in plan if not (frames / shot.file_name).is_file()]
    sky = true_sky() if missing else None
    for done, shot in enumerate(plan, 1):
        if sky is not None and shot in missing:
            write_whole(frames / shot.file_name, _fits_bytes(shot, render(shot, sky)))
        if progress is not None:
            progress(done, len(plan))
    return frames


def exposures() -> list[Exposure]:
    """Return the survey's plan: every pointing in turn, the field rotating all the while."""
    rng = np.random.default_rng(SEED)
    step_x, step_y = STEP_FRACTION * WIDTH * SCALE_DEG, STEP_FRACTION * HEIGHT * SCALE_DEG
    plan = []
    for pointing, (column, row) in enumerate(((-0.5, 0.5), (0.5, 0.5), (0.5, -0.5), (-0.5, -0.5))):
        ra, dec = from_tangent_plane(column * step_x, row * step_y, RA_DEG, DEC_DEG)
        for turn in range(FRAMES_PER_POINTING):
            number = pointing * FRAMES_PER_POINTING + turn
            plan.append(_exposure(rng, number, float(ra), float(dec)))
    return plan


def _exposure(rng: np.random.Generator, number: int, ra_deg: float, dec_deg: float) -> Exposure:
    dither = rng.uniform(-25.0, 25.0, 2) * SCALE_DEG
    ra, dec = (float(v) for v in from_tangent_plane(dither[0], dither[1], ra_deg, dec_deg))
    hint = rng.normal(0.0, 0.03, 2)
    slope = math.radians(40.0 + 3.0 * number)
    drift = rng.uniform(-0.2, 0.2, 2)
    track = (float(rng.uniform(0.3, 1.2)), float(rng.uniform(-120.0, 120.0)))
    return Exposure(
        number=number,
        begin=BEGIN + timedelta(seconds=11 * number + 45 * (number // FRAMES_PER_POINTING)),
        wcs=_rows_from_the_top(ra, dec, -8.0 + 0.75 * number),
        hint_ra_deg=ra + hint[0] / math.cos(math.radians(dec)),
        hint_dec_deg=dec + hint[1],
        fwhm_px=float(rng.uniform(2.3, 3.1)),
        transparency=0.3 if number == CLOUDED else float(rng.uniform(0.86, 1.0)),
        sky_gain=1.5 if number == CLOUDED else 1.0 + 0.012 * number,
        gradient=(0.22 * math.cos(slope), 0.22 * math.sin(slope)),
        trail_px=(13.0, 7.0) if number == TRAILED else (float(drift[0]), float(drift[1])),
        satellite=track if number in SATELLITES else None,
    )


def _rows_from_the_top(ra_deg: float, dec_deg: float, angle_deg: float) -> FrameWcs:
    """Return the WCS of a frame whose first row is the northern one, turned by an angle."""
    c, s = SCALE_DEG * math.cos(math.radians(angle_deg)), SCALE_DEG * math.sin(math.radians(angle_deg))
    return FrameWcs(ra_deg, dec_deg, (WIDTH - 1) / 2, (HEIGHT - 1) / 2, ((-c, s), (-s, -c)))


def true_sky() -> TrueSky:
    """Return the catalogue's stars, fainter invented ones and the nebula."""
    from zemosaic.catalogue import load_bundled

    rng = np.random.default_rng(SEED + 1)
    bright = load_bundled().cone(RA_DEG, DEC_DEG, FIELD_RADIUS_DEG)
    faintest = float(np.percentile(bright.mag, 80.0))
    spread = rng.uniform(size=FAINT_STARS)
    # Counts of stars grow by a factor of about 2.2 per magnitude.
    steep = 2.2 ** (FAINT_LIMIT_MAG - faintest)
    faint_mag = faintest + np.log1p(spread * (steep - 1.0)) / math.log(2.2)
    xi, eta = rng.uniform(-FIELD_RADIUS_DEG, FIELD_RADIUS_DEG, (2, FAINT_STARS))
    faint_ra, faint_dec = from_tangent_plane(xi, eta, RA_DEG, DEC_DEG)
    mag = np.concatenate([bright.mag.astype(float), faint_mag])
    redness = rng.normal(0.1, 0.3, mag.size)
    colours = np.stack([0.8 * np.exp(redness), np.ones_like(redness), 0.7 * np.exp(-1.1 * redness)], axis=1)
    electrons = ELECTRONS_AT_MAG_0 * 10.0 ** (-0.4 * mag)[:, None] * colours
    return TrueSky(
        ra_deg=np.concatenate([bright.ra_deg, faint_ra]),
        dec_deg=np.concatenate([bright.dec_deg, faint_dec]),
        electrons=electrons.astype(np.float32),
        nebula=_nebula(np.random.default_rng(NEBULA_SEED), 768),
    )


def _nebula(rng: np.random.Generator, size: int) -> Planes:
    """Return an invented nebula, shape (3, size, size), electrons: red gas, teal shells, dust before both."""
    clouds, knots, shells, dust = (_fractal(rng, size, cells) for cells in (3, 4, 3, 4))
    eta, xi = np.mgrid[-1.0 : 1.0 : size * 1j, -1.0 : 1.0 : size * 1j]
    middle = np.exp(-2.2 * (xi**2 + 0.45 * eta**2))
    filaments = np.exp(-3.0 * np.abs(knots))
    hydrogen = _soft_step(1.4 * clouds + 2.6 * middle - 1.5) * (0.35 + 1.1 * filaments)
    oxygen = 1.1 * middle * _soft_step(2.0 * shells - 0.5) * np.exp(-2.0 * np.abs(shells - 0.7))
    reflected = 0.22 * _soft_step(1.2 * shells - 1.0 - clouds)
    veil = np.exp(-2.2 * _soft_step(3.0 * dust - 1.0))
    mix = np.array([[1.0, 0.04, 0.14], [0.18, 0.62, 0.30], [0.26, 0.58, 0.62]])
    light = np.tensordot(mix, np.stack([hydrogen, oxygen, reflected]), axes=1) * veil
    return (NEBULA_E * light).astype(np.float32)


def _fractal(rng: np.random.Generator, size: int, cells: int) -> Float64s:
    """Return smooth noise with detail on all scales, standard deviation 1."""
    import cv2

    total = np.zeros((size, size))
    for octave in range(6):
        lattice = rng.normal(size=(cells * 2**octave + 2,) * 2).astype(np.float32)
        total += 0.52**octave * cv2.resize(lattice, (size, size), interpolation=cv2.INTER_CUBIC)
    normalised: Float64s = (total - total.mean()) / total.std()
    return normalised


def _soft_step(x: Float64s) -> Float64s:
    return 1.0 / (1.0 + np.exp(-2.0 * x))


def render(shot: Exposure, sky: TrueSky) -> NDArray[np.uint16]:
    """Return one raw frame, shape (HEIGHT, WIDTH), camera counts behind the Bayer filters.

    Parameters
    ----------
    shot : Exposure
    sky : TrueSky
    """
    rng = np.random.default_rng([SEED, 2, shot.number])
    colour = _filter_of_each_pixel()
    v, u = np.mgrid[-0.5 : 0.5 : HEIGHT * 1j, -0.5 : 0.5 : WIDTH * 1j].astype(np.float32)
    glow = SKY_E[colour] * shot.sky_gain * (1.0 + shot.gradient[0] * u + shot.gradient[1] * v)
    light = glow + shot.transparency * (_diffuse(shot, sky, colour) + _stars(shot, sky, colour))
    if shot.satellite is not None:
        light += _track(shot.satellite)
    aspect = WIDTH / HEIGHT
    light *= 1.0 - VIGNETTING * (v**2 + (aspect * u) ** 2) * 4.0 / (1.0 + aspect**2)
    light += rng.standard_normal(light.shape, np.float32) * np.sqrt(light + READ_NOISE_E**2)
    _add_hot_pixels(light)
    counts: NDArray[np.uint16] = np.clip(np.rint(light / ELECTRONS_PER_ADU + BIAS_ADU), 0, 65535).astype(np.uint16)
    return counts


def _filter_of_each_pixel() -> NDArray[np.intp]:
    pattern = np.array(["RGB".index(letter) for letter in BAYER]).reshape(2, 2)
    return np.tile(pattern, (HEIGHT // 2, WIDTH // 2))


def _diffuse(shot: Exposure, sky: TrueSky, colour: NDArray[np.intp]) -> Planes:
    """Return the nebula's electrons in each pixel, looked up on every eighth pixel and enlarged."""
    import cv2

    step = 8
    y, x = np.mgrid[0 : HEIGHT // step, 0 : WIDTH // step] * step + (step - 1) / 2
    xi, eta = tangent_plane(*shot.wcs.pixel_to_sky(x, y), RA_DEG, DEC_DEG)
    size = sky.nebula.shape[1]
    column, row = (((plane / FIELD_RADIUS_DEG + 1.0) / 2.0 * (size - 1)).astype(np.float32) for plane in (xi, eta))
    wide = [
        cv2.resize(cv2.remap(plane, column, row, cv2.INTER_CUBIC), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        for plane in sky.nebula
    ]
    diffuse: Planes = np.maximum(np.choose(colour, wide), 0.0)
    return diffuse


def _stars(shot: Exposure, sky: TrueSky, colour: NDArray[np.intp]) -> Planes:
    """Return the stars' electrons in each pixel: Moffat profiles, each as far out as it shows."""
    x, y = shot.wcs.sky_to_pixel(sky.ra_deg, sky.dec_deg)
    alpha = shot.fwhm_px / (2.0 * math.sqrt(2.0 ** (1.0 / MOFFAT_BETA) - 1.0))
    peak = sky.electrons.max(axis=1) * (MOFFAT_BETA - 1.0) / (math.pi * alpha**2)
    reach = alpha * np.sqrt(np.maximum((peak / 0.4) ** (1.0 / MOFFAT_BETA) - 1.0, 9.0))
    steps = max(1, math.ceil(math.hypot(*shot.trail_px)))
    out = np.zeros(HEIGHT * WIDTH)
    smaller = 0.0
    for radius in (8, 14, 24, 42, 75, 140):
        chosen = (reach > smaller) & (reach <= (math.inf if radius == 140 else radius))
        chosen &= (x > -radius) & (x < WIDTH + radius) & (y > -radius) & (y < HEIGHT + radius)
        smaller = radius
        for part in (np.arange(steps) + 0.5) / steps - 0.5:
            px, py = x[chosen] + part * shot.trail_px[0], y[chosen] + part * shot.trail_px[1]
            _stamp(out, px, py, sky.electrons[chosen] / steps, alpha, radius, colour.ravel())
    return out.reshape(HEIGHT, WIDTH).astype(np.float32)


def _stamp(
    out: Float64s, x: Float64s, y: Float64s, flux: Planes, alpha: float, radius: int, colour: NDArray[np.intp]
) -> None:
    """Add stars of one size to a flat image."""
    offsets = np.arange(-radius, radius + 1)
    columns, rows = np.rint(x).astype(int)[:, None] + offsets, np.rint(y).astype(int)[:, None] + offsets
    near = (columns - x[:, None])[:, None, :] ** 2 + (rows - y[:, None])[:, :, None] ** 2
    profile = (MOFFAT_BETA - 1.0) / (math.pi * alpha**2) * (1.0 + near / alpha**2) ** -MOFFAT_BETA
    inside = ((rows >= 0) & (rows < HEIGHT))[:, :, None] & ((columns >= 0) & (columns < WIDTH))[:, None, :]
    star, row, column = np.nonzero(inside)
    pixel = rows[star, row] * WIDTH + columns[star, column]
    out += np.bincount(pixel, profile[inside] * flux[star, colour[pixel]], out.size)


def _track(satellite: tuple[float, float]) -> Planes:
    angle, distance = satellite
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    across = (x - WIDTH / 2) * math.sin(angle) - (y - HEIGHT / 2) * math.cos(angle) - distance
    track: Planes = (170.0 * np.exp(-0.5 * (across / 1.2) ** 2)).astype(np.float32)
    return track


def _add_hot_pixels(light: Planes) -> None:
    rng = np.random.default_rng(SEED + 3)
    places = rng.choice(light.size, HOT_PIXELS, replace=False)
    light.ravel()[places] += rng.uniform(150.0, 5000.0, HOT_PIXELS).astype(np.float32)


def _fits_bytes(shot: Exposure, raw: NDArray[np.uint16]) -> bytes:
    from astropy.io import fits

    header = fits.Header()
    header["CREATOR"] = ("ZWO Seestar S50", "simulated by ZeMosaic")
    header["FOCALLEN"], header["XPIXSZ"], header["YPIXSZ"] = FOCAL_MM, PIXEL_UM, PIXEL_UM
    header["XBINNING"] = header["YBINNING"] = 1
    header["IMAGETYP"] = "Light"
    header["EXPOSURE"] = header["EXPTIME"] = EXPOSURE_S
    header["CCD-TEMP"], header["GAIN"] = 24.5, 80
    header["RA"], header["DEC"] = round(shot.hint_ra_deg, 6), round(shot.hint_dec_deg, 6)
    header["DATE-OBS"] = shot.begin.isoformat(timespec="milliseconds")
    header["FILTER"], header["OBJECT"] = "IRCUT", OBJECT
    header["INSTRUME"], header["TELESCOP"] = "Seestar S50", "S50_demo"
    header["BAYERPAT"] = BAYER
    out = BytesIO()
    fits.PrimaryHDU(raw, header).writeto(out)
    return out.getvalue()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise write_refused(failure, str(folder)) from failure
