"""Durations, moments and names as a reader meets them."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest

from miyabi.errors import TargetError
from miyabi.spec import Limits, McpServer, Pane, Session, Spec, Sshd, Window
from miyabi.target_name import Known, TargetName, covers, name_target
from miyabi.words import both_clocks, clock_time, counted, iso, lasting

NOON = 1795003200.0  # 2026-11-18 12:00 UTC
CET = timezone(timedelta(hours=1), "CET")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *(
            (-5, "0 s"),
            (0.4, "0 s"),
            (89, "89 s"),
            (90, "1 min"),
            (5399, "89 min"),
            (5400, "1 h 30 min"),
            (7200, "2 h"),
        ),
        *((172800, "2 d"), (176400, "2 d 1 h"), (20 * 86400 + 3600, "20 d")),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        *((0, "12:00:00"), (-3600, "11:00"), (3600 * 13, "Thu 01:00"), (-86400 * 3, "Sun 12:00")),
        (-86400 * 8, "2026-11-10 12:00"),
    ],
)
def test_moments_on_the_clock(offset: float, words: str) -> None:
    assert clock_time(NOON + offset, NOON, UTC) == words


def test_moments_on_two_clocks() -> None:
    assert both_clocks(NOON, UTC) == "2026-11-18 12:00 UTC"
    assert both_clocks(NOON, CET) == "2026-11-18 13:00 CET (12:00 UTC)"
    assert both_clocks(NOON + 41400, CET) == "2026-11-19 00:30 CET (2026-11-18 23:30 UTC)"
    assert (iso(NOON), iso(None)) == ("2026-11-18T12:00:00Z", None)
    assert (counted(1, "host"), counted(0, "host")) == ("1 host", "0 hosts")


def _spec(*panes: str, session: str = "work") -> Spec:
    windows = (Window("main", panes=tuple(Pane(each) for each in panes)), Window("codegen-1"))
    return Spec(
        "spec.yaml",
        "digest",
        (Session(session, windows=windows),),
        sshd=Sshd(),
        mcp_servers=(McpServer("mcp", "start"),),
        limits=Limits(),
    )


KNOWN = Known(
    {
        "@local": _spec("watch"),
        "mugen": _spec("kaede", "main", "work:main.3"),
        "mugen2": _spec("sakura", "twin", session="workshop"),
        "macbook": _spec("twin"),
        "broken": None,
    },
    {"control": "@local"},
    {"mugen": ("old:main.gone",)},
)


@pytest.mark.parametrize(
    ("text", "host", "target"),
    [
        ("all", "", ""),
        ("mugen", "mugen", ""),
        ("mugen2", "mugen2", ""),
        ("broken", "broken", ""),
        ("control", "@local", ""),
        ("control:watch", "@local", "work:main.watch"),
        ("mugen:work", "mugen", "work"),
        ("mugen:work:main", "mugen", "work:main"),
        ("mugen:work:main.kaede", "mugen", "work:main.kaede"),
        ("mugen:main.kaede", "mugen", "work:main.kaede"),
        ("mugen:kaede", "mugen", "work:main.kaede"),
        ("mugen:work:main.3", "mugen", "work:main.3"),
        ("mugen:codegen-1", "mugen", "work:codegen-1"),
        # A pane wins over the window of its name: it is what people talk about.
        ("mugen:main", "mugen", "work:main.main"),
        ("kaede", "mugen", "work:main.kaede"),
        ("sakura", "mugen2", "workshop:main.sakura"),
        ("workshop", "mugen2", "workshop"),
        ("mugen:server mcp", "mugen", "server mcp"),
        ("mugen:mcp", "mugen", "server mcp"),
        ("mugen:sshd", "mugen", "sshd"),
        ("mugen:disk", "mugen", "disk"),
        ("mugen:old:main.gone", "mugen", "old:main.gone"),
    ],
)
def test_targets_as_people_write_them(text: str, host: str, target: str) -> None:
    assert name_target(text, KNOWN) == TargetName(host, target)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "mugne",
            "mugne: no such host or target; hosts: @local, mugen, mugen2, macbook, broken, control; did you mean",
        ),
        ("keade", "did you mean kaede?"),
        ("twin", "several; write one of mugen2:workshop:main.twin, macbook:work:main.twin"),
        ("mugen:keade", "mugen has nothing of that name; did you mean kaede?"),
        ("mugen:server mpc", "did you mean server mcp?"),
        ("mugen:zzzz", "mugen has nothing of that name; it has work, work:main"),
        ("broken:work", "broken has nothing of that name; it has no targets"),
        ("", "'': no such host or target"),
        ("mugen3:work", "no such host or target"),
    ],
)
def test_targets_that_are_none(text: str, said: str) -> None:
    with pytest.raises(TargetError) as error:
        name_target(text, KNOWN)
    assert said in str(error.value)


def test_what_covers_what() -> None:
    pane = TargetName("mugen", "work:main.kaede")
    wider = (TargetName(""), TargetName("mugen"), TargetName("mugen", "work"), TargetName("mugen", "work:main"), pane)
    assert all(covers(each, pane) for each in wider)
    others = (
        TargetName("mugen2"),
        TargetName("mugen", "wor"),
        TargetName("mugen", "work:mai"),
        TargetName("", "other"),
    )
    assert not any(covers(each, pane) for each in others)
