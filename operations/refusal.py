"""How an operation says no for one host, without touching the host or stopping the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra import logger
from pyinfra.api import FunctionCommand

if TYPE_CHECKING:
    from pyinfra.api import Host, State


def refuse(state: State, host: Host, reason: str) -> bool:
    """Log why, and fail this operation on this host alone.

    pyinfra passes a function's result on only when its first parameters are called ``state`` and ``host``.
    """
    del state
    host.log_styled(reason, fg="red", log_func=logger.error)
    return False


def refusal(reason: str) -> FunctionCommand:
    """The command to yield instead of acting."""
    return FunctionCommand(refuse, (reason,), {})
