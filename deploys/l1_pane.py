"""L1 alone: bring back panes that are dead, exited or missing.

Usage: pyinfra inventory deploys/l1_pane.py
"""

from operations import recovery

recovery.require_specs()
recovery.summarise_at_end()

recovery.assess(name="Assess")
recovery.level(name="L1 pane", name_of_level="L1")
