"""Bring the sandbox up, tell how it is, take it down."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from miyabi.sandbox import cloud_life, hosts, programs, specs
from miyabi.sandbox.fleet import HOST_NAMES, Sandbox, SandboxError, SandboxHost, cloud_hosts, instances, resolved
from miyabi.sandbox.inside import tmux_on
from miyabi.sandbox.processes import alive, end_all, handled, processes_of, state_of, wait_for
from miyabi.sandbox.tools import IMITATIONS

# The longest path of a unix socket is 107 characters on Linux.
_LONGEST_FOLDER = 107 - len("/run/pi/tmux-4294967295/default")

_DEADLY = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)

# sshd insists on this folder when root starts it outside of a root folder of its own.
_SSHD_FOLDER = Path("/run/sshd")


def up(
    folder: Path, *, plain: bool = False, cloud: bool = False, say: Callable[[str], None] = lambda _: None
) -> Sandbox:
    """Bring up a sandbox in ``folder``, or find the one that is up.

    + plain: no root folders of the hosts' own, even where they could be had
    + cloud: with hosts that are instances of a pretended EC2, where root folders and moto can be had
    + say: told what happens
    """
    programs.check_machine()
    folder = resolved(folder)
    _check_folder(folder)
    there = Sandbox.load(folder)
    if there is not None and _is_whole(there):
        say(f"the sandbox is up already, in {folder}")
        return there
    if there is not None or folder.exists():
        say(f"removing what is left of a sandbox in {folder}")
        down(folder)
    isolated = programs.can_isolate() and not plain
    folder.mkdir(parents=True, mode=0o700)
    (folder / _MARK).touch()
    hosts.make_key(folder / "key")
    has_cloud = cloud and isolated and cloud_life.can_be_had()
    if has_cloud:
        cloud_life.start(folder)
    sandbox = _plan(folder, isolated=isolated)
    for host in sandbox.hosts.values():
        hosts.build(host, folder, (folder / "key.pub").read_text())
    for host in sandbox.hosts.values():
        boot(host, folder)
    if has_cloud:
        cloud_life.launch(folder)
        sandbox = Sandbox(folder, sandbox.hosts | cloud_hosts(folder))
    specs.write(sandbox)
    for host in sandbox.hosts.values():
        wait_for(lambda host=host: answers(host, host.way_in), 15, f"{host.name} does not boot: {_log(host)}")  # type: ignore[misc]
        wait_for(lambda host=host: answers(host, host.port), 15, f"sshd of {host.name} does not come up: {_log(host)}")  # type: ignore[misc]
        say(f"{host.name} is up: {host.platform}, {host.address}")
    sandbox.save()
    return sandbox


_MARK = ".miyabi-sandbox"


def _check_folder(folder: Path) -> None:
    """Refuse a folder that is somebody's own, or cannot hold a sandbox."""
    if any(not character.isprintable() or character in "\"'\\%$`" for character in str(folder)) or " " in str(folder):
        raise SandboxError(f"{folder}: a sandbox needs a path without spaces, quotes and signs; choose --folder")
    if len(str(folder)) > _LONGEST_FOLDER:
        raise SandboxError(
            f"{folder}: too long for the sockets in it, {_LONGEST_FOLDER} characters are the most; choose --folder"
        )
    if folder.exists() and not (folder / _MARK).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SandboxError(f"{folder}: is there and no sandbox; choose another --folder")


def _plan(folder: Path, *, isolated: bool) -> Sandbox:
    """Which hosts there will be: each with an address and ports that nobody uses."""
    chance = random.SystemRandom()
    planned = {}
    for name in HOST_NAMES:
        address = ".".join(["127", *(str(chance.randint(1, 254)) for _ in range(3))])
        # A check on the host asks 127.0.0.1 first: what answers there would be taken for the host's own.
        port = 8022 if name == "pixel" and is_free("127.0.0.1", 8022) else free_port()
        user = _user_of(name) if isolated else pwd.getpwuid(os.getuid()).pw_name
        planned[name] = SandboxHost(
            name, folder / "hosts" / name, isolated, address, port, free_port(), free_port(), user
        )
    return Sandbox(folder, planned)


def _user_of(name: str) -> str:
    return "u0_a231" if name == "pixel" else "kaede"


