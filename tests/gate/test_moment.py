"""What holds because of this moment: people, uncertainty, the host, the fleet."""

from __future__ import annotations

from math import inf, isfinite
from typing import Any, get_args

import pytest

from miyabi.gate import RULES, Does, Fleet, Pause, Storm, TargetHistory, decide
from miyabi.gate_rules import Rules
from tests.gate.asking import LENIENT, NOW, REQUEST, ask, fleet_rules, paused, seen, tried

_STORM = Storm("api-error", frozenset({("mugen", "work:main.kaede"), ("pixel", "a:b.c")}), NOW - 300)
_NUDGE = {"does": "nudge", "service": "api"}
_ACTIVE = frozenset({("mugen", "work:main.kaede")})


def _fleet(**what: Any) -> Fleet:
    return Fleet(**what)


# What is asked, in which fleet, and what holds it for how long; "" lets it through.
CASES: list[tuple[str, dict[str, Any], Fleet, str, float]] = [
    ("nothing speaks against it", {}, _fleet(), "", 0),
    ("stopped", {}, _fleet(stopped_until=NOW + 60), "emergency-stop", 60),
    ("the stop is over", {}, _fleet(stopped_until=NOW), "", 0),
    ("a stop without end", {}, _fleet(stopped_until=inf), "emergency-stop", 3600),
    ("unknown", {"unknown": "no answer"}, _fleet(), "unknown", 60),
    ("unknown without words", {"unknown": ""}, _fleet(), "unknown", 60),
    ("evidence of an earlier life", {"evidence_at": NOW - 20, "born_at": NOW - 10}, _fleet(), "evidence", 60),
    ("evidence of the moment it began", {"evidence_at": NOW - 10, "born_at": NOW - 10}, _fleet(), "evidence", 60),
    ("evidence of this life", {"evidence_at": NOW - 10, "born_at": NOW - 11}, _fleet(), "", 0),
    ("evidence of just now", {"evidence_at": NOW, "born_at": NOW}, _fleet(), "", 0),
    ("evidence against what nobody knows the age of", {"evidence_at": NOW - 10}, _fleet(), "", 0),
    ("evidence of no moment", {"born_at": NOW - 10}, _fleet(), "", 0),
    ("born after now, seen before", {"evidence_at": NOW - 10, "born_at": NOW + 3600}, _fleet(), "evidence", 60),
    ("settling", {"settled_at": NOW + 7}, _fleet(), "settling", 7),
    ("settled", {"settled_at": NOW}, _fleet(), "", 0),
    ("watched", {"watched_at": NOW - 119}, _fleet(), "presence", 1),
    ("watched long ago", {"watched_at": NOW - 120}, _fleet(), "", 0),
    ("watched later than now", {"watched_at": NOW + 3000}, _fleet(), "presence", 120),
    ("a draft", {"draft": "git pu"}, _fleet(), "draft", 60),
    ("leased", {}, _fleet(leases={"mugen": ("other:7", NOW + 30)}), "lease", 30),
    ("another host is leased", {}, _fleet(leases={"pixel": ("other:7", NOW + 30)}), "", 0),
    ("the lease is over", {}, _fleet(leases={"mugen": ("other:7", NOW)}), "", 0),
    ("as long as a lease can be", {}, _fleet(leases={"mugen": ("other:7", NOW + 600)}), "lease", 600),
    ("clocks differ a little", {}, _fleet(leases={"mugen": ("other:7", NOW + 659)}), "lease", 600),
    ("longer than a lease can be", {}, _fleet(leases={"mugen": ("other:7", NOW + 3700)}), "", 0),
    ("breaker open", {}, _fleet(breakers={"host mugen": (5, NOW - 1799)}), "breaker", 1),
    ("breaker half-open", {}, _fleet(breakers={"host mugen": (5, NOW - 1800)}), "", 0),
    ("breaker closed", {}, _fleet(breakers={"host mugen": (4, None)}), "", 0),
    ("another's breaker", {}, _fleet(breakers={"host pixel": (5, NOW)}), "", 0),
    ("overloaded", _NUDGE, _fleet(breakers={"overload api": (1, NOW - 29)}), "overloaded", 1),
    ("overloaded for a while", _NUDGE, _fleet(breakers={"overload api": (1, NOW - 30)}), "", 0),
    ("overloaded again", _NUDGE, _fleet(breakers={"overload api": (3, NOW - 30)}), "overloaded", 90),
    ("overloaded for long", _NUDGE, _fleet(breakers={"overload api": (5000, NOW)}), "overloaded", 600),
    ("overloaded no more", _NUDGE, _fleet(breakers={"overload api": (0, None)}), "", 0),
    ("overloaded in the future", _NUDGE, _fleet(breakers={"overload api": (1, NOW + 999)}), "overloaded", 30),
    ("another is overloaded", _NUDGE, _fleet(breakers={"overload other": (1, NOW)}), "", 0),
    ("restarted while overloaded", {"service": "api"}, _fleet(breakers={"overload api": (1, NOW)}), "", 0),
    ("short of memory", {"cause": "oom", "memory_left": 9.9}, _fleet(), "memory", 60),
    ("memory enough", {"cause": "oom", "memory_left": 10.0}, _fleet(), "", 0),
    ("memory unknown", {"cause": "oom"}, _fleet(), "", 0),
    ("short of memory for another cause", {"memory_left": 1.0}, _fleet(), "", 0),
    ("the climb goes on", {"climbing": True}, _fleet(breakers={"host mugen": (5, NOW)}), "", 0),
    ("its service is broken", {"service": "ec2"}, _fleet(breakers={"service ec2": (5, NOW - 1799)}), "breaker", 1),
    (
        "its service is broken while it climbs",
        {"service": "ec2", "climbing": True},
        _fleet(breakers={"service ec2": (5, NOW - 1799)}),
        "breaker",
        1,
    ),
    ("its service may be tried again", {"service": "ec2"}, _fleet(breakers={"service ec2": (5, NOW - 1800)}), "", 0),
    ("another service is broken", {}, _fleet(breakers={"service ec2": (5, NOW)}), "", 0),
    ("a breaker of the future", {}, _fleet(breakers={"host mugen": (5, NOW + 3600)}), "", 0),
    # Storms.
    ("cooling down", {}, _fleet(storms=(Storm("", _ACTIVE, NOW - 299),)), "storm", 1),
    ("cooled down", {}, _fleet(storms=(Storm("", _ACTIVE, NOW - 300),)), "", 0),
    ("a storm elsewhere", {"target": "work:main.sakura"}, _fleet(storms=(Storm("", _ACTIVE, NOW),)), "", 0),
    ("a storm of another host", {"host": "pixel"}, _fleet(storms=(Storm("", _ACTIVE, NOW),)), "", 0),
    ("its window", {"target": "work:main"}, _fleet(storms=(Storm("", _ACTIVE, NOW),)), "storm", 300),
    ("its host", {"target": ""}, _fleet(storms=(Storm("", _ACTIVE, NOW),)), "storm", 300),
    (
        "covers one of it",
        {"target": "work:x", "covers": ("work:main.kaede",)},
        _fleet(storms=(Storm("", _ACTIVE, NOW),)),
        "storm",
        300,
    ),
    ("a storm of soon", {}, _fleet(storms=(Storm("", _ACTIVE, NOW + 200),)), "storm", 300),
    ("a storm of the future", {}, _fleet(storms=(Storm("", _ACTIVE, NOW + 3600),)), "", 0),
    (
        "another is tried first",
        {},
        _fleet(storms=(Storm("x", _STORM.targets, NOW - 400, ("pixel", "a:b.c", NOW - 50)),)),
        "storm",
        250,
    ),
    (
        "it holds",
        {},
        _fleet(storms=(Storm("x", _STORM.targets, NOW - 400, ("pixel", "a:b.c", NOW - 50), canary_holds=True),)),
        "",
        0,
    ),
    (
        "it did not hold, once more",
        {},
        _fleet(storms=(Storm("x", _STORM.targets, NOW - 900, ("pixel", "a:b.c", NOW - 300)),)),
        "",
        0,
    ),
    (
        "the first itself, again",
        {},
        _fleet(storms=(Storm("x", _STORM.targets, NOW - 400, ("mugen", "work:main.kaede", NOW - 50)),)),
        "storm",
        250,
    ),
    (
        "the first itself climbs",
        {"climbing": True},
        _fleet(storms=(Storm("x", _STORM.targets, NOW - 400, ("mugen", "work:main.kaede", NOW - 5)),)),
        "",
        0,
    ),
    # How many at once.
    ("nobody else", {"disturbs": True}, _fleet(hosts=3), "", 0),
    ("one of 3 is", {"disturbs": True}, _fleet(hosts=3, disturbed=frozenset({"pixel"})), "max-unavailable", 60),
    ("it disturbs nobody", {}, _fleet(hosts=3, disturbed=frozenset({"pixel"})), "", 0),
    ("it is one of them", {"disturbs": True}, _fleet(hosts=3, disturbed=frozenset({"mugen", "pixel"})), "", 0),
    ("one of 4 is", {"disturbs": True}, _fleet(hosts=4, disturbed=frozenset({"pixel"})), "max-unavailable", 60),
    ("one of 5 is", {"disturbs": True}, _fleet(hosts=5, disturbed=frozenset({"pixel"})), "", 0),
    (
        "a number",
        {"disturbs": True},
        _fleet(hosts=50, disturbed=frozenset("ab"), rules=fleet_rules(max_unavailable=2.0, is_percent=False)),
        "max-unavailable",
        60,
    ),
    (
        "less than that number",
        {"disturbs": True},
        _fleet(hosts=50, disturbed=frozenset("a"), rules=fleet_rules(max_unavailable=2.0, is_percent=False)),
        "",
        0,
    ),
    (
        "none at all would be for ever",
        {"disturbs": True},
        _fleet(rules=fleet_rules(max_unavailable=0.0)),
        "",
        0,
    ),
    (
        "no rounding of what is exact",
        {"disturbs": True},
        _fleet(hosts=1000, disturbed=frozenset(map(str, range(7))), rules=fleet_rules(max_unavailable=0.7)),
        "max-unavailable",
        60,
    ),
]


