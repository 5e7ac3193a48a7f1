"""What Systems Manager's agent does on an instance whose ssh is dead: make room, start sshd, look again. Pure."""

from __future__ import annotations

from miyabi.bounded import BOUNDED
from miyabi.shell import HOST_ENVIRONMENT, quoted
from miyabi.sshd_start import SYSTEMD_FOLDER

# The last line that the script prints.
ANSWERS = "sshd answers"
SILENT = "sshd is silent"

# How the reason begins for which a look from inside has not helped, when sshd answered there: a later run reads it.
WAY_IS_CLOSED = "sshd answers there, but not to this machine"

# Percent of the root file system from which room is made: sshd and logins fail on a full one.
_FULL = 95

# Only what is kept as a saving, and what the journal has too much of: nothing that anybody misses.
_ROOM = f"""used=$(df -P / | {{ read -r h; read -r device size used free percent rest; printf %s "${{percent%\\%}}"; }})
if [ "${{used:-0}}" -ge {_FULL} ]; then
  echo "the root file system is $used % full: making room"
  bounded 20 journalctl --vacuum-size=50M >/dev/null 2>&1
  for each in apt-get dnf yum; do
    command -v "$each" >/dev/null 2>&1 || continue
    case $each in apt-get) bounded 20 apt-get clean;; *) bounded 20 "$each" clean all;; esac >/dev/null 2>&1
  done
fi"""

# One that runs and does not answer is restarted: its sessions are processes of their own and live on.
_RESTART = f"""if [ -d {SYSTEMD_FOLDER} ]; then
  for each in ssh.service sshd.service; do
    case $(bounded 5 systemctl show -p LoadState "$each" 2>/dev/null) in
    LoadState=loaded) bounded 10 systemctl reset-failed "$each"; bounded 30 systemctl restart "$each"; break;;
    esac
  done
fi"""


def inside_script(look: str, start: str) -> str:
    """The shell text for root on an instance, whose last line is ``sshd answers`` or ``sshd is silent``.

    + look: shell text that prints the banner when sshd answers
    + start: shell text that starts sshd where it does not run (``miyabi.sshd_start.start_script``)

    Nothing is started, restarted or removed when sshd answers already.
    """
    return f"""{HOST_ENVIRONMENT}
{BOUNDED}
answers() {{ ( {look}
) 2>/dev/null | grep '^\\(# [^ ]* \\)\\{{0,1\\}}SSH-' >/dev/null; }}
if answers; then echo '{ANSWERS}'; exit 0; fi
{_ROOM}
{_RESTART}
answers || sh -c {quoted(start)} </dev/null
left=10
until answers; do
  if [ "$left" -eq 0 ]; then echo '{SILENT}'; exit 1; fi
  left=$((left - 1)); sleep 1
done
echo '{ANSWERS}'
"""


def answers_inside(output: str) -> bool | None:
    """Whether sshd answers on the instance itself, as the script's output tells; None is that it does not tell."""
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
    return {ANSWERS: True, SILENT: False}.get(last)
