"""What a run may call well: only what it has looked at, and could tell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from miyabi.records import Observation
from miyabi.verdict import Verdict
from operations.record import _KEPT_UP, _OBSERVED
from operations.verdicts import well

SEEN = Observation(event="e", run="r", at=1.0, host="mugen", health="healthy", fleet=True)
OPEN = ("work:main.kaede", "server mcp")


def reached(**data: Any) -> Any:
    return SimpleNamespace(name="mugen", connector_data={_OBSERVED: SEEN, **data})


def verdict(kind: str, target: str = "") -> Verdict:
    return Verdict(host="mugen", target=target, kind=kind, severity="HIGH", summary="it is")


def test_all_is_well_on_a_host_on_which_everything_was_looked_at() -> None:
    found = well(reached(**{_KEPT_UP: True}), (), OPEN, fleet=True)
    assert found == {("mugen", ""), ("mugen", "work:main.kaede"), ("mugen", "server mcp")}


def test_unknown_is_not_well() -> None:
    assert well(reached(**{_KEPT_UP: True}), [verdict("unknown")], OPEN, fleet=True) == set()


def test_what_was_not_looked_at_is_not_well() -> None:
    assert well(reached(), (), OPEN, fleet=True) == {("mugen", "work:main.kaede")}
    assert well(reached(), (), OPEN[:1], fleet=True) == {("mugen", ""), ("mugen", "work:main.kaede")}
    assert well(reached(**{_KEPT_UP: True}), (), OPEN, fleet=False) == {("mugen", "server mcp")}


def test_what_is_wrong_is_not_well() -> None:
    found = well(reached(**{_KEPT_UP: True}), [verdict("not-restored", "server mcp")], OPEN, fleet=True)
    assert found == {("mugen", "work:main.kaede")}
