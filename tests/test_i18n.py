"""Texts: complete, agreeing, and switching."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zemosaic.errors import SettingsError, message
from zemosaic.events import PHASES
from zemosaic.i18n import (
    PLURAL_RULES,
    TextsMissing,
    Translator,
    locales_folder,
    placeholders,
    plural_forms,
    system_language,
)
from zemosaic.settings.schema import GROUPS, TIERS, specs
from zemosaic.text.plain_text import printable

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "zh")
PERCENTS = dict.fromkeys(LANGUAGES, "%") | dict.fromkeys(("de", "es", "fr"), "\xa0%")
TEXTS = {code: json.loads((locales_folder() / f"{code}.json").read_text(encoding="utf-8")) for code in LANGUAGES}
TRANSLATED = [code for code in LANGUAGES if code != "en"]
_SAME_WORDS = """
    caption.author caption.dates caption.hours caption.minutes choice.gui_backend.qt choice.gui_backend.tk
    forecast.card_size menu.recent settings.named
    choice.save_picture.jpg choice.save_picture.png choice.save_picture.tiff choice.solver.astap
    choice.stacking_interpolation.lanczos3 choice.stacking_rejection_algorithm.kappa_sigma doctor.python
    equipment.astap equipment.line frames.column.fwhm frames.column.snr frames.east frames.north
    frames.solved.astap frames.verdict.dropped locale.decimal locale.plural locale.thousands pixel.and
    pixel.number pixel.percent pixel.sigma report.east report.fwhm_short report.hours report.minutes report.north
    report.number0 report.number1 report.number2 report.number3 report.light.mag report.seconds
    result.full_size result.place result.zoom result.zoom_in result.zoom_out summary.drop
