"""L4 alone: bring back EC2 instances, by what their status calls for and their specs allow.

Usage: pyinfra inventory deploys/l4_infrastructure.py

With --data remedy=run-command|start|reboot|stop-start|replace and --limit HOST a human has that done to one instance,
whatever the spec allows; what would be lost by it still has to be accepted in the spec. An instance that is back climbs
L1 to L3.
"""

from pyinfra import host

from deploys.from_spec import expect_everything, keep
from facts.host_spec import host_spec
from operations import infrastructure, recovery
from operations.availability import is_instance

recovery.require_specs()
recovery.summarise_at_end()


def climb() -> None:
    """Upkeep, and the levels up to L3."""
    wanted = host_spec(host)
    expect_everything(wanted)
    keep(wanted)
    recovery.assess(name="Assess")
    for level, name in (("L1", "L1 pane"), ("L2", "L2 session"), ("L3", "L3 full")):
        recovery.level(name=name, name_of_level=level, _ignore_errors=True)
    recovery.confirm(name="Confirm")


if is_instance(host) or host.data.get("remedy"):
    infrastructure.recovered(name="L4 infrastructure", rejoin=climb, remedy=host.data.get("remedy"))
