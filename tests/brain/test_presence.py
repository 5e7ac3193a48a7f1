"""What is remembered of hosts between runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from miyabi.presence import Presence, note_absent, note_boot, note_reached, remembered


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "miyabi" / "hosts"


def test_absences_count_from_the_first_miss() -> None:
    assert note_reached("pixel", 100) == Presence()
    assert note_absent("pixel", 200) == Presence(100, 200)
    assert note_absent("pixel", 300) == Presence(100, 200)
    assert note_reached("pixel", 400) == Presence(100, 200)
    assert remembered("pixel") == Presence(400, None)


def test_a_host_that_was_never_reached() -> None:
    assert note_absent("mugen", 200) == Presence(None, 200)


@pytest.mark.parametrize("name", ["../../etc/passwd", "@local", "..", "日本/x y"])
def test_any_name_stays_in_the_folder(folder: Path, name: str) -> None:
    note_reached(name, 1)
    assert len(list(folder.iterdir())) == 1
    assert remembered(name) == Presence(1, None)


@pytest.mark.parametrize("content", ["", "soon", "1", "x y"])
def test_a_note_that_cannot_be_read_is_none(folder: Path, content: str) -> None:
    note_reached("pixel", 1)
    [note] = folder.iterdir()
    note.write_text(content)
    assert remembered("pixel") == Presence()
    assert note_absent("pixel", 5) == Presence(None, 5)


def test_a_folder_that_cannot_be_written_costs_only_the_memory(folder: Path) -> None:
    folder.parent.parent.mkdir(exist_ok=True)
    (folder.parent).write_text("")
    assert note_reached("pixel", 1) == Presence()
    assert remembered("pixel") == Presence()


def test_a_boot_is_remembered_while_its_host_comes_and_goes() -> None:
    note_boot("mugen", "6f1c1f52")
    assert remembered("mugen") == Presence(boot="6f1c1f52")
    note_reached("mugen", 100)
    note_absent("mugen", 200)
    note_boot("mugen", "a9b7")
    assert remembered("mugen") == Presence(100, 200, "a9b7")
    note_boot("mugen", "two\nlines")
    assert remembered("mugen").boot == "a9b7"
