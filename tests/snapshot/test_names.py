"""The names that a spec would give, and how a thing is found again by them."""

from __future__ import annotations

from miyabi.snapshot_diff import differences, layout_shape, pair
from miyabi.snapshot_model import PaneRecord, SessionRecord, Snapshot, WindowRecord
from miyabi.snapshot_names import explicit, spec_names, unique


def _pane(number: int, name: str | None = None, path: str = "/") -> PaneRecord:
    return PaneRecord(f"%{number}", number, 100 + number, active=number == 0, name=name, path=path)


def _snapshot(*panes: PaneRecord, server: str = "1 1", session: str = "s", window: str = "w") -> Snapshot:
    windows = (WindowRecord("@0", 0, window, active=True, layout="", panes=panes),)
    return Snapshot("h", "t", server=server, sessions=(SessionRecord("$0", session, 1, windows=windows),))


def test_a_pane_keeps_the_name_that_it_carries_whoever_comes_first() -> None:
    snapshot = _snapshot(_pane(0, "s:w.2"), _pane(1), _pane(2, "kaede"), _pane(3, "kaede"))
    # The first pane's name is that of the second place: it is not the second pane's.
    assert spec_names(snapshot).panes == {"%0": "s:w.1", "%1": "s w.2", "%2": "kaede", "%3": "kaede#2"}
    assert spec_names(_snapshot(_pane(0), _pane(1, "s:w.2")), {"s:w.1"}).panes == {"%0": "s w.1", "%1": "s:w.2"}


def test_names_that_a_spec_refuses_are_changed_and_told() -> None:
    names = spec_names(_snapshot(_pane(0), window="#{pane_id}\n$X"))
    assert names.windows == {"@0": "_{pane_id}__X"}
    assert names.notes == [
        "window s:0 is called #{pane_id}\\n$X, which cannot stand in a spec: here it is _{pane_id}__X"
    ]
    assert spec_names(_snapshot(_pane(0), session="-x")).sessions == {"$0": None}
    assert explicit("a:b\n") == "a b"
    assert explicit(":") == "pane"
    assert unique("a", {"a", "a#2"}) == "a#3"


def test_ids_tell_on_the_same_server_and_names_on_another() -> None:
    before = _snapshot(_pane(0, path="/a"), _pane(1, path="/b"))
    moved = _snapshot(_pane(1, path="/b"))
    assert differences(before, moved) == ["- pane s:w.0  /a  a shell"]
    # On another server nothing tells the two apart but their places.
    other = _snapshot(_pane(1, path="/a"), server="2 2")
    assert differences(before, other) == ["- pane s:w.1  /b  a shell"]
    marked = _snapshot(_pane(7, "s:w.2", "/b"), server="2 2")
    assert list(pair(before, marked).panes) == ["%1"]
    assert differences(before, before) == []
    renamed = _snapshot(_pane(0, path="/a"), _pane(1, path="/c"), session="t", window="v")
    assert differences(before, renamed) == [
        "~ session s: now called t",
        "~ window s:w: now called v",
        "~ pane s:w.1: folder /b, now /c",
    ]
    assert differences(before, Snapshot("h", "t")) == ["- session s (1 window)"]
    assert differences(Snapshot("h", "t"), before) == ["+ session s (1 window)"]


def test_the_shape_of_a_layout_is_without_the_numbers_of_panes() -> None:
    first = "ec5a,150x40,0,0[150x20,0,0,0,150x19,0,21{75x19,0,21,1,74x19,76,21,12}]"
    second = "6c5d,150x40,0,0[150x20,0,0,9,150x19,0,21{75x19,0,21,8,74x19,76,21,7}]"
    assert layout_shape(first) == layout_shape(second) == "150x40,0,0[150x20,0,0,150x19,0,21{75x19,0,21,74x19,76,21}]"
    assert layout_shape(first) != layout_shape(first.replace("75x", "74x"))
