"""Journal, history and pauses: what is remembered, on SQLite and PostgreSQL alike."""
