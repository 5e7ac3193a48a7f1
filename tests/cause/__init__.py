"""Tests of what a damage is put down to."""
