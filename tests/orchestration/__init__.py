"""Tests of the state that orchestrations keep."""
