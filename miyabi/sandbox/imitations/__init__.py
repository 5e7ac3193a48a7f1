"""What the sandbox's hosts have in place of what only a phone or a Mac has; each says so in its first lines."""
