"""The names of all causes, with a sentence each: what docs/causes.md and whoever explains one says. Pure."""

from __future__ import annotations

from collections.abc import Mapping

CAUSES: Mapping[str, str] = {
    "interrupted": "Somebody pressed Ctrl-C, or sent what that sends (signal 2 or 3, exit status 130).",
    "terminated": "It was asked to end (signal 15 or 1, exit status 143).",
    "oom": "The machine, its control group or the program's own heap ran out of memory.",
    "killed": "Signal 9, and nobody says that it was for want of memory.",
    "crashed": "It ended by a signal of its own making, such as 6 or 11.",
    "failed": "It exited with a status that is not 0, which stands behind it, and nothing more is known.",
    "finished": "It exited with status 0.",
    "timeout": "Something took longer than it may.",
    "permission": "The system refused it something: EACCES, a read-only file system, exit status 126.",
    "not-found": "What was to run is not there (exit status 127).",
    "git": "git or GitHub refused: a push was rejected, or nobody is logged in.",
    "api-error": "The model's API answered with an error, or is overloaded.",
    "usage-limit": "The account has used up what it may use for now.",
    "auth": "A human has to log in.",
    "mcp-down": "An MCP server, or another daemon, does not run or does not answer.",
    "orphans": "Processes of an earlier generation are left that nobody owns any more.",
    "network": "A name is not known, a connection is refused, no way leads there.",
    "disk-full": "No space is left on a disk.",
    "memory-low": "Little memory is available.",
    "config-broken": "A configuration file is missing, empty or cannot be read.",
    "log-overgrown": "A log has outgrown its size.",
    "litter": "Old temporary files lie about.",
    "closed": "A pane, a window or a session was closed, while its tmux server lived on.",
    "server-lost": "The tmux server is gone, with all that was in it.",
    "rebooted": "The machine was started anew.",
    "missing": "It is not there, and was not seen before.",
    "sshd-down": "The ssh server does not answer.",
    "instance-impaired": "EC2's check of the instance fails: its system does not answer.",
    "system-impaired": "EC2's check of the machine below the instance, or of its volumes, fails.",
    "instance-stopped": "The EC2 instance is stopped.",
    "instance-gone": "The EC2 instance was terminated, or EC2 knows no such instance.",
    "host-unreachable": "The host cannot be reached.",
    "too-many-processes": "The user has more processes than the system lets live.",
    "clock-off": "The host's clock is wrong.",
    "asleep": "The phone may sleep: nothing keeps it awake.",
    "unknown": "Nothing speaks for one cause.",
}
