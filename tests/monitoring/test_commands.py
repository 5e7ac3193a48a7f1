"""`miyabi metrics`, `miyabi trace` and `miyabi top` as they are typed, in a clone with a history of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from miyabi.errors import MonitoringError
from miyabi.history import open_history
from miyabi.journal import append
from miyabi.metrics_textfile import write_textfile
from miyabi.records import Observation, RunEnded, RunStarted
from tests.cli.acting import Clone
from tests.fleet.control import Fleet
from tests.fleet.processes import descendants
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.history.ground import make
from tests.monitoring.collector import collecting
from tests.monitoring.lint import problems
from tests.monitoring.runs import a_run
from tests.monitoring.test_metrics import series_of, value


@pytest.fixture
def clone(ssh_fleet: Fleet) -> Clone:
    """A clone whose history knows a run of a minute ago, and two hosts."""
    clone = Clone.of(ssh_fleet)
    now = time.time()
    records = [
        *a_run("fresh", now - 60),
        make(Observation, now - 80, run="fresh", host="mugen", disk_used=70.0, agents={"work:main.kaede": "working"}),
        make(Observation, now - 80, run="fresh", host="cloud-1", health="unreachable", reason="no answer", fleet=False),
    ]
    append(memory(clone), records)
    return clone


def memory(clone: Clone) -> Path:
    return clone.fleet.control.home / ".local" / "state" / "miyabi"


def test_metrics_are_what_prometheus_reads(clone: Clone) -> None:
    done = clone.miyabi("metrics")
    assert (done.code, done.stderr) == (0, "")
    assert list(problems(done.stdout)) == []
    series = series_of(done.stdout)
    assert value(series, "miyabi_host_health", host="cloud-1", health="unreachable") == 1
    assert value(series, "miyabi_disk_used_ratio", host="mugen") == 0.7
    assert value(series, "miyabi_window_recoveries", level="L2", outcome="restored") == 2
    # This machine is in the inventory, and nobody has looked at it yet.
    assert value(series, "miyabi_host_health", host="@local", health="unknown") == 1
    assert value(series, "miyabi_disk_used_ratio", host="@local") is None


def test_a_textfile_is_there_at_once_and_others_may_read_it(clone: Clone, tmp_path: Path) -> None:
    file = tmp_path / "miyabi.prom"
    file.write_text("old\n")
    inode = file.stat().st_ino
    with file.open() as reader:
        done = clone.miyabi("metrics", "--textfile", str(file))
        assert (done.code, done.output) == (0, "")
        # Who was reading goes on with what was there.
        assert reader.read() == "old\n"
    assert file.stat().st_ino != inode
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert list(problems(file.read_text())) == []
    assert [each.name for each in tmp_path.iterdir()] == ["miyabi.prom"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("miyabi.txt", "node_exporter reads only files whose names end in .prom"),
        ("missing/miyabi.prom", "No such file or directory"),
        ("folder.prom", "Is a directory"),
    ],
)
def test_a_textfile_that_cannot_be_is_one_line(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder.prom" / "full").mkdir(parents=True)
    with pytest.raises(MonitoringError, match=said) as told:
        write_textfile(tmp_path / name, "x 1\n")
    assert "\n" not in str(told.value)
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


@pytest.mark.slow
def test_a_history_that_cannot_be_read_is_said_in_the_metrics_too(clone: Clone, tmp_path: Path) -> None:
    clone.miyabi("metrics")
    for each in memory(clone).glob("history.db*"):
        each.unlink()
    (memory(clone) / "history.db").mkdir()
    done = clone.miyabi("metrics", "--textfile", str(tmp_path / "miyabi.prom"))
    assert done.code == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")
    series = series_of((tmp_path / "miyabi.prom").read_text())
    assert value(series, "miyabi_history_readable") == 0
    assert not [name for name, _ in series if name.startswith("miyabi_host")]


@pytest.mark.slow
def test_a_trace_is_sent_once_for_each_export_since_the_last(clone: Clone) -> None:
    with collecting() as collector:
        clone.fleet.control.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.address
        first = clone.miyabi("trace", "--since-last")
        assert first.code == 0, first.output
        assert first.stdout == f"1 trace of 10 spans sent to {collector.address}/v1/traces\n"
        again = clone.miyabi("trace", "--since-last")
        assert again.code == 0, again.output
        assert again.stdout.startswith("nothing was repaired since ")
        append(memory(clone), a_run("next", time.time()))
        third = clone.miyabi("trace", "--since-last")
        assert third.stdout.startswith("1 trace of 10 spans"), third.output
    runs = [
        attribute.value.string_value
        for _, request in collector.requests
        for each in request.resource_spans
        for scope in each.scope_spans
        for span in scope.spans
        for attribute in span.attributes
        if attribute.key == "miyabi.run"
    ]
    assert runs == ["fresh", "next"]


@pytest.mark.slow
def test_a_trace_that_nobody_takes_is_one_line_and_goes_on_there_the_next_time(clone: Clone) -> None:
    lost = clone.miyabi("trace", "--since-last", "--endpoint", "http://127.0.0.1:9")
    assert (lost.code, lost.stdout) == (1, "")
    [line] = lost.stderr.splitlines()
    assert line == "Error: http://127.0.0.1:9/v1/traces: the traces were not taken: connection refused"
    with collecting() as collector:
        done = clone.miyabi("trace", "--since-last", "--endpoint", collector.address)
    assert done.stdout.startswith("1 trace"), done.output


@pytest.mark.slow
def test_a_trace_as_json_is_sent_nowhere(clone: Clone) -> None:
    told = clone.told("trace", "fresh")
    assert [each["name"] for each in told["spans"]][:2] == ["recovery", "host mugen"]
    nobody = clone.miyabi("trace", "no-such-run", "--json")
    assert nobody.code == 1
    assert nobody.stderr == (
        "Error: no-such-run: no run of that name has repaired anything; miyabi history --json names them\n"
    )
    where = clone.miyabi("trace")
    assert where.code == 2
    assert "name a collector: --endpoint http://localhost:4318" in where.stderr


@pytest.mark.slow
def test_traces_without_opentelemetry_say_what_to_install(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").write_text("raise ImportError\n")
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from miyabi.cli import main; main()"
    environment = clone.fleet.control.environment
    environment["PYTHONPATH"] = str(clone.folder)
    told = ["trace", "--endpoint", "http://127.0.0.1:9"]
    done = clone.fleet.control.run("python3", "-c", code, str(tmp_path), *told, cwd=clone.folder)
    assert (done.code, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert "not installed; .venv/bin/pip install opentelemetry-sdk" in line


@pytest.mark.slow
def test_top_prints_all_of_it_once_where_nobody_looks(clone: Clone) -> None:
    done = clone.miyabi("top")
    assert (done.code, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "cloud-1 (unreachable)" in done.stdout
    assert [each for each in done.stdout.splitlines() if each.startswith("mugen") and "70 %" in each]
    assert all(each == each.rstrip() for each in done.stdout.splitlines())


class Screen:
    """``miyabi top`` in a shell in a real tmux."""

    def __init__(self, clone: Clone, columns: int, lines: int, arguments: str = "") -> None:
        self.tmux: TmuxServer = clone.fleet.control_tmux
        clone.fleet.control.environment["PYTHONPATH"] = str(clone.folder)
        size = ("-x", str(columns), "-y", str(lines), "-c", str(clone.folder))
        self.tmux.run("new-session", "-d", "-s", "t", *size, "env", "PS1=ready> ", "sh")
        self.tmux.run("send-keys", "-t", "t", f"clear; stty -g; python3 -m miyabi top {arguments}", "Enter")
        self.wait(lambda seen: seen and seen[-1].startswith("q quits"), "it fills the terminal")

    def text(self) -> list[str]:
        """What stands there."""
        return self.tmux.run("capture-pane", "-p", "-t", "t").splitlines()

    def wait(self, predicate: Callable[[list[str]], object], what: str) -> list[str]:
        """What stands there once that holds."""
        wait_until(lambda: predicate(self.text()), 30, what=f"{what}: {self.text()}")
        return self.text()

    def is_live(self) -> bool:
        """Whether it has the terminal, and the shell's own screen is behind it."""
        return self.tmux.run("display", "-p", "-t", "t", "#{alternate_on}") == "1"

    def ended(self) -> None:
        """It is over, and left the terminal as it was."""
        wait_until(lambda: not self.is_live(), what="it ends")
        self.wait(lambda seen: [each for each in seen if each.strip() == "ready>"], "the shell has it")
        self.tmux.run("send-keys", "-t", "t", "stty -g", "Enter")
        seen = self.wait(lambda seen: len(modes(seen)) == 2, "stty has spoken")
        assert len(set(modes(seen))) == 1
        assert self.tmux.run("display", "-p", "-t", "t", "#{cursor_flag}") == "1"


