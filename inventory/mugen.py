"""The Linux box."""

from miyabi.ssh_aliases import only_known

mugen = only_known([("mugen", {"platform": "linux", "spec": "mugen"})], "inventory/mugen.py")
