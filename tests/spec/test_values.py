"""Layout strings, as tmux 3.3a printed them and as they may be broken."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from miyabi.spec_values import _checksum, layout_cells

PRINTED = [
    (1, "868d,300x120,0,0,0"),
    (2, "bb62,159x48,0,0{79x48,0,0,79x48,80,0}"),
    (3, "90b9,300x120,0,0[300x59,0,0{149x59,0,0,0,150x59,150,0,1},300x60,0,60,2]"),
    (4, "e9d1,99x40,0,0{49x40,0,0,0,49x40,50,0[49x20,50,0,1,49x19,50,21{24x19,50,21,2,24x19,75,21,3}]}"),
    (
        6,
        "dd87,99x40,0,0{49x40,0,0[49x20,0,0,0,49x9,0,21,4,49x9,0,31,5],49x40,50,0[49x20,50,0,1,49x19,50,21{24x19,50,21,2,24x19,75,21,3}]}",
    ),
]


@pytest.mark.parametrize(("panes", "layout"), PRINTED)
def test_layouts_that_tmux_printed(panes: int, layout: str) -> None:
    assert layout_cells(layout) == panes
    assert layout_cells(layout.upper().replace("X", "x")) == panes


@pytest.mark.parametrize(
    "tree",
    [
        "",
        "300x120",
        "300x120,0,0{}",
        "300x120,0,0{10x10,0,0}",
        "300x120,0,0{10x10,0,0,10x10,0,0]",
        "300x120,0,0{10x10,0,0,10x10,0,0}}",
        "300x120,0,0{10x10,0,0,c}",
        "c",
        "c,c",
        "10x10,0,0,1,10x10,0,0,2",
        "300x120,0,0,0; kill-server",
        "300x120,0,0,0\n",
        "٣x1,0,0",
        "-1x1,0,0",
    ],
)
def test_forms_that_tmux_does_not_print(tree: str) -> None:
    assert layout_cells(f"{_checksum(tree):04x},{tree}") is None


@given(st.sampled_from(PRINTED), st.data())
def test_a_changed_character_is_noticed(printed: tuple[int, str], data: st.DataObject) -> None:
    layout = printed[1]
    place = data.draw(st.integers(0, len(layout) - 1))
    other = data.draw(st.sampled_from([c for c in "0123456789abcdefx,[]{}" if c != layout[place]]))
    assert layout_cells(layout[:place] + other + layout[place + 1 :]) is None
