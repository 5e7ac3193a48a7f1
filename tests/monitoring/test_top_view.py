"""What ``miyabi top`` shows: it fits, says what is cut, puts what is sick first, and lets no text do anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len
from rich.text import Text

from miyabi.figures import Chart, Deed, Overview
from miyabi.top_sections import curve
from miyabi.top_view import frame, sentence, whole
from tests.monitoring.overviews import (
    ASLEEP,
    CHARTS,
    DAY,
    DEEDS,
    EMPTY,
    HOSTILE,
    HOSTS,
    HOUR,
    LEVELS,
    MUGEN,
    NOW,
    STORY,
    UNREACHABLE,
    WELL,
    an_overview,
)

LARGE = an_overview(
    hosts=(*HOSTS, *(replace(WELL, host=f"node-{n:03}") for n in range(60))),
    open_incidents=tuple(replace(STORY, incident=f"{n}", host=f"node-{n:03}") for n in range(9)),
    deeds=tuple(replace(DEEDS[1], at=NOW - n, why=f"try {n}") for n in range(60)),
    charts=tuple(replace(CHARTS[0], host=f"node-{n:03}", crosses_at=None) for n in range(60)),
)


def lines(overview: Overview, width: int, height: int) -> list[str]:
    """The lines of a terminal of that size, which they fill and do not exceed."""
    made = frame(overview, (width, height), UTC)
    assert len(made) <= height
    assert all(each.cell_len <= width for each in made)
    return [each.plain.rstrip() for each in made]


def test_everything_fits_into_eighty_by_twenty_four() -> None:
    told = lines(an_overview(), 80, 24)
    assert len(told) == 24
    assert told[0].startswith("2 of 5 hosts need attention: cloud-1 (unreachable), mugen (drift,")
    assert told[0].endswith("12:00:00")
    assert "last run 40 s ago: failed in 6.2 s" in told[2]
    for title in ("HOST ", "AGENTS ", "INCIDENT ", "CURVE ", "DONE ", "LEVEL "):
        assert [each for each in told if each.startswith(title)], title
    # Those first that need somebody.
    rows = told[4:9]
    assert [each.split()[0] for each in rows] == ["cloud-1", "mugen", "macbook", "pixel", "control"]
    assert "held until 12:40" in rows[1] or "held until 12:" in rows[1]


def test_a_wide_one_shows_all_and_cuts_nothing() -> None:
    told = lines(an_overview(), 160, 40)
    assert told[-1] == "q quits"
    text = "\n".join(told)
    assert "held until 12:40: 5 restarts within an hour; exited with status 1" in text
    assert "reaches 90 % in 13 h (11 h to 16 h); 4 of 4 earlier ones came true" in text
    assert "38 of 38 in 10 s" in text
    # What was done and how levels went stand beside each other.
    assert [each for each in told if each.startswith("DONE") and "LEVEL" in each]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 40), (100, 30), (60, 15), (240, 70)])
def test_what_has_no_room_is_counted(width: int, height: int) -> None:
    told = lines(LARGE, width, height)
    assert len(told) == height
    assert "no room for" in told[-1]
    title = next(each for each in told if each.startswith("HOST"))
    shown, _, total = title.split()[1].partition("/")
    assert total == "65"
    assert f"{65 - int(shown)} hosts" in told[-1]


def test_the_sick_stay_when_there_is_hardly_any_room() -> None:
    told = lines(LARGE, 80, 8)
    assert "need attention" in told[0]
    assert [each for each in told if each.startswith("cloud-1")]
    assert [each for each in told if each.startswith("mugen")]


@given(st.integers(1, 250), st.integers(1, 90))
def test_it_fits_into_any_terminal(width: int, height: int) -> None:
    for overview in (an_overview(), LARGE, EMPTY):
        lines(overview, width, height)


def test_text_from_hosts_can_do_nothing_to_the_terminal() -> None:
    hostile = an_overview(
        hosts=(
            replace(
                MUGEN,
                host=HOSTILE,
                level=HOSTILE,
                agents={HOSTILE: HOSTILE},
                drifts=(replace(MUGEN.drifts[0], target=HOSTILE, reason=HOSTILE, gate=HOSTILE),),
            ),
            replace(UNREACHABLE, host="[red]x[/]", reason=HOSTILE),
        ),
        open_incidents=(replace(STORY, host=HOSTILE, target=HOSTILE, summary=HOSTILE),),
        deeds=(Deed(NOW, HOSTILE, HOSTILE, HOSTILE, "failed", HOSTILE, HOSTILE, 1.0),),
        levels=(replace(LEVELS[0], level=HOSTILE),),
        charts=(replace(CHARTS[0], host=HOSTILE, words=HOSTILE),),
        trouble=HOSTILE,
    )
    made = [*frame(hostile, (200, 50), UTC), *whole(hostile, 200, UTC)]
    for each in made:
        assert each.plain.isprintable(), each.plain
        assert "\u202e" not in each.plain
    text = "\n".join(each.plain for each in made)
    assert "[red]x[/]" in text
    assert "All of this may be old" in text


def test_wide_characters_are_counted_as_wide() -> None:
    hosts = (replace(MUGEN, host="計算機" * 9), WELL)
    told = frame(an_overview(hosts=hosts), (80, 24), UTC)
    assert all(cell_len(each.plain) <= 80 for each in told)


@pytest.mark.parametrize(
    ("overview", "told"),
    [
        (EMPTY, "Nothing has been seen yet: make recover is what looks."),
        (an_overview(hosts=(WELL, ASLEEP), open_incidents=()), "All is well: 1 host healthy, 1 asleep."),
        (an_overview(hosts=(WELL,)), "No host needs attention. 1 incident open, HIGH."),
        (
            an_overview(hosts=(UNREACHABLE, WELL), open_incidents=()),
            "1 of 2 hosts needs attention: cloud-1 (unreachable).",
        ),
    ],
)
def test_the_sentence(overview: Overview, told: str) -> None:
    assert sentence(overview) == told


def test_what_is_not_known_is_not_said_to_be_zero() -> None:
    text = "\n".join(lines(EMPTY, 120, 30))
    assert "availability is not known yet (99 % promised)" in text
    assert "no run is known" in text
    assert " 0" not in text
    row = next(each for each in lines(an_overview(), 160, 40) if each.startswith("cloud-1"))
    assert "%" not in row


def test_an_overdrawn_budget_and_a_run_without_an_end_are_said() -> None:
    run = an_overview().run
    assert run is not None
    overview = an_overview(run=replace(run, outcome="", seconds=None), budget=replace(an_overview().budget, spent=30.0))
    text = "\n".join(lines(overview, 160, 40))
    assert "the run of 40 s ago has no end yet" in text
    assert "error budget overdrawn by 50 %" in text


def test_the_whole_is_not_cut_but_for_what_was_done() -> None:
    text = [each.plain for each in whole(LARGE, 120, UTC)]
    assert sum(each.startswith("node-") for each in text) == 60 + 60
    assert [each for each in text if each.startswith("DONE 12/60")]


def a_chart(*points: tuple[float, float]) -> Chart:
    return Chart("mugen", "disk_used", [(at, value, value) for at, value in points])


def test_a_curve_goes_up_with_its_measure_and_has_blanks_where_nobody_looked() -> None:
    rising = a_chart(*((NOW + n * HOUR, 50 + n) for n in range(40)))
    drawn = curve(rising, 20)
    assert len(drawn) == 20
    assert (drawn[0], drawn[-1]) == ("▁", "█")
    assert list(drawn) == sorted(drawn)
    gap = a_chart(*((NOW + n * HOUR, 50.0) for n in (*range(10), *range(30, 40))))
    assert "     " in curve(gap, 20)
    # A percentage point of noise is no mountain.
    flat = a_chart(*((NOW + n * HOUR, 50 + n % 2 * 0.2) for n in range(40)))
    assert set(curve(flat, 20)) <= {"▄", "▅"}
    assert curve(rising, 20, is_ascii=True).isascii()
    assert curve(a_chart((NOW, 50.0)), 20).strip()
    assert curve(a_chart(), 20) == ""


@given(st.lists(st.tuples(st.floats(NOW, NOW + DAY), st.floats()), max_size=30), st.integers(1, 40))
def test_a_curve_is_never_longer_than_it_may_be(points: list[tuple[float, float]], width: int) -> None:
    assert len(curve(a_chart(*sorted(points)), width)) <= width


def test_colours_say_nothing_that_the_words_do_not() -> None:
    made: list[Text] = frame(an_overview(), (160, 40), UTC)
    plain = "\n".join(each.plain for each in made)
    for word in ("unreachable", "drift", "stale", "asleep", "healthy", "HIGH", "failed", "restored", "held"):
        assert word in plain
