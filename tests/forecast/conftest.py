"""What is foretold of a history is tested on SQLite and PostgreSQL, as the history itself."""

from tests.history.conftest import ground, postgresql, sqlite_ground

__all__ = ["ground", "postgresql", "sqlite_ground"]
