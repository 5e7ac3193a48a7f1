"""The EC2 instances that ec2.yaml describes: the group ``ec2``, and one for each value of the tags that make groups."""

from pathlib import Path

from miyabi.ec2_file import read_ec2_file
from miyabi.errors import SpecError
from miyabi.ssh_aliases import Hosts

_FILE = Path(__file__).with_name("ec2.yaml")

groups: dict[str, Hosts] = {}
# Regions whose instances are left out of this run.
unknown_regions: frozenset[str] = frozenset()

try:
    if read_ec2_file(_FILE).regions:
        # A fleet without instances does not pay for what they need.
        # Without its underscore pyinfra would take the list of regions for a group of hosts.
        from miyabi.ec2_inventory import hosts_of, left_out as _left_out

        groups = hosts_of(_FILE)
        unknown_regions = frozenset(_left_out)
except SpecError as error:
    raise SystemExit("\n".join(f"--> {problem}" for problem in error.problems)) from None

# pyinfra takes each list of this file for a group.
globals().update(groups)
