"""Converge each host to its spec: upkeep of what its tmux fleet stands on, then the levels from L1 to its last one.

With --data scope=agents|communication|performance|integrations only that is looked after, with --data max_level=L1 no
higher level acts.
"""

from pyinfra import host

from deploys.from_spec import (
    WITH_FLEET,
    WITH_SERVICES,
    attend,
    check_services,
    expect_everything,
    expect_upkeep,
    give_tasks,
    heal_orchestrations,
    keep,
    scope_of,
)
from facts.host_spec import host_spec
from miyabi.levels import Level
from operations import recovery
from operations.availability import down, is_instance

recovery.require_specs()
recovery.summarise_at_end()

scope = scope_of(host.data.get("scope"))
with_fleet = scope in WITH_FLEET
wanted = host_spec(host)
last = wanted.recovery.max_level


def climb() -> None:
    """Upkeep, and the levels up to L3."""
    if with_fleet:
        expect_everything(wanted)
    else:
        expect_upkeep(wanted)
    keep(wanted, scope)
    if with_fleet:
        recovery.assess(name="Assess")
        # A level that does not hold is not the end: the next one gets its turn, and Confirm has the last word.
        recovery.level(name="L1 pane", name_of_level="L1", _ignore_errors=True)
        if last >= Level.L2:
            recovery.level(name="L2 session", name_of_level="L2", _ignore_errors=True)
        if last >= Level.L3:
            recovery.level(name="L3 full", name_of_level="L3", _ignore_errors=True)
        # Who has lost its task hears of that first, and not that it may go on.
        give_tasks(wanted)
        attend(wanted)
        heal_orchestrations(wanted)
    if scope in WITH_SERVICES:
        check_services(wanted)


if down(host) is None:
    climb()
if down(host) is not None or not is_instance(host):
    # A host that is down has nothing to confirm, but by this L4 comes after all that the others do: none waits for it.
    recovery.confirm(name="Confirm", fleet=with_fleet)
if is_instance(host):
    # Only a fleet with instances pays for it.
    from operations import infrastructure

    infrastructure.recovered(name="L4 infrastructure", rejoin=climb)
    recovery.confirm(name="Confirm", fleet=with_fleet)
