"""What agents write down: what of it is believed, what becomes of the rest, and that nothing of theirs is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies

from facts.tasks import register_section
from miyabi.checkpoint import (
    LARGEST,
    STATUSES,
    Checkpoint,
    TaskResult,
    Trouble,
    Written,
    begun,
    merged,
    read_checkpoint,
    read_result,
)
from miyabi.conversation import file_name
from miyabi.register_script import CHANGED, KEPT, unchanged_script, write_script
from miyabi.task_assignment import Assignment, Register, assignment_text, read_assignment
from tests.facts.hosts import INSTALLED_SHELLS
from tests.fleet.machine import Machine
from tests.spec.reading import spec
from tests.tasks.ground import answer

NOW = 1_800_000_000.0
WHOLE: dict[str, Any] = {
    "version": 1,
    "agent": "kaede",
    "task": "login",
    "session_id": "3f1a-9",
    "status": "running",
    "completed_steps": ["the form"],
    "files": ["a.py"],
    "next_actions": ["tests"],
    "notes": "",
    "updated_at": NOW - 60,
}
SPEC = """
    sessions: [{session_name: s, windows: [{panes: [
      {name: kaede, shell_command: claude, agent: {role: C}},
      {name: "b \u00fc'$(touch made)", shell_command: claude, agent: {role: C}}]}]}]
    tasks: [{id: login, prompt: do, agent: kaede, worktree: "~/w o'rk"}]
