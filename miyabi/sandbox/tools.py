"""Which programs each host has: links to this machine's own, and imitations."""

from __future__ import annotations

# What POSIX has, or every userland; on the pretended Mac GNU's answer to these names, which docs/sandbox.md says.
_EVERYWHERE = (
    *("awk", "base64", "basename", "bash", "cat", "chmod", "chown", "cksum", "cmp", "comm", "cp", "cut", "date", "dd"),
    *("diff", "dirname", "du", "echo", "env", "expr", "false", "find", "fold", "grep", "gunzip", "gzip", "head", "id"),
    *("join", "kill", "ln", "ls", "mkdir", "mkfifo", "mktemp", "mv", "nice", "nl", "nohup", "od", "paste", "perl"),
    *("printf", "pwd", "readlink", "rm", "rmdir", "sed", "seq", "sh", "sleep", "sort", "split", "ssh", "ssh-keygen"),
    *("ssh-keyscan", "stty", "tail", "tar", "tee", "test", "touch", "tr", "true", "tty", "uniq", "wc", "which"),
    *("xargs", "yes", "zcat"),
)
_GNU = ("flock", "md5sum", "nproc", "realpath", "setsid", "sha256sum", "stat", "sync", "timeout")
_LINUX = ("curl", "dash", "df", "free", "hostname", "ip", "python3", "tmux", "uname", "uptime")

TOOLS = {
    "pixel": [*_EVERYWHERE, *_GNU, "dash", "mksh", "tmux", "sv", "runsv", "runsvdir"],
    "mugen": [*_EVERYWHERE, *_GNU, *_LINUX],
    "macbook": [*_EVERYWHERE, "curl", "hostname", "sync", "zsh"],
    "cloud": [*_EVERYWHERE, *_GNU, *_LINUX],
}

EVERYWHERE_IMITATED = {name: f"any/{name}" for name in ("gh", "log-writer", "sshd")}

# The programs that the agent plays, by the name that it is called by.
AGENTS = ("claude", "codex")

_PIXEL = ("df", "getprop", "ifconfig", "ip", "service-daemon", "uname", "uptime")
_MACBOOK = (
    *("df", "ifconfig", "launchctl", "memory_pressure", "route", "stat", "sw_vers", "sysctl", "systemsetup", "uname"),
)
_TERMUX_API = ("battery-status", "job-scheduler", "notification", "notification-remove", "wake-lock", "wake-unlock")

IMITATED = {
    "pixel": {
        **{name: f"pixel/{name}" for name in _PIXEL},
        **dict.fromkeys(("sv-enable", "sv-disable"), "pixel/sv-enable"),
        **dict.fromkeys((f"termux-{name}" for name in _TERMUX_API), "pixel/termux-api"),
    },
    "mugen": {},
    "cloud": {},
    "macbook": {name: f"macbook/{name}" for name in (*_MACBOOK, "uptime", "vm_stat")},
}

# What each imitation that is written in Python is called on the host.
PYTHON_IMITATED = {"ps": "ps.py", "miyabi-mcp-server": "mcp_server.py"}

IMITATIONS = {
    "pixel": "Termux's folders, df, uptime, uname, getprop, ip, ifconfig, sv-enable, service-daemon and Termux:API",
    "mugen": "nothing but ps",
    "cloud": "ps, and all that is EC2: the API, the hardware, the agent of Systems Manager",
    "macbook": "launchd, df, stat, uptime, uname, sw_vers, sysctl, vm_stat, memory_pressure, ifconfig, route",
}
