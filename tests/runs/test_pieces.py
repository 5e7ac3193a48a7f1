"""Small things that runs stand on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from miyabi.journal import append
from miyabi.records import Signalled, from_line, to_line


def signalled(details: Any) -> Signalled:
    return Signalled(event="e", run="r", at=1.0, signal="s", details=details)


def _circle() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["itself"] = made
    return made


@pytest.mark.parametrize(
    "odd",
    [
        {"path": Path("/tmp")},  # noqa: S108 - nothing is written there
        {"bytes": b"\xff"},
        {"set": {1}},
        {"text": "\udcff\n\u2028"},
        {(1, 2): 3},
        _circle(),
        object(),
        {"nan": float("nan")},
    ],
)
def test_no_value_keeps_a_record_from_being_written(tmp_path: Path, odd: Any) -> None:
    append(tmp_path, [signalled(odd), signalled({"fine": 1})])
    first, second = (tmp_path / "journal.jsonl").read_text(encoding="ascii").splitlines()
    assert json.loads(first)["signal"] == "s"
    assert from_line(second) == signalled({"fine": 1})
    assert "\n" not in to_line(signalled(odd))
