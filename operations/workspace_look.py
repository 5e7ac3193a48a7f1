"""How a workspace of a host is: looked at once, and once more only for what nobody could have asked before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from facts.observation import Unknown
from facts.workspace import analyses_of, contents_section, known_section, reports_of, workspace_section
from miyabi.host_paths import refuse_path
from miyabi.orchestration.rules import Orchestration
from operations.quiet import ask_quietly

if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.orchestration.analysis import SessionReport
    from miyabi.orchestration.workspace import SeenFile, SeenWorkspace


def look_at(host: Host, rules: Orchestration) -> tuple[SeenWorkspace, tuple[SessionReport, ...]] | str:
    """What is there and how it is, or why nobody can say."""
    if (reason := refuse_path(rules.workspace)) is not None:
        return reason
    seen = ask_quietly(host, known_section(host, rules))
    if isinstance(seen, Unknown):
        return seen.reason
    if seen.trouble:
        return f"{seen.path}: {seen.trouble}"
    analyses = analyses_of(host.name, rules, seen)
    large = [each for each in seen.sessions if each.digest and each.digest not in analyses and each.is_own]
    if large:
        seen = _with_contents(host, rules, seen, large)
        analyses = analyses_of(host.name, rules, seen, analyses)
    pids = {pid for each in analyses.values() for pid in each.pids.values()}
    if not pids <= set(seen.asked):
        # A content that is new names processes that nobody could have asked for.
        again = ask_quietly(host, workspace_section(rules, {each.digest for each in seen.sessions}, sorted(pids)))
        if not isinstance(again, Unknown) and not again.trouble:
            seen, analyses = again, analyses_of(host.name, rules, again, analyses)
    return seen, reports_of(rules, seen, analyses)


def _with_contents(host: Host, rules: Orchestration, seen: SeenWorkspace, large: Sequence[SeenFile]) -> SeenWorkspace:
    """The same with the contents of sessions that are too large for a probe."""
    from miyabi.orchestration.workspace import STATE_FOLDER  # noqa: PLC0415 - few sessions are
    from miyabi.state_material import digest_of  # noqa: PLC0415

    paths = {f"{STATE_FOLDER}/{each.name}": each for each in large}
    found = ask_quietly(host, contents_section(rules.workspace, tuple(paths)))
    files = {} if isinstance(found, Unknown) else found
    # What has changed since is told by its own digest, and judged the next time.
    whole = {
        each.name: content
        for path, each in paths.items()
        if path in files and (content := files[path].content) is not None and digest_of(content) == each.digest
    }
    sessions = tuple(replace(each, content=whole.get(each.name, each.content)) for each in seen.sessions)
    return replace(seen, sessions=sessions)
