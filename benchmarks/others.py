"""The programs that Miyabi Recovery is compared with, and the machine that all of them run on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

from tests.fleet.control import REPOSITORY

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
_FOLDER = REPOSITORY / ".venv" / "bench"


def install() -> Path:
    """The folder of their programs; the environment is made once, and again when the requirements change."""
    stamp = _FOLDER / "requirements.txt"
    if not stamp.exists() or stamp.read_bytes() != REQUIREMENTS.read_bytes():
        venv.create(_FOLDER, clear=True, with_pip=False)
        # The pip of the environment that runs this: Debian's Python cannot make one with its own.
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(_FOLDER / "bin" / "python")]
        subprocess.run([*pip, "-q", "--no-input", "install", "-r", str(REQUIREMENTS)], check=True)
        stamp.write_bytes(REQUIREMENTS.read_bytes())
    return _FOLDER / "bin"


def strategy_plugins(programs: Path) -> Path:
    """Where mitogen's strategies for Ansible are."""
    return next(programs.parent.glob("lib/python*/site-packages/ansible_mitogen/plugins/strategy"))


def versions(programs: Path) -> dict[str, str]:
    """The versions of everything that takes part."""
    script = "import importlib.metadata as m; print(*map(m.version, ('ansible-core', 'mitogen', 'tmuxp')))"
    ansible, mitogen, tmuxp = _said(str(programs / "python"), "-c", script).split()
    return {
        "Python": platform.python_version(),
        "tmux": _said("tmux", "-V").removeprefix("tmux "),
        "OpenSSH": _said("ssh", "-V").split(",")[0].removeprefix("OpenSSH_"),
        "pyinfra": version("pyinfra"),
        "paramiko": version("paramiko"),
        "ansible-core": ansible,
        "mitogen": mitogen,
        "tmuxp": tmuxp,
    }


def machine() -> str:
    """The machine in a few words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = re.search(r"^model name\s*:\s*(.*)$", _text("/proc/cpuinfo"), re.MULTILINE)
    model = f" ({found[1]})" if found else ""
    load = ", ".join(f"{each:.2f}" for each in os.getloadavg())
    return (
        f"{os.cpu_count()} processors{model}, {memory:.0f} GiB of memory, {platform.system()} {platform.release()}; "
        f"load averages at the start {load}"
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return (done.stdout + done.stderr).strip()
