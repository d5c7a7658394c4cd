"""Every message is made with the values that its sentence names."""

from __future__ import annotations

import ast
import json

from package_source import modules

from zemosaic import errors
from zemosaic.i18n import locales_folder, placeholders

TEXTS = json.loads((locales_folder() / "en.json").read_text(encoding="utf-8"))
MAKERS = {"message", "not_solved", "FrameError"} | {
    name for name in errors.__all__ if isinstance(getattr(errors, name), type) and name not in ("Message", "FrameError")
}


def made():
    """Yield (place, key, names of the values) of every message made with a key and plain values."""
    for module in modules():
        for call in module.walk(ast.Call):
            maker = ast.unparse(call.func).rpartition(".")[2]
            if maker not in MAKERS or not call.args or not isinstance(call.args[0], ast.Constant):
                continue
            names = {keyword.arg for keyword in call.keywords}
            if None not in names and isinstance(call.args[0].value, str):
                yield f"{module.name}:{call.lineno}", call.args[0].value, names


def test_sentences_get_the_values_they_name():
    found = list(made())
    assert len(found) > 60
    lacking = [
        f"{place} {key} lacks {sorted(placeholders(TEXTS[key]) - names)}"
        for place, key, names in found
        if key in TEXTS and placeholders(TEXTS[key]) - names
    ]
    assert not lacking


MAY_LOOK_AT_KEYS = {
    "frames/copies.py",  # which notes a header has already got
    "phases/parts/bayer_cards.py",  # which frames have a wrong card
    "phases/parts/calibration_files.py",  # the same, of calibration frames
    "frames/frame_files.py",  # which refused files could be read
    "frames/headers/header.py",  # which of several refusals is told
    "frames/inventory.py",  # how refused files are counted
}
"""Files that still compare keys of texts with words; none may join them."""
NOT_TEXTS = ("row", "item", "spec")
"""Names of settings in a form or in the schema, whose keys are those of settings."""


def steering(module):
    """Yield the places of a file where what a text says decides what is done."""
    for node in module.walk(ast.Compare):
        for side in (node.left, *node.comparators):
            if not isinstance(side, ast.Attribute) or side.attr != "key":
                continue
            if ast.unparse(side.value).rpartition(".")[2] in NOT_TEXTS:
                continue
            against = [item for item in (node.left, *node.comparators) if item is not side]
            words = [item for item in against if isinstance(item, ast.Constant)]
            names = [item for item in against if isinstance(item, ast.Name) and item.id.isupper()]
            keys = [item for item in against if isinstance(item, ast.Name) and item.id == "keys"]
            if words or names or keys:
                yield f"{module.name}:{node.lineno} {ast.unparse(node)}"
    for call in module.walk(ast.Call):
        if ast.unparse(call.func).endswith((".key.startswith", ".key.endswith", ".key.replace")):
            yield f"{module.name}:{call.lineno} {ast.unparse(call)}"


def test_no_text_steers_the_program():
    places = {module.name: list(steering(module)) for module in modules()}
    assert not {name: lines for name, lines in places.items() if lines and name not in MAY_LOOK_AT_KEYS}
    assert all(places[name] for name in MAY_LOOK_AT_KEYS), "a file that is clean leaves the list"
