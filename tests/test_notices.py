"""The licences that a built program carries."""

from __future__ import annotations

from pathlib import Path

from tools.notices import notices, required

ROOT = Path(__file__).resolve().parents[1]


def test_every_required_package_and_what_it_requires_is_named():
    text = notices()
    for name in ("numpy", "scipy", "astropy", "numba", "llvmlite", "zarr", "numcodecs", "Pillow"):
        assert f"\n{name.lower()} " in text.lower()
    assert text.count("Licence: see its text") == 0


def test_extras_and_missing_packages_are_left_out():
    names = {package.metadata["Name"].lower() for package in required(["pydantic", "there-is-no-such-package"])}
    assert "pydantic-core" in names or "pydantic_core" in names
    assert "email-validator" not in names
