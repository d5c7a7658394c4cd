"""Merge `locales/parts/*.{en,fr}.json` into `locales/en.json` and `locales/fr.json`, and delete the parts.

French sentences get French typography on the way.  A key that is there already with another sentence
takes the sentence of the part.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

LOCALES = Path(__file__).resolve().parents[1] / "locales"


def typographic(sentence: str) -> str:
    """Return a French sentence with curly apostrophes and the spaces its punctuation wants."""
    sentence = re.sub(r"(?<=\w)'(?=\w)", "’", sentence)
    sentence = re.sub(r"(?<=[\w)}»%.…]) (?=[;!?](\s|$))", "\u202f", sentence)
    sentence = re.sub(r"(?<=[\w)}»%]) (?=:(\s|$))", "\u00a0", sentence)
    sentence = re.sub(r"(?<=[\d}]) (?=%)", "\u202f", sentence)
    return sentence.replace("« ", "«\u00a0").replace(" »", "\u00a0»")


def merge(locales: Path) -> list[str]:
    """Merge all parts below a folder; return one line per file merged or key changed.

    Raises
    ------
    ValueError
        If two parts give one key different sentences.
    """
    told = []
    for language in ("en", "fr"):
        target = locales / f"{language}.json"
        texts = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
        parts = sorted((locales / "parts").glob(f"*.{language}.json"))
        added: dict[str, str] = {}
        for part in parts:
            for key, sentence in json.loads(part.read_text(encoding="utf-8")).items():
                if language == "fr":
                    sentence = typographic(sentence)
                if added.setdefault(key, sentence) != sentence:
                    raise ValueError(f"{part.name}: {key} has another sentence in another part")
                if texts.get(key, sentence) != sentence:
                    told.append(f"{language}: {key} changed by {part.name}")
        merged = dict(sorted((texts | added).items()))
        target.write_text(json.dumps(merged, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
        for part in parts:
            told.append(f"{language}: {part.name} merged")
            part.unlink()
    return told


if __name__ == "__main__":
    sys.stdout.write("\n".join([*merge(LOCALES), ""]))
