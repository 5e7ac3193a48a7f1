"""L3 alone: bring back sessions, or a whole tmux server, that are gone.

Usage: pyinfra inventory deploys/l3_full.py
"""

from operations import recovery

recovery.require_specs()
recovery.summarise_at_end()

recovery.assess(name="Assess")
recovery.level(name="L3 full", name_of_level="L3")
