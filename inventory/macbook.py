"""The laptop."""

from miyabi.ssh_aliases import only_known

macbook = only_known(
    [
        (
            "macbook",
            {
                "platform": "macos",
                "spec": "macbook",
                # A key that nobody has looked at is not accepted; connect once with `ssh macbook`.
                "ssh_strict_host_key_checking": "yes",
                # An sshd that is busy with a parallel run drops connections.
                "ssh_connect_retries": 3,
            },
        )
    ],
    "inventory/macbook.py",
)
