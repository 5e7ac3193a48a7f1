"""How remedies, checks, events and moments of instances are said. Pure."""

from __future__ import annotations

from datetime import UTC

from miyabi.instance import Check
from miyabi.instance_rules import Remedy
from miyabi.words import clock_time

# What is done, after "would" or "to".
DOES: dict[Remedy, str] = {
    "run-command": "let its Systems Manager agent restart sshd and make room on its disk",
    "start": "start it",
    "reboot": "reboot it",
    "stop-start": "stop it and start it again",
    "replace": "launch another one from its template",
}

# The same as a thing, in "... did not help".
NAMES: dict[Remedy, str] = {
    "run-command": "a command through Systems Manager",
    "start": "a start",
    "reboot": "a reboot",
    "stop-start": "a stop and start",
    "replace": "the launch of another one",
}

EVENTS = {
    "instance-retirement": "the retirement of its machine",
    "instance-stop": "a stop of the instance",
    "instance-reboot": "a reboot of the instance",
    "system-reboot": "a reboot of the machine below it",
    "system-maintenance": "maintenance of the machine below it",
}

_LONGEST = 160


def plain(text: str) -> str:
    """What EC2 or a user wrote, as a piece of one line: without control characters, and not too long."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def moment(at: float, now: float) -> str:
    """Such as ``22:41 UTC``, with the day when that is not today."""
    return f"{clock_time(at, now, UTC)} UTC"


def failing(name: str, check: Check, now: float) -> str:
    """Such as ``the instance check fails since 22:41 UTC``."""
    return f"the {name} check fails{'' if check.since is None else f' since {moment(check.since, now)}'}"


def by_hand(remedy: Remedy) -> str:
    """The command with which a human applies a remedy, with ``{host}`` where the host's name belongs."""
    return f"pyinfra inventory deploys/l4_infrastructure.py --limit {{host}} --data remedy={remedy}"
