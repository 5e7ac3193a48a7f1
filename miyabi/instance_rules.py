"""What level L4 may do to an instance: what a spec's ``l4:`` says. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What can be done to an instance, from the mildest. run-command: Systems Manager's agent restarts sshd and makes room
# on the disk, and nothing else. replace: a new instance is launched from a template.
Remedy = Literal["run-command", "start", "reboot", "stop-start", "replace"]
REMEDIES: tuple[Remedy, ...] = ("run-command", "start", "reboot", "stop-start", "replace")

# What speaks against a stop, and what a spec may accept all the same.
Accepted = Literal["new-address", "instance-store", "scheduled-event"]


@dataclass(frozen=True, slots=True)
class InstanceRules:
    """What may be done to a host's instance. Nothing by default: then L4 only plans and tells.

    + launch_template: the name or id of the template for ``replace``, and after a colon its version
    + accept: what a stop may cost: a new public address, the data on volumes that are erased by it, a clash with what
      EC2 has scheduled
    + self_healing: seconds for which EC2 is given time to recover an instance from a failure of the machine below it
    """

    run_command: bool = False
    start: bool = False
    reboot: bool = False
    stop_start: bool = False
    replace: bool = False
    launch_template: str = ""
    accept: tuple[Accepted, ...] = ()
    self_healing: float = 300.0

    def allows(self, remedy: Remedy) -> bool:
        """Whether the spec lets ``remedy`` be applied."""
        return bool(getattr(self, remedy.replace("-", "_")))