@pytest.mark.parametrize(
    ("changes", "fleet", "rule", "seconds"), [each[1:] for each in CASES], ids=[c[0] for c in CASES]
)
def test_what_holds_at_this_moment(changes: dict[str, Any], fleet: Fleet, rule: str, seconds: float) -> None:
    decision = ask(changes, fleet=fleet)
    assert (decision.rule, decision.allowed) == (rule, not rule)
    assert (decision.again_at or NOW) - NOW == pytest.approx(seconds)
    assert bool(decision.reason) == bool(rule)


# What is paused, what is asked for, and whether that holds it.
PAUSES = [
    ("work", "agent work:main.kaede", (), True),
    ("work:main.kaede", "agent work:main.kaede", (), True),
    ("agent work:main.kaede", "agent work:main.kaede", (), True),
    ("agent work:main.kaede", "work:main.kaede", (), True),
    ("work:main.kae", "agent work:main.kaede", (), False),
    ("other", "agent work:main.kaede", (), False),
    ("", "work:main.kaede", (), True),
    ("", "sshd", (), True),
    ("work", "work", (), True),
    ("work", "work:main", (), True),
    ("work", "work:main.kaede", (), True),
    ("work", "workshop", (), False),
    ("work", "workshop:main.kaede", (), False),
    ("work", "wor", (), False),
    ("work:main", "work:main.kaede", (), True),
    ("work:main", "work:main2.kaede", (), False),
    ("work:main", "work:main2", (), False),
    ("work:main.kaede", "work:main.kaede", (), True),
    ("work:main.kaede", "work:main.kaede2", (), False),
    ("work:main.kaede", "work:main", (), True),
    ("work:main.kaede", "work", (), True),
    ("work:main.kaede", "", (), True),
    ("work:main.kaede", "work:other", (), False),
    ("work:main.kaede", "sshd", (), False),
    ("server mcp", "server mcp", (), True),
    ("server mcp", "server mcp2", (), False),
    ("server", "server mcp", (), False),
    ("log /var/log/a", "log /var/log/a.log", (), False),
    ("work:main.kaede", "shop", ("work:main.kaede",), True),
    ("work:main", "shop", ("work:main.kaede", "work:main.sakura"), True),
    ("work:main.kaede", "shop", ("work:main.kaede", "work:main.sakura"), False),
]


