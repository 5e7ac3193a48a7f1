"""Hooks: programs of the user's that a host runs."""
