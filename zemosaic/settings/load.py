"""Settings from their five sources, and back to the user's file.

Each source overrides the one before: default < shipped file < user file < environment < flags.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import TypeAdapter, ValidationError

from zemosaic.atomic import write_atomic
from zemosaic.errors import Message, SettingsError
from zemosaic.resources import resource_root
from zemosaic.settings.repair import ValueBrought, nearest_allowed, spec_of, unknown_keys, unknown_variables
from zemosaic.settings.schema import Settings, specs
from zemosaic.text.plain_text import json_value

__all__ = [
    "ALIASES",
    "Reading",
    "Sourced",
    "allowed_value",
    "check_value",
    "environment_name",
    "load_settings",
    "read_settings",
    "resolve_settings",
    "save_user_settings",
    "settings_hash",
    "shipped_settings_file",
    "user_config_folder",
    "user_settings_file",
]

FILE_NAME = "zemosaic_config.json"
ALIASES: Mapping[str, str] = {
    "input_folder": "input_dir",
    "output_folder": "output_dir",
    "preferred_gui_backend": "gui_backend",
    "solver_method": "solver",
    "use_gpu_grid": "use_gpu_phase5",
    "preview_png_max_dim": "preview_max_px",
}
"""Other names of settings, as older configuration files have them."""


@dataclass(frozen=True)
class Sourced:
    """A setting's value and where it came from."""

    value: Any
    source: str
    """``""`` (default), path of a file, name of an environment variable, or a flag."""


@dataclass(frozen=True)
class Reading:
    """The settings of all sources, and what the user should know of these sources."""

    settings: Settings
    sourced: Mapping[str, Sourced]
    notes: tuple[Message, ...]
    """Values of files that were brought to the nearest allowed one, and names that no setting has."""


def shipped_settings_file() -> Path:
    """Return the path of the shipped defaults."""
    return resource_root() / FILE_NAME


def user_config_folder(environ: Mapping[str, str]) -> Path:
    """Return the user's configuration folder; ``ZEMOSAIC_CONFIG_DIR`` comes first."""
    named = environ.get("ZEMOSAIC_CONFIG_DIR")
    return Path(named) if named else Path(platformdirs.user_config_dir("zemosaic", appauthor=False))


def user_settings_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the user's own settings, which need not exist."""
    return user_config_folder(environ) / FILE_NAME


def environment_name(key: str) -> str:
    """Return the environment variable of a setting."""
    return f"ZEMOSAIC_{key.upper()}"


def load_settings(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    user_file: Path | None = None,
    shipped_file: Path | None = None,
) -> Settings:
    """Return the settings of all sources together.

    Parameters
    ----------
    flags : mapping
        Values of the command line by key, as typed or already converted.
    environ : mapping
        Environment variables; ``ZEMOSAIC_<KEY>`` are read.
    user_file, shipped_file : Path, optional
        JSON files; one that does not exist counts as empty.

    Raises
    ------
    SettingsError
        If a flag is unknown, a flag or variable is outside its range, or a file is no JSON object.
    """
    return read_settings(flags, environ, user_file, shipped_file).settings


def resolve_settings(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    user_file: Path | None = None,
    shipped_file: Path | None = None,
) -> Mapping[str, Sourced]:
    """Return each setting's checked value and source; errors as in `load_settings`.

    Parameters
    ----------
    flags : mapping
        Settings of the command line.
    environ : mapping of str to str
        Environment variables.
    user_file, shipped_file : Path, optional
        Settings files; the user's counts more.
    """
    return read_settings(flags, environ, user_file, shipped_file).sourced


def read_settings(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    user_file: Path | None = None,
    shipped_file: Path | None = None,
) -> Reading:
    """Return the settings with their sources and with what to tell; errors as in `load_settings`.

    A value in a file that is not allowed is brought to the nearest allowed one: files are written by other versions
    and by other programs, and refusing all of a file for one value helps nobody.  What is typed is refused.

    Parameters
    ----------
    flags : mapping
        Settings of the command line.
    environ : mapping of str to str
        Environment variables.
    user_file, shipped_file : Path, optional
        Settings files; the user's counts more.
    """
    raw = {spec.key: Sourced(spec.default, "") for spec in specs()}
    notes: list[Message] = []
    files = [path for path in (shipped_file, user_file) if path is not None]
    for path in files:
        values = dict(_known(_read_object(path)))
        raw |= {key: Sourced(value, str(path)) for key, value in values.items() if key in raw}
        notes += unknown_keys((key for key in values if key not in raw), (*raw, *ALIASES), str(path))
    for key in (*ALIASES, *raw):
        name = environment_name(key)
        if name in environ:
            raw[ALIASES.get(key, key)] = Sourced(environ[name], name)
    notes += unknown_variables(environ, (environment_name(key) for key in (*ALIASES, *raw)))
    for key, value in _known(flags):
        if key not in raw:
            raise SettingsError("error.unknown_setting", setting=key)
        raw[key] = Sourced(value, f"--{key}")
    from_files = {str(path) for path in files}
    sourced = {}
    for key, given in raw.items():
        value, told = _checked(key, given, given.source in from_files)
        sourced[key] = Sourced(value, given.source)
        notes += told
    return Reading(Settings(**{key: item.value for key, item in sourced.items()}), sourced, tuple(notes))


