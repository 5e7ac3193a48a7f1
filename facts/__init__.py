"""What is true of a host: read-only facts, each one shell probe and a pure parser."""
