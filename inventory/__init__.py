"""The whole fleet: what `pyinfra inventory` reads, and what `--limit` may name."""

from inventory.control import control
from inventory.limits import refuse_unknown_names
from inventory.macbook import macbook
from inventory.mugen import mugen
from inventory.pixel import pixel

__all__ = ["control", "macbook", "mugen", "pixel"]

refuse_unknown_names({"control": control, "pixel": pixel, "mugen": mugen, "macbook": macbook})
