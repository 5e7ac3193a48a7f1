"""An alert in plain words, for somebody who was asleep a minute ago. Pure."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo

from miyabi.alert_words import BY_CAUSE, BY_KIND, FORESIGHT, OTHER, Words
from miyabi.cause_names import CAUSES
from miyabi.incidents import is_told
from miyabi.masking import masked, plain
from miyabi.records import IncidentChanged, Severity
from miyabi.subjects import AGENT, foretold_subject, is_subject
from miyabi.verdict import Verdict, covered, verdict_for
from miyabi.words import both_clocks, clock_time, counted, lasting

_WIDTH = 96
_LABEL = 10
_MOST_EVIDENCE = 8
_MOST_COVERED = 12
_LONGEST_LINE = 200

# What these are about is neither a session nor a subject of upkeep.
_NO_TARGETS = frozenset(("threshold", "channel"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What a channel gets.

    + incident: its name; "" for what has none, because it was repaired at once, or is foretold and not sure
    + change: as in ``IncidentChanged``, or ``repaired``, or ``foretold``
    + at, since: seconds since the epoch: when it is told, and when the incident began
    + line: all of it on one line
    + text: all of it
    """

    incident: str
    change: str
    severity: Severity
    host: str
    target: str
    kind: str
    cause: str
    summary: str
    at: float
    since: float
    line: str
    text: str


def alerts_of(
    changes: Iterable[IncidentChanged],
    verdicts: Iterable[Verdict],
    *,
    now: float,
    zone: tzinfo | None = None,
    socket: str | None = None,
) -> tuple[Alert, ...]:
    """The alerts that a run sends: its incidents' changes that are to be told, and what it repaired at once.

    + zone: of the reader; None is this machine's
    + socket: the name of the hosts' tmux socket, where it is not tmux's default
    """
    found = tuple(verdicts)
    told = [alert_of(each, verdict_for(each, found), zone=zone, socket=socket) for each in changes if is_told(each)]
    repaired = [_repaired(each, now) for each in found if each.kind == "repaired" and each.severity == "LOW"]
    return (*told, *repaired)


def alert_of(
    change: IncidentChanged, verdict: Verdict | None, *, zone: tzinfo | None = None, socket: str | None = None
) -> Alert:
    """The alert of one change of an incident.

    + verdict: what the run said of it; None when it is well again
    """
    text = _closed(change, zone) if change.change == "closed" else _full(change, verdict, zone, socket)
    return Alert(
        incident=change.incident,
        change=change.change,
        severity=change.severity,
        host=change.host,
        target=change.target,
        kind=change.kind,
        cause=change.cause,
        summary=_clean(change.summary),
        at=change.at,
        since=change.opened_at,
        line=_line(change),
        text=_clean(text),
    )


def for_guardian(alert: Alert) -> str:
    """The line that is typed into a guardian's pane."""
    return f"[ALERT] {alert.line}"


def for_phone(alert: Alert) -> tuple[str, str]:
    """Title and text of a notification."""
    return f"{alert.severity} {covered(alert.host, alert.target) or 'fleet'}", alert.line


def foretold_alert(verdict: Verdict, now: float) -> Alert:
    """What is said of something that is foretold, and is not sure enough for an incident."""
    name = covered(verdict.host, foretold_subject(verdict.target))
    return _low(verdict, "foretold", f"LOW {name} {BY_KIND[verdict.kind].headline}: {verdict.summary}", now)


def _repaired(verdict: Verdict, now: float) -> Alert:
    name = covered(verdict.host, verdict.target)
    return _low(verdict, "repaired", f"LOW {name} repaired: {verdict.summary}", now)


def _low(verdict: Verdict, change: str, words: str, now: float) -> Alert:
    line = _one_line(words)
    return Alert(
        incident="",
        change=change,
        severity="LOW",
        host=verdict.host,
        target=verdict.target,
        kind=verdict.kind,
        cause=verdict.cause,
        summary=_clean(verdict.summary),
        at=now,
        since=now,
        line=line,
        text=line,
    )


