"""termux.wake_lock and termux.notification on a pretended phone, whose programs note how they were called."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from facts.probe import probe_script
from facts.termux import wake_section
from miyabi import termux as termux_text
from miyabi.termux import notification_script, outcome, shortened, take_script
from operations.termux import notification, wake_lock
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS
from tests.fleet.machine import Machine
from tests.recovery.operating import Operated, operate


@dataclass(frozen=True, slots=True)
class Phone:
    """Termux with the programs that a test gives it."""

    machine: Machine

    @property
    def mark(self) -> Path:
        """Where it is remembered that the lock was taken."""
        return self.machine.home / ".local/state/miyabi/wake-lock"

    def program(self, name: str, script: str = "") -> None:
        """Give it a program that notes its arguments, NUL after each, before it runs ``script``."""
        path = self.machine.root / "bin" / name
        log = shlex.quote(str(self.machine.root / f"{name}.calls"))
        path.write_text(f"#!/bin/sh\nprintf '%s\\0' '##call' \"$@\" >>{log}\n{script}\n")
        path.chmod(0o755)

    def calls(self, name: str) -> list[list[str]]:
        """The arguments of each call."""
        path = self.machine.root / f"{name}.calls"
        raw = path.read_text() if path.exists() else ""
        return [call.split("\0")[1:-1] for call in raw.split("##call")[1:]]

    def app(self, pid: int) -> None:
        """Let the app run as another process."""
        self.program("ps", f"echo '  801 zygote'; echo '{pid} com.termux'; echo '4000 bash -l'")


@pytest.fixture
def pixel(machine: Machine) -> Phone:
    phone = Phone(machine)
    (machine.root / "bin").mkdir()
    machine.environment["PATH"] = f"{machine.root}/bin:{machine.environment['PATH']}"
    machine.environment["PREFIX"] = str(machine.root / "data/data/com.termux/files/usr")
    phone.app(os.getpid())
    for name in ("termux-wake-lock", "termux-wake-unlock", "termux-notification"):
        phone.program(name)
    return phone


def warned(done: Operated, reason: str) -> None:
    assert not done.failed
    assert reason in "\n".join(done.said), done.said


def test_the_lock_is_taken_once(pixel: Phone) -> None:
    first = operate(pixel.machine, wake_lock)
    assert not first.failed
    assert len(first.commands) == 1
    second = operate(pixel.machine, wake_lock)
    assert not second.commands
    assert len(pixel.calls("termux-wake-lock")) == 1
    assert pixel.mark.parent.stat().st_mode & 0o777 == 0o700


def test_the_app_was_started_anew(pixel: Phone) -> None:
    operate(pixel.machine, wake_lock)
    pixel.app(1)
    assert len(operate(pixel.machine, wake_lock).commands) == 1
    assert not operate(pixel.machine, wake_lock).commands
    assert len(pixel.calls("termux-wake-lock")) == 2


def test_the_lock_is_given_back_once(pixel: Phone) -> None:
    assert not operate(pixel.machine, wake_lock, held=False).commands
    operate(pixel.machine, wake_lock)
    assert len(operate(pixel.machine, wake_lock, held=False).commands) == 1
    assert not operate(pixel.machine, wake_lock, held=False).commands
    assert len(pixel.calls("termux-wake-unlock")) == 1
    assert not pixel.mark.exists()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exec sleep 60", "termux-wake-lock gave no answer within 1 s"),
        ("echo x; printf 'no \\033[31m%s\\n' '$(id)' >&2; exit 7", "termux-wake-lock: exit code 7: no ?[31m$(id)"),
    ],
)
def test_a_phone_that_does_not_answer_is_a_warning(
    pixel: Phone, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    monkeypatch.setattr(termux_text, "API_TIMEOUT", 1)
    pixel.program("termux-wake-lock", script)
    warned(operate(pixel.machine, wake_lock), reason)
    assert not pixel.mark.exists()
    pixel.program("termux-wake-lock")
    assert len(operate(pixel.machine, wake_lock).commands) == 1
    assert not operate(pixel.machine, wake_lock).commands


def test_without_the_program_it_is_a_warning(pixel: Phone) -> None:
    (pixel.machine.root / "bin" / "termux-wake-lock").unlink()
    warned(operate(pixel.machine, wake_lock), "termux-wake-lock is not installed")


def test_a_mark_that_cannot_be_kept_is_a_warning(pixel: Phone) -> None:
    (pixel.machine.home / ".local").touch()
    warned(operate(pixel.machine, wake_lock), "it was taken, but that cannot be remembered")


def test_a_phone_that_tells_nothing_of_itself_is_unknown(pixel: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facts.termux._SCRIPT", "echo 'the phone tells neither'; exit 1")
    for held in (True, False):
        done = operate(pixel.machine, wake_lock, held=held)
        assert done.failed
        assert "the phone tells neither" in "\n".join(done.said)
        assert not done.commands


@pytest.mark.parametrize("operation", [wake_lock, notification])
def test_elsewhere_there_is_nothing_to_do(machine: Machine, operation: object) -> None:
    arguments: Mapping[str, str] = {} if operation is wake_lock else {"title": "a", "text": "b"}
    done = operate(machine, operation, **arguments)  # type: ignore[arg-type]
    assert not done.failed
    assert not done.commands
    assert "this is no Termux" in "\n".join(done.said) or done.probes == 1


NASTY = "$(touch pwned) `touch pwned`; touch pwned #'\"\\ \u6850 --title x\n-k"


def test_a_notification_is_literal(pixel: Phone) -> None:
    done = operate(pixel.machine, notification, title=f"-t {NASTY}", text=NASTY, notification_id="miyabi.pixel-1")
    assert not done.failed
    # A second one is shown as well.
    operate(pixel.machine, notification, title="a", text="b")
    told = pixel.calls("termux-notification")
    assert told == [
        ["--id", "miyabi.pixel-1", "--title", f"-t {NASTY}", "--content", NASTY],
        ["--id", "miyabi", "--title", "a", "--content", "b"],
    ]
    assert not (pixel.machine.home / "pwned").exists()


def test_a_notification_that_hangs_is_a_warning(pixel: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(termux_text, "API_TIMEOUT", 1)
    pixel.program("termux-notification", "exec sleep 60")
    warned(operate(pixel.machine, notification, title="a", text="b"), "termux-notification gave no answer within 1 s")


@pytest.mark.parametrize("notification_id", ["", "a b", "$(id)", "x" * 51, "a\n"])
def test_a_bad_id_is_refused(pixel: Phone, notification_id: str) -> None:
    done = operate(pixel.machine, notification, title="a", text="b", notification_id=notification_id)
    assert done.failed
    assert "allowed: 1 to 50 letters" in "\n".join(done.said)
    assert not pixel.calls("termux-notification")


def test_what_is_shown_is_limited() -> None:
    assert shortened("x" * 2000, 1000) == "x" * 999 + "\u2026"
    assert shortened(" a\x1b[31m\x00b\nc\u202e ", 100) == "a [31m b\nc"


def test_what_came_of_it() -> None:
    assert outcome(["x", "miyabi: done", ""]) is None
    assert outcome(["miyabi: unavailable: it sleeps"]) == "it sleeps"
    assert outcome([]) == "no output"


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_every_shell(pixel: Phone, shell: str) -> None:
    for script in (take_script(), notification_script("a", NASTY, "x")):
        done = pixel.machine.run(*SHELLS[shell], "-c", script)
        assert (done.code, outcome(done.stdout.splitlines())) == (0, None), done.output
    told = pixel.machine.run(*SHELLS[shell], "-c", probe_script([wake_section()]))
    assert wake_section().parse(told.stdout.splitlines()[1:-1]).held
    assert pixel.calls("termux-notification")[0][-1] == NASTY
