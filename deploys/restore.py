"""Bring back what is missing of a snapshot, by the ladder of deploys/recover.py.

Used by: miyabi snapshot restore HOST
"""

from pyinfra import host

from operations import recovery, snapshot

recovery.require_specs()
recovery.summarise_at_end()

recovery.assess(name="Assess")
if host.data.get("scrollback"):
    snapshot.upload_scrollback(
        name="Bring the scrollback", source=host.data.scrollback, target=host.data.scrollback_target
    )
snapshot.mark(name="Name what is there", marks=host.data.get("marks", ""))
recovery.level(name="L1 pane", name_of_level="L1", _ignore_errors=True)
recovery.level(name="L2 session", name_of_level="L2", _ignore_errors=True)
recovery.level(name="L3 full", name_of_level="L3", _ignore_errors=True)
recovery.confirm(name="Confirm")
