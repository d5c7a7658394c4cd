"""Which program this is: its version, the commit it was built from, and the packages it stands on."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from zemosaic import __version__

__all__ = ["REQUIRED", "code_digest", "commit", "full_version", "package_versions", "part_versions"]


@dataclass(frozen=True)
class Package:
    """A package that is required."""

    module: str
    """What is imported."""
    minimum: str
    """The lowest version that runs."""


REQUIRED: Mapping[str, Package] = {
    "numpy": Package("numpy", "1.26"),
    "scipy": Package("scipy", "1.12"),
    "astropy": Package("astropy", "6.0"),
    "sep": Package("sep", "1.2"),
    "numba": Package("numba", "0.60"),
    "opencv-python-headless": Package("cv2", "4.9.0.80"),
    "psutil": Package("psutil", "5.9"),
    "zarr": Package("zarr", "2.18.7"),
    "reproject": Package("reproject", "0.15"),
    "photutils": Package("photutils", "1.13"),
    "pydantic": Package("pydantic", "2.6"),
    "platformdirs": Package("platformdirs", "4.0"),
    "filelock": Package("filelock", "3.13"),
    "Pillow": Package("PIL", "10.1"),
    "jinja2": Package("jinja2", "3.1"),
    "pyongc": Package("pyongc", "1.1"),
}
"""The packages that every run needs, by their names in the package index."""
UNKNOWN = "?"
COMMIT_FILE = "commit.txt"
COMMIT_DIGITS = 12
_PACKAGE = Path(__file__).resolve().parent


@cache
def commit() -> str:
    """Return the first digits of the commit: of the checkout, else as noted when the program was built; else empty."""
    noted = _PACKAGE / "resources" / COMMIT_FILE
    if noted.is_file():
        return noted.read_text(encoding="ascii").strip()
    return checked_out_commit(_PACKAGE.parent)


def checked_out_commit(root: Path) -> str:
    """Return the first digits of the commit that a folder is a checkout of, empty where it is none.

    Only files are read, so that no program need be there or be started.
    """
    try:
        git = root / ".git"
        if git.is_file():  # a worktree: the file says where its folder is
            git = root / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        name = head.removeprefix("ref:").strip()
        found = head if name == head else _resolved(git, name)
    except (OSError, UnicodeDecodeError):
        return ""
    return found[:COMMIT_DIGITS] if re.fullmatch(r"[0-9a-f]{40,64}", found) else ""


def full_version() -> str:
    """Return the version with the commit, as in ``1.0.0 (0123456789ab)``."""
    return f"{__version__} ({commit()})" if commit() else __version__


def package_versions() -> dict[str, str]:
    """Return the versions of the program, of Python and of every required package; ``"?"`` where one has none."""
    return {"zemosaic": full_version(), "python": platform.python_version()} | {
        name: _version(name) for name in REQUIRED
    }


def part_versions() -> dict[str, str]:
    """Return what has to be alike on all computers that work on one mosaic, since results depend on it."""
    versions = package_versions()
    numerical = ("numpy", "scipy", "astropy", "sep", "numba", "opencv-python-headless")
    python = ".".join(versions["python"].split(".")[:2])
    named = {"zemosaic": __version__, "python": python} | {name: versions[name] for name in numerical}
    return named | {"code": code_digest()}


@cache
def code_digest() -> str:
    """Return a digest (12 hexadecimal digits) of the program's own modules, which tells copies that differ."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:COMMIT_DIGITS]


def _resolved(git: Path, name: str) -> str:
    """Return the commit of a branch, which may lie in the folder that worktrees share, or in one file with others."""
    shared = git / "commondir"
    folders = [git, git / shared.read_text(encoding="utf-8").strip()] if shared.is_file() else [git]
    for folder in folders:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8").strip()
        packed = folder / "packed-refs"
        for line in packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else ():
            if line.endswith(f" {name}"):
                return line.partition(" ")[0]
    return ""


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return UNKNOWN
