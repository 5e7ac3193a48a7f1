"""Imitations of schedulers, put first on a machine's PATH: what they are told is kept in files, and nothing ever runs.

They understand what the real ones are told by us, refuse what the real ones refuse, and say in their output that they
are imitations.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.fleet.machine import Machine

_PROGRAM = """\
#!{python} -IS
import os, plistlib, re, sys, time
from pathlib import Path

HOME = Path(os.environ["HOME"])
STATE = Path({state!r})
NAME = "miyabi-recover"
words = sys.argv[1:]
with (STATE / "calls").open("a") as calls:
    calls.write(" ".join([Path(sys.argv[0]).name, *words]) + "\\n")


def refuse(code, said):
    sys.stderr.write(said + "\\n")
    raise SystemExit(code)


def fault(name):
    return (STATE / name).exists()

"""

_SYSTEMCTL = """
FOLDER = HOME / ".config/systemd/user"
LINK = FOLDER / "timers.target.wants" / f"{NAME}.timer"
TIMER, SERVICE = FOLDER / f"{NAME}.timer", FOLDER / f"{NAME}.service"
ACTIVE, LOADED = STATE / "timer-active", STATE / "loaded"

if fault("hangs"):
    time.sleep(60)
if words[:1] != ["--user"]:
    refuse(1, "imitation systemctl: only --user")
if fault("no-bus"):
    refuse(1, "Failed to connect to bus: No medium found (imitation)")


def texts():
    return "".join(each.read_text() if each.exists() else "-" for each in (TIMER, SERVICE))


def start():
    if not TIMER.exists() or not SERVICE.exists():
        refuse(5, f"imitation systemctl: Unit {NAME}.timer not found.")
    if not fault("broken-start"):
        ACTIVE.touch()


def enable():
    if not TIMER.exists():
        refuse(1, f"imitation systemctl: Unit file {NAME}.timer does not exist.")
    LINK.parent.mkdir(exist_ok=True)
    LINK.unlink(missing_ok=True)
    LINK.symlink_to(TIMER)


verb, *rest = words[1:]
if verb == "show":
    stale = LOADED.exists() and LOADED.read_text() != texts()
    print(f"ActiveState={'active' if ACTIVE.exists() else 'inactive'}")
    print(f"UnitFileState={'enabled' if LINK.is_symlink() else 'disabled' if TIMER.exists() else ''}")
    print(f"NeedDaemonReload={'yes' if stale else 'no'}")
elif verb == "daemon-reload":
    LOADED.write_text(texts())
elif verb == "enable":
    enable()
    if "--now" in rest:
        start()
elif verb == "disable":
    if not TIMER.exists():
        refuse(1, f"imitation systemctl: Unit file {NAME}.timer does not exist.")
    LINK.unlink(missing_ok=True)
elif verb == "stop":
    ACTIVE.unlink(missing_ok=True)
elif verb in ("start", "restart"):
    start()
elif verb == "reset-failed":
    refuse(1, f"imitation systemctl: Failed to reset failed state of unit {rest[0]}: Unit not loaded.")
else:
    refuse(1, f"imitation systemctl: unknown verb {verb}")
"""

_LOGINCTL = """
LINGER = STATE / "linger"
if words[0] == "show-user":
    print(f"Linger={'yes' if LINGER.exists() else 'no'}")
elif words[:2] == ["--no-ask-password", "enable-linger"]:
    if fault("no-linger"):
        refuse(1, "imitation loginctl: Could not enable linger: Access denied")
    LINGER.touch()
"""

_LAUNCHCTL = """
DOMAIN = f"gui/{os.getuid()}"
LOADED, GOING = STATE / "agent-loaded", STATE / "agent-going"
verb, target = words[:2]
if verb == "print" and target == DOMAIN:
    if fault("no-gui"):
        refuse(125, "imitation launchctl: Could not find domain for")
    print("imitation launchctl")
elif verb == "print":
    if GOING.exists():
        GOING.unlink()
        LOADED.unlink(missing_ok=True)
        print("state = exiting (imitation)")
    elif not LOADED.exists():
        refuse(113, f'Could not find service "{NAME}" in domain for login (imitation)')
elif verb == "bootout":
    if not LOADED.exists():
        refuse(3, "Boot-out failed: 3: No such process (imitation)")
    GOING.touch()
elif verb == "bootstrap":
    if LOADED.exists() or not (STATE / "agent-enabled").exists():
        refuse(5, "Bootstrap failed: 5: Input/output error (imitation)")
    agent = plistlib.loads(Path(words[2]).read_bytes())
    assert target == DOMAIN and agent["Label"] == NAME and words[2].endswith("/LaunchAgents/miyabi-recover.plist")
    LOADED.write_bytes(Path(words[2]).read_bytes())
