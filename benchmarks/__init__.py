"""What a run costs, and what others take for the same; see run.py."""
