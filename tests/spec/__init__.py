"""The way from a YAML file to a spec."""