"""
SAME_WORDS = frozenset(_SAME_WORDS.split())
"""Names of programs and methods, and what holds no word of a language."""
SAME_UNITS = "unit."
MOST_SAME_WORDS = 30
"""Words that two languages share by chance, such as "Version" or "Status", are this few in any language."""
PREFIXES = "error reason warning log note flag cli summary run result settings window page phase unit group tier report"
KEY = re.compile(rf"""["']((?:{PREFIXES.replace(" ", "|")})\.[a-z0-9_][a-z0-9_.-]*)["']""")


def keys_in_code():
    for path in sorted((ROOT / "zemosaic").rglob("*.py")):
        for key in KEY.findall(path.read_text(encoding="utf-8")):
            if not key.endswith((".json", ".html", ".log", ".png", ".fits", ".md", ".j2")):
                yield path.relative_to(ROOT).as_posix(), key


def waiting_parts():
    parts = (locales_folder() / "parts").glob("*.json")
    return {key for part in parts for key in json.loads(part.read_text(encoding="utf-8"))}


def numbers(sentence):
    """Return the names that a sentence shows, not only counts a noun by."""
    fields = string.Formatter().parse(sentence)
    return {name for _, name, spec, _ in fields if name is not None and not (spec or "").startswith("|")}


@pytest.mark.parametrize("code", TRANSLATED)
def test_all_languages_have_the_same_keys_and_placeholders(code):
    assert TEXTS["en"].keys() == TEXTS[code].keys()
    for key, sentence in TEXTS["en"].items():
        assert placeholders(sentence) == placeholders(TEXTS[code][key]), key
        assert numbers(sentence) == numbers(TEXTS[code][key]), key
        assert sentence, key
        assert TEXTS[code][key], key


@pytest.mark.parametrize("code", LANGUAGES)
def test_counted_nouns_have_the_forms_of_their_language(code):
    forms, _ = PLURAL_RULES[TEXTS[code]["locale.plural"]]
    wrong = {key: nouns for key in TEXTS[code] for nouns in plural_forms(TEXTS[code][key]) if len(nouns) != forms}
    assert not wrong


@pytest.mark.parametrize("code", TRANSLATED)
def test_no_sentence_was_left_english(code):
    same = {key for key, sentence in TEXTS[code].items() if sentence == TEXTS["en"][key]} - SAME_WORDS
    same = {key for key in same if not key.startswith(SAME_UNITS)}
    assert not [key for key in same if len(TEXTS["en"][key].split()) > 3], "sentences"
    assert len(same) <= MOST_SAME_WORDS, sorted(same)


@pytest.mark.parametrize("code", LANGUAGES)
def test_lines_are_those_of_the_english_text(code):
    for key, sentence in TEXTS["en"].items():
        told = TEXTS[code][key]
        assert told.count("\n") == sentence.count("\n") or key.startswith("cli."), key


def test_every_key_in_the_code_has_a_text():
    known = TEXTS["en"].keys() | waiting_parts()
    missing = sorted({(path, key) for path, key in keys_in_code() if key not in known})
    assert not missing


def test_every_setting_phase_and_choice_has_its_words():
    wanted = [f"group.{group}" for group in GROUPS] + [f"tier.{tier}" for tier in TIERS]
    wanted += [f"phase.{phase}" for phase in PHASES]
    for spec in specs():
        wanted += [f"setting.{spec.key}.label", f"setting.{spec.key}.help"]
        wanted += [f"choice.{spec.key}.{choice}" for choice in spec.choices]
    assert not [key for key in wanted if key not in TEXTS["en"]]


def test_french_typography():
    for key, sentence in TEXTS["fr"].items():
        plain = re.sub(r"\{[^}]*\}", "x", sentence)
        assert not re.search(r"\w'\w", plain), key
        assert not re.search(r"\w [;!?](\s|$)", plain), key
        assert not re.search(r"\w :(\s|$)", plain), key
        assert not re.search(r"« | »", plain), key


def write(folder, code, texts):
    (folder / f"{code}.json").write_text(json.dumps(texts), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "en", {"locale.name": "English", "a": "A {n}", "b": "B", "bad": "{x}", "odd": "{x}"})
    write(
        tmp_path,
        "de",
        {"locale.name": "Deutsch", "locale.decimal": ",", "a": "Ä {n:.1f}", "bad": "{y}", "odd": "{x.y}"},
    )
    return tmp_path


def test_further_languages_are_picked_up_and_lacking_sentences_are_english(folder):
    words = Translator("de", folder)
    assert words.languages() == {"de": "Deutsch", "en": "English"}
    assert words.text("a", n=1.25) == "Ä 1,2"
    assert words.text("b") == "B"
    assert words.text("no.such.key") == "no.such.key"
    assert words.text("bad", x=3) == "3"
    assert words.text("odd", x=3) == "3"
    words.use("en")
    assert words.message(message("a", n=2)) == "A 2"
    words.use("xx")
    assert words.language == "en"


def test_regions_fall_back_to_their_language(folder):
    assert Translator("de_AT", folder).language == "de"
    assert Translator("auto", folder, {"LANG": "de_CH.UTF-8"}).language == "de"
    assert Translator("auto", folder, {"LC_ALL": "C", "LANG": "de_CH"}).language == "en"


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"LANG": "fr_FR.UTF-8"}, "fr_FR"),
        ({"LANG": "fr"}, "fr"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LC_ALL": "de@euro"}, "de"),
    ],
)
def test_the_language_of_the_system(environ, code):
    assert system_language(environ) == code


def test_what_is_missing_stays_visible(folder):
    assert Translator("de", folder).text("a") == "Ä {n}"
    assert Translator("de", folder).text("a", n="many") == "Ä many"


def test_a_broken_language_file_is_named(folder):
    (folder / "de.json").write_text("{", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"de\.json"):
        Translator("de", folder)


def test_there_is_one_minus_and_what_is_rounded_to_nothing_has_none():
    for code in LANGUAGES:
        words = Translator(code)
        assert words.number(-0.4, "+.1f") == f"−0{words.decimal}4" and words.number(-3, "") == "−3"
        assert words.number(-0.04, ".1f") == f"0{words.decimal}0" and words.number(-0.0, "") == "0"


def test_hundredths_are_written_as_each_language_does():
    assert Translator("en").number(-0.002, "+.1%") == "−0.2%"
    assert Translator("fr").number(-0.002, "+.1%") == "−0,2\N{NO-BREAK SPACE}%"
    for code, texts in TEXTS.items():
        odd = [key for key, text in texts.items() if re.search(r"[\d}]\s*%(?!})", text.replace(PERCENTS[code], "§"))]
        assert not odd, (code, odd)


