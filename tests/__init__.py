"""Tests; ``tests.fleet`` is what they run on."""
