"""What every upkeep operation does beside acting: remember what it found, and prove that it worked."""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar, cast

from pyinfra import logger
from pyinfra.api import FunctionCommand

from facts.observation import Unknown, ask, forget
from facts.probe import Section
from miyabi.upkeep import Finding, Verdict
from operations.climbing import FINDINGS
from operations.refusal import refusal

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

T = TypeVar("T")


# Seconds between two looks at what is not yet as it should be.
_POLL = 0.3


def findings(host: Host) -> dict[str, Finding]:
    """What upkeep found on ``host`` in this run, by subject; the last word about a subject counts."""
    return cast("dict[str, Finding]", host.connector_data.setdefault(FINDINGS, {}))


def note(host: Host, subject: str, verdict: Verdict, reason: str) -> None:
    """Remember what came of a subject; while pyinfra only asks whether anything would change, nothing is remembered."""
    if host.state.is_executing:
        findings(host)[subject] = Finding(subject, verdict, reason)


def failing(host: Host, subject: str, reason: str) -> Generator[PyinfraCommand]:
    """Fail the operation on this host alone, and have the run say why: ``subject`` is wrong, or unknown."""
    note(host, subject, "failed", reason)
    yield refusal(f"{subject}: {reason}")


def warn(host: Host, subject: str, reason: str) -> None:
    """Say something that nothing is done about; the operation changes nothing and does not fail."""
    note(host, subject, "warning", reason)
    host.log_styled(f"{subject}: {reason}", fg="yellow", log_func=logger.warning)
    host.noop(f"{subject}: nothing is done about it")


def proof(
    host: Host,
    subject: str,
    section: Section[T],
    wrong: Callable[[T], str | None],
    *,
    did: str,
    seconds: float,
    settle: float = 0.0,
    verdict: Verdict = "repaired",
) -> FunctionCommand:
    """The command that looks again until what was repaired is right, and fails the operation when it is not in time.

    + subject: what was repaired
    + section: what to look at; another signal than the exit code of what was done
    + wrong: what is still wrong with the answer; None when all is well
    + did: what was done, in words for the summary
    + seconds: how long it may take
    + settle: seconds for which it must stay right
    + verdict: what it means when all is well
    """
    # Should the repair itself fail, this is what is known of it.
    note(host, subject, "failed", f"{did}, but that failed")
    return FunctionCommand(_prove, (subject, section, wrong, did, seconds, settle, verdict), {})


def _prove(
    state: State,
    host: Host,
    subject: str,
    section: Section[T],
    wrong: Callable[[T], str | None],
    did: str,
    seconds: float,
    settle: float,
    verdict: Verdict,
) -> bool:
    """Look at ``section`` until ``wrong`` finds nothing for ``settle`` seconds; False when that is not in time."""
    del state
    started = monotonic()
    right_since: float | None = None
    while True:
        forget(host, section.title)
        seen = ask(host, section)
        reason = seen.reason if isinstance(seen, Unknown) else wrong(seen)
        now = monotonic()
        if reason is None:
            right_since = now if right_since is None else right_since
            if now - right_since >= settle:
                note(host, subject, verdict, did)
                return True
        else:
            right_since = None
        if now - started >= seconds + settle:
            note(host, subject, "failed", f"{did}, but {reason or 'it does not stay'}")
            host.log_styled(f"{subject}: {did}, but {reason or 'it does not stay'}", fg="red", log_func=logger.error)
            return False
        sleep(_POLL)
