"""``miyabi state analyze`` and ``validate``: they look, and change nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from miyabi.cli_fleet import clock, print_json, show, width_of_output, working
from miyabi.cli_state_place import Place
from miyabi.errors import StateError
from miyabi.masking import masked, shown
from miyabi.orchestration.error_table import ERRORS, words_of
from miyabi.orchestration.error_text import Line, error_json, error_lines, guidance_json, guidance_lines
from miyabi.orchestration.error_words import Places
from miyabi.orchestration.rules import Orchestration
from miyabi.spec_document import nearest
from miyabi.state_looked import Looked, flaws_of
from miyabi.state_view import session_table, summed_up
from miyabi.words import iso

# The largest file that is read because somebody named it.
_LARGEST = 1 << 30

_STYLES: Mapping[str, dict[str, Any]] = {
    "title": {"bold": True},
    "command": {"fg": "cyan"},
    "dim": {"dim": True},
    "LOW": {"bold": True},
    "MEDIUM": {"fg": "yellow", "bold": True},
    "HIGH": {"fg": "red", "bold": True},
    "CRITICAL": {"fg": "red", "bold": True, "reverse": True},
}


def analyze(place: Place, *, is_all: bool, is_json: bool) -> int:
    """Tell how a workspace's sessions are; the exit code."""
    looked = look(place, is_json=is_json)
    code = code_of(looked)
    if is_json:
        workspaces = [looked_json(each) for each in looked]
        print_json({"at": iso(clock()), "host": place.host or None, "exit_code": code, "workspaces": workspaces})
    else:
        for each in looked:
            tell(each, is_all=is_all, is_guided=False)
            _tell_errors(each, is_long=bool(place.sessions))
            guide(each)
    return code


def _tell_errors(looked: Looked, *, is_long: bool) -> None:
    """Print what the errors are that were found: a line each, or for sessions that were named all that is known."""
    if not is_long:
        for code in looked.codes:
            if code == looked.codes[0]:
                click.echo("")
            words = words_of(code)
            click.echo(textwrap.fill(f"{words.title} ({code}): {words.happened}", width_of_output()))
        return
    for code in looked.codes:
        click.echo("")
        tell_lines(list(error_lines(words_of(code), looked.places, width_of_output())))


def look(place: Place, *, is_json: bool, gone_too: bool = False) -> tuple[Looked, ...]:
    """How a workspace's sessions are.

    + gone_too: whether a session that was named need not be there
    """
    with working(f"looking at {place.words}", is_json=is_json) as progress:
        return place.looked(progress, gone_too=gone_too)


def code_of(looked: Sequence[Looked]) -> int:
    """The exit code of a look: 1 when one could not be looked at, 2 when something is wrong, 0 else."""
    codes = {each.exit_code for each in looked}
    return 1 if 1 in codes else max(codes, default=0)


def tell(looked: Looked, *, is_all: bool = False, is_guided: bool = True) -> None:
    """Print what was seen of a workspace, and what to do about it."""
    where = f"{looked.host}: {looked.path}" if looked.host else looked.path
    click.secho(shown(where), bold=True)
    if looked.trouble:
        click.echo(f"nothing could be seen: {shown(looked.trouble)}")
    else:
        if looked.reports:
            show(lambda width: session_table(looked.reports, looked.now, width, is_all=is_all))
            click.echo("")
        newest = looked.backups[0].made_at if looked.backups else None
        click.echo(summed_up(looked.reports, len(looked.backups), looked.now, newest))
    if is_guided:
        guide(looked)


def guide(looked: Looked) -> None:
    """Print what to do; nothing when nothing is wrong."""
    if looked.codes:
        click.echo("")
        tell_lines(list(guidance_lines(looked.guidance, width_of_output())))


def tell_lines(lines: Sequence[Line]) -> None:
    """Print lines in their styles; without colours where nobody could see them."""
    for line in lines:
        click.secho(line.text, **_STYLES.get(line.style, {}))


