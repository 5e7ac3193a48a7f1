"""What the page takes from npm is what npm has under that name and version, with its licence, and asks for nothing.

vendored.json holds each package's `dist.integrity` of the registry: `npm pack PACKAGE@VERSION` fetches what it names,
and each file is the one of that archive, unchanged.
"""

from __future__ import annotations

import json
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from miyabi.dashboard.assets import ASSETS, asset

_STATIC = Path(str(files("miyabi.dashboard"))) / "static"
_VENDOR = _STATIC / "vendor"
_PACKAGES: list[dict[str, Any]] = json.loads((_VENDOR / "vendored.json").read_text())
_FILES = {name: told for package in _PACKAGES for name, told in package["files"].items()}


@pytest.mark.parametrize("name", sorted(_FILES))
def test_a_file_is_the_one_of_its_package(name: str) -> None:
    assert sha256((_VENDOR / name).read_bytes()).hexdigest() == _FILES[name]["sha256"]


def test_there_is_nothing_else_and_each_package_brings_its_licence() -> None:
    assert {each.name for each in _VENDOR.iterdir()} == {*_FILES, "vendored.json"}
    for package in _PACKAGES:
        assert package["integrity"].startswith("sha512-")
        assert package["licence"] in {"0BSD", "MIT"}
        assert any(name.endswith(".LICENSE") for name in package["files"])
        assert all(each.isdigit() for each in package["version"].split("."))


def test_what_may_be_asked_for_is_all_that_a_browser_needs() -> None:
    there = {str(path.relative_to(_STATIC)) for path in _STATIC.rglob("*") if path.is_file()}
    assert set(ASSETS) == {name for name in there if not name.endswith((".LICENSE", ".json"))}
    assert all(asset(name) for name in ASSETS)


@pytest.mark.parametrize("name", ["", "../rendering.py", "vendor/vendored.json", "/etc/passwd", "page.css/../page.js"])
def test_nothing_else_is_read(name: str) -> None:
    with pytest.raises(KeyError):
        asset(name)


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_no_file_leads_elsewhere_or_ends_the_element_that_it_stands_in(name: str) -> None:
    content = asset(name).decode()
    assert "sourceMappingURL" not in content
    assert "@import" not in content
    assert "</script" not in content
    assert name.endswith(".js") or "</style" not in content
    if not name.startswith("vendor/") and name != "icon.svg":
        assert "://" not in content
