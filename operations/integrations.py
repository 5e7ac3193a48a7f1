"""Services that a host's agents need: checked, told of, and helped by the remedy that the spec names."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from time import sleep
from typing import TYPE_CHECKING, Any

from pyinfra import host
from pyinfra.api import FunctionCommand, StringCommand
from pyinfra.api.hiddenvalue import HiddenValue

from facts.host_spec import host_spec
from facts.integrations import header_lines, integrations_section, private_script, private_section
from facts.observation import PROBE_TIMEOUT, Unknown, ask, forget
from facts.probe import read_section, split_sections
from miyabi.errors import MiyabiError, ParseError
from miyabi.integration import Reach, is_private, refuse_integration, seconds_of
from miyabi.spec_integration import Integration
from operations.gate import operation, permission
from operations.refusal import refusal, refuse
from operations.upkeep import failing, note

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

# Seconds that a remedy may take; how often a service is looked at after it, and the seconds between.
REMEDY_TIMEOUT = 30
_LOOKS = 3
_PAUSE = 1.0

_TRIED = "miyabi_remedies"


@operation()
def reachable(
    integration: str,
    command: str | None = None,
    tcp: str | None = None,
    http: str | None = None,
    expect: Sequence[int] = (200,),
    headers: Mapping[str, str | HiddenValue] | None = None,
    timeout: str | float = 5,
    remedy: str | None = None,
) -> Generator[PyinfraCommand]:
    """Ensure that a service answers, as far as its remedy can; a service that stays down is a warning with its cause.

    + integration: its name, for the user
    + command: succeeds when the service is well
    + tcp: ``host:port`` that takes a connection
    + http: a URL that answers with one of the codes in ``expect``; redirects are not followed
    + headers: sent with ``http``; values may hold ``$NAME`` of the host's, and are in no process list and no output
    + timeout: seconds, or text such as ``5s``; at most 20 s
    + remedy: a command that is tried once in a run, for 30 s at most, when the service is down

    One of ``command``, ``tcp`` and ``http`` says how. It is down when it does not answer twice. The operation fails
    then, and the host does not: call it with ``_ignore_errors=True``.

    **Example:**

    .. code:: python

        from operations import integrations

        integrations.reachable(name="GitHub", integration="github", tcp="github.com:443", _ignore_errors=True)
    """
    seconds = seconds_of(timeout)
    if isinstance(seconds, str):
        yield from failing(host, f"integration {integration}", seconds)
        return
    pairs = tuple(
        (name, value.unmask() if isinstance(value, HiddenValue) else value) for name, value in (headers or {}).items()
    )
    wanted = Integration(integration, command, tcp, http, tuple(expect), pairs, seconds, remedy)
    reason = refuse_integration(wanted)
    if reason is not None:
        yield from failing(host, _subject(wanted), reason)
        return
    seen = look_twice(host, wanted)
    if seen.reachable:
        host.noop(f"{_subject(wanted)} answers")
    elif seen.reachable is None:
        note(host, _subject(wanted), "warning", f"unknown: {seen.cause}")
        yield refusal(f"{_subject(wanted)} is unknown: {seen.cause}")
    elif remedy is None or wanted in _tried(host):
        note(host, _subject(wanted), "warning", seen.cause)
        yield refusal(f"{_subject(wanted)}: {seen.cause}")
    elif (yield from permission(host, _subject(wanted), "restore", seen.cause, verdict="warning")):
        host.log(f"{_subject(wanted)}: {seen.cause}: trying its remedy")
        yield FunctionCommand(remedied, (wanted, seen.cause), {})


def remedied(state: State, host: Host, wanted: Integration, cause: str) -> bool:
    """Try a service's remedy, and look at it again; False, noted as a warning, when it is still down."""
    _tried(host).add(wanted)
    said = _run_remedy(host, wanted.remedy or "")
    seen = _ask(host, wanted, (wanted,), fresh=True)
    for _ in range(_LOOKS - 1):
        if not seen.reachable:
            sleep(_PAUSE)
            seen = _ask(host, wanted, (wanted,), fresh=True)
    if seen.reachable:
        note(host, _subject(wanted), "repaired", f"its remedy, after: {cause}")
        return True
    reason = f"{seen.cause}; its remedy did not help{said}"
    note(host, _subject(wanted), "warning", reason)
    return refuse(state, host, f"{_subject(wanted)}: {reason}")


def _run_remedy(host: Host, remedy: str) -> str:
    """Run a remedy for as long as it may take; "" or what went wrong with it."""
    # Only who runs one pays for these.
    from miyabi.hook import Hook  # noqa: PLC0415
    from operations.hook_run import run_hook  # noqa: PLC0415

    result = run_hook(host, Hook(("sh", "-c", remedy), timeout=REMEDY_TIMEOUT))
    return f" ({result.reason})" if result.problem else ""


def look_twice(host: Host, wanted: Integration) -> Reach:
    """Whether a service answers; down is only what is down at a second look, too."""
    together = _together(host, wanted)
    seen = _ask(host, wanted, together)
    if seen.reachable is not False:
        return seen
    if is_private(wanted):
        return _ask(host, wanted, (wanted,))
    answers = ask(host, integrations_section(together))
    if isinstance(answers, Unknown):
        return _ask(host, wanted, (wanted,), look=2)
    # Every service that is down is looked at again in one execution; the others find their answer there.
    down = tuple(each for each, told in zip(together, answers, strict=True) if told and told.reachable is False)
    return _ask(host, wanted, down, look=2)


def _together(host: Host, wanted: Integration) -> tuple[Integration, ...]:
    """What is checked in one section with a service: all that the host's spec names, when that is one of them."""
    try:
        named = host_spec(host).integrations
    except (MiyabiError, AttributeError):
        return (wanted,)
    return named if wanted in named else (wanted,)


def _ask(
    host: Host, wanted: Integration, together: tuple[Integration, ...], *, look: int = 1, fresh: bool = False
) -> Reach:
    """The answer for one service of those that are checked together."""
    if is_private(wanted):
        return _ask_privately(host, wanted)
    section = integrations_section(together, look)
    if fresh:
        forget(host, section.title)
    answers = ask(host, section)
    if isinstance(answers, Unknown):
        return Reach(None, answers.reason)
    return answers[together.index(wanted)] or Reach(None, "not asked")


def _ask_privately(host: Host, wanted: Integration) -> Reach:
    """Check a service whose headers go to the host by stdin: the text of a probe is a command line there."""
    _, output = host.run_shell_command(
        StringCommand(private_script(wanted)), _stdin=header_lines(wanted), _timeout=PROBE_TIMEOUT
    )
    try:
        answers = read_section(private_section(wanted), split_sections(output.stdout_lines))
    except ParseError as error:
        return Reach(None, str(error))
    return answers[0] or Reach(None, "not asked")


def as_check(service: Integration) -> dict[str, Any]:
    """A service of a spec as the arguments of ``reachable``."""
    return {
        "integration": service.name,
        "command": service.command,
        "tcp": service.tcp,
        "http": service.http,
        "expect": service.expect,
        "headers": {name: HiddenValue(value) for name, value in service.headers},
        "timeout": service.timeout,
        "remedy": service.remedy,
    }


def _tried(host: Host) -> set[Integration]:
    tried: set[Integration] = host.connector_data.setdefault(_TRIED, set())
    return tried


def _subject(wanted: Integration) -> str:
    return f"integration {wanted.name}"
