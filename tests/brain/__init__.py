"""The pure brain: tables of what goes in and what must come out."""
