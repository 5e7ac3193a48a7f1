"""Tasks of agents: what they write down, what is left of their work, and what is done with it."""
