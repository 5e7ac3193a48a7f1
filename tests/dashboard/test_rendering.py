"""The page as HTML: what it says of a fleet, that none of that marks it up, and that it rests while the fleet does."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from math import inf, nan

import pytest
from hypothesis import given, strategies as st

from miyabi.dashboard import phrasing
from miyabi.dashboard.charting import charts_of
from miyabi.dashboard.rendering import PARTS, export_page, render_page, render_parts
from miyabi.dashboard.standing import cards_of
from miyabi.dashboard.telling import entries_of, told_of
from miyabi.figures import Availability, Budget, Chart, Deed, HostCard, IncidentStory, Overview
from miyabi.records import Severity
from tests.dashboard.parsed import Element, Parsed, parsed
from tests.dashboard.samples import HOSTILE, MINUTE, NOW, empty_overview, sample_overview

_ELEMENTS = """
    html head meta title link script style noscript body header main section footer div h1 h2 h3 p ul ol li dl dt dd a
    button label input span strong code kbd bdi time details summary figure figcaption svg rect
"""
_ATTRIBUTES = """
    lang charset name content rel href src defer type class id hidden tabindex title placeholder autocomplete
    spellcheck datetime aria-label aria-live aria-atomic aria-hidden aria-labelledby role viewbox preserveaspectratio
    focusable width height x y hx-ext sse-connect sse-swap hx-swap data-at data-still data-filtered data-how
    data-numbers http-equiv
