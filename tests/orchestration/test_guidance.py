"""Guidance goes by what was found: which backup, how many sessions, how long, how risky."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given, strategies as st

from miyabi.orchestration.error_table import ERRORS
from miyabi.orchestration.guidance import Found, FoundBackup, Guidance, guidance

DAY = 24 * 3600.0
NOW = 20 * DAY
NEW = FoundBackup("backup-new", NOW - 600)
OLD = FoundBackup("session-1.json/20260101T000000Z", NOW - 3 * DAY)


def found(**more: Any) -> Found:
    """A workspace of three sessions, one of which is damaged."""
    usual: dict[str, Any] = {"workspace": "/w", "now": NOW, "sessions": 3, "damaged": ("session-1.json",)}
    return Found(**usual | {"size": 300_000} | more)


def commands(told: Guidance) -> list[str]:
    return [each.command for each in told.steps if each.command]


def test_nothing_wrong_needs_nothing() -> None:
    assert guidance([], found()) == Guidance(None, why="Nothing is wrong.")


def test_the_newest_backup_is_named_with_its_age() -> None:
    told = guidance(["SESSION_CORRUPTED"], found(backups=(NEW, OLD)))
    [step] = [each for each in told.steps if "miyabi state restore" in each.command]
    assert step.command == "miyabi state restore --workspace /w --session session-1.json backup-new"
    assert "10 min old: what happened since then is lost" in step.text
    assert step.risk == "medium"
    assert (told.severity, told.risk) == ("HIGH", "low")


def test_a_log_is_gone_by_before_a_backup() -> None:
    told = guidance(["SESSION_CORRUPTED"], found(backups=(NEW,), has_log=True))
    order = [command.split()[2] for command in commands(told)]
    assert order == ["backup", "repair", "repair", "replay", "restore", "reset", "analyze"]
    assert any("what happened since is in the event log" in each.text for each in told.steps)


def test_without_backup_and_log_it_is_critical_and_nobody_is_sent_to_them() -> None:
    told = guidance(["SESSION_CORRUPTED"], found())
    assert (told.severity, told.risk) == ("CRITICAL", "high")
    assert not any("restore" in each or "replay" in each for each in commands(told))
    assert "Neither a backup nor an event log" in told.why


def test_an_old_backup_alone_is_a_risk() -> None:
    told = guidance(["SESSION_CORRUPTED"], found(backups=(OLD,)))
    assert told.risk == "medium"
    assert "3 d old" in told.why


def test_damage_to_all_of_several_sessions_is_critical() -> None:
    damaged = ("session-1.json", "session-2.json", "session-3.json")
    told = guidance(["SESSION_CORRUPTED"], found(damaged=damaged, backups=(NEW,)))
    assert told.severity == "CRITICAL"
    assert "miyabi state repair --workspace /w" in commands(told)
    assert any("3 sessions" in each.text for each in told.steps)


def test_what_heals_in_place_needs_no_backup() -> None:
    told = guidance(["AGENT_CRASHED", "CIRCULAR_DEPENDENCY"], found())
    assert (told.severity, told.risk) == ("HIGH", "low")
    assert not any("reset" in each or "restore" in each for each in commands(told))
    assert told.prerequisites == ()


def test_what_is_only_told_is_not_repaired() -> None:
    told = guidance(["SESSION_TIMEOUT"], found(damaged=()))
    assert told.severity == "LOW"
    assert not any("repair" in each or "reset" in each for each in commands(told))


def test_a_program_that_holds_a_session_comes_first() -> None:
    told = guidance(["SESSION_CORRUPTED"], found(held=("session-1.json",)))
    assert told.prerequisites[0].startswith("A running program holds session-1.json")


def test_a_workspace_that_may_not_be_read_is_not_repaired() -> None:
    told = guidance(["WORKSPACE_ACCESS_DENIED"], found(sessions=0, damaged=(), size=0))
    assert told.severity == "HIGH"
    assert not any("repair" in each for each in commands(told))
    assert any(each.startswith("ls -ld /w") for each in commands(told))


def test_time_grows_with_what_there_is_and_with_the_way_there() -> None:
    here = guidance(["SESSION_CORRUPTED"], found(has_log=True))
    many = guidance(["SESSION_CORRUPTED"], found(has_log=True, size=500_000_000))
    there = guidance(["SESSION_CORRUPTED"], found(has_log=True, host="mugen"))
    assert 0 < here.seconds < there.seconds < many.seconds
    assert all("--host mugen" in each for each in commands(there))


def test_a_name_that_cannot_be_pasted_is_left_out() -> None:
    told = guidance(["SESSION_CORRUPTED"], found(damaged=("session-\x1b[31m\n.json",)))
    assert "miyabi state repair --workspace /w" in commands(told)
    assert all(each.text.isprintable() and each.command.isprintable() for each in told.steps)


CODES = st.sets(st.sampled_from([*ERRORS, "SOMETHING_NEW"]), min_size=1, max_size=5)
NAMES = st.lists(st.text(max_size=6).map(lambda text: f"session-{text}.json"), max_size=3, unique=True)


@given(CODES, NAMES, st.booleans(), st.lists(st.sampled_from([NEW, OLD]), max_size=2), st.sampled_from(["", "mugen"]))
def test_whatever_was_found_there_is_something_to_do(
    codes: Collection[str], names: list[str], has_log: bool, backups: list[FoundBackup], host: str
) -> None:
    told = guidance(codes, found(damaged=tuple(names), has_log=has_log, backups=tuple(backups), host=host))
    assert told.severity in {"LOW", "MEDIUM", "HIGH", "CRITICAL"}
    assert told.steps
    assert told.why
    assert told == guidance(codes, found(damaged=tuple(names), has_log=has_log, backups=tuple(backups), host=host))
    pasted = commands(told)
    assert len(pasted) == len(set(pasted))


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_alone_has_a_way_out(code: str) -> None:
    assert guidance([code], found(backups=(NEW,), host="mugen")).steps
