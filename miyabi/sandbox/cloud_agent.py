"""The part of Systems Manager that the pretended cloud has: which agents answer, and what a command did.

moto knows no agents, and runs nothing.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from miyabi.sandbox.cloud_faults import Answer, error

# A command's words as they are sent -> what it ended with.
Run = Callable[[str, str, float], Mapping[str, Any]]


@dataclass(slots=True)
class Invocation:
    """One command on one instance."""

    command_id: str
    instance_id: str
    status: str = "InProgress"
    code: int = -1
    output: str = ""
    error: str = ""

    def shown(self) -> dict[str, Any]:
        """What GetCommandInvocation says."""
        return {
            "CommandId": self.command_id,
            "InstanceId": self.instance_id,
            "DocumentName": "AWS-RunShellScript",
            "PluginName": "aws:runShellScript",
            "ResponseCode": self.code,
            "Status": self.status,
            "StatusDetails": self.status,
            # As much as the real one keeps.
            "StandardOutputContent": self.output[:24000],
            "StandardErrorContent": self.error[:8000],
        }


@dataclass(slots=True)
class Agents:
    """What Systems Manager knows.

    + told: what is said of an instance: its ``agent``
    + known: the instance ids of a region
    + run: runs a script on an instance, for so many seconds at most
    """

    told: Callable[[str], Mapping[str, Any]]
    known: Callable[[str], list[str]]
    run: Run
    _invocations: dict[tuple[str, str], Invocation] = field(default_factory=dict)

    def forget(self) -> None:
        """Forget every command."""
        self._invocations.clear()

    def answer(self, action: str, region: str, asked: Mapping[str, Any]) -> Answer | Mapping[str, Any]:
        """What is said to a call."""
        answers = {
            "DescribeInstanceInformation": self._information,
            "SendCommand": self._send,
            "GetCommandInvocation": self._invocation,
            "CancelCommand": self._cancel,
        }
        if action not in answers:
            return error("ssm", "InvalidAction", f"the sandbox's cloud has no {action}", 400)
        return answers[action](region, asked)

    def _information(self, region: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted = _filtered(asked)
        rows = []
        for instance_id in self.known(region):
            status = self.told(instance_id).get("agent", "")
            if status and (wanted is None or instance_id in wanted):
                shown = {"InstanceId": instance_id, "PingStatus": status, "LastPingDateTime": time.time()}
                rows.append(shown | {"PlatformType": "Linux", "AgentVersion": "3.3.0.0", "ResourceType": "EC2Instance"})
        return {"InstanceInformationList": rows}

    def _send(self, region: str, asked: Mapping[str, Any]) -> Answer | Mapping[str, Any]:
        ids = list(asked.get("InstanceIds", ()))
        wrong = [each for each in ids if each not in self.known(region) or not self.told(each).get("agent")]
        if wrong or not ids:
            message = f"Instances [[{', '.join(wrong)}]] not in a valid state for account"
            return error("ssm", "InvalidInstanceId", message, 400)
        if asked.get("DocumentName") != "AWS-RunShellScript":
            return error("ssm", "InvalidDocument", "Document does not exist", 400)
        command_id = str(uuid.uuid4())
        parameters = asked.get("Parameters", {})
        script = "\n".join(parameters.get("commands", ()))
        seconds = float((parameters.get("executionTimeout") or ["3600"])[0])
        for instance_id in ids:
            invocation = Invocation(command_id, instance_id)
            self._invocations[command_id, instance_id] = invocation
            threading.Thread(target=self._carry_out, args=(invocation, script, seconds), daemon=True).start()
        return {"Command": {"CommandId": command_id, "InstanceIds": ids, "Status": "Pending"}}

    def _carry_out(self, invocation: Invocation, script: str, seconds: float) -> None:
        # An agent that is not connected hears of the command when it is again.
        if self.told(invocation.instance_id).get("agent") != "Online":
            invocation.status = "Pending"
            return
        ended = self.run(invocation.instance_id, script, seconds)
        if invocation.status == "InProgress":
            invocation.output, invocation.error = str(ended.get("output", "")), str(ended.get("error", ""))
            invocation.code = int(ended.get("code", 0))
            invocation.status = str(ended.get("status", "Failed" if invocation.code else "Success"))

    def _invocation(self, region: str, asked: Mapping[str, Any]) -> Answer | Mapping[str, Any]:
        del region
        found = self._invocations.get((str(asked.get("CommandId")), str(asked.get("InstanceId"))))
        return error("ssm", "InvocationDoesNotExist", "", 400) if found is None else found.shown()

    def _cancel(self, region: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        del region
        for (command_id, _), invocation in self._invocations.items():
            if command_id == asked.get("CommandId") and invocation.status in {"InProgress", "Pending"}:
                invocation.status = "Cancelled"
        return {}


def _filtered(asked: Mapping[str, Any]) -> set[str] | None:
    """The instance ids that are asked for; None is all."""
    for each in asked.get("Filters", ()):
        if each.get("Key") == "InstanceIds":
            return set(each.get("Values", ()))
    for each in asked.get("InstanceInformationFilterList", ()):
        if each.get("key") == "InstanceIds":
            return set(each.get("valueSet", ()))
    return None
