"""Markdown, HTML and JSON say the same, and nothing that a fleet has written acts in any of them."""

from __future__ import annotations

import json
import re
from datetime import UTC
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from markdown_it import MarkdownIt
from typing_extensions import override

from miyabi.monitoring import DAY, Monitoring, Reports
from miyabi.reports.closed_work import work_of
from miyabi.reports.commits import commits_of
from miyabi.reports.document import Line
from miyabi.reports.html import paths
from miyabi.reports.markdown import bar, escaped, line, thinned
from miyabi.reports.past import Asked
from miyabi.reports.phrasing import difference, figure, percent, words
from miyabi.reports.printing import printed
from miyabi.reports.report import Missing, Report, Trend
from tests.reports.github_server import issue, pull
from tests.reports.making import KAEDE, MIDNIGHT, foretold, incident, looks, repair, report_of

HOUR = 3600.0
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "a | b || c",
    "`code` ``` *bold* _it_ [link](javascript:alert(1)) ![i](http://x.example/y)",
    "# heading\n## another\n- point",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J",
    "\u202egnirts\u202c \u200bzero\u2066",
    "& &amp; &#60; \\ \\| <!-- -->",
    "x" * 10_000,
    "'\"><svg onload=alert(1)>",
    "TOKEN=ghp_" + "a1B2" * 9,
    "{{ 7 * 7 }} {% raw %}",
    "",
)


class Text(HTMLParser):
    """The words of a page, and its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self._quiet = False

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += attrs
        self._quiet = tag == "style"

    @override
    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All of its words."""
        return " ".join("".join(self.words).split())


def read_html(page: str) -> Text:
    parser = Text()
    parser.feed(page)
    return parser


