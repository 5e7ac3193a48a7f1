"""Agents: told apart, resumed, and driven by an imitation of them."""
