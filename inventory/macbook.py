"""The laptop."""

from miyabi.ssh_aliases import only_known

macbook = only_known([("macbook", {"platform": "macos", "spec": "macbook"})], "inventory/macbook.py")