"""


def written(content: bytes | str | None, **more: Any) -> Written:
    return Written("kaede.json", content.encode() if isinstance(content, str) else content, **more)


def read(told: Any, **more: Any) -> Checkpoint | Trouble:
    return read_checkpoint(written(json.dumps(told), **more), agent="kaede", now=NOW)


def test_a_whole_one() -> None:
    found = read(WHOLE | {"mine": {"a": 1}})
    assert isinstance(found, Checkpoint)
    assert (found.task, found.completed_steps, found.session_id) == ("login", ("the form",), "3f1a-9")
    assert found.more == {"mine": {"a": 1}}


@pytest.mark.parametrize(
    "moment", [NOW, int(NOW), "2027-01-15T08:00:00Z", "2027-01-15T17:00:00+09:00", "2027-01-15T08:00:00"]
)
def test_moments(moment: object) -> None:
    found = read(WHOLE | {"updated_at": moment})
    assert isinstance(found, Checkpoint)
    assert found.updated_at == NOW


TROUBLES: dict[str, tuple[Written, str, str]] = {
    "empty": (written(""), "empty", "kaede.json is empty"),
    "zeros": (written(b"\0" * 400), "empty", "kaede.json is empty"),
    "torn": (written(json.dumps(WHOLE)[:90]), "torn", "is no whole JSON"),
    "bytes": (written(b'{"version": 1, "agent": "\xff'), "torn", "is no text in UTF-8"),
    "deep": (written("[" * 30000), "torn", "is no whole JSON"),
    "infinite": (written(json.dumps(WHOLE | {"updated_at": float("inf")})), "torn", "Infinity is no number"),
    "list": (written("[]"), "shape", "holds no mapping"),
    "no status": (
        written(json.dumps(WHOLE | {"status": "sleeping"})),
        "shape",
        "status is 'sleeping'; allowed: running",
    ),
    "no steps": (
        written(json.dumps(WHOLE | {"completed_steps": [1]})),
        "shape",
        "completed_steps is [1]; allowed: a list",
    ),
    "no moment": (written(json.dumps(WHOLE | {"updated_at": True})), "shape", "updated_at is True"),
    "other moment": (written(json.dumps(WHOLE | {"updated_at": "soon"})), "shape", "updated_at is 'soon'"),
    "large": (written(json.dumps(WHOLE | {"notes": "x" * LARGEST})), "large", f"more than {LARGEST} bytes"),
    "version": (written(json.dumps(WHOLE | {"version": 2})), "version", "is of version 2, and 1 is what is known"),
    "no version": (written(json.dumps({**WHOLE, "version": True})), "version", "is of version True"),
    "agent": (written(json.dumps(WHOLE | {"agent": "botan"})), "agent", "is of the agent 'botan', not of 'kaede'"),
    "future": (written(json.dumps(WHOLE | {"updated_at": NOW + 3600})), "future", "3600 s in the future"),
    "foreign": (written(json.dumps(WHOLE), is_own=False), "foreign", "somebody else's"),
    "link": (written(None), "foreign", "no file of its own"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_what_is_not_believed(name: str) -> None:
    file, kind, words = TROUBLES[name]
    found = read_checkpoint(file, agent="kaede", now=NOW)
    assert isinstance(found, Trouble)
    assert found.kind == kind
    assert words in found.reason
    assert "\n" not in found.reason


def test_one_of_another_task_is_not_this_tasks() -> None:
    found = read_checkpoint(written(json.dumps(WHOLE)), agent="kaede", now=NOW, task="docs")
    assert isinstance(found, Trouble)
    assert found.kind == "task"


JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.floats() | strategies.integers() | strategies.text(),
    lambda inside: (
        strategies.lists(inside, max_size=3) | strategies.dictionaries(strategies.text(), inside, max_size=3)
    ),
    max_leaves=8,
)


@given(strategies.binary(max_size=200) | strategies.none())
def test_any_bytes_are_an_answer(content: bytes | None) -> None:
    assert isinstance(read_checkpoint(written(content), agent="kaede", now=NOW), Trouble)
    assert isinstance(read_result(written(content)), Trouble)
    assert isinstance(read_assignment(written(content), "kaede"), Trouble)


@given(strategies.dictionaries(strategies.sampled_from([*WHOLE, "other", "outcome"]), JSON, max_size=6))
def test_any_values_are_an_answer(values: dict[str, Any]) -> None:
    found = read(WHOLE | values)
    assert isinstance(found, Trouble) or found.status in STATUSES
    assert isinstance(read_result(written(json.dumps({"task": "t", "outcome": "done"} | values))), TaskResult | Trouble)


@given(
    strategies.dictionaries(
        strategies.text(min_size=1),
        JSON.filter(lambda value: "nan" not in repr(value).lower() and "inf" not in repr(value).lower()),
        max_size=5,
    )
)
def test_what_is_not_known_survives_every_rewrite(more: dict[str, Any]) -> None:
    more = {key: value for key, value in more.items() if key not in WHOLE}
    before = written(json.dumps({**more, **WHOLE}))
    after = json.loads(begun(before, agent="kaede", task="login", session_id="new", now=NOW))
    assert {key: after[key] for key in more} == more
    assert after["completed_steps"] == ["the form"]
    assert (after["session_id"], after["status"]) == ("new", "running")


def test_another_task_begins_anew() -> None:
    after = json.loads(
        begun(written(json.dumps(WHOLE | {"mine": 1})), agent="kaede", task="docs", session_id="", now=NOW)
    )
    assert (after["task"], after["completed_steps"]) == ("docs", [])
    assert "mine" not in after
    assert json.loads(merged(written("{"), {"version": 1})) == {"version": 1}


@pytest.mark.parametrize(
    ("told", "outcome", "tests"),
    [
        ({"outcome": "success", "tests": {"passed": 3, "failed": 0}}, "done", True),
        ({"outcome": "Failed", "tests": {"passed": 3, "failed": 1}}, "failed", False),
        ({"outcome": "blocked", "tests": "passed"}, "blocked", True),
        ({"outcome": "done", "tests": None, "pr": 7}, "done", None),
        ({"outcome": "done", "tests": {"failed": 0}}, "done", None),
    ],
)
def test_results(told: dict[str, Any], outcome: str, tests: bool | None) -> None:
    found = read_result(written(json.dumps({"task": "t"} | told)))
    assert isinstance(found, TaskResult)
    assert (found.outcome, found.tests) == (outcome, tests)
    assert found.pr == ("7" if "pr" in told else "")


def test_a_result_without_an_outcome_is_not_believed() -> None:
    found = read_result(written(json.dumps({"task": "t", "outcome": "great"})))
    assert isinstance(found, Trouble)


def register(machine: Machine) -> Path:
    return machine.home / ".local" / "state" / "miyabi" / "agents"


def look(machine: Machine, shell: str = "dash") -> Register:
    return answer(machine, register_section(spec(SPEC, "~")), shell)


def write(machine: Machine, name: str, text: str, known: Written | None, **more: Any) -> int:
    ran = machine.sh(write_script(name, text, known, **more))
    assert ran.code in {0, CHANGED}, ran.output
    return ran.code


def test_written_read_and_kept(machine: Machine) -> None:
    other = "b \u00fc'$(touch made)"
    given_ = Assignment("login", other, 1.0, 2.0, "m:%1:2", 1, "s", "~/w", "resume", "why \u00fc '\"$(touch made)")
    assert look(machine) == Register(now=look(machine).now)
    name = f"{file_name(other)}.task"
    write(machine, name, assignment_text(given_), None)
    found = look(machine)
    file = found.assignments[other]
    assert read_assignment(file, other) == given_
    assert (register(machine) / name).stat().st_mode & 0o777 == 0o600
    assert register(machine).stat().st_mode & 0o777 == 0o700
    # Somebody who has not seen it does not write over it.
    assert write(machine, name, "x", None) == CHANGED
    assert write(machine, name, "two\n", file) == 0
    assert (register(machine) / f"{name}.previous").read_text() == assignment_text(given_)
    assert write(machine, name, "three\n", file) == CHANGED
    assert (register(machine) / name).read_text() == "two\n"
    assert write(machine, name, "", look(machine).assignments[other]) == 0
    assert not (register(machine) / name).exists()
    assert not (machine.home / "made").exists()


def test_what_is_not_believed_is_put_aside_and_never_written_over(machine: Machine) -> None:
    register(machine).mkdir(parents=True)
    path = register(machine) / "kaede.json"
    for number in range(KEPT + 2):
        path.write_text(f'{{"torn {number}')
        assert write(machine, "kaede.json", "{}", look(machine).checkpoints["kaede"], is_broken=True) == 0
        assert path.read_text() == "{}"
    aside = sorted(register(machine).glob("kaede.json.broken-*"))
    assert [each.read_text() for each in aside] == [f'{{"torn {number}' for number in range(2, KEPT + 2)]


def test_what_is_no_file_is_moved_aside(machine: Machine) -> None:
    precious = machine.home / "precious"
    precious.write_text("mine")
    register(machine).mkdir(parents=True)
    (register(machine) / "kaede.json").symlink_to(precious)
    known = look(machine).checkpoints["kaede"]
    assert known.content is None
    assert write(machine, "kaede.json", "{}", known) == 0
    assert precious.read_text() == "mine"
    assert (register(machine) / "kaede.json").read_text() == "{}"
    (register(machine) / "kaede.json").unlink()
    (register(machine) / "kaede.json").mkdir()
    assert write(machine, "kaede.json", "{}", look(machine).checkpoints["kaede"]) == 0
    assert len(list(register(machine).glob("kaede.json.broken-*"))) == 2


def test_what_others_could_have_written_is_not_ours(machine: Machine) -> None:
    register(machine).mkdir(parents=True)
    path = register(machine) / "kaede.json"
    path.write_text(json.dumps(WHOLE))
    path.chmod(0o666)
    assert not look(machine).checkpoints["kaede"].is_own
    path.chmod(0o644)
    assert look(machine).checkpoints["kaede"].is_own


def test_a_huge_file_is_read_no_further_than_it_may(machine: Machine) -> None:
    register(machine).mkdir(parents=True)
    with (register(machine) / "kaede.json").open("wb") as file:
        file.truncate(50_000_000)
    found = look(machine).checkpoints["kaede"]
    assert found.content is not None
    assert len(found.content) == LARGEST + 1


def test_an_agent_that_writes_meanwhile_is_left_alone(machine: Machine) -> None:
    register(machine).mkdir(parents=True)
    path = register(machine) / "kaede.json"
    path.write_text(json.dumps(WHOLE))
    known = look(machine).checkpoints["kaede"]
    assert machine.sh(unchanged_script("kaede.json", known)).code == 0
    path.write_text(json.dumps(WHOLE | {"notes": "more"}))
    assert machine.sh(unchanged_script("kaede.json", known)).code == CHANGED
    assert write(machine, "kaede.json", "{}", known) == CHANGED
    assert "more" in path.read_text()


def test_a_full_disk_leaves_what_was_there(machine: Machine) -> None:
    register(machine).mkdir(parents=True)
    path = register(machine) / "kaede.json"
    path.write_text("{}")
    known = look(machine).checkpoints["kaede"]
    ran = machine.sh(f"ulimit -f 1; trap '' XFSZ; {write_script('kaede.json', 'x' * 5000, known)}")
    assert ran.code != 0
    assert path.read_text() == "{}"
    assert {each.name for each in register(machine).iterdir()} <= {"kaede.json", "kaede.json.previous"}


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_every_shell_reads_the_same(machine: Machine, shell: str) -> None:
    folder = machine.home / "w o'rk"
    folder.mkdir()
    (folder / "b\u00fc $(touch made)_results.json").write_text('{"task": "login", "outcome": "done"}')
    (folder / "link_results.json").symlink_to("/etc/passwd")
    register(machine).mkdir(parents=True)
    (register(machine) / "kaede.json").write_text(json.dumps(WHOLE))
    (register(machine) / "x_results.json").write_text("\u00fc")
    found = look(machine, shell)
    assert found.checkpoints["kaede"].content == json.dumps(WHOLE).encode()
    told = {(where, each.name): each.content for where, each in found.results}
    assert told == {
        ("", "x_results.json"): "\u00fc".encode(),
        ("~/w o'rk", "b\u00fc $(touch made)_results.json"): b'{"task": "login", "outcome": "done"}',
        ("~/w o'rk", "link_results.json"): None,
    }
    assert not (machine.home / "made").exists()
    assert [each.name for each in register(machine).parent.iterdir()] == ["agents"]
