"""Command line flags, made from the settings schema."""

from __future__ import annotations

import argparse
import difflib
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NoReturn

from zemosaic.errors import SettingsError
from zemosaic.events import PREPARATIONS, Preparation
from zemosaic.i18n import Translator
from zemosaic.settings.load import ALIASES, check_value
from zemosaic.settings.schema import GROUPS, TIERS, Spec, specs

__all__ = ["ALL", "SHELLS", "Command", "completable", "help_text", "parse", "program_name", "window_flags"]

_WINDOWS = ("qt-gui", "tk-gui")
"""Flags that the window's start looks at; a headless run passes over them."""
_OWN = (
    *(
        "demo",
        "dry-run",
        "until",
        "watch",
        "queue",
        "targets-below",
        "log-json",
        "config",
        "list-settings",
        "detect-astap",
        "doctor",
    ),
    *("measure-seams", "footprints", "combine-bands", "explain-pixel", "completion", "version", "help"),
)
"""Flags that are no settings, in the order of the help."""


SHELLS = ("bash", "zsh", "fish", "powershell")
"""Shells that a completion can be written for."""
ALL, SHORT = "all", "short"
_VALUES = {
    "demo": " [DIR]",
    "until": f" {'|'.join(PREPARATIONS)}",
    "queue": " FILE",
    "targets-below": " DIR",
    "config": " FILE",
    "measure-seams": " FILE",
    "footprints": " PATH",
    "combine-bands": " DIR",
    "explain-pixel": " PATH X Y",
    "completion": f" {'|'.join(SHELLS)}",
    "help": f" [{ALL}]",
}


@dataclass(frozen=True)
class Command:
    """What the command line asks for."""

    flags: Mapping[str, str]
    """Settings as typed."""
    demo: str | None = None
    """Folder of the demo; empty for the usual one, None for no demo."""
    until: Preparation | None = None
    """The last phase of a run that only prepares."""
    watch: bool = False
    """Go on as frames are added to the input folder."""
    queue: str | None = None
    """Table of pairs of folders to run one after the other."""
    targets_below: str | None = None
    """Folder with a subfolder for each target to run."""
    dry_run: bool = False
    """Say what a run would do, and do nothing."""
    log_json: bool = False
    config: str | None = None
    list_settings: bool = False
    detect_astap: bool = False
    measure_seams: str | None = None
    """A finished mosaic."""
    footprints: str | None = None
    """A run's report or a folder of frames: what that mosaic was made of."""
    combine_bands: str | None = None
    """An output folder whose mosaics are made into what the settings ask for."""
    explain_pixel: Sequence[str] = ()
    """A mosaic, report or output folder, and two words that say where."""
    doctor: bool = False
    """Say what is installed here and works, for a report of a fault."""
    completion: str | None = None
    """Shell to write a completion for."""
    version: bool = False
    help: str | None = None
    """``"short"`` or ``"all"``."""


def parse(argv: Sequence[str]) -> Command:
    """Return what the arguments (without the program's name) ask for.

    Raises
    ------
    SettingsError
        If a flag is unknown or lacks its value.
    """
    parsed, unknown = _parser().parse_known_args(_with_places([_spelled(word) for word in argv]))
    if unknown:
        raise _unknown_flag(unknown[0])
    values = vars(parsed)
    if "explain_pixel" in values:
        values["explain_pixel"] = tuple(word.strip() for word in values["explain_pixel"])
    command_flags = {name.replace("-", "_") for name in _OWN}
    return Command(
        flags={key: value for key, value in values.items() if key not in command_flags},
        **{key: value for key, value in values.items() if key in command_flags},
    )


def window_flags(argv: Sequence[str]) -> Mapping[str, str] | None:
    """Return the settings that a window is to open with; None where the arguments ask for more than settings.

    Parameters
    ----------
    argv : sequence of str
        Arguments without the program's name and without the choice of the window.

    Raises
    ------
    SettingsError
        If a flag is unknown, lacks its value or has one that is not allowed.
    """
    command = parse(argv)
    if command != Command(command.flags):
        return None
    for key, value in command.flags.items():
        check_value(key, value)
    return command.flags


def help_text(
    words: Translator, width: int, program: str = "zemosaic", everything: bool = True, settings_file: str = ""
) -> str:
    """Return the help in the user's language.

    Parameters
    ----------
    words : Translator
    width : int
        Columns of the console.
    program : str
        What the user typed to start the program.
    everything : bool
        Whether to tell of all settings, signals and exit codes, or of the commands and basic settings.
    settings_file : str
        Where the user's own settings are.
    """
    described = textwrap.wrap(words.text("cli.description"), width - 1)
    lines = [words.text("cli.usage", program=program), "", *described, "", words.text("cli.own_flags")]
    for name in (*_OWN, *_WINDOWS):
        lines += _entry(f"--{name}{_VALUES.get(name, '')}", words.text(f"flag.{name}"), width)
    for group in GROUPS:
        shown = [spec for spec in specs() if spec.group == group and (everything or spec.tier == TIERS[0])]
        lines += ["", words.text(f"group.{group}")] if shown else []
        for spec in shown:
            lines += _entry(f"--{spec.key}{_value_name(spec)}", _told(spec, words), width)
    if settings_file:
        lines += ["", words.text("cli.settings_file", path=settings_file)]
    if not everything:
        more = words.text("cli.help_all", program=program, count=len(specs()))
        return "\n".join([*lines, "", *textwrap.wrap(more, width - 1)])
    return "\n".join([*lines, "", words.text("cli.signals"), "", words.text("cli.exit_codes")])


