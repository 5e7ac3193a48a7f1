"""Hooks as real processes that behave badly, under each shell that a host may have."""

from __future__ import annotations

import json
import secrets
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from miyabi.hook_script import hook_input, hook_script
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS, busybox_host
from tests.fleet.machine import Machine
from tests.fleet.parameters import mostly_slow
from tests.fleet.processes import HOST_VARIABLE, alive, end
from tests.fleet.programs import required
from tests.fleet.waiting import wait_until
from tests.hooks.running import all_ended, hook, run, write

each_shell = pytest.mark.parametrize("shell", INSTALLED_SHELLS)

# Leaves the session and its parent, with the environment that it was given.
_DAEMON = """import os, sys, time
if os.fork(): sys.exit()
os.setsid()
if os.fork(): sys.exit()
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(60)
"""

# Prints for ever.
_LASTING = """import os, time
open("pid", "w").write(str(os.getpid()))
while True:
    os.write(1, b"on" * 99999); time.sleep(0.01)
"""


@each_shell
def test_it_gets_its_data_and_arguments(machine: Machine, shell: str) -> None:
    write(machine, '#!/bin/sh\ncat\nfor each; do printf "<%s>" "$each"; done\necho; pwd; exit 3\n', "it's $(x)/a hook")
    data = {"text": 'it\'s "$HOME" \\ 日本 \ud800 \n', "number": 10**30}
    found = run(machine, shlex.join(["~/it's $(x)/a hook", "$(touch pwned)", "*", "-x", ""]), shell, data=data)
    said = found.output.splitlines()
    assert json.loads(said[0]) == data
    assert said[1:] == ["<$(touch pwned)><*><-x><>", str(machine.home)]
    assert (found.problem, found.code) == ("HOOK_EXECUTION_FAILED", 3)
    assert not (machine.home / "pwned").exists()
    assert all_ended(machine)


@each_shell
def test_its_environment_is_clean(machine: Machine, shell: str) -> None:
    evil = {
        "LD_PRELOAD": "",
        "LD_LIBRARY_PATH": "/nowhere",
        "DYLD_INSERT_LIBRARIES": "/nowhere.dylib",
        "PYTHONPATH": "/nowhere",
        "PERL5OPT": "-Mstrict",
        "NODE_OPTIONS": "--no-warnings",
        "RUBYOPT": "-w",
        "BASH_ENV": "/nowhere",
        "ENV": "/nowhere",
        "GCONV_PATH": "/nowhere",
        "BASH_FUNC_ls%%": "() { touch pwned; }",
        "SECRET_OF_THE_LOGIN": "s",
        "CDPATH": "/usr",
    }
    machine.environment.update(evil | {"http_proxy": "http://it's a proxy"})
    found = run(
        machine,
        f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'",
        shell,
        data={"session_id": "it's $(touch pwned)\n2"},
        cwd="~",
        env={"GIVEN": "$HOME/it's; touch pwned", "LINES": "1\n2"},
    )
    assert found.problem is None, found
    told = json.loads(found.output)
    assert not told.keys() & evil.keys()
    assert {name: told[name] for name in ("HOME", "TERM", "CLAUDE_HOOK_SESSION_ID", "CLAUDE_HOOK_WORKSPACE")} == {
        "HOME": str(machine.home),
        "TERM": "dumb",
        "CLAUDE_HOOK_SESSION_ID": "it's $(touch pwned)\n2",
        "CLAUDE_HOOK_WORKSPACE": str(machine.home),
    }
    assert (told["GIVEN"], told["LINES"]) == (f"{machine.home}/it's; touch pwned", "1\n2")
    assert told["http_proxy"] == "http://it's a proxy"
    assert told[HOST_VARIABLE] == machine.environment[HOST_VARIABLE]
    assert time.time() - time.mktime(time.strptime(told["CLAUDE_HOOK_TIMESTAMP"], "%Y-%m-%dT%H:%M:%SZ")) < 86400
    assert "CLAUDE_HOOK_DATA" not in told
    assert "settings" not in told
    assert not (machine.home / "pwned").exists()


@pytest.mark.parametrize("shell", mostly_slow(INSTALLED_SHELLS, ("dash", "zsh")))
def test_one_that_hangs_is_ended_with_all_that_it_has_started(machine: Machine, shell: str) -> None:
    (machine.home / "daemon.py").write_text(_DAEMON)
    more = f"sh -c 'sleep 62; :' &\nenv -i sleep 64 &\n{sys.executable} daemon.py ~/pid\n"
    write(machine, f"#!/bin/sh\nsleep 61 &\n{more}echo on; sleep 63\n")
    found = run(machine, "~/hook.sh", shell, timeout=1)
    assert found.problem == "HOOK_TIMEOUT"
    assert "no end within 1 s; it was ended with all that it had started" in found.reason
    assert found.output.startswith("on\n")
    assert 1 <= found.seconds < 4
    assert found.left == ()
    assert not alive(int((machine.home / "pid").read_text()))
    assert all_ended(machine)


