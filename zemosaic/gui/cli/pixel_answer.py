"""The command that explains one pixel of a finished mosaic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zemosaic.gui.presenter.result.pixel_text import heading, summary_lines, table_lines
from zemosaic.gui.presenter.result.place_text import place_of_words
from zemosaic.i18n import Translator
from zemosaic.provenance.pixel_story import PixelStory, Place
from zemosaic.store.temporary import temporary_folder

__all__ = ["explained_pixel", "story_dict", "story_lines"]


def explained_pixel(words_typed: Sequence[str]) -> PixelStory:
    """Return how a pixel came about.

    Parameters
    ----------
    words_typed : sequence of str
        An output folder, a report or a mosaic; then column and row, counted from 1 and from the bottom as FITS does,
        or right ascension and declination.

    Raises
    ------
    ZeMosaicError
        When there is no such place, or no record of it.
    """
    # Here, because it takes the numerical libraries, which no other command of the front end needs.
    from zemosaic.provenance.explain import explain_pixel

    source, first, second = words_typed
    x, y, on_sky = place_of_words(first, second)
    place = Place(x, y, True) if on_sky else Place(x - 1.0, y - 1.0)
    with temporary_folder("pixel") as scratch:
        return explain_pixel(Path(source), scratch, place)


def story_lines(story: PixelStory, words: Translator) -> list[str]:
    """Return what people read of a pixel.

    Parameters
    ----------
    story : PixelStory
    words : Translator
        The language of the lines.
    """
    lines = [f"{story.mosaic}, {heading(story, words)}", *summary_lines(story, words)]
    return [*lines, "", *table_lines(story, words)] if story.frames else lines


def story_dict(story: PixelStory, words: Translator) -> dict[str, Any]:
    """Return what programs read of a pixel; columns and rows count from 1 as on the command line.

    Parameters
    ----------
    story : PixelStory
        Its own columns and rows count from 0.
    words : Translator
        Gives every message as a text beside its key and parameters.
    """
    values = asdict(story) | {"column": story.column + 1, "row": story.row + 1}
    values["told"] = [{"text": words.message(item), **item.to_dict()} for item in story.told]
    for entry, frame in zip(values["frames"], story.frames, strict=True):
        reason = frame.reason
        entry["state"] = frame.state.value
        entry["reason"] = None if reason is None else {"text": words.message(reason), **reason.to_dict()}
    return {"event": "PixelExplained", **values, "summary": summary_lines(story, words)[0]}
