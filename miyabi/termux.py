"""Shell text for what Termux's own commands do on a phone: keep it awake, show something. Pure."""

from __future__ import annotations

import re

from miyabi.bounded import BOUNDED
from miyabi.shell import HOST_ENVIRONMENT, quoted

# Seconds that a termux-* command gets: each of them can hang for ever, above all over ssh
# (https://github.com/termux/termux-api/issues/301).
API_TIMEOUT = 5

TITLE_LENGTH = 100
TEXT_LENGTH = 1000

# How a script ends that asked Termux for something: its last line.
DONE = "miyabi: done"
UNAVAILABLE = "miyabi: unavailable: "

IS_TERMUX = (
    """is_termux() { case ${PREFIX:-} in */com.termux/*) return 0;; esac; [ -d /data/data/com.termux/files/usr ]; }"""
)

# A lock is held by the app's process, so it lasts as long as that does: which boot, which process, started when.
# Android tells an app of its own processes only. Needs `bounded`.
HOLDER = r"""mark="${XDG_STATE_HOME:-$HOME/.local/state}/miyabi/wake-lock"
holder() {
  boot=; { read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
  [ -n "$boot" ] || boot=$(bounded 5 getprop ro.runtime.firstboot 2>/dev/null)
  app=$({ bounded 5 ps -A -o pid= -o args= || bounded 5 ps -o pid,args; } 2>/dev/null | while read -r pid words; do
    [ "$words" = com.termux ] && { echo "$pid"; break; }
  done)
  [ -n "$boot$app" ] || return 1
  born=; { read -r born <"/proc/${app:-none}/stat"; } 2>/dev/null
  born=${born##*) }; set -- $born; [ "$#" -lt 20 ] || shift 19
  echo "boot ${boot:--} app ${app:--} ${born:+$1}"
}"""

_PROBLEM = re.compile(r"[A-Za-z0-9_.-]{1,50}")


def take_script() -> str:
    """The shell text that takes the wake lock, and remembers for which process of the app."""
    return f"""{_beginning()}
{_call("termux-wake-lock")}
mkdir -p "${{mark%/*}}" && chmod 700 "${{mark%/*}}" && holder >"$mark.$$" && mv "$mark.$$" "$mark" ||
  {{ rm -f "$mark.$$"; echo '{UNAVAILABLE}it was taken, but that cannot be remembered'; exit 0; }}
echo '{DONE}'"""


def release_script() -> str:
    """The shell text that gives the wake lock back."""
    return f"""{_beginning()}
{_call("termux-wake-unlock")}
rm -f "$mark"
echo '{DONE}'"""


def notification_script(title: str, text: str, notification_id: str) -> str:
    """The shell text that shows a notification; one of the same id is replaced."""
    words = ["termux-notification", "--id", notification_id, "--title", title, "--content", text]
    return f"""{_beginning()}
{_call(" ".join(quoted(word) for word in words))}
echo '{DONE}'"""


def refuse_notification_id(notification_id: str) -> str | None:
    """What is wrong with the id of a notification; None when nothing is."""
    if _PROBLEM.fullmatch(notification_id):
        return None
    return f"notification_id {notification_id!r}: allowed: 1 to 50 letters, digits, _ . and -"


def shortened(text: str, length: int) -> str:
    """Text as a notification can show it: no control characters but line breaks, and at most ``length`` characters."""
    clean = "".join(each if each.isprintable() or each == "\n" else " " for each in text).strip()
    return clean if len(clean) <= length else clean[: length - 1] + "\u2026"


def outcome(lines: list[str]) -> str | None:
    """Why what a script asked of Termux was not to be had; None when it was done."""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
    return None if last == DONE else last.removeprefix(UNAVAILABLE)


def _beginning() -> str:
    return f"{HOST_ENVIRONMENT}\n{BOUNDED}\n{HOLDER}"


def _call(command: str) -> str:
    program = command.partition(" ")[0]
    return f"""command -v {program} >/dev/null 2>&1 || {{ echo '{UNAVAILABLE}{program} is not installed'; exit 0; }}
said=$(bounded {API_TIMEOUT} {command} </dev/null 2>&1); code=$?
case $code in
0) ;;
124) echo '{UNAVAILABLE}{program} gave no answer within {API_TIMEOUT} s'; exit 0;;
*) echo "{UNAVAILABLE}{program}: exit code $code: $(printf '%s\\n' "$said" | tr -c '\\n -~' '?' | tail -n 1)"; exit 0;;
esac"""
