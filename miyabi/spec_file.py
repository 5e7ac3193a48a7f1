"""From a YAML file to a spec, or to everything that is wrong with it.

pydantic and YAML are imported when a file is read: a run whose specs are cached needs neither.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from miyabi.errors import SpecError, SpecProblem
from miyabi.spec import Spec

LARGEST_FILE = 1_000_000
SUFFIXES = (".yaml", ".yml", ".json")


def load_spec(path: Path, *, base_directory: str) -> Spec:
    """Read a spec.

    + path: a YAML or JSON file: a spec, or a tmuxp workspace
    + base_directory: where the spec's relative paths begin: an absolute path, or ``~`` for the host's home

    Returns the spec with every default filled in. Raises ``SpecError`` with every problem, each with its line.
    """
    return parse_spec(str(path), read_spec_file(path), base_directory=base_directory)


def read_spec_file(path: Path) -> bytes:
    """The content of a spec's file. Raises ``SpecError`` when it cannot be read."""
    try:
        # Without O_NONBLOCK a named pipe would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
            raise _refusal(str(path), f"found {kind}", "allowed: a YAML file")
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise _refusal(str(path), *_unreadable(error)) from None
    if len(content) > LARGEST_FILE:
        raise _refusal(str(path), f"found more than {LARGEST_FILE} bytes", f"allowed: at most {LARGEST_FILE} bytes")
    return content


def _unreadable(error: OSError | ValueError) -> tuple[str, str]:
    """What is found instead of a file, and what is allowed."""
    if isinstance(error, FileNotFoundError):
        return "found no such file", "allowed: an existing YAML file"
    if isinstance(error, PermissionError):
        return (
            "found a file that you may not read",
            "allowed: a YAML file that you may read; look at its owner and mode",
        )
    reason = getattr(error, "strerror", None) or str(error)
    return f"found a file that cannot be read ({reason})", "allowed: a YAML file"


def parse_spec(file: str, content: bytes, *, base_directory: str) -> Spec:
    """Read the content of a spec's file; see ``load_spec``.

    + file: its path, to be named in problems
    """
    from miyabi.spec_expand import expand_spec  # noqa: PLC0415 - see the module's docstring
    from miyabi.spec_problems import read_model  # noqa: PLC0415

    model = read_model(_printable(file), file_text(file, content))
    return expand_spec(model, source=file, digest=sha256(content).hexdigest(), base_directory=base_directory)


def resolve_spec(reference: str, specs_directory: Path) -> Path:
    """The file that a reference to a spec means.

    + reference: a name, such as ``mugen`` for mugen.yaml in the specs' folder; or, with a ``/`` or an ending .yaml,
      .yml or .json, a path from the working directory
    + specs_directory: the specs' folder

    Returns such as ``Path("inventory/specs/mugen.yaml")``. Raises ``SpecError`` when there is no such file.
    """
    is_path = "/" in reference or reference.endswith(SUFFIXES)
    path = Path(reference) if is_path else specs_directory / f"{reference}.yaml"
    with suppress(OSError, ValueError, RuntimeError):
        path = path.expanduser()
        if path.exists():
            return path
    from miyabi.spec_document import nearest  # noqa: PLC0415

    names = known_specs(specs_directory)
    known = (", ".join(names) or "none") + nearest(Path(reference).stem, names)
    allowed = f"allowed: the path of a file, or a name from {specs_directory}: {known}"
    raise _refusal(reference or "''", "found no such spec", allowed)


def known_specs(specs_directory: Path) -> list[str]:
    """The names of the specs in a folder, sorted."""
    try:
        return sorted(path.stem for path in specs_directory.iterdir() if path.suffix == ".yaml")
    except OSError:
        return []


def _refusal(file: str, found: str, allowed: str, line: int | None = None) -> SpecError:
    return SpecError([SpecProblem(_printable(file), line, "", found, allowed)])


def _printable(file: str) -> str:
    return file if file.isprintable() else ascii(file)


def file_text(file: str, content: bytes) -> str:
    """The text of a file, as its reader takes it. Raises ``SpecError`` when it is not UTF-8.

    + file: its path, to be named in the problem
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"found the byte 0x{content[error.start]:02X}, which is not UTF-8"
        raise _refusal(file, found, "allowed: text in UTF-8; save the file in that encoding", line) from None
    return _joined_surrogates(text) if file.endswith(".json") else text


def _joined_surrogates(text: str) -> str:
    """JSON text without pairs of surrogates, the one kind of escape that JSON has and YAML has not."""

    def joined(found: re.Match[str]) -> str:
        high, low = int(found[2], 16), int(found[3], 16)
        return found[1] + chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))

    return _SURROGATES.sub(joined, text)


# An even number of backslashes in front is text, an odd one escapes this one.
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
