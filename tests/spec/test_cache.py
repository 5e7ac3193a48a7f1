"""The cache of specs: a hit imports neither pydantic nor yaml, and nothing that is wrong with it ever matters."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from miyabi import spec_cache, spec_file
from miyabi.errors import SpecError
from miyabi.spec import Spec
from miyabi.spec_cache import MOST_ENTRIES, cache_directory, cached_spec

REPOSITORY = Path(__file__).parents[2]
TEXT = "session_name: s\nwindows: [{panes: [{name: a, shell_command: claude, agent: true}]}]\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this test's entries."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "miyabi" / "specs"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A spec."""
    path = tmp_path / "a.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were parsed, and not found in the cache."""
    files: list[str] = []
    parse = spec_file.parse_spec

    def record(file: str, content: bytes, *, base_directory: str) -> Spec:
        files.append(file)
        return parse(file, content, base_directory=base_directory)

    monkeypatch.setattr(spec_cache, "parse_spec", record)
    return files


def entries(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.json"))


def test_a_second_reading_comes_from_the_cache(file: Path, cache: Path, parsed: list[str]) -> None:
    first = cached_spec(file, "~")
    assert cached_spec(file, "~") == first == spec_file.load_spec(file, base_directory="~")
    assert parsed == [str(file)]
    (entry,) = entries(cache)
    assert entry.stat().st_mode & 0o777 == 0o600
    assert cache.stat().st_mode & 0o777 == 0o700
    assert cache.parent.stat().st_mode & 0o777 == 0o700


def test_content_and_directory_make_another_entry(file: Path, cache: Path, parsed: list[str]) -> None:
    cached_spec(file, "~")
    assert cached_spec(file, "/specs").digest == cached_spec(file, "~").digest
    file.write_text(TEXT.replace("name: a", "name: b"))
    assert cached_spec(file, "~").sessions[0].windows[0].panes[0].name == "b"
    assert len(parsed) == len(entries(cache)) == 3


def test_the_same_content_elsewhere_has_its_own_source(file: Path, parsed: list[str]) -> None:
    other = file.with_name("b.yaml")
    other.write_text(TEXT)
    assert cached_spec(file, "~").source == str(file)
    assert cached_spec(other, "~").source == str(other)
    assert parsed == [str(file)]


def test_another_version_of_the_code_makes_another_entry(
    file: Path, cache: Path, parsed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_spec(file, "~")
    copy = tmp_path / "miyabi"
    for source in spec_cache._SOURCES:
        made = copy / f"{source}.py"
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes((REPOSITORY / "miyabi" / f"{source}.py").read_bytes())
    monkeypatch.setattr(spec_cache, "__file__", str(copy / "spec_cache.py"))
    cached_spec(file, "~")
    cached_spec(file, "~")
    assert len(parsed) == 2
    os.utime(copy / "spec_expand.py", (1, 1))
    cached_spec(file, "~")
    assert len(parsed) == len(entries(cache)) == 3


def test_every_module_that_makes_a_spec_is_part_of_the_key() -> None:
    found = {path.stem for path in (REPOSITORY / "miyabi").glob("spec*.py")}
    found |= {"gate_rules", "instance_rules", "levels", "orchestration/rules", "pruning", "units"}
    assert set(spec_cache._SOURCES) == found - {"spec_cache", "spec_view"}


def test_refused_specs_are_not_kept(file: Path, cache: Path) -> None:
    file.write_text("session_name: s\n")
    for _ in range(2):
        with pytest.raises(SpecError, match="found no windows"):
            cached_spec(file, "~")
    assert not entries(cache)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"Spec":[]}',
        b'{"Spec":5}',
        b'{"Spec":["a","b"],"Pane":[]}',
        b'{"Pane":["a",[],null]}',
        b'{"Nothing":[]}',
        b'{"Level":9}',
    ],
    ids=lambda content: content[:12].decode(errors="replace"),
)
def test_corrupt_entries_are_replaced(file: Path, cache: Path, parsed: list[str], content: bytes) -> None:
    expected = cached_spec(file, "~")
    (entry,) = entries(cache)
    good = entry.read_bytes()
    entry.write_bytes(content)
    assert cached_spec(file, "~") == expected
    assert len(parsed) == 2
    assert entry.read_bytes() == good


@pytest.mark.parametrize(
    ("entry_mode", "folder_mode", "owner"),
    [(0o620, 0o700, -1), (0o602, 0o700, -1), (0o600, 0o770, -1), (0o600, 0o700, 12345)],
)
def test_what_others_could_have_written_is_not_believed(
    file: Path, cache: Path, parsed: list[str], entry_mode: int, folder_mode: int, owner: int
) -> None:
    if owner != -1 and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    expected = cached_spec(file, "~")
    (entry,) = entries(cache)
    entry.chmod(entry_mode)
    cache.chmod(folder_mode)
    os.chown(entry, owner, -1)
    assert cached_spec(file, "~") == expected
    assert len(parsed) == 2
    # Writing it again has put it right.
    assert cached_spec(file, "~") == expected
    assert len(parsed) == 2
    assert cache.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_folders_of_others_are_left_alone(file: Path, cache: Path, parsed: list[str]) -> None:
    cache.mkdir(parents=True, mode=0o700)
    os.chown(cache, 12345, -1)
    for _ in range(2):
        cached_spec(file, "~")
    assert len(parsed) == 2
    assert not list(cache.iterdir())


