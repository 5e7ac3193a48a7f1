"""How a hook is run on a host: one execution, whose last word is read and judged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pyinfra import logger
from pyinfra.api import StringCommand

from miyabi.errors import ParseError
from miyabi.subjects import SETUP
from operations.refusal import refuse
from operations.upkeep import note

if TYPE_CHECKING:
    from pyinfra.api import Host, State

    from miyabi.hook import Hook
    from miyabi.hook_result import HookResult

# How many of the last lines of a hook that has failed a human is shown.
_SHOWN = 20


def run_hook(host: Host, hook: Hook, subject: str = "") -> HookResult:
    """Run a hook on ``host``, and say what came of it.

    + subject: under which what it printed is shown when it failed; "" shows nothing

    Nothing that it printed is in the result or shown with what looks like a secret in it.
    """
    # Only who runs one pays for these.
    from secrets import token_hex  # noqa: PLC0415

    from miyabi.hook_result import HookResult, read_result  # noqa: PLC0415
    from miyabi.hook_script import MORE_TIME, hook_input, hook_script  # noqa: PLC0415
    from miyabi.masking import masked, plain, shown  # noqa: PLC0415

    nonce = token_hex(16)
    done, output = host.run_shell_command(
        StringCommand(hook_script(hook, nonce)), _stdin=hook_input(hook, nonce), _timeout=hook.timeout + MORE_TIME
    )
    try:
        result = read_result(hook, output.stdout_lines, nonce)
    except ParseError as error:
        said = "" if done else f" ({output.stderr.strip().rpartition(chr(10))[2] or 'the command failed'})"
        result = HookResult("HOOK_EXECUTION_FAILED", f"{error}{said}: look after the host and try again")
    said = masked(plain(result.output))
    result = replace(result, reason=shown(masked(plain(result.reason))), output=said)
    if not result.counted:
        host.log_styled(
            f"{subject or hook.program}: the host cannot remember that it ran (a full disk?): loops are not noticed",
            fg="yellow",
            log_func=logger.warning,
        )
    if result.problem is not None and subject:
        for line in [line for line in said.splitlines() if line.strip()][-_SHOWN:]:
            host.log_styled(f"{subject}: {shown(line)[:500]}", fg="red", log_func=logger.error)
    return result


def set_up(state: State, host: Host, script: str, seconds: float) -> bool:
    """Run a host's setup script as a hook; False, with the reason logged, when it failed.

    + script: a command line; ``~`` and ``$NAME`` in it are the host's
    + seconds: its time
    """
    from miyabi.hook import LONGEST, hook_of  # noqa: PLC0415

    hook = hook_of(script, timeout=min(max(1.0, seconds), LONGEST))
    if isinstance(hook, str):
        reason = hook
    else:
        result = run_hook(host, hook, SETUP)
        if result.problem is None:
            return True
        reason = f"{hook.program}: {result.problem}: {result.reason}"
    # What was restored stays, but the host is not what its spec says: a human hears of it.
    note(host, SETUP, "failed", reason)
    return refuse(state, host, f"{SETUP}: {reason}")
