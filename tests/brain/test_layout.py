"""Which layout suits a window."""

from __future__ import annotations

import pytest

from miyabi.layout import resolve_layout


@pytest.mark.parametrize(
    ("layout", "panes", "size", "expected"),
    [
        ("auto", 1, (80, 24), "even-vertical"),
        ("auto", 2, (80, 24), "even-vertical"),
        ("auto", 2, (200, 50), "even-horizontal"),
        ("auto", 3, (80, 24), "main-horizontal"),
        ("auto", 4, (80, 24), "tiled"),
        ("auto", 9, (200, 50), "tiled"),
        ("even", 3, (200, 50), "even-horizontal"),
        ("even", 3, (99, 20), "even-vertical"),
        ("even", 3, (120, 100), "even-vertical"),
        ("main", 3, (200, 50), "main-vertical"),
        ("main", 3, (80, 24), "main-horizontal"),
        ("tiled", 3, (80, 24), "tiled"),
        ("b25d,80x24,0,0,0", 1, (80, 24), "b25d,80x24,0,0,0"),
    ],
)
def test_layouts(layout: str, panes: int, size: tuple[int, int], expected: str) -> None:
    assert resolve_layout(layout, panes, *size) == expected
