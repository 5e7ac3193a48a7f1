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
                # It may be asleep: the others do not wait long for it.
                "ssh_connect_retries": 1,
            },
        )
    ],
    "inventory/macbook.py",
)
