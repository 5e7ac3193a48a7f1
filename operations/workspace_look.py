"""How a workspace of a host is: looked at once, and once more only for what nobody could have asked before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from facts.observation import Unknown
from facts.workspace import contents_section, judged_sessions, known_section, workspace_section
from miyabi.host_paths import refuse_path
from miyabi.orchestration.rules import Orchestration
from operations.quiet import ask_quietly

if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.orchestration.analysis import SessionReport
    from miyabi.orchestration.workspace import SeenWorkspace


def look_at(host: Host, rules: Orchestration) -> tuple[SeenWorkspace, tuple[SessionReport, ...]] | str:
    """What is there and how it is, or why nobody can say."""
    from miyabi.session_cache import read_analyses  # noqa: PLC0415 - see operations.state

    if (reason := refuse_path(rules.workspace)) is not None:
        return reason
    seen = ask_quietly(host, known_section(host, rules))
    if isinstance(seen, Unknown):
        return seen.reason
    if seen.trouble:
        return f"{seen.path}: {seen.trouble}"
    seen = _with_large(host, rules, seen)
    reports = judged_sessions(host.name, rules, seen)
    there = {each.digest for each in seen.sessions}
    known = read_analyses(host.name, rules)
    pids = {pid for digest in there & known.keys() for pid in known[digest].pids.values()}
    if pids <= set(seen.asked):
        return seen, reports
    # A content that is new names processes that nobody could have asked for.
    again = ask_quietly(host, workspace_section(rules, there, sorted(pids)))
    if isinstance(again, Unknown) or again.trouble:
        return seen, reports
    return again, judged_sessions(host.name, rules, again)


def _with_large(host: Host, rules: Orchestration, seen: SeenWorkspace) -> SeenWorkspace:
    """The same with the contents of sessions that nobody has judged yet, and that are too large for a probe."""
    from miyabi.orchestration.workspace import STATE_FOLDER  # noqa: PLC0415 - see operations.state
    from miyabi.session_cache import read_analyses  # noqa: PLC0415
    from miyabi.state_material import digest_of  # noqa: PLC0415

    known = read_analyses(host.name, rules)
    lacking = [each for each in seen.sessions if each.content is None and each.digest and each.digest not in known]
    if not lacking:
        return seen
    paths = {each.name: f"{STATE_FOLDER}/{each.name}" for each in lacking if each.is_own}
    found = ask_quietly(host, contents_section(rules.workspace, tuple(paths.values())))
    files = {} if isinstance(found, Unknown) else found
    read = {name: files[path].content for name, path in paths.items() if path in files}
    # What has changed since is told by its own digest, and judged the next time.
    whole = {name: content for name, content in read.items() if content is not None}
    same = {each.name for each in lacking if each.name in whole and digest_of(whole[each.name]) == each.digest}
    sessions = (replace(each, content=whole[each.name]) if each.name in same else each for each in seen.sessions)
    return replace(seen, sessions=tuple(sessions))
