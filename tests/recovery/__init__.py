"""The main job, on real tmux servers and real ssh hosts."""
