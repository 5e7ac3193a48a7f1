"""What is about to go wrong: measures that reach their limits, servers that will fail, agents that run out.

numpy and scipy are imported in this package alone, and nothing but predictions needs it: see ``require``.
"""

from __future__ import annotations

from importlib.util import find_spec

from miyabi.errors import MiyabiError


def require() -> None:
    """Raises ``MiyabiError`` with what to do where numpy or scipy is missing."""
    missing = [name for name in ("numpy", "scipy") if find_spec(name) is None]
    if missing:
        raise MiyabiError(f"predictions need {' and '.join(missing)}, not installed here; to install it: make forecast")
