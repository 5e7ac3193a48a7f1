"""Every operation by cases: the folders beside this file, one per operation, one file per case.

A case has what is ``observed`` (see ``observed.py``), the operation's ``kwargs``, for the levels of the ladder the
``spec``, and the ``commands`` that must follow. For an operation that asks for sections of its own, ``answers`` has in
their order what it is told: ``unknown: REASON``, or ``MODULE.CLASS`` and its fields; its scripts are tested by running
them, and are here the functions that make them, with their arguments. Other commands are written down without what is
the same in all of them. ``foretold`` is in how many seconds a host's disk is said to reach which percentage:

    tmux      the commands of one tmux client call, as shell text
    shown     those of them that the user is shown in another form, as they are shown
    scripts   what must succeed before such a call
    snapshot  the panes whose scrollback is kept, and how many snapshots stay
    message   the pane, and the text as shell text
    refuse    the reason
    verify    the proof that follows what was done
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import TestCase
from unittest.mock import patch

import pytest
import yaml
from pyinfra.api import FunctionCommand, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import ctx_host, ctx_state
from pyinfra_testing import operations as pyinfra_testing_operations
from pyinfra_testing.operations import make_operation_tests
from pyinfra_testing.util import FakeHost, FakeState
from typing_extensions import override

from facts.observation import Unknown
from miyabi.alert_rules import AlertRules
from miyabi.gate import Pause
from miyabi.gate_rules import FleetFile
from miyabi.prediction_judgement import Crossing
from miyabi.records import Record
from miyabi.spec_file import parse_spec
from operations.gate import operation as gated
from operations.memory import Memory
from operations.refusal import refuse
from tests.operations.observed import observed_host

# What is imported only when it is needed: while a case runs, there are no files.
for _name in ("miyabi.gate_requests", "operations.causes", "operations.gate_question", "operations.prevention"):
    import_module(_name)

FOLDERS = sorted(path for path in Path(__file__).parent.iterdir() if path.is_dir() and "." in path.name)
MINIMUM = {"change", "unknown", "injection"}

# pyinfra-testing leaves closing the cases' files to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*FileIO:pytest.PytestUnraisableExceptionWarning", "ignore:unclosed file:ResourceWarning"
)

_CALL = re.compile(r"calls\(\) \{ (tmux .*?); \}; \{ said=", re.DOTALL)
_CAPTURE = re.compile(r"capture-pane -p -J -S -\d+ -t (%\d+)")
_KEEP = re.compile(r'\[ "\$#" -gt (\d+) \]')
_MESSAGE = re.compile(r"send-keys -t (%\d+) -l -- (.*?) \|\| exit 1", re.DOTALL)
_SCRIPT = re.compile(r"; \{ \( (.*?) \) && calls\(\)", re.DOTALL)


def compact(commands: Iterable[StringCommand | FunctionCommand]) -> list[Any]:
    """Commands as the cases have them."""
    return [_function(each) if isinstance(each, FunctionCommand) else _text(each) for each in commands]


def _function(command: FunctionCommand) -> Any:
    return {"refuse": command.args[0]} if command.function.__name__ == "refuse" else command.function.__name__


def _text(command: StringCommand) -> Any:
    raw, shown = command.get_raw_value(), command.get_masked_value()
    if "calls()" in raw:
        told = {"tmux": _calls(raw)} | ({"scripts": _SCRIPT.findall(raw)} if _SCRIPT.search(raw) else {})
        secret = [line for line in _calls(shown) if line not in told["tmux"]]
        return told | ({"shown": secret} if secret else {})
    if keep := _KEEP.search(raw):
        may_fail = {"may_fail": True} if raw.startswith("( ") else {}
        return {"snapshot": _CAPTURE.findall(raw), "keep": int(keep[1])} | may_fail
    if sent := _MESSAGE.search(raw):
        return {"message": sent[2], "pane": sent[1]}
    return raw


def _calls(text: str) -> list[str]:
    return [command.removeprefix("tmux -u ") for call in _CALL.findall(text) for command in call.split(" \\; ")]


class _Forgetful(Memory):
    """The memory of a run that has none of earlier ones, and writes nothing."""

    @override
    def keep(self, *records: Record) -> None:
        """Forget them."""


def _new_memory() -> Memory:
    return _Forgetful("run", Path("/nowhere"), FleetFile(), "tests:1", 0.0, is_opened=True)


@contextmanager
def _pretending(module_name: str, data: dict[str, Any], *, paused: bool = False) -> Iterator[None]:
    """Let operations see what a case says is observed and wanted.

    + paused: whether somebody wants all hosts to be left alone
    """
    seen = observed_host(data.get("observed", {}))
    memory = _new_memory()
    now = time.time()
    asked = (Pause("", "", now + 3600, "a test"),) if paused else ()
    answers = [_answer(told) for told in data.get("answers", [])]
    with pytest.MonkeyPatch.context() as monkeypatch:
        if "answers" in data:
            operations = import_module(f"operations.{module_name}")
            # One may be made of others; and nobody waits here, or asks for several at once.
            for each in {module_name, "files", "logs", "processes", "quiet"}:
                monkeypatch.setattr(f"operations.{each}.ask", lambda _host, _section: answers.pop(0))
            for name in {"ask_together", "forget", "sleep"} & vars(operations).keys():
                monkeypatch.setattr(operations, name, lambda *_, **__: None)
            if "asked_between" in vars(operations):
                monkeypatch.setattr(operations, "asked_between", lambda _host, _section: (1000.0, 1001.0))
            for name in [name for name in vars(operations) if name.endswith("_script")]:
                monkeypatch.setattr(operations, name, partial(_called, name))
        foretold = [
            Crossing("somehost", "disk", now, now + seconds, limit) for seconds, limit in data.get("foretold", [])
        ]
        monkeypatch.setattr("operations.prevention.crossing_of", lambda *asked: _foretold(foretold, asked[2]))
        monkeypatch.setattr("operations.prevention.prevented_at", lambda *_: None)
        for module in (
            "causes",
            "gate",
            "gate_question",
            "level_gate",
            "outcome",
            "prevention",
            "record",
            "telling",
            "verdicts",
        ):
            monkeypatch.setattr(f"operations.{module}.memory_of", lambda _state: memory)
        monkeypatch.setattr("operations.gate_question.pauses", lambda _memory, _host: asked)
        monkeypatch.setattr("operations.gate_question.alert_rules", lambda _state: AlertRules())
        monkeypatch.setattr(FakeState, "inventory", (), raising=False)
        monkeypatch.setattr("operations.causes.ask", lambda _host, _section: Unknown("nobody asks in a case"))
        for module in ("converge", "guardian", "tmux"):
            monkeypatch.setattr(f"operations.{module}.observe", lambda _host, _spec: seen)
        if "spec" in data:
            text = yaml.safe_dump(data["spec"], sort_keys=False).encode()
            wanted = parse_spec("spec.yaml", text, base_directory="~")
            monkeypatch.setattr("operations.recovery.host_spec", lambda _host: wanted)
        # Hosts can say something; pyinfra-testing's cannot.
        for name in ("log", "log_styled"):
            monkeypatch.setattr(FakeHost, name, lambda *_, **__: None, raising=False)
        monkeypatch.setattr(FakeState, "print_fact_output", False, raising=False)
        yield


def _foretold(crossings: Iterable[Crossing], subject: str) -> Crossing | None:
    return next((each for each in crossings if each.subject == subject), None)


def _called(name: str, *arguments: Any) -> str:
    return f"{name}{arguments!r}"


def _answer(told: Any) -> Any:
    """What a section is said to have seen."""
    if isinstance(told, list):
        return tuple(_answer(each) for each in told)
    if not isinstance(told, dict):
        return told
    [(name, fields)] = told.items()
    if name == "unknown":
        return Unknown(fields)
    module, _, kind = name.rpartition(".")
    return getattr(import_module(module), kind)(**{key: _answer(value) for key, value in fields.items()})


def _cases(folder: Path) -> type[TestCase]:
    import_module(f"operations.{folder.name.partition('.')[0]}")
    cases: Any = make_operation_tests("operations", folder.name, folder)
    compare = cases._test

    def _test(self: TestCase, test_name: str, data: dict[str, Any]) -> None:
        with (
            _pretending(folder.name.partition(".")[0], data),
            patch.object(pyinfra_testing_operations, "parse_commands", compact),
        ):
            compare(self, test_name, data)

    cases._test = _test
    return cases  # type: ignore[no-any-return]


for _folder in FOLDERS:
    globals()[f"Test{_folder.name}"] = _cases(_folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_operation_has_the_usual_cases(folder: Path) -> None:
    module, _, name = folder.name.partition(".")
    operation = getattr(import_module(f"operations.{module}"), name)
    noop = {"noop"} if operation.is_idempotent else set()
    assert {path.stem for path in folder.iterdir()} >= MINIMUM | noop


# They tell somebody something, or read, and change nothing on the host.
_ONLY_TELL = {"tmux.message", "tmux.snapshot", "termux.notification"}
CASES = [
    pytest.param(folder, path, id=f"{folder.name}-{path.stem}")
    for folder in FOLDERS
    if folder.name not in _ONLY_TELL
    for path in sorted(folder.iterdir())
]


@pytest.mark.parametrize(("folder", "case"), CASES)
def test_an_operation_does_nothing_where_the_gate_is_closed(folder: Path, case: Path) -> None:
    module, _, name = folder.name.partition(".")
    operation: Any = getattr(import_module(f"operations.{module}"), name)
    data = yaml.safe_load(case.read_text(encoding="utf-8"))
    state = FakeState()
    host = FakeHost(state, "somehost", data.get("facts", {}), data.get("data", {}))
    with _pretending(module, data, paused=True), ctx_state.use(state), ctx_host.use(host):
        commands = list(operation._inner(*data.get("args", []), **data.get("kwargs", {})))
    acting = [each for each in commands if not (isinstance(each, FunctionCommand) and each.function is refuse)]
    assert acting == []


def test_every_operation_asks_the_gate() -> None:
    folder = Path(refuse.__code__.co_filename).parent
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    made = {name for name, text in texts.items() if "@operation(" in text}
    assert made >= {"files.py", "processes.py", "recovery.py", "sshd.py", "tmux.py"}
    for name in made:
        assert re.search(r"from operations\.gate import [^\n]*\boperation\b", texts[name]), name
    for name in texts.keys() - {"gate.py"}:
        assert not re.search(r"from pyinfra\.api import [^\n]*\boperation\b", texts[name]), name


def test_an_operation_that_does_not_ask_is_stopped() -> None:
    @gated()
    def forgetful() -> Generator[PyinfraCommand]:
        yield StringCommand("touch /tmp/miyabi-never")

    state = FakeState()
    host = FakeHost(state, "somehost", {}, {})
    with ctx_state.use(state), ctx_host.use(host):
        [command] = list(forgetful._inner())
    assert isinstance(command, FunctionCommand)
    assert command.function is refuse
    assert "without having asked the gate" in command.args[0]
