"""Converge each host to its spec: upkeep of what its tmux fleet stands on, then the levels from L1 to its last one.

Usage: pyinfra inventory deploys/recover.py
"""

from pyinfra import host

from deploys.from_spec import check_services, expect_everything, keep
from facts.host_spec import host_spec
from miyabi.levels import Level
from operations import recovery

recovery.require_specs()
recovery.summarise_at_end()

wanted = host_spec(host)
last = wanted.recovery.max_level

expect_everything(wanted)
keep(wanted)
recovery.assess(name="Assess")
# A level that does not hold is not the end: the next one gets its turn, and Confirm has the last word.
recovery.level(name="L1 pane", name_of_level="L1", _ignore_errors=True)
if last >= Level.L2:
    recovery.level(name="L2 session", name_of_level="L2", _ignore_errors=True)
if last >= Level.L3:
    recovery.level(name="L3 full", name_of_level="L3", _ignore_errors=True)
check_services(wanted)
recovery.confirm(name="Confirm")
