"""What a host's schedulers know of the recurring run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api import FactBase
from typing_extensions import override

from facts.probe import COMMAND_TIMEOUT, Section, probe_script, read_section, split_sections
from miyabi.errors import ParseError
from miyabi.schedule import NAME, PASSED_ON, TERMUX_JOB, SchedulerName
from miyabi.schedule_script import (
    CRON_PATTERN,
    LAUNCHD_PLIST,
    SYSTEMD_ENVIRONMENT,
    SYSTEMD_FOLDER,
    TERMUX_SCRIPT,
)
from miyabi.schedule_state import Cron, Launchd, Scheduler, Systemd, Termux
from miyabi.state import Observed

SUBJECT = "schedule"

# What may hold any bytes travels in hexadecimal, as `told NAME HEX`; what cannot be used says so as `missing WHY`.
_COMMON = r"""hex() { od -An -v -tx1 | tr -d ' \t\n'; }
told() { printf '%s ' "$1"; hex; echo; }
file() { [ ! -f "$2" ] || told "$1" <"$2"; }
missing() { shown "missing $1"; exit 0; }
need() { command -v "$1" >/dev/null 2>&1 || missing "$1 is not installed on this host${2:+: $2}"; }
"""

_TIMER = "ActiveState,UnitFileState,NeedDaemonReload"

_SYSTEMD = f"""{_COMMON}{SYSTEMD_ENVIRONMENT}; folder={SYSTEMD_FOLDER}
file service "$folder/{NAME}.service"; file timer "$folder/{NAME}.timer"
need systemctl
said=$(bounded {COMMAND_TIMEOUT} systemctl --user show {NAME}.timer -p {_TIMER} 2>&1)
case $? in 0) ;; 124) exit 124;; *) missing "this user has no systemd of its own: ${{said%%
*}}";; esac
shown "$said" | sed -n '/^[A-Za-z]*=/p'
said=$(bounded {COMMAND_TIMEOUT} loginctl show-user "$(id -un)" -p Linger 2>/dev/null) && shown "$said"
exit 0"""

_LAUNCHD = f"""{_COMMON}file plist {LAUNCHD_PLIST}
need launchctl
domain=gui/$(id -u)
bounded {COMMAND_TIMEOUT} launchctl print "$domain" >/dev/null 2>&1
case $? in 0) ;; 124) exit 124;; *) missing "launchd has no $domain: log in once at this Mac's own screen";; esac
said=$(bounded {COMMAND_TIMEOUT} launchctl print "$domain/{NAME}" 2>&1); code=$?
case $code in 0) echo loaded yes;; 113) echo loaded no;; *) shown "$said"; exit "$code";; esac"""

_CRON = rf"""{_COMMON}need crontab
listed=$(bounded {COMMAND_TIMEOUT} crontab -l 2>/dev/null) || {{
  said=$(bounded {COMMAND_TIMEOUT} crontab -l 2>&1 >/dev/null); code=$?
  case $said in *'no crontab for'*|*'No such file or directory'*) ;; *) shown "$said"; exit "$code";; esac
}}
printf '%s\n' "$listed" | sed -n '{CRON_PATTERN}p' | while IFS= read -r line; do printf %s "$line" | told line; done
echo listed yes
[ "$(uname -s)" = Linux ] || exit 0
processes() {{ bounded {COMMAND_TIMEOUT} ps "$@" 2>/dev/null; }}
running=$(processes -A -o comm= || processes -o comm) || exit 0
case "
$running
" in *"
cron
"*|*"
crond
"*) echo daemon yes;; *) echo daemon no;; esac"""

_TERMUX = f"""{_COMMON}script={TERMUX_SCRIPT}
printf %s "$script" | told path
[ ! -x "$script" ] || file script "$script"
need termux-job-scheduler "pkg install termux-api, and install the app Termux:API"
said=$(bounded {COMMAND_TIMEOUT} termux-job-scheduler --pending 2>&1) || {{ code=$?; shown "$said"; exit "$code"; }}
case $said in *'Pending Job '*|*'No pending jobs'*) ;; *) shown "unexpected answer: $said"; exit 1;; esac
printf '%s\n' "$said" | sed -n '/^Pending Job {TERMUX_JOB}: /p' | while IFS= read -r line; do
  printf %s "$line" | told job
done
echo listed yes"""

_ENVIRONMENT = "\n".join(
    [_COMMON, *(f'[ -z "${{{name}:-}}" ] || printf %s "${name}" | told {name}' for name in PASSED_ON), "exit 0"]
)

# What systemctl and loginctl are asked for.
_SHOWN = ("ActiveState", "UnitFileState", "NeedDaemonReload", "Linger")

_JOB = re.compile(rf"^Pending Job {TERMUX_JOB}: (?P<path>.*)\t(?P<how>.*)$", re.DOTALL)
_PERIOD = re.compile(r"\(periodic: (\d+)ms\)")


def scheduler_sections() -> dict[SchedulerName, Section[Any]]:
    """The sections that look into each scheduler."""
    return {
        "systemd": Section(f"{SUBJECT}_systemd", _SYSTEMD, _systemd),
        "launchd": Section(f"{SUBJECT}_launchd", _LAUNCHD, _launchd),
        "cron": Section(f"{SUBJECT}_cron", _CRON, _cron),
        "termux": Section(f"{SUBJECT}_termux", _TERMUX, _termux),
    }