def test_links_are_not_followed(file: Path, cache: Path, parsed: list[str], tmp_path: Path) -> None:
    expected = cached_spec(file, "~")
    (entry,) = entries(cache)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(entry.read_bytes())
    entry.unlink()
    entry.symlink_to(elsewhere)
    assert cached_spec(file, "~") == expected
    assert len(parsed) == 2
    assert not entry.is_symlink()


def test_a_cache_that_cannot_be_written(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = spec_file.load_spec(file, base_directory="~")
    (tmp_path / "no-folder").write_text("")
    for place in (tmp_path / "no-folder", Path("/proc/1"), Path("/dev/null")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(place))
        assert cached_spec(file, "~") == expected


READ_ONLY = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from miyabi.spec_cache import cached_spec
from miyabi.spec_file import load_spec
spec = load_spec(Path(sys.argv[2]), base_directory="~")  # imports what the other user may not read
if os.geteuid() == 0:
    os.setuid(12345)
print(cached_spec(Path(sys.argv[2]), "~") == spec, os.access(os.environ["XDG_CACHE_HOME"] + "/miyabi/specs", os.W_OK))
"""


def test_a_read_only_folder() -> None:
    """To root the permissions of a folder mean nothing, so another user reads, from where it may."""
    shared = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        cache = shared / "miyabi" / "specs"
        cache.mkdir(parents=True)
        (shared / "a.yaml").write_text(TEXT)
        shared.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(cache, 12345, -1)
        cache.chmod(0o500)
        run = subprocess.run(
            [sys.executable, "-c", READ_ONLY, REPOSITORY, shared / "a.yaml"],
            env=os.environ | {"XDG_CACHE_HOME": str(shared)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.stdout, run.stderr) == ("True False\n", "")
        assert not list(cache.iterdir())
    finally:
        shutil.rmtree(shared)


def test_a_home_that_is_not_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/nowhere/at/all")
    assert cache_directory() == Path("/nowhere/at/all/.cache/miyabi/specs")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert cached_spec(file, "~").sessions


def test_the_newest_entries_are_kept(file: Path, cache: Path) -> None:
    cached_spec(file, "~")
    for number in range(MOST_ENTRIES + 10):
        old = cache / f"{number:064}.json"
        old.write_text("{}")
        os.utime(old, (number, number))
    abandoned, unfinished = cache / ".abandoned", cache / ".unfinished"
    abandoned.touch()
    unfinished.touch()
    os.utime(abandoned, (time.time() - 7200,) * 2)
    cached_spec(file, "/other")
    kept = entries(cache)
    assert len(kept) == MOST_ENTRIES
    assert f"{11:064}" not in {entry.stem for entry in kept}
    assert f"{MOST_ENTRIES + 9:064}" in {entry.stem for entry in kept}
    assert unfinished.exists()
    assert not abandoned.exists()


def test_concurrent_writers(file: Path, cache: Path) -> None:
    expected = cached_spec(file, "~")
    (entry,) = entries(cache)

    def reader(number: int) -> bool:
        if number % 3 == 0:
            entry.unlink(missing_ok=True)
        return cached_spec(file, "~") == expected

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(reader, range(120)))
    assert [path.name for path in cache.iterdir()] in ([entry.name], [])


HIT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from miyabi.spec_cache import cached_spec
from miyabi.spec_file import resolve_spec
begun = time.process_time()
spec = cached_spec(resolve_spec(sys.argv[2], Path("inventory/specs")), "~")
print(len(spec.sessions), *sorted({"pydantic", "yaml", "click", "difflib"} & set(sys.modules)))
print(time.process_time() - begun)
"""


def test_a_hit_imports_neither_pydantic_nor_yaml() -> None:
    """Cold, in a process of its own, with the largest of the default specs."""
    took = []
    for _ in range(4):
        run = subprocess.run(
            [sys.executable, "-c", HIT, REPOSITORY, REPOSITORY / "inventory/specs/mugen.yaml"],
            capture_output=True,
            text=True,
            check=True,
        )
        loaded, seconds = run.stdout.splitlines()
        took.append((loaded, float(seconds)))
    assert "pydantic" in took[0][0]
    assert {loaded for loaded, _ in took[1:]} == {"2"}
    assert min(seconds for _, seconds in took[1:]) < 0.003