def allowed_value(key: str, value: Any, source: str) -> tuple[Any, tuple[Message, ...]]:
    """Return a value of a file as it is used, and what to tell where that is another than the file's.

    Parameters
    ----------
    key : str
        Name of the setting.
    value : object
        As it stands in the file.
    source : str
        The file's path or name, as the user is told.
    """
    return _checked(key, Sourced(value, source), True)


def _checked(key: str, given: Sourced, from_file: bool) -> tuple[Any, tuple[Message, ...]]:
    try:
        return check_value(key, given.value, given.source), ()
    except SettingsError:
        if not from_file:
            raise
    spec = spec_of(key)
    nearest = nearest_allowed(spec, given.value)
    shown = {"value": str(given.value), "nearest": str(nearest).lower() if spec.kind == "bool" else str(nearest)}
    return nearest, (ValueBrought(given.source, key, spec.allowed, **shown),)


def check_value(key: str, value: Any, source: str = "") -> Any:
    """Return a value converted to the type of its setting.

    Parameters
    ----------
    key : str
        Of the setting.
    value : object
        Text is converted to the setting's type.
    source : str
        Where the value comes from, for the message.

    Raises
    ------
    SettingsError
        If the value is not allowed; the message names key, value, source and the allowed range.
    """
    try:
        return _adapter(key).validate_python(value.strip() if isinstance(value, str) else value)
    except ValidationError as fault:
        allowed = next(spec.allowed for spec in specs() if spec.key == key)
        details = {"setting": key, "value": str(value), "allowed": allowed}
        if source:
            raise SettingsError("error.bad_setting", source=source, **details) from fault
        raise SettingsError("error.bad_value", **details) from fault


def save_user_settings(values: Mapping[str, Any], user_file: Path, shipped_file: Path | None = None) -> None:
    """Write settings into the user's file, atomically.

    Keys the file already has, known or not, stay.  A value equal to the shipped default is taken out,
    so that a later version may improve the default.  A file that is no JSON object is kept under the
    name ``<file>.broken``.

    Parameters
    ----------
    values : mapping
        By key of the setting.
    user_file : Path
    shipped_file : Path, optional
        Where the defaults stand.

    Raises
    ------
    SettingsError
        If a key is unknown, a value is not allowed or the file cannot be written.
    """
    shipped = resolve_settings({}, {}, None, shipped_file)
    unknown = next((key for key in values if key not in shipped), None)
    if unknown is not None:
        raise SettingsError("error.unknown_setting", setting=unknown)
    checked = {key: check_value(key, value) for key, value in values.items()}
    try:
        kept = _kept_in(user_file)
        for alias, key in ALIASES.items():
            if key in checked:
                kept.pop(alias, None)
        for key, value in checked.items():
            kept.pop(key, None)
            if value != shipped[key].value:
                kept[key] = value
        user_file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(user_file, (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))
    except OSError as fault:
        raise SettingsError("error.settings_not_saved", path=str(user_file), detail=str(fault)) from fault


def settings_hash(settings: Settings, phase: str | None = None) -> str:
    """Return a hash (16 hexadecimal digits) of the settings that have a say in the result.

    Parameters
    ----------
    settings : Settings
    phase : str, optional
        Only settings that affect this phase count; all phases by default.
    """
    counted = {
        spec.key: getattr(settings, spec.key)
        for spec in specs()
        if (spec.affects if phase is None else phase in spec.affects)
    }
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _adapter(key: str) -> TypeAdapter[Any]:
    info = Settings.model_fields[key]
    kind: Any = info.annotation
    return TypeAdapter(Annotated[kind, *info.metadata] if info.metadata else kind)


def _known(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield aliases under their present names, unless that name is there itself."""
    for key, value in values.items():
        present = ALIASES.get(key, key)
        if present == key or present not in values:
            yield present, value


def _read_object(path: Path) -> dict[str, Any]:
    try:
        values = json_value(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as fault:
        raise SettingsError("error.bad_settings_file", path=str(path), detail=str(fault)) from fault
    if not isinstance(values, dict):
        raise SettingsError("error.bad_settings_file", path=str(path), detail=f"{type(values).__name__}, not object")
    return values


def _kept_in(path: Path) -> dict[str, Any]:
    try:
        return _read_object(path)
    except SettingsError:
        path.replace(path.with_name(path.name + ".broken"))
        return {}
