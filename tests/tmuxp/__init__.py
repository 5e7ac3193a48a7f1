"""What `tmuxp load` builds is what we build: tmuxp itself is the oracle."""
