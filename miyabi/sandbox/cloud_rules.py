"""What EC2 refuses to do with an instance in the state that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from miyabi.sandbox.cloud_faults import Answer, error

# Action -> the states in which it is accepted.
ACTIONS = {
    "StartInstances": {"stopped", "running", "pending"},
    "StopInstances": {"running", "pending", "stopping", "stopped"},
    "RebootInstances": {"running"},
    "TerminateInstances": {"pending", "running", "stopping", "stopped", "shutting-down", "terminated"},
}

# Action -> what an instance is in then, unless it is there already.
_PASSING = {
    "StartInstances": ("pending", {"running", "pending"}),
    "StopInstances": ("stopping", {"stopping", "stopped"}),
    "TerminateInstances": ("shutting-down", {"terminated"}),
}


def refusal(action: str, instances: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Answer | None:
    """The error with which EC2 refuses; None when it does not.

    + instances: the power of each, and its corrections
    """
    for instance_id, (power, told) in instances.items():
        # Of those that nobody knows, moto says so.
        if power and action in ACTIONS and power not in ACTIONS[action]:
            verb = {"StartInstances": "started", "StopInstances": "stopped"}.get(action, "rebooted")
            message = f"The instance '{instance_id}' is not in a state from which it can be {verb}."
            return error("ec2", "IncorrectInstanceState", message, 400)
        if action == "StopInstances" and told.get("root_device") == "instance-store":
            message = f"The instance '{instance_id}' does not have an 'ebs' root device type and cannot be stopped."
            return error("ec2", "UnsupportedOperation", message, 400)
        if action == "StopInstances" and told.get("spot"):
            message = f"You can't stop the Spot Instance '{instance_id}' because it is associated with a one-time Spot"
            return error("ec2", "UnsupportedOperation", f"{message} Instance request.", 400)
    return None


def passing(action: str, power: str) -> str:
    """The state that EC2 answers with."""
    now, already = _PASSING.get(action, (power, set()))
    return power if power in already else now
