"""The ``miyabi`` command: what it prints, its exit codes, and never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from miyabi.cli import main

REPOSITORY = Path(__file__).parents[2]
GOOD = "session_name: s\nwindows: [{window_name: w, panes: [vim, {environment: {TOKEN: secret}}]}, {}]\n"
PROGRAM = [sys.executable, "-c", "from miyabi.cli import main; main(prog_name='miyabi')"]


def miyabi(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="miyabi")


def process(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.run([*PROGRAM, *arguments], env=environment, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with specs, and an inventory of its own."""
    specs = tmp_path / "inventory" / "specs"
    specs.mkdir(parents=True)
    (specs / "good.yaml").write_text(GOOD)
    (specs.parent / "__init__.py").write_text(
        "left = [('box', {'spec': 'good'}), ('bare', {}), 'plain', ('@local', {'spec': 'good'})]\n"
        "_hidden = [('hidden', {})]\nnothing = ['bare', 3]\nprint('loaded')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "inventory", raising=False)
    yield tmp_path
    sys.modules.pop("inventory", None)


def test_check_names_every_good_file(clone: Path) -> None:
    (clone / "inventory/specs/z.yml").write_text("sessions: []")
    (clone / "inventory/specs/notes.txt").write_text("no spec")
    found = miyabi("spec", "check")
    assert found.exit_code == 0
    assert found.output == (
        "ok  inventory/specs/good.yaml  (1 session, 2 windows, 3 panes)\n"
        "ok  inventory/specs/z.yml  (0 sessions, 0 windows, 0 panes)\n"
    )


def test_check_says_everything_that_is_wrong(clone: Path) -> None:
    bad = clone / "bad.yaml"
    bad.write_text("session_name: a.b\nwindows: [{layout: x}]")
    found = miyabi("spec", "check", "inventory/specs/good.yaml", "bad.yaml", "missing", "good")
    assert found.exit_code == 1
    assert found.stdout == (
        "ok  inventory/specs/good.yaml  (1 session, 2 windows, 3 panes)\nok  good  (1 session, 2 windows, 3 panes)\n"
    )
    first, second, third = found.stderr.splitlines()
    assert first.startswith("bad.yaml:1: session_name: found 'a.b'; allowed: ")
    assert second.startswith("bad.yaml:2: windows[0].layout: found 'x'; allowed: ")
    assert third == ("missing: found no such spec; allowed: the path of a file, or a name from inventory/specs: good")


def test_check_without_specs_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = miyabi("spec", "check")
    assert found.exit_code == 2
    assert "inventory/specs holds no spec" in found.stderr
    assert miyabi("spec", "check", "--nope").exit_code == 2
    assert miyabi("nope").exit_code == 2


@pytest.mark.parametrize(
    "name", ["", "a\0b", "\udcff", "/", ".", "x" * 5000, "/dev/full", "/dev/zero", "~nobody-here/x"]
)
def test_check_of_what_is_no_file(clone: Path, name: str) -> None:
    found = miyabi("spec", "check", name)
    assert isinstance(found.exception, SystemExit)
    assert found.exit_code == 1
    assert "found" in found.stderr


def test_schema_is_json_schema() -> None:
    schema = json.loads(miyabi("spec", "schema").output)
    assert schema["title"] == "Miyabi Recovery spec"
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    panes = schema["$defs"]["WindowModel"]["properties"]["panes"]["items"]["anyOf"]
    assert {"type": "null"} in panes
    for model in schema["$defs"].values():
        assert model["description"]
        for key, value in model["properties"].items():
            assert value.get("description") or "$ref" in value, key


def test_show_hides_the_values_of_environments(clone: Path) -> None:
    shown = miyabi("spec", "show", "box")
    assert shown.exit_code == 0
    assert yaml.safe_load(shown.stdout)["sessions"][0]["windows"][0]["panes"] == [
        {
            "name": "s:w.1",
            "commands": [{"text": "vim", "enter": True, "sleep_before": 0.0, "sleep_after": 0.0}],
            "suppress_history": True,
            "focus": False,
            "restart": "never",
        },
        {
            "name": "s:w.2",
            "environment": {"TOKEN": "(hidden)"},
            "suppress_history": True,
            "focus": False,
            "restart": "never",
        },
    ]
    assert "secret" not in shown.output
    assert shown.stderr == "loaded\n"
    assert "TOKEN: secret" in miyabi("spec", "show", "--reveal", "box").stdout


def test_show_of_a_host_a_name_and_a_path(clone: Path) -> None:
    (clone / "inventory/specs/good.yaml").write_text("session_name: s\nstart_directory: ./x\nwindows: [{}]")

    def directory(host: str) -> object:
        found = miyabi("spec", "show", host)
        assert found.exit_code == 0, found.output
        return yaml.safe_load(found.stdout)["sessions"][0]["start_directory"]

    specs = str((clone / "inventory/specs").resolve())
    assert directory("box") == "~/x"
    assert directory("good") == "~/x"
    assert directory("@local") == f"{specs}/x"
    assert directory("inventory/specs/good.yaml") == f"{specs}/x"


def test_show_of_what_is_not_there(clone: Path) -> None:
    for host in ("nope", "hidden", "3"):
        found = miyabi("spec", "show", host)
        assert found.exit_code == 1
        assert found.stderr.splitlines()[-1] == (
            f"Error: {host}: no such host or spec; hosts: @local, bare, box, plain; specs in inventory/specs: good"
        )
    found = miyabi("spec", "show", "bare")
    assert (found.exit_code, found.stderr) == (1, "Error: bare: its data in inventory/ names no spec\n")
    (clone / "inventory/specs/good.yaml").write_text("sesions: []")
    found = miyabi("spec", "show", "box")
    assert found.exit_code == 1
    assert "did you mean sessions?" in found.stderr


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "1/0", "syntax error", "import nothing_of_that_name"])
def test_show_with_a_broken_inventory(clone: Path, code: str) -> None:
    (clone / "inventory/__init__.py").write_text(code)
    found = miyabi("spec", "show", "box")
    assert found.exit_code == 1
    assert found.stderr.startswith("Error: inventory: cannot be read: ")