elif verb == "enable":
    (STATE / "agent-enabled").touch()
else:
    refuse(1, "imitation launchctl: unknown verb")
"""

_CRONTAB = """
TABLE = STATE / "crontab"
if fault("cron-denied"):
    refuse(1, "You (kaede) are not allowed to use this program (crontab) (imitation)")
if words == ["-l"]:
    if fault("cron-denied-to-read"):
        refuse(1, "imitation: input/output error")
    if not TABLE.exists():
        refuse(1, "no crontab for kaede")
    sys.stdout.buffer.write(TABLE.read_bytes())
elif words == ["-r"]:
    TABLE.unlink()
else:
    new = Path(words[0]).read_bytes()
    if new and not new.endswith(b"\\n"):
        refuse(1, "new crontab file is missing newline before EOF, can't install. (imitation)")
    if fault("cron-loses"):
        raise SystemExit(0)
    TABLE.write_bytes(new)
"""

_TERMUX = """
JOBS = STATE / "jobs"
if fault("termux-hangs"):
    time.sleep(60)
jobs = dict(line.split("|", 1) for line in JOBS.read_text().splitlines()) if JOBS.exists() else {}
options = dict(zip(words[::2], words[1::2])) if "--cancel" not in words else {"--job-id": words[-1]}


def shown(number):
    return f"Job {number}: {jobs[number]}"


number = options.get("--job-id", "0")
if "--pending" in words:
    print("".join(f"Pending {shown(each)}\\n" for each in jobs) if jobs else "No pending jobs")
elif "--cancel" in words:
    if number in jobs:
        print(f"Cancelling {shown(number)}")
        del jobs[number]
    else:
        print(f"No job {number} found")
else:
    script = Path(options["--script"])
    if not os.access(script, os.X_OK):
        print(f"Cannot execute file: {script}")
        raise SystemExit(0)
    if int(options["--period-ms"]) < 900000:
        options["--period-ms"] = "900000"
    persisted = "(persisted) " if options.get("--persisted") == "true" else ""
    how = f"(periodic: {options['--period-ms']}ms) {persisted}(battery not low) (network: NetworkRequest [ NONE ])"
    jobs[number] = f"{script}\\t{how}"
    print(f"Scheduling {shown(number)} - response 1")
JOBS.write_text("".join(f"{each}|{how}\\n" for each, how in jobs.items()))
"""

_PROGRAMS = {
    "systemctl": _SYSTEMCTL,
    "loginctl": _LOGINCTL,
    "launchctl": _LAUNCHCTL,
    "crontab": _CRONTAB,
    "termux-job-scheduler": _TERMUX,
}

# What else a host of these tests has.
_TOOLS = (
    *("bash", "cat", "chmod", "cut", "date", "df", "env", "find", "grep", "head", "id", "ls", "mkdir", "mktemp", "mv"),
    *("od", "printf", "ps", "rm", "sed", "sh", "sleep", "sync", "tail", "timeout", "tmux", "touch", "tr", "uname"),
)

_OF_SCHEDULER = {
    "systemd": ("systemctl", "loginctl"),
    "launchd": ("launchctl",),
    "cron": ("crontab",),
    "termux": ("termux-job-scheduler",),
}


def imitate(machine: Machine, *schedulers: str) -> Path:
    """Give ``machine`` imitations of ``schedulers``, and of no other: those that are installed here are hidden.

    Returns the folder with their state.
    """
    programs, state = machine.root / "imitations", machine.root / "schedulers"
    programs.mkdir(exist_ok=True)
    state.mkdir(exist_ok=True)
    for scheduler, names in _OF_SCHEDULER.items():
        for name in names:
            if scheduler in schedulers:
                text = _PROGRAM.format(python=sys.executable, state=str(state)) + _PROGRAMS[name]
                (programs / name).write_text(text)
                (programs / name).chmod(0o755)
    _hide_real_ones(machine, programs)
    return state


def _hide_real_ones(machine: Machine, programs: Path) -> None:
    """A PATH without this machine's own schedulers: nothing that a test does may reach them."""
    folder = machine.root / "programs"
    if not folder.exists():
        folder.mkdir()
        for name in _TOOLS:
            path = shutil.which(name)
            assert path is not None, f"{name} is not installed"
            (folder / name).symlink_to(path)
    machine.environment["PATH"] = f"{programs}:{Path(sys.executable).parent}:{folder}"
    # The probe looks into its bin folder, too, and into /usr/bin without it.
    machine.environment.setdefault("PREFIX", str(folder))


def calls(state: Path) -> list[str]:
    """What the imitations were told, in order."""
    return (state / "calls").read_text().splitlines()
