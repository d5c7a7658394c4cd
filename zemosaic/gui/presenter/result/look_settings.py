"""The sliders of the picture and the settings of the saved picture are the same two numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

from zemosaic.gui.presenter.settings.form import Form

__all__ = ["LOOK_KEYS", "look_of_form", "texts_of_look"]

LOOK_KEYS = {"sky": "picture_sky_level", "strength": "picture_strength", "linked": "preview_linked"}
"""The setting behind each control; brightness has none, since it suits one mosaic only."""
_USUAL_SKY_LEVEL = 0.14
"""Where the slider of the sky stands in the middle: the default of its setting."""


def look_of_form(form: Form) -> dict[str, float | bool]:
    """Return the places of the controls that the settings stand for; those of wrong values are left out.

    Parameters
    ----------
    form : Form

    Returns
    -------
    dict
        ``sky`` and ``strength`` from -1 to 1, ``linked``.
    """
    look: dict[str, float | bool] = {}
    for name, key in LOOK_KEYS.items():
        value = form.row(key).value
        if isinstance(value, bool):
            look[name] = value
        elif isinstance(value, int | float) and value > 0:
            usual = _USUAL_SKY_LEVEL if name == "sky" else 1.0
            look[name] = min(max(math.log(value / usual, 4.0), -1.0), 1.0)
    return look


def texts_of_look(changes: Mapping[str, object]) -> dict[str, str]:
    """Return the texts of the settings that changed controls stand for, by key.

    Parameters
    ----------
    changes : mapping
        Places of controls by name.
    """
    texts = {}
    for name, value in changes.items():
        if name == "linked":
            texts[LOOK_KEYS[name]] = "true" if value else "false"
        elif name in LOOK_KEYS and isinstance(value, int | float):
            usual = _USUAL_SKY_LEVEL if name == "sky" else 1.0
            most = 0.5 if name == "sky" else 4.0
            texts[LOOK_KEYS[name]] = f"{min(usual * 4.0**value, most):.3g}"
    return texts
