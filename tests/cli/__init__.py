"""The commands about a fleet: status, explain, recover, signal, history, incidents, pause, resume."""