def looked_json(looked: Looked) -> dict[str, Any]:
    """What was seen of a workspace, and what to do, as JSON."""
    return {
        "workspace": looked.path,
        "trouble": looked.trouble or None,
        "sessions": [_report_json(each) for each in looked.reports],
        "backups": [{"name": each.name, "made_at": iso(each.made_at)} for each in looked.backups],
        "held": list(looked.held),
        "has_event_log": looked.has_log,
        "errors": [error_json(words_of(code), looked.places) for code in looked.codes],
        "guidance": guidance_json(looked.guidance),
    }


def _report_json(report: Mapping[str, Any]) -> dict[str, Any]:
    times = {key: iso(report.get(key)) for key in ("changed_at", "last_activity")}
    issues = [{**each, "message": masked(each["message"])} for each in report["issues"]]
    return {**report, **times, "issues": issues}


def explain(codes: Sequence[str], *, is_json: bool) -> None:
    """Tell all that is known of errors; without codes what there are."""
    chosen = [code.upper().replace("-", "_") for code in codes]
    for code in chosen:
        if code not in ERRORS:
            raise StateError(f"{shown(code)}: no such error; miyabi state explain lists them{nearest(code, ERRORS)}")
    places = Places(session="SESSION", backup="BACKUP")
    if is_json:
        print_json({"errors": [error_json(words_of(code), places) for code in chosen or ERRORS]})
        return
    if not chosen:
        width = max(map(len, ERRORS))
        for code, words in ERRORS.items():
            click.echo(f"{code:<{width}}  {words.title}")
    for number, code in enumerate(chosen):
        if number:
            click.echo("")
        tell_lines(list(error_lines(words_of(code), places, width_of_output())))


def validate(place: Place, *, is_json: bool) -> int:
    """Tell every flaw of a workspace's sessions; the exit code."""
    looked = look(place, is_json=is_json)
    for each in looked:
        if each.trouble:
            raise StateError(f"{shown(each.path)}: {shown(each.trouble)}")
    found = [
        (f"{each.path}/{report['name']}", report["status"] != "unknown", flaws_of(report))
        for each in looked
        for report in each.reports
    ]
    return _tell_flaws(found, is_json=is_json)


def validate_files(files: Sequence[str], *, is_json: bool) -> int:
    """Tell every flaw of files that hold a session's state; the exit code."""
    from miyabi.orchestration.analysis import analyse  # noqa: PLC0415 - only who looks into a file needs it

    found: list[tuple[str, bool, Sequence[Mapping[str, Any]]]] = []
    for name in files:
        analysis = analyse(_content(name), clock(), Orchestration(""))
        found.append((name, True, [each.to_json() for each in (*analysis.issues, *analysis.due)]))
    return _tell_flaws(found, is_json=is_json)


def _content(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(_LARGEST)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise StateError(f"{shown(name)}: cannot be read: {told}") from None


def _tell_flaws(found: Sequence[tuple[str, bool, Sequence[Mapping[str, Any]]]], *, is_json: bool) -> int:
    """Print what is wrong with each file.

    + found: of each its name, whether it could be looked into, and what is wrong
    """
    code = 1 if not all(is_seen for _, is_seen, _ in found) else 2 if any(flaws for *_, flaws in found) else 0
    if is_json:
        files = [
            {"file": name, "valid": not flaws if is_seen else None, "flaws": [_masked(each) for each in flaws]}
            for name, is_seen, flaws in found
        ]
        print_json({"exit_code": code, "files": files})
        return code
    for name, is_seen, flaws in found:
        if not is_seen:
            click.echo(f"{shown(name)}: it could not be looked into")
        elif not flaws:
            click.echo(f"ok  {shown(name)}")
        for flaw in flaws:
            path = f"{flaw['path']}: " if flaw["path"] and not flaw["message"].startswith(flaw["path"]) else ""
            click.echo(shown(masked(f"{name}: {path}{flaw['message']} ({flaw['code']})")))
    if not found:
        click.echo("there is no session")
    return code


def _masked(flaw: Mapping[str, Any]) -> dict[str, Any]:
    return {**flaw, "message": masked(flaw["message"])}
