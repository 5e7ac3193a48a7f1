"""The gate and the memory in real runs: one after the other on a clock that the test sets, with real tmux."""
