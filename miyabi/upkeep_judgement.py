"""What one look at a subject of upkeep means: to be repaired, to be told, or nothing. Pure.

The operations act by the same judges; here nothing is acted on, and what takes a second look is left open.
"""

from __future__ import annotations

from miyabi.config_backup import ConfigFile
from miyabi.daemon import Daemon, in_words, orphans, ours, serving, standing
from miyabi.health import Found, upkeep_found, warning_found
from miyabi.host_paths import names_in_words
from miyabi.limits import Judgement, size
from miyabi.pruning import Prunable
from miyabi.rotation import Logs
from miyabi.spec import ConfigFile as WantedFile, Log, McpServer, Temp
from miyabi.state import Sshd


def judge_limit(judged: Judgement) -> Found | None:
    """A resource that is critical is to be relieved; one that is a warning is told."""
    if judged.grade == "fine":
        return None
    return (upkeep_found if judged.grade == "critical" else warning_found)(judged.subject, judged.evidence)


def judge_temp(wanted: Temp, seen: Prunable) -> Found | None:
    """What is old is to be removed."""
    if not seen.count:
        return None
    return upkeep_found(
        f"temp {wanted.path}", f"{seen.count} old ones, {size(seen.size)}: {names_in_words(seen.names)}"
    )


def judge_logs(wanted: Log, seen: Logs) -> Found | None:
    """A log that has reached its size is to be rotated; another user's is left alone."""
    subject = f"log {wanted.path}"
    if seen.over:
        names = names_in_words(log.path.rpartition("/")[2] for log in seen.over)
        return upkeep_found(subject, f"{size(sum(log.size for log in seen.over))} to rotate: {names}")
    if seen.unfinished:
        return upkeep_found(subject, "a rotation was interrupted")
    return warning_found(subject, f"of another user: {names_in_words(seen.foreign)}") if seen.foreign else None


def judge_config(wanted: WantedFile, seen: ConfigFile) -> Found | None:
    """A file that is missing or empty is to come back; whether a changed one is valid, its content alone would tell."""
    subject = f"config {wanted.path}"
    if seen.state in {"missing", "empty"}:
        backup = f"its newest backup is of {seen.newest.partition('-')[0]}" if seen.newest else "it has no backup"
        return upkeep_found(subject, f"it is {seen.state}, and {backup}")
    return warning_found(subject, "too large to be checked") if seen.state == "large" else None


def judge_sshd(seen: Sshd) -> Found | None:
    """An sshd that gives no banner is to be started."""
    return None if seen.answering else upkeep_found("sshd", f"port {seen.port} gives no banner")


def judge_server(wanted: McpServer, seen: Daemon) -> Found | None:
    """A server that is down or hangs is to be started; what it has left behind is ended where the spec says so."""
    subject = f"server {wanted.name}"
    stands = standing(seen, match=wanted.match, port=wanted.port)
    running = in_words(serving(seen, wanted.match) or ours(seen))
    if wanted.expected == "down":
        return (
            None if stands == "down" else warning_found(subject, f"it should be down, but runs: {running}".rstrip(" :"))
        )
    if stands == "down":
        return upkeep_found(subject, "it is down")
    lacks = f"port {wanted.port} does not answer" if wanted.port else f"nothing has {wanted.match!r} in its command"
    if stands in {"hung", "starting"}:
        found = upkeep_found if stands == "hung" else warning_found
        return found(subject, f"{'it is starting: ' * (stands == 'starting')}process {running} runs, but {lacks}")
    left = orphans(seen, wanted.match)
    if left:
        found = upkeep_found if wanted.orphans == "reap" else warning_found
        return found(subject, f"nobody owns these of an earlier generation: {in_words(left)}")
    return None
