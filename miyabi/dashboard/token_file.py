"""The token by which the dashboard is seen from elsewhere: made once, and kept for its owner alone."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from miyabi.errors import DashboardError
from miyabi.private_file import read_private, write_private

FILE = "dashboard.token"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,128}")


def token_in(folder: Path, *, is_new: bool = False) -> str:
    """The token that is kept in the memory's folder; it is made when there is none.

    + is_new: make another one: who has the old one is left outside

    Raises ``DashboardError`` when it cannot be kept, or others could have written it.
    """
    path = folder / FILE
    try:
        if not is_new and path.exists():
            kept = read_private(path).strip()
            if _TOKEN.fullmatch(kept):
                return kept
        token = secrets.token_urlsafe(32)
        write_private(path, f"{token}\n")
    except OSError as error:
        raise DashboardError(f"{path}: the token cannot be kept: {error.strerror}; make its folder writable") from None
    except ValueError as error:
        raise DashboardError(f"{path}: this is no token of ours: {error}; remove it, or use --new-token") from None
    return token
