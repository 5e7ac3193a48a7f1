"""A shell script that Systems Manager's agent runs on an instance, as root: the way in when ssh is dead."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from miyabi.errors import Ec2Error

T = TypeVar("T")
# Asks Systems Manager; raises ``Ec2Error``.
Ask = Callable[[Callable[[Any], T]], T]

_UNDER_WAY = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})
# Troubles that pass: the command runs meanwhile.
_PASSING = frozenset({"throttled", "unreachable", "fault"})
_FIRST_PAUSE = 0.3
_LONGEST_PAUSE = 2.0
# Systems Manager takes no shorter time for finding the agent.
_SHORTEST_DELIVERY = 30


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """How a command ended.

    + status: AWS's word: ``Success``, ``Failed``, ``TimedOut``, ``Cancelled``...; ``Late`` is that it had not ended in
      its time, and was called off
    + exit_code: the script's; None when it did not end by itself
    + output: what it printed, at most 24,000 characters; what it complained of comes after it
    """

    status: str
    exit_code: int | None = None
    output: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the script ran, and ended with 0."""
        return self.status == "Success" and self.exit_code == 0


def run_on_instance(ask: Ask[Any], instance_id: str, script: str, seconds: float) -> CommandOutcome:
    """Run a script, and wait until it ends.

    + script: POSIX shell; ``{{`` means something to Systems Manager, so it may not stand there
    + seconds: for all of it; when they are over it is called off

    Raises ``Ec2Error``: ``refused`` when the agent isn't there.
    """
    if "{{" in script:
        raise Ec2Error("request", f"SSM: {instance_id}: a script with {{{{ in it is not sent")
    deadline = time.monotonic() + seconds
    sent = ask(
        lambda ssm: ssm.send_command(
            InstanceIds=[instance_id],
            DocumentName="AWS-RunShellScript",
            Comment="Miyabi Recovery",
            TimeoutSeconds=max(_SHORTEST_DELIVERY, round(seconds)),
            Parameters={"commands": [script], "executionTimeout": [str(max(1, round(seconds)))]},
        )
    )
    command = str(sent["Command"]["CommandId"])
    outcome, pause = _invocation(ask, command, instance_id), _FIRST_PAUSE
    while outcome.status in _UNDER_WAY:
        left = deadline - time.monotonic()
        if left <= 0:
            _call_off(ask, command, instance_id)
            return CommandOutcome("Late", None, outcome.output)
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
        outcome = _invocation(ask, command, instance_id)
    return outcome


def _invocation(ask: Ask[Any], command: str, instance_id: str) -> CommandOutcome:
    """How the command stands; what could not be told is as if it were under way."""

    def question(ssm: Any) -> Any:
        try:
            return ssm.get_command_invocation(CommandId=command, InstanceId=instance_id)
        except ssm.exceptions.InvocationDoesNotExist:
            # The command was sent a moment ago.
            return {"Status": "Pending"}

    try:
        told = ask(question)
    except Ec2Error as error:
        if error.kind in _PASSING:
            return CommandOutcome("Pending")
        raise
    status, code = str(told.get("Status")), told.get("ResponseCode")
    has_ended = status not in _UNDER_WAY and isinstance(code, int) and code >= 0
    printed = (str(told.get(each) or "") for each in ("StandardOutputContent", "StandardErrorContent"))
    return CommandOutcome(status, code if has_ended else None, "\n".join(each for each in printed if each))


def _call_off(ask: Ask[Any], command: str, instance_id: str) -> None:
    try:
        ask(lambda ssm: ssm.cancel_command(CommandId=command, InstanceIds=[instance_id]))
    except Ec2Error:
        # It ends by itself: it was given the same seconds.
        return
