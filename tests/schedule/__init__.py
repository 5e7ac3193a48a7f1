"""A run every few minutes: what the schedulers are told, and the run itself."""
