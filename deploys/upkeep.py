"""Keep what the tmux fleet stands on: limits, temporary files, logs, configuration, sshd, servers, services.

Usage: pyinfra inventory deploys/upkeep.py
"""

from pyinfra import host

from deploys.from_spec import check_services, expect_upkeep, keep
from facts.host_spec import host_spec
from operations import recovery

recovery.require_specs()
recovery.summarise_at_end()

wanted = host_spec(host)
expect_upkeep(wanted)
keep(wanted)
check_services(wanted)
recovery.confirm(name="Confirm", fleet=False)
