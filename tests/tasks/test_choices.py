"""Who has what, what is done when an agent fails, and what an agent is told: the pure part."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies

from miyabi.agent_state import Judgement
from miyabi.checkpoint import Checkpoint, Written
from miyabi.continuation import LONGEST, continuation_of, prompt_of, unfinished_of, withdrawal_of
from miyabi.partial_work import GitFacts, Sign, Work, assess, unknown_work
from miyabi.spec import Spec
from miyabi.spec_tasks import Task
from miyabi.task_assignment import WITHDRAWN, Assignment, Register, assignment_text
from miyabi.task_plan import AgentNow, TaskStep, agent_now, asked_about, plan_tasks
from miyabi.task_registry import Registry, registry_of
from miyabi.task_strategy import MOST_TRIES, PATIENCE, ROWS, AgentStanding, Situation, choose
from tests.spec.reading import spec

NOW = 1_800_000_000.0
TASK = Task("login", "Write the login page.", role="CodeGen", worktree="~/w", branch="feature")
CLEAN = assess(GitFacts("~/w", "/w", head="a" * 40, branch="feature"))
WANTED = """
    sessions: [{session_name: s, windows: [{panes: [
      {name: kaede, shell_command: claude, agent: {role: CodeGen}},
      {name: botan, shell_command: claude, agent: {role: CodeGen}},
      {name: sakura, shell_command: codex, agent: {role: Review, task: review}}]}]}]
    tasks:
      - {id: schema, prompt: the schema, agent: kaede, worktree: ~/a}
      - {id: login, prompt: the page, role: CodeGen, worktree: ~/b, needs: [schema]}
      - {id: docs, prompt: the docs, role: CodeGen, worktree: ~/c}
      - {id: review, prompt: look, needs: [login, docs], done_when: test -f ok}
