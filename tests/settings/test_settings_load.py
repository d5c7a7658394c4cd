"""Settings from their sources and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zemosaic.errors import SettingsError
from zemosaic.settings.generate import SETTINGS_PAGES, settings_table_markdown, shipped_json
from zemosaic.settings.load import (
    ALIASES,
    check_value,
    environment_name,
    load_settings,
    read_settings,
    resolve_settings,
    save_user_settings,
    settings_hash,
    shipped_settings_file,
)
from zemosaic.settings.schema import Settings, specs

PREDECESSOR = Path(__file__).resolve().parents[3] / "shared" / "cases" / "real" / "predecessor_config.json"
SPECS = {spec.key: spec for spec in specs()}


def write(path, values):
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def test_each_source_overrides_the_one_before(tmp_path):
    shipped = write(tmp_path / "s.json", {"grid_tile_px": 200, "grid_overlap_px": 20, "preview_max_px": 300})
    user = write(tmp_path / "u.json", {"grid_overlap_px": 30, "preview_max_px": 400})
    environ = {"ZEMOSAIC_PREVIEW_MAX_PX": "500"}
    found = load_settings({"memory_limit_gb": "4"}, environ, user, shipped)
    assert (found.grid_tile_px, found.grid_overlap_px, found.preview_max_px) == (200, 30, 500)
    assert found.memory_limit_gb == 4.0
    assert load_settings({"preview_max_px": 600}, environ, user, shipped).preview_max_px == 600
    assert load_settings({}, {}) == Settings()
    sources = resolve_settings({"memory_limit_gb": "4"}, environ, user, shipped)
    told = {key: value.source for key, value in sources.items() if value.source}
    assert told == {
        "grid_tile_px": str(shipped),
        "grid_overlap_px": str(user),
        "preview_max_px": "ZEMOSAIC_PREVIEW_MAX_PX",
        "memory_limit_gb": "--memory_limit_gb",
    }


@pytest.mark.parametrize("key", [key for key, spec in SPECS.items() if spec.maximum is not None])
def test_values_outside_their_range_are_told_with_the_range(key, tmp_path):
    spec = SPECS[key]
    for value in (spec.minimum - 1, spec.maximum + 1, "many", None, [1], float("nan")):
        with pytest.raises(SettingsError) as told:
            load_settings({}, {environment_name(key): str(value)})
        params = told.value.message.params
        assert params["setting"] == key
        assert params["value"] == str(value)
        assert params["source"] == environment_name(key)
        assert params["allowed"] == spec.allowed
    for value in (spec.minimum, spec.maximum):
        assert getattr(load_settings({key: value}, {}), key) == value


def test_a_wrong_value_that_is_overridden_does_no_harm(tmp_path):
    user = write(tmp_path / "u.json", {"grid_tile_px": -5})
    reading = read_settings({"grid_tile_px": "512"}, {}, user)
    assert reading.settings.grid_tile_px == 512
    assert not reading.notes


@pytest.mark.parametrize(
    ("key", "value", "nearest"),
    [
        ("grid_tile_px", -5, 128),
        ("grid_tile_px", "1e9", 4096),
        ("stacking_kappa_low", 0, 0.1),
        ("stacking_kappa_low", float("nan"), 3.0),
        ("winsor_min_frames_per_pass", 4, 5),
        ("memory_limit_gb", [1], 0.0),
        ("memory_limit_gb", None, 0.0),
        ("resume", "force", "auto"),
        ("solver", "ANSVR", "auto"),
        ("log_level", "info", "INFO"),
        ("save_final_as_uint16", "perhaps", False),
        ("language", "English", "auto"),
        ("region_of_interest", "1, 2", ""),
        ("input_dir", None, ""),
    ],
)
def test_a_wrong_value_in_a_file_is_brought_to_the_nearest_and_told(key, value, nearest, tmp_path):
    user = write(tmp_path / "u.json", {key: value, "grid_overlap_px": 30})
    reading = read_settings({}, {}, user)
    assert getattr(reading.settings, key) == nearest
    assert reading.settings.grid_overlap_px == 30
    (note,) = reading.notes
    assert note.key == "note.setting_brought"
    assert note.params["path"] == str(user)
    assert (note.params["setting"], note.params["value"]) == (key, str(value))
    with pytest.raises(SettingsError):
        load_settings({key: value}, {})


def test_names_that_no_setting_has_are_told_once(tmp_path):
    user = write(tmp_path / "u.json", {"grid_tilepx": 3, "wsc_impl": "x", "qt_theme_mode": "y", "solver": "auto"})
    environ = {"ZEMOSAIC_GRID_TLIE_PX": "3", "ZEMOSAIC_WHATEVER_IT_IS": "1", "ZEMOSAIC_CONFIG_DIR": "/a", "HOME": "/"}
    told = [(note.key, dict(note.params)) for note in read_settings({}, environ, user).notes]
    assert told == [
        ("note.setting_misspelt", {"path": str(user), "setting": "grid_tilepx", "near": "grid_tile_px"}),
        ("note.settings_unknown", {"path": str(user), "count": 2, "settings": "wsc_impl, qt_theme_mode"}),
        ("note.variable_misspelt", {"variable": "ZEMOSAIC_GRID_TLIE_PX", "near": "ZEMOSAIC_GRID_TILE_PX"}),
        ("note.variable_unknown", {"variable": "ZEMOSAIC_WHATEVER_IT_IS"}),
    ]


@pytest.mark.skipif(not PREDECESSOR.is_file(), reason="no ../shared here")
def test_the_predecessors_file_loads():
    reading = read_settings({}, {}, PREDECESSOR, shipped_settings_file())
    assert [note.key for note in reading.notes] == ["note.settings_unknown", *["note.setting_brought"] * 2]
    assert {note.params["setting"] for note in reading.notes[1:]} == {"solver", "winsor_min_frames_per_pass"}
    settings = reading.settings
    assert (settings.gui_backend, settings.solver, settings.use_gpu_phase5) == ("qt", "auto", True)
    assert (settings.winsor_min_frames_per_pass, settings.global_wcs_output_path) == (5, "global_mosaic_wcs.fits")


@pytest.mark.parametrize("text", ["{", "[1]", "", "\x00", '{"a": 1,}'])
def test_a_broken_file_is_named(text, tmp_path):
    path = tmp_path / "c.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as told:
        load_settings({}, {}, path)
    assert told.value.message.params["path"] == str(path)
    save_user_settings({"grid_tile_px": 300}, path)
    assert load_settings({}, {}, path).grid_tile_px == 300
    assert (tmp_path / "c.json.broken").read_text(encoding="utf-8") == text


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "c.json"
    path.write_text('{"grid_tile_px": 300}', encoding="utf-8-sig")
    assert load_settings({}, {}, path).grid_tile_px == 300


def test_unknown_flags_are_errors_and_unknown_keys_in_files_are_kept(tmp_path):
    with pytest.raises(SettingsError, match="gril"):
        load_settings({"gril_tile_px": 3}, {})
    user = write(tmp_path / "u.json", {"future_key": {"a": [1, 2]}, "grid_tile_px": 300})
    assert load_settings({}, {}, user).grid_tile_px == 300
    save_user_settings({"grid_overlap_px": 32}, user)
    assert json.loads(user.read_text(encoding="utf-8")) == {
        "future_key": {"a": [1, 2]},
        "grid_tile_px": 300,
        "grid_overlap_px": 32,
    }
    with pytest.raises(SettingsError):
        save_user_settings({"gril": 1}, user)
    with pytest.raises(SettingsError):
        save_user_settings({"grid_overlap_px": -1}, user)
    assert [path.name for path in tmp_path.iterdir()] == ["u.json"]


def test_defaults_are_not_written_down(tmp_path):
    user = tmp_path / "deep" / "u.json"
    save_user_settings({"grid_tile_px": 300, "solver": "astap"}, user)
    save_user_settings({"grid_tile_px": 512}, user)
    assert json.loads(user.read_text(encoding="utf-8")) == {"solver": "astap"}


def test_a_folder_in_the_way_is_told(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SettingsError) as told:
        save_user_settings({"solver": "astap"}, tmp_path / "file" / "u.json")
    assert told.value.message.key == "error.settings_not_saved"


@pytest.mark.parametrize(("alias", "key"), ALIASES.items())
def test_aliases_mean_their_setting_everywhere(alias, key, tmp_path):
    spec = SPECS[key]
    values = {"folder": ["file", "env", "own"], "choice": [*spec.choices, *spec.choices], "bool": [True, False, True]}
    first, second, third = values.get(spec.kind, [300, 400, 500])[:3]
    user = write(tmp_path / "u.json", {alias: first})
    assert getattr(load_settings({}, {}, user), key) == first
    assert getattr(load_settings({}, {environment_name(alias): str(second)}, user), key) == second
    both = {environment_name(alias): str(second), environment_name(key): str(third)}
    assert getattr(load_settings({}, both), key) == third
    assert getattr(load_settings({alias: second}, {}, user), key) == second
    assert getattr(load_settings({alias: second, key: third}, {}), key) == third
    save_user_settings({key: first}, user)
    assert alias not in json.loads(user.read_text(encoding="utf-8"))
    assert getattr(load_settings({}, {}, user), key) == first


def allowed_values(spec):
    if spec.kind == "bool":
        return st.booleans()
    if spec.kind == "choice":
        return st.sampled_from(spec.choices)
    if spec.kind == "int":
        return st.integers(int(spec.minimum), int(spec.maximum))
    if spec.kind == "float":
        return st.floats(spec.minimum, spec.maximum)
    if spec.key == "watch_until":
        return st.sampled_from(["", "05:30"])
    if spec.form:
        named = {"pointing": "314.75, 44.2", "watch_until": "05:30"}
        return st.sampled_from(["", named.get(spec.key, "314.75, 44.2, 1.5, 1")])
    return st.sampled_from(["auto", "fr", "pt_BR"])


@given(st.data(), st.sampled_from(sorted(SPECS)))
def test_what_is_saved_comes_back(tmp_path_factory, data, key):
    user = tmp_path_factory.mktemp("user") / "u.json"
    value = data.draw(allowed_values(SPECS[key]))
    save_user_settings({key: value}, user)
    assert getattr(load_settings({}, {}, user), key) == value
    assert check_value(key, str(value)) == value


def test_the_hash_follows_what_has_a_say():
    plain = Settings()
    assert settings_hash(plain) == settings_hash(Settings(input_dir="/a", language="fr", num_processing_workers=3))
    assert settings_hash(plain) != settings_hash(Settings(stacking_kappa_low=2.0))
    stacked = Settings(stacking_kappa_low=2.0)
    assert settings_hash(plain, "stack") != settings_hash(stacked, "stack")
    assert settings_hash(plain, "solve") == settings_hash(stacked, "solve")


def test_made_files_are_fresh():
    shipped = shipped_settings_file()
    assert shipped.read_text(encoding="utf-8") == shipped_json(), "run python -m zemosaic.settings"
    for language, page in SETTINGS_PAGES.items():
        text = (shipped.parent / page).read_text(encoding="utf-8")
        assert text == settings_table_markdown(language), "run python -m zemosaic.settings"
    assert load_settings({}, {}, None, shipped) == Settings()