def test_numbers_are_written_the_french_way():
    words = Translator("fr")
    assert words.text("summary.frames", used=12345, dropped=0) == "Images\u00a0: 12\u202f345 utilisées, 0 exclue"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("none", {0: 0, 1: 0, 2: 0}),
        ("one", {0: 1, 1: 0, 1.5: 1, 2: 1}),
        ("zero_one", {0: 0, 1: 0, 1.5: 0, 2: 1}),
        ("polish", {0: 2, 1: 0, 1.5: 1, 2: 1, 4: 1, 5: 2, 12: 2, 21: 2, 22: 1, 112: 2, 124: 1}),
        ("east_slavic", {0: 2, 1: 0, 11: 2, 21: 0, 22: 1, 111: 2, 2.5: 1}),
        ("czech", {0: 2, 1: 0, 2: 1, 4: 1, 5: 2, 22: 2, 0.5: 1}),
    ],
)
def test_each_number_takes_its_form_of_a_noun(rule, expected):
    forms, index = PLURAL_RULES[rule]
    assert {number: index(number) for number in expected} == expected
    assert max(expected.values()) == forms - 1


def test_numbers_meet_their_nouns(folder):
    write(folder, "en", {"locale.plural": "one", "a": "{n:,} {n:|frame|frames}"})
    write(folder, "pl", {"locale.plural": "polish", "locale.thousands": " ", "a": "{n:,} {n:|klatka|klatki|klatek}"})
    english, polish = Translator("en", folder), Translator("pl", folder)
    assert [english.text("a", n=n) for n in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]
    assert [polish.text("a", n=n) for n in (1, 22, 1025)] == ["1 klatka", "22 klatki", "1 025 klatek"]
    assert english.text("a", n="many") == "many frames"
    assert english.text("a", n=float("nan")) == "nan frames"
    write(folder, "pl", {"locale.plural": "slavonic"})
    with pytest.raises(SettingsError, match="slavonic"):
        Translator("pl", folder)


@given(st.dictionaries(st.sampled_from(sorted(TEXTS["en"])), st.text()), st.sampled_from(LANGUAGES))
def test_no_value_breaks_a_sentence(values, language):
    words = Translator(language)
    for key, text in values.items():
        names = [name for _, name, _, _ in string.Formatter().parse(TEXTS["en"][key]) if name]
        told = words.text(key, **dict.fromkeys(names, text))
        assert not names or printable(text) in told


def test_parts_are_merged_and_deleted(tmp_path):
    import sys

    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from merge_locales import merge
    finally:
        sys.path.pop(0)
    (tmp_path / "parts").mkdir()
    write(tmp_path, "en", {"z": "old", "a": "A"})
    for code in ("en", "fr"):
        write(tmp_path / "parts", f"x.{code}", {"z": "l'eau : « x » !"})
    merge(tmp_path)
    assert list((tmp_path / "parts").iterdir()) == []
    assert json.loads((tmp_path / "en.json").read_text(encoding="utf-8")) == {"a": "A", "z": "l'eau : « x » !"}
    french = json.loads((tmp_path / "fr.json").read_text(encoding="utf-8"))
    assert french == {"z": "l’eau\u00a0: «\u00a0x\u00a0»\u202f!"}
    for name, sentence in (("p", "1"), ("q", "2")):
        write(tmp_path / "parts", f"{name}.en", {"k": sentence})
    with pytest.raises(ValueError, match="k"):
        merge(tmp_path)


def test_a_missing_base_language_is_an_error_with_its_path(tmp_path):
    write(tmp_path, "fr", {"a": "x"})
    with pytest.raises(TextsMissing) as told:
        Translator("fr", tmp_path)
    assert str(tmp_path / "en.json") in str(told.value)
    assert told.value.exit_code == 2
    (tmp_path / "en.json").write_text("{", encoding="utf-8")
    with pytest.raises(TextsMissing, match="Install the program again"):
        Translator("en", tmp_path)
