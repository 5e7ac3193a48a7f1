"""Makes the files of a host: its folders, programs, sshd and the script that boots it."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
import time
import uuid
from pathlib import Path

from miyabi.sandbox import programs
from miyabi.sandbox.boot import boot_script, mount_script, services_script
from miyabi.sandbox.fault_state import write_state
from miyabi.sandbox.fleet import HOMES, HOST_VARIABLE, PREFIX, SANDBOX_VARIABLE, SandboxHost
from miyabi.sandbox.tools import AGENTS, EVERYWHERE_IMITATED, IMITATED, PYTHON_IMITATED, TOOLS

_IMITATIONS = Path(__file__).parent / "imitations"

_SSHD = """\
ListenAddress {address}
Port {port}
HostKey {etc}/host_key
AuthorizedKeysFile {etc}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
PrintMotd no
PrintLastLog no
MaxStartups 500:30:1000
MaxSessions 100
LogLevel VERBOSE
Subsystem sftp {sftp_server}
SetEnv "{folder_variable}={folder}" "{host_variable}={name}"
ForceCommand {etc}/session
"""

_ENTER = """\
#!/bin/sh
# Runs a command on this host of the sandbox: with the host's own environment, and nothing of the machine's.
cd {home} || exit 1
exec {env} -i {assignments} ${{SSH_CONNECTION:+"SSH_CONNECTION=$SSH_CONNECTION"}} \\
  ${{SSH_CLIENT:+"SSH_CLIENT=$SSH_CLIENT"}} ${{SSH_TTY:+"SSH_TTY=$SSH_TTY"}} "TERM=${{TERM:-xterm-256color}}" "$@"
"""

_SESSION = """\
#!/bin/sh
# What the sandbox's sshd starts: the login shell, as this host would.
if [ -z "$SSH_ORIGINAL_COMMAND" ]; then exec {etc}/enter {shell} -l; fi
exec {etc}/enter {shell} -c "$SSH_ORIGINAL_COMMAND"
"""

# Where programs are, the first is where the links and imitations are put.
_PATHS = {
    "pixel": [f"{PREFIX}/bin"],
    "mugen": ["/usr/bin", "/bin", "/usr/sbin"],
    "macbook": ["/usr/bin", "/bin", "/usr/sbin", "/sbin"],
    "cloud": ["/usr/bin", "/bin", "/usr/sbin"],
}

_TEMPORARY = {"pixel": f"{PREFIX}/tmp", "mugen": "/tmp", "macbook": "/var/folders/sb/T", "cloud": "/tmp"}  # noqa: S108 - the hosts' own


def build(host: SandboxHost, folder: Path, public_key: str) -> None:
    """Make all files of ``host`` in its folder, which must not exist yet."""
    for path in _folders(host):
        host.outside(path).mkdir(parents=True, exist_ok=True)
    host.tmux_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if host.isolated:
        _make_root(host)
    _link_programs(host)
    _write_imitations(host)
    _write_home(host)
    etc = host.outside(host.etc)
    (etc / "authorized_keys").write_text(public_key)
    (etc / "since").write_text(f"{int(time.time())}\n")
    (etc / "boot_id").write_text(f"{uuid.uuid4()}\n")
    (etc / "remote-login").touch()
    make_key(etc / "host_key")
    write_sshd_configs(host, folder)
    _script(etc / "enter", _enter(host, folder))
    _script(etc / "session", _SESSION.format(etc=shlex.quote(host.inside(host.etc)), shell=shlex.quote(shell_of(host))))
    _script(etc / "boot", boot_script(host))
    _script(etc / "way-in", f'#!/bin/sh\nexec {_way_in(host)} "$@"\n')
    way_in = shlex.quote(f"{host.inside(host.etc)}/way-in")
    _script(etc / "services", services_script(host, way_in, _launchd(host)))
    if host.isolated:
        _script(etc / "mounts", mount_script(host, mounted_folders()))


def write_sshd_configs(host: SandboxHost, folder: Path) -> None:
    """Write how the host's two sshds listen."""
    etc = host.outside(host.etc)
    for name, port in (("sshd_config", host.port), ("way_in_config", host.way_in)):
        (etc / name).write_text(_sshd_config(host, folder, port))


def make_key(path: Path) -> None:
    """Make an ed25519 key at ``path``, and its public half beside it."""
    arguments = ["-q", "-t", "ed25519", "-N", "", "-C", "miyabi-sandbox", "-f", str(path)]
    subprocess.run([programs.path_of("ssh-keygen"), *arguments], check=True, stdin=subprocess.DEVNULL, timeout=30)  # noqa: S603


def shell_of(host: SandboxHost) -> str:
    """The login shell, as the host sees it."""
    wanted = {"pixel": "mksh", "mugen": "bash", "macbook": "zsh", "cloud": "bash"}[host.kind]
    return f"{host.inside(_PATHS[host.kind][0])}/{wanted if programs.find(wanted) else 'sh'}"


