"""A recurring run as the schedulers want it written down: systemd, launchd, cron and Android's job scheduler. Pure."""

from __future__ import annotations

import plistlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast, get_args

from miyabi.units import parse_duration

SchedulerName = Literal["systemd", "launchd", "cron", "termux"]

# What the run is called everywhere: the units, launchd's label, the mark at the end of cron's line.
NAME = "miyabi-recover"
CRON_MARK = f" # {NAME}"

# Android tells jobs apart by a number, per app: "miyabi" on a telephone's keys.
TERMUX_JOB = 649224

DEFAULT_INTERVAL = "5m"

# Seconds that one run may take; what supervises a run from outside waits a little longer than it does itself.
DEFAULT_DEADLINE = 600
_SYSTEMD_TIMEOUT = DEFAULT_DEADLINE + 60

SCHEDULERS: dict[SchedulerName, str] = {
    "systemd": "a systemd user timer",
    "launchd": "a launchd agent",
    "cron": "a line in the crontab",
    "termux": "a job of termux-job-scheduler",
}

# A calendar repeats only what divides an hour or a day: `*/7` of cron is 56 and then 60 minutes.
_MINUTES = tuple(minutes for minutes in range(1, 60) if 60 % minutes == 0)
_HOURS = tuple(hours for hours in range(1, 25) if 24 % hours == 0)
_CALENDAR_FORM = (
    f"{', '.join(str(each) for each in _MINUTES)} minutes, or {', '.join(str(each) for each in _HOURS)} hours"
)
_TERMUX_SHORTEST = 15
_LONGEST = 24 * 60

# What vixie's cron cuts off without a word.
_LONGEST_CRON_COMMAND = 990