def read_markdown(text: str) -> Text:
    # Raw HTML is let through, as GitHub does with some: what is not escaped would be seen.
    return read_html(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def full(tmp_path: Path, hostile: str = "") -> Report:
    """A report with something in each of its sections, and with ``hostile`` wherever others write."""
    host, target = f"mugen{hostile}"[:200], f"{KAEDE}{hostile}"
    records = [
        *looks(host, disk_used=71.5, memory_available=40.25, agents={target: "working", f"{target}2": "permission"}),
        *repair(MIDNIGHT + HOUR, host, target=target, cause=f"oom:{hostile}", kind=f"pane-dead{hostile}"),
        *repair(MIDNIGHT + 2 * HOUR, host, target=target, held=False),
        *incident("one", MIDNIGHT + 2 * HOUR, None, host=host, target=target, summary=f"does not come back {hostile}"),
        foretold(MIDNIGHT + DAY, host, summary=f"disk reaches 90 % soon {hostile}"),
    ]
    listed = f"1\0{MIDNIGHT + 1}\0kaede{hostile}\0kaede@x\0\0".replace("\0\0\0", "\0\0")
    asked = Asked(
        commits={f"app{hostile}": commits_of(listed)},
        work=(
            work_of(
                "example/app",
                [
                    issue(7, "2026-11-20T08:00:00Z", f"An issue {hostile}"),
                    pull(8, "2026-11-20T09:00:00Z", title=f"A change {hostile}", user={"login": f"k{hostile}"}),
                ],
            ),
        ),
        instances={host: ("i-1", f"t3.micro{hostile}")},
        missing=(Missing(f"commits of /x{hostile}", f"gone {hostile}"),),
    )
    return report_of(tmp_path, records, asked=asked, monitoring=Monitoring(reports=Reports(prices={"t3.micro": 0.5})))


def test_all_formats_say_the_same(tmp_path: Path) -> None:
    report = full(tmp_path)
    markdown, page = read_markdown(printed(report, "md", UTC)), read_html(printed(report, "html", UTC))
    told = json.loads(printed(report, "json", UTC))
    assert told["sentence"] == report.sentence
    facts = [
        report.sentence,
        "2026-11-20 00:00 UTC",
        percent(report.fleet.percent),
        "An issue",
        "A change",
        "does not come back",
        "commits of /x",
        "disk reaches 90 % soon",
        *(each["change"] for each in told["recommendations"]),
        *(each["about"] for each in told["recommendations"]),
        *(each["name"] for each in told["trends"]),
        *(words(each.reason, 300) for each in report.recommendations),
    ]
    for fact in facts:
        assert " ".join(fact.split()) in markdown.text, fact
        assert " ".join(fact.split()) in page.text, fact
    figures = re.compile(r"\d+(?:\.\d+)?")
    # Menus and labels of pictures aside, each figure of the one is in the other.
    drawn = re.compile(r"[▁▂▃▄▅▆▇█▏▎▍▌▋▊▉·]+")
    assert set(figures.findall(drawn.sub(" ", markdown.text))) == set(figures.findall(page.text))


def test_json_has_the_figures_themselves(tmp_path: Path) -> None:
    report = full(tmp_path)
    told = json.loads(printed(report, "json", UTC))
    assert (told["report"], told["form"], told["so_far"]) == ("daily-2026-11-20", 1, False)
    assert (told["since"], told["until"]) == ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z")
    assert told["fleet"]["percent"] == report.fleet.percent
    assert told["fleet"]["before"]["percent"] is None
    assert told["fleet"].keys() == {"percent", "up", "down", "uncounted", "asleep", "before"}
    assert told["levels"][0]["tries"] == 2
    assert told["costs"] == {
        "currency": "USD",
        "known": 12.0,
        "instances": [
            {
                "host": "mugen",
                "instance_id": "i-1",
                "instance_type": "t3.micro",
                "hours": 24,
                "price": 0.5,
                "cost": 12.0,
            }
        ],
    }
    assert told["commits"]["agents"] == [{"agent": "kaede <kaede@x>", "commits": 1, "repositories": {"app": 1}}]
    assert told["work"][0]["closed"][0]["at"] == "2026-11-20T08:00:00Z"
    assert told["capacity"][0]["foretold"]["crosses_at"] == "2026-11-21T10:00:00Z"
    assert told["incidents"][0]["closed_at"] is None


@pytest.mark.slow
@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_what_others_write_does_nothing(tmp_path: Path, hostile: str) -> None:
    plain, report = full(tmp_path / "plain"), full(tmp_path / "hostile", hostile)
    for form, read in (("md", read_markdown), ("html", read_html)):
        text = printed(report, form, UTC)  # type: ignore[arg-type]
        usual, found = read(printed(plain, form, UTC)), read(text)  # type: ignore[arg-type]
        assert found.elements <= usual.elements | {"code"}, form
        assert not [name for name, _ in found.attributes if name.startswith("on") or name == "src"]
        assert not [value for name, value in found.attributes if name == "href" and not (value or "").startswith("#")]
        assert "a1B2a1B2" not in text
        assert all(letter.isprintable() or letter == "\n" for letter in text)
        assert len(text) < 4 * len(printed(plain, form, UTC)) + 20_000  # type: ignore[arg-type]
    raw = printed(report, "json", UTC)
    assert "a1B2a1B2" not in raw
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", raw)
    json.loads(raw)


def test_every_row_of_a_table_has_its_cells(tmp_path: Path) -> None:
    text = printed(full(tmp_path, HOSTILE[2]), "md", UTC)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(counts) == 1, table
        assert len({len(row) for row in table.splitlines()}) == 1, "the columns stand below each other"


@given(st.text(max_size=60))
def test_markdown_prints_any_text_as_it_is(text: str) -> None:
    shown = words(text)
    for markdown in (f"| a |\n|---|\n| {escaped(shown)} |\n", f"x {escaped(shown)} y"):
        found = read_markdown(markdown)
        assert " ".join(shown.split()) in found.text
        assert found.elements <= {"table", "thead", "tbody", "tr", "th", "td", "p"}


def test_a_page_asks_for_nothing(tmp_path: Path) -> None:
    page = printed(full(tmp_path), "html", UTC)
    assert "default-src 'none'" in page
    assert not re.search(r"src=|href=(?!\"#)|url\(|@import|<script|https?:", page)


def test_an_empty_report(tmp_path: Path) -> None:
    report = report_of(tmp_path, [])
    for form in ("md", "html", "json"):
        text = printed(report, form, UTC)
        assert "Nobody looked" in text
    assert "no data" in printed(report, "md", UTC)


def test_so_far_is_said(tmp_path: Path) -> None:
    report = report_of(tmp_path, looks(until=MIDNIGHT + HOUR), now=MIDNIGHT + HOUR)
    text = printed(report, "md", UTC)
    assert text.startswith("# Miyabi Recovery, day 2026-11-20 so far\n")
    assert "This day is not over" in text
    assert json.loads(printed(report, "json", UTC))["so_far"] is True


@pytest.mark.parametrize(
    ("trend", "told"),
    [
        (Trend("x", "times", 5, 3, "down"), "+2 (worse)"),
        (Trend("x", "times", 3, 5, "down"), "-2 (better)"),
        (Trend("x", "times", 3, 5), "-2"),
        (Trend("x", "times", 3, 3, "down"), "same"),
        (Trend("x", "times", 0, None, "down"), "no data"),
        (Trend("x", "percent", 99.5, 99.25, "up"), "+0.25 points (better)"),
        (Trend("x", "seconds", 60, 7260, "down"), "-2 h (better)"),
        (Trend("x", "seconds", 60.2, 60, "down"), "same"),
    ],
)
def test_differences(trend: Trend, told: str) -> None:
    assert difference(trend) == told


def test_figures_in_words() -> None:
    assert [percent(each) for each in (None, 100, 99.9999, 99.5, 50, 0)] == [
        "no data",
        "100 %",
        "99.99 %",
        "99.5 %",
        "50 %",
        "0 %",
    ]
    assert [figure(0, "times"), figure(None, "times"), figure(0, "seconds")] == ["0", "no data", "0 s"]


def test_what_is_drawn() -> None:
    assert [bar(each) for each in (None, 0, 0.001, 0.5, 1, 2)] == ["", "", "▏", "██████", "█" * 12, "█" * 12]
    assert line(Line([0, 50, None, 100])) == "▁▅·█"
    assert thinned([1, 3, None, None, 5, 7], 3) == [2, None, 6]
    assert paths(Line([0, 100, None, 50])) == ["0.0,27.0 53.3,1.0", "160.0,14.0 160.0,14.0"]
    assert paths(Line(())) == []


def test_words_are_short_and_bounded() -> None:
    told = words("\x1b[2J" + "a b\n" * 1_000_000)
    assert len(told) == 160
    assert told.endswith("…")


def test_nothing_of_json_is_left_out(tmp_path: Path) -> None:
    told: dict[str, Any] = json.loads(printed(full(tmp_path), "json", UTC))
    documented = Path(__file__).resolve().parents[2] / "docs" / "reports.md"
    text = documented.read_text()
    missing = [key for key in told if f"`{key}`" not in text]
    assert not missing, missing
