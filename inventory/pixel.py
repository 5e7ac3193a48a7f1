"""The Android phone: Termux's sshd listens on 8022."""

from miyabi.ssh_aliases import only_known

pixel = only_known(
    [
        (
            "pixel",
            {
                "platform": "termux",
                "spec": "pixel",
                "ssh_port": 8022,
                # A key that nobody has looked at is not accepted; connect once with `ssh pixel`.
                "ssh_strict_host_key_checking": "yes",
                # It may be asleep: the others do not wait long for it.
                "ssh_connect_retries": 1,
            },
        )
    ],
    "inventory/pixel.py",
)
