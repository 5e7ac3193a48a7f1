"""What the sessions stand on, kept by real operations on real parts."""