@pytest.mark.slow
@pytest.mark.parametrize("shell", [each for each in INSTALLED_SHELLS if each in {"dash", "mksh"}])
def test_one_that_ignores_sigterm_is_killed(machine: Machine, shell: str) -> None:
    write(machine, "#!/bin/sh\ntrap '' TERM HUP INT\n(sleep 60; :) &\nwhile :; do sleep 60; done\n")
    begun = time.monotonic()
    found = run(machine, "~/hook.sh", shell, timeout=1)
    assert found.problem == "HOOK_TIMEOUT"
    assert 5 < time.monotonic() - begun < 15
    assert all_ended(machine)


def test_one_that_forks_all_the_time_is_ended(machine: Machine) -> None:
    write(machine, "#!/bin/sh\nwhile :; do sleep 60 & sleep 0.05; done\n")
    assert run(machine, "~/hook.sh", timeout=1).problem == "HOOK_TIMEOUT"
    assert all_ended(machine)


def test_one_that_is_stopped_is_ended(machine: Machine) -> None:
    write(machine, "#!/bin/sh\nkill -STOP $$\n")
    found = run(machine, "~/hook.sh", timeout=1)
    assert (found.problem, found.left) == ("HOOK_TIMEOUT", ())
    # It goes on, and so takes its TERM: it was not killed.
    assert found.seconds < 4
    assert all_ended(machine)


@pytest.mark.slow
@each_shell
def test_a_flood_is_cut_in_the_middle_and_fills_nothing(machine: Machine, shell: str) -> None:
    write(machine, "#!/bin/sh\necho begin; head -c 200000000 /dev/zero | tr '\\000' x; echo; echo end >&2\n")
    found = run(machine, "~/hook.sh", shell)
    assert found.problem is None
    assert found.output.startswith("begin\nxxx")
    assert found.output.endswith("xxx\nend\n")
    assert len(found.output) < 66_000
    assert found.left_out == 200_000_000 + len("begin\n\nend\n") - 65536
    assert all_ended(machine)


def test_nothing_grows_while_it_floods(machine: Machine) -> None:
    write(
        machine, '#!/bin/sh\nyes & sleep 1; du -sk "$TMPDIR" >~/size; ps -A -o rss=,args= >~/memory; kill $!\n', "flood"
    )
    found = run(machine, "~/flood")
    assert int((machine.home / "size").read_text().split()[0]) < 500
    rows = (machine.home / "memory").read_text().splitlines()
    readers = [row.split() for row in rows if str(machine.root / "tmp") in row or "tail -c 32768" in row]
    assert readers
    assert all(int(row[0]) < 20_000 for row in readers), readers
    assert found.left_out > 1_000_000
    assert all_ended(machine)


@pytest.mark.parametrize("shell", mostly_slow(INSTALLED_SHELLS, ("dash", "zsh")))
def test_output_around_the_bounds_is_whole(machine: Machine, shell: str) -> None:
    for number, size in enumerate((0, 1, 32767, 32768, 32769, 65535, 65536)):
        program = f"import sys; sys.stdout.write(('0123456' * 20000)[:{size}])"
        found = run(machine, f'{sys.executable} -c "{program}"', shell)
        assert found.output == ("0123456" * 20000)[:size], number
        assert found.left_out == 0


@pytest.mark.parametrize("shell", mostly_slow(INSTALLED_SHELLS, ("dash",)))
def test_what_it_leaves_running_goes_on_and_is_not_waited_for(machine: Machine, shell: str) -> None:
    (machine.home / "lasting.py").write_text(_LASTING)
    write(machine, f"#!/bin/sh\n{sys.executable} lasting.py &\nuntil [ -s pid ]; do sleep 0.1; done; echo done\n")
    begun = time.monotonic()
    found = run(machine, "~/hook.sh", shell)
    assert time.monotonic() - begun < 8
    assert (found.problem, found.code) == (None, 0)
    pid = int((machine.home / "pid").read_text())
    assert found.left == (pid,)
    # It goes on to print, and nobody stops it.
    wait_until(lambda: time.monotonic() > begun + 3)
    assert alive(pid)
    end([pid])
    assert all_ended(machine)


def test_one_that_closes_its_output_goes_on(machine: Machine) -> None:
    write(machine, "#!/bin/sh\necho said; exec >&- 2>&- <&-; sleep 1; : >~/after\n")
    found = run(machine, "~/hook.sh")
    assert (found.problem, found.output) == (None, "said\n")
    assert found.seconds >= 1
    assert (machine.home / "after").exists()


def test_one_that_reads_nothing_may_have_much_to_read(machine: Machine) -> None:
    found = run(machine, "true", data={"much": "x" * 1_000_000})
    assert found.problem is None
    assert run(machine, "wc -c", data="x" * 1_000_000).output.strip() == "1000003"
    assert all_ended(machine)


