"""L2 alone: bring back windows that are missing or mostly damaged.

Usage: pyinfra inventory deploys/l2_session.py
"""

from operations import recovery

recovery.require_specs()
recovery.summarise_at_end()

recovery.assess(name="Assess")
recovery.level(name="L2 session", name_of_level="L2")
