"""Hooks of the user's, run on a host for a limited time, in a clean environment, and never in a loop."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from pyinfra import host, logger
from pyinfra.api import FunctionCommand
from pyinfra.api.hiddenvalue import HiddenValue

from facts.hooks import hook_section
from facts.observation import Unknown, ask, forget
from miyabi.hook import TIMEOUT, hook_of
from miyabi.hook_loop import loop
from operations.gate import operation, permission
from operations.hook_run import run_hook
from operations.refusal import refuse
from operations.upkeep import failing, note

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from miyabi.hook import Hook


@operation(is_idempotent=False, idempotent_notice="The hook is run each time.")
def ran(
    path: str,
    data: Any = None,
    timeout: float | str = TIMEOUT,
    cwd: str | None = None,
    env: Mapping[str, str | HiddenValue] | None = None,
) -> Generator[PyinfraCommand]:
    """Run a hook, and fail when it does.

    + path: an executable file or a command line; ``~`` and ``$NAME`` in it are the host's, and no shell reads it
    + data: what it gets as JSON on its stdin, in no process list; None is an empty stdin. pyinfra shows the
      arguments of an operation that has no name: a ``HiddenValue`` around the data is masked
    + timeout: seconds, or text such as ``5m``, from 1 s to 1 h; then all that it has started is ended
    + cwd: where it runs, may begin with ``~``; None is the home directory
    + env: variables of its own; values may hold ``$NAME`` of the host's, and are in no process list and no output

    It runs without the variables by which programs are made to load something, in a session of its own. It is held
    when it ran 10 times within 5 minutes, or 3 times in a row with the same data. What it prints is kept as far as 64
    KiB go; what it leaves running goes on. docs/hooks.md says what each failure means.

    **Example:**

    .. code:: python

        from operations import hooks

        hooks.ran(
            name="Tell that the session was restored",
            path="~/.claude/hooks/restored.sh --quiet",
            data={"session_id": "s-1", "restored": True},
            timeout="1m",
        )
    """
    given = {name: value.unmask() if isinstance(value, HiddenValue) else value for name, value in (env or {}).items()}
    hook = hook_of(path, data.unmask() if isinstance(data, HiddenValue) else data, timeout, cwd, given)
    if isinstance(hook, str):
        yield from failing(host, "hook", hook)
        return
    seen = ask(host, hook_section(hook))
    if isinstance(seen, Unknown):
        yield from failing(host, subject_of(hook), seen.reason)
        return
    held = loop(seen.runs, seen.now, hook.digest)
    if held is not None:
        yield from failing(host, subject_of(hook), f"HOOK_INFINITE_LOOP: {held}")
    elif (yield from permission(host, subject_of(hook), "tidy", "it should be run")):
        note(host, subject_of(hook), "failed", "it should be run, but that failed")
        yield FunctionCommand(run_and_note, (hook,), {})


def run_and_note(state: State, host: Host, hook: Hook) -> bool:
    """Run a hook, and note what came of it; False, with the reason logged, when it failed."""
    result = run_hook(host, hook, subject_of(hook))
    forget(host, hook_section(hook).title)
    if result.problem is not None:
        reason = f"{result.problem}: {result.reason}"
        note(host, subject_of(hook), "failed", reason)
        return refuse(state, host, f"{subject_of(hook)}: {reason}")
    did = f"ran in {result.seconds:.1f} s"
    if result.left:
        did += f", and left {len(result.left)} running: {', '.join(map(str, result.left))}"
    note(host, subject_of(hook), "tidied", did)
    host.log_styled(f"{subject_of(hook)}: {did}", fg="green", log_func=logger.info)
    return True


def subject_of(hook: Hook) -> str:
    """What findings about a hook are called."""
    return f"hook {hook.program}"