def modes(seen: list[str]) -> list[str]:
    """What ``stty -g`` has printed."""
    return [each for each in seen if each.count(":") > 20]


@pytest.mark.slow
def test_top_fills_the_terminal_follows_its_size_and_what_runs_write_and_leaves_at_q(clone: Clone) -> None:
    screen = Screen(clone, 80, 24, "--every 1s")
    assert screen.is_live()
    seen = screen.text()
    assert len(seen) == 24
    assert "attention: cloud-1 (unreachable)" in seen[0]
    screen.tmux.run("resize-window", "-t", "t", "-x", "140", "-y", "40")
    seen = screen.wait(lambda seen: len(seen) == 40 and seen[-1].startswith("q quits"), "it takes the new size")
    assert [each for each in seen if each.startswith("DONE") and "LEVEL" in each]
    now = time.time()
    well = make(Observation, now, run="later", host="cloud-1", health="healthy")
    append(memory(clone), [make(RunStarted, now, run="later"), well])
    append(memory(clone), [make(RunEnded, now + 1, run="later", outcome="clean", seconds=1.0, hosts=1)])
    screen.wait(lambda seen: "cloud-1 (unreachable)" not in seen[0], "it sees the new look")
    screen.tmux.run("send-keys", "-t", "t", "q")
    screen.ended()


