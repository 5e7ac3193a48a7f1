"""Signals: their shapes, their lines, and no secret in either."""

from __future__ import annotations

import pytest

from miyabi.levels import Level
from miyabi.message import refuse_message
from miyabi.records import Signalled, from_line, to_line
from miyabi.signals import (
    INCOMING,
    OUTGOING,
    agents_ready,
    health_ok,
    line_of,
    recovery_complete,
    recovery_report,
    recovery_status,
    session_snapshot,
)

SIGNALS = [
    (recovery_complete("r", 1.0, "mugen", Level.L2), "RECOVERY_COMPLETE: L2_SESSION (mugen)"),
    (agents_ready("r", 1.0, "mugen", ["w:a.k", "w:a.l"]), "RECOVERY_AGENTS_READY: agents w:a.k w:a.l (mugen)"),
    (recovery_report("r", 1.0, "mugen", {"summary": "2 restored"}), "RECOVERY_REPORT: 2 restored (mugen)"),
    (health_ok("r", 1.0), "HEALTH_OK"),
    (health_ok("r", 1.0, "mugen"), "HEALTH_OK (mugen)"),
    (
        recovery_status("r", 1.0, "mugen", Level.L1, ["w:a.k"], True, 0.41234),
        "recovery_status: L1_PANE, affected w:a.k, restored True, duration 0.4s (mugen)",
    ),
    (
        session_snapshot("r", 1.0, "mugen", ["w"], 1, 2),
        "session_snapshot: sessions w, windows 1, panes 2 (mugen)",
    ),
]


@pytest.mark.parametrize(("signal", "line"), SIGNALS)
def test_lines(signal: Signalled, line: str) -> None:
    assert line_of(signal) == line
    assert signal.signal in OUTGOING
    again = from_line(to_line(signal))
    assert isinstance(again, Signalled)
    assert again.details == signal.details


def test_shapes() -> None:
    status = recovery_status("r", 1.0, "mugen", None, ["sshd"], True, 2.0)
    assert status.details == {"level": "UPKEEP", "affected": ["sshd"], "restored": True, "duration": "2.0s"}
    snapshot = session_snapshot("r", 1.0, "mugen", ["w"], 1, 2)
    assert snapshot.details == {"sessions": ["w"], "windows": 1, "panes": 2}
    assert {name: level.name for name, level in INCOMING.items()} == {
        "agent-unresponsive": "L1",
        "agent-timeout": "L1",
        "session-crash": "L2",
        "instance-failure": "L4",
    }


def test_what_a_pane_gets_is_one_short_line_without_secrets() -> None:
    signal = recovery_report("r", 1.0, "mugen", {"summary": "x\n\x1b[2J --token hunter2 " + "y" * 1000})
    line = line_of(signal)
    assert refuse_message(line) is None
    assert "hunter2" not in line
    assert len(line) <= 400


def test_the_same_signal_of_a_run_is_one_record() -> None:
    assert health_ok("r", 1.0, "a").event == health_ok("r", 1.0, "a").event
    assert len({signal.event for signal, _ in SIGNALS}) == len(SIGNALS)
