"""A PostgreSQL of the tests' own: a cluster in a folder of the run, reached by a socket in it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests.fleet.leaks import TestRun
from tests.fleet.programs import required
from tests.fleet.waiting import wait_until

_USER = "miyabi"
# It refuses to run as root.
_NOT_ROOT = "nobody"
_FOLDERS = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Postgresql:
    """A running server.

    + root: its folder; the socket is in it
    + process: its own, the postmaster
    """

    root: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, run: TestRun) -> Postgresql:
        """A new cluster, which answers."""
        initdb, postgres = required("initdb", *_FOLDERS), required("postgres", *_FOLDERS)
        root = run.new_folder("pg")
        # Another user has to get there.
        run.folder.chmod(0o711)
        root.chmod(0o711)
        data = root / "data"
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            user = pwd.getpwnam(_NOT_ROOT)
            for folder in (root, data):
                os.chown(folder, user.pw_uid, user.pw_gid)
        making = [initdb, "-D", str(data), "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        made = _run(run, making, root / "log")
        assert made.wait() == 0, (root / "log").read_text()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(root),
            "fsync": "off",
            "max_connections": "40",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server = cls(root, _run(run, [postgres, "-D", str(data), *options], root / "log"))
        wait_until(server.answers, 30)
        return server

    def answers(self) -> bool:
        """Whether it takes connections now."""
        assert self.process.poll() is None, (self.root / "log").read_text()
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows of a statement, outside of a transaction; ``[]`` when it has none."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql://{_USER}@/{database}?host={quote(str(self.root), safe='')}"

    def new_database(self) -> str:
        """The name of a new, empty database."""
        name = f"history_{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def stop(self) -> None:
        """End it, and remove its files."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)
        shutil.rmtree(self.root)


def _run(run: TestRun, command: list[str], log: Path) -> subprocess.Popen[bytes]:
    is_root = os.geteuid() == 0
    user = pwd.getpwnam(_NOT_ROOT) if is_root else None
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd="/",
            env=os.environ | run.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if is_root else None,
            start_new_session=True,
        )
