"""Reports stand on the grounds of the history."""

from tests.history.conftest import ground, postgresql

__all__ = ["ground", "postgresql"]
