"""Print the lowest versions that `pyproject.toml` allows of what a run needs, as constraints for pip."""

import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
OF_ITS_TIME = {"zarr==2.18.7": "numcodecs==0.15.1"}
"""What a lowest version needs beside it."""


def main() -> None:
    """Print one line for each package."""
    needed = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    for package in needed:
        lowest = package.replace(">=", "==")
        print(lowest)
        if lowest in OF_ITS_TIME:
            print(OF_ITS_TIME[lowest])


if __name__ == "__main__":
    main()
