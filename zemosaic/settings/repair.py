"""The nearest allowed value where a file has one that is not allowed, and names that no setting has."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from zemosaic.errors import Message, message
from zemosaic.settings.schema import Spec, specs

__all__ = ["MEANT", "ValueBrought", "nearest_allowed", "unknown_keys", "unknown_variables"]

MEANT: Mapping[str, Mapping[str, str]] = {
    "resume": {"force": "auto"},
    "solver": {"ansvr": "auto", "astrometry": "auto", "none": "auto"},
    "stacking_rejection_algorithm": {"winsor": "winsorized_sigma_clip", "winsorized": "winsorized_sigma_clip"},
}
"""Values that configuration files of the program's predecessor hold, and what comes nearest to them here."""
OTHER_VARIABLES = (
    "ZEMOSAIC_CONFIG_DIR",
    "ZEMOSAIC_CACHE_DIR",
    "ZEMOSAIC_ASTAP_BACKOFF_SEC",
    "ZEMOSAIC_ASTAP_DISABLE_IPC_LOCK",
    "ZEMOSAIC_ASTAP_LOCK_DIR",
    "ZEMOSAIC_ASTAP_RATE_BURST",
    "ZEMOSAIC_ASTAP_RATE_SEC",
    "ZEMOSAIC_ASTAP_RETRIES",
)
"""Environment variables that are no settings."""
TESTS_PREFIX = "ZEMOSAIC_TEST_"
MIN_KEY_SIMILARITY = 0.9
"""Of a key in a file to the setting that was probably meant; the predecessor's other keys are less alike."""
MIN_VARIABLE_SIMILARITY = 0.75


def nearest_allowed(spec: Spec, value: Any) -> Any:
    """Return the allowed value that comes nearest to one that is not allowed.

    Parameters
    ----------
    spec : Spec
        The setting.
    value : object
        As it stands in the file.

    Returns
    -------
    object
        A number is brought to the nearer end of its range; a name that is known to have meant something becomes that;
        everything else, such as a list where a number is expected, becomes the default.
    """
    if spec.kind in ("int", "float"):
        return _nearest_number(spec, value)
    if spec.kind == "choice" and isinstance(value, str):
        name = value.strip().lower()
        meant = MEANT.get(spec.key, {}).get(name, name)
        return next((choice for choice in spec.choices if choice.lower() == meant), spec.default)
    return spec.default


class ValueBrought(Message):
    """Tells that a value of a file was brought to the nearest allowed one.

    Parameters
    ----------
    path : str
        The file.
    setting : str
        Key of the setting.
    allowed : str
        Which values are.
    value, nearest : str
        What the file has, and what is taken instead.
    """

    def __init__(self, path: str, setting: str, allowed: str, value: str, nearest: str) -> None:
        told = {"path": path, "setting": setting, "allowed": allowed, "value": value, "nearest": nearest}
        super().__init__("note.setting_brought", told)


def unknown_keys(keys: Iterable[str], known: Iterable[str], path: str) -> list[Message]:
    """Return what to tell of the keys of a file that are no settings: misspelt ones each, all others together.

    Parameters
    ----------
    keys : iterable of str
        Keys of the file that are no settings.
    known : iterable of str
        Names of all settings, other names included.
    path : str
        The file.
    """
    names, told, others = list(known), [], []
    for key in keys:
        near = difflib.get_close_matches(key, names, 1, MIN_KEY_SIMILARITY)
        if near:
            told.append(message("note.setting_misspelt", path=path, setting=key, near=near[0]))
        else:
            others.append(key)
    if others:
        told.append(message("note.settings_unknown", path=path, count=len(others), settings=", ".join(others)))
    return told


def unknown_variables(environ: Mapping[str, str], known: Iterable[str]) -> list[Message]:
    """Return what to tell of environment variables that look like settings and are none.

    Parameters
    ----------
    environ : mapping
    known : iterable of str
        Names of the variables of all settings.
    """
    names = [*known, *OTHER_VARIABLES]
    told = []
    for name in sorted(environ):
        if not name.startswith("ZEMOSAIC_") or name.startswith(TESTS_PREFIX) or name in names:
            continue
        near = difflib.get_close_matches(name, names, 1, MIN_VARIABLE_SIMILARITY)
        if near:
            told.append(message("note.variable_misspelt", variable=name, near=near[0]))
        else:
            told.append(message("note.variable_unknown", variable=name))
    return told


def spec_of(key: str) -> Spec:
    """Return the declaration of a setting."""
    return next(spec for spec in specs() if spec.key == key)


def _nearest_number(spec: Spec, value: Any) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return spec.default
    if math.isnan(number) or spec.minimum is None or spec.maximum is None:
        return spec.default
    number = min(max(number, spec.minimum), spec.maximum)
    return round(number) if spec.kind == "int" else number
