"""Alerts in words: everything that is needed, nothing that is secret, nothing that acts on a terminal."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from miyabi.alert_text import Alert, alert_of, alerts_of, for_guardian, for_phone
from miyabi.alert_words import BY_CAUSE, BY_KIND
from miyabi.cause_names import CAUSES
from miyabi.gate import Decision
from miyabi.incidents import judge, open_after
from miyabi.message import refuse_message
from miyabi.severity import TABLE
from miyabi.verdict import Verdict
from tests.alerts.telling import wrong

NOW = 1_795_227_120.0

FULL = replace(
    wrong(cause="oom", summary="died by signal 9 again, 1 s after each start"),
    evidence="Killed\nOut of memory: Killed process 812 (node)\n",
    tried=("03:12:01 L1_PANE respawned: died again", "03:12:14 L2_SESSION rebuilt: died again"),
    held=Decision(allowed=False, rule="limit", reason="5 restarts within an hour", again_at=NOW + 3600),
)


def opened(verdict: Verdict, at: float = NOW) -> Alert:
    (change,) = judge((), [verdict], (), run="r", now=at)
    return alert_of(change, verdict, zone=UTC)


def test_it_says_what_a_human_can_do_that_the_kind_does_not_tell() -> None:
    command = "pyinfra inventory deploys/l4_infrastructure.py --limit cloud-1 --data remedy=reboot"
    lines = opened(replace(wrong(), next_step=command)).text.splitlines()
    assert f"{' ' * 16}{command}" in lines
    assert lines[lines.index(f"{' ' * 16}{command}") - 1].endswith("what you can do about it:")


def test_it_says_everything() -> None:
    alert = opened(FULL)
    assert alert.text.splitlines() == [
        "HIGH  mugen:work:main.kaede is not repaired",
        "what       died by signal 9 again, 1 s after each start",
        "since      2026-11-21 02:12 UTC, just now",
        "cause      oom. The machine, its control group or the program's own heap ran out of memory.",
        "evidence   | Killed",
        "           | Out of memory: Killed process 812 (node)",
        "tried      03:12:01 L1_PANE respawned: died again",
        "           03:12:14 L2_SESSION rebuilt: died again",
        "held       5 restarts within an hour, until 03:12 (limit)",
        "means      Every level that may be tried was tried, and it is still wrong. It is tried again by",
        "           itself as far as the limits allow, but most likely it needs you.",
        "next       1. see what is known, and what would happen next:",
        "                miyabi explain mugen:work:main.kaede",
        "           2. free memory, or run fewer agents on this host.",
        "           3. look at it:",
        "                ssh mugen",
        "                tmux attach -t '=work'",
        "           4. when the cause is removed, have it tried now:",
        "                miyabi resume mugen:work:main.kaede",
        "                miyabi recover --limit mugen",
        "           5. or have it left alone while you work there:",
        "                miyabi pause mugen:work:main.kaede --for 2h",
        "safe       Looking, attaching and pausing change nothing. What is healthy is not touched",
        "           meanwhile. Waiting makes it no worse: it is not restarted in a loop.",
        f"incident   {alert.incident}",
    ]
    assert alert.line == (
        "HIGH mugen:work:main.kaede is not repaired: died by signal 9 again, 1 s after each start; "
        "see: miyabi explain mugen:work:main.kaede"
    )


def test_a_reminder_and_an_end() -> None:
    first = judge((), [FULL], (), run="r0", now=NOW)
    (again,) = alerts_of(judge(first, [FULL], (), run="r1", now=NOW + 25200), [FULL], now=NOW + 25200, zone=UTC)
    assert again.line.startswith("STILL OPEN after 7 h: HIGH mugen:work:main.kaede is not repaired")
    assert "since      2026-11-21 02:12 UTC, 7 h ago" in again.text.splitlines()
    well = judge(first, [], {("mugen", "")}, run="r2", now=NOW + 60)
    over = judge(open_after(first, well), [], {("mugen", "")}, run="r3", now=NOW + 720)
    (end,) = alerts_of(over, [], now=NOW + 720, zone=UTC)
    assert end.line.startswith("RECOVERED mugen:work:main.kaede: well again, was HIGH for 12 min")
    assert "well       since 02:13; the incident is closed" in end.text.splitlines()


def test_silent_changes_are_not_told() -> None:
    first = judge((), [FULL], (), run="r0", now=NOW)
    milder = wrong(severity="MEDIUM")
    changes = judge(first, [milder], (), run="r1", now=NOW + 60)
    assert len(changes) == 1
    assert alerts_of(changes, [milder], now=NOW + 60) == ()


def test_what_was_repaired_at_once_is_a_line() -> None:
    repaired = wrong(severity="LOW", kind="repaired", summary="died by signal 9, respawned in 0.4 s")
    (alert,) = alerts_of((), [repaired], now=NOW)
    assert (alert.severity, alert.change, alert.incident) == ("LOW", "repaired", "")
    assert alert.text == "LOW mugen:work:main.kaede repaired: died by signal 9, respawned in 0.4 s"


HOSTILE = "\x1b]0;owned\x07\x1b[2J token=abc-secret-1 \u202e\r\nsk-" + "a" * 40


@pytest.mark.parametrize("kind", sorted({row[0] for row in TABLE} - {"repaired", "emergency-stop"}))
@pytest.mark.parametrize(("host", "target"), [("", ""), ("h", ""), ("h", "a b:c.d'e"), ("@local", "log x;rm")])
def test_nothing_secret_and_nothing_that_acts(kind: str, host: str, target: str) -> None:
    verdict = replace(
        wrong(target, "HIGH", host=host, kind=kind, summary=HOSTILE, cause=HOSTILE),
        evidence=HOSTILE,
        tried=(HOSTILE,),
        held=Decision(allowed=False, rule="limit", reason=HOSTILE, again_at=NOW + 60),
    )
    alert = opened(verdict)
    for text in (alert.line, alert.text, alert.summary, for_guardian(alert), *for_phone(alert)):
        assert "abc-secret-1" not in text
        assert "aaaa" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert refuse_message(for_guardian(alert)) is None
    assert len(alert.line) <= 200
    commands = [line.strip() for line in alert.text.splitlines() if line.startswith(" " * 16)]
    assert commands
    for command in commands:
        words = shlex.split(command)
        assert words[0] in {"miyabi", "ssh", "tmux", "df", "du", "ps", "date"}
        assert "rm" not in words


@pytest.mark.parametrize(
    ("host", "target", "socket", "commands"),
    [
        ("mugen", "work:main.kaede", None, ["ssh mugen", "tmux attach -t '=work'"]),
        ("@local", "work", None, ["tmux attach -t '=work'"]),
        ("@local", "my work:w", "x y", ["tmux -L 'x y' attach -t '=my work'"]),
        ("@local", "it's", None, ['tmux attach -t "=it\'s"']),
        ("mugen", "server mcp", None, ["ssh mugen"]),
        ("mugen", "disk", None, ["ssh mugen", "df -h ~", "du -xk ~ | sort -n | tail -20"]),
    ],
)
def test_how_to_look_at_it(host: str, target: str, socket: str | None, commands: list[str]) -> None:
    verdict = wrong(target, host=host)
    (change,) = judge((), [verdict], (), run="r", now=NOW)
    lines = [line.strip() for line in alert_of(change, verdict, socket=socket).text.splitlines()]
    at = next(n for n, line in enumerate(lines) if line.endswith("look at it:"))
    assert [shlex.split(line) for line in lines[at + 1 : at + 1 + len(commands)]] == [
        shlex.split(command) for command in commands
    ]


def test_the_page_shows_what_it_looks_like() -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
    verdict = replace(
        wrong(cause="permission", summary="exited with status 1 again, 1 s after each start"),
        evidence="Error: EACCES: permission denied, open '/srv/project/.lock'",
        tried=("L1_PANE respawned: exited again", "L2_SESSION rebuilt: exited again"),
        held=Decision(allowed=False, rule="limit", reason="5 restarts within an hour", again_at=NOW + 3600),
    )
    alert = opened(verdict)
    assert f"```text\n{alert.text}\n```" in page
    assert f"```text\n{alert.line}\n```" in page
    over = judge(
        judge((), [verdict], (), run="r", now=NOW), [], {("mugen", "")}, run="r2", now=NOW + 1680, healthy_after=0
    )
    assert f"```text\n{alert_of(over[0], None).line}\n```" in page


def test_the_words_are_of_kinds_and_causes_that_exist() -> None:
    assert {row[0] for row in TABLE} <= set(BY_KIND)
    assert set(BY_CAUSE) <= set(CAUSES)