"""


def work(**facts: Any) -> Work:
    return assess(
        GitFacts(**({"folder": "~/w", "path": "/w", "head": "a" * 40, "branch": "feature"} | facts)), branch="feature"
    )


def situation(**more: Any) -> Situation:
    whole: dict[str, Any] = {"task": TASK, "work": CLEAN, "standing": "back", "tries": 1, "resumed": True}
    return Situation(**whole | more)


CHOICES: dict[str, tuple[Situation, str, str]] = {
    "conversation goes on": (situation(work=work(changed=1)), "resume", "same-conversation"),
    "nothing done, resumed": (situation(), "resume", "same-conversation"),
    "nothing done, new": (situation(resumed=False), "restart", "nothing-begun"),
    "nothing done, nobody knows": (situation(resumed=None), "restart", "nothing-begun"),
    "work, new": (situation(resumed=False, work=work(unpushed=2)), "resume", "new-conversation"),
    "pushed, new": (situation(resumed=False, work=work(had_upstream=True)), "resume", "new-conversation"),
    "steps, new": (
        situation(resumed=None, checkpoint=Checkpoint("k", "login", "running", NOW, completed_steps=("a",))),
        "resume",
        "new-conversation",
    ),
    "conflict": (situation(work=work(conflicts=1)), "escalate", "conflict"),
    "lost": (situation(work=work(exists=False, missing_work=2)), "escalate", "lost-folder"),
    "perhaps lost": (situation(work=work(exists=False)), "escalate", "lost-folder"),
    "gone": (situation(work=work(exists=False, missing_work=0)), "restart", "gone-folder"),
    "somebody else's": (situation(work=work(refused="dubious")), "escalate", "unsafe"),
    "nobody could look": (situation(work=unknown_work("no git")), "wait", "unknown-work"),
    "a git is at work": (situation(work=work(lock_age=1.0)), "wait", "at-work"),
    "stale lock": (situation(work=work(lock_age=4000.0)), "resume", "same-conversation"),
    "again and again": (situation(tries=MOST_TRIES, work=work(changed=1)), "escalate", "tries"),
    "waits for a human": (situation(standing="human"), "wait", "human"),
    "unclear": (situation(standing="unknown", peers=("botan",)), "wait", "unclear-agent"),
    "says blocked": (situation(said="its agent says blocked: no key"), "escalate", "said"),
    "gone for good": (situation(standing="held"), "escalate", "held"),
    "gone, and another is free": (situation(standing="held", peers=("botan", "ume")), "reassign", "reassign"),
    "limited for long": (
        situation(standing="limited", until=NOW + PATIENCE + 60, peers=("botan",)),
        "reassign",
        "reassign",
    ),
    "limited for a moment": (situation(standing="limited", until=NOW + 60, peers=("botan",)), "wait", "away"),
    "limited, nobody free": (situation(standing="limited", until=NOW + 90000), "wait", "away"),
    "limited, nobody knows": (situation(standing="limited", peers=("botan",)), "wait", "away"),
    "overloaded long since": (
        situation(standing="overloaded", since=NOW - PATIENCE - 1, peers=("botan",)),
        "reassign",
        "reassign",
    ),
    "conflict, and gone": (
        situation(standing="held", peers=("botan",), work=work(conflicts=2)),
        "escalate",
        "conflict",
    ),
}


@pytest.mark.parametrize("name", CHOICES)
def test_choices(name: str) -> None:
    given_, strategy, rule = CHOICES[name]
    choice = choose(given_, NOW)
    assert (choice.strategy, choice.rule) == (strategy, rule)
    assert choice.reason
    assert (choice.agent == "botan") == (strategy == "reassign")


def test_every_row_is_chosen_once() -> None:
    assert {rule for _, _, rule in CHOICES.values()} == {row.rule for row in ROWS}


SIGNS = strategies.builds(
    GitFacts,
    folder=strategies.just("~/w"),
    exists=strategies.booleans(),
    repository=strategies.booleans(),
    refused=strategies.sampled_from(["", "dubious"]),
    branch=strategies.sampled_from(["", "feature", "main"]),
    head=strategies.sampled_from(["", "a" * 40]),
    operation=strategies.sampled_from(["", "merge", "rebase"]),
    lock_age=strategies.none() | strategies.floats(0, 10000),
    changed=strategies.integers(0, 2),
    conflicts=strategies.integers(0, 2),
    untracked=strategies.integers(0, 2),
    unpushed=strategies.none() | strategies.integers(0, 2),
    stashes=strategies.integers(0, 1),
    had_upstream=strategies.booleans(),
    missing_work=strategies.none() | strategies.integers(0, 2),
)


@given(
    SIGNS,
    strategies.sampled_from(["back", "limited", "overloaded", "human", "held", "unknown"]),
    strategies.integers(1, 4),
    strategies.none() | strategies.booleans(),
    strategies.sampled_from([(), ("botan",)]),
)
def test_nothing_that_might_be_missed_is_begun_anew(
    facts: GitFacts, standing: AgentStanding, tries: int, resumed: bool | None, peers: tuple[str, ...]
) -> None:
    left = assess(facts, branch="feature")
    choice = choose(situation(work=left, standing=standing, tries=tries, resumed=resumed, peers=peers), NOW)
    if choice.strategy == "restart":
        assert not left.is_kept
    if standing in {"unknown", "human"}:
        assert choice.strategy == "wait"
    if choice.strategy == "reassign":
        assert standing not in {"back", "human", "unknown"}
    assert choice == choose(situation(work=left, standing=standing, tries=tries, resumed=resumed, peers=peers), NOW)


def given_to(agent: str, task: str, **more: Any) -> dict[str, Written]:
    assignment = Assignment(task, agent, NOW - 100, NOW - 100, "m1", 1, "s1", **({"worktree": "~/x"} | more))
    return {agent: Written(f"{agent}.task", assignment_text(assignment).encode())}


def said(agent: str, task: str, status: str, **more: Any) -> dict[str, Written]:
    told = {"version": 1, "agent": agent, "task": task, "status": status, "updated_at": NOW - 10} | more
    return {agent: Written(f"{agent}.json", json.dumps(told).encode())}


def result(folder: str, task: str, outcome: str, at: float = NOW) -> tuple[str, Written]:
    return folder, Written("x_results.json", json.dumps({"task": task, "outcome": outcome}).encode(), changed_at=at)


def wanted() -> Spec:
    return spec(WANTED, "~")


def registry(**register: Any) -> Registry:
    return registry_of(wanted(), Register(now=NOW, **register))


def states(registry: Registry) -> dict[str, str]:
    return {each.task.id: each.state for each in registry.tasks}


def ready(*names: str, mark: str = "m1", session_id: str = "s1") -> dict[str, AgentNow]:
    return {name: AgentNow(name, "back", is_ready=True, mark=mark, session_id=session_id) for name in names}


def steps(
    registry: Registry, agents: dict[str, AgentNow], works: dict[str, Work] | None = None
) -> list[tuple[str, str, str]]:
    return [(step.does, step.task.id, step.agent) for step in plan_tasks(registry, agents, works or {}, NOW)]


def test_the_first_tasks_go_to_whoever_is_free() -> None:
    found = registry()
    assert states(found) == {"schema": "ready", "login": "waiting", "docs": "ready", "review": "waiting"}
    assert found.tasks[3].why == "for login, docs"
    everybody = ready("kaede", "botan", "sakura")
    assert steps(found, everybody) == [("hand", "schema", "kaede"), ("hand", "docs", "botan")]
    assert steps(found, ready("botan")) == [("hand", "docs", "botan")]
    assert steps(found, ready("sakura")) == []


def test_dependent_tasks_wait_until_what_they_need_is_done() -> None:
    files = given_to("kaede", "schema") | given_to("botan", "docs")
    busy = registry(assignments=files)
    assert steps(busy, ready("kaede", "botan", "sakura")) == []
    done = registry(assignments=files, checkpoints=said("kaede", "schema", "done"))
    assert states(done)["login"] == "ready"
    # Who has just done one is told of the next one when that is written down.
    assert steps(done, ready("kaede", "botan")) == [("settle", "schema", "kaede")]
    free = registry(assignments=given_to("botan", "docs"), results=(result("", "schema", "done"),))
    assert steps(free, ready("kaede")) == [("hand", "login", "kaede")]
    failed = registry(assignments=files, checkpoints=said("kaede", "schema", "failed", notes="no key"))
    assert (states(failed)["login"], failed.tasks[1].why) == ("waiting", "for schema (failed)")


def test_what_says_done_is_asked() -> None:
    register = Register(said("sakura", "review", "done"), given_to("sakura", "review"), now=NOW)
    found = registry_of(wanted(), register)
    assert states(found)["review"] == "claimed"
    assert [each.task.id for each in asked_about(found, ready("sakura"))] == ["review"]
    proved = registry_of(wanted(), register, {"review": True})
    assert steps(proved, ready("sakura")) == [("settle", "review", "sakura")]
    refuted = registry_of(wanted(), register, {"review": False})
    [step] = plan_tasks(refuted, ready("sakura"), {"review": CLEAN}, NOW)
    assert (step.does, step.text) == ("hand", unfinished_of(wanted().tasks[3]))


def test_results_of_others_folders_do_not_count() -> None:
    assert states(registry(results=(result("~/b", "schema", "done"),)))["schema"] == "ready"
    assert states(registry(results=(result("~/a", "schema", "done"),)))["schema"] == "done"
    assert states(registry(results=(result("~/a", "elsewhere", "done"),)))["schema"] == "ready"


def test_a_failure_before_it_was_given_anew_is_over() -> None:
    old = registry(assignments=given_to("kaede", "schema"), results=(result("", "schema", "failed", NOW - 200),))
    assert states(old)["schema"] == "running"
    new = registry(assignments=given_to("kaede", "schema"), results=(result("", "schema", "failed"),))
    assert states(new)["schema"] == "failed"


def test_one_that_was_started_again_is_handed_back() -> None:
    found = registry(assignments=given_to("kaede", "schema"), checkpoints=said("kaede", "schema", "running"))
    assert steps(found, ready("kaede")) == []
    [step] = plan_tasks(found, ready("kaede", mark="m2"), {"schema": CLEAN}, NOW)
    assert (step.does, step.choice and step.choice.strategy) == ("hand", "resume")
    assert step.text.startswith("You were interrupted in your task schema")
    assert step.assignment == Assignment(
        "schema", "kaede", NOW - 100, NOW, "m2", 2, "s1", "~/x", "resume", step.choice.reason if step.choice else ""
    )
    [anew] = plan_tasks(found, ready("kaede", mark="m2", session_id="other"), {"schema": CLEAN}, NOW)
    assert (anew.choice and anew.choice.strategy, anew.text.split(".")[0]) == (
        "restart",
        "the schema It is task schema, in ~/x",
    )


def test_who_is_not_ready_is_told_nothing() -> None:
    found = registry(assignments=given_to("kaede", "schema"))
    working = {"kaede": AgentNow("kaede", "back", mark="m2", session_id="s1")}
    assert steps(found, working, {"schema": CLEAN}) == [("wait", "schema", "kaede")]
    assert steps(registry(), {name: AgentNow(name, "back") for name in ("kaede", "botan")}) == []


def test_another_one_gets_it_and_the_first_hears_of_it() -> None:
    files = given_to("kaede", "docs", worktree="~/c")
    found = registry(assignments=files)
    agents = ready("botan") | {"kaede": AgentNow("kaede", "limited", mark="m1", until=NOW + 90000)}
    [step] = [each for each in plan_tasks(found, agents, {"docs": work(unpushed=1)}, NOW) if each.task.id == "docs"]
    assert (step.does, step.agent, step.leaves) == ("hand", "botan", "kaede")
    assert step.text.startswith("the docs It is task docs, in ~/c. Somebody has begun this")
    assert step.assignment is not None
    assert (step.assignment.worktree, step.assignment.tries) == ("~/c", 2)
    behind = given_to("kaede", "docs", strategy=WITHDRAWN)
    moved = registry(assignments=behind | given_to("botan", "docs"))
    assert moved.agents[0].withdrawn == "docs"
    assert ("withdraw", "docs", "kaede") in steps(moved, ready("kaede", "botan"))
    # Until it has heard of it, it gets nothing else.
    assert not any(does == "hand" for does, _, agent in steps(moved, ready("kaede")) if agent == "kaede")


def test_who_was_limited_hears_that_its_task_is_gone_before_all_else() -> None:
    moved = registry(assignments=given_to("kaede", "docs", strategy=WITHDRAWN) | given_to("botan", "docs"))
    limited = Judgement("limited", 0.95, until=NOW - 300, confirmed=True)
    for judged, is_told in (
        (limited, True),
        (replace(limited, until=NOW - 30), False),
        (replace(limited, menu=True), False),
        (replace(limited, confirmed=False), False),
        (replace(limited, until=None), False),
    ):
        agents = {"kaede": agent_now(AgentNow("kaede", mark="m1"), judged, NOW)} | ready("botan")
        assert (("withdraw", "docs", "kaede") in steps(moved, agents)) == is_told


def test_a_task_of_one_agent_goes_to_no_other() -> None:
    found = registry(assignments=given_to("kaede", "schema"))
    agents = ready("botan") | {"kaede": AgentNow("kaede", "held")}
    assert ("tell", "schema", "kaede") in steps(found, agents, {"schema": CLEAN})


def test_an_unreadable_assignment_is_not_guessed_at() -> None:
    torn = {"botan": Written("botan.task", b'{"version"')}
    found = registry(assignments=torn)
    assert states(found)["docs"] == "unknown"
    assert "botan: what it has to do is not known" in found.tasks[2].why
    assert steps(found, ready("kaede", "botan")) == [("hand", "schema", "kaede")]
    # What the agent itself says is as good.
    known = registry(assignments=torn, checkpoints=said("botan", "docs", "running"))
    assert (states(known)["docs"], known.tasks[2].agent) == ("running", "botan")


def test_two_work_in_one_folder_only_when_both_may() -> None:
    text = """
        sessions: [{session_name: s, windows: [{panes: [
          {name: a, shell_command: claude, start_directory: ~/x, agent: {role: C}},
          {name: b, shell_command: claude, start_directory: ~/x, agent: {role: C}}]}]}]
        tasks: [{id: one, prompt: do, role: C}, {id: two, prompt: do, role: C}]
    """
    found = registry_of(spec(text, "~"), Register(now=NOW))
    assert steps(found, ready("a", "b")) == [("hand", "one", "a")]
    parallel = text.replace(
        "role: C}, {id: two, prompt: do, role: C}",
        "role: C, parallel: true}, {id: two, prompt: do, role: C, parallel: true}",
    )
    assert len(steps(registry_of(spec(parallel, "~"), Register(now=NOW)), ready("a", "b"))) == 2


@pytest.mark.parametrize(
    ("judged", "standing", "is_ready"),
    [
        (Judgement("idle", 0.95, confirmed=True), "back", True),
        (Judgement("idle", 0.95), "back", False),
        (Judgement("idle", 0.5, confirmed=True), "unknown", False),
        (Judgement("idle", 0.95, confirmed=True, menu=True), "back", False),
        (Judgement("working", 0.95, confirmed=True), "back", False),
        (Judgement("permission", 0.95, confirmed=True), "human", False),
        (Judgement("stalled", 0.95, confirmed=True), "unknown", False),
        (Judgement("exited", 1.0, confirmed=True), "held", False),
        (None, "unknown", False),
    ],
)
def test_how_an_agent_stands(judged: Judgement | None, standing: str, is_ready: bool) -> None:
    found = agent_now(AgentNow("kaede"), judged, NOW)
    assert (found.standing, found.is_ready) == (standing, is_ready)


TEXTS = strategies.lists(strategies.text(max_size=400), max_size=12).map(tuple)


@given(TEXTS, TEXTS, TEXTS, strategies.text(max_size=300))
def test_what_an_agent_is_told_is_one_safe_line(
    steps: tuple[str, ...], actions: tuple[str, ...], words: tuple[str, ...], folder: str
) -> None:
    checkpoint = Checkpoint("k", "login", "running", NOW, completed_steps=steps, next_actions=actions)
    left = Work(("uncommitted",), words)
    for text in (
        continuation_of(TASK, checkpoint, left, folder=folder),
        prompt_of(TASK, folder=folder, work=left, checkpoint=checkpoint),
    ):
        assert len(text) <= LONGEST + len(TASK.prompt) + 1
        assert text.isprintable() or not any(ord(each) < 32 or ord(each) == 127 for each in text)
        assert text[0].isalpha()
    assert continuation_of(TASK, checkpoint, left) == continuation_of(TASK, checkpoint, left)


def test_what_an_agent_is_told_holds_no_secret() -> None:
    secret = "sk-ant-" + "0123456789abcdef0123"
    checkpoint = Checkpoint("k", "login", "running", NOW, completed_steps=(f"put {secret} into .env",))
    left = Work(("uncommitted",), (f"1 file not committed ({secret})",))
    assert secret not in continuation_of(TASK, checkpoint, left, folder=f"~/{secret}")


def test_an_agents_own_command_gets_no_more_words() -> None:
    assert prompt_of(replace(TASK, prompt="/fix-issue 12\n"), folder="~/w") == "/fix-issue 12"


def test_what_to_see_to_first() -> None:
    text = continuation_of(TASK, None, work(lock_age=4000.0, changed=2, files=("a.py", "b.py")), folder="~/w")
    assert text == (
        "You were interrupted in your task login and have been started again: go on where you stopped, and do not "
        "begin anew. It is task login, in ~/w on the branch feature. State of the work: index.lock was left behind by "
        "a git that is gone (4000 s old); 2 files not committed (a.py, b.py): no git runs any more that holds it: "
        'remove it first. When it is done, set "status" to "done" in the JSON file that $MIYABI_CHECKPOINT names.'
    )
    assert withdrawal_of(TASK).startswith("Another agent has been given your task login")


def test_the_words_of_a_step() -> None:
    step = TaskStep("settle", TASK, "kaede")
    assert step.words == "done by kaede"
    sign: Sign = "clean"
    assert CLEAN.state == sign
