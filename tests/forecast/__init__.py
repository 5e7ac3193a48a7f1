"""Tests of what is foretold, against series whose end is known."""