def environment_section() -> Section[tuple[tuple[str, str], ...]]:
    """The section that tells the variables which a scheduled run needs, too."""
    return Section(f"{SUBJECT}_environment", _ENVIRONMENT, _environment)


def _told(lines: list[str], *known: str) -> Iterator[tuple[str, str]]:
    """The keys and values of a section's lines; what a program said beside them makes the section unknown."""
    for line in lines:
        key, _, value = line.partition(" ")
        if key not in known and key.partition("=")[0] not in known:
            raise ParseError(f"unexpected line {line[:200]!r}")
        yield key, value


def _text(value: str) -> str:
    """A text from its bytes; a byte that is no UTF-8 makes it different from every text of ours, and no error."""
    return bytes.fromhex(value).decode(errors="replace")


def _systemd(lines: list[str]) -> Systemd:
    shown = {key: value for key, is_shown, value in (line.partition("=") for line in lines) if is_shown}
    told = dict(_told(lines, "missing", "service", "timer", *_SHOWN))
    if "missing" not in told and not shown.keys() >= {*_SHOWN[:3]}:
        raise ParseError(f"systemctl told too little of the timer: {lines[-1] if lines else 'nothing'}")
    return Systemd(
        missing=told.get("missing"),
        service=_text(told["service"]) if "service" in told else None,
        timer=_text(told["timer"]) if "timer" in told else None,
        enabled=shown.get("UnitFileState") == "enabled",
        active=shown.get("ActiveState") == "active",
        stale=shown.get("NeedDaemonReload") == "yes",
        linger={"yes": True, "no": False}.get(shown.get("Linger", "")),
    )


def _launchd(lines: list[str]) -> Launchd:
    told = dict(_told(lines, "missing", "plist", "loaded"))
    if "missing" not in told and told.get("loaded") not in {"yes", "no"}:
        raise ParseError("launchctl did not tell whether the agent is loaded")
    plist = _text(told["plist"]) if "plist" in told else None
    return Launchd(told.get("missing"), plist, loaded=told.get("loaded") == "yes")


def _cron(lines: list[str]) -> Cron:
    told = list(_told(lines, "missing", "line", "listed", "daemon"))
    by_key = dict(told)
    _require_list(by_key, "crontab")
    return Cron(
        by_key.get("missing"),
        tuple(_text(value) for key, value in told if key == "line"),
        {"yes": True, "no": False}.get(by_key.get("daemon", "")),
    )


def _termux(lines: list[str]) -> Termux:
    told = dict(_told(lines, "missing", "path", "script", "job", "listed"))
    _require_list(told, "list of jobs")
    job = _JOB.match(_text(told["job"])) if "job" in told else None
    if "job" in told and job is None:
        raise ParseError(f"termux-job-scheduler described the job as {_text(told['job'])[:200]!r}")
    how = job["how"] if job else ""
    period = _PERIOD.search(how)
    return Termux(
        missing=told.get("missing"),
        path=_text(told["path"]),
        script=_text(told["script"]) if "script" in told else None,
        job=job["path"] if job else None,
        period=int(period[1]) if period else None,
        persisted="(persisted)" in how,
    )


def _require_list(told: dict[str, str], what: str) -> None:
    if "missing" not in told and "listed" not in told:
        raise ParseError(f"the {what} was not read to its end")


def _environment(lines: list[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _text(value)) for name, value in _told(lines, *PASSED_ON))


@dataclass(frozen=True, slots=True)
class Schedulers(Observed):
    """Every scheduler of a host; one that could not be asked is None, and ``unknown`` says why."""

    systemd: Systemd | None = None
    launchd: Launchd | None = None
    cron: Cron | None = None
    termux: Termux | None = None
    unknown: dict[str, str] = field(default_factory=dict)


class Schedule(FactBase[Schedulers]):
    """Return what each scheduler of a host knows of the recurring run; None when the host did not answer.

    A scheduler that the host does not have says so in ``missing``.

    .. code:: python

        Schedulers(
            systemd=Systemd(
                missing=None, service="...", timer="...", enabled=True, active=True, stale=False, linger=True
            ),
            launchd=Launchd(missing="launchctl is not installed on this host", plist=None, loaded=False),
            cron=Cron(missing=None, lines=(), daemon=True),
            termux=Termux(missing="termux-job-scheduler is not installed on this host: ...", ...),
            unknown={},
        )

    **Example:**

    .. code:: shell

        pyinfra @local fact facts.schedule.Schedule
    """

    @override
    def command(self) -> str:
        """The probe with the sections of all schedulers."""
        return probe_script(scheduler_sections().values())

    @override
    def process(self, output: list[str]) -> Schedulers:
        """Parse every section; one that is unknown leaves the others as they are."""
        found = split_sections(output)
        seen: dict[str, Scheduler] = {}
        unknown: dict[str, str] = {}
        for name, section in scheduler_sections().items():
            try:
                seen[name] = read_section(section, found)
            except ParseError as error:
                unknown[name] = str(error)
        return Schedulers(**seen, unknown=unknown)  # type: ignore[arg-type]