"""


def _host(name: str, health: str = "healthy", **others: object) -> HostCard:
    return replace(HostCard(name, health, NOW - 3600, NOW - 60), **others)  # type: ignore[arg-type]


def _fleet(*cards: HostCard, **others: object) -> Overview:
    return replace(empty_overview(), hosts=cards, **others)  # type: ignore[arg-type]


def _story(name: str, severity: Severity = "HIGH", done: tuple[Deed, ...] = ()) -> IncidentStory:
    return IncidentStory(name, "mugen", "work", "held", severity, "told", "oom", NOW - 600, None, done)


def _sentence(overview: Overview) -> str:
    said = parsed(render_parts(overview)["summary"]).all("span", class_="verdict")[0].text
    return " ".join(said.split())[2:]


def _cards(overview: Overview) -> list[Element]:
    return parsed(render_parts(overview)["hosts"]).all("li", class_="card")


# --- What it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overview", "sentence"),
    [
        (_fleet(), "Nothing has been seen yet. Run make recover: what it sees appears here by itself."),
        (
            _fleet(HostCard("new", "unknown", 0.0, 0.0, is_stale=True)),
            "Nothing has been seen yet. Run make recover: what it sees appears here by itself.",
        ),
        (_fleet(_host("a")), "All is well: 1 host is healthy."),
        (_fleet(_host("a"), _host("b", "asleep")), "All is well: 1 host is healthy, 1 is asleep."),
        (_fleet(_host("b", "asleep")), "All is well: all hosts are asleep."),
        (_fleet(_host("a"), _host("b", "drift")), "1 of 2 hosts needs attention: b (drift)."),
        (
            _fleet(_host("a", "unreachable"), _host("b", "drift")),
            "2 of 2 hosts need attention: a (unreachable), b (drift).",
        ),
        (_fleet(_host("a"), _host("b", "unknown")), "1 host cannot be told: b (unknown)."),
        (_fleet(_host("a", is_stale=True)), "1 host cannot be told: a (stale)."),
        (_fleet(_host("a", "drift", is_stale=True)), "1 host cannot be told: a (stale)."),
        (_fleet(_host("a", "never-heard-of")), "1 host cannot be told: a (unknown)."),
        (
            _fleet(_host("a"), open_incidents=(_story("I1", "MEDIUM"),)),
            "No host needs attention. 1\xa0alert is open: MEDIUM.",
        ),
        (
            _fleet(*(_host(f"h{number}", "drift") for number in range(7))),
            "7 of 7 hosts need attention: h0 (drift), h1 (drift), h2 (drift), h3 (drift) and 3 more.",
        ),
    ],
)
def test_the_sentence_says_whether_all_is_well(overview: Overview, sentence: str) -> None:
    assert _sentence(overview) == sentence.replace("\xa0", " ")


def test_the_worst_alert_is_named() -> None:
    overview = _fleet(_host("a"), open_incidents=(_story("I1", "LOW"), _story("I2", "CRITICAL"), _story("I3", "HIGH")))
    assert _sentence(overview).endswith("3 alerts are open, the worst is CRITICAL.")


def test_sick_hosts_come_first_and_healthy_ones_are_small() -> None:
    cards = _cards(sample_overview(hosts=8))
    stand = [each.attributes["class"].split() for each in cards]
    assert [each[-1] for each in stand] == [
        "unreachable", "drift", "unknown", "stale", "asleep", "healthy", "healthy", "healthy",
    ]  # fmt: skip
    assert [("calm" in each) for each in stand] == [False] * 4 + [True] * 4


def test_a_card_says_what_is_wrong_since_when_and_until_when_it_is_held() -> None:
    card = next(each for each in _cards(sample_overview()) if "mugen" in each.text)
    said = " ".join(card.text.split())
    for words in (
        "L2 session",
        "work:main.kaede L1 pane permission",
        "exited with status 1 again, 1 s after each start, since",
        "held until",
        ": 5 restarts within an hour",
        "✕ kaede exited",
        "◐ tsubaki limited",
        "● sakura working",
        "1 session, 3 windows, 7 panes",
        "disk used 91.5 %",
        "memory free 43.0 %",
        "1 alert",
    ):
        assert words in said


def test_a_host_is_held_when_all_that_is_wrong_with_it_is() -> None:
    mugen = next(each for each in sample_overview().hosts if each.host == "mugen")
    kaede = mugen.drifts[0]
    assert not cards_of(_fleet(mugen))[0].held
    assert cards_of(_fleet(replace(mugen, drifts=(kaede,))))[0].held
    assert not cards_of(_fleet(replace(mugen, drifts=(replace(kaede, gate="allowed"),))))[0].held


def test_many_agents_are_counted_but_those_that_need_somebody_are_named() -> None:
    agents = {f"work:main.a{number}": "working" for number in range(20)} | {"work:main.kaede": "permission"}
    card = _cards(_fleet(_host("mugen", agents=agents)))[0]
    said = " ".join(card.text.split())
    assert "◐ kaede permission" in said
    assert "● 20 working" in said


def test_agents_of_the_same_name_are_told_apart() -> None:
    agents = {"work:main.kaede": "idle", "review:main.kaede": "dead"}
    said = _cards(_fleet(_host("mugen", agents=agents)))[0].text
    assert "review:main.kaede" in said
    assert "work:main.kaede" in said


def test_what_nobody_knows_is_called_unknown_and_nothing_is_zero() -> None:
    card = _cards(_fleet(_host("pixel", "unknown")))[0].text
    assert "tmux unknown" in " ".join(card.split())
    assert "0" not in card.replace(phrasing.when(NOW - 3600).striptags(), "").replace(
        phrasing.when(NOW - 60).striptags(), ""
    )
    assert "Unknown: nothing was counted yet." in render_parts(_fleet(_host("a")))["availability"]


def test_where_nobody_has_looked_nothing_is_said_to_be_well() -> None:
    said = render_parts(empty_overview())
    for name in ("summary", "alerts", "timeline", "recoveries", "availability", "closed"):
        assert "✓" not in said[name]
        assert re.search(r"looked at yet|seen yet|counted yet", said[name]), name


def test_a_host_that_no_run_has_looked_at_says_so() -> None:
    card = _cards(_fleet(HostCard("new", "unknown", 0.0, 0.0, "no run has looked at it yet", is_stale=True)))[0]
    assert "no run has looked at it yet" in card.text
    assert "1970" not in card.text


def test_what_is_wrong_with_the_history_is_said() -> None:
    part = render_parts(_fleet(_host("a"), trouble="the <database> is locked"))["trouble"]
    assert "What is shown may be old. the <database> is locked" in parsed(part).all("p")[0].text


def test_deeds_that_repeat_are_told_once() -> None:
    deeds = [Deed(NOW + 60 * each, "a", "t", "L1", "held", "5 restarts") for each in range(9)]
    told = told_of([*deeds, Deed(NOW + 600, "a", "t", "L1", "restored", seconds=1.0)])
    assert [(each.times, each.first_at, each.deed.at) for each in told] == [
        (9, NOW, NOW + 480),
        (1, NOW + 600, NOW + 600),
    ]


def test_a_deed_of_an_incident_is_told_there_alone() -> None:
    done = Deed(NOW - 590, "mugen", "work", "L1", "failed", "exited again", seconds=1.0)
    other = replace(done, target="other")
    overview = _fleet(_host("mugen"), timeline=(_story("I1", done=(done,)),), deeds=(done, other))
    assert [each.told.deed.target for each in entries_of(overview) if each.told] == ["other"]
    assert render_parts(overview)["timeline"].count("exited again") == 2


def test_a_figure_over_its_target_says_so_in_words() -> None:
    part = " ".join(parsed(render_parts(sample_overview())["recoveries"]).all("ul", class_="levels")[0].text.split())
    assert "longest 71 s, over the target" in part
    assert "target 10 s median 0.4 s 9 of 10 within 2.1 s longest 6.0 s restored 39 of 41" in part


def test_an_overdrawn_budget_is_no_traceback() -> None:
    overview = _fleet(
        _host("a"), fleet_availability=Availability(90, 10), budget=Budget(99.0, 100.0, 1.0, 10.0),
        availability={"a": Availability(90, 10), "b": Availability()},
    )  # fmt: skip
    said = parsed(render_parts(overview)["availability"]).all("ul", class_="figures")[0].text
    assert "90.00 %" in said
    assert "-900 %" in said


@pytest.mark.parametrize("is_enough", [False, True])
def test_a_promise_is_not_said_to_be_broken_before_enough_was_counted(*, is_enough: bool) -> None:
    overview = _fleet(
        _host("a"), fleet_availability=Availability(90, 10),
        budget=Budget(99.0, 100.0, 1.0, 10.0, is_enough=is_enough),
        availability={"a": Availability(90, 10)},
    )  # fmt: skip
    part = render_parts(overview)["availability"]
    assert part.count("90.00 %") == 2
    assert (' class="bad"' in part, 'number bad"' in part) == (is_enough, is_enough)
    assert ("Too little was counted" in part) is not is_enough


@pytest.mark.parametrize(
    ("value", "said"),
    [(99.999, "99.99 %"), (100.0, "100.00 %"), (99.0, "99.00 %"), (0.0, "0.00 %"), (None, "unknown"), (nan, "unknown")],
)
def test_a_share_is_never_said_to_be_more_than_it_is(value: float | None, said: str) -> None:
    assert phrasing.percent(value, 2) == said


@pytest.mark.parametrize("at", [nan, inf, -inf, 1e300, -1e300])
def test_a_moment_that_is_none_is_no_traceback(at: float) -> None:
    assert phrasing.when(at) == "at an unknown time"


# --- Charts ----------------------------------------------------------------------------------------------------------


def test_a_chart_carries_its_numbers() -> None:
    points = ((NOW - 60, 50.04, 51.0), (NOW, nan, inf))
    ahead = ((NOW + 60, 60.0, 59.0, 61.0), (NOW + 120, nan, 1.0, 2.0))
    drawn = charts_of(_fleet(charts=(Chart("a", "memory_available", points, 10.0, ahead, NOW + 90, "soon"),)))[0]
    assert json.loads(drawn.numbers) == {
        "at": [NOW - 60, NOW],
        "mean": [50.0, None],
        "far": [51.0, None],
        "ahead": [NOW + 60],
        "value": [60.0],
        "low": [59.0],
        "high": [61.0],
        "limit": 10.0,
        "crosses": NOW + 90,
        "shrinks": True,
    }
    assert drawn.last == 50.04


def test_what_fills_up_soonest_is_drawn_first_and_what_was_never_measured_not_at_all() -> None:
    points = ((NOW, 1.0, 1.0),)
    charts = (
        Chart("calm", "disk_used", points),
        Chart("late", "disk_used", points, 90.0, (), NOW + 900),
        Chart("soon", "disk_used", points, 90.0, (), NOW + 60),
        Chart("none", "disk_used", ()),
    )
    assert [each.chart.host for each in charts_of(_fleet(charts=charts))] == ["soon", "late", "calm"]


# --- What changes, and what does not ---------------------------------------------------------------------------------


def test_each_part_has_its_place_and_is_never_empty() -> None:
    for overview in (empty_overview(), sample_overview()):
        page, parts = parsed(render_page(overview, live=True)), render_parts(overview)
        assert tuple(parts) == PARTS
        places = [each.attributes for each in page.elements if "sse-swap" in each.attributes]
        assert [each["sse-swap"] for each in places] == list(PARTS)
        assert all(each["hx-swap"] == "morph:innerHTML" for each in places)
        # An event without data is none, and of text without an element nothing is swapped in.
        assert all(told.strip().startswith("<") for told in parts.values())


def test_a_fleet_that_rests_leaves_its_page_alone() -> None:
    seen = sample_overview()
    later = replace(
        seen,
        at=seen.at + 5 * MINUTE,
        hosts=tuple(replace(each, uptime=each.uptime and each.uptime + 5 * MINUTE) for each in seen.hosts),
    )
    assert render_parts(later) == render_parts(seen)


def test_only_the_parts_that_say_something_else_change() -> None:
    seen = sample_overview()
    other = replace(
        seen, hosts=tuple(replace(each, load=9.75) if each.host == "@local" else each for each in seen.hosts)
    )
    before, after = render_parts(seen), render_parts(other)
    assert [name for name in PARTS if before[name] != after[name]] == ["hosts"]


def test_names_in_the_page_are_unique() -> None:
    page = parsed(render_page(sample_overview(hosts=12, is_hostile=True), live=True))
    names = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", each) for each in names)


# --- Hostile text ----------------------------------------------------------------------------------------------------


def _is_marked_up_by_us_alone(page: Parsed) -> None:
    assert not page.unclosed
    assert {each.name for each in page.elements} <= {*_ELEMENTS.split()}
    assert {name for each in page.elements for name in each.attributes} <= {*_ATTRIBUTES.split()}
    for each in page.elements:
        assert all(name not in each.attributes for name in ("style", "onclick"))
        assert each.attributes.get("href", "#").startswith(("#", "static/", "data:image/svg+xml;base64,"))
        assert each.attributes.get("src", "static/").startswith("static/")


@pytest.mark.parametrize("is_hostile", [False, True])
def test_nothing_of_the_fleet_marks_the_page_up(*, is_hostile: bool) -> None:
    page = parsed(render_page(sample_overview(is_hostile=is_hostile), live=True))
    _is_marked_up_by_us_alone(page)
    assert not page.all("style")
    assert all(each.attributes.get("src") and not each.text.strip() for each in page.all("script"))


@given(st.text(max_size=60))
def test_any_text_comes_back_as_text(text: str) -> None:
    page = parsed(render_parts(_fleet(_host("a", "drift", reason=text)))["hosts"])
    _is_marked_up_by_us_alone(page)
    assert phrasing.cut(text) in page.all("li", class_="card")[0].text


def test_text_is_set_apart_kept_short_and_shows_what_cannot_be_seen() -> None:
    assert phrasing.said("a\u202eb") == "<bdi>a\\u202eb</bdi>"
    assert phrasing.said("<b>") == "<bdi>&lt;b&gt;</bdi>"
    assert phrasing.cut("a\r\n\t b\x1b[31m") == "a b\\x1b[31m"
    assert len(phrasing.cut("x" * 10_000)) == phrasing.LONGEST_TEXT
    assert len(render_page(sample_overview(is_hostile=True), live=True)) < 400_000


# --- The file --------------------------------------------------------------------------------------------------------


def test_the_file_holds_all_it_needs_and_allows_itself_nothing_else() -> None:
    page = parsed(export_page(sample_overview(is_hostile=True)))
    _is_marked_up_by_us_alone(page)
    assert not [each for each in page.elements if "src" in each.attributes or "sse-connect" in each.attributes]
    policy = page.all("meta", http_equiv="Content-Security-Policy") or [
        each for each in page.all("meta") if each.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    allowed = policy[0].attributes["content"]
    assert allowed.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in allowed
    for each in (*page.all("script"), *page.all("style")):
        digest = b64encode(sha256(each.text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in allowed
    assert len(page.all("script")) == 4
    assert page.all("title")[0].text == "Miyabi Recovery"


def test_no_hostile_text_is_among_what_may_run() -> None:
    page = parsed(export_page(sample_overview(is_hostile=True)))
    scripts = " ".join(each.text for each in page.all("script"))
    assert "__pwned" not in scripts
    assert all(text not in scripts for text in HOSTILE if len(text) > 20)