def path_variable(host: SandboxHost) -> str:
    """The PATH of a shell on the host."""
    return ":".join(host.inside(each) for each in _PATHS[host.kind])


def real(host: SandboxHost, program: str) -> str:
    """Where ``host`` finds a program of this machine."""
    path = os.path.realpath(program)
    return f"/.machine{path}" if host.isolated else path


def _folders(host: SandboxHost) -> list[str]:
    home = HOMES[host.kind]
    common = [host.etc, *_PATHS[host.kind], f"{home}/.miyabi/logs", f"{home}/.config/gh", f"{home}/repos/miyabi"]
    common += [f"{home}/scratch", "/etc", "/usr"]
    if host.name == "pixel":
        return [*common, *(f"{PREFIX}/{each}" for each in ("tmp", "var/run", "var/log", "var/service/sshd"))]
    if host.name == "macbook":
        return [*common, "/tmp", "/opt/homebrew/bin", "/System/Volumes/Data", "/var/folders/sb/T"]  # noqa: S108
    return [*common, "/tmp"]  # noqa: S108 - the host's own


def _make_root(host: SandboxHost) -> None:
    """What a root folder has beside the host's own: this machine's libraries, devices, and users."""
    root = host.folder
    for name in ("lib", "lib32", "lib64", "libexec", "share"):
        if Path("/usr", name).exists():
            (root / "usr" / name).symlink_to(f"/.machine/usr/{name}")
        top = Path("/", name)
        if top.is_symlink():
            (root / name).symlink_to(f"usr/{name}")
        elif top.exists():
            (root / name).symlink_to(f"/.machine/{name}")
    for name in ("dev", "proc", "run/sshd", "var/empty", ".machine"):
        (root / name).mkdir(parents=True, exist_ok=True, mode=0o755)
    for each in mounted_folders():
        (root / f".machine{each}").mkdir(parents=True, exist_ok=True)
    if not sys.base_prefix.startswith("/usr"):
        place = root / sys.base_prefix.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(f"/.machine{sys.base_prefix}")
    shutil.copy("/etc/ld.so.cache", root / "etc")
    users = f"{host.user}:x:0:0::{HOMES[host.kind]}:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n"
    (root / "etc/passwd").write_text(users)
    (root / "etc/group").write_text(f"{host.user}:x:0:\nnogroup:x:65534:\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    # A file that can be opened by nobody, not even by root: what Android denies.
    os.mknod(root / "etc/denied", stat.S_IFSOCK | 0o600)


def mounted_folders() -> list[str]:
    """The folders of this machine that a root folder of a host shows, read-only."""
    tops = [f"/{name}" for name in ("usr", "bin", "sbin", "lib", "lib32", "lib64", "nix") if Path("/", name).is_dir()]
    own = [] if sys.base_prefix.startswith("/usr") else [sys.base_prefix]
    return [top for top in tops if not Path(top).is_symlink()] + own


def _link_programs(host: SandboxHost) -> None:
    folder = host.outside(_PATHS[host.kind][0])
    for name in TOOLS[host.kind]:
        if found := programs.find(name):
            (folder / name).symlink_to(real(host, found))
    if host.name == "macbook":
        (host.outside("/opt/homebrew/bin") / "tmux").symlink_to(real(host, programs.path_of("tmux")))
    if "python3" in TOOLS[host.kind]:
        (folder / "python3").unlink(missing_ok=True)
        _script(folder / "python3", f'#!/bin/sh\nexec {shlex.quote(real(host, programs.python()))} "$@"\n')
    # Every script's first line names this one, on Android, too.
    for place in ("/bin", "/system/bin") if host.name == "pixel" else ("/bin",):
        host.outside(place).mkdir(parents=True, exist_ok=True)
        if not (host.outside(place) / "sh").exists() and place != _PATHS[host.kind][0]:
            (host.outside(place) / "sh").symlink_to(real(host, "/bin/sh"))


def _write_imitations(host: SandboxHost) -> None:
    folder, etc = host.outside(_PATHS[host.kind][0]), host.inside(host.etc)
    values = {
        "@SSHD@": shlex.quote(real(host, programs.path_of("sshd"))),
        "@REAL_DF@": shlex.quote(real(host, programs.path_of("df"))),
        "@ETC@": shlex.quote(etc),
        "@LOG@": shlex.quote(f"{etc}/sshd.log"),
        "@BOOT_ID@": str(uuid.uuid4()).upper(),
    }
    for name, source in (EVERYWHERE_IMITATED | IMITATED[host.kind]).items():
        text = (_IMITATIONS / source).read_text(encoding="utf-8")
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        _script(folder / name, text)
    place = host.outside(host.etc) / "imitations"
    place.mkdir()
    interpreter = shlex.quote(real(host, programs.python()))
    for name, source in PYTHON_IMITATED.items():
        shutil.copy(_IMITATIONS / source, place)
        platform = f" {host.platform}" if name == "ps" else ""
        line = f'exec {interpreter} -I {shlex.quote(f"{etc}/imitations/{source}")}{platform} "$@"'
        _script(folder / name, f"#!/bin/sh\n# imitation of {name} for the sandbox\n{line}\n")
    shutil.copytree(_IMITATIONS / "agent", place / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    for name in AGENTS:
        # Its process is called what it plays; and twenty of them must start quickly: no site, no environment.
        (place / name).write_text(f"# imitation of {name}\nfrom agent.main import main\n\nmain({name!r})\n")
        line = f'exec {interpreter} -EsS {shlex.quote(f"{etc}/imitations/{name}")} "$@"'
        _script(folder / name, f"#!/bin/sh\n# imitation of {name} for the sandbox\n{line}\n")
    if host.name == "macbook":
        shutil.copy(_IMITATIONS / "launchd.py", place)


def _write_home(host: SandboxHost) -> None:
    home = host.home
    (home / ".miyabi/logs/agents.log").write_text("the sandbox begins\n")
    (home / ".miyabi/config.json").write_text('{"fleet": "sandbox", "agents": ["kaede", "tsubaki"]}\n')
    (home / ".miyabi/agents.toml").write_text('[kaede]\nrole = "CodeGen"\n')
    (home / ".config/gh/hosts.yml").write_text("github.com: {user: kaede}\n")
    if host.name in {"mugen", "macbook"}:
        write_state(host)
    # This machine's own /etc/profile would set another PATH.
    path = f"PATH={shlex.quote(path_variable(host))}; export PATH\n"
    for name in (".profile", ".zprofile"):
        (home / name).write_text(path)
    # Without one, a new user's zsh asks questions.
    (home / ".zshrc").write_text("PS1='macbook %1~ %% '\n")
    (home / ".bashrc").write_text("PS1='\\h \\w $ '\n")
    if host.name == "pixel":
        service = f"{host.inside(PREFIX)}/var/service"
        (home / ".profile").write_text(f"{path}SVDIR={shlex.quote(service)}; export SVDIR; PS1='$ '\n")
        run = "#!/bin/sh\nexec sshd -D 2>&1\n"
        _script(host.outside(f"{PREFIX}/var/service/sshd/run"), run)


def _sshd_config(host: SandboxHost, folder: Path, port: int) -> str:
    # From 9.8 on, sshd shuts out addresses that fail to log in: here that would be everybody.
    penalties = "PerSourcePenalties no\n" if programs.sshd_version() >= (9, 8) else ""
    names = {"folder_variable": SANDBOX_VARIABLE, "host_variable": HOST_VARIABLE, "folder": folder, "name": host.name}
    places = {"etc": host.inside(host.etc), "sftp_server": programs.sftp_server()}
    return _SSHD.format(address=host.address, port=port, **names, **places) + penalties


def _way_in(host: SandboxHost) -> str:
    etc = host.inside(host.etc)
    words = [real(host, programs.path_of("sshd")), "-f", f"{etc}/way_in_config", "-E", f"{etc}/sshd.log"]
    return shlex.join(words)


def _launchd(host: SandboxHost) -> str:
    etc = host.inside(host.etc)
    sshd = [real(host, programs.path_of("sshd")), "-i", "-f", f"{etc}/sshd_config", "-E", f"{etc}/sshd.log"]
    words = [real(host, programs.python()), "-I", f"{etc}/imitations/launchd.py", host.address, str(host.port)]
    return shlex.join([*words, f"{etc}/remote-login", *sshd])


def _enter(host: SandboxHost, folder: Path) -> str:
    bin_folder = host.inside(_PATHS[host.kind][0])
    assignments = " ".join(shlex.quote(f"{name}={value}") for name, value in environment(host, folder).items())
    home = shlex.quote(host.inside(HOMES[host.kind]))
    return _ENTER.format(home=home, env=f"{bin_folder}/env", assignments=assignments)


def environment(host: SandboxHost, folder: Path) -> dict[str, str]:
    """What a shell on ``host`` has in its environment."""
    sockets = f"/{host.tmux_folder.relative_to(host.folder)}" if host.isolated else str(host.tmux_folder)
    own = {
        "HOME": host.inside(HOMES[host.kind]),
        "PATH": path_variable(host),
        "SHELL": shell_of(host),
        "USER": host.user,
        "LOGNAME": host.user,
        "LANG": "C.UTF-8",
        "TMUX_TMPDIR": sockets,
        SANDBOX_VARIABLE: str(folder),
        HOST_VARIABLE: host.name,
        "MIYABI_SANDBOX_LOG": f"{host.inside(host.etc)}/sshd.log",
    }
    if host.name == "pixel":
        own["PREFIX"] = host.inside(PREFIX)
    return own | {"TMPDIR": host.inside(_TEMPORARY[host.kind])}


def _script(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
