"""The brain of Miyabi Recovery: spec, state, drift, plan. Pure, but for what reads files or arguments."""

# As in pyproject.toml: a clone that is run as it is has no other way to know.
__version__ = "0.1.0"
