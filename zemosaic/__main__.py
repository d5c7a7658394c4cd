"""Starts the program: ``python -m zemosaic``, `run_zemosaic.py` and the commands of an installation end here."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

from zemosaic.health import give_compiled_code_a_folder, installation_error
from zemosaic.i18n import TextsMissing, Translator

__all__ = ["main"]


def main() -> int:
    """Run the program and return its exit code; a package that is missing is told in a sentence."""
    try:
        give_compiled_code_a_folder(os.environ, Path(__file__).resolve().parent)
        from zemosaic.app import main as run
    except ImportError as fault:
        broken = installation_error(fault)
        try:
            told = Translator().message(broken.message)
        except TextsMissing as lacking:
            told = str(lacking)
        sys.stderr.write(told + "\n")
        return broken.exit_code
    return run()


if __name__ == "__main__":
    multiprocessing.freeze_support()
    sys.exit(main())
