"""How much a regular expression may cost: those that can take for ever are known by their form. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A repetition up to here is short: it costs its factor, and no more.
_SHORT = 100
# What nested short repetitions may cost together, and how many long ones may follow each other.
_MOST_STEPS = 2000
_MOST_LONG = 3
_LONGEST = 2000

_TOKEN = re.compile(
    r"""
    (?P<escape>\\.)
    | (?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])
    | (?P<open>\((?:\?(?:P<\w+>|P=\w+|<?[=!]|:|>|\#[^)]*|[a-zA-Z]*(?:-[a-zA-Z]+)?:))?)
    | (?P<close>\))
    | (?P<repeat>[*+?]|\{\d*,?\d*\})(?P<lazy>[?+])?
    | (?P<bar>\|)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(slots=True)
class _Part:
    """A group of the expression: the steps that its own repetitions cost, and what is in it."""

    steps: int = 1
    varies: bool = False
    bars: bool = False


def costly(pattern: str) -> str | None:
    r"""Why an expression could take too long on some text; None when it cannot.

    + pattern: that ``re`` takes

    .. code:: python

        costly(r"(\w+\s?)+x")  # "a repetition of a group that repeats something or has alternatives, without an end"
    """
    if len(pattern) > _LONGEST:
        return f"it is longer than {_LONGEST} characters"
    groups, last, long = [_Part()], _Part(), 0
    for token in _TOKEN.finditer(pattern):
        if token["open"]:
            groups.append(_Part())
        elif token["close"]:
            last = groups.pop() if len(groups) > 1 else _Part()
            groups[-1].steps = max(groups[-1].steps, last.steps)
            groups[-1].varies = groups[-1].varies or last.varies
        elif token["bar"]:
            groups[-1].bars = True
        elif token["repeat"]:
            most = _most(token["repeat"])
            if most is None or most > _SHORT:
                long += 1
                if last.varies or last.bars:
                    return "a repetition of a group that repeats something or has alternatives, without an end"
            steps = last.steps * min(most or _SHORT, _SHORT)
            if last.varies and steps > _MOST_STEPS:
                return f"repetitions in each other that make more than {_MOST_STEPS} steps"
            groups[-1].steps = max(groups[-1].steps, steps)
            groups[-1].varies = True
        else:
            last = _Part()
    return f"more than {_MOST_LONG} long repetitions" if long > _MOST_LONG else None


def _most(repeat: str) -> int | None:
    """How often at most; None is for ever."""
    if repeat == "?":
        return 1
    if repeat in {"*", "+"}:
        return None
    least, comma, most = repeat[1:-1].partition(",")
    number = most if comma else least
    return int(number) if number else None
