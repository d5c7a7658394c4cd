"""Places on the sky as people read and write them."""

from __future__ import annotations

from zemosaic.errors import SettingsError

__all__ = ["dec_text", "place_of_words", "ra_text"]

_MARKS = {"°": "d", "′": "m", "″": "s", "’": "m", "'": "m", '"': "s"}


def ra_text(ra_deg: float) -> str:
    """Return a right ascension in hours, minutes and seconds."""
    total = round(ra_deg / 15.0 * 36000.0) % 864000
    return f"{total // 36000:02d}h{total // 600 % 60:02d}m{total % 600 / 10:04.1f}s"


def dec_text(dec_deg: float) -> str:
    """Return a declination in degrees, minutes and seconds of arc."""
    total = round(abs(dec_deg) * 3600.0)
    return f"{'−' if dec_deg < 0 else '+'}{total // 3600:02d}°{total // 60 % 60:02d}′{total % 60:02d}″"


def place_of_words(first: str, second: str) -> tuple[float, float, bool]:
    """Return what two words say: (x, y, False) of plain numbers, (ra_deg, dec_deg, True) of anything with units.

    A right ascension is taken in hours (``5:35:17.3``, ``05h35m17.3s``) or in degrees (``83.82d``), a declination in
    degrees (``-5:23:28``, ``-05°23′28″``, ``-5.391d``).

    Parameters
    ----------
    first, second : str
        The x or the right ascension, and the y or the declination.  Both have to be plain numbers to count as such.

    Raises
    ------
    SettingsError
        When they are neither.
    """
    try:
        return float(first), float(second), False
    except ValueError:
        return _angle(first, "hourangle"), _angle(second, "deg"), True


def _angle(word: str, unit: str) -> float:
    # Here, because it takes a while and is seldom needed.
    from astropy.coordinates import Angle

    plain = "".join(_MARKS.get(char, char) for char in word.replace("−", "-"))
    try:
        return float(Angle(plain, unit=unit).deg)
    except ValueError as fault:
        raise SettingsError("error.pixel_place", word=word) from fault
