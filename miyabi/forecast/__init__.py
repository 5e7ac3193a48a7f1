"""What is about to go wrong: measures that reach their limits, servers that will fail, agents that run out."""
