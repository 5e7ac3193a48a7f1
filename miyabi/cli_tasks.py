"""The command ``miyabi tasks``: who does what, how far it is, and what is left of work that was cut short."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from miyabi.cli_fleet import (
    FleetOfClone,
    as_json,
    clock,
    fleet_of_clone,
    history_if_any,
    print_json,
    show,
    width_of_output,
    working,
)
from miyabi.cli_options import plainly
from miyabi.errors import TargetError
from miyabi.masking import masked, shown
from miyabi.pyinfra_command import ask_fleet
from miyabi.records import Signalled
from miyabi.spec_document import nearest
from miyabi.words import clock_time, counted, iso

if TYPE_CHECKING:
    from rich.table import Table

_TASKS, _WORK = "facts.tasks.Tasks", "facts.tasks.Work"
_CHOSEN = "task_chosen"

# How many choices are told of one task, and how many records are read for that.
_CHOICES, _READ = 8, 2000

_MARGIN = 12
_STYLES = {
    "running": "green",
    "done": "dim",
    "claimed": "yellow",
    "failed": "bold red",
    "blocked": "bold red",
    "unknown": "bold magenta",
}
# A human has to look at these.
_WRONG = frozenset({"failed", "blocked", "unknown", "escalated"})


@dataclass(frozen=True, slots=True)
class _Told:
    """What a host said of its tasks; ``reason`` is why it said nothing."""

    host: str
    answer: Mapping[str, Any]
    reason: str = ""


@click.group(invoke_without_command=True, short_help="Who does what, and how far it is.")
@click.option("--limit", "limits", multiple=True, metavar="HOST", help="Only this host, group or pattern; repeatable.")
@as_json
@click.pass_context
@plainly
def tasks(context: click.Context, limits: tuple[str, ...], *, is_json: bool) -> None:
    """List the tasks of the fleet's specs: who has each, how far it is, and what it waits for.

    Nothing is changed. Exit code: 0 when all goes well, 2 when a human has to look at a task, 1 when a host did not
    say.
    """
    if context.invoked_subcommand is not None:
        return
    fleet = fleet_of_clone()
    hosts = _with_tasks(fleet, fleet.chosen(limits))
    told = _asked(hosts, _TASKS, f"asking {counted(len(hosts), 'host')}", is_json=is_json)
    code = _code(told)
    if is_json:
        print_json({"at": iso(clock()), "exit_code": code, "hosts": [_host_json(each) for each in told]})
    else:
        _print(told)
    raise SystemExit(code)


@tasks.command(name="show", short_help="All that is known of one task.")
@click.argument("task")
@as_json
@plainly
def show_task(task: str, *, is_json: bool) -> None:
    """Tell all that is known of TASK: its checkpoint, what is left of the work, and what was chosen for it, and why.

    TASK is its id, or HOST:ID when several hosts have one of that name. Nothing is changed; its folder is looked at,
    and its done_when is run.
    """
    fleet = fleet_of_clone()
    host, name = _named(fleet, task)
    [told] = _asked([host], _WORK, f"looking at {host}", is_json=is_json)
    if told.reason:
        raise TargetError(f"{host}: it did not say: {told.reason}")
    entry = next(each for each in told.answer["tasks"] if each["task"]["id"] == name)
    work = told.answer.get("works", {}).get(name)
    chosen = _chosen(fleet, host, name)
    code = 2 if _is_wrong(entry) else 0
    if is_json:
        choices = [{"at": iso(each.at), **each.details} for each in chosen]
        print_json({"host": host, "exit_code": code, **entry, "work": work, "choices": choices})
    else:
        _print_parts(host, entry, work, chosen)
    raise SystemExit(code)


def _with_tasks(fleet: FleetOfClone, hosts: Sequence[str]) -> list[str]:
    return [host for host in hosts if (wanted := fleet.spec(host)) is not None and wanted.tasks]


def _asked(hosts: Sequence[str], fact: str, words: str, *, is_json: bool) -> list[_Told]:
    if not hosts:
        return []
    with working(words, is_json=is_json):
        answers = ask_fleet(hosts, fact)
    return [
        _Told(host, answers.facts[host])
        if host in answers.facts
        else _Told(host, {}, (answers.said.get(host) or ["it was not reached"])[-1])
        for host in hosts
    ]


def _named(fleet: FleetOfClone, text: str) -> tuple[str, str]:
    """The host and the id of the task that a human has written."""
    known = [(host, each.id) for host in fleet.hosts if (wanted := fleet.spec(host)) for each in wanted.tasks]
    fitting = [(host, name) for host, name in known if text in {name, f"{host}:{name}"}]
    if len(fitting) == 1:
        return fitting[0]
    names = [f"{host}:{name}" for host, name in known]
    if fitting:
        raise TargetError(f"{text}: there are several; write one of {', '.join(f'{h}:{n}' for h, n in fitting)}")
    there = f"there are {', '.join(names[:12])}" if names else "no spec has tasks"
    raise TargetError(f"{text}: no such task; {there}{nearest(text, [*names, *(name for _, name in known)])}")


def _is_wrong(entry: Mapping[str, Any]) -> bool:
    return _state(entry) in _WRONG


def _state(entry: Mapping[str, Any]) -> str:
    is_escalated = (entry["assignment"] or {}).get("strategy") == "escalate" and entry["state"] != "done"
    return "escalated" if is_escalated else str(entry["state"])


def _code(told: Sequence[_Told]) -> int:
    if any(each.reason for each in told):
        return 1
    return 2 if any(_is_wrong(entry) for each in told for entry in each.answer["tasks"]) else 0


def _host_json(told: _Told) -> dict[str, Any]:
    return {"host": told.host, "reason": told.reason, **told.answer}


def _print(told: Sequence[_Told]) -> None:
    if not told:
        click.echo("no spec has tasks; docs/tasks.md says how they are written")
        return
    show(lambda width: _table(told, width))
    free = [
        f"{each.host}:{agent['name']}" for each in told for agent in each.answer.get("agents", ()) if not agent["task"]
    ]
    click.echo(f"\n{counted(len(free), 'agent')} without a task{': ' if free else ''}{shown(', '.join(free))}")
    for each in told:
        for name, trouble in each.answer.get("troubles", ()):
            click.echo(f"{each.host}: not believed of {shown(str(name))}: {shown(trouble['reason'])}")


def _table(told: Sequence[_Told], width: int) -> Table:
    from rich.table import Table  # noqa: PLC0415 - rich is dear
    from rich.text import Text  # noqa: PLC0415

    del width
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for title in ("HOST", "TASK", "STATE", "AGENT"):
        table.add_column(title, no_wrap=True)
    table.add_column("WHAT", ratio=1, overflow="fold")
    for each in told:
        if each.reason:
            table.add_row(each.host, "", Text("unknown", style=_STYLES["unknown"]), "", shown(each.reason))
        for entry in each.answer.get("tasks", ()):
            state = _state(entry)
            row = (entry["task"]["id"], Text(state, style=_STYLES.get(state, "")), shown(entry["agent"]))
            table.add_row(shown(each.host), *row, Text(shown(masked(_what(entry)))))
    return table


def _what(entry: Mapping[str, Any]) -> str:
    """What is to be said of a task, on one line."""
    assignment, checkpoint = entry["assignment"] or {}, entry["checkpoint"] or {}
    said = assignment.get("reason", "") if _state(entry) == "escalated" else entry["why"]
    if not said and checkpoint.get("next_actions"):
        said = f"next: {checkpoint['next_actions'][0]}"
    tries = assignment.get("tries", 0)
    return "; ".join(filter(None, (said, f"handed over {tries} times" if tries > 1 else "")))


def _chosen(fleet: FleetOfClone, host: str, name: str) -> list[Signalled]:
    """What was chosen for a task, newest first."""
    with history_if_any(fleet, clock()) as history:
        records = [] if history is None else history.records(Signalled, host=host, limit=_READ)
    return [each for each in records if each.signal == _CHOSEN and each.target == f"task {name}"][:_CHOICES]


def _print_parts(
    host: str, entry: Mapping[str, Any], work: Mapping[str, Any] | None, chosen: Sequence[Signalled]
) -> None:
    click.secho(shown(f"{host}: task {entry['task']['id']}: {_state(entry)}"), bold=True)
    width = min(width_of_output(), 110)
    for label, lines in _parts(host, entry, work, chosen):
        for number, line in enumerate(lines):
            head = f"{label if number == 0 else '':<{_MARGIN}}"
            text = shown(masked(line))
            wrapped = textwrap.wrap(text, max(20, width - _MARGIN), break_on_hyphens=False, break_long_words=False)
            click.echo(head + f"\n{' ' * _MARGIN}".join(wrapped or [""]))


def _parts(
    host: str, entry: Mapping[str, Any], work: Mapping[str, Any] | None, chosen: Sequence[Signalled]
) -> Iterator[tuple[str, list[str]]]:
    task, assignment = entry["task"], entry["assignment"] or {}
    checkpoint, result = entry["checkpoint"] or {}, entry["result"] or {}
    who = entry["agent"] or entry["doer"] or f"any agent with the role {task['role']}"
    now = clock()
    since = f", since {clock_time(assignment['since'], now)}" if assignment.get("since") else ""
    yield "agent", [f"{who}{since}"]
    if entry["worktree"]:
        yield "folder", [entry["worktree"] + (f", branch {task['branch']}" if task["branch"] else "")]
    if task["needs"]:
        yield "needs", [", ".join(task["needs"])]
    if entry["why"]:
        yield "why", [entry["why"]]
    if work is not None:
        yield "work", list(work["words"])
    if result:
        yield "result", ["; ".join(filter(None, (result["outcome"], result["summary"], result["pr"])))]
    if checkpoint:
        yield "checkpoint", [f"{checkpoint['status']}, written {clock_time(checkpoint['updated_at'], now)}"]
        for label, key in (("done", "completed_steps"), ("next", "next_actions"), ("files", "files")):
            if checkpoint[key]:
                yield f"  {label}", [*checkpoint[key][-8:]]
    if chosen:
        yield (
            "chosen",
            [
                f"{clock_time(each.at, now)}  {each.details.get('strategy')} ({each.details.get('agent')}): "
                f"{each.details.get('reason')}"
                for each in chosen
            ],
        )
    named = shlex.quote(f"{host}:task {task['id']}")
    yield "by hand", [f"miyabi pause {named} --for 2h: nobody is told anything about it meanwhile"]
