"""The Linux box."""

from miyabi.ssh_aliases import only_known

mugen = only_known(
    [
        (
            "mugen",
            {
                "platform": "linux",
                "spec": "mugen",
                # A key that nobody has looked at is not accepted; connect once with `ssh mugen`.
                "ssh_strict_host_key_checking": "yes",
                # An sshd that is busy with a parallel run drops connections.
                "ssh_connect_retries": 3,
            },
        )
    ],
    "inventory/mugen.py",
)
