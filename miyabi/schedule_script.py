"""The shell text that puts a recurring run into a scheduler, and takes it out again. Pure."""

from __future__ import annotations

from miyabi.schedule import (
    CRON_MARK,
    NAME,
    TERMUX_JOB,
    Job,
    SchedulerName,
    cron_line,
    launchd_plist,
    systemd_service,
    systemd_timer,
    termux_period,
    termux_script,
)
from miyabi.shell import HOST_ENVIRONMENT, quoted

# Where things are, as shell words; the facts look in the same places.
SYSTEMD_FOLDER = '"$HOME/.config/systemd/user"'
LAUNCHD_PLIST = f'"$HOME/Library/LaunchAgents/{NAME}.plist"'
TERMUX_SCRIPT = f'"$HOME/.local/share/miyabi/{NAME}"'

# A login through su, cron or an sshd without PAM does not have it, but systemd's socket is there.
SYSTEMD_ENVIRONMENT = 'export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"'

# The line is ours when it ends in our mark and nobody has commented it out.
CRON_PATTERN = f"/^[^#].*{CRON_MARK}$/"

# `put FILE TEXT MODE`: a file is replaced at once, or stays what it was (a full disk). `limited` is five seconds, where
# the host can.
_COMMON = f"""{HOST_ENVIRONMENT}
umask 077
put() {{
  mkdir -p "${{1%/*}}" && new=$(mktemp "$1.XXXXXX") || return 1
  {{ printf '%s' "$2" >"$new" && chmod "$3" "$new" && mv -f "$new" "$1"; }} || {{ rm -f "$new"; return 1; }}
}}
if command -v timeout >/dev/null 2>&1; then limited() {{ timeout 5 "$@"; }}; else limited() {{ "$@"; }}; fi"""

_SYSTEMD_UNITS = f"""{SYSTEMD_ENVIRONMENT}
folder={SYSTEMD_FOLDER}"""

_LAUNCHD_AGENT = f"""plist={LAUNCHD_PLIST}; domain=gui/$(id -u)
# bootout comes back before the agent is gone, and bootstrap fails until it is.
unload() {{
  launchctl bootout "$domain/{NAME}" 2>/dev/null
  tries=0; while launchctl print "$domain/{NAME}" >/dev/null 2>&1; do
    tries=$((tries + 1)); [ "$tries" -lt 10 ] || {{ echo 'launchd does not let go of the agent' >&2; exit 1; }}; sleep 1
  done
}}"""

# The lines of others go through `sed` alone, byte for byte. When the crontab cannot be read, it is not written.
_CRON_EDIT = f"""work=$(mktemp -d "${{TMPDIR:-/tmp}}/{NAME}.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT; trap 'exit 1' HUP INT TERM
if crontab -l >"$work/old" 2>"$work/said"; then :
else case $(cat "$work/said") in
  *'no crontab for'*|*'No such file or directory'*) : >"$work/old";;
  *) cat "$work/said" >&2; exit 1;;
esac; fi
LC_ALL=C sed '{CRON_PATTERN}d' "$work/old" >"$work/new" || exit 1"""


def install_script(scheduler: SchedulerName, job: Job, *, active: bool = False) -> str:
    """The shell text that makes ``scheduler`` run ``job`` and nothing else of ours.

    + active: whether a systemd timer of ours is active already
    """
    write = {"systemd": _systemd, "launchd": _launchd, "cron": _cron, "termux": _termux}[scheduler]
    return f"{_COMMON}\n{write(job, active)}"


def remove_script(scheduler: SchedulerName, *, usable: bool = True) -> str:
    """The shell text that takes what is ours out of ``scheduler``.

    + usable: whether the scheduler answers; when it does not, only files are removed
    """
    return f"{_COMMON}\n{_REMOVE[scheduler] if usable else _REMOVE_FILES[scheduler]}"


def _systemd(job: Job, active: bool) -> str:  # noqa: FBT001 - one of four that are called alike
    start = "restart" if active else "enable --now"
    enable = f"systemctl --user enable {NAME}.timer && " if active else ""
    return f"""{_SYSTEMD_UNITS}
put "$folder/{NAME}.service" {quoted(systemd_service(job))} 644 &&
put "$folder/{NAME}.timer" {quoted(systemd_timer(job))} 644 &&
systemctl --user daemon-reload && {enable}systemctl --user {start} {NAME}.timer || exit 1
limited loginctl --no-ask-password enable-linger "$(id -un)" >/dev/null 2>&1 || :"""


def _launchd(job: Job, active: bool) -> str:  # noqa: FBT001 - as above
    del active
    # Unloaded first: an agent that is loaded was read from the file that is there.
    return f"""{_LAUNCHD_AGENT}
unload
put "$plist" {quoted(launchd_plist(job))} 644 || exit 1
launchctl enable "$domain/{NAME}"
tries=0; until launchctl bootstrap "$domain" "$plist"; do
  tries=$((tries + 1)); [ "$tries" -lt 5 ] || exit 1; sleep 1
done"""


def _cron(job: Job, active: bool) -> str:  # noqa: FBT001 - as above
    del active
    return f"""{_CRON_EDIT}
if [ -s "$work/new" ] && [ -n "$(tail -c 1 "$work/new")" ]; then echo >>"$work/new" || exit 1; fi
printf '%s\\n' {quoted(cron_line(job))} >>"$work/new" && crontab "$work/new\""""


def _termux(job: Job, active: bool) -> str:  # noqa: FBT001 - as above
    del active
    command = f"termux-job-scheduler --job-id {TERMUX_JOB} --period-ms {termux_period(job)} --persisted true"
    return f"""script={TERMUX_SCRIPT}
put "$script" "#!${{PREFIX:-/data/data/com.termux/files/usr}}/bin/sh
"{quoted(termux_script(job))} 700 || exit 1
limited {command} --script "$script" </dev/null; code=$?
[ "$code" -ne 124 ] || echo 'Termux:API does not answer within 5 s: open the app once, then try again' >&2
exit "$code\""""


_REMOVE: dict[SchedulerName, str] = {
    "systemd": f"""{_SYSTEMD_UNITS}
systemctl --user disable {NAME}.timer >/dev/null 2>&1; systemctl --user stop {NAME}.timer >/dev/null 2>&1
rm -f "$folder/{NAME}.service" "$folder/{NAME}.timer" "$folder/timers.target.wants/{NAME}.timer" &&
systemctl --user daemon-reload || exit 1
systemctl --user reset-failed {NAME}.service >/dev/null 2>&1 || :""",
    "launchd": f"""{_LAUNCHD_AGENT}
unload
rm -f "$plist\"""",
    "cron": f"""{_CRON_EDIT}
if [ -s "$work/new" ]; then crontab "$work/new"; else crontab -r; fi""",
    "termux": f"""limited termux-job-scheduler --cancel --job-id {TERMUX_JOB} </dev/null; code=$?
[ "$code" -ne 124 ] || echo 'Termux:API does not answer within 5 s: open the app once, then try again' >&2
[ "$code" -eq 0 ] && rm -f {TERMUX_SCRIPT}""",
}

_REMOVE_FILES: dict[SchedulerName, str] = {
    "systemd": f"""folder={SYSTEMD_FOLDER}
rm -f "$folder/{NAME}.service" "$folder/{NAME}.timer" "$folder/timers.target.wants/{NAME}.timer\"""",
    "launchd": f"rm -f {LAUNCHD_PLIST}",
    "cron": ":",
    "termux": f"rm -f {TERMUX_SCRIPT}",
}
