"""The Android phone: Termux's sshd listens on 8022."""

from miyabi.ssh_aliases import only_known

pixel = only_known([("pixel", {"platform": "termux", "spec": "pixel", "ssh_port": 8022})], "inventory/pixel.py")