@pytest.mark.parametrize(("pause", "target", "covers", "holds"), PAUSES)
def test_what_a_pause_is_about(pause: str, target: str, covers: tuple[str, ...], holds: bool) -> None:
    decision = ask({"target": target, "covers": covers}, fleet=paused(pause))
    assert (decision.rule, decision.again_at) == (("pause", NOW + 100) if holds else ("", None))


@pytest.mark.parametrize(("host", "holds"), [("mugen", True), ("", True), ("pixel", False), ("muge", False)])
def test_whose_pause_it_is(host: str, holds: bool) -> None:
    assert ask(fleet=paused(host=host)).allowed is not holds


def test_pauses_end() -> None:
    assert ask(fleet=paused(after=0)).allowed
    assert ask(fleet=paused(after=inf)).again_at == NOW + 3600


def test_the_longest_pause_tells_when_it_ends() -> None:
    pauses = (Pause("", "", NOW + 10), Pause("mugen", "work", NOW + 99, "mine"), Pause("pixel", "", NOW + 200))
    decision = ask(fleet=Fleet(pauses=pauses))
    assert (decision.again_at, decision.reason) == (NOW + 99, "mugen work is paused (mine)")


def test_what_covers_only_what_is_paused_waits_for_the_first_that_is_not() -> None:
    pauses = (Pause("mugen", "a:b.c", NOW + 10), Pause("mugen", "a:b.d", NOW + 99))
    wanted = {"target": "x", "covers": ("a:b.c", "a:b.d")}
    assert ask(wanted, fleet=Fleet(pauses=pauses)).again_at == NOW + 10
    assert ask(wanted, fleet=Fleet(pauses=pauses[:1])).allowed


