"""The way to an instance's sshd through Systems Manager: what ssh runs as its ProxyCommand.

The aws command takes over stdin and stdout. When it ends before ssh has spoken to anybody, ssh is told why at once: a
stdout that merely ended would keep paramiko waiting, and busy, for 15 seconds, and all hosts of a run with it.
It is run by its path, and needs nothing of this package.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import FrameType

# paramiko reads so many lines before it says that what answers is no sshd; it shows the last one.
_LINES = 100
# Until ssh has read them, and ends this process.
_PATIENCE = 5.0
_LONGEST = 300

_USAGE = "use: ssm_relay.py INSTANCE_ID PORT REGION [PROFILE]"


def main(arguments: list[str]) -> int:
    """Relay between stdin, stdout and an instance's port, until one of the two ends."""
    if len(arguments) not in {3, 4}:
        sys.stderr.write(f"{_USAGE}\n")
        return 2
    try:
        why = _relay(session_command(*arguments))
    except OSError as error:
        why = f"the aws command cannot be run: {error.strerror}; install the AWS CLI, or choose another connect"
    _tell(why)
    return 1


def session_command(instance_id: str, port: str, region: str, profile: str = "") -> list[str]:
    """The command that opens the way."""
    document = ["--document-name", "AWS-StartSSHSession", "--parameters", f"portNumber={port}"]
    named = ["--profile", profile] if profile else []
    return ["aws", "ssm", "start-session", "--target", instance_id, *document, "--region", region, *named]


def _relay(command: list[str]) -> str:
    """Run the command until it ends; why it did."""
    session = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace")  # noqa: S603 - no shell

    def end(_number: int, _frame: FrameType | None) -> None:
        session.terminate()
        # Without waiting: ssh is gone, and nobody reads what is left.
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    said = session.communicate()[1]
    return " ".join(said.split())[-_LONGEST:] or f"the aws command ended with exit code {session.returncode}"


def _tell(why: str) -> None:
    line = f"Systems Manager: {why}".encode("ascii", "backslashreplace") + b"\n"
    try:
        # In one piece: between two lines ssh might find nothing.
        os.write(sys.stdout.fileno(), line * _LINES)
        time.sleep(_PATIENCE)
    except OSError:
        # Nobody listens any more.
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
