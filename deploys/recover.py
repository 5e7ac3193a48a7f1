"""Converge each host's tmux fleet to its spec, climbing from L1 to the host's last level.

Usage: pyinfra inventory deploys/recover.py
"""

from pyinfra import host

from facts.host_spec import host_spec
from miyabi.levels import Level
from operations import recovery

recovery.require_specs()
recovery.summarise_at_end()

last = host_spec(host).recovery.max_level

recovery.assess(name="Assess")
# A level that does not hold is not the end: the next one gets its turn, and Confirm has the last word.
recovery.level(name="L1 pane", name_of_level="L1", _ignore_errors=True)
if last >= Level.L2:
    recovery.level(name="L2 session", name_of_level="L2", _ignore_errors=True)
if last >= Level.L3:
    recovery.level(name="L3 full", name_of_level="L3", _ignore_errors=True)
recovery.confirm(name="Confirm")
