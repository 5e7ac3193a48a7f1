"""Whether a hook runs in a loop, by what its host remembers of its runs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from miyabi.state import Observed

# In so many seconds a hook may run so often, and so often in a row with the same data.
WINDOW = 300
MOST = 10
SAME = 3

# What the history's line of a run that begins ends with; other lines say what came of one.
BEGAN = "began"

# How many lines of a hook are kept; as many as decide, however they mix.
KEPT = 40

_LINE = re.compile(r"([1-9]\d{0,11}) ([0-9a-f]{16}) ([a-z]+(?:-\d{1,3})?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class HookRun(Observed):
    """One line of a hook's history.

    + at: when the run began, in seconds since the epoch on the host
    + digest: of what was run with what data
    + outcome: ``began``, or how it ended: ``ended-CODE``, ``timeout``
    """

    at: int
    digest: str
    outcome: str = BEGAN


@dataclass(frozen=True, slots=True)
class HookHistory(Observed):
    """What a host remembers of a hook.

    + now: seconds since the epoch on the host
    + runs: in the order in which they were written
    """

    now: int
    runs: tuple[HookRun, ...] = ()


def read_history(lines: Iterable[str]) -> tuple[HookRun, ...]:
    """The runs that a history tells of; a line that is torn, or is none, is left out."""
    found = (_LINE.fullmatch(line) for line in lines)
    return tuple(HookRun(int(each[1]), each[2], each[3]) for each in found if each)


def loop(history: Sequence[HookRun], now: float, digest: str) -> str | None:
    """Why a hook must not run now; None when it may.

    + now: seconds since the epoch on the host
    + digest: of the run that is wanted

    It must not when it ran 10 times within 5 minutes, or when its last 3 runs within them did the same as this one
    would. That ends by itself, as these runs grow old; a run that was held is none. A run that is in the future, as the
    clock was set back, counts for 5 minutes at most.
    """
    recent = [run for run in history if run.outcome == BEGAN and abs(now - run.at) < WINDOW]
    if len(recent) >= MOST:
        return held_for("count", recent[-MOST].at + WINDOW, now)
    last = recent[-SAME:]
    if len(last) == SAME and all(run.digest == digest for run in last):
        return held_for("same", last[0].at + WINDOW, now)
    return None


def held_for(rule: str, until: float, now: float) -> str:
    """The reason for which a hook is held, and how long.

    + rule: ``count`` or ``same``
    """
    what = f"ran {MOST} times" if rule == "count" else f"ran {SAME} times in a row with the same data"
    left = max(1, round(until - now))
    return f"it {what} within {WINDOW // 60} minutes, which looks like a loop: held for {left} s more"


# What a history is read by: however large the file has become, only its end counts.
HISTORY = f'tail -c 4000 "$file" 2>/dev/null | tail -n {KEPT - 1}'

# The same decision as shell text, for under the lock at the moment of the run: sets `held` to nothing, or to the rule
# and until when, and `kept` to the lines that are worth keeping. `file`, `digest` and `now` are given.
LOOP_SCRIPT = rf"""held=; kept=; one=; two=; three=; set --
newline='
'
while IFS=' ' read -r at what outcome more; do
  case $at in [1-9]*) ;; *) continue;; esac
  case $at in *[!0-9]*|?????????????*) continue;; esac
  case $what in *[!0-9a-f]*) continue;; esac
  [ "${{#what}}" -eq 16 ] && [ -z "$more" ] || continue
  case $outcome in [a-z]*) ;; *) continue;; esac
  case $outcome in *[!a-z0-9-]*|?????????????*) continue;; esac
  kept="$kept$at $what $outcome$newline"
  age=$((now - at))
  [ "$outcome" = {BEGAN} ] && [ "$age" -lt {WINDOW} ] && [ "$age" -gt -{WINDOW} ] || continue
  set -- "$@" "$at"; [ "$#" -le {MOST} ] || shift
  one=$two; two=$three; three="$at $what"
done <<END
$({HISTORY})
END
if [ "$#" -ge {MOST} ]; then held="count $(($1 + {WINDOW}))"
elif [ -n "$one" ] && [ "${{one#* }} ${{two#* }} ${{three#* }}" = "$digest $digest $digest" ]; then
  held="same $((${{one%% *}} + {WINDOW}))"
fi"""