def _line(change: IncidentChanged) -> str:
    name = _shown_name(change)
    ago = lasting(change.at - change.opened_at)
    if change.change == "closed":
        return _one_line(f"RECOVERED {name}: {_words(change).over}, was {change.severity} for {ago} ({change.summary})")
    still = f"STILL OPEN after {ago}: " if change.change == "still-open" else ""
    worse = "WORSE: " if change.change == "changed" else ""
    words = _words(change).headline
    ending = f"; see: {_explain(change)}"
    room = _LONGEST_LINE - len(ending)
    told = _one_line(f"{still}{worse}{change.severity} {name} {words}: {change.summary}", room)
    return f"{told}{_one_line(ending)}"


def _one_line(text: str, longest: int = _LONGEST_LINE) -> str:
    printable = "".join(each if each.isprintable() else " " for each in masked(plain(text)))
    return printable if len(printable) <= longest else f"{printable[: longest - 3]}..."


def _clean(text: str) -> str:
    return masked(plain(text))


def _words(change: IncidentChanged) -> Words:
    return BY_KIND.get(change.kind, OTHER)


def _shown_name(change: IncidentChanged) -> str:
    if change.host:
        return covered(change.host, foretold_subject(change.target))
    return change.target or "the fleet"


def _closed(change: IncidentChanged, zone: tzinfo | None) -> str:
    since = change.opened_at if change.healthy_since is None else change.healthy_since
    lines = [
        f"RECOVERED  {_shown_name(change)} is {_words(change).over}",
        *_part("was", f"{change.severity}: {change.summary}"),
        *_part("since", f"{both_clocks(change.opened_at, zone)}, for {lasting(change.at - change.opened_at)}"),
        *_part("well", f"since {clock_time(since, change.at, zone)}; the incident is closed"),
        *_part("next", "nothing has to be done. What happened:"),
        *_command(f"miyabi history {shlex.quote(_named(change))}"),
        *_part("incident", change.incident),
    ]
    return "\n".join(lines)


def _full(change: IncidentChanged, verdict: Verdict | None, zone: tzinfo | None, socket: str | None) -> str:
    words = _words(change)
    begin = {"still-open": "STILL OPEN  ", "changed": "WORSE  "}.get(change.change, "")
    lines = [
        f"{begin}{change.severity}  {_shown_name(change)} {words.headline}",
        *_part("what", change.summary),
        *_part("since", f"{both_clocks(change.opened_at, zone)}, {_ago(change.at - change.opened_at)}"),
    ]
    if change.cause != "unknown":
        sentence = CAUSES.get(change.cause.partition(":")[0], "")
        lines += _part("cause", f"{change.cause}. {sentence}" if sentence else change.cause)
    if change.covers:
        lines += _part("affects", _covers(change.covers))
    if verdict is not None:
        lines += _found(change, verdict, zone)
    lines += _part("means", words.means)
    lines += _next(change, socket, verdict.next_step if verdict is not None else "")
    lines += _part("safe", words.safe)
    lines += _part("incident", change.incident)
    return "\n".join(lines)


def _ago(seconds: float) -> str:
    return f"{lasting(seconds)} ago" if seconds >= 1 else "just now"


def _covers(covers: tuple[str, ...]) -> str:
    more = f" and {len(covers) - _MOST_COVERED} more" if len(covers) > _MOST_COVERED else ""
    return f"{counted(len(covers), 'target')}: {', '.join(covers[:_MOST_COVERED])}{more}"


def _found(change: IncidentChanged, verdict: Verdict, zone: tzinfo | None) -> Iterator[str]:
    """Evidence, what was tried, and what the gate says."""
    evidence = [line.rstrip() for line in plain(verdict.evidence).splitlines() if line.strip()]
    label = "evidence"
    for line in evidence[-_MOST_EVIDENCE:]:
        yield f"{label:<{_LABEL}} | {line[:_LONGEST_LINE]}"
        label = ""
    label = "tried"
    for line in verdict.tried:
        yield from _part(label, line)
        label = ""
    if not verdict.tried and change.kind in {"not-restored", "held", "unreachable", "unknown"}:
        yield from _part("tried", "nothing in this run")
    if verdict.held is not None and not verdict.held.allowed:
        again = verdict.held.again_at
        until = "" if again is None else f", until {clock_time(again, change.at, zone)}"
        yield from _part("held", f"{verdict.held.reason}{until} ({verdict.held.rule})")


