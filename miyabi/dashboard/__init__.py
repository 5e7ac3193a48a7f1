"""The live page: one fleet at a glance, in a browser."""
