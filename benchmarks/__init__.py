"""What a run costs, and what others take for the same; see __main__.py."""
