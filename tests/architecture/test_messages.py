"""Every message is made with the values that its sentence names."""

from __future__ import annotations

import ast
import json

from package_source import modules

from zemosaic import errors
from zemosaic.i18n import locales_folder, placeholders

TEXTS = json.loads((locales_folder() / "en.json").read_text(encoding="utf-8"))
MAKERS = {"message", "FrameError"} | {
    name for name in errors.__all__ if isinstance(getattr(errors, name), type) and name not in ("Message", "FrameError")
}


def made():
    """Yield (place, key, names of the values) of every message made with a key and plain values."""
    for module in modules():
        for call in module.walk(ast.Call):
            maker = ast.unparse(call.func).rpartition(".")[2]
            if maker not in MAKERS or len(call.args) != 1 or not isinstance(call.args[0], ast.Constant):
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
