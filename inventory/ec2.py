"""The EC2 instances that ec2.yaml describes: the group ``ec2``, and one for each value of the tags that make groups."""

from pathlib import Path

from miyabi.ec2_inventory import hosts_of
from miyabi.errors import SpecError

try:
    groups = hosts_of(Path(__file__).with_name("ec2.yaml"))
except SpecError as error:
    raise SystemExit("\n".join(f"--> {problem}" for problem in error.problems)) from None

# pyinfra takes each list of this file for a group.
globals().update(groups)
