"""What is asked of a host, in how many executions, and what is remembered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyinfra.api import Config, Host, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.state import StateStage

from facts.observation import Unknown, ask, ask_together, asked_between, expect, forget
from facts.probe import Section
from tests.fleet.machine import Machine
from tests.recovery.playbook import Run, noting, on


def section(title: str, script: str) -> Section[list[str]]:
    return Section(title, script, list)


ONE, TWO = section("one", "echo 1"), section("two", "echo 2")


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def host(machine: Machine, run: Run) -> Iterator[Host]:
    with on(machine), noting(run):
        state = State(Inventory((["@local"], {})), Config(), check_for_changes=False)
        connect_all(state)
        state.set_stage(StateStage.Prepare)
        yield next(iter(state.inventory))
        disconnect_all(state)


def test_what_is_expected_is_asked_with_the_first_question(host: Host, run: Run) -> None:
    expect(host, [ONE])
    expect(host, [TWO])
    assert (ask(host, ONE), ask(host, TWO)) == (["1"], ["2"])
    assert run.probes == 1


def test_an_answer_is_remembered_until_it_is_forgotten_or_the_stage_moves_on(host: Host, run: Run) -> None:
    ask_together(host, [ONE, TWO])
    ask_together(host, [ONE, TWO])
    assert run.probes == 1
    forget(host, "two")
    assert (ask(host, ONE), run.probes) == (["1"], 1)
    assert (ask(host, TWO), run.probes) == (["2"], 2)
    host.state.set_stage(StateStage.Execute)
    assert (ask(host, ONE), run.probes) == (["1"], 3)


def test_forgetting_knows_the_first_word_of_a_title(host: Host, run: Run) -> None:
    keyed = section("log_12ab34cd", "echo log")
    ask(host, keyed)
    forget(host, "log")
    ask(host, keyed)
    assert run.probes == 2


def test_sections_of_one_title_do_not_answer_for_each_other(host: Host) -> None:
    first, second = section("disk", "echo first"), section("disk", "echo second")
    ask_together(host, [first, ONE, second])
    assert (ask(host, first), ask(host, ONE), ask(host, second)) == (["first"], ["1"], ["second"])


def test_what_fails_is_unknown_and_nothing_else_is(host: Host) -> None:
    broken = section("broken", "echo 'no such thing'; exit 3")
    ask_together(host, [broken, ONE])
    assert ask(host, broken) == Unknown("exit code 3: no such thing")
    assert ask(host, ONE) == ["1"]


def test_a_host_that_does_not_run_the_probe_is_unknown(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "get_fact", lambda *_, **__: None)
    assert ask(host, ONE) == Unknown("the host did not answer the probe")


def test_the_moment_of_an_answer_is_known(host: Host) -> None:
    clock = section("clock", "date +%s")
    (told,) = ask(host, clock)  # type: ignore[misc]
    before, after = asked_between(host, clock)
    assert int(before) <= int(told) <= after