def test_nobody_is_never_watched() -> None:
    assert ask({"watched_at": NOW}, rules=Rules(presence=0)).allowed


@pytest.mark.parametrize(
    ("pattern", "seen_of", "holds"),
    [("x", (1, 1), False), ("xx", (2, 3), False), ("x.x", (2, 3), False), ("x", (2, 3), True), ("xx..x", (2, 3), True)],
)
def test_a_drift_is_confirmed(pattern: str, seen_of: tuple[int, int], holds: bool) -> None:
    rules = Rules(seen=seen_of[0], seen_of=seen_of[1], flapping_start=101)
    decision = ask(history=TargetHistory(seen(pattern)), rules=rules)
    assert (decision.rule, decision.again_at) == (("confirm", NOW + 60) if holds else ("", None))
    assert ask({"climbing": True}, history=TargetHistory(seen(pattern)), rules=rules).allowed


def test_who_remembers_nothing_asks_for_no_confirmation() -> None:
    assert ask(rules=Rules(seen=3, seen_of=5)).allowed


def test_what_ends_for_want_of_memory_twice_within_an_hour_waits() -> None:
    oom = {"cause": "oom", "memory_left": 50.0}
    again = TargetHistory(seen("xxx"), tried(900))
    assert ask(oom, history=again).rule == "memory"
    assert ask(oom, history=again).again_at == NOW + 2700
    assert ask(oom | {"climbing": True}, history=again).allowed
    assert ask({"cause": "crashed"}, history=again).allowed
    assert ask(oom, history=TargetHistory(seen("xxx"), tried(3600))).allowed


def test_the_order_of_the_rules() -> None:
    """What people and safety ask for stands before what only counts."""
    assert [rule.name for rule in RULES] == [
        *("emergency-stop", "pause", "unknown", "evidence", "settling", "confirm", "presence", "draft", "lease"),
        *("breaker", "memory", "overloaded", "flapping", "limit", "tries", "backoff", "storm", "max-unavailable"),
    ]


@pytest.mark.parametrize("does", get_args(Does))
def test_which_rules_are_about_what(does: Does) -> None:
    """Everything at once holds what it is about: messages nothing, and what nobody notices only people and doubt."""
    fleet = Fleet(
        disturbed=frozenset({"pixel"}),
        leases={"mugen": ("other:7", NOW + 30)},
        breakers={"host mugen": (5, NOW)},
        storms=(Storm("", _ACTIVE, NOW),),
    )
    changes = {"does": does, "draft": "x", "watched_at": NOW, "settled_at": NOW + 9, "disturbs": True}
    history = TargetHistory(seen("x.x.x.x.x"), tried(50, 40, 30, 20, 10))
    calm = does in {"tell", "adopt", "tidy"}
    assert ask(changes, fleet=fleet, history=history, rules=Rules()).allowed is calm
    for holding in (Fleet(stopped_until=NOW + 5), paused()):
        assert ask(changes, fleet=holding, history=history).allowed is (does == "tell")
    assert ask(changes | {"unknown": "why"}, fleet=fleet, history=history).allowed is (does == "tell")


def test_what_the_gate_is_asked_about_names_and_numbers_only() -> None:
    """A draft may hold secrets: no reason repeats it."""
    assert "hunter2" not in ask({"draft": "login hunter2"}).reason
    decision = decide(REQUEST, TargetHistory(), Fleet(), LENIENT, NOW)
    assert decision.again_at is None
    assert isfinite(ask({"draft": "x"}).again_at or inf)
