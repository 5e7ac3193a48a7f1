"""The sandbox: up, broken, down, and nothing left of it."""
