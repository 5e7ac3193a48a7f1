"""Give what is there the names that a spec has for it, and prove that the spec then changes nothing.

Used by: miyabi adopt HOST SESSION -o FILE
"""

from pyinfra import host

from operations import recovery, snapshot

recovery.require_specs()
recovery.summarise_at_end()

recovery.assess(name="Assess")
snapshot.mark(name="Name what is there", marks=host.data.get("marks", ""))
recovery.confirm(name="Confirm")
