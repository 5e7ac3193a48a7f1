"""Upkeep through the gate: what breaks for ever is repaired as often as it may be, and told of once."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api import State
from pyinfra.api.operation import add_op

from miyabi.spec import McpServer
from operations import files, logs, processes
from operations.processes import as_arguments
from tests.runs import agents
from tests.runs.play import Play
from tests.upkeep.servers import free_port, hurry, some_number

SPEC: dict[str, Any] = {
    "session_name": "work",
    "windows": [{"window_name": "main", "panes": [agents.steady("kaede")]}],
}
HOUR = 3600.0


def per_hour(moments: list[float]) -> int:
    """The most of them within any hour."""
    return max((sum(at <= each < at + HOUR for each in moments) for at in moments), default=0)


@pytest.mark.slow
def test_a_server_that_crashes_for_ever(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    name = f"web-{some_number()}"
    start = f"echo $$ >>~/starts; echo 'no way' >&2; exit 1 # {name}"
    port = free_port()
    play.wants({**SPEC, "mcp_servers": [{"name": name, "start": start, "port": port}]})
    wanted = McpServer(name=name, start=start, match=None, port=port)
    play.upkeep = lambda state: add_op(state, processes.running, **as_arguments(wanted), _ignore_errors=True)
    starts, seen = [], 0
    for _ in range(24):
        run = play.run(600)
        assert run.failed
        count = len((play.machine.home / "starts").read_text().splitlines())
        starts += [play.now] * (count - seen)
        seen = count
    tries = [each.at for each in play.tries(f"server {name}")]
    assert per_hour(tries) <= 5
    # Later it is one an hour; each is as many starts as one run tries. The first is that which was never there.
    assert len(tries) <= 5 + 4
    assert len(starts) <= 3 * (len(tries) + 1)
    assert per_hour(starts) <= 15
    told = [(each.change, each.severity) for each in play.alerts() if each.incident]
    assert told == [("opened", "HIGH")]
    assert play.pids().keys() == {"kaede"}


@pytest.mark.slow
def test_a_file_that_something_breaks_each_time(play: Play) -> None:
    path = play.machine.home / "app.json"
    play.wants(SPEC)

    def upkeep(state: State) -> None:
        add_op(state, files.restored, path="~/app.json", format="json", backups=2, _ignore_errors=True)

    play.upkeep = upkeep
    path.write_text('{"a": 1}')
    first = play.run(600)
    assert not first.failed, first.output
    # A backup is no repair, and a file that has changed is no damage.
    assert "backed up" in first.summary
    assert "config ~/app.json" not in str(play.alerts())
    restored = []
    for _ in range(24):
        path.write_text('{"a": ')
        assert play.run(600).failed is (path.read_text() != '{"a": 1}')
        restored += [play.now] * (path.read_text() == '{"a": 1}')
    assert per_hour(restored) <= 5
    assert len(restored) <= 5 + 4

    assert len(play.tries()) == len(restored)
    told = [each.change for each in play.alerts() if each.incident]
    assert told == ["opened", "changed"]
    path.write_text('{"a": 2}')
    for _ in range(4):
        assert not play.run(600).failed
    assert [each.change for each in play.alerts() if each.incident] == ["opened", "changed", "closed"]
    assert not play.attention()


@pytest.mark.slow
def test_tidying_is_limited_by_nothing(play: Play) -> None:
    path = play.machine.home / "app.log"
    play.wants(SPEC)
    play.upkeep = lambda state: add_op(state, logs.rotated, path="~/app.log", max_size=10, keep=2, _ignore_errors=True)
    for _ in range(12):
        path.write_text("x" * 100)
        run = play.run(60)
        assert not run.failed, run.output
        assert path.stat().st_size == 0
    assert play.tries() == []
    assert play.incidents() == []
