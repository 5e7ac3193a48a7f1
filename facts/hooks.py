"""What hosts remember of the runs of hooks."""

from __future__ import annotations

import shlex
from dataclasses import replace

from typing_extensions import override

from facts.probe import Section, SectionFact, keyed_section, probe_script
from miyabi.errors import ParseError
from miyabi.hook import Hook, hook_of
from miyabi.hook_loop import HISTORY, HookHistory, read_history


def hook_section(hook: Hook) -> Section[HookHistory]:
    """The section that tells when a hook ran."""
    script = f"""file=${{XDG_STATE_HOME:-$HOME/.local/state}}/miyabi/hooks/{shlex.quote(hook.name)}
date +%s
[ ! -e "$file" ] || [ -r "$file" ] || {{ echo 'the history of its runs cannot be read'; exit 1; }}
{HISTORY} | tr -c '\\n -~' '?'"""
    return keyed_section("hook", script, _parse)


def _parse(lines: list[str]) -> HookHistory:
    if not lines or not lines[0].isdigit():
        raise ParseError("the host does not tell the time")
    return HookHistory(int(lines[0]), read_history(lines[1:]))


class Runs(SectionFact[HookHistory]):
    """Return when a hook ran lately and what came of it; None, with an error on the host, when unknown.

    + path: the hook, as ``operations.hooks.ran`` was given it

    .. code:: python

        HookHistory(now=1795261161, runs=(HookRun(at=1795261100, digest="0f1e2d3c4b5a6978", outcome="began"),
                    HookRun(at=1795261100, digest="0f1e2d3c4b5a6978", outcome="ended-0")))

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.hooks.Runs path=~/.claude/hooks/check.sh
    """

    @override
    def command(self, path: str) -> str:
        """The probe with this section alone."""
        hook = hook_of(path)
        script = f"echo {shlex.quote(hook)}; exit 2" if isinstance(hook, str) else hook_section(hook).script
        return probe_script([replace(self.section(), script=script)])

    @override
    def section(self) -> Section[HookHistory]:
        """A section of this kind; its parser is the same for every hook."""
        return Section("runs", "", _parse)
