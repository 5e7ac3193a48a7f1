"""Keep the layout and the scrollback of every host's tmux server.

Usage: pyinfra inventory deploys/snapshot.py
"""

from operations import tmux

tmux.snapshot(name="Snapshot")
