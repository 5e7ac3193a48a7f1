"""Every channel, alive and dead: the others get theirs, and all is over in time."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from miyabi.alert_rules import AlertRules, Channel, Step, Subscriber
from miyabi.alert_text import Alert, alerts_of
from miyabi.channels import Delivered, deliver, tell
from miyabi.incidents import judge
from miyabi.levels import Level
from miyabi.records import AlertSent, BreakerChanged, IncidentChanged
from miyabi.signals import health_ok, recovery_complete
from tests.alerts.endpoints import accepting, answering, dribbling, refused_port, talking_nonsense
from tests.alerts.telling import wrong

NOW = 1_795_227_120.0
SECRET = "hunter2-Zq81"  # noqa: S105 - what must be nowhere
BOUND = 1.0


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SECRET_TOKEN", SECRET)


def alert() -> Alert:
    changes = judge((), [wrong()], (), run="r", now=NOW)
    (made,) = alerts_of(changes, [wrong()], now=NOW)
    return made


def rules(*channels: Channel, subscribers: tuple[Subscriber, ...] = ()) -> AlertRules:
    return AlertRules(channels=channels, subscribers=subscribers)


def webhook(name: str, where: str, **headers: str) -> Channel:
    return Channel(name, "webhook", where, tuple(headers.items()), BOUND)


def sent(folder: Path, *channels: Channel) -> dict[str, str]:
    return deliver([alert()], rules(*channels), folder=folder, now=NOW, say=lambda _: None)


def test_console_and_file_need_no_other_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    said: list[str] = []
    where = tmp_path / "new" / "alerts.log"
    wanted = rules(Channel("console", "console"), Channel("file", "file", str(where)), Channel("other", "file"))
    for _ in range(2):
        results = deliver([alert()], wanted, folder=tmp_path / "memory", now=NOW, say=said.append)
        assert results == {"console": "sent", "file": "sent", "other": "sent"}
    assert said[0] == alert().text
    assert where.read_text(encoding="utf-8") == f"2026-11-21T02:12:00Z\n{alert().text}\n\n" * 2
    assert where.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "memory" / "alerts.log").is_file()


def test_a_webhook_gets_everything(tmp_path: Path) -> None:
    with answering() as hook:
        results = sent(
            tmp_path, webhook("ops", f"{hook.url()}?key=$SECRET_TOKEN", Authorization="Bearer ${SECRET_TOKEN}")
        )
    assert results == {"ops": "sent"}
    (body,) = hook.bodies
    assert body["text"] == alert().text
    assert body["alerts"][0]["severity"] == "HIGH"
    assert body["alerts"][0]["target"] == "work:main.kaede"
    assert hook.headers[0]["Authorization"] == f"Bearer {SECRET}"


def test_apprise_gets_it(tmp_path: Path) -> None:
    with answering() as hook:
        results = sent(tmp_path, Channel("any", "apprise", f"json://127.0.0.1:{hook.port}/$SECRET_TOKEN"))
    assert results == {"any": "sent"}
    (body,) = hook.bodies
    assert body["title"] == alert().line
    assert body["message"] == alert().text
    assert body["type"] == "failure"


def test_why_apprise_failed_is_not_read_out_of_the_alert_or_out_of_its_neighbour(tmp_path: Path) -> None:
    verdict = wrong(summary="Exception: connection refused, certificate expired, error=418")
    alerts = alerts_of(judge((), [verdict], (), run="r", now=NOW), [verdict], now=NOW)
    with accepting(talking_nonsense) as mad:
        url = f"json://127.0.0.1:{mad.port}/refused/$SECRET_TOKEN"
        neighbour = Channel("neighbour", "apprise", f"json://127.0.0.1:{refused_port()}/")
        wanted = rules(*(Channel(f"mad{n}", "apprise", url) for n in range(4)), neighbour)
        results = deliver(alerts, wanted, folder=tmp_path, now=NOW, say=print)
    assert results.pop("neighbour") == "refused: nobody listens there"
    assert set(results.values()) == {"it closed the connection"}


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[dict[str, tuple[Channel, str]]]:
    """Every way of being dead: the channel, and what is said of it."""
    folder = tmp_path / "a-folder"
    folder.mkdir()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    blocked = tmp_path / "blocked"
    blocked.write_text("", encoding="utf-8")
    refused, token = refused_port(), "$SECRET_TOKEN"
    with (
        accepting() as silent,
        accepting(dribbling) as slow,
        accepting(talking_nonsense) as mad,
        answering(500) as broken,
        answering() as elsewhere,
        answering(302, Location=elsewhere.url()) as moved,
    ):
        channels = {
            "refused": (webhook("", f"http://127.0.0.1:{refused}/{token}"), "refused: nobody listens there"),
            "silent": (webhook("", silent.url(f"/{token}")), "no answer within 1 s"),
            "slow": (webhook("", slow.url(f"/{token}")), "no answer within 1 s"),
            "mad": (webhook("", mad.url(f"/{token}")), "what it answers is no HTTP"),
            "broken": (webhook("", broken.url(f"/{token}")), "it answered HTTP 500"),
            "moved": (
                webhook("", moved.url(f"/{token}")),
                "it answered HTTP 302, a redirect, which is not followed: name the final URL",
            ),
            "nameless": (webhook("", f"http://{SECRET}.invalid/"), "its name is not known"),
            "plain": (webhook("", f"https://127.0.0.1:{broken.port}/{token}"), "TLS trouble (no common ground)"),
            "unset": (webhook("", "http://127.0.0.1/$NO_SUCH"), "the variable NO_SUCH is not set where Miyabi runs"),
            "split": (
                webhook("", elsewhere.url(), X="a\r\nb"),
                "its address, or a header, cannot be used: look at it in inventory/alerts.yaml",
            ),
            "local": (
                webhook("", "$FILE_URL"),
                "its address, or a header, cannot be used: look at it in inventory/alerts.yaml",
            ),
            "apprise-refused": (
                Channel("", "apprise", f"json://127.0.0.1:{refused}/{token}", (), BOUND),
                "refused: nobody listens there",
            ),
            "apprise-silent": (
                Channel("", "apprise", f"json://127.0.0.1:{silent.port}/{token}", (), BOUND),
                "no answer within 1 s",
            ),
            "apprise-broken": (
                Channel("", "apprise", f"json://127.0.0.1:{broken.port}/{token}", (), BOUND),
                "it answered HTTP 500",
            ),
            "apprise-nameless": (
                Channel("", "apprise", f"json://{SECRET}.invalid/", (), BOUND),
                "its name is not known",
            ),
            "apprise-unknown": (
                Channel("", "apprise", f"nosuch://{token}/x", (), BOUND),
                "apprise does not understand its URL: look at the scheme and its parts",
            ),
            "folder": (
                Channel("", "file", str(folder)),
                "it cannot be written (Is a directory): look at the file and its folder",
            ),
            "no-folder": (
                Channel("", "file", str(blocked / "alerts.log")),
                "its folder is no folder",
            ),
            "pipe": (
                Channel("", "file", str(pipe)),
                "it cannot be written (No such device or address): look at the file and its folder",
            ),
            "device": (Channel("", "file", "/dev/full"), "it is no regular file"),
        }
        yield {
            name: (Channel(name, each.kind, each.where, each.headers, each.timeout), reason)
            for name, (each, reason) in channels.items()
        }
        assert elsewhere.bodies == []


def test_the_dead_stop_neither_the_living_nor_the_run(
    dead: dict[str, tuple[Channel, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILE_URL", (tmp_path / "x").as_uri())
    with answering() as hook:
        alive = [webhook("ops", hook.url()), Channel("any", "apprise", f"json://127.0.0.1:{hook.port}", (), 10.0)]
        begun = time.monotonic()
        results = sent(tmp_path, *[channel for channel, _ in dead.values()], *alive)
        took = time.monotonic() - begun
    assert results == {name: reason for name, (_, reason) in dead.items()} | {"ops": "sent", "any": "sent"}
    assert len(hook.bodies) == 2
    assert SECRET not in repr(results)
    # The bound is 1 s, beside the start of the process that sends.
    assert took < 6


def test_a_missing_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    channel = Channel("desktop", "desktop", timeout=BOUND)
    assert sent(tmp_path, channel) == {"desktop": "neither notify-send nor osascript is installed"}


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ('printf "%s\\n" "$@" >"$OUT"', "sent"),
        ("exit 1", "notify-send ended with 1: is there a desktop?"),
        ("exec sleep 1000", "no answer within 1 s"),
        ("sleep 1000", "no answer within 1 s"),
    ],
)
def test_a_desktop(body: str, result: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "notify-send"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    assert sent(tmp_path, Channel("desktop", "desktop", timeout=BOUND)) == {"desktop": result}
    if result == "sent":
        words = (tmp_path / "out").read_text(encoding="utf-8").splitlines()
        assert words[:3] == ["--app-name=miyabi", "--urgency=critical", "--"]
        assert words[3].startswith("HIGH mugen:work:main.kaede")


def test_a_sender_that_hangs_altogether_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = tmp_path / "python"
    stuck.write_text("#!/bin/sh\nsleep 1000\n", encoding="utf-8")
    stuck.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(stuck))
    monkeypatch.setattr("miyabi.channels._START", 0.2)
    begun = time.monotonic()
    assert sent(tmp_path, webhook("ops", "http://127.0.0.1/")) == {"ops": "no answer within 1 s"}
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize(("code", "reason"), [("exit 3", "the sender failed (3)"), ("exit 0", "no answer within 1 s")])
def test_a_sender_that_breaks(code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python"
    broken.write_text(f'#!/bin/sh\necho nonsense\necho \'["other", "sent"]\'\n{code}\n', encoding="utf-8")
    broken.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(broken))
    assert sent(tmp_path, webhook("ops", "http://127.0.0.1/")) == {"ops": reason}


def test_a_sender_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    told = sent(tmp_path, webhook("ops", "http://127.0.0.1/"), Channel("file", "file"))
    assert told == {"ops": "the sender could not be started (No such file or directory)", "file": "sent"}


def test_a_file_that_somebody_keeps_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("miyabi.channels._LOCK", 0.1)
    with (tmp_path / "alerts.log").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert sent(tmp_path, Channel("file", "file")) == {"file": "somebody else has kept it locked for 0.1 s"}


def telling(
    folder: Path, wanted: AlertRules, now: float, said: list[str], before: Delivered | None = None
) -> Delivered:
    """Tell one alert, with what is known from before."""
    records = before.records if before else ()
    breakers = {each.subject: (each.failures, each.opened_at) for each in records if isinstance(each, BreakerChanged)}
    earlier = [each for each in records if isinstance(each, IncidentChanged)]
    return tell(
        [alert()], wanted, folder=folder, run=f"r{now}", now=now, say=said.append, earlier=earlier, breakers=breakers
    )


def test_a_dead_channel_is_reported_once_on_the_others(tmp_path: Path) -> None:
    port = refused_port()
    wanted = rules(Channel("console", "console"), webhook("ops", f"http://127.0.0.1:{port}/$SECRET_TOKEN"))
    said: list[str] = []
    first = telling(tmp_path, wanted, NOW, said)
    assert first.results == {"console": "sent", "ops": "refused: nobody listens there"}
    assert [line.splitlines()[0] for line in said] == [
        "HIGH  mugen:work:main.kaede is not repaired",
        "MEDIUM  channel ops does not take alerts",
    ]
    told = [each for each in first.records if isinstance(each, AlertSent)]
    assert [dict(each.channels) for each in told] == [dict(first.results), {"console": "sent"}]
    assert SECRET not in repr((said, first))
    said.clear()
    second = telling(tmp_path, wanted, NOW + 60, said, first)
    assert [line.splitlines()[0] for line in said] == ["HIGH  mugen:work:main.kaede is not repaired"]
    assert [each for each in second.records if isinstance(each, IncidentChanged)] == []


def test_a_channel_that_fails_again_and_again_is_left_alone_for_a_while(tmp_path: Path) -> None:
    wanted = rules(webhook("ops", f"http://127.0.0.1:{refused_port()}/"))
    known: dict[str, tuple[int, float | None]] = {}
    results: list[str] = []
    for now in (0.0, 60.0, 120.0, 180.0, 1019.0, 1021.0):
        done = tell([alert()], wanted, folder=tmp_path, run="r", now=NOW + now, say=print, breakers=known)
        known |= {
            each.subject: (each.failures, each.opened_at) for each in done.records if isinstance(each, BreakerChanged)
        }
        results.append(done.results["ops"].split(":")[0].split(" until")[0])
    assert results == ["refused", "refused", "refused", "left alone", "left alone", "refused"]
    with answering() as hook:
        again = rules(webhook("ops", hook.url()))
        done = tell([alert()], again, folder=tmp_path, run="r", now=NOW + 4000, say=print, breakers=known)
    assert done.results == {"ops": "sent"}
    assert [(each.failures, each.opened_at) for each in done.records if isinstance(each, BreakerChanged)] == [(0, None)]


def test_what_the_run_sends_itself_is_left_to_it(tmp_path: Path) -> None:
    wanted = rules(Channel("guardian", "guardian"), Channel("phone", "phone", "pixel"))
    assert deliver([alert()], wanted, folder=tmp_path, now=NOW, say=print) == {}
    done = tell([alert()], wanted, folder=tmp_path, run="r", now=NOW, say=print, elsewhere={"guardian": "no such pane"})
    assert [dict(each.channels) for each in done.records if isinstance(each, AlertSent)] == [
        {"guardian": "no such pane"},
        {},
    ]
    assert [each.target for each in done.more] == ["channel guardian"]
    assert [each.target for each in done.records if isinstance(each, IncidentChanged)] == ["channel guardian"]


def test_each_severity_goes_where_its_rules_say(tmp_path: Path) -> None:
    said: list[str] = []
    wanted = AlertRules(
        steps={"HIGH": (Step("notify", ("file",)),), "LOW": (Step("log", ("console",)),)},
        channels=(Channel("console", "console"), Channel("file", "file")),
    )
    assert deliver([alert()], wanted, folder=tmp_path, now=NOW, say=said.append) == {"file": "sent"}
    assert said == []


def test_signals_reach_their_subscribers(tmp_path: Path) -> None:
    lines = tmp_path / "signals.jsonl"
    signals = [recovery_complete("r", NOW, "mugen", Level.L2), health_ok("r", NOW)]
    with answering() as hook:
        wanted = rules(
            subscribers=(
                Subscriber("jsonlines", str(lines)),
                Subscriber("webhook", hook.url(), only=("HEALTH_OK",)),
                Subscriber("webhook", f"http://127.0.0.1:{refused_port()}/", timeout=BOUND),
                Subscriber("pane", "kaede"),
            )
        )
        results = deliver([], wanted, folder=tmp_path, now=NOW, say=print, signals=signals)
    assert results == {
        "subscriber 1": "sent",
        "subscriber 2": "sent",
        "subscriber 3": "refused: nobody listens there",
    }
    written = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert [(each["signal"], each.get("host"), each["details"]) for each in written] == [
        ("RECOVERY_COMPLETE", "mugen", {"level": "L2_SESSION"}),
        ("HEALTH_OK", None, {}),
    ]
    assert lines.stat().st_mode & 0o777 == 0o600
    assert [each["signal"] for each in hook.bodies[0]["signals"]] == ["HEALTH_OK"]


def test_lines_of_many_writers_stay_whole(tmp_path: Path) -> None:
    lines = tmp_path / "signals.jsonl"
    wanted = rules(subscribers=(Subscriber("jsonlines", str(lines)),))
    signal = recovery_complete("r" * 20_000, NOW, "mugen", Level.L1)

    def write() -> None:
        for _ in range(20):
            deliver([], wanted, folder=tmp_path, now=NOW, say=print, signals=[signal])

    threads = [threading.Thread(target=write) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len([json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]) == 80
