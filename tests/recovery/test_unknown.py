"""What cannot be judged is refused, for that host alone, without a command and without a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fleet.control import Fleet
from tests.recovery.playbook import write_spec

SPEC = {"sessions": [{"session_name": "s", "windows": [{"panes": [{"shell_command": "claude", "agent": {}}]}]}]}

CUT = "##miyabi:begin host\nlinux\n"
NO_PROCESSES = "##miyabi:begin tmux\nplain\nno server running on /x\ntmux 3.3a\n\nexit 1 7\n##miyabi:end tmux 0\n"


def _hosts(fleet: Fleet, answers: dict[str, Any]) -> Path:
    spec = write_spec(fleet.control.root, SPEC)
    data = {"spec": str(spec), "fake_delay": 0, "fake_delay_jitter": 0}
    return fleet.write_inventory(
        {f"@fake/{name}": data | {"fake_responses": {"miyabi:begin": answer}} for name, answer in answers.items()}
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            {"success": False, "stderr": "sh: fork: Resource temporarily unavailable"},
            "the host did not answer the probe",
        ),
        ("", "the host did not answer the probe"),
        ("what is this", "the probe ended before it got there"),
        (CUT, "the probe ended before it got there"),
        (NO_PROCESSES, "processes: the probe ended before it got there"),
    ],
    ids=["fails", "is silent", "babbles", "is cut off", "tells no processes"],
)
def test_a_host_whose_probe_is_useless_is_refused_before_anything_is_tried(
    ssh_fleet: Fleet, answer: Any, reason: str
) -> None:
    inventory = _hosts(ssh_fleet, {"odd": answer})
    done = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y", "-vv")
    assert done.code == 1, done.output
    refusal = f"the tmux fleet is unknown, nothing is changed: {reason}"
    assert done.output.count(refusal) == 2  # by Assess, and in the summary
    assert "Starting operation: L1 pane" not in done.output
    assert "new-session" not in done.output
    assert "Traceback" not in done.output


def test_an_odd_host_stops_no_other(ssh_fleet: Fleet) -> None:
    inventory = _hosts(ssh_fleet, {"odd": "", "mute": {"success": False}})
    real = write_spec(ssh_fleet.control.root, SPEC | {"sessions": [{"session_name": "s", "windows": [{}]}]})
    inventory.write_text(inventory.read_text().rstrip("]\n") + f", ('@local', {{'spec': {str(real)!r}}})]\n")
    done = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert done.code == 1, done.output
    assert "L3_FULL restored" in done.output
    assert done.output.count("the host did not answer the probe") == 4
    assert "Traceback" not in done.output