def test_the_repository_s_own_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = process("spec", "show", "@local", cwd=REPOSITORY, capture_output=True)
    assert shown.returncode == 0, shown.stderr
    assert yaml.safe_load(shown.stdout)["sessions"][0]["session_name"] == "miyabi-control"
    unknown = process("spec", "show", "nope", cwd=REPOSITORY, capture_output=True)
    assert unknown.returncode == 1
    assert "Error: nope: no such host or spec; hosts: @local" in unknown.stderr


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom miyabi.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'pydantic', 'yaml', 'pyinfra', 'difflib'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("arguments", [("--help",), ("spec", "schema"), ("spec", "check", "a.yaml")])
def test_output_that_cannot_be_written(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "a.yaml").write_text("sessions: []")
    with Path("/dev/full").open("w") as full:
        run = process(*arguments, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert (run.returncode, run.stderr) == (1, "Error: cannot write the output: No space left on device\n")


@pytest.mark.parametrize("arguments", [("--help",), ("spec", "schema")])
def test_a_closed_pipe(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        run = process(*arguments, cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (run.returncode, run.stderr) == (1, "")


def test_ctrl_c(tmp_path: Path) -> None:
    specs = tmp_path / "inventory"
    specs.mkdir()
    (specs / "__init__.py").write_text("import time\nopen('started', 'w').close()\ntime.sleep(60)\n")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [*PROGRAM, "spec", "show", "x"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    ) as run:
        deadline = time.monotonic() + 20
        while not (tmp_path / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=20)
    assert b"Traceback" not in errors
    assert run.returncode == 1


def test_names_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    (tmp_path / "日本.yaml").write_text("session_name: a.b\nwindows: [{}]", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "latin-1"}
    run = subprocess.run(
        [*PROGRAM, "spec", "check", "日本.yaml"], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert run.returncode == 1
    assert run.stderr.startswith(rb"\u65e5\u672c.yaml:1: session_name: found 'a.b'")


def test_the_installed_command_is_this_one() -> None:
    """The name in pyproject.toml leads to a command that can be called without arguments."""
    script = shutil.which("miyabi")
    if script is not None:
        run = subprocess.run([script, "--help"], capture_output=True, text=True, check=False)
        assert run.returncode == 0
    assert 'miyabi = "miyabi.cli:main"' in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")


def test_show_hides_the_values_of_headers(clone: Path) -> None:
    text = "integrations: [{name: api, http: 'http://x', headers: {Authorization: secret}, expect: [200, 204]}]"
    (clone / "inventory/specs/api.yaml").write_text(text)
    shown = miyabi("spec", "show", "api")
    assert shown.exit_code == 0
    (integration,) = yaml.safe_load(shown.stdout)["integrations"]
    assert (integration["headers"], integration["expect"]) == ({"Authorization": "(hidden)"}, [200, 204])