def test_no_data_is_an_empty_input_and_no_terminal(machine: Machine) -> None:
    write(machine, "#!/bin/sh\n[ -t 0 ] || [ -t 1 ] || cat | wc -c\n( : </dev/tty ) 2>/dev/null || echo no terminal\n")
    assert run(machine, "~/hook.sh").output.split() == ["0", "no", "terminal"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGINT])
@each_shell
def test_the_signal_that_ended_it_is_told(machine: Machine, number: signal.Signals, shell: str) -> None:
    found = run(machine, f"sh -c 'kill -{int(number)} $$'", shell)
    assert (found.problem, found.signal, found.code) == ("HOOK_EXECUTION_FAILED", number, None)
    assert f"ended by signal {int(number)}" in found.reason


def test_it_takes_sigint_as_it_does_at_a_terminal(machine: Machine) -> None:
    write(machine, "#!/bin/sh\nsleep 60 & kill -INT $$; sleep 5\n")
    found = run(machine, "~/hook.sh")
    assert found.signal == signal.SIGINT
    end(found.left)


def test_what_it_prints_may_be_anything(machine: Machine) -> None:
    write(machine, "#!/bin/sh\nprintf '\\033[31mred\\0\\377\\n##miyabi:end x\\n'\n")
    assert run(machine, "~/hook.sh").output == "\x1b[31mred\0\ufffd\n##miyabi:end x\n"


def test_a_script_without_a_first_line_is_run(machine: Machine) -> None:
    write(machine, "echo ran\n")
    assert run(machine, "~/hook.sh").output == "ran\n"


# What a host without any of the programs that begin a session has.
_TOOLS = ("cat", "chmod", "cut", "date", "df", "env", "find", "grep", "head", "id", "ln", "ls", "mkdir", "mkfifo", "mv")
_MORE_TOOLS = ("od", "ps", "readlink", "rm", "sed", "sh", "sleep", "tail", "tee", "tr", "wc")


@pytest.mark.parametrize(
    ("shell", "kind"),
    mostly_slow(
        [("dash", "perl"), ("dash", "python3"), *((each, "") for each in INSTALLED_SHELLS)],
        [("dash", "perl"), ("dash", "python3"), ("dash", ""), ("zsh", "")],
    ),
)
def test_without_setsid_it_is_ended_as_a_whole_all_the_same(machine: Machine, kind: str, shell: str) -> None:
    folder = machine.root / "bin"
    folder.mkdir()
    for tool in (*_TOOLS, *_MORE_TOOLS, SHELLS[shell][0], *([kind] if kind else [])):
        (folder / tool).unlink(missing_ok=True)
        (folder / tool).symlink_to(Path(required(tool)).resolve() if tool != "python3" else sys.executable)
    machine.environment["PATH"] = str(folder)
    write(machine, "#!/bin/sh\nsleep 61 & (sleep 62; :) & sleep 63\n")
    found = run(machine, "~/hook.sh", shell, timeout=1)
    assert (found.problem, found.left) == ("HOOK_TIMEOUT", ())
    assert all_ended(machine)


@pytest.mark.parametrize("shell", [each for each in INSTALLED_SHELLS if each == "busybox"])
def test_busybox_alone_is_enough(machine: Machine, tmp_path: Path, shell: str) -> None:
    machine.environment["PATH"] = folder = busybox_host(tmp_path).environment["PATH"]
    (Path(folder) / "busybox").symlink_to(required("busybox"))
    write(machine, "#!/bin/sh\ncat; yes | head -c 300000; echo end; exit 3\n")
    found = run(machine, "~/hook.sh", shell, data="first")
    assert (found.code, found.output[:9], found.output[-4:]) == (3, '"first"\ny', "end\n")
    assert found.left_out == 300_000 + len('"first"\nend\n') - 65536
    write(machine, "#!/bin/sh\n(trap '' HUP; setsid sleep 61) & sleep 62\n")
    found = run(machine, "~/hook.sh", shell, timeout=1)
    assert (found.problem, found.left) == ("HOOK_TIMEOUT", ())
    assert all_ended(machine)


def test_of_a_script_that_was_killed_the_hook_is_ended_all_the_same(machine: Machine) -> None:
    write(machine, "#!/bin/sh\n: >~/began; sleep 60\n")
    wanted, nonce = hook("~/hook.sh", timeout=1), secrets.token_hex(16)
    with subprocess.Popen(
        [required("sh"), "-c", hook_script(wanted, nonce)],
        env=machine.environment,
        cwd=machine.home,
        stdin=subprocess.PIPE,
        text=True,
    ) as script:
        assert script.stdin is not None
        script.stdin.write(hook_input(wanted, nonce))
        script.stdin.close()
        wait_until((machine.home / "began").exists)
        script.kill()
    wait_until(lambda: not machine.processes(), 10, what="the end of the hook")
