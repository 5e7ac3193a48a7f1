"""What a host's schedulers know of the recurring run, and how that differs from what they should know. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from miyabi.schedule import (
    Job,
    cron_line,
    launchd_plist,
    systemd_service,
    systemd_timer,
    termux_period,
    termux_script,
)
from miyabi.state import Observed


@dataclass(frozen=True, slots=True)
class Systemd(Observed):
    """The user's systemd.

    + missing: why it cannot be used on this host; None when it can
    + service, timer: the texts of our units; None when there is no such file
    + enabled, active: of the timer
    + stale: whether the units were read before they were last changed
    + linger: whether the user's systemd also runs while the user is not logged in; None when that could not be told
    """

    missing: str | None
    service: str | None = None
    timer: str | None = None
    enabled: bool = False
    active: bool = False
    stale: bool = False
    linger: bool | None = None

    @property
    def is_there(self) -> bool:
        """Whether anything of ours is there."""
        return self.service is not None or self.timer is not None or self.enabled or self.active

    def drift(self, job: Job) -> str | None:
        """How it differs from ``job``; None when it does not."""
        if not self.is_there:
            return "no timer"
        if self.timer != systemd_timer(job):
            return "another timer"
        if self.service != systemd_service(job):
            return "another service"
        if self.stale:
            return "units that systemd has not read yet"
        return None if self.enabled and self.active else "a timer that is not running"

    def remark(self) -> str | None:
        """What a human should know although nothing is wrong with the schedule."""
        if self.linger is not False:
            return None
        return (
            "it runs only while you are logged in, and tmux servers that it starts may end with your login; "
            "to change that: sudo loginctl enable-linger $USER"
        )


@dataclass(frozen=True, slots=True)
class Launchd(Observed):
    """The launchd of the user who is logged in at the screen.

    + missing: as in ``Systemd``
    + plist: the text of our agent; None when there is no such file
    + loaded: whether launchd knows the agent
    """

    missing: str | None
    plist: str | None = None
    loaded: bool = False

    @property
    def is_there(self) -> bool:
        """Whether anything of ours is there."""
        return self.plist is not None or self.loaded

    def drift(self, job: Job) -> str | None:
        """How it differs from ``job``; None when it does not."""
        if not self.is_there:
            return "no agent"
        if self.plist != launchd_plist(job):
            return "another agent"
        return None if self.loaded else "an agent that is not loaded"

    def remark(self) -> str | None:
        """What a human should know although nothing is wrong with the schedule."""
        return None


@dataclass(frozen=True, slots=True)
class Cron(Observed):
    """The user's crontab.

    + missing: as in ``Systemd``
    + lines: the lines that carry our mark
    + daemon: whether a cron runs that reads it; None when that could not be told
    """

    missing: str | None
    lines: tuple[str, ...] = ()
    daemon: bool | None = None

    @property
    def is_there(self) -> bool:
        """Whether anything of ours is there."""
        return bool(self.lines)

    def drift(self, job: Job) -> str | None:
        """How it differs from ``job``; None when it does not."""
        if not self.lines:
            return "no line"
        return None if self.lines == (cron_line(job),) else "another line"

    def remark(self) -> str | None:
        """What a human should know although nothing is wrong with the schedule."""
        return None if self.daemon is not False else "no cron daemon is running: nobody reads the crontab until one is"


@dataclass(frozen=True, slots=True)
class Termux(Observed):
    """Android's job scheduler, as Termux:API lets one use it.

    + missing: as in ``Systemd``
    + path: where our script belongs
    + script: its text; None when there is no such file, or it cannot be run
    + job: the script that the job with our number runs; None when there is no such job
    + period: milliseconds between two runs of that job, if it is periodic
    + persisted: whether the job outlives a restart of the phone
    """

    missing: str | None
    path: str = ""
    script: str | None = None
    job: str | None = None
    period: int | None = None
    persisted: bool = False

    @property
    def is_there(self) -> bool:
        """Whether anything of ours is there."""
        return self.script is not None or self.job == self.path

    def drift(self, job: Job) -> str | None:
        """How it differs from ``job``; None when it does not."""
        if self.job is None:
            return "no job"
        if (self.period, self.persisted) != (termux_period(job), True):
            return "another job"
        first, _, rest = (self.script or "").partition("\n")
        return None if first.startswith("#!") and rest == termux_script(job) else "another script"

    def remark(self) -> str | None:
        """What a human should know although nothing is wrong with the schedule."""
        return None


Scheduler = Systemd | Launchd | Cron | Termux