# Where the user's tmux and our own files are, if not in their usual places: a scheduled run that looks for the tmux
# server elsewhere would find none, and start a second fleet.
PASSED_ON = ("TMUX_TMPDIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run, and how often.

    + repository: the absolute path of the folder to run it in
    + python: the absolute path of the interpreter that has the packages
    + environment: names and values that the run needs beyond those that every scheduler gives it
    + minutes: from one run to the next
    """

    repository: str
    python: str
    environment: tuple[tuple[str, str], ...]
    minutes: int

    @property
    def arguments(self) -> tuple[str, ...]:
        """The program with its arguments."""
        return (self.python, "-m", "miyabi", "run")


def parse_scheduler(value: object) -> SchedulerName | None:
    """Read the name of a scheduler; None, or ``auto``, is the one that fits the host."""
    if value is None or value == "auto":
        return None
    if value not in get_args(SchedulerName):
        raise ValueError(f"scheduler {value!r} is not supported; allowed: {', '.join(SCHEDULERS)}, or auto")
    return cast("SchedulerName", value)


def parse_switch(name: str, value: object) -> bool:
    """Read yes or no as people write them."""
    for answer, words in ((True, ("yes", "true", "on", "1")), (False, ("no", "false", "off", "0"))):
        if str(value).lower() in words:
            return answer
    raise ValueError(f"{name} {value!r}: allowed: yes or no")


def parse_interval(every: object, scheduler: SchedulerName) -> int:
    """Read how often to run.

    + every: seconds, or text such as ``5m`` or ``1h``
    + scheduler: whose possibilities count

    Returns minutes: ``parse_interval("1h", "cron")`` is ``60``. Raises ``ValueError`` that says what is allowed.
    """
    try:
        seconds = parse_duration(every if isinstance(every, (str, int, float)) else "")
    except ValueError as error:
        raise ValueError(f"every {every!r} is no duration: {error}") from None
    shortest = _TERMUX_SHORTEST if scheduler == "termux" else 1
    if seconds < shortest * 60:
        raise ValueError(
            f"every {every!r} is too short: {SCHEDULERS[scheduler]} runs every {in_words(shortest)} at the most often"
        )
    minutes = int(seconds // 60)
    if seconds % 60 or minutes > _LONGEST:
        raise ValueError(f"every {every!r}: allowed are whole minutes, up to 24 hours")
    if scheduler != "termux" and minutes not in _MINUTES and (minutes % 60 or minutes // 60 not in _HOURS):
        raise ValueError(
            f"every {every!r}: {SCHEDULERS[scheduler]} repeats by the clock, so it must divide an hour or a day; "
            f"allowed: {_CALENDAR_FORM}"
        )
    return minutes


def in_words(minutes: int) -> str:
    """A number of minutes as people say it: ``minute``, ``5 minutes``, ``2 hours``."""
    count, unit = (minutes // 60, "hour") if minutes % 60 == 0 else (minutes, "minute")
    return unit if count == 1 else f"{count} {unit}s"


def refuse_job(job: Job, scheduler: SchedulerName) -> str | None:
    """Why a scheduler cannot be told to run ``job``; None when it can."""
    for what, value in (("repository", job.repository), ("python", job.python), *job.environment):
        if not value.isprintable() or "\ufffd" in value:
            return f"{what} {value!a}: a control character or a byte that is no text cannot be written into a schedule"
        if value.endswith((" ", "\\")):
            return f"{what} {value!r} ends in a blank or a backslash, which schedulers take for something else"
    for what, path in (("repository", job.repository), ("python", job.python)):
        if not path.startswith("/"):
            return f"{what} {path!r} is no absolute path"
    if scheduler == "cron":
        if any("\\" in each for each in (*job.arguments, job.repository, *(value for _, value in job.environment))):
            return "a path with a backslash in it means one thing to one cron and another to the next: rename it"
        if len(cron_line(job).encode()) > _LONGEST_CRON_COMMAND:
            return f"cron's line would be longer than {_LONGEST_CRON_COMMAND} bytes, of which cron drops the rest"
    return None


# --- systemd --------------------------------------------------------------------------------------------------------

_BY_HAND = "Written by deploys/schedule.py, which undoes what is changed here."

_SERVICE = """\
# {by_hand}
[Unit]
Description=Miyabi Recovery: converge the fleet to its specs

[Service]
Type=oneshot
WorkingDirectory={repository}
{environment}ExecStart={command}
# A run may start a tmux server with everything in it. It stays in this unit's cgroup, and must die neither with the
# run's end, nor with its timeout, nor because something in one of its panes took too much memory.
KillMode=process
OOMPolicy=continue
ManagedOOMPreference=avoid
# The run ends itself before that.
TimeoutStartSec={timeout}
"""

_TIMER = """\
# {by_hand}
[Unit]
Description=Miyabi Recovery: every {words}

[Timer]
# The clock on the wall goes on while a machine sleeps, so the run that was missed comes right after waking (once,
# however many were missed); with Persistent= also after the machine was off.
OnCalendar={calendar}
Persistent=true
AccuracySec=10s

[Install]
WantedBy=timers.target
"""


def systemd_service(job: Job) -> str:
    """The text of the service unit."""
    # systemd itself refuses to start a program whose path has quotes in it: a shell does not.
    command = shlex.join(("exec", *job.arguments)).replace("$", "$$")
    environment = "".join(f"Environment={_systemd_word(f'{name}={value}')}\n" for name, value in job.environment)
    return _SERVICE.format(
        by_hand=_BY_HAND,
        repository=job.repository.replace("%", "%%"),
        environment=environment,
        command=f"/bin/sh -c {_systemd_word(command)}",
        timeout=_SYSTEMD_TIMEOUT,
    )


def systemd_timer(job: Job) -> str:
    """The text of the timer unit."""
    hours = job.minutes // 60
    calendar = f"*:0/{job.minutes}" if hours == 0 else f"0/{hours}:00" if hours < 24 else "00:00"
    return _TIMER.format(by_hand=_BY_HAND, words=in_words(job.minutes), calendar=calendar)


def _systemd_word(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


# --- launchd --------------------------------------------------------------------------------------------------------


def launchd_plist(job: Job) -> str:
    """The text of the property list of a launchd agent."""
    agent = {
        "Label": NAME,
        "ProgramArguments": list(job.arguments),
        "WorkingDirectory": job.repository,
        "EnvironmentVariables": dict(job.environment),
        # What StartInterval would have started in sleep is lost; this comes once after waking.
        "StartCalendarInterval": _calendar(job.minutes),
        # Or launchd would end the tmux server that a run has started, when the run ends.
        "AbandonProcessGroup": True,
    }
    return plistlib.dumps(agent).decode()


def _calendar(minutes: int) -> list[dict[str, int]]:
    if minutes < 60:
        return [{"Minute": minute} for minute in range(0, 60, minutes)]
    return [{"Hour": hour, "Minute": 0} for hour in range(0, 24, minutes // 60)]


# --- cron -----------------------------------------------------------------------------------------------------------


def cron_line(job: Job) -> str:
    """The line in the crontab; its last word is the mark by which it is found again."""
    hours = job.minutes // 60
    minute = "*" if job.minutes == 1 else f"*/{job.minutes}" if hours == 0 else "0"
    hour = "*" if hours <= 1 else f"*/{hours}" if hours < 24 else "0"
    # Stdout is the line that the run keeps itself; what goes wrong before that, cron mails.
    return f"{minute} {hour} * * * {_shell_line(job, _cron_word)} >/dev/null{CRON_MARK}"


def _shell_line(job: Job, quote: Callable[[str], str] = shlex.quote) -> str:
    words = [*(f"{name}={value}" for name, value in job.environment), *job.arguments]
    env = "env " if job.environment else ""
    return f"cd {quote(job.repository)} && exec {env}{' '.join(quote(each) for each in words)}"


def _cron_word(text: str) -> str:
    # To cron a % is the end of the line. Some crons take the backslash before it away, others leave it to the shell,
    # to which it means the same as long as it stands outside of quotes.
    return "\\%".join(shlex.quote(part) if part else "" for part in text.split("%"))


# --- Termux ---------------------------------------------------------------------------------------------------------


def termux_script(job: Job) -> str:
    """The script that the job runs, without its first line, which names the host's own shell."""
    return f"# {_BY_HAND}\n{_shell_line(job)} >/dev/null\n"


def termux_period(job: Job) -> int:
    """Milliseconds from one run to the next."""
    return job.minutes * 60_000
