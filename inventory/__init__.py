"""The whole fleet: what `pyinfra inventory` reads, and what `--limit` may name."""

from inventory.control import control
from inventory.ec2 import groups as _ec2_groups, unknown_regions as _unknown_regions
from inventory.limits import refuse_unknown_names
from inventory.macbook import macbook
from inventory.mugen import mugen
from inventory.pixel import pixel

__all__ = ["control", "macbook", "mugen", "pixel"]

# The instances, by their groups.
globals().update(_ec2_groups)

refuse_unknown_names(
    {"control": control, "pixel": pixel, "mugen": mugen, "macbook": macbook, **_ec2_groups}, _unknown_regions
)
