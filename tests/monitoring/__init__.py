"""Metrics, traces and the fleet in a terminal."""