@pytest.mark.slow
@pytest.mark.parametrize("end", ["C-c", "C-d", "TERM"])
def test_top_leaves_the_terminal_as_it_was_however_it_ends(clone: Clone, end: str) -> None:
    screen = Screen(clone, 80, 24)
    if end == "TERM":
        pane = int(screen.tmux.run("display", "-p", "-t", "t", "#{pane_pid}"))
        [child] = descendants([pane])
        os.kill(child, signal.SIGTERM)
    else:
        screen.tmux.run("send-keys", "-t", "t", end)
    screen.ended()


@pytest.mark.slow
def test_top_gives_the_terminal_back_while_it_is_stopped(clone: Clone) -> None:
    clone.fleet.control.environment["PYTHONPATH"] = str(clone.folder)
    tmux = clone.fleet.control_tmux
    size = ("-x", "80", "-y", "24", "-c", str(clone.folder))
    tmux.run("new-session", "-d", "-s", "t", *size, "env LANG=C.UTF-8 bash --norc -i")
    tmux.run("send-keys", "-t", "t", "python3 -m miyabi top", "Enter")

    def seen() -> str:
        return tmux.run("capture-pane", "-p", "-t", "t")

    wait_until(lambda: "q quits" in seen(), 30, what="it fills the terminal")
    tmux.run("send-keys", "-t", "t", "C-z")
    wait_until(lambda: "Stopped" in seen(), what=f"the shell has it: {seen()}")
    assert tmux.run("display", "-p", "-t", "t", "#{alternate_on} #{cursor_flag}") == "0 1"
    tmux.run("send-keys", "-t", "t", "fg", "Enter")
    wait_until(lambda: "q quits" in seen(), what="it is back")
    tmux.run("send-keys", "-t", "t", "q")
    wait_until(lambda: "q quits" not in seen(), what="it is over")


@pytest.mark.slow
def test_top_without_colours_has_none(clone: Clone) -> None:
    clone.fleet.control.environment["NO_COLOR"] = "1"
    screen = Screen(clone, 80, 24)
    drawn = screen.tmux.run("capture-pane", "-e", "-p", "-t", "t")
    screen.tmux.run("send-keys", "-t", "t", "q")
    screen.ended()
    assert "\x1b[1m" in drawn
    assert not re.search(r"\x1b\[(?:\d+;)*(?:[349][0-7]|[34]8;[\d;]+)m", drawn)


@pytest.mark.slow
def test_top_of_a_history_that_cannot_be_read_is_one_line(clone: Clone) -> None:
    memory(clone).mkdir(parents=True, exist_ok=True)
    (memory(clone) / "history.db").mkdir()
    done = clone.miyabi("top")
    assert (done.code, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_what_is_read_is_what_was_written(clone: Clone) -> None:
    """The journal is taken in by whoever reads: nothing of it is lost by that."""
    clone.miyabi("top")
    with open_history(memory(clone), None, now=time.time()) as history:
        assert {each.host for each in history.records(Observation)} == {"mugen", "cloud-1"}
    assert json.loads(clone.miyabi("trace", "--json").stdout)["spans"]
