"""Each operation as data: what is observed, what is wanted, and the commands that follow."""
