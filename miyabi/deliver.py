"""The child process that sends to what may hang: ``python -m miyabi.deliver``.

It reads its jobs as JSON from its input, begins all at once, and writes a line ``[name, result]`` for each as soon as
it is known. Whatever hangs is left behind when its time is over: the process ends at once, with everything in it.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from typing import Any

from miyabi.delivering import SENDERS, end_programs, prepare, reason_of


def main() -> None:
    """Send, and end."""
    jobs: list[dict[str, Any]] = json.load(sys.stdin)
    prepare({job["kind"] for job in jobs})
    done: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    begun = time.monotonic()
    for job in jobs:
        threading.Thread(target=_send, args=(job, done), daemon=True).start()
    left = {job["name"]: float(job["timeout"]) for job in jobs}
    while left:
        name, result = _next(done, left, begun)
        if left.pop(name, None) is not None:
            _write(name, result)
    end_programs()
    # Threads that hang would be waited for otherwise.
    os._exit(0)


def _next(done: queue.SimpleQueue[tuple[str, str]], left: dict[str, float], begun: float) -> tuple[str, str]:
    """The next job that is done, or whose time is over."""
    name, timeout = min(left.items(), key=lambda each: each[1])
    try:
        return done.get(timeout=max(0.0, begun + timeout - time.monotonic()))
    except queue.Empty:
        return name, f"no answer within {timeout:g} s"


def _send(job: dict[str, Any], done: queue.SimpleQueue[tuple[str, str]]) -> None:
    try:
        result = SENDERS[job["kind"]](job)
    except Exception as error:  # noqa: BLE001 - whatever a library raises is the channel's own trouble
        result = reason_of(error, float(job["timeout"]))
    done.put((job["name"], result))


def _write(name: str, result: str) -> None:
    sys.stdout.write(f"{json.dumps([name, result])}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
