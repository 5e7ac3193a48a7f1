"""What a spec and the fleet's file say about the gate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from miyabi import fleet_file
from miyabi.cli import main
from miyabi.errors import SpecError
from miyabi.fleet_file import history_address, read_fleet_file
from miyabi.gate_rules import FleetFile, FleetRules, Rules
from tests.spec.reading import pane, spec

EXAMPLE = "postgresql+psycopg://miyabi:$NAME@db/miyabi"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this test's entries."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "miyabi" / "specs"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where this test's fleet file is."""
    return tmp_path / "fleet.yaml"


def test_defaults_are_the_rules_own() -> None:
    assert spec("sessions: []").gate == spec("gate: {backoff: {}}").gate == Rules()


def test_everything_can_be_set() -> None:
    found = spec("""
        gate:
          backoff: {first: 1s, longest: 2m}
          healthy_after: 3m
          tries: 4
          restarts_per_hour: 6
          retry_after: 7h
          flapping: {start: 60%, stop: 8%}
          confirm: {seen: 2, of: 9}
          presence: 0
          breaker: {failures: 10, open: 11m}
    """).gate
    assert found == Rules(1, 120, 180, 4, 6, 7 * 3600, 60, 8, 2, 9, 0, 10, 660)


def test_maintenance() -> None:
    found = spec("""
        maintenance: moving house
        sessions:
          - session_name: a
            maintenance: true
            windows: [{panes: [{maintenance: "2"}, {maintenance: false}, vim]}]
          - {session_name: b, windows: [{}]}
    """)
    assert found.maintenance == "moving house"
    first, second = found.sessions
    assert (first.maintenance, second.maintenance) == ("maintenance", None)
    assert [each.maintenance for each in first.windows[0].panes] == ["2", None, None]
    assert pane("{maintenance: yes}").maintenance == "maintenance"


def test_maintenance_of_a_workspace_is_the_host_s() -> None:
    found = spec("session_name: s\nmaintenance: why\nwindows: [{}]")
    assert (found.maintenance, found.sessions[0].maintenance) == ("why", "why")


def test_without_a_fleet_file_the_defaults_hold(file: Path, cache: Path) -> None:
    assert read_fleet_file(file) == read_fleet_file(file / "below") == FleetFile()
    assert not cache.exists()


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "storm: {}\nhistory: {}"])
def test_a_fleet_file_that_says_nothing(file: Path, text: str) -> None:
    file.write_text(text)
    assert read_fleet_file(file) == FleetFile()


def test_the_fleet_file_of_the_repository() -> None:
    assert read_fleet_file(REPOSITORY / "inventory" / "fleet.yaml") == FleetFile()


def test_what_is_commented_out_there_is_right(file: Path) -> None:
    lines = (REPOSITORY / "inventory" / "fleet.yaml").read_text().splitlines()
    texts = [line.removeprefix("# ") for line in lines]
    file.write_text("\n".join(text for text in texts if (text[:1].islower() and ":" in text) or text.startswith("  ")))
    found = read_fleet_file(file)
    assert found.rules == FleetRules()
    assert found.keep == FleetFile().keep
    assert found.state == str(Path.home() / ".local/state/miyabi")
    assert history_address(found, {"MIYABI_DB_PASSWORD": "x"}) == "postgresql+psycopg://miyabi:x@db.example/miyabi"


def test_everything_of_a_fleet_can_be_set(file: Path) -> None:
    file.write_text(
        "max_unavailable: 2\nstorm: {hosts: 40%, at_least: 3, targets: 4, cooldown: 1m}\nlease: 5m\n"
        "state: /var/lib/miyabi\nhistory: {url: 'sqlite:////x.db', keep: 10d}\n"
    )
    expected = FleetFile(FleetRules(2, False, 40, 3, 4, 60, 300), "/var/lib/miyabi", "sqlite:////x.db", 864000)
    assert read_fleet_file(file) == read_fleet_file(file) == expected


@pytest.mark.parametrize(
    ("written", "number", "is_percent"),
    [("1", 1, False), ("33%", 33, True), ("'10 %'", 10, True), ("'3'", 3, False), ("100%", 100, True)],
)
def test_how_many_may_be_unavailable(file: Path, written: str, number: float, is_percent: bool) -> None:
    file.write_text(f"max_unavailable: {written}")
    rules = read_fleet_file(file).rules
    assert (rules.max_unavailable, rules.is_percent) == (number, is_percent)


def test_everything_that_is_wrong_is_told_with_its_line(file: Path) -> None:
    file.write_text(
        "max_unavailable: 0%\n"
        "storm: {hosts: 0, at_least: 1,\n  targets: x}\n"
        "lease: 8d\n"
        "leases: 1\n"
        "state: here\n"
        "history:\n  url: postgresql://me:hush hush@db/x\n  keep: 1h\n"
    )
    with pytest.raises(SpecError) as refused:
        read_fleet_file(file)
    assert str(refused.value).replace(f"{file}:", "").splitlines() == [
        "1: max_unavailable: found '0%'; allowed: a number of hosts from 1, or a percentage above 0, such as 25%",
        "2: storm.hosts: found 0; allowed: more than 0",
        "2: storm.at_least: found 1; allowed: 2 or more",
        "3: storm.targets: found 'x'; allowed: a whole number",
        "4: lease: found '8d'; allowed: a duration of more than 0 and at most 7d",
        "5: leases: found the unknown key 'leases'; allowed: did you mean lease?",
        "6: state: found 'here'; allowed: an absolute path, or one that begins with ~",
        f"8: history.url: found text that is no URL; allowed: a database's URL without spaces, such as {EXAMPLE}",
        "9: history.keep: found '1h'; allowed: a duration of at least 1d",
    ]


