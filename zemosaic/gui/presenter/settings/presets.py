"""Presets: named sets of settings, those of the program and the user's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zemosaic.atomic import write_atomic
from zemosaic.errors import Message, message
from zemosaic.gui.presenter.settings.form import ELSEWHERE, Form, text_of
from zemosaic.i18n import Translator
from zemosaic.settings.load import allowed_value
from zemosaic.text.plain_text import json_value

__all__ = ["BUILT_IN", "Presets"]

_FILE = "presets.json"
KEPT = (
    *ELSEWHERE, "input_dir", "output_dir", "excluded_frames", "region_of_interest", "quality_picks_file",
    "focal_length_mm", "pixel_size_um", "pixel_scale_arcsec", "pointing",
    "astap_executable_path", "astap_data_directory_path", "work_dir", "gui_backend", "log_level",
)  # fmt: skip
"""Settings of this survey and this computer, which no preset touches."""

BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "quick_look": {
        "stacking_interpolation": "bilinear",
        "stacking_rejection_algorithm": "kappa_sigma",
        "global_wcs_pixelscale_mode": "max",
        "preview_max_px": 1600,
    },
    "best_quality": {
        "stacking_weighting_method": "noise_fwhm",
        "global_wcs_pixelscale_mode": "min",
        "quality_max_fwhm_ratio": 1.4,
        "save_rejection_maps": True,
    },
    "classic": {"mosaic_mode": "classic"},
    "low_memory": {"memory_limit_gb": 1.5, "num_processing_workers": 1},
}
"""Values that differ from the defaults, by preset."""


class Presets:
    """The presets that can be chosen.

    Parameters
    ----------
    folder : Path
        The user's configuration folder, where the own ones are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._own = _read(self._path)
        self.notes: tuple[Message, ...] = ()
        """What to tell of the preset applied last: values that were brought to the nearest allowed one."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all presets, the program's first."""
        return (*BUILT_IN, *sorted(self._own))

    def is_own(self, name: str) -> bool:
        """Return whether the user made a preset, and may delete it."""
        return name in self._own

    def label(self, name: str, words: Translator) -> str:
        """Return a preset's name as people read it.

        Parameters
        ----------
        name : str
            One of `names`; those that the user made are read as they were typed.
        words : Translator
        """
        return name if name in self._own else words.text(f"preset.{name}")

    def applied(self, name: str, form: Form) -> Form:
        """Return the form with a preset: what it does not name goes back to the default.

        Parameters
        ----------
        name : str
            One of `names`; an unknown one gives the defaults.
        form : Form
            Stays as it is.  Its settings of this survey and this computer are not touched.
        """
        values = self._own.get(name, BUILT_IN.get(name, {}))
        notes: list[Message] = []
        for row in form.rows:
            if row.key in KEPT:
                continue
            value, told = allowed_value(row.key, values.get(row.key, row.spec.default), name)
            notes += told
            text = text_of(value)
            if row.text != text:
                form = form.edited(row.key, text)
        self.notes = tuple(notes)
        return form

    def current(self, form: Form) -> str:
        """Return the preset that the form agrees with; empty for none."""
        changed = {row.key: row.value for row in form.rows if row.key not in KEPT and row.value != row.spec.default}
        if form.problems:
            return ""
        return next((name for name in self.names if self._own.get(name, BUILT_IN.get(name)) == changed), "")

    def save(self, name: str, form: Form) -> Message | None:
        """Keep the form's settings under a name; return what went wrong, None where nothing did.

        Parameters
        ----------
        name : str
            May not be empty or that of a preset of the program; one of the user's own is replaced.
        form : Form
            Only what differs from the defaults is kept, without the settings of this survey and this computer.
        """
        name = name.strip()
        if not name or name in BUILT_IN:
            return message("error.preset_name", name=name)
        values = {row.key: row.value for row in form.rows if row.key not in KEPT and row.value != row.spec.default}
        return self._become({**self._own, name: values})

    def delete(self, name: str) -> Message | None:
        """Forget one of the user's presets; return what went wrong."""
        return self._become({preset: values for preset, values in self._own.items() if preset != name})

    def _become(self, presets: Mapping[str, Mapping[str, Any]]) -> Message | None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path, (json.dumps(presets, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))
        except OSError as fault:
            return message("error.preset_not_saved", path=str(self._path), detail=str(fault))
        self._own = dict(presets)
        return None


def _read(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return the user's presets; a file that cannot be read holds none, for it is only comfort."""
    try:
        stored = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(stored, dict):
        return {}
    return {str(name): values for name, values in stored.items() if isinstance(values, dict) and name not in BUILT_IN}
