"""Write the licences of all packages that a built program holds: ``python -m tools.notices FILE``.

Taken from the metadata of what is installed: the packages that ZeMosaic requires and theirs, and PySide6 and
PyInstaller's bootloader where they are there.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ALSO = ("PySide6-Essentials", "shiboken6", "pyinstaller")
NAME = re.compile(r"[A-Za-z0-9._-]+")
LICENCE_FILE = re.compile(r"(^|/)(licen[cs]e|copying|notice|copyright)[^/]*$", re.IGNORECASE)
CODE = (".py", ".pyc", ".pyi")


def required(first: list[str]) -> list[Distribution]:
    """Return the packages that are installed, and those they require without an extra, by name."""
    known: dict[str, Distribution] = {}
    waiting = list(first)
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in known:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        known[key] = package
        needs = [text for text in package.requires or [] if "extra ==" not in text]
        waiting += [match[0] for text in needs if (match := NAME.match(text))]
    return [known[key] for key in sorted(known)]


def notice(package: Distribution) -> str:
    """Return what a package says of its licence, with the texts that it brings."""
    told = package.metadata
    classified = [text.rpartition(" :: ")[2] for text in told.get_all("Classifier", []) if text.startswith("License")]
    licence = told.get("License-Expression") or ", ".join(classified) or (told.get("License") or "").partition("\n")[0]
    files = [file for file in package.files or [] if LICENCE_FILE.search(str(file)) and file.suffix not in CODE]
    texts = [Path(str(file.locate())).read_text(encoding="utf-8", errors="replace") for file in sorted(files)]
    head = f"{told['Name']} {package.version}\nLicence: {licence or 'see its text'}"
    return "\n\n".join([head, *(text.strip() for text in texts)])


def notices() -> str:
    """Return all notices."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = [match[0] for line in lines if not line.startswith("#") and (match := NAME.match(line))]
    ruler = "\n\n" + "=" * 78 + "\n\n"
    first = "This program holds the following packages beside Python itself (PSF License Agreement)."
    return ruler.join([first, *(notice(package) for package in required([*names, *ALSO]))]) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(notices(), encoding="utf-8", newline="\n")