def _next(change: IncidentChanged, socket: str | None, next_step: str) -> Iterator[str]:
    """What to do, each step with the command to paste."""
    label = "next"
    for number, (say, commands) in enumerate(_steps(change, socket, next_step), 1):
        yield from _part(label, f"{number}. {say}")
        for command in commands:
            yield from _command(command)
        label = ""


def _steps(change: IncidentChanged, socket: str | None, next_step: str) -> Iterator[tuple[str, list[str]]]:
    name = shlex.quote(_named(change))
    yield "see what is known, and what would happen next:", [_explain(change)]
    if advice := BY_CAUSE.get(change.cause.partition(":")[0]):
        yield f"{advice}.", []
    if next_step:
        yield "what you can do about it:", [next_step]
    if change.kind == "channel":
        yield "look at the channel in inventory/alerts.yaml, and at the variables that it names:", ["miyabi spec check"]
        return
    if change.kind == "prediction":
        yield from FORESIGHT.get(foretold_subject(change.target), ())
    if change.host and (look := _look(change, socket)):
        yield "look at it:", look
    if change.kind in {"not-restored", "held", "storm", "emergency-stop"}:
        yield "when the cause is removed, have it tried now:", [f"miyabi resume {name}", _recover(change)]
        yield "or have it left alone while you work there:", [f"miyabi pause {name} --for 2h"]
    elif change.kind == "unreachable":
        yield "when it is back, look at all of it:", [_recover(change)]


def _explain(change: IncidentChanged) -> str:
    if not change.host:
        return "miyabi incidents" if change.kind == "channel" else "miyabi status"
    if change.kind == "prediction":
        return f"miyabi predict {shlex.quote(change.host)}"
    return f"miyabi explain {shlex.quote(_named(change))}"


def _recover(change: IncidentChanged) -> str:
    return f"miyabi recover --limit {shlex.quote(change.host)}" if change.host else "miyabi recover"


def _named(change: IncidentChanged) -> str:
    """The target as the commands take it; of a measure of the whole fleet that is all of it."""
    if change.kind == "prediction":
        return covered(change.host, foretold_subject(change.target).removeprefix(AGENT))
    return covered(change.host, change.target) if change.host else "all"


def _look(change: IncidentChanged, socket: str | None) -> list[str]:
    """The commands that show it: on the host, so that they are two where it is another machine."""
    here = change.host.startswith("@local")
    there = [] if here else [f"ssh {shlex.quote(change.host)}"]
    if change.kind == "unreachable" or not change.target:
        return there
    if change.kind in _NO_TARGETS or is_subject(change.target):
        return [*there, *_LOOKS.get(foretold_subject(change.target), [])]
    tmux = f"tmux -L {shlex.quote(socket)}" if socket else "tmux"
    # A word that begins with = is quoted in any case: zsh would look for a program called so.
    exact = f"={change.target.partition(':')[0]}"
    quoted = shlex.quote(exact) if shlex.quote(exact) != exact else f"'{exact}'"
    return [*there, f"{tmux} attach -t {quoted}"]


_LOOKS = {
    "disk": ["df -h ~", "du -xk ~ | sort -n | tail -20"],
    "memory": ["ps axo pid,rss,args | sort -k2 -n | tail -20"],
    "processes": ["ps axo pid,ppid,args"],
    "clock": ["date -u"],
}


def _part(label: str, text: str) -> Iterator[str]:
    """A labelled paragraph."""
    indent = " " * (_LABEL + 1)
    lines = textwrap.wrap(text, _WIDTH - _LABEL - 1, break_long_words=False, break_on_hyphens=False) or [""]
    for i, line in enumerate(lines):
        yield f"{label:<{_LABEL}} {line}" if i == 0 else f"{indent}{line}"


def _command(command: str) -> Iterator[str]:
    yield f"{' ' * (_LABEL + 6)}{command}"
