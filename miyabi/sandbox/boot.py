"""The scripts that boot a host: what is mounted for it, and what runs on it from the start."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from miyabi.sandbox.fleet import HOMES, PREFIX, SandboxHost

if TYPE_CHECKING:
    from collections.abc import Sequence

# What Android denies to apps.
_DENIED = ("stat", "uptime", "loadavg")

# What a disk that is full stands on.
SCRATCH_MEGABYTES = 16


def mount_script(host: SandboxHost, folders: Sequence[str]) -> str:
    """What is run in the host's new mount namespace; nothing of it is seen outside, and it ends with the last process.

    + folders: of this machine, which the host sees read-only
    """
    root = shlex.quote(str(host.folder))
    lines = ["#!/bin/sh", "set -e", "mount --make-rprivate /", f"root={root}"]
    lines += [f"echo {'localhost' if host.name == 'pixel' else host.name} >/proc/sys/kernel/hostname"]
    # Or df would take any of the mounts below for the one that holds the host's files.
    lines.append('mount --bind "$root" "$root"; cd "$root"')
    lines += [f'mount -o bind,ro {shlex.quote(each)} "$root"{shlex.quote(f"/.machine{each}")}' for each in folders]
    lines.append('mount --rbind /dev "$root/dev"')
    # A Mac has no /proc: its programs ask the kernel. Here tmux and ps do need the processes' own folders.
    lines.append(f'mount -t proc {"-o subset=pid " * (host.name == "macbook")}proc "$root/proc"')
    if host.name != "macbook":
        lines.append(f'mount --bind "$root"{host.etc}/boot_id "$root/proc/sys/kernel/random/boot_id"')
    if host.name == "pixel":
        lines += [f'mount --bind "$root/etc/denied" "$root/proc/{name}"' for name in _DENIED]
    lines.append(f'mount -t tmpfs -o size={SCRATCH_MEGABYTES}m,mode=700 tmpfs "$root"{HOMES[host.kind]}/scratch')
    lines.append(f'exec chroot "$root" {host.etc}/enter sh {host.etc}/boot')
    return "\n".join(lines) + "\n"


def boot_script(host: SandboxHost) -> str:
    """What the first process of the host does: it starts the services, and stays."""
    return f"sh {host.inside(host.etc)}/services\nwhile :; do sleep 100000 & wait; done\n"


def services_script(host: SandboxHost, way_in: str, launchd: str) -> str:
    """What runs on the host from the start.

    + way_in: the command of the sshd that the inventory uses
    + launchd: the command of the imitation that holds the Mac's ssh port
    """
    lines = ["# What runs on this host of the sandbox from the start."]
    if host.way_in != host.port:
        lines.append(way_in)
    if host.name == "pixel":
        # As Termux:Boot does when termux-services is installed; without runit a plain sshd is all there is.
        service = shlex.quote(f"{host.inside(PREFIX)}/var/service")
        lines.append("if command -v runsvdir >/dev/null; then")
        lines.append(f"  SVDIR={service} service-daemon start")
        lines.append("else sshd; fi")
    elif host.name == "macbook":
        lines.append(f"nohup {launchd} >/dev/null 2>&1 </dev/null &")
    else:
        lines.append("sshd")
    return "\n".join(lines) + "\n"
