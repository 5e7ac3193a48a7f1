"""Runs as the history remembers them, made by hand."""

from __future__ import annotations

from miyabi.records import Decided, DriftSeen, IncidentChanged, Record, Recovered, RunEnded, RunStarted
from tests.history.ground import make

HOST, PANE, WINDOW = "mugen", "work:main.kaede", "work:side"


def a_run(run: str, at: float, *, is_ended: bool = True) -> list[Record]:
    """A run that repairs one host by L1 and then L2, holds something there, and fails on another host.

    + at: when it ends; it took 20 seconds
    """
    records: list[Record] = [
        make(RunStarted, at - 20, run=run),
        make(DriftSeen, at - 18, run=run, host=HOST, target=PANE, kind="pane-dead", level="L1", reason="died"),
        make(Decided, at - 17, run=run, host=HOST, target=PANE, level="L1", allowed=True),
        make(Decided, at - 17, run=run, host=HOST, target="log ~/x.log", level="upkeep", allowed=False, rule="pause",
             reason="paused: I look at it"),
        make(Recovered, at - 12, run=run, host=HOST, target=PANE, level="L1", outcome="failed", seconds=5.0,
             cause="oom", reason="exited again, password=hunter2"),
        make(Recovered, at - 2, run=run, host=HOST, target=PANE, level="L2", seconds=9.0, first_try=False, cause="oom"),
        make(Recovered, at - 2, run=run, host=HOST, target=WINDOW, level="L2", seconds=9.0),
        make(Recovered, at - 3, run=run, host="cloud-1", target="instance", level="L4", does="reboot", outcome="failed",
             seconds=10.0, reason="no answer"),
        make(IncidentChanged, at - 1, run=run, host="cloud-1", target="instance"),
    ]  # fmt: skip
    if is_ended:
        records.append(make(RunEnded, at, run=run, outcome="failed", seconds=20.0, hosts=3))
    return records