def is_free(address: str, port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def boot(host: SandboxHost, folder: Path) -> None:
    """Start ``host``; it is up when its ports answer."""
    _make_sshd_folder(host, folder)
    etc = host.outside(host.etc)
    if host.isolated:
        command = [programs.path_of("unshare"), "--mount", "--uts", *_uptime(host), "sh", str(etc / "mounts")]
    else:
        command = [str(etc / "enter"), "sh", str(etc / "boot")]
    # What a background run ignores (nohup, CI) would be ignored by all that lives on the host.
    ignored = [number for number in _DEADLY if signal.getsignal(number) == signal.SIG_IGN]
    with handled(signal.SIG_DFL, *ignored), (etc / "boot.log").open("ab") as log:
        started = subprocess.Popen(  # noqa: S603 - our own script
            command,
            env=hosts.environment(host, folder) | {"PATH": os.environ.get("PATH", os.defpath)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # It outlives this program; nobody waits for it.
    started.returncode = 0
    host.boot_pid_file.write_text(f"{started.pid}\n")


def _uptime(host: SandboxHost) -> list[str]:
    """How an instance's uptime begins anew at each boot."""
    options = programs.own_uptime() if host.kind == "cloud" else []
    seconds = Path("/proc/uptime").read_text().split(".")[0] if options else ""
    return [*options, f"-{seconds}"] if options else []


def _make_sshd_folder(host: SandboxHost, folder: Path) -> None:
    if not host.isolated and os.geteuid() == 0:
        with contextlib.suppress(FileExistsError):
            _SSHD_FOLDER.mkdir(mode=0o755)
            (folder / "made-run-sshd").touch()


def boot_pid(host: SandboxHost) -> int | None:
    """The pid of the process that booted ``host``; None when it does not live."""
    try:
        pid = int(host.boot_pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if alive(pid) else None


def _is_up(host: SandboxHost) -> bool:
    return boot_pid(host) is not None


def _is_whole(sandbox: Sandbox) -> bool:
    """Whether it is up; an instance may be stopped as long as its cloud is there."""
    if sandbox.cloud.exists() and not cloud_life.is_up(sandbox.folder):
        return False
    return all(_is_up(host) for host in sandbox.hosts.values() if host.kind != "cloud")


def answers(host: SandboxHost, port: int, seconds: float = 2.0) -> bool:
    """Whether an sshd says who it is on a port of ``host``."""
    with contextlib.suppress(OSError), socket.create_connection((host.address, port), timeout=seconds) as connection:
        heard = connection.recv(255).startswith(b"SSH-")
        connection.sendall(b"SSH-2.0-miyabi-sandbox\r\n")
        return heard
    return False


def _log(host: SandboxHost) -> str:
    """The last that was said while ``host`` booted."""
    with contextlib.suppress(OSError):
        lines = (host.outside(host.etc) / "boot.log").read_text(errors="replace").split("\n")
        return " / ".join([line for line in lines if line][-3:]) or "it says nothing"
    return "it says nothing"


def down(folder: Path) -> bool:
    """End everything that runs in the sandbox in ``folder`` and remove the folder; False when there was nothing."""
    folder = resolved(folder)
    end_all(lambda: processes_of(folder))
    if not folder.exists():
        return False
    _check_folder(folder)
    _refuse_mounts(folder)
    if (folder / "made-run-sshd").exists():
        with contextlib.suppress(OSError):
            _SSHD_FOLDER.rmdir()
    # The mark goes last: a folder that is half removed is still known as a sandbox.
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name == _MARK):
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    folder.rmdir()
    return True


def _refuse_mounts(folder: Path) -> None:
    """What is mounted below the folder is somebody's: removing the folder would remove that."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()]
    inside = [mount for mount in mounts if mount.startswith(f"{folder}/")]
    if inside:
        raise SandboxError(f"something is mounted at {inside[0]}: umount it, then run miyabi sandbox down again")


def status(sandbox: Sandbox) -> list[str]:
    """How the sandbox is, a line each."""
    lines = []
    for host in sandbox.hosts.values():
        at = f"{host.address}, sshd on {host.port}, way in on {host.way_in}"
        lines.append(f"{host.name}: {host.platform}, {at}")
        if state_of(boot_pid(host) or 0) == "T":
            lines.append("  hangs: everything on it is stopped")
        elif _is_up(host):
            doors = f"way in: {_answering(host, host.way_in)}; sshd: {_answering(host, host.port)}"
            lines.append(f"  {doors}; tmux: {_tmux(host)}")
        else:
            lines.append(f"  is not up{_why_not(sandbox, host)}")
        lines.append(f"  imitated: {IMITATIONS[host.kind]}")
        if not host.isolated:
            lines.append(f"  not imitated without root: {_not_imitated(host)}")
    return lines


def _why_not(sandbox: Sandbox, host: SandboxHost) -> str:
    for row in instances(sandbox.folder):
        if row["name"] == host.name and row["host"]:
            return f": instance {row['instance_id']} is {'booting' if row['boots'] else row['power']}"
    return ": miyabi sandbox up makes it anew"


def _not_imitated(host: SandboxHost) -> str:
    return {
        "pixel": "the refusal of /proc/stat, /proc/uptime and /proc/loadavg; folders outside $PREFIX can be seen",
        "mugen": "a machine without systemd: this one's programs can be found behind the host's own",
        "macbook": "a machine without /proc: facts read this one's; its programs can be found behind the host's own",
    }[host.name] + "; its disk-full"


def _answering(host: SandboxHost, port: int) -> str:
    return "answers" if answers(host, port) else "does not answer"


def _tmux(host: SandboxHost) -> str:
    sessions = tmux_on(host, "list-sessions", "-F", "#S")
    return "no server" if sessions is None else ", ".join(sessions.split())
