"""The input folder of the form: whether it is still being typed, is missing, and where its mosaic could go."""

from __future__ import annotations

from pathlib import Path

from zemosaic.gui.presenter.unattended.jobs import proposed_output

__all__ = ["InputFolder", "folder_to_begin_in"]

_TYPING_S = 1.0
"""A folder is typed no more when it stands for this long."""


class InputFolder:
    """Follows what stands in the form from one look to the next."""

    def __init__(self) -> None:
        self.is_missing = False
        """Whether the folder stands still and is not there."""
        self._typed, self._since_s = "", 0.0
        self._proposed = ""
        """Output folder that was filled in for the user."""

    def stands_still(self, folder: str, at_s: float) -> bool:
        """Return whether nobody is typing any more: who types a path passes through other folders.

        Parameters
        ----------
        folder : str
            As the form has it now.
        at_s : float
            Seconds of a monotonic clock.
        """
        if folder != self._typed:
            self._typed, self._since_s, self.is_missing = folder, at_s, False
            return False
        if at_s - self._since_s <= _TYPING_S or Path(folder).parent == Path(folder):
            return False
        self.is_missing = not Path(folder).is_dir()
        return True

    def proposal(self, input_dir: str, output_dir: str) -> str:
        """Return a folder for the mosaic beside that of the frames; empty where the user chose one.

        Parameters
        ----------
        input_dir, output_dir : str
            As the form has them.  An output folder that was proposed before follows the input folder.
        """
        if output_dir not in ("", self._proposed) or not input_dir or self.is_missing:
            return ""
        proposed = proposed_output(input_dir)
        if not proposed or proposed == output_dir:
            return ""
        self._proposed = proposed
        return proposed


def folder_to_begin_in(text: str) -> str:
    """Return where a choice of folders begins: at one that was typed, the nearest above it, or the user's own."""
    if not text.strip():
        return str(Path.home())
    folder = Path(text).expanduser().absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return str(Path.home() if folder == folder.parent else folder)