@pytest.mark.parametrize("written", ["yes", "1.5", "-1", "many", "[1]", "101%", ""])
def test_what_is_no_number_of_hosts(file: Path, written: str) -> None:
    file.write_text(f"max_unavailable: {written}")
    with pytest.raises(SpecError, match=r":1: max_unavailable: found .*allowed: a number of hosts from 1"):
        read_fleet_file(file)


@pytest.mark.parametrize(("content", "found"), [(b"- 1", "a list"), (b"\xff", "0xFF"), (b"a: [", "cannot be read")])
def test_what_is_no_fleet_file(file: Path, content: bytes, found: str) -> None:
    file.write_bytes(content)
    with pytest.raises(SpecError, match=found):
        read_fleet_file(file)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="found a directory"):
        read_fleet_file(tmp_path)
    link = tmp_path / "link.yaml"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(SpecError, match="found no such file"):
        read_fleet_file(link)


def test_the_folder_of_the_memory_begins_at_home(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("state: ~/memory")
    for home in ("/home/a", "/home/b"):
        monkeypatch.setenv("HOME", home)
        assert read_fleet_file(file).state == f"{home}/memory"
    file.write_text("state: ~nobody-here/memory")
    with pytest.raises(SpecError, match="found '~nobody-here/memory'"):
        read_fleet_file(file)


def test_passwords_come_from_the_environment(file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "p@ss/word")
    file.write_text("history: {url: 'postgresql+psycopg://me:$WORD@db/${WORD}'}")
    fleet = read_fleet_file(file)
    assert history_address(fleet, os.environ) == "postgresql+psycopg://me:p%40ss%2Fword@db/p%40ss%2Fword"
    assert "p@ss" not in repr(fleet)
    assert not any("p@ss" in entry.read_text() for entry in cache.iterdir())
    with pytest.raises(SpecError, match=r"history.url: found \$WORD; allowed: a variable that is set"):
        history_address(fleet, {})
    assert history_address(FleetFile(history_url="$WHOLE"), {"WHOLE": "sqlite:////a b"}) == "sqlite:////a b"
    assert history_address(FleetFile(), {}) is None


@pytest.mark.parametrize("content", ["{}", "[]", "x", '{"fleet":{}}', '{"fleet":{"rules":{},"nothing":1}}'])
def test_corrupt_entries_are_replaced(file: Path, cache: Path, content: str) -> None:
    file.write_text("lease: 1m")
    expected = read_fleet_file(file)
    (entry,) = cache.iterdir()
    good = entry.read_text()
    entry.write_text(content)
    assert read_fleet_file(file) == expected
    assert entry.read_text() == good


def test_a_spec_with_the_same_text_is_another_entry(file: Path) -> None:
    """An empty fleet file and a spec of the same bytes are not taken for one another."""
    from miyabi.spec_cache import cached_spec  # noqa: PLC0415 - beside what it must not be mixed up with

    file.write_text("{}")
    assert cached_spec(file, "fleet").sessions == ()
    assert read_fleet_file(file) == FleetFile()


def test_every_module_that_makes_it_is_part_of_the_key() -> None:
    """What fleet_schema imports, and what that imports, but for the models of specs."""
    found, missing = set(), {"fleet_file", "fleet_schema"}
    while missing:
        name = missing.pop()
        found.add(name)
        text = (REPOSITORY / "miyabi" / f"{name}.py").read_text()
        imported = {line.split()[1].removeprefix("miyabi.") for line in text.splitlines() if "from miyabi." in line}
        missing |= imported - found - {"spec_rules", "spec_schema", "spec_cache", "spec", "errors", "spec_expand"}
    assert set(fleet_file._SOURCES) == found


HIT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from miyabi.fleet_file import history_address, read_fleet_file
print(read_fleet_file(Path(sys.argv[2])).rules.lease, *sorted({"pydantic", "yaml"} & set(sys.modules)))
"""


def test_a_hit_imports_neither_pydantic_nor_yaml(file: Path) -> None:
    file.write_text("lease: 1m")
    printed = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", HIT, REPOSITORY, file], capture_output=True, text=True, check=True, env=os.environ
        )
        printed.append(run.stdout)
    assert "pydantic" in printed[0]
    assert printed[1] == "60.0\n"


def test_check_reads_the_fleet_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inventory" / "specs").mkdir(parents=True)
    (tmp_path / "inventory" / "specs" / "fleet.yaml").write_text("sessions: []")
    (tmp_path / "inventory" / "fleet.yaml").write_text("lease: 1m")
    for arguments in ([], ["inventory/specs/fleet.yaml", "./inventory/fleet.yaml"]):
        good = CliRunner().invoke(main, ["spec", "check", *arguments])
        assert good.exit_code == 0
        first, second = good.output.splitlines()
        assert first == "ok  inventory/specs/fleet.yaml  (0 sessions, 0 windows, 0 panes)"
        assert second.endswith("inventory/fleet.yaml  (what holds for all hosts)")
    (tmp_path / "inventory" / "fleet.yaml").write_text("leese: 1m")
    bad = CliRunner().invoke(main, ["spec", "check"])
    assert bad.exit_code == 1
    assert bad.stderr.startswith("inventory/fleet.yaml:1: leese: found the unknown key 'leese'; allowed: did you mean")
