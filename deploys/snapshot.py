"""Keep the tmux sessions of every host in a file on this machine.

Usage: pyinfra inventory deploys/snapshot.py -y [--data keep=10] [--data lines=2000]
"""

from pyinfra import host

from facts.snapshot import LINES
from miyabi.snapshot_files import KEEP
from operations import snapshot

snapshot.save(
    name="Snapshot",
    keep=host.data.get("keep", KEEP),
    lines=host.data.get("lines", LINES),
)