def program_name(started: str) -> str:
    """Return what the user typed to start the program, from the first word of the command line."""
    path = PurePath(started)
    if path.name == "__main__.py":
        return f"python -m {path.parent.name or 'zemosaic'}"
    return path.stem if path.suffix.lower() == ".exe" else path.name or "zemosaic"


def completable() -> dict[str, tuple[str, ...]]:
    """Return every flag with the values that can be offered for it; none where a folder, file or number follows."""
    flags: dict[str, tuple[str, ...]] = {f"--{name}": () for name in (*_OWN, *_WINDOWS)}
    flags |= {"--until": PREPARATIONS, "--completion": SHELLS, "--help": (ALL,)}
    for spec in specs():
        flags[f"--{spec.key}"] = ("true", "false") if spec.kind == "bool" else spec.choices
    return flags


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are `SettingsError`."""

    def error(self, message: str) -> NoReturn:
        lacking = re.match(r"argument (--\S+): expected", message)
        if lacking:
            raise SettingsError("error.flag_without_value", flag=lacking[1])
        raise SettingsError("error.bad_flag", detail=message)


def _parser() -> _Parser:
    parser = _Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("--demo", nargs="?", const="")
    parser.add_argument("--until", choices=PREPARATIONS)
    for name in ("--queue", "--targets-below", "--config", "--measure-seams", "--footprints", "--combine-bands"):
        parser.add_argument(name)
    parser.add_argument("--explain-pixel", nargs=3)
    for name in ("--watch", "--log-json", "--dry-run", "--list-settings", "--detect-astap", "--doctor"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--completion", choices=SHELLS)
    parser.add_argument("--version", "-V", action="store_true")
    parser.add_argument("--help", "-h", nargs="?", const=SHORT, choices=(ALL, SHORT))
    for spec in specs():
        names = [spec.key, *(alias for alias, key in ALIASES.items() if key == spec.key)]
        for name in names:
            if spec.kind == "bool":
                parser.add_argument(f"--{name}", dest=spec.key, nargs="?", const="true")
            else:
                parser.add_argument(f"--{name}", dest=spec.key)
    return parser


def _names() -> Iterator[str]:
    yield from _OWN
    yield from (spec.key for spec in specs())
    yield from ALIASES


def _spelled(word: str) -> str:
    """Return a flag in its proper spelling: dashes and underscores mean the same."""
    if not word.startswith("--"):
        return word
    name, equals, value = word[2:].partition("=")
    known = {item.replace("-", "_"): item for item in _names()}
    return f"--{known.get(name.replace('-', '_'), name)}{equals}{value}"


def _with_places(words: list[str]) -> list[str]:
    """Return words in which a declination south of the equator cannot be taken for a flag."""
    after = words.index("--explain-pixel") + 2 if "--explain-pixel" in words else len(words)
    return [
        f" {word}" if after <= number < after + 2 and re.match(r"[-−]\.?\d", word) else word
        for number, word in enumerate(words)
    ]


def _unknown_flag(word: str) -> SettingsError:
    name = word.lstrip("-").partition("=")[0].replace("-", "_")
    near = difflib.get_close_matches(name, [item.replace("-", "_") for item in _names()], 1)
    if not word.startswith("-"):
        return SettingsError("error.stray_argument", word=word)
    if not near:
        return SettingsError("error.unknown_flag", flag=word)
    known = {item.replace("-", "_"): item for item in _names()}
    return SettingsError("error.unknown_flag_near", flag=word, near=f"--{known[near[0]]}")


def _value_name(spec: Spec) -> str:
    if spec.kind == "bool":
        return " [true|false]"
    names = {"choice": "NAME", "folder": "DIR", "file": "FILE", "file or folder": "PATH", "int": "N", "float": "X"}
    return f" {names.get(spec.kind, 'TEXT')}"


def _told(spec: Spec, words: Translator) -> str:
    limits: list[Any] = [words.text(f"setting.{spec.key}.help")]
    if spec.kind not in ("folder", "file", "file or folder", "text", "bool"):
        limits.append(words.text("cli.allowed", allowed=spec.allowed, unit=spec.unit).strip() + ".")
    if spec.default != "":
        default = str(spec.default).lower() if spec.kind == "bool" else str(spec.default)
        limits.append(words.text("cli.default_is", value=default))
    return " ".join(limits)


def _entry(flag: str, help_text: str, width: int) -> list[str]:
    indent = 6
    body = textwrap.wrap(help_text, max(width - indent - 1, 30), break_on_hyphens=False, break_long_words=False)
    return [f"  {flag}", *(" " * indent + line for line in body)]
